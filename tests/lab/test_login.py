"""A login that expires while JupyterLab is open: each part says so, and goes on after the next login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import passwd
from support.lab import LabNotebook, write_notebook
from support.place import JupyterServer, Place, wait_until

from .test_panel import UNREACHABLE, Panel

pytestmark = [pytest.mark.lab, pytest.mark.engine]

WORD = "a word"
RUN = "([command, args]) => window.jupyterapp.commands.execute(command, args).then(() => null)"
AGAIN = "Your Jupyter login has expired: log in again"
RAW = ("Forbidden", "xsrf", "XSRF", "{")
"""What Jupyter itself says, and JSON."""


@pytest.fixture
def guarded(place: Place, browser: Any, server: JupyterServer) -> Iterator[tuple[Any, JupyterServer]]:
    """A browser that is logged in to a Jupyter server with a password."""
    config = {"IdentityProvider.token": "", "PasswordIdentityProvider.hashed_password": passwd(WORD)}
    own = place.jupyter(**{"LabApp.expose_app_in_browser": "True", "LabApp.news_url": "", **config})
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{own.port}/login")
        log_in(page)
        page.close()
        yield context, own
    finally:
        context.close()
        own.end()
        server.delete_engines()


def log_in(page: Any) -> None:
    """Send the form of Jupyter's login page."""
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def test_a_login_that_expired(
    guarded: tuple[Any, JupyterServer], place: Place, server: JupyterServer, tmp_path: Path
) -> None:
    """Panel, notification, history and create dialog: nothing raw, and nothing to do but to log in in another tab."""
    context, own = guarded
    server.create(name="far", **UNREACHABLE)
    path = place.root / "login.ipynb"
    write_notebook(path, [""])
    seen = Panel(LabNotebook(context.new_page(), own, path))
    seen.wait_for("far", "Pending", 10)
    engine = server.engine("far")
    context.clear_cookies()
    seen.page.evaluate(RUN, ["rucat:delete", {"engine": engine["id"], "confirmed": True}])
    alert = seen.root.get_by_role("alert")
    wait_until("the panel", lambda: AGAIN in " ".join(alert.all_inner_texts()), 10)
    toast = seen.page.locator(".jp-toast-message, .Toastify__toast").first
    seen.book.wait_for_text(toast, "Delete far: your Jupyter login has expired: log in again in another tab", 10)
    seen.page.evaluate(RUN, ["rucat:history", {"engine": engine["id"], "name": "far"}])
    history = seen.page.locator(".jp-Rucat-history .jp-Rucat-doc-status")
    seen.book.wait_for_text(history, AGAIN, 10)
    seen.page.screenshot(path=str(tmp_path / "panel.png"))
    with context.expect_page() as opened:
        alert.get_by_role("button", name="Log in").click()
    seen.page.evaluate("() => void window.jupyterapp.commands.execute('rucat:create')")
    dialog = seen.dialog("Create an engine")
    seen.book.wait_for_text(dialog, AGAIN, 10)
    seen.page.screenshot(path=str(tmp_path / "dialog.png"))
    shown = seen.page.locator("body").inner_text()
    assert not [word for word in RAW if word in shown], shown
    assert seen.book.axe(".jp-Rucat-createDialog") == []

    log_in(opened.value)
    opened.value.close()
    dialog.get_by_label("Name", exact=True).wait_for()
    seen.page.keyboard.press("Escape")
    seen.wait_for("far", "Pending", 10)
    wait_until("the history", lambda: "As of" in history.inner_text(), 10)

    context.clear_cookies(name="_xsrf")  # another server of this host has replaced it, or the user removed it
    seen.page.evaluate(RUN, ["rucat:delete", {"engine": engine["id"], "confirmed": True}])
    wait_until("no row", lambda: seen.row("far").count() == 0, 30)

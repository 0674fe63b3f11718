"""The card of an engine in JupyterLab: what it shows, and that its buttons work while a cell runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.lab import RESTARTED, LabNotebook
from support.place import JupyterServer, Place, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.engine]

CREATE = "%load_ext rucat_jupyter\n%rucat create etl"
SLEEP = "import time; time.sleep(300)"
QUERY = "spark.range(10**13).selectExpr('sum(id % 7)').collect()"


@pytest.fixture
def engine(server: JupyterServer) -> str:
    """The engine of these tests, Running. Its name."""
    found = {view["name"] for view in server.http.get("rucat/engines").json()["engines"]}
    if "etl" not in found:
        server.create(name="etl")
    elif server.engine("etl")["status"] != "Running":
        server.http.post("rucat/engines/etl/restart")
    server.wait_for("etl", "Running")
    return "etl"


def button(book: LabNotebook, name: str, index: int = 0) -> Any:
    """A button of a cell's card."""
    return book.card(index).get_by_role("button", name=name, exact=True)


@pytest.mark.all
def test_stop_works_while_python_sleeps(lab: Callable[..., LabNotebook], server: JupyterServer, engine: str) -> None:
    """Within a second, without output in a cell; Start starts it again in the same card."""
    book = lab("sleeping", [CREATE, SLEEP])
    book.run(0)
    book.wait_for_text(book.card(), "Running", 10)
    book.start(1)
    wait_until("a busy cell", lambda: book.is_running(1), 10)
    begun = time.monotonic()
    button(book, "Stop").click()
    book.wait_for_text(book.card(), "Stopp", 1)
    assert server.engine("etl")["target"] == "Stopped"
    assert time.monotonic() - begun < 1
    book.wait_for_text(book.card(), "Stopped", 60)
    button(book, "Start").click()
    book.wait_for_text(book.card(), "Pending", 1)
    wait_until("a bar", lambda: book.card().get_by_role("progressbar").count() == 1, 5)
    book.wait_for_text(book.card(), "Running", 90)
    assert book.is_running(1)
    assert book.output(1).inner_text().strip() == ""
    assert book.errors == []


def test_stop_and_cancel_work_while_a_query_runs(
    lab: Callable[..., LabNotebook], server: JupyterServer, engine: str
) -> None:
    """Cancel ends the operation that the card shows, and the session goes on; Stop takes less than a second."""
    book = lab("querying", [CREATE, QUERY, "spark.range(3).count()"])
    book.run(0)
    book.start(1)
    book.wait_for_text(book.card(), "/2 tasks", 60)  # it has a job: Spark may lose an interrupt before that
    assert "this notebook, cell" in book.card().inner_text()
    button(book, "Cancel").click()
    wait_until("the end of the cell", lambda: not book.is_running(1), 10)
    assert book.run(2).inner_text().strip().endswith("3")
    book.wait_for_no_text(book.card(), "this notebook, cell", 40)
    book.start(1)
    book.wait_for_text(book.card(), "this notebook, cell", 30)
    button(book, "Stop").click()
    book.wait_for_text(book.card(), "Stopp", 1)
    assert server.engine("etl")["target"] == "Stopped"
    wait_until("the end of the cell", lambda: not book.is_running(1), 10)
    assert "etl is Stopp" in book.output(1).inner_text()
    assert book.errors == []


@pytest.mark.all
def test_one_card_per_engine(lab: Callable[..., LabNotebook], engine: str) -> None:
    """A second create moves it, with a note in the first cell; the same engine twice in one cell is one card."""
    book = lab("twice", [CREATE, "%rucat create etl", "import rucat_jupyter as r\nr.create('etl')", "%rucat status"])
    book.run(0)
    book.run(1)
    book.wait_for_text(book.card(1), "Running", 10)
    assert "its card is in a later cell" in book.output(0).inner_text()
    book.run(2)
    assert book.card(2).count() == 1
    book.run(3)
    book.wait_for_text(book.card(3), "profile", 10)
    assert book.page.locator(".rucat-card:visible").count() == 1
    assert book.errors == []


def test_a_reload_shows_the_current_status(lab: Callable[..., LabNotebook], server: JupyterServer, engine: str) -> None:
    """Within two seconds after the page has loaded, even if the engine has changed."""
    book = lab("reloaded", [CREATE])
    book.run(0)
    book.wait_for_text(book.card(), "Running", 10)
    book.reload(lambda: server.http.post("rucat/engines/etl/stop"))
    book.wait_until_loaded()
    begun = time.monotonic()
    book.wait_for_text(book.card(), "Stopp", 10)
    assert time.monotonic() - begun < 2
    assert book.errors == []


@pytest.mark.all
def test_after_a_kernel_restart_the_text_is_there(lab: Callable[..., LabNotebook], engine: str) -> None:
    """Immediately and after a reload: name, current status, how to attach; never the error of a widget."""
    book = lab("restarted", [CREATE, "%rucat list"])
    book.run(0)
    book.run(1)
    book.restart_kernel()
    book.wait_for_text(book.output(0), "etl · Running now", 10)
    assert "%rucat attach etl" in book.output(0).inner_text()
    assert book.card().count() == 0
    book.reload()
    book.wait_until_loaded()
    book.wait_for_text(book.output(0), "etl · Running now", 20)
    book.wait_for_text(book.output(1), "● etl", 20)
    book.wait_until_idle()
    shown = book.output(0).inner_text() + book.output(1).inner_text()
    assert "Error" not in shown
    assert "Loading" not in shown
    assert book.errors_but(*RESTARTED) == []


@pytest.mark.all
def test_it_works_from_the_keyboard(lab: Callable[..., LabNotebook], engine: str) -> None:
    """Enter and Space expand and collapse parts; a delete asks, names its target, and can be cancelled."""
    book = lab("keys", [CREATE])
    book.run(0)
    for name, key, words in (
        ("Logs", "Enter", "Hide logs"),
        ("History", "Space", "running"),
        ("Details", "Enter", "id"),
    ):
        button(book, name).focus()
        book.page.keyboard.press(key)
        book.wait_for_text(book.card(), words, 5)
    button(book, "Delete…").focus()
    book.page.keyboard.press("Enter")
    book.wait_for_text(book.card(), "Delete etl?", 5)
    assert book.axe(".rucat-card") == []
    button(book, "Keep it").click()
    book.wait_for_no_text(book.card(), "Delete etl?", 5)
    assert book.errors == []


@pytest.mark.all
def test_a_lost_gateway_is_shown_and_found_again(lab: Callable[..., LabNotebook], place: Place, engine: str) -> None:
    """After a stop the card says so until something starts a gateway; after a crash it starts again automatically."""
    book = lab("gateway", [CREATE, "%rucat history"])
    book.run(0)
    assert place.rucat("serve", "--stop").returncode == 0
    book.wait_for_text(book.card(), "has not responded since", 10)
    assert place.gateway_pid is None
    book.run(1)
    book.wait_for_no_text(book.card(), "has not responded since", 10)
    crashed = place.gateway_pid
    assert crashed is not None
    os.kill(crashed, signal.SIGKILL)
    wait_until("another gateway", lambda: place.gateway_pid not in (None, crashed), 30)
    book.wait_for_no_text(book.card(), "has not responded since", 10)
    assert book.errors == []

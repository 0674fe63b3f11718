"""A notebook that is renamed, moved and duplicated in JupyterLab: its session goes with it, a copy has its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lab import LabNotebook
from support.place import JupyterServer, Place, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.all]

CELLS = [
    "%load_ext rucat_jupyter\n%rucat create t1",
    "spark.range(3).createOrReplaceTempView('kept')",
    *2 * ["%load_ext rucat_jupyter\n%rucat attach t1", "print('has', [t.name for t in spark.catalog.listTables()])"],
]
HAS_IT, HAS_NONE = "has ['kept']", "has []"


@pytest.fixture
def engine(server: JupyterServer) -> Iterator[None]:
    """The notebook creates one."""
    yield
    server.delete_engines()


def menu_of(book: LabNotebook, name: str, item: str) -> None:
    """Choose from the menu of a file in the file browser."""
    files(book).get_by_text(name, exact=True).click(button="right")
    book.page.get_by_role("menuitem", name=item).click()


def files(book: LabNotebook) -> Any:
    """The list of the file browser, which is shown."""
    book.page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:activate').then(() => null)")
    return book.page.locator(".jp-DirListing-content")


def views(book: LabNotebook, attach: int = 2) -> str:
    """Attach in that cell, and say which views there are, in the next."""
    book.run(attach)
    return str(book.run(attach + 1).inner_text()).strip().splitlines()[-1]


@pytest.mark.usefixtures("engine")
def test_a_session_goes_where_its_notebook_goes(
    browser: Any, lab: Callable[..., LabNotebook], place: Place, server: JupyterServer, tmp_path: Path
) -> None:
    """By the menu of its tab, and by cut and paste in the file browser; a duplicate begins with nothing."""
    book = lab("first", CELLS)
    book.run(0, timeout_s=120)
    book.run(1)

    book.page.locator(".lm-TabBar-tab").filter(has_text="first.ipynb").click(button="right")
    book.page.get_by_role("menuitem", name="Rename Notebook").click()
    dialog = book.page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("second.ipynb")
    dialog.get_by_role("button", name="Rename").click()
    book.path = place.root / "second.ipynb"
    wait_until("the new name", book.path.exists, 10)
    book.restart_kernel()
    assert views(book) == HAS_IT

    menu_of(book, "second.ipynb", "Duplicate")
    wait_until("the copy", (place.root / "second-Copy1.ipynb").exists, 10)
    copy = LabNotebook(browser.new_page(), server, place.root / "second-Copy1.ipynb")
    assert views(copy) == HAS_NONE
    copy.page.close()

    (place.root / "sub").mkdir()
    wait_until("the folder", files(book).get_by_text("sub", exact=True).count, 20)
    menu_of(book, "second.ipynb", "Cut")
    files(book).get_by_text("sub", exact=True).dblclick()
    wait_until("an empty folder", lambda: files(book).get_by_text("second.ipynb", exact=True).count() == 0, 10)
    files(book).click(button="right", position={"x": 50, "y": 200})
    book.page.get_by_role("menuitem", name="Paste").click()
    moved = place.root / "sub" / "second.ipynb"
    wait_until("the moved notebook", moved.exists, 10)
    book.path = moved
    book.restart_kernel()
    assert views(book, 4) == HAS_IT
    book.page.screenshot(path=str(tmp_path / "moved.png"))
    sessions = {session["path"] for session in server.engine("t1")["sessions"]}
    assert sessions == {str(moved), str(place.root / "second-Copy1.ipynb")}
    assert book.errors == []

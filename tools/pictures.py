"""Takes the screenshots of the documents in a real JupyterLab in Chromium: ``python -m tools.pictures [NAME …]``.

It needs the development environment and a Chromium (``RUCAT_TEST_CHROMIUM``, or one on PATH). Everything runs in a
private folder and ends there; only the files in ``docs/images`` change.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from .private import private_folder
from .server import Server

if TYPE_CHECKING:
    from httpx import Client
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
DATA = ROOT / "notebooks" / "data"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
LAB_FLAGS = ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=", "--ServerApp.root_dir=."]
WIDTH, WIDE, HEIGHT, SCALE = 960, 1180, 1400, 2
COLOURS, MOST_BYTES = 128, 150_000
WAIT_S = 240.0

CELLS = (
    "%load_ext rucat_jupyter\n%rucat create etl --driver-memory 1g",
    "%%rucat sql\nCREATE OR REPLACE TEMP VIEW penguins USING csv\n"
    "OPTIONS (path 'data/penguins.csv', header true, inferSchema true, nullValue 'NA')",
    "%%rucat sql --arg species=Gentoo --limit 4 --out gentoo\n"
    "SELECT island, sex, body_mass_g, flipper_length_mm FROM penguins\n"
    "WHERE species = :species ORDER BY body_mass_g DESC",
    'spark.range(0, 10_000_000_000, 1, 200).selectExpr("sum(sqrt(id))").show()',
    'spark.sql("SELECT species, body_mass FROM penguins").show()',
    "%rucat create train --driver-memory 512m",
    'spark.range(10**9).selectExpr("collect_list(id) AS ids").selectExpr("size(ids)").show()',
)
CREATE, VIEW, SQL, QUERY, ERROR, TRAIN, TOO_MUCH = range(len(CELLS))

RUN = """i => {const p = window.jupyterapp.shell.currentWidget.content; p.activeCellIndex = i; p.deselectAll();
  window.jupyterapp.commands.execute('notebook:run-cell');}"""
COUNT = "i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.executionCount"
STATUS = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
INTERRUPT = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()"
CALM = """() => {window.jupyterapp.shell.collapseLeft(); const e = document.activeElement; if (e) e.blur();
  window.jupyterapp.shell.currentWidget.content.deselectAll();}"""
COMMAND = "([id, args]) => window.jupyterapp.commands.execute(id, args).then(() => null)"
OPEN_DIALOG = "() => {window.jupyterapp.commands.execute('rucat:create');}"
STYLE = """.Toastify, .jp-Cell .jp-Collapser, .jp-cell-toolbar, .jp-OutputArea-promptOverlay {display: none !important}
.jp-Notebook .jp-Cell {padding: 6px 10px 6px 4px !important; border: none !important}"""


class Book:
    """One notebook in one page."""

    def __init__(self, page: Page, client: Client) -> None:
        self.page, self.client = page, client

    def start(self, index: int) -> None:
        """Start a cell."""
        self.page.evaluate(RUN, index)

    def run(self, index: int) -> None:
        """Run a cell to its end."""
        before = self.page.evaluate(COUNT, index)
        self.start(index)
        _wait(f"the end of cell {index}", lambda: self.page.evaluate(COUNT, index) not in (None, before))

    def cell(self, index: int) -> Locator:
        """A cell with its outputs."""
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def wait_for(self, index: int, words: str) -> None:
        """Wait until the words are in a cell."""
        _wait(f"{words!r} in cell {index}", lambda: words in self.cell(index).inner_text())

    def take(self, name: str, index: int, width: int = WIDTH) -> None:
        """Take a screenshot of a cell."""
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.page.evaluate(CALM)
        self.page.mouse.move(0, 0)
        self.cell(index).scroll_into_view_if_needed()
        _write(name, self.cell(index).screenshot(animations="disabled"))


def running(book: Book) -> None:
    """The card of an engine that runs."""
    book.wait_for(CREATE, "Running")
    book.take("running", CREATE)


def sql(book: Book) -> None:
    """A table of SQL."""
    book.run(VIEW)
    book.run(SQL)
    book.take("sql", SQL)


def progress(book: Book) -> None:
    """The bar below a cell that runs, and the operation on the card."""
    book.start(QUERY)
    book.wait_for(QUERY, "stage")
    _wait("some progress", lambda: any(f"{percent} %" in book.cell(QUERY).inner_text() for percent in range(30, 70)))
    book.take("progress", QUERY)
    book.page.evaluate(INTERRUPT)
    _wait("the end of the query", lambda: book.page.evaluate(STATUS) == "idle")


def error(book: Book) -> None:
    """A wrong query's error."""
    book.run(ERROR)
    book.take("error", ERROR, WIDE)  # so that no line is broken


def failed(book: Book) -> None:
    """The card of an engine that ran out of memory, with the remedy."""
    book.run(TRAIN)
    book.wait_for(TRAIN, "Running")
    book.run(TOO_MUCH)
    book.wait_for(TRAIN, "OutOfMemory")
    book.take("failed", TRAIN)


def panel(book: Book) -> None:
    """The side panel beside the notebook: an engine that runs, one that stopped, and the details of the first."""
    client = book.client
    client.post("rucat/engines", json={"name": "nightly", "driver": {"memory": "512m"}})
    _wait("an engine", lambda: client.get("rucat/engines/nightly").json()["status"] != "Pending")
    client.post("rucat/engines/nightly/stop")
    _wait("its stop", lambda: client.get("rucat/engines/nightly").json()["status"] == "Stopped")
    book.page.set_viewport_size({"width": WIDTH, "height": 900})
    book.page.evaluate(COMMAND, ["rucat:open-panel", {"engine": "etl"}])
    _wait("the panel", lambda: "Stopped" in book.page.locator(".jp-Rucat-panel").inner_text())
    book.page.mouse.move(0, 0)
    _write("panel", book.page.screenshot(animations="disabled"))
    book.page.evaluate(CALM)


def create(book: Book) -> None:
    """The dialog that creates an engine."""
    book.page.set_viewport_size({"width": WIDTH, "height": 900})
    book.page.evaluate(OPEN_DIALOG)
    dialog = book.page.locator(".jp-Rucat-createDialog .jp-Dialog-content")
    dialog.get_by_label("Driver memory", exact=True).fill("2g")
    _wait("the plan", lambda: " GB of " in dialog.locator(".jp-Rucat-createPlanLine").inner_text())
    _write("create", dialog.screenshot(animations="disabled"))
    book.page.keyboard.press("Escape")


PICTURES: dict[str, Callable[[Book], None]] = {
    f.__name__: f for f in (running, sql, progress, error, failed, panel, create)
}


def main(names: Sequence[str]) -> int:
    """Take the screenshots with these names, by default all."""
    if unknown := set(names) - set(PICTURES):
        print(f"no such picture: {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}", file=sys.stderr)
        return 2
    with private_folder("rucat-pictures-") as folder, _book(folder) as book:
        book.run(CREATE)
        if "error" in names and "sql" not in names:
            book.run(VIEW)
        for name, take in PICTURES.items():
            if not names or name in names:
                take(book)
    return 0


@contextmanager
def _book(folder: Path) -> Iterator[Book]:
    """Open the notebook in a browser."""
    from playwright.sync_api import sync_playwright  # heavy to load

    shutil.copytree(DATA, folder / "notebooks" / "data")
    (folder / "notebooks" / "pictures.ipynb").write_text(json.dumps(_notebook()))
    with Server(folder / "notebooks", LAB_FLAGS) as client, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_browser(), args=BROWSER_FLAGS)
        try:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE)
            token = client.headers["Authorization"].removeprefix("token ")
            page.goto(f"{client.base_url}lab/tree/pictures.ipynb?token={token}")
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=WAIT_S * 1000)
            _wait("an idle kernel", lambda: page.evaluate(STATUS) == "idle")
            page.evaluate(CALM)
            page.add_style_tag(content=STYLE)
            yield Book(page, client)
        finally:
            browser.close()
            for session in client.get("api/sessions").json():
                client.delete(f"api/sessions/{session['id']}")


def _notebook() -> dict[str, object]:
    blank: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**blank, "id": f"c{n}", "source": source} for n, source in enumerate(CELLS)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _browser() -> str:
    asked = os.environ.get("RUCAT_TEST_CHROMIUM")
    found = asked or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit("no Chromium: set RUCAT_TEST_CHROMIUM, or put chromium on PATH")
    return found


def _wait(what: str, look: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {WAIT_S:.0f} s")
        time.sleep(0.1)


def _write(name: str, png: bytes) -> None:
    """Write a picture with few colours, which needs a third of the bytes."""
    from PIL import Image  # heavy to load

    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    with Image.open(BytesIO(png)) as image:
        image.convert("RGB").quantize(COLOURS).save(path, optimize=True)
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}  {image.width}×{image.height}  {size / 1000:.0f} kB", flush=True)
    if size > MOST_BYTES:
        raise ValueError(f"{path.name} has {size} bytes; at most {MOST_BYTES}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

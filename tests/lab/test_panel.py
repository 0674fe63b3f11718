"""The side panel in JupyterLab: whole lives of engines by mouse and by keyboard, and never wrong about the state."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.lab import LabNotebook, write_notebook
from support.place import JupyterServer, Place, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.engine]

OPEN = "() => window.jupyterapp.commands.execute('rucat:open-panel').then(() => null)"
HAS = "() => window.jupyterapp.commands.hasCommand('rucat:open-panel')"
ATTACH = "engine => void window.jupyterapp.commands.execute('rucat:attach', {engine})"
QUERY = "spark.range(10**13).selectExpr('sum(id % 7)').collect()"
UNREACHABLE = {"platform": "external", "external": {"url": "sc://127.0.0.1:9"}}  # discard: nothing listens
MARKUP = "<img src=x onerror=window.hacked=1>"
LOST = ("Failed to load resource", "WebSocket connection", "ERR_CONNECTION", "Canceled future", "Kernel is dead")
"""In what the browser and JupyterLab itself say of a server that is away.

The last, seen once, is by all signs its debugger's, which asks a kernel that has ended with its server and awaits
nothing (`updateWidget` on `kernelChanged`). Rucat's one question there is in a try
(labextension/src/notebook/kernel.ts).
"""
SOON_S = 2.0
MANY = 500
OPENS_S = 1.0
FRAME_S = 0.1
NARROW = 400
TIMED_OPEN = """async () => {
  const begun = performance.now();
  window.jupyterapp.commands.execute('rucat:open-panel');
  while (document.querySelectorAll('.jp-Rucat-panel .jp-Rucat-row').length < 5)
    await new Promise(requestAnimationFrame);
  return (performance.now() - begun) / 1000;
}"""
SCROLLED = """async () => {
  const list = document.querySelector('.jp-Rucat-scroller'), frames = [];
  let last = await new Promise(requestAnimationFrame);
  for (let round = 0; round < 120; round++) {
    list.scrollTop = round % 2 ? round * 250 : round * 200;
    const now = await new Promise(requestAnimationFrame);
    frames.push((now - last) / 1000);
    last = now;
  }
  return frames.sort((one, other) => other - one);
}"""
WATCH_SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver(list => list.getEntries().flatMap(entry => entry.sources).forEach(source => {
    const element = source.node instanceof Element ? source.node : source.node?.parentElement;
    const [from, to] = [source.previousRect, source.currentRect];
    const grows = from.top === to.top && (from.left === to.left || from.right === to.right);  // it has another text
    if (element?.closest('.jp-Rucat-panel') && !grows)
      window.shifts.push([element.outerHTML.slice(0, 160), from.toJSON(), to.toJSON()]);
  })).observe({type: 'layout-shift'});
}"""
"""The browser's own account of what moved without a hand: the layout shifts of Web Vitals."""


class Panel:
    """The panel of one page."""

    def __init__(self, book: LabNotebook) -> None:
        self.book, self.page = book, book.page
        wait_until("the extension", lambda: self.page.evaluate(HAS), 30)
        self.root = self.page.locator(".jp-Rucat-panel")
        self.page.evaluate(OPEN)
        wait_until("the panel", lambda: self.root.count() == 1 and "Loading" not in self.root.inner_text(), 30)

    def resize(self, width: int) -> None:
        """Drag the panel's edge until it is so wide."""
        edge = self.root.bounding_box()
        assert edge
        x, y = edge["x"] + edge["width"] + 1, edge["y"] + edge["height"] - 50
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(edge["x"] + width + 1, y, steps=5)
        self.page.mouse.up()
        wait_until("the width", lambda: abs(self.root.bounding_box()["width"] - width) < 5, 5)

    def row(self, name: str) -> Any:
        """The row of an engine."""
        named = self.page.locator(".jp-Rucat-name").get_by_text(name, exact=True)
        return self.root.locator(".jp-Rucat-row").filter(has=named)

    def status(self, name: str) -> str:
        """The word of a row; empty without one."""
        words = self.row(name).locator(".jp-Rucat-status").all_inner_texts()
        return words[0] if words else ""

    def wait_for(self, name: str, status: str, deadline_s: float) -> None:
        """The row says so."""
        wait_until(f"{name} {status}", lambda: self.status(name) == status, deadline_s, pause_s=0.02)

    def press(self, name: str, button: str) -> None:
        """Click the button of a row."""
        self.row(name).get_by_role("button", name=button, exact=True).click()

    def dialog(self, name: str) -> Any:
        """A dialog."""
        return self.page.get_by_role("dialog").filter(has_text=name)


@pytest.fixture
def panel(lab: Callable[..., LabNotebook], server: JupyterServer) -> Any:
    """Opens a page with a notebook and the panel; the engines of the test are gone after it."""
    wait_until("the gateway", lambda: server.http.get("rucat/engines").status_code == 200, 60)
    pages = []

    def open_panel(name: str, cells: Sequence[str] = (), **kw: Any) -> Panel:
        book = lab(name, cells or [""], **kw)
        pages.append(book.page)
        return Panel(book)

    yield open_panel
    for page in pages:  # else each would read and show what goes, again and again
        page.close()
    server.delete_engines()


def test_a_life_by_mouse(panel: Callable[..., Panel], place: Place, server: JupyterServer) -> None:
    """Create (a wrong form first), attach, cancel while the kernel is busy, see why it crashed, delete."""
    seen = panel("mouse", ["", QUERY, "spark.range(3).count()"])
    assert "No engines yet" in seen.root.inner_text()
    seen.root.get_by_role("button", name="Create engine").click()
    dialog = seen.dialog("Create an engine")
    dialog.get_by_label("Driver memory", exact=True).fill("lots")
    dialog.get_by_label("Name", exact=True).fill("etl")
    dialog.get_by_role("button", name="Create", exact=True).click()
    wrong = dialog.locator("[data-path='driver.memory'] .jp-Rucat-createError")
    wait_until("the error at its field", lambda: "4g" in wrong.inner_text(), 10)
    dialog.get_by_label("Driver memory", exact=True).fill("1g")
    dialog.get_by_role("button", name="Create", exact=True).click()
    seen.wait_for("etl", "Pending", 10)
    seen.wait_for("etl", "Running", 90)

    seen.press("etl", "Attach")
    item = seen.page.locator(".jp-Rucat-toolbarButton")
    wait_until("the toolbar's word", lambda: "Running" in item.inner_text(), 60)
    assert "etl" in item.inner_text()
    queries = len(seen.page.locator(".jp-Notebook .jp-Cell").all()) - 2
    seen.book.start(queries)
    seen.row("etl").locator(".jp-Rucat-head").click()
    cancel = seen.row("etl").locator(".jp-Rucat-operation").get_by_role("button")
    wait_until("tasks", lambda: "tasks" in seen.row("etl").inner_text(), 60)  # it has a job: Spark may lose it before
    assert "mouse.ipynb" in seen.row("etl").inner_text()
    begun = time.monotonic()
    cancel.click()
    wait_until("the end of the cell", lambda: not seen.book.is_running(queries), 10, pause_s=0.02)
    assert time.monotonic() - begun < SOON_S
    assert seen.book.run(queries + 1).inner_text().strip().endswith("3")

    engine = server.engine("etl")
    os.kill(place.engine_process(engine["id"]).pid, signal.SIGKILL)
    seen.wait_for("etl", "Failed", 2 * SOON_S)  # two for the gateway (F10), two for the page
    failure = server.engine("etl")["failure"]
    assert failure["reason"] in seen.row("etl").inner_text()
    assert failure["hint"] in seen.row("etl").inner_text()
    seen.press("etl", "Start")
    seen.wait_for("etl", "Running", 90)

    seen.row("etl").get_by_role("button", name="More about etl").click()
    seen.page.get_by_role("menuitem", name="Delete…").click()
    asked = seen.dialog("Delete etl?")
    assert "history stays for 30 days" in asked.inner_text()
    asked.get_by_role("button", name="Delete etl").click()
    wait_until("no row", lambda: seen.row("etl").count() == 0, 30)
    assert seen.book.errors == []


@pytest.mark.all
def test_a_life_by_keyboard(panel: Callable[..., Panel], server: JupyterServer) -> None:
    """Create, open the details, attach, and delete without the mouse; Escape gives up and gives the focus back."""
    seen = panel("keys")
    keyboard = seen.page.keyboard
    seen.root.get_by_role("button", name="Create engine").focus()
    keyboard.press("Enter")
    name = seen.dialog("Create an engine").get_by_label("Name", exact=True)
    name.wait_for()
    name.focus()
    keyboard.type("keys")
    keyboard.press("Enter")
    seen.wait_for("keys", "Running", 90)
    head = seen.row("keys").locator(".jp-Rucat-head")
    head.focus()
    keyboard.press("Space")
    wait_until("the details", lambda: head.get_attribute("aria-expanded") == "true", 5)
    keyboard.press("ArrowLeft")
    wait_until("no details", lambda: head.get_attribute("aria-expanded") == "false", 5)
    keyboard.press("Enter")
    item = seen.page.locator(".jp-Rucat-toolbarButton")
    wait_until("the toolbar's word", lambda: "Running" in item.inner_text(), 60)
    head.focus()
    keyboard.press("Delete")
    seen.dialog("Delete keys?").wait_for()
    keyboard.press("Escape")
    wait_until("no dialog", lambda: seen.dialog("Delete keys?").count() == 0, 5)
    assert server.engine("keys")["target"] == "Running"
    head.focus()
    keyboard.press("Delete")
    seen.dialog("Delete keys?").get_by_role("button", name="Delete keys").focus()
    keyboard.press("Enter")
    wait_until("no row", lambda: seen.row("keys").count() == 0, 30)
    assert seen.book.errors == []


def test_changes_by_others_show_within_seconds_in_every_page(
    panel: Callable[..., Panel], server: JupyterServer
) -> None:
    """An engine that is made and deleted by REST shows in two pages within two seconds."""
    pages = [panel("one"), panel("two")]
    server.create(name="far", **UNREACHABLE)
    for seen in pages:
        seen.wait_for("far", "Pending", SOON_S)
    server.http.delete("rucat/engines/far")
    for seen in pages:
        wait_until("no row", lambda: seen.row("far").count() == 0, SOON_S, pause_s=0.02)  # noqa: B023
        assert seen.book.errors == []


@pytest.mark.all
def test_a_kernel_of_another_language_is_rejected(
    panel: Callable[..., Panel], place: Place, server: JupyterServer
) -> None:
    """An engine is not attached to a notebook in R: a notification says why, and the notebook stays as it is."""
    folder = Path(place.env["JUPYTER_DATA_DIR"]) / "kernels" / "other"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Other", "language": "R"}))
    server.create(name="far", **UNREACHABLE)
    seen = panel("other", kernel={"name": "other", "display_name": "Other", "language": "R"})
    seen.wait_for("far", "Pending", 10)
    seen.page.evaluate(ATTACH, "far")  # what the panel, the menu and the palette do
    toast = seen.page.locator(".jp-toast-message, .Toastify__toast")
    seen.book.wait_for_text(
        toast, "Engines attach to Python notebooks only; the kernel of this notebook is Other (R).", 10
    )
    assert seen.page.locator(".jp-Notebook .jp-Cell").count() == 1
    assert seen.book.errors == []


def test_a_lost_server_shows_as_lost_and_comes_back_by_itself(
    lab: Callable[..., LabNotebook], place: Place, server: JupyterServer, browser: Any
) -> None:
    """Right again within five seconds, without a reload, and with what was changed meanwhile; so for the gateway."""
    own = place.jupyter(**{"LabApp.expose_app_in_browser": "True", "LabApp.news_url": ""})
    path = place.root / "lost.ipynb"
    write_notebook(path, [""])
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        seen = Panel(LabNotebook(page, own, path))
        own.create(name="kept", **UNREACHABLE)
        seen.wait_for("kept", "Pending", SOON_S)
        own.kill()
        wait_until("offline", lambda: "has not responded since" in seen.root.inner_text(), 30)
        server.create(name="meanwhile", **UNREACHABLE)
        own.start_again()
        seen.wait_for("meanwhile", "Pending", 5)
        assert "has not responded" not in seen.root.inner_text()
        pid = place.gateway_pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until("another gateway", lambda: place.gateway_pid not in (None, pid), 30)
        server.http.delete("rucat/engines/kept")
        wait_until("no row", lambda: seen.row("kept").count() == 0, 5)
        assert seen.book.errors_but(*LOST) == []
    finally:
        page.close()
        for session in own.http.get("api/sessions").json():
            own.http.delete(f"api/sessions/{session['id']}")
        server.http.delete("rucat/engines/kept")
        server.http.delete("rucat/engines/meanwhile")


@pytest.mark.all
def test_five_hundred_engines_are_no_burden(
    panel: Callable[..., Panel], lab: Callable[..., LabNotebook], server: JupyterServer
) -> None:
    """Open in a second, few rows in the page, all reached by the keyboard, no slow frame, no question but each 5 s."""
    for number in range(MANY):
        server.create(name=f"many-{number:03}", **UNREACHABLE)
    for attempt in range(3):  # other tests may take the machine meanwhile
        book = lab(f"many-{attempt}", [""])
        wait_until("the extension", lambda: book.page.evaluate(HAS), 30)  # noqa: B023  # within the round
        if (took_s := book.page.evaluate(TIMED_OPEN)) < OPENS_S:
            break
        book.page.close()
    assert took_s < OPENS_S
    seen = Panel(book)
    wait_until("the number", lambda: f"({MANY})" in seen.root.inner_text(), 30)
    asked: list[float] = []
    seen.page.on("request", lambda request: "/rucat/" in request.url and asked.append(time.monotonic()))
    begun = time.monotonic()
    rows = seen.root.locator(".jp-Rucat-row")
    assert 5 < rows.count() < 60
    seen.root.locator(".jp-Rucat-head").first.focus()
    seen.page.keyboard.press("End")
    wait_until("the last row", lambda: seen.root.locator(f".jp-Rucat-row[aria-posinset='{MANY}']").count(), 5)
    assert rows.count() < 60
    wait_until("a while", lambda: time.monotonic() - begun > 21, 30, pause_s=1)
    assert len(asked) <= 21 / 5
    wait_until("no slow frame", lambda: seen.page.evaluate(SCROLLED)[0] < FRAME_S, 30)
    assert seen.book.errors == []
    seen.page.close()


@pytest.mark.all
def test_nothing_moves_while_an_engine_starts_and_stops(panel: Callable[..., Panel], server: JupyterServer) -> None:
    """Not a pixel, with the pointer on the list, of what the browser tells as a layout shift."""
    for name in ("a-first", "z-last"):
        server.create(name=name, **UNREACHABLE)
    seen = panel("still")
    server.create(name="middle", driver={"memory": "1g"})
    seen.wait_for("middle", "Pending", SOON_S)
    seen.row("middle").locator(".jp-Rucat-head").hover()
    seen.page.evaluate(WATCH_SHIFTS)
    seen.wait_for("middle", "Running", 90)
    server.http.post("rucat/engines/middle/stop")
    seen.wait_for("middle", "Stopped", 60)
    assert seen.page.evaluate("() => window.shifts") == []


@pytest.mark.all
def test_looks_in_both_themes_and_narrow(panel: Callable[..., Panel], server: JupyterServer, tmp_path: Path) -> None:
    """Axe finds nothing serious, nothing is cut, and what comes from outside is text."""
    conf = {"spark.sql.warehouse.dir": MARKUP, "spark.app.name": f"{MARKUP} \u202e\x1b[31m"}
    server.create(name="wrong", conf=conf)
    server.create(name="far away", **UNREACHABLE)
    seen = panel("looks", width=NARROW)
    seen.page.set_viewport_size({"width": 1280, "height": 800})
    seen.row("wrong").locator(".jp-Rucat-head").click()
    wait_until("the conf", lambda: MARKUP in seen.row("wrong").inner_text(), 20)
    for page, width in ((1280, 0), (1280, NARROW), (NARROW, 0)):
        seen.page.set_viewport_size({"width": page, "height": 800})
        if width:
            seen.resize(width)
        for dark in (True, False):
            seen.book.theme(dark=dark)
            wait_until("all laid out", lambda: not seen.book.cut(".jp-Rucat-panel"), 5)
            assert seen.book.axe(".jp-Rucat-panel") == []
            seen.page.screenshot(path=str(tmp_path / f"{page}-{width}-{'dark' if dark else 'light'}.png"))
    seen.page.set_viewport_size({"width": 1280, "height": 800})
    seen.wait_for("wrong", "Running", 60)
    seen.press("wrong", "Attach")
    front = seen.root.locator(".jp-Rucat-front")
    wait_until("the notebook's engine", lambda: "wrong" in front.inner_text(), 60)
    for width in (250, NARROW):
        seen.resize(width)
        wait_until("all laid out", lambda: not seen.book.cut(".jp-Rucat-panel"), 5)
    seen.root.get_by_role("button", name="Create an engine").click()
    seen.dialog("Create an engine").get_by_label("Name", exact=True).wait_for()
    for dark in (True, False):
        seen.book.theme(dark=dark)
        assert seen.book.axe(".jp-Rucat-createDialog") == []
    seen.page.keyboard.press("Escape")
    assert seen.page.evaluate("() => window.hacked") is None
    assert seen.book.errors == []

"""JupyterLab in a real browser: a notebook that is opened, run, reloaded, looked at and checked with axe."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .place import JupyterServer, wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY_S = 60.0
OWN = """const p = [...window.jupyterapp?.shell.widgets('main') ?? []]
  .find(w => w.context?.path.split('/').pop() === '{name}');"""
"""Not the shell's current widget: which that is depends on where the focus went while the page was laid out."""
STATUS = "p?.sessionContext?.session?.kernel?.status"
RUN = """const c = p.content; c.activeCellIndex = i; c.deselectAll();
  window.jupyterapp.shell.activateById(p.id); window.jupyterapp.commands.execute('notebook:run-cell');"""
COUNT = "p.content.widgets[i].model.executionCount"
RESTART = "p.sessionContext.session.kernel.restart()"
SAVE = "p.context.save()"
STATE = """({
  notebook: p?.id, ready: p?.sessionContext?.isReady, session: p?.sessionContext?.session?.model,
  status: p?.sessionContext?.session?.kernel?.status, connection: p?.sessionContext?.session?.kernel?.connectionStatus,
  current: window.jupyterapp?.shell.currentWidget?.id, dialog: document.querySelector('.jp-Dialog')?.innerText,
  main: [...window.jupyterapp?.shell.widgets('main') ?? []].map(w => [w.id, w.title.label, w.context?.path]),
})"""
DARK = "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
LIGHT = "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})"
SERIOUS = ("serious", "critical")
RESTARTED = ("widget model not found", "Canceled future for create_subshell_request")
"""In what ipywidgets (of an output of the kernel before) and JupyterLab itself say when a kernel is restarted."""


def find_browser() -> str | None:
    """A Chromium: ``RUCAT_TEST_CHROMIUM``, or the first on PATH."""
    asked = os.environ.get("RUCAT_TEST_CHROMIUM")
    return asked or next((found for name in NAMES if (found := shutil.which(name))), None)


def write_notebook(path: Path, cells: Sequence[str], kernel: dict[str, str] | None = None) -> None:
    """A notebook of code cells."""
    kernel = kernel or {"name": "python3", "display_name": "Python 3", "language": "python"}
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    made = [{**blank, "id": f"c{i}", "source": source} for i, source in enumerate(cells)]
    body = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(body))


class LabNotebook:
    """One notebook in one page of the browser."""

    def __init__(self, page: Any, server: JupyterServer, path: Path) -> None:
        self.page, self.path, self._server = page, path, server
        self.errors: list[str] = []
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        own = f"lab/workspaces/{path.stem}/tree/{path.name}"  # else the notebooks of other pages are opened too
        url = f"http://127.0.0.1:{server.port}{server.base_url}{own}?token={server.token}"
        self._open(lambda: page.goto(url))

    def reload(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Save, leave the page, and load it again; return as soon as it loads."""
        self._ask(SAVE)
        meanwhile()
        self.page.reload(wait_until="commit")

    def wait_until_loaded(self) -> None:
        """The notebook is shown, and its kernel is there."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=READY_S * 1000)

    def wait_until_idle(self) -> None:
        """Nothing runs."""
        try:
            wait_until("an idle kernel", lambda: self._ask(STATUS) == "idle", READY_S)
        except AssertionError as error:
            log = self._server.log.read_text(errors="replace")[-2000:]
            raise AssertionError(f"{error}; {self._ask(STATE)}; console: {self.errors}; server: {log}") from None

    def start(self, index: int) -> None:
        """Begin to run a cell."""
        self._do(RUN, index)

    def run(self, index: int, *, timeout_s: float = READY_S) -> Any:
        """Run a cell to its end; returns its outputs."""
        before = self._ask(COUNT, index)
        self.start(index)
        begun = lambda: self._ask(COUNT, index) not in (None, before)  # noqa: E731
        done = lambda: begun() and not self.is_running(index)  # noqa: E731
        wait_until(f"the end of cell {index}", done, timeout_s)
        return self.output(index)

    def is_running(self, index: int) -> bool:
        """Whether a cell runs or waits for its turn."""
        return "[*]" in str(self.cell(index).locator(".jp-InputPrompt").inner_text())

    def cell(self, index: int) -> Any:
        """A cell."""
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def output(self, index: int) -> Any:
        """A cell's outputs."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def card(self, index: int = 0) -> Any:
        """The visible card of a cell."""
        return self.output(index).locator(".rucat-card:visible")

    def wait_for_text(self, locator: Any, words: str, deadline_s: float) -> None:
        """The words are shown there."""
        shown = lambda: locator.count() and words in " ".join(locator.all_inner_texts())  # noqa: E731
        try:
            wait_until(f"{words!r}", shown, deadline_s, pause_s=0.02)
        except AssertionError as error:
            outputs = self.page.locator(".jp-Cell-outputArea").all_inner_texts()
            raise AssertionError(f"{error}; outputs: {outputs}; console: {self.errors}") from None

    def wait_for_no_text(self, locator: Any, words: str, deadline_s: float) -> None:
        """The words are not shown there (any more)."""
        wait_until(f"no {words!r}", lambda: words not in " ".join(locator.all_inner_texts()), deadline_s)

    def restart_kernel(self) -> None:
        """Restart the kernel, as the menu does."""
        self._ask(RESTART)
        self.wait_until_idle()

    def errors_but(self, *known: str) -> list[str]:
        """The console's errors without those that have one of these words."""
        return [error for error in self.errors if not any(words in error for words in known)]

    def theme(self, *, dark: bool) -> None:
        """Switch the theme."""
        self.page.evaluate(DARK if dark else LIGHT)
        wanted = "false" if dark else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{wanted}']", state="attached", timeout=READY_S * 1000)

    def axe(self, selector: str) -> list[str]:
        """What axe-core finds serious below the selector."""
        if not self.page.evaluate("() => Boolean(window.axe)"):
            import axe_playwright_python

            script = Path(next(iter(axe_playwright_python.__path__))) / "axe.min.js"
            self.page.evaluate(script.read_text(encoding="utf-8"))
        found = self.page.evaluate("s => axe.run(s)", selector)
        return [
            f"{v['id']} ({v['impact']}): {v['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for v in found["violations"]
            if v["impact"] in SERIOUS
            for node in v["nodes"]
        ]

    def cut(self, selector: str) -> list[str]:
        """Elements below the selector that are wider than the room that they have, or stick out of it.

        In the panel, whose rows have one height, what ends in an ellipsis and tells the whole when it is pointed at is
        none.
        """
        found: list[str] = self.page.evaluate(CUT, selector)
        return found

    def _do(self, code: str, index: int | None = None) -> Any:
        """Run JavaScript in which ``p`` is this notebook's panel, and ``i`` a cell's index."""
        own = OWN.replace("{name}", self.path.name)
        return self.page.evaluate("i => {" + own + code + "}", index)

    def _ask(self, expression: str, index: int | None = None) -> Any:
        """What a JavaScript expression gives; see `_do`."""
        return self._do(f"return {expression};", index)

    def _open(self, go: Any) -> None:
        go()
        self.wait_until_loaded()
        self.wait_until_idle()
        self._do("window.jupyterapp.shell.activateById(p.id)")  # a launcher may have come after it, and be in front
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")  # on a narrow page it leaves no room


CUT = """selector => [...document.querySelectorAll(selector)].flatMap(root => {
  const edge = root.getBoundingClientRect().right + 1;
  return [...root.querySelectorAll('*')].filter(e => e.offsetParent && !e.closest('.rucat-log, .rucat-scroll, select'))
    .filter(e => e.getBoundingClientRect().right > edge
      || (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).overflowX !== 'visible'
        && !(getComputedStyle(e).textOverflow === 'ellipsis' && e.title && e.closest('.jp-Rucat-panel'))))
    .map(e => e.outerHTML.slice(0, 160));
})"""


@contextmanager
def chromium(executable: str) -> Iterator[Any]:
    """A headless browser that is ended, also when the test fails."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()

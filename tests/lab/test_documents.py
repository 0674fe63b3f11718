"""Log, history and Spark UI of a real engine in tabs of JupyterLab, under a base URL as JupyterHub gives one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.lab import RESTARTED, LabNotebook
from support.place import JupyterServer, Place, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.engine]

RUN = "([command, args]) => window.jupyterapp.commands.execute(command, args).then(() => null)"
HAS = "() => window.jupyterapp.commands.hasCommand('rucat:logs')"
IN_SPARKS_PAGE = """async () => {
  const tried = async act => { try { await act(); return 'done'; } catch (error) { return 'refused'; } };
  return [
    self.origin,
    await tried(() => parent.document.title),
    await tried(() => document.cookie),
    await tried(() => fetch('/user/x/api/contents')),
    await tried(() => fetch('/user/x/api/kernels', {method: 'POST', mode: 'no-cors', body: '{}'})),
  ];
}"""


@pytest.fixture(scope="module")
def server(browser: Any, place: Place) -> Iterator[JupyterServer]:
    """A Jupyter server as JupyterHub starts it."""
    found = place.jupyter("/user/x/", **{"LabApp.expose_app_in_browser": "True", "LabApp.news_url": ""})
    yield found
    found.delete_engines()


@pytest.fixture(scope="module")
def engine(server: JupyterServer) -> dict[str, Any]:
    """An engine that runs."""
    server.create(name="etl")
    return server.wait_for("etl", "Running")


@pytest.fixture
def book(lab: Callable[..., LabNotebook]) -> Iterator[LabNotebook]:
    """A page of JupyterLab with the extension; nothing of it may fail on the console."""
    found = lab("documents", ["%load_ext rucat_jupyter\n%rucat attach etl"])
    wait_until("the extension", lambda: found.page.evaluate(HAS), 20)
    yield found
    found.page.evaluate("() => window.jupyterapp.shell.closeAll?.()")


def show(book: LabNotebook, command: str, engine: dict[str, Any]) -> None:
    """Open a document of the engine."""
    book.page.evaluate(RUN, [f"rucat:{command}", {"engine": engine["id"], "name": engine["name"]}])


def said(book: LabNotebook, kind: str) -> str:
    """What the bar of a document tells."""
    return str(book.page.locator(f".jp-Rucat-{kind} .jp-Rucat-doc-status").inner_text())


def log_file(place: Place, engine: dict[str, Any], run: int = 1) -> Path:
    """The file that the engine writes its log to."""
    return place.data_dir / "runs" / f"rucat-{engine['id']}-{run}" / "log" / "engine.log"


def lines(book: LabNotebook) -> list[str]:
    """The lines that are drawn."""
    return list(book.page.locator(".jp-Rucat-log-rows > *").all_text_contents())


def of_run(book: LabNotebook, run: int) -> list[str]:
    """Those of them that are below the line with which the last run begins; all, where it has been scrolled away."""
    drawn = lines(book)
    begins = [at for at, line in enumerate(drawn) if line.startswith(f"Run {run}, seen at")]
    return drawn[begins[-1] :] if begins else drawn


def test_a_log_is_followed_and_hostile_lines_are_text(book: LabNotebook, place: Place, engine: dict[str, Any]) -> None:
    """What is there and what comes; escapes and marks of direction do nothing; Ctrl+F searches in it."""
    show(book, "logs", engine)
    wait_until("the log", lambda: any("Spark Connect server started" in line for line in lines(book)), 20)
    with log_file(place, engine).open("a", encoding="utf-8") as log:
        log.write("\x1b[31mred\x1b[0m <img src=x onerror=window.hacked=1> safe\u202egnp.exe needle\n")
    wanted = "red <img src=x onerror=window.hacked=1> safe\ufffdgnp.exe needle"
    wait_until("the new line", lambda: lines(book)[-1:] == [wanted], 10)
    assert book.page.evaluate("() => window.hacked") is None
    assert said(book, "logs") == "Live"
    book.page.locator(".jp-Rucat-log").focus()
    book.page.keyboard.press("Control+f")
    book.page.keyboard.type("NEEDLE")
    wait_until("a mark", lambda: book.page.locator(".jp-Rucat-log mark").all_inner_texts() == ["needle"], 5)
    assert book.page.locator(".jp-Rucat-doc-count").inner_text() == "1 of 1"
    for dark in (True, False):
        book.theme(dark=dark)
        assert book.axe(".jp-Rucat-doc") == []
    assert book.errors == []


@pytest.mark.all
def test_100_mb_of_log_stay_within_5_mb(book: LabNotebook, place: Place, engine: dict[str, Any]) -> None:
    """Of the page's heap, while all of it is read; few lines are drawn, and the last one is."""
    show(book, "logs", engine)
    wait_until("the log", lambda: len(lines(book)) > 5, 20)
    session = book.page.context.new_cdp_session(book.page)
    session.send("Performance.enable")
    before = _heap_bytes(session)
    for block in range(20):
        numbers = range(block * 10_000, (block + 1) * 10_000)
        with log_file(place, engine).open("a", encoding="utf-8") as log:
            log.writelines(f"INFO TaskSetManager: task {n:>7} {'y' * 467}\n" for n in numbers)
        last = f"task {numbers[-1]:>7}"
        wait_until(last, lambda: any(last in line for line in lines(book)[-1:]), 60)  # noqa: B023
    assert _heap_bytes(session) - before < 5_000_000
    assert len(lines(book)) < 200
    assert book.errors == []


def test_the_spark_ui_has_not_jupyters_origin(book: LabNotebook, server: JupyterServer, engine: dict[str, Any]) -> None:
    """Its pages work, their scripts reach nothing of Jupyter, and without a cookie their addresses are 403."""
    show(book, "spark-ui", engine)
    frame = book.page.locator(".jp-Rucat-ui-frame").element_handle().content_frame()
    frame.wait_for_url("**/ui/jobs/", timeout=20_000)
    for name, page, rows in (
        ("Executors", "executors/", 4),
        ("SQL / DataFrame", "SQL/", 0),
        ("Connect", "connect/", 1),
    ):
        frame.get_by_role("link", name=name, exact=True).click()
        frame.wait_for_url(f"**/ui/{page}", timeout=20_000)
        wait_until("rows", lambda: frame.locator("tbody tr").count() >= rows, 20)  # noqa: B023
        assert httpx.get(frame.url, trust_env=False).status_code == 403
    assert book.errors == []
    kernels = {kernel["id"] for kernel in server.http.get("api/kernels").json()}
    assert frame.evaluate(IN_SPARKS_PAGE)[:4] == ["null", "refused", "refused", "refused"]
    assert {kernel["id"] for kernel in server.http.get("api/kernels").json()} == kernels
    bare = f"http://127.0.0.1:{server.port}{server.base_url}{engine['endpoint']['ui_url']}executors/"
    assert httpx.get(bare, trust_env=False).status_code == 403


@pytest.mark.all
def test_a_restart_a_stop_and_a_delete_are_shown(
    book: LabNotebook, server: JupyterServer, engine: dict[str, Any]
) -> None:
    """Under a line that says so the next life's log is followed; the UI and the output say what has become of it."""
    book.run(0)
    book.wait_for_text(book.card(), "Running", 20)
    book.restart_kernel()
    book.wait_for_text(book.output(0), "etl · Running now", 20)
    show(book, "logs", engine)
    server.http.post("rucat/engines/etl/restart")
    wait_until("run 2", lambda: any(line.startswith("Run 2, seen at") for line in lines(book)), 60)
    server.wait_for("etl", "Running")
    wait_until("its log", lambda: any("Spark Connect server started" in line for line in of_run(book, 2)), 20)
    server.http.post("rucat/engines/etl/stop")
    wait_until("the end", lambda: said(book, "logs") == "etl is Stopped: the log ends here", 60)
    show(book, "spark-ui", engine)
    assert book.page.locator(".jp-Rucat-ui .jp-Rucat-doc-empty").inner_text().startswith("etl is Stopped")
    assert book.page.locator(".jp-Rucat-ui-frame").is_hidden()
    server.http.delete("rucat/engines/etl")
    show(book, "history", engine)
    wait_until("the tombstone", lambda: "etl was deleted" in said(book, "history"), 30)
    events = book.page.locator(".jp-Rucat-history-what").all_inner_texts()
    assert events[0] == "Deleted"
    assert events[-1] == "Created"
    assert book.axe(".jp-Rucat-history") == []
    book.page.evaluate("() => [...window.jupyterapp.shell.widgets('main')].forEach(w => w.context || w.close())")
    book.wait_for_text(book.output(0), "etl · deleted", 20)
    assert book.errors_but(*RESTARTED) == []


def _heap_bytes(session: Any) -> float:
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"))

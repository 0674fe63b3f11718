"""Operations and the Spark UI as the Python face shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fakes.rest import make_view

from rucat_jupyter.client.api import Api
from rucat_jupyter.client.engines import operations, ui_link
from rucat_jupyter.client.engines.engine import Engine
from rucat_jupyter.core.errors import NotManaged, NotPossible, OperationNotFound

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
UI = "rucat/engines/0123456789abcdef/ui/"
WITH_UI = make_view(endpoint={"url": "sc://127.0.0.1:1", "ui_url": UI})


def operation(**changes: Any) -> dict[str, Any]:
    """An operation as REST shows it."""
    return {
        "id": "00000000-0000-4000-8000-00000000000a",
        "session_key": "a" * 32,
        "notebook": "/home/me/work/a.ipynb",
        "cell": 7,
        "user_id": "me",
        "session_id": "s",
        "text": "select 1",
        "status": "running",
        "started_at": (NOW - timedelta(seconds=14)).isoformat(),
        "stages": 5,
        "stages_done": 2,
        "tasks": 200,
        "tasks_done": 86,
        "tags": [],
        **changes,
    }


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> Api:
    return Api(lambda: httpx.Client(transport=httpx.MockTransport(answer), base_url="http://rucat"))


# --- operations ---------------------------------------------------------------------------------------------


def test_a_row_says_what_runs_where_and_how_far() -> None:
    """The notebook by its name, as ux.md has the progress."""
    (row,) = operations.rows([operation()], NOW)
    assert row[1:] == ("a.ipynb", "7", "14 s", "stage 3 of 5 · 86/200 tasks", "select 1")


def test_what_the_engine_does_not_report_is_a_dash() -> None:
    """Without a notebook the user stands for it."""
    silent = dict.fromkeys(("cell", "started_at", "stages", "stages_done", "tasks", "tasks_done"))
    (row,) = operations.rows([operation(notebook="", text="", **silent)], NOW)
    assert row[1:] == ("me", "-", "-", "-", "-")
    (row,) = operations.rows([operation(status="cancelling")], NOW)
    assert row[4] == "cancelling"


def test_the_last_stage_is_not_passed() -> None:
    """All stages done, and not ended yet: it is still the last one."""
    assert operations.progress(operation(stages_done=5)) == "stage 5 of 5 · 86/200 tasks"


def test_foreign_text_does_no_harm() -> None:
    """Neither in a terminal nor on a page."""
    found = operations.Operations([operation(text="<script>\x1b[31m\n" * 50, notebook="/x/<b>\x07.ipynb")])
    assert "\x1b" not in repr(found)
    assert len(repr(found).splitlines()) == 2
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_an_empty_list_says_so() -> None:
    """In words."""
    assert repr(operations.Operations()) == "Nothing runs."


def test_an_engine_lists_and_cancels() -> None:
    """An operation is given as it was listed, or by its id, whatever characters that has."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.raw_path.decode()))
        if request.method == "GET":
            return httpx.Response(200, json={"operations": [operation()]})
        return httpx.Response(404, json={"message": "it has ended", "code": "operation_not_found", "details": {}})

    engine = Engine(make_view(), answering(answer))
    (found,) = engine.operations()
    for given in (found, "a/b?c"):
        with pytest.raises(OperationNotFound, match="it has ended"):
            engine.cancel(given)
    path = "/rucat/engines/0123456789abcdef/operations"
    assert asked == [("GET", path), ("POST", f"{path}/{found['id']}/cancel"), ("POST", f"{path}/a%2Fb%3Fc/cancel")]


@pytest.mark.parametrize(
    ("ends", "reason"),
    [((("stop", ""),), ""), ((("stop", "idle for 1 h"), ("stopped", "stopped")), "idle for 1 h"), ((), "")],
)
def test_a_stop_is_explained_by_what_came_after_the_start(ends: Sequence[tuple[str, str]], reason: str) -> None:
    """Never by the start itself: its line in history says which run began."""
    lines = [("restart", ""), ("starting", "run 3"), ("running", ""), *ends]
    events = [{"kind": kind, "reason": why} for kind, why in lines]
    engine = Engine(make_view(status="Stopping"), answering(lambda _: httpx.Response(200, json={"events": events})))
    assert engine.explained()["message"] == reason


# --- the Spark UI -------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Whether there is a Jupyter server is remembered for a process."""
    ui_link.jupyter_url.cache_clear()
    yield
    ui_link.jupyter_url.cache_clear()


@pytest.fixture
def in_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui_link, "get_shell", lambda: SimpleNamespace(kernel=object()))


def connection(request: httpx.Request) -> httpx.Response:
    """A gateway that knows how to connect, and the engine."""
    if request.url.path.endswith("/connection"):
        return httpx.Response(200, json={"ui_url": "http://127.0.0.1:4040"})
    return httpx.Response(200, json=WITH_UI)


@contextmanager
def jupyter(monkeypatch: pytest.MonkeyPatch, folder: Path, status: int, body: bytes) -> Iterator[str]:
    """A server that says it is Jupyter and this kernel's parent, and answers Rucat's route so; its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_ours = self.path == "/user/x/rucat/health" and "Authorization" not in self.headers
            self.send_response(status if is_ours else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/user/x/"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    info = {"url": url, "base_url": "/user/x/", "sock": "", "token": "secret"}
    (folder / "jpserver-4711.json").write_text(json.dumps(info))
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


FORBIDDEN = json.dumps({"message": "Forbidden", "code": "forbidden", "details": {}}).encode()


@pytest.mark.parametrize(("status", "body"), [(403, FORBIDDEN), (200, b'{"status": "ok", "api": 1}')])
def test_in_a_kernel_it_is_below_its_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_kernel: None, status: int, body: bytes
) -> None:
    """Relative as a link, in full as text; asked once, without a token."""
    with jupyter(monkeypatch, tmp_path, status, body) as url:
        link = ui_link.ui_link(answering(connection), WITH_UI)
    assert link == f"{url}{UI}"
    assert link.href == f"/user/x/{UI}"
    assert link._repr_html_() == f'<a href="/user/x/{UI}" target="_blank" rel="noopener">{url}{UI}</a>'
    assert ui_link.ui_link(answering(connection), WITH_UI) == link


@pytest.mark.parametrize(("status", "body"), [(404, FORBIDDEN), (403, b"<html>"), (403, b"[]"), (302, b"")])
def test_a_server_without_rucat_is_no_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_kernel: None, status: int, body: bytes
) -> None:
    """The kernel's environment may have Rucat where the server's has not: then the driver's own address."""
    with jupyter(monkeypatch, tmp_path, status, body):
        assert ui_link.ui_link(answering(connection), WITH_UI) == "http://127.0.0.1:4040/"


@pytest.mark.parametrize("info", [None, "", "{", "[]", '{"url": 1}'])
def test_a_kernel_without_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_kernel: None, info: str | None
) -> None:
    """VS Code, nbconvert, a server that has gone: the driver's own address."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    if info is not None:
        (tmp_path / "jpserver-4711.json").write_text(info)
    assert ui_link.ui_link(answering(connection), WITH_UI) == "http://127.0.0.1:4040/"


def test_a_script_has_the_drivers_own_address() -> None:
    """Also one that a kernel has started: who reads it has a terminal."""
    link = Engine(WITH_UI, answering(connection)).ui_url
    assert (str(link), link.href) == ("http://127.0.0.1:4040/",) * 2


def test_an_engine_without_a_ui_says_why() -> None:
    """An external one, one that does not run, one that was created without."""
    with pytest.raises(NotManaged, match="external"):
        ui_link.ui_link(answering(connection), make_view(platform="external"))
    with pytest.raises(NotPossible, match="it is Stopped"):
        ui_link.ui_link(answering(connection), make_view(status="Stopped", endpoint=None))
    with pytest.raises(NotPossible, match=r"spark\.ui\.enabled"):
        ui_link.ui_link(answering(connection), make_view())

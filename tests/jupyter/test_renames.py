"""Notebooks that are renamed, moved, copied and deleted in Jupyter, with real kernels and a real gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateways import gateways, raw, start

from rucat_jupyter.core.errors import GatewayUnavailable
from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.jupyter import follow, renames
from rucat_jupyter.launch import launch
from rucat_jupyter.launch.moves import keep, pending

from .conftest import Jupyter
from .test_extension import EXTERNAL, until

SHOW = "from rucat_jupyter.client.identity import caller; print(caller().path)"


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RUCAT_STORE_URL", "mem://")
    monkeypatch.setattr(follow, "PAUSE_S", 0.1)
    monkeypatch.setattr(renames, "PAUSE_S", 0.1)
    with gateways() as directory:
        yield directory


class Notebooks:
    """What a front end asks of the server."""

    def __init__(self, jupyter: Jupyter) -> None:
        self.jupyter = jupyter
        self.root = Path(jupyter.app.root_dir)
        self.manager = jupyter.app.kernel_manager

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.jupyter.fetch(method, f"api/{path}", body)
        assert answer.code in (200, 201, 204), answer.body
        return json.loads(answer.body) if answer.body else None

    def new(self, path: str) -> str:
        """Make a notebook."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.ask("PUT", f"contents/{path}", {"type": "notebook", "content": content})
        return path

    def open(self, path: str, **name: str) -> dict[str, Any]:
        """Start its kernel; returns the session."""
        named = name or {"name": path.rsplit("/", 1)[-1]}
        body = {"path": path, **named, "type": "notebook", "kernel": {"name": "python3"}}
        return dict(self.ask("POST", "sessions", body))

    def rename(self, old: str, new: str) -> None:
        self.ask("PATCH", f"contents/{old}", {"path": new})

    def path_in(self, session: dict[str, Any]) -> str:
        """Where the kernel of a session says that its notebook is, below the root."""

        async def run() -> str:
            kernel = self.manager.get_kernel(session["kernel"]["id"])
            client = kernel.client()
            client.start_channels()
            try:
                await client.wait_for_ready(timeout=60)
                printed: list[str] = []

                def take(message: dict[str, Any]) -> None:
                    assert message["msg_type"] != "error", message
                    printed.append(message["content"].get("text", ""))

                await client.execute_interactive(SHOW, output_hook=take, timeout=60)
                return "".join(printed).strip()
            finally:
                client.stop_channels()

        return str(Path(self.jupyter.run(run())).relative_to(self.root))

    def restart(self, session: dict[str, Any]) -> None:
        self.ask("POST", f"kernels/{session['kernel']['id']}/restart")


@pytest.fixture
def notebooks(directory: Path, jupyter: Jupyter) -> Iterator[Notebooks]:
    made = Notebooks(jupyter)
    yield made
    jupyter.run(made.manager.shutdown_all(now=True))


def test_sessions_follow_what_jupyter_renames(directory: Path, notebooks: Notebooks) -> None:
    """Notebook, folder, chain and deletion, without a kernel; a copy and a new notebook get nothing of it."""
    with raw(start()) as gateway:
        gateway.post("/rucat/engines", json=EXTERNAL | {"name": "one"})

        def put(path: str) -> str:
            full = str(notebooks.root / path)
            asked = gateway.put(f"/rucat/engines/one/sessions/{key_of(full)}", json={"path": full})
            return str(asked.json()["session_id"])

        def paths() -> set[str]:
            sessions = gateway.get("/rucat/engines/one").json()["sessions"]
            return {str(Path(session["path"]).relative_to(notebooks.root)) for session in sessions}

        first = put(notebooks.new("a.ipynb"))
        notebooks.ask("POST", "contents/", {"copy_from": "a.ipynb"})
        (notebooks.root / "d").mkdir()
        notebooks.rename("a.ipynb", "d/b.ipynb")
        notebooks.rename("d", "e \u00e9")
        notebooks.jupyter.run(until(lambda: paths() == {"e \u00e9/b.ipynb"}))
        assert put("e \u00e9/b.ipynb") == first
        assert put(notebooks.new("a.ipynb")) != first
        assert put("a-Copy1.ipynb") != first
        notebooks.ask("DELETE", "contents/a.ipynb")
        notebooks.jupyter.run(until(lambda: paths() == {"e \u00e9/b.ipynb", "a-Copy1.ipynb"}))


def test_a_rename_waits_for_the_gateway(directory: Path, notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """None answers at that moment: it is passed on as soon as one does."""
    old, new = str(notebooks.root / "a.ipynb"), str(notebooks.root / "b.ipynb")
    with raw(start()) as gateway:
        gateway.post("/rucat/engines", json=EXTERNAL | {"name": "one"})
        gateway.put(f"/rucat/engines/one/sessions/{key_of(old)}", json={"path": old})
        looks: list[None] = []
        with monkeypatch.context() as away:
            away.setattr(renames.launch, "find", lambda: looks.append(None))
            notebooks.rename(notebooks.new("a.ipynb"), "b.ipynb")
            notebooks.jupyter.run(until(lambda: len(looks) > 1))

        def paths() -> list[str]:
            return [session["path"] for session in gateway.get("/rucat/engines/one").json()["sessions"]]

        notebooks.jupyter.run(until(lambda: paths() == [new]))


def elsewhere() -> None:
    raise GatewayUnavailable("the data directory is in use by the gateway on another machine")


@pytest.mark.parametrize("find", [lambda: None, elsewhere], ids=["none runs", "it is elsewhere"])
def test_the_next_gateway_knows_what_moved_before_it(
    directory: Path, notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch, find: Callable[[], None]
) -> None:
    """Also over a restart of the Jupyter server; a new notebook on the old path keeps what it gets there."""
    monkeypatch.delenv("RUCAT_STORE_URL")
    paths = {name: str(notebooks.root / f"{name}.ipynb") for name in "abc"}
    with raw(start()) as gateway:
        gateway.post("/rucat/engines", json=EXTERNAL | {"name": "one"})
        for name in "ac":
            gateway.put(f"/rucat/engines/one/sessions/{key_of(paths[name])}", json={"path": paths[name]})
    launch.stop(directory)
    server = notebooks.jupyter.app.extension_manager
    with monkeypatch.context() as away:
        away.setattr(renames.launch, "find", find)
        notebooks.rename(notebooks.new("a.ipynb"), "b.ipynb")
        notebooks.ask("DELETE", f"contents/{notebooks.new('c.ipynb')}")
        notebooks.jupyter.run(until(lambda: len(pending(directory)) == 2))
        notebooks.jupyter.run(server.stop_all_extensions())
    with raw(start()) as gateway:

        def known() -> list[str]:
            return sorted(session["path"] for session in gateway.get("/rucat/engines/one").json()["sessions"])

        assert known() == [paths["b"]]
        assert pending(directory) == []
        gateway.put(f"/rucat/engines/one/sessions/{key_of(paths['a'])}", json={"path": paths["a"]})
        notebooks.jupyter.run(server.start_all_extensions())
        notebooks.rename(notebooks.new("d.ipynb"), "e.ipynb")
        notebooks.jupyter.run(until(lambda: pending(directory) == []))
        assert known() == [paths["a"], paths["b"]]


def test_a_server_sends_what_an_earlier_one_has_kept(directory: Path, jupyter: Jupyter) -> None:
    """A gateway runs all the time, but did not answer while that server lived."""
    extensions = jupyter.app.extension_manager
    jupyter.run(extensions.stop_all_extensions())
    with raw(start()) as gateway:
        gateway.post("/rucat/engines", json=EXTERNAL | {"name": "one"})
        gateway.put(f"/rucat/engines/one/sessions/{key_of('/a.ipynb')}", json={"path": "/a.ipynb"})
        keep(directory, "/a.ipynb", "/b.ipynb", [None])
        (directory / "moves" / "0.json").write_text("no move")
        jupyter.run(extensions.start_all_extensions())
        jupyter.run(until(lambda: pending(directory) == []))
        assert [session["path"] for session in gateway.get("/rucat/engines/one").json()["sessions"]] == ["/b.ipynb"]


def test_kernels_follow_their_notebooks(notebooks: Notebooks) -> None:
    """Running and restarted, whether or not the front end renames the session; another kernel there is another's."""
    session = notebooks.open(notebooks.new("a.ipynb"))
    assert notebooks.path_in(session) == "a.ipynb"
    notebooks.rename("a.ipynb", "b.ipynb")
    notebooks.rename("b.ipynb", "c.ipynb")
    follows = lambda: notebooks.path_in(session) == "c.ipynb"  # noqa: E731 - asked twice
    assert follows()
    notebooks.restart(session)
    assert follows()
    notebooks.ask("PATCH", f"sessions/{session['id']}", {"path": "c.ipynb", "name": "c.ipynb"})
    notebooks.restart(session)
    assert follows()
    assert notebooks.path_in(notebooks.open(notebooks.new("a.ipynb"))) == "a.ipynb"


def test_the_name_of_a_session_is_not_its_path(notebooks: Notebooks) -> None:
    """Front ends leave it empty, or call it as they like: new kernels of a notebook have one path."""
    path = notebooks.new("sub/a.ipynb")
    for name in ("", "My notebook"):
        session = notebooks.open(path, name=name)
        assert notebooks.path_in(session) == path
        notebooks.ask("DELETE", f"sessions/{session['id']}")


def test_a_kernel_on_a_drive_knows_its_folder(notebooks: Notebooks) -> None:
    """jupyter-collaboration's paths: Jupyter would name the root of the server."""
    notebooks.new("sub/a.ipynb")
    session = notebooks.open("RTC:sub/a.ipynb")
    assert notebooks.path_in(session) == "sub/a.ipynb"
    notebooks.rename("sub/a.ipynb", "sub/b.ipynb")
    assert notebooks.path_in(session) == "sub/b.ipynb"

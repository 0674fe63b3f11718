"""One gateway for the tests of the command line, with external engines whose addresses have no server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from support.place import Place, place_in
from support.terminal import Terminal

from rucat_jupyter.cli import app
from rucat_jupyter.client import errors
from rucat_jupyter.client.api import Api
from rucat_jupyter.client.engines.engine import set_default_api

RUCAT = (sys.executable, "-m", "rucat_jupyter")
ASK = """
import sys, json
from rucat_jupyter.client.engines.engine import default_api
method, path, body = sys.argv[1:]
print(json.dumps(default_api().call(method, path, json=json.loads(body))))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_in(tmp_path_factory.mktemp("c"), RUCAT_STORE_URL="mem://", COLUMNS="200") as place:
        yield place


@pytest.fixture(scope="module")
def ask(place: Place) -> Callable[..., Any]:
    """Ask the gateway by REST."""

    def ask(method: str, path: str, body: object = None) -> Any:
        done = place.run_python(ASK, method, path, json.dumps(body))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="module")
def made(ask: Callable[..., Any]) -> dict[str, Any]:
    """Two engines at addresses without a server; views by name."""
    views = {}
    for port, name in enumerate(("etl", "mein Büro"), start=1):
        body = {"name": name, "platform": "external", "external": {"url": f"sc://127.0.0.1:{port}"}}
        views[name] = ask("POST", "engines", body)
    return views


@dataclass
class Done:
    """What a command wrote and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def rucat(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Done]]:
    """Run the command line in this process: a tenth of the time of one of its own."""
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.root)
    monkeypatch.setitem(errors._voice, "words", "")
    monkeypatch.setattr(sys, "argv", sys.argv)
    api = Api()
    before = set_default_api(api)

    def run(*words: str) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.run(lambda: None, words)
        return Done(ended.value.code, *capsys.readouterr())  # type: ignore[arg-type]

    yield run
    set_default_api(before)
    api.close()


@pytest.fixture
def terminal(place: Place) -> Iterator[Callable[..., Terminal]]:
    """Run ``rucat …`` on a terminal; all are ended."""
    with ExitStack() as stack:

        def run(*words: str, columns: int = 100, **env: str) -> Terminal:
            place_env = {key: value for key, value in place.env.items() if key not in ("COLUMNS", "NO_COLOR")}
            found = Terminal([*RUCAT, *words], {**place_env, **env}, place.root, columns)
            stack.callback(found.close)
            return found

        yield run

"""Without a user at the front end: scripts, nbconvert, papermill; and a plain IPython."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pexpect
import pytest
from support.notebook import ipython
from support.place import Place

from .conftest import ENGINE, wait_for_status

pytestmark = pytest.mark.engine

SCRIPT = """
import rucat_jupyter
with rucat_jupyter.create("script") as engine:
    spark = engine.connect()
    print(engine.status, spark.range(4).count(), engine.connect() is spark)
print(engine.status)
"""
KILLED = """
import os, signal, sys, threading, time
import rucat_jupyter
engine = rucat_jupyter.get(sys.argv[1])
spark = engine.connect()
spark.range(1).collect()
threading.Timer(1, lambda: os.kill(int(sys.argv[2]), signal.SIGKILL)).start()
begun = time.monotonic()
try:
    spark.sql("select java_method('java.lang.Thread', 'sleep', 60000L)").collect()
except rucat_jupyter.EngineFailed as error:
    print(round(time.monotonic() - begun, 1), error)
print(time.time())
"""
UNNAMED = [
    "%load_ext rucat_jupyter",
    "%rucat create --driver-memory 1g",
    "print(spark.range(6).count())",
    "%rucat list",
]


CELLS = ["%load_ext rucat_jupyter", "%rucat create {}", "print(spark.range(6).count())", "%rucat list"]


def test_a_script_uses_an_engine_and_stops_it(place: Place, rest: Callable[..., Any]) -> None:
    """``with`` stops at the end; nothing is printed that the script does not print."""
    done = place.run_python(SCRIPT)
    assert (done.stdout, done.stderr) == ("Running 4 True\nStopped\n", "")
    rest("DELETE", "engines/script")


@pytest.mark.all
def test_a_script_on_a_killed_engine_ends_in_seconds(place: Place, engine: str) -> None:
    """Its query raises the engine's failure, and its exit waits for nothing."""
    done = place.run_python(KILLED, ENGINE, str(place.engine_process(engine).pid))
    ended = time.time()
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert float(first.split()[0]) < 5
    assert "✕ shared failed:" in first
    assert ended - float(last) < 2


@pytest.mark.all
def test_nbconvert_creates_its_own_engine_and_stops_it(place: Place, rest: Callable[..., Any]) -> None:
    """Unnamed: a random suffix, stopped at exit; the last phase is what the page keeps."""
    path = _notebook(place.root / "convert.ipynb", "")
    _run(place, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path))
    created = _created(path)
    found = re.search(r"● (local-\S+-[0-9a-f]{4}-[0-9a-f]{6})  Running on this machine", created)
    assert found, created
    assert "◌" not in created
    wait_for_status(rest, found[1], "Stopped", deadline_s=20)
    rest("DELETE", f"engines/{found[1]}")


def test_papermill_leaves_a_named_engine_running(place: Place, engine: str, rest: Callable[..., Any]) -> None:
    """A named engine keeps running; the session belongs to this run; the log's last word about it is Running."""
    path = _notebook(place.root / "mill.ipynb", ENGINE)
    before = {session["key"] for session in rest("GET", f"engines/{engine}")["sessions"]}
    log = _run(place, "-m", "papermill", str(path), str(path), "--no-progress-bar", "--log-output", is_log=True)
    assert re.findall(rf"{ENGINE}  (Pending|Running) on this machine ·", log)[-1] == "Running", log
    assert "attached to the running engine" in _created(path)
    after = rest("GET", f"engines/{engine}")
    assert after["status"] == "Running"
    assert len({session["key"] for session in after["sessions"]} - before) == 1


@pytest.mark.all
def test_a_plain_ipython_attaches_to_a_named_session(place: Place, engine: str) -> None:
    """Without a notebook --session names the session; else each process has its own."""
    make = f"%rucat attach {ENGINE} --session mine\nspark.range(9).createOrReplaceTempView('v')"
    assert "spark is attached" in _run_ipython(place, make)
    look = "{}\nprint('views', spark.catalog.tableExists('v'))"
    assert "views True" in _run_ipython(place, look.format(f"%rucat attach {ENGINE} --session mine"))
    assert "views False" in _run_ipython(place, look.format(f"%rucat attach {ENGINE}"))


@pytest.mark.all
def test_ctrl_c_in_a_terminal(place: Place, rest: Callable[..., Any]) -> None:
    """One line is overwritten while it starts; Ctrl-C stops the waiting immediately and shows the next commands."""
    terminal = pexpect.spawn(
        ipython()[0], ipython()[1:], env=place.env, cwd=str(place.root), encoding="utf-8", timeout=60
    )
    try:
        terminal.expect_exact("In [1]:")
        terminal.sendline("%load_ext rucat_jupyter")
        terminal.expect_exact("In [2]:")
        terminal.sendline("%rucat create term")
        terminal.expect_exact("\r\x1b[K◌ term  Pending on this machine")
        terminal.sendintr()
        terminal.expect_exact("rucat: term is still starting. Wait again: %rucat create term", timeout=1.5)
        terminal.expect_exact("In [3]:")
        terminal.sendline("%rucat delete term")
        terminal.expect_exact("Delete term? This deletes its record, settings and last log lines. [y/N] ")
        terminal.sendline("y")
        terminal.expect_exact("term is deleted.")
        terminal.sendline("exit")
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)


def _run_ipython(place: Place, code: str) -> str:
    return _run(place, *ipython("-c", f"%load_ext rucat_jupyter\n{code}")[1:])


def _run(place: Place, *args: str, is_log: bool = False) -> str:
    command = [sys.executable, *args]
    done = subprocess.run(
        command, env=place.env, cwd=place.root, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr if is_log else done.stdout


def _notebook(path: Path, create: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.format(create)) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


def _created(path: Path) -> str:
    """What the cell with ``%rucat create`` shows; the one after it must have worked."""
    cells = json.loads(path.read_text())["cells"]
    shown = [_texts(cell) for cell in cells if cell["cell_type"] == "code"]
    assert any("6\n" in texts for texts in shown)
    return next("".join(texts) for texts in shown if "spark is attached" in "".join(texts))


def _texts(cell: dict[str, Any]) -> list[str]:
    return ["".join(o.get("text", "")) + "".join(o.get("data", {}).get("text/plain", "")) for o in cell["outputs"]]

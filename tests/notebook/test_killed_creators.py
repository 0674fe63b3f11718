"""An engine without a name ends with the script, nbconvert or papermill that created it, also when that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from support.place import Place, wait_until

from rucat_jupyter.host.processes import start_mark

from .conftest import wait_for_status

pytestmark = pytest.mark.engine

CREATE = "import rucat_jupyter\nspark = rucat_jupyter.create(driver_memory='600m').connect()"
QUERY = "print(spark.sql(\"select java_method('java.lang.Thread', 'sleep', 600000L)\").collect())"
RUNS = {
    "script": ["{book}.py"],
    "papermill": ["-m", "papermill", "{book}.ipynb", "{book}.ipynb", "--no-progress-bar", "--log-output"],
    "nbconvert": ["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "{book}.ipynb"],
}


def _kernel_of(process: psutil.Process) -> psutil.Process:
    """The kernel that papermill or nbconvert runs; a script itself."""
    return next((c for c in process.children() if "ipykernel_launcher" in " ".join(c.cmdline())), process)


@pytest.mark.parametrize(
    ("what", "killed", "how"),
    [
        ("script", "itself", signal.SIGKILL),
        pytest.param("script", "itself", signal.SIGTERM, marks=pytest.mark.all),
        pytest.param("papermill", "itself", signal.SIGKILL, marks=pytest.mark.all),
        pytest.param("papermill", "itself", signal.SIGTERM, marks=pytest.mark.all),
        pytest.param("papermill", "kernel", signal.SIGKILL, marks=pytest.mark.all),
        pytest.param("nbconvert", "itself", signal.SIGKILL, marks=pytest.mark.all),
    ],
)
def test_its_engine_ends_within_ten_seconds(
    place: Place, rest: Callable[..., Any], tmp_path: Path, what: str, killed: str, how: signal.Signals
) -> None:
    """With its query, and the history says why."""
    book = tmp_path / "killed"
    book.with_suffix(".py").write_text(f"{CREATE}\n{QUERY}\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (CREATE, QUERY)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, book.with_suffix(".ipynb"))
    before = {engine["id"] for engine in rest("GET", "engines")["engines"]}
    command = [sys.executable, *(word.format(book=book) for word in RUNS[what])]
    with subprocess.Popen(command, env=place.env, cwd=place.root, stderr=subprocess.DEVNULL) as process:
        try:
            made = lambda: [e for e in rest("GET", "engines")["engines"] if e["id"] not in before]  # noqa: E731
            engine = wait_until("its engine", made, 60)[0]["id"]
            wait_for_status(rest, engine, "Running")
            wait_until("its query", lambda: rest("GET", f"engines/{engine}/operations")["operations"], 60)
            driver = place.engine_process(engine)
            main = psutil.Process(process.pid)
            kernel = _kernel_of(main)
            (main if killed == "itself" else kernel).send_signal(how)
            wait_until("the end of its engine", lambda: not driver.is_running(), 10)
            wait_until("the end of its kernel", lambda: start_mark(kernel.pid) is None, 10)
        finally:
            process.kill()
    stops = [event for event in rest("GET", f"engines/{engine}/history")["events"] if event["kind"] == "stop"]
    assert [event["actor"] for event in stops] == ["monitor"]
    assert stops[0]["reason"].startswith("the process that created it (")
    rest("DELETE", f"engines/{engine}")

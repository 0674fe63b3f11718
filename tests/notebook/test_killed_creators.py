"""An engine without a name ends with the script, nbconvert or papermill that created it, also when that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from support.namespaces import in_a_pid_namespace
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


@pytest.mark.all
def test_a_creator_that_no_gateway_sees_has_a_lease_of_a_minute(
    place: Place, rest: Callable[..., Any], tmp_path: Path
) -> None:
    """A PID namespace, as in a container: the engine of a killed creator ends, that of a living one does not."""
    script = tmp_path / "lease.py"
    script.write_text(f"{CREATE}\nimport time\ntime.sleep(600)\n")
    ids: dict[str, str] = {}

    def new() -> str | None:
        made = [each["id"] for each in rest("GET", "engines")["engines"] if each["spec"].get("ends_with")]
        return next((each for each in made if each not in ids.values()), None)

    with ExitStack() as stack:
        processes = {}
        for name, has_proc in (("living", True), ("killed", True), ("killed, foreign /proc", False)):
            command = [*in_a_pid_namespace(has_proc=has_proc), sys.executable, str(script)]
            process = processes[name] = stack.enter_context(subprocess.Popen(command, env=place.env, cwd=place.root))
            stack.callback(process.kill)
            ids[name] = wait_until(f"the engine of {name}", new, 60) or ""
            wait_for_status(rest, ids[name], "Running")
        began = time.monotonic()
        killed = [name for name in processes if name != "living"]
        for name in killed:
            psutil.Process(processes[name].pid).children()[0].kill()
        for name in killed:
            wait_for_status(rest, ids[name], "Stopped", deadline_s=60 + 20)
            assert time.monotonic() - began > 60 - 10 - 3, name  # its last renewal was at most 10 s before
            stops = [
                event for event in rest("GET", f"engines/{ids[name]}/history")["events"] if event["kind"] == "stop"
            ]
            assert "has not reported for 60 s" in stops[0]["reason"], name
        assert rest("GET", f"engines/{ids['living']}")["status"] == "Running"
    for engine in ids.values():
        rest("DELETE", f"engines/{engine}")

"""The command line on a real engine: the guide's commands as written, a shell, a script, a failure."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.place import Place, place_in, wait_until
from support.terminal import Terminal

from rucat_jupyter.cli.errors import CODES

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
GUIDE = Path(__file__).parents[2] / "docs" / "cli.md"
RUCAT = (sys.executable, "-m", "rucat_jupyter")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_in(tmp_path_factory.mktemp("e")) as place:
        place.start_quickly()
        place.env["PATH"] = f"{Path(sys.executable).parent}:{place.env['PATH']}"
        yield place


def test_the_guides_commands_work_as_written(place: Place) -> None:
    """Every command in docs/cli.md, in order: exit code 0, and JSON with --json."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    commands = [line[2:] for block in blocks for line in block.splitlines()]
    assert len(commands) > 15
    shown = {}
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}\nexit $?"],  # the last one too is its child, as when typed
            env=place.env,
            cwd=place.root,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        shown[command] = done.stdout
        if "--json" in shlex.split(command):
            json.loads(done.stdout)
    (counted,) = [text for command, text in shown.items() if "count()" in command]
    assert counted == "3\n"


def test_a_shell_on_an_engine_leaves_it_running(place: Place) -> None:
    """Python's prompt and IPython: spark is bound, an error of Spark is short, and exit stops nothing."""
    assert place.rucat("create", "etl", timeout_s=180).returncode == 0
    with ExitStack() as stack:

        def shell(*words: str) -> Terminal:
            found = Terminal([*RUCAT, "attach", "etl", *words], place.env, place.root)
            stack.callback(found.close)
            return found

        plain = shell("--plain")
        plain.wait_for(">>> ", 90)
        plain.type("print('six', spark.range(6).count())\n")
        plain.wait_for("six 6")
        plain.type("spark.table('nowhere').count()\n")
        plain.wait_for("TABLE_OR_VIEW_NOT_FOUND")
        plain.wait_for("Full trace: rucat error --verbose")
        assert "Traceback" not in plain.seen
        plain.type("exit(3)\n")
        assert plain.end() == 3
        ipython = shell("--session", "k")
        ipython.wait_for("In this shell: %rucat", 90)
        ipython.type("print('se' + 'ven', spark.range(7).count())\n")
        ipython.wait_for("seven 7")
        ipython.type("exit\n")
        assert ipython.end() == 0
    view = json.loads(place.rucat("status", "etl", "--json").stdout)
    assert view["status"] == "Running"
    assert [session["path"] for session in view["sessions"] if session["path"] != "tables"] == ["k"]


def test_a_script_has_its_arguments_errors_and_exit_code(place: Place) -> None:
    """As `python FILE ARG…`; a traceback begins in the script."""
    assert place.rucat("create", "etl", timeout_s=180).returncode == 0
    job = place.root / "job.py"
    job.write_text("import sys\nprint(spark.range(int(sys.argv[1])).count(), __name__)\nsys.exit(int(sys.argv[2]))\n")
    done = place.rucat("attach", "etl", str(job), "5", "7")
    assert (done.returncode, done.stdout) == (7, "5 __main__\n")
    job.write_text("def f():\n    return 1 / 0\n\nf()\n")
    done = place.rucat("attach", "etl", str(job))
    assert done.returncode == 1
    assert re.findall(r'File "(.*?)"', done.stderr) == [str(job)] * 2
    assert "ZeroDivisionError" in done.stderr


def test_the_log_is_followed_until_ctrl_c(place: Place) -> None:
    """Ctrl-C ends it without a message, with the exit code of SIGINT."""
    assert place.rucat("create", "etl", timeout_s=180).returncode == 0
    shown = Terminal([*RUCAT, "logs", "etl", "--follow"], place.env, place.root)
    try:
        shown.wait_for("Spark")
        shown.type("\x03")
        assert shown.end(10) == 130
    finally:
        shown.close()
    assert "Traceback" not in shown.seen
    head = subprocess.run(
        ["bash", "-c", "rucat logs etl --follow | head -1"],
        env=place.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (head.stderr, len(head.stdout.splitlines())) == ("", 1)


def test_a_failed_engine_names_the_command_that_starts_it(place: Place) -> None:
    """Attach to a killed engine shows its status and how to start it; create starts it again."""
    made = place.rucat("create", "etl", "--json", timeout_s=180)
    engine_id = json.loads(made.stdout)["id"]
    place.engine_process(engine_id).kill()
    wait_until("Failed", lambda: '"status": "Failed"' in place.rucat("status", "etl", "--json").stdout, 60)
    refused = place.rucat("attach", "etl")
    assert refused.returncode == 1
    assert "it is Failed. Start it: rucat create etl" in refused.stderr
    again = place.rucat("create", "etl", timeout_s=180)
    assert (again.returncode, "restarted in" in again.stdout) == (0, True), again
    gone = place.rucat("delete", "etl", "--yes")
    assert (gone.returncode, gone.stdout) == (0, "etl is deleted.\n")


def test_the_guide_has_the_exit_codes() -> None:
    """The table in docs/cli.md is that of the program."""
    drawn = re.findall(r"^\| (\d+) \| (.*) \|$", GUIDE.read_text(), re.MULTILINE)
    assert drawn == [(str(code), meaning) for code, meaning in CODES]

"""The command line as real processes on a real gateway: results, messages, exit codes, terminals."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.place import Place, wait_until
from support.terminal import Terminal

from rucat_jupyter.gateway.service.http.plan_views import PlanView
from rucat_jupyter.gateway.service.http.views import EnginesView, ErrorView, HistoryView, ProfilesView
from rucat_jupyter.gateway.use_cases.views import EngineView

pytestmark = [pytest.mark.usefixtures("made"), pytest.mark.slow]
RUCAT = (sys.executable, "-m", "rucat_jupyter")


@pytest.mark.parametrize(
    ("words", "model"),
    [
        (("list",), EnginesView),
        (("list", "*l", "--status", "pending"), EnginesView),
        (("status", "etl"), EngineView),
        (("create", "etl", "--no-wait"), EngineView),
        (("history", "etl"), HistoryView),
        (("profiles",), ProfilesView),
        (("profiles", "local"), ProfilesView),
        (("plan", "new"), PlanView),
    ],
)
def test_json_is_one_document_in_the_shape_of_rest(
    rucat: Callable[..., Any], words: tuple[str, ...], model: Any
) -> None:
    """A script may read stdout as JSON, validate it against OpenAPI's models, and see no message in it."""
    done = rucat(*words, "--json")
    assert done.returncode == 0, done.stderr
    model.model_validate(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (("status", "missing"), 3, "not_found"),
        (("stop", "etl"), 1, "not_managed"),
        (("restart", "etl"), 1, "not_managed"),
        (("attach", "missing"), 3, "not_found"),
        (("create", "etl", "--timeout", "0.3"), 4, "still_waiting"),
        (("create", "x", "--profile", "nope"), 2, "invalid_request"),
        (("create", "x", "--conf", "spark.master=yarn"), 1, "conf_denied"),
        (("delete", "etl"), 2, "bad_usage"),
        (("status",), 2, "bad_usage"),
    ],
)
def test_each_error_has_its_exit_code(rucat: Callable[..., Any], words: tuple[str, ...], code: int, kind: str) -> None:
    """One line on stderr, and with --json the error of REST on stdout."""
    plain = rucat(*words)
    assert (plain.returncode, plain.stdout) == (code, "") or kind == "still_waiting", plain
    said = [line for line in plain.stderr.splitlines() if line.startswith("rucat: ")]
    assert len(said) == 1
    assert "Traceback" not in plain.stderr
    if words[0] != "attach":
        as_json = rucat(*words, "--json")
        assert as_json.returncode == code
        assert ErrorView.model_validate(json.loads(as_json.stdout)).code == kind


def test_the_list_can_be_filtered(rucat: Callable[..., Any]) -> None:
    """By pattern and by status; names may contain spaces and any script."""

    def names(*words: str) -> list[str]:
        return [e["name"] for e in json.loads(rucat("list", "--json", *words).stdout)["engines"]]

    assert {"etl", "mein Büro"} <= set(names())
    assert names("mein*") == ["mein Büro"]
    assert names("--status", "Running") == []
    assert "mein Büro" in names("--status", "Running", "--status", "PENDING")
    empty = rucat("list", "zzz*")
    assert (empty.returncode, empty.stdout) == (0, "")


def test_a_file_gets_the_whole_table_without_colour(rucat: Callable[..., Any]) -> None:
    """Output to a file is neither cut nor coloured."""
    lines = rucat("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "STATUS", "WHERE", "SPARK", "RESOURCES", "AGE", "IDLE", "NOTE"]
    assert "\x1b" not in "".join(lines)
    assert any("mein Büro" in line and "nothing listens on 127.0.0.1:2" in line for line in lines)


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_a_table_that_fits(terminal: Callable[..., Terminal], columns: int) -> None:
    """No line is wider than the terminal; name and status are always there."""
    shown = terminal("list", columns=columns)
    assert shown.end() == 0
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.seen.splitlines()]
    assert max(map(len, lines)) <= columns
    assert any("etl" in line and "Pending" in line for line in lines)


def test_a_delete_asks_on_a_terminal(
    terminal: Callable[..., Terminal], ask: Callable[..., Any], rucat: Callable[..., Any]
) -> None:
    """The question names what is deleted; any answer but yes keeps the engine, and so does Ctrl-C."""
    body = {"name": "doomed", "platform": "external", "external": {"url": "sc://127.0.0.1:9"}}
    ask("POST", "engines", body)
    for key, code in (("n\n", 1), ("\x03", 130)):
        shown = terminal("delete", "doomed")
        shown.wait_for("Delete doomed? This deletes its record, settings and last log lines. [y/N]")
        shown.type(key)
        assert shown.end() == code
        assert rucat("status", "doomed").returncode == 0
    shown = terminal("delete", "doomed")
    shown.wait_for("[y/N]")
    shown.type("y\n")
    assert shown.end() == 0
    assert "doomed is deleted." in shown.seen
    assert rucat("status", "doomed").returncode == 3


def test_ctrl_c_ends_the_waiting_and_not_the_engine(
    terminal: Callable[..., Terminal], rucat: Callable[..., Any]
) -> None:
    """Within a second, with commands to try again and to remove it, and no traceback."""
    shown = terminal("create", "etl")
    shown.wait_for("Pending on 127.0.0.1:1")
    begun = time.monotonic()
    shown.type("\x03")
    assert shown.end() == 130
    assert time.monotonic() - begun < 1.5
    assert "Try again: rucat attach etl   Remove it: rucat delete etl" in shown.seen
    assert "Traceback" not in shown.seen
    assert json.loads(rucat("status", "etl", "--json").stdout)["status"] == "Pending"


def test_the_phase_is_one_line_that_is_replaced(terminal: Callable[..., Terminal]) -> None:
    """On a terminal the line shows the elapsed seconds, is overwritten, and is removed at the end."""
    shown = terminal("create", "etl", "--timeout", "2.5", columns=50)
    assert shown.end() == 4
    phases = [part for part in shown.seen.split("\r\x1b[K") if "Pending on" in part]
    assert len(phases) >= 2
    assert all("\n" not in part and len(part) < 50 for part in phases)


def test_colour_is_for_terminals_that_want_it(terminal: Callable[..., Terminal], ask: Callable[..., Any]) -> None:
    """Doctor's warnings are coloured on a terminal, not with NO_COLOR; word and symbol are always there."""
    coloured = terminal("doctor", http_proxy="http://proxy:1", no_proxy="")
    plain = terminal("doctor", http_proxy="http://proxy:1", no_proxy="", NO_COLOR="1")
    assert coloured.end() == plain.end() == 0
    assert "\x1b[33m◐ warn  proxies" in coloured.seen
    assert "◐ warn  proxies" in plain.seen
    assert "\x1b[" not in plain.seen


def test_a_closed_pipe_is_no_error(place: Place) -> None:
    """`rucat … | head -1` ends quietly."""
    words = " ".join(RUCAT)
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} list --json | head -c 1; echo; exit $?"],
        env=place.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""


@pytest.mark.slow
def test_an_interrupt_at_any_moment_is_quiet(place: Place) -> None:
    """SIGINT at any time after the start: no traceback, exit code 130 (or the result, if it came too late)."""
    for delay_s in (0.1, 0.2, 0.35, 0.5):
        process = subprocess.Popen(
            [*RUCAT, "create", "etl"], env=place.env, cwd=place.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        wait_until("python runs", lambda: "python" in str(Path(f"/proc/{process.pid}/exe").readlink()), 5)  # noqa: B023
        time.sleep(delay_s)  # the moment is what is varied
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
        is_early = b", in main\n" not in stderr  # Python itself was still starting, before it called main()
        assert process.returncode in (130, -signal.SIGINT) or is_early, stderr
        assert b"Traceback" not in stderr or is_early, stderr


LOST = """
import signal, sys, time, weakref
from rucat_jupyter import __main__, cli

class Thing: pass

def run(serve):
    thing = Thing()
    watched = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # as a signal during a callback: Python ignores the exception
    time.sleep(20)

cli.run = run
__main__.main()
"""


def test_an_interrupt_that_a_callback_swallows_is_not_lost() -> None:
    """A verb loads libraries with callbacks: an interrupt that one swallows is raised again afterwards."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, b"")
    assert time.monotonic() - began < 10


def test_no_gateway_is_started_for_help_doctor_or_tab(tmp_path_factory: pytest.TempPathFactory, place: Place) -> None:
    """Only verbs that need a gateway start one."""
    folder = tmp_path_factory.mktemp("none")
    env = {**place.env, "RUCAT_DATA_DIR": str(folder / "data")}
    tab = {"_RUCAT_COMPLETE": "bash"}
    for words, more in ((["create", "--help"], {}), (["doctor"], {}), (["status", ""], tab)):
        done = subprocess.run([*RUCAT, *words], env={**env, **more}, capture_output=True, timeout=60, check=False)
        assert done.returncode in (0, 1), done.stderr
    assert not (folder / "data").exists()


COMPLETE = """
source <(rucat --show-completion bash)
try() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _rucat
    printf '%s|' "${COMPREPLY[@]}"; echo
}
try rucat st
try rucat status mein
try rucat create --dr
try rucat create --profile ""
try rucat list --status Run
"""


def test_bash_completes_verbs_flags_names_and_profiles(place: Place) -> None:
    """The script of --show-completion works in a real bash; spaces in names are escaped."""
    folder = Path(sys.executable).parent
    env = {**place.env, "PATH": f"{folder}:{place.env['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    offered = [line.rstrip("|").split("|") for line in done.stdout.splitlines()]
    assert offered == [
        ["status", "stop"],
        ["mein\\ Büro"],
        ["--driver-memory"],
        ["k8s-small", "local"],
        ["Running"],
    ]
    assert done.stderr == ""


@pytest.mark.parametrize(("shell", "shown"), [("zsh", "mein Büro:Pending"), ("fish", "mein Büro\tPending")])
def test_other_shells_get_names_with_their_status(place: Place, shell: str, shown: str) -> None:
    """Zsh and fish show the status next to the name."""
    env = {**place.env, "_RUCAT_COMPLETE": shell}
    done = subprocess.run([*RUCAT, "status", ""], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert shown in done.stdout


SHELLS = {
    "bash": (["bash", "--norc", "-i"], "source <(rucat --show-completion bash)"),
    "fish": (["fish", "--private"], "rucat --show-completion fish | source"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source <(rucat --show-completion zsh)"),
}
"""How each is started, and what docs/cli.md puts into its start file."""
ONLY_COMPLETES = """#!/bin/sh
if [ -n "$_RUCAT_COMPLETE" ] || [ "$1" = --show-completion ]; then exec {rucat} "$@"; fi
printf 'ran:'; printf '<%s>' "$@"; echo
"""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Iterator[Terminal]:
    """A person's shell with the completion; ``rucat`` only says what it is asked for."""
    name = request.param
    if shutil.which(name) is None:  # as tests/cluster installs what it needs
        subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", name], check=True, timeout=300)
    rucat = tmp_path / "bin" / "rucat"
    rucat.parent.mkdir()
    rucat.write_text(ONLY_COMPLETES.format(rucat=Path(sys.executable).with_name("rucat")))
    rucat.chmod(0o755)
    words, source = SHELLS[name]
    env = {**place.env, "PATH": f"{rucat.parent}:{place.env['PATH']}", "XDG_CONFIG_HOME": str(tmp_path)}
    terminal = Terminal(words, env, tmp_path)
    try:
        terminal.type(f"{source}; echo REA''DY\r")
        terminal.wait_for("READY")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.all
def test_tab_in_a_real_shell(shell: Terminal) -> None:
    """What is the only choice is inserted, and the value of a conf follows without a space; verbs are offered."""
    shell.type("rucat create --driver-mem\t4g --conf spark.sql.shuffle.part\t7\r")
    shell.wait_for("ran:<create><--driver-memory><4g><--conf><spark.sql.shuffle.partitions=7>", 20)
    shell.type("rucat st\t\t")
    shell.wait_for("stop", 20)


def test_history_includes_deleted_engines(rucat: Callable[..., Any], ask: Callable[..., Any]) -> None:
    """By id; the name is free again."""
    body = {"name": "past", "platform": "external", "external": {"url": "sc://127.0.0.1:7"}}
    engine_id = ask("POST", "engines", body)["id"]
    gone = rucat("delete", "past", "--yes", "--json")
    assert (gone.returncode, json.loads(gone.stdout)["id"]) == (0, engine_id)
    assert rucat("history", "past").returncode == 3
    assert "delete" in rucat("history", engine_id).stdout


def test_scripts_can_replace_and_stop_the_gateway(place: Place, rucat: Callable[..., Any]) -> None:
    """``serve --replace`` and ``serve --stop`` report in JSON what they did."""
    swapped = json.loads(rucat("serve", "--replace", "--json").stdout)
    assert swapped["pid"] == place.gateway_pid
    assert json.loads(rucat("serve", "--stop", "--json").stdout)["was_running"] is True
    assert json.loads(rucat("serve", "--stop", "--json").stdout)["was_running"] is False

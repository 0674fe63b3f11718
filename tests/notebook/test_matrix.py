"""Every verb × every kind of wrong use, in a real kernel on a real gateway: one line, or the right result."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.notebook import Cell, Kernel, kernel
from support.place import Place, wait_until

from rucat_jupyter.verbs.parser import NOTEBOOK
from rucat_jupyter.verbs.table import verbs_of

from .conftest import ENGINE

pytestmark = pytest.mark.engine

ONE_LINE = 1
MOST_LINES = 5  # an engine's failure, Spark's errors
VERBS = verbs_of(NOTEBOOK)
NAMED = sorted(set(VERBS) & {"attach", "detach", "status", "logs", "history", "ui", "stop", "restart", "delete"})
HOSTILE = [
    "''",
    "' '",
    "'a  b '",
    "nope",
    "'no pe'",
    "'it'\"'\"'s'",
    "été",
    "名前",
    "'שלום עולם'",
    "'\u202egpj.exe'",
    "'a\u0301'",
    "-- --x",
    "-",
    "'--no pe'",
    "'$x'",
    "$nothing",
    "'{x}'",
    "{1+1}",
    "'<img src=x onerror=alert(1)>'",
    "'\x1b[31mred\x1b[0m'",
    "'a/b/../c'",
    "'%2e%2e'",
    "'a?x=1#y'",
    "proxy",
    "history",
    "'a\tb'",
    "0123456789abcdef",
    "x" * 300,
    r"'\\'",
    "';drop table engine'",
]
"""Names without an engine."""
BAD_FLAGS = {
    "unknown": "--nope",
    "unknown with a value": "--nope=1",
    "short": "-z",
    "abbreviated": "--hel",
}
BAD_NUMBERS = ["-1", "two", "NaN", "inf", "-inf", "1e999", "''", "1.5.2", "0x10", "9" * 40]


@pytest.fixture(scope="module")
def mine(place: Place) -> Iterator[Kernel]:
    """A notebook on the shared engine, detached, so that a verb without a name is one on the only engine."""
    done = place.run_python(f"import rucat_jupyter; rucat_jupyter.create({ENGINE!r})")
    assert done.returncode == 0, done.stderr
    with kernel(place.env, place.root, place.root / "matrix.ipynb", allow_stdin=False) as found:
        found.run("%load_ext rucat_jupyter\n%rucat list\nx = 'nope'")
        yield found


def check(cell: Cell, line: str, most: int = ONE_LINE) -> str:
    """Assert that the cell showed one line without a traceback of Rucat; returns the line."""
    said = "\n".join(part for part in (cell.stdout, *cell.shown.values(), cell.stderr, cell.error) if part.strip())
    assert "Traceback" not in said, f"{line!r}: {said}"
    assert "rucat_jupyter/" not in said, f"{line!r}: {said}"
    assert said.strip(), f"{line!r} said nothing"
    lines = said.strip().splitlines()
    assert len(lines) <= most, f"{line!r}: {said}"
    assert "\x1b" not in said.replace("\x1b[0m", ""), f"{line!r}: {said!r}"
    return said


@pytest.mark.parametrize("verb", VERBS)
def test_wrong_words_are_one_line(mine: Kernel, verb: str) -> None:
    """Unknown flags, open quotes, too many words: a usage line that names the verb, and nothing is done."""
    for flag in BAD_FLAGS.values():
        cell = mine.run(f"%rucat {verb} {flag}", may_fail=True)
        said = check(cell, f"{verb} {flag}")
        assert verb in said
        assert cell.seconds < 3
    if not VERBS[verb].takes_rest:
        assert "quote" in check(mine.run(f"%rucat {verb} 'open", may_fail=True), f"{verb} 'open")
        assert "unexpected argument" in check(mine.run(f"%rucat {verb} a b c d", may_fail=True), f"{verb} a b c d")


@pytest.mark.all
@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_without_its_value_or_with_a_wrong_one_is_one_line(mine: Kernel, verb: str) -> None:
    """Invalid or too large numbers, missing values: one line, and no action."""
    from rucat_jupyter.verbs.parser import Parser

    for action in Parser(VERBS[verb]).options():
        flag = action.option_strings[0]
        if action.nargs == 0 or action.nargs == "?":
            continue
        assert "expected one argument" in check(mine.run(f"%rucat {verb} {flag}", may_fail=True), f"{verb} {flag}")
        if action.type is None or "no_wait" in (action.dest,):
            continue
        for wrong in BAD_NUMBERS if action.type.__name__ in ("count", "seconds") else ("''", "'a b'", "1x"):
            line = f"%rucat {verb} {flag}={wrong}"
            if wrong.isdecimal():
                continue  # a number: what is too much of it is said by the gateway, below
            check(mine.run(line, may_fail=True), line)


@pytest.mark.all
@pytest.mark.slow
@pytest.mark.parametrize("verb", NAMED)
def test_unknown_names_are_one_line(mine: Kernel, verb: str) -> None:
    """With any characters, which are shown as text."""
    for name in HOSTILE:
        line = f"%rucat {verb} {name}" + (" --yes" if verb == "delete" else "")
        cell = mine.run(line, may_fail=True)
        said = check(cell, line)
        assert "\u202e" not in said
        assert cell.seconds < 5, line
    assert f"● {ENGINE}" in mine.run("%rucat list").text


def test_create_rejects_invalid_names(mine: Kernel) -> None:
    """In one line; valid names are not changed."""
    for name in ("' '", "'a/b'", "'-a'", "proxy", "0123456789abcdef", "x" * 64, "'<b>'", "'\x1b[31m'", "'\u202ea'"):
        check(mine.run(f"%rucat create {name} --no-wait", may_fail=True), name)
    for name in ("'a b'", "名前", "été", "'שלום עולם'"):
        said = mine.run(f"%rucat create {name} --no-wait").text
        assert "Pending" in said
        shown = said.split("◌ ")[1].split("  ")[0]
        assert f"{shown} is deleted." in mine.run(f"%rucat delete {name} --yes").text


def test_create_rejects_invalid_settings(mine: Kernel) -> None:
    """Too large, invalid or denied: one line names the setting, and no engine is created."""
    for flags in (
        f"--executors {'9' * 40}",
        "--driver-memory lots",
        "--driver-memory -1g",
        "--driver-memory ''",
        "--profile nope",
        "--profile ''",
        "--conf spark.master=yarn",
        "--conf 'spark.x=\x00'",
        "--conf =x",
        "--conf ''",
        f"--tail {'9' * 40}",
    ):
        check(mine.run(f"%rucat create refused --no-wait {flags}", may_fail=True), flags)
    assert "refused" not in mine.run("%rucat list").text
    check(mine.run(f"%rucat logs {ENGINE} --tail {'9' * 40}", may_fail=True), "tail")


def test_unusual_lines_work(mine: Kernel) -> None:
    """Comments, semicolons, a flag twice, an id for a name, a variable, more blanks."""
    assert f"● {ENGINE}" in mine.run("%rucat list;").text
    assert f"● {ENGINE}" in mine.run("%rucat   list   # all of mine").text
    assert f"● {ENGINE}" in mine.run(f"%rucat status {ENGINE} ;").text
    found = re.search(r"id (\w{16})", mine.run(f"%rucat status '{ENGINE}'  # quoted").text)
    assert found is not None
    assert f"● {ENGINE}" in mine.run(f"%rucat status {found[1]}").text
    assert f"● {ENGINE}" in mine.run(f"mine = '{ENGINE}'\n%rucat status $mine").text
    assert mine.run(f"%rucat logs {ENGINE} --tail 5 --tail 1").text.strip().count("\n") == 0
    assert "no verb 'lst' (did you mean list?)" in check(mine.run("%rucat lst", may_fail=True), "lst")
    for verb in ("list", "stop", "nope"):
        check(mine.run(f"%%rucat {verb}\nbody", may_fail=True), verb)
    assert f"● {ENGINE}" in mine.run("%rucat").text


def test_verbs_work_wherever_code_runs(mine: Kernel) -> None:
    """Functions, loops, with, threads, tasks, %%capture, %%time, assignment, twice in one cell."""
    shown = f"● {ENGINE}"
    assert mine.run("%rucat list\n%rucat list").text.count(shown) == 2
    assert mine.run("def look():\n    %rucat list\nfor _ in range(2):\n    look()").text.count(shown) == 2
    assert mine.run("import contextlib\nwith contextlib.nullcontext():\n    %rucat list").text.count(shown) == 1
    thread = "import threading\nt = threading.Thread(target=lambda: get_ipython().run_line_magic('rucat', 'list'))\n"
    assert mine.run(f"{thread}t.start(); t.join()").text.count(shown) == 1
    assert (
        mine.run("async def a():\n    %rucat list\nimport asyncio\nawait asyncio.gather(a(), a())").text.count(shown)
        == 2
    )
    assert shown not in mine.run("%%capture out\n%rucat list").text
    assert mine.run("print(len(out.outputs) + len(out.stdout))").stdout != "0\n"
    assert mine.run("%%time\n%rucat list").text.count(shown) == 1
    assert mine.run("%time %rucat list").text.count(shown) == 1
    cell = mine.run("found = %rucat list\nprint(type(found).__name__, len(found))")
    assert cell.text.count(shown) == 1
    assert re.search(r"^Engines \d+\n\Z", cell.stdout, re.MULTILINE)
    cell = mine.run(f"one = %rucat status {ENGINE}\nprint(one.status)")
    assert cell.stdout.endswith("Running\n")
    assert mine.run("rucat list").text.count(shown) == 1
    mine.run("%autocall 1")
    assert mine.run("rucat list").text.count(shown) == 1
    mine.run("%autocall 0")
    assert mine.run("get_ipython().run_cell('%rucat list');").text.count(shown) == 1


@pytest.mark.all
def test_an_error_in_a_thread_or_task_is_one_line(mine: Kernel) -> None:
    """Python shows errors of threads in its own way; errors of Rucat are ordinary exceptions there."""
    code = (
        "import threading\nsaid = []\n"
        "def ask():\n"
        "    try:\n        get_ipython().run_line_magic('rucat', 'stop nope')\n"
        "    except Exception as error:\n        said.append(type(error).__name__ + str(error))\n"
        "t = threading.Thread(target=ask); t.start(); t.join(); print(said)"
    )
    assert "there is no engine 'nope'" in mine.run(code).stdout
    assert (
        "EngineNotFound"
        in mine.run(
            "from rucat_jupyter.core.errors import RucatError\ntry:\n    %rucat stop nope\n"
            "except RucatError as error:\n    print(type(error).__name__)"
        ).stdout
    )


@pytest.mark.all
def test_many_threads_in_parallel(mine: Kernel) -> None:
    """Twenty threads list and look at the same time; each gets its answer."""
    code = (
        "import concurrent.futures as cf\n"
        "def ask(n):\n    get_ipython().run_line_magic('rucat', ['list', 'status %s'][n % 2] % () if n % 2 == 0 else "
        f"'status {ENGINE}')\n    return n\n"
        "with cf.ThreadPoolExecutor(20) as pool:\n    print(sorted(pool.map(ask, range(20))) == list(range(20)))"
    )
    assert "True" in mine.run(code).stdout


@pytest.mark.all
def test_the_extension_loads_twice_reloads_and_unloads_clean(place: Place, mine: Kernel) -> None:
    """Bound variables survive a reload; after unloading the shell contains nothing of Rucat."""
    with kernel(place.env, place.root, place.root / "reload.ipynb") as other:
        other.run(
            "ip = get_ipython()\nhooks = lambda: {e: [str(f) for f in c] for e, c in ip.events.callbacks.items()}"
        )
        other.run("before = hooks(), len(ip.Completer.custom_matchers), ip.object_inspect_mime.__func__")
        other.run("import rucat_jupyter, rucat_jupyter\n%load_ext rucat_jupyter\n%load_ext rucat_jupyter")
        other.run(f"rucat_jupyter.load_ipython_extension(ip)\n%rucat attach {ENGINE}")
        other.run("once = hooks()\n%reload_ext rucat_jupyter")
        assert other.run("print(hooks() == once or (once, hooks()))").stdout == "True\n"
        assert f"● {ENGINE}" in other.run("%rucat status").text
        assert other.run("print(spark.range(3).count())").stdout == "3\n"
        assert "Detached" in other.run("%rucat detach").text
        other.run("%unload_ext rucat_jupyter")
        other.run("after = hooks(), len(ip.Completer.custom_matchers), ip.object_inspect_mime.__func__")
        assert other.run("print(after == before)").stdout == "True\n", other.run("print(before, after)").stdout
        assert "not found" in other.run("%rucat list", may_fail=True).stderr
        other.run("%load_ext rucat_jupyter")
        assert f"● {ENGINE}" in other.run("%rucat list").text


@pytest.mark.all
def test_no_data_directory_is_one_line(place: Place, tmp_path: Path) -> None:
    """Without a writable directory every verb says so, and which setting to use."""
    locked = tmp_path / "file"
    locked.write_text("")  # a file where the directory would be: even root cannot use it
    env = {**place.env, "RUCAT_DATA_DIR": str(locked / "rucat")}
    with kernel(env, place.root, place.root / "locked.ipynb", allow_stdin=False) as found:
        found.run("%load_ext rucat_jupyter")
        for verb in VERBS:
            if verb in ("error", "doctor", "sql", "profiles", "plan", "save", "ui", "detach"):
                continue
            line = f"%rucat {verb}" + ("" if verb == "list" else " x") + (" --yes" if verb == "delete" else "")
            said = check(found.run(line, may_fail=True), line)
            assert "RUCAT_DATA_DIR" in said
        assert found.complete("%rucat stop ")["matches"][:1] != ["x"]


@pytest.mark.all
def test_a_gateway_killed_in_the_middle_is_not_noticed(place: Place, mine: Kernel) -> None:
    """A kill -9 between and while verbs run: the next gateway answers."""
    for verb in ("list", f"status {ENGINE}", f"history {ENGINE}", f"logs {ENGINE} --tail 1"):
        pid = place.gateway_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        cell = mine.run(f"%rucat {verb}")
        assert cell.text.strip()
        assert not cell.stderr


@pytest.mark.all
def test_completion_answers_with_and_without_a_gateway(place: Place, mine: Kernel) -> None:
    """Verbs, flags, names, settings with their documentation; a dead or frozen gateway holds no key press."""
    assert {"create", "stop", "sql"} <= set(mine.complete("%rucat ")["matches"])
    flags = mine.complete("%rucat create --no-wait --conf a=b --")["matches"]
    assert "--conf" in flags
    assert "--no-wait" not in flags
    wait_until("the name", lambda: mine.complete("%rucat stop ")["matches"][:1] == [ENGINE], 10)
    assert mine.complete("x = %rucat status sha")["matches"] == [ENGINE]
    assert mine.complete("%rucat create --profile ")["matches"]
    wait_until("settings", lambda: mine.complete("%rucat create --conf spark.sql.s")["matches"], 10)
    reply = mine.complete("%rucat create --conf spark.sql.shuffle.part")
    assert reply["matches"] == ["spark.sql.shuffle.partitions="]
    assert reply["metadata"]["_jupyter_types_experimental"][0]["type"] == "setting"
    shown = mine.inspect("%rucat create --conf spark.sql.shuffle.partitions=")["data"]["text/plain"]
    assert "default 200" in shown
    assert "number of partitions to use when shuffling" in shown
    assert "%rucat stop [NAME]" in mine.inspect("%rucat stop")["data"]["text/plain"]
    assert mine.inspect("len")["data"]["text/plain"]
    assert mine.complete("%%rucat ")["matches"] == ["sql"]
    pid = place.gateway_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        assert mine.timed_complete("%rucat stop ") < 0.8
    finally:
        os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGKILL)
    assert mine.timed_complete("%rucat logs ") < 0.8
    wait_until("no gateway: Tab starts none", lambda: place.gateway_pid is None, 5)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_is_text(mine: Kernel, verb: str) -> None:
    """By --help, -h and help VERB: the same words, what it does, examples."""
    said = mine.run(f"%rucat {verb} --help").stdout
    assert f"rucat {verb}" in said
    assert VERBS[verb].does in said
    assert "Examples" in said
    assert said == mine.run(f"%rucat {verb} -h").stdout == mine.run(f"%rucat help {verb}").stdout
    assert max(map(len, said.splitlines())) <= 120

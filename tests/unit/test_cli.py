"""The command line without a gateway: its messages, its help, its tables, and which modules it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.errors import ArithmeticException

from rucat_jupyter.cli import app, errors, output, sql, table
from rucat_jupyter.client import errors as failures
from rucat_jupyter.client.spark_errors import last
from rucat_jupyter.client.words import tables
from rucat_jupyter.verbs.parser import TERMINAL
from rucat_jupyter.verbs.table import verbs_of

HEAVY = ("pyspark", "fastapi", "surrealdb", "grpc", "kubernetes", "IPython", "pandas", "uvicorn")


@pytest.fixture(autouse=True)
def own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(failures._voice, "words", "")


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app.run(lambda: None, words)
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lits",), "there is no verb 'lits' (did you mean list?). Verbs: create, attach, list, status, "),
        (("create", "--memroy", "4g"), "create has no flag --memroy (did you mean --driver-memory?)"),
        (("create", "--bogus"), "create has no flag --bogus. See: rucat create --help"),
        (("create", "a", "b c"), "create: unexpected argument 'b c'; quote a name that contains spaces"),
        (("create", "--timeout", "nan"), "'nan' is not a number of seconds, 0 or more"),
        (("create", "--timeout"), "--timeout: expected one argument"),
        (("logs", "--tail", "-1"), "--tail"),
        (
            ("logs", "--json", "--follow"),
            "logs: --json prints one complete document, so it cannot be used with --follow",
        ),
        (("list", "--status", "Runing"), "there is no status 'Runing' (did you mean Running?)"),
        (("serve", "--engines"), "serve: --engines needs --stop"),
        (("serve", "--stop", "--replace"), "serve: --replace and --stop exclude each other"),
        (("--nope",), "rucat has no flag --nope"),
    ],
)
def test_wrong_use_is_one_line(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The mistake and a suggestion on stderr; exit code 2, and with --json an error of REST."""
    assert run(*words) == errors.USAGE
    out, err = capsys.readouterr()
    assert said in err
    assert len(err.splitlines()) == 1
    if "--json" in words:
        assert json.loads(out)["code"] == "bad_usage"


def test_every_verb_has_help_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """``rucat`` alone shows the verbs and the exit codes; ``rucat VERB --help`` shows examples."""
    assert run() == 0
    overview = capsys.readouterr().out
    assert "130  Ctrl-C; the engine keeps running" in overview
    for name in verbs_of(TERMINAL):
        assert f"\n  {name} " in overview
        for words in ((name, "--help"), ("help", name), (name, "-h")):
            assert run(*words) == 0
            help_text = capsys.readouterr().out
            assert help_text.startswith(f"rucat {name}")
            assert f"rucat {name}" in help_text.partition("\nExamples\n")[2]


def test_a_table_drops_column_by_column() -> None:
    """In a narrow terminal the note is cut, then columns are dropped; wide characters count twice."""
    rows = [("● 日本語", "Running", "here", "why " * 20)]
    for width in (None, 80, 40, 30, 20):
        lines = table.fitted(("NAME", "STATUS", "WHERE", "NOTE"), rows, width, ("WHERE", "NOTE"))
        assert len(lines) == 2
        assert width is None or max(map(tables.width, lines)) <= width
        assert "Running" in lines[1]


def test_help_loads_nothing_heavy() -> None:
    """Every command starts quickly: it loads neither Spark nor the server side."""
    code = f"""
import sys
sys.argv = ["rucat", "create", "--help"]
from rucat_jupyter.__main__ import main
try:
    main()
except SystemExit:
    print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_doctor_works_without_any_package() -> None:
    """With only the standard library, doctor lists what is missing; other verbs name doctor."""
    root = app.__file__.rpartition("/rucat_jupyter/")[0]
    command = [sys.executable, "-S", "-m", "rucat_jupyter"]
    env = {"PYTHONPATH": root, "HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    report = subprocess.run(
        [*command, "doctor", "--json"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (report.returncode, report.stderr) == (1, "")
    found = json.loads(report.stdout)
    assert found["level"] == "bad"
    assert "no pyspark" in "".join(finding["found"] for finding in found["findings"])
    other = subprocess.run([*command, "list"], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert other.returncode == 1
    assert "is missing. See how to install it: rucat doctor" in other.stderr
    assert "Traceback" not in other.stderr


FOLLOWS = "from rucat_jupyter.cli import reader\nimport time\nprint('one', flush=True)\n"


def test_a_follower_ends_when_its_reader_has_gone_even_without_new_lines() -> None:
    """``rucat logs --follow | head -1`` ends immediately and without a message, like ``tail --follow``."""
    words = FOLLOWS + "with reader.needed():\n  time.sleep(30)\n"
    follower = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"one\n"
    follower.stdout.close()
    assert follower.wait(10) == 141
    assert follower.stderr is not None
    assert follower.stderr.read() == b""
    follower.stderr.close()


def test_a_follower_with_a_reader_continues() -> None:
    """The block ends, and the program continues."""
    words = FOLLOWS + "with reader.needed():\n  time.sleep(0.2)\nprint('two')\n"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("one\ntwo\n", "", 0)


def test_a_file_with_the_phases_ends_with_the_result(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard error in a file of its own does not end with Pending; where both are one file, nothing is said twice."""
    phase = output.phase(is_json=False)
    phase.show("◌ a  Pending   0 s", "◌ a  Pending")
    phase.end("● a  Running")
    assert capfd.readouterr() == ("● a  Running\n", "◌ a  Pending\n● a  Running\n")
    output.phase(is_json=False).end("● a  Running")
    assert capfd.readouterr() == ("● a  Running\n", "")


def test_one_file_for_both_streams_gets_the_result_once() -> None:
    """As with 2>&1."""
    code = (
        "from rucat_jupyter.cli import output; phase = output.phase(is_json=False); "
        "phase.show('a Pending 0 s', 'a Pending'); phase.end('a Running')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    assert done.stdout == "a Pending\na Running\n"


def test_an_error_between_rows_ends_the_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was printed is valid JSON, with the rows so far and the error; only this user can read it again."""
    monkeypatch.setenv("RUCAT_DATA_DIR", str(tmp_path / "data"))

    def rows() -> Iterator[str]:
        yield '{"a": 1}'
        raise ArithmeticException("[DIVIDE_BY_ZERO] Division by zero.")

    assert sql._print_json(rows()) == errors.FAILED
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["rows"], found["error"]["code"]) == ([{"a": 1}], "statement_failed")
    assert err.startswith("rucat: [DIVIDE_BY_ZERO]")
    assert (tmp_path / "data" / last.FILE).stat().st_mode & 0o777 == 0o600
    assert run("error") == 0
    assert "[DIVIDE_BY_ZERO] Division by zero." in capsys.readouterr().out
    assert run("error", "--verbose") == 0
    assert "Traceback" in capsys.readouterr().out

"""``rucat sql``, ``error``, ``save`` and ``ui`` on a real engine."""

from __future__ import annotations

import csv
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.place import Place, place_in, wait_until
from support.terminal import Terminal

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
RUCAT = (sys.executable, "-m", "rucat_jupyter")
TYPES = """
select 1 as n, 1 as n, cast(null as string) as none, '' as empty, 'a "b", c\nd' as words, date '2026-01-31' as day,
 array(1, 2) as list, named_struct('a', 1) as part, map('k', true) as pairs, 1.50 as price, X'00ff' as bytes,
 interval '1-2' year to month as months, timestamp_ntz '2026-01-31 10:00:00' as at
"""
MB = 1024


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_in(tmp_path_factory.mktemp("q")) as place:
        place.start_quickly()
        assert place.rucat("create", "etl", timeout_s=180).returncode == 0
        yield place


def peak(place: Place, out: Path, *words: str) -> int:
    """Run a command with its output in a file; returns its peak of memory in KiB."""
    with out.open("w") as file:
        started = subprocess.Popen([*RUCAT, *words], env=place.env, cwd=place.root, stdout=file)
        _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    assert started.returncode == 0
    return usage.ru_maxrss


@pytest.mark.parametrize("form", ["--csv", pytest.param("--json", marks=pytest.mark.all)])
def test_a_million_rows_are_streamed(place: Place, form: str) -> None:
    """Every row arrives, in order, and memory does not grow with the number of rows."""
    out = place.root / f"rows{form}"
    statement = "select id, repeat('x', 100) as words from range({}) order by id"
    few = peak(place, out, "sql", statement.format(1000), "--engine", "etl", form)
    many = peak(place, out, "sql", statement.format(1_000_000), "--engine", "etl", form)
    with out.open(newline="") as file:
        if form == "--csv":
            rows = csv.reader(file)
            assert next(rows) == ["id", "words"]
            ids = [int(row[0]) for row in rows]
        else:
            ids = [row["id"] for row in json.load(file)["rows"]]
    assert ids == list(range(1_000_000))
    assert out.stat().st_size > 100 * MB * MB  # of which only a part may be in memory
    assert many - few < 60 * MB, (few, many)


@pytest.mark.all
def test_all_types_have_a_text(place: Place) -> None:
    """Also repeated names, nested values, quotes, line breaks and NULL."""
    done = place.rucat("sql", TYPES, "--engine", "etl", "--csv")
    assert done.returncode == 0, done.stderr
    header, row = csv.reader(done.stdout.splitlines(keepends=True))
    assert header[:5] == ["n", "n", "none", "empty", "words"]
    assert row == [
        *("1", "1", "", "", 'a "b", c\nd', "2026-01-31", "[1, 2]", "{1}", "{k -> true}", "1.50", "AP8="),
        *("INTERVAL '1-2' YEAR TO MONTH", "2026-01-31 10:00:00"),
    ]
    done = place.rucat("sql", "select array(1) as a, null as b, 2.5D as c", "--json")
    assert json.loads(done.stdout) == {"rows": [{"a": [1], "b": None, "c": 2.5}]}


def test_a_table_shows_the_first_rows(place: Place) -> None:
    """100 of them, or --limit; parameters are bound; a statement without rows is valid; stdin is read."""
    done = place.rucat("sql", "select id from range(500) where id >= :least", "--arg", "least=7")
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0].strip(), lines[1].strip(), len(lines)) == (0, "id", "7", 101)
    assert "100 rows of more" in done.stderr
    assert len(place.rucat("sql", "select id from range(500);", "--limit", "all").stdout.splitlines()) == 501
    made = place.rucat("sql", "create temp view v as select 1")
    assert (made.returncode, made.stdout) == (0, "")
    assert json.loads(place.rucat("sql", "create or replace temp view v as select 1", "--json").stdout) == {"rows": []}
    piped = subprocess.run(
        [*RUCAT, "sql", "-"], input="select 'in'", env=place.env, capture_output=True, text=True, check=True, timeout=60
    )
    assert "in" in piped.stdout
    head = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m rucat_jupyter sql 'select id from range(1000000)' --csv | head -2"],
        env=place.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (head.stdout, head.stderr) == ("id\n0\n", "")


def test_an_error_has_its_cause_first_and_an_exit_code(place: Place) -> None:
    """In at most five lines; ``rucat error`` shows it again, and in full; with --json it is JSON."""
    done = place.rucat("sql", "select hour from values (1) as t(hours)", "--engine", "etl")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rucat: [UNRESOLVED_COLUMN.WITH_SUGGESTION]")
    assert len(done.stderr.splitlines()) <= 5
    assert "rucat error --verbose" in done.stderr
    again = place.rucat("error")
    assert again.stdout.splitlines()[0] == done.stderr.splitlines()[0].removeprefix("rucat: ")
    assert "Traceback" in place.rucat("error", "--verbose").stdout
    late = place.rucat("sql", "select 1 / (id - 5) from range(10)", "--json")
    found = json.loads(late.stdout)  # with the rows that came before the error, if any did
    assert (late.returncode, found.get("error", found)["code"]) == (1, "statement_failed")
    early = place.rucat("sql", "select", "--json")
    assert (early.returncode, json.loads(early.stdout)["code"]) == (1, "statement_failed")
    assert place.rucat("sql", "select 1", "--engine", "missing").returncode == 3
    assert place.rucat("sql", " ").returncode == 2
    assert place.rucat("sql", "select :a", "--arg", "a:=1").returncode == 2


@pytest.mark.all
def test_ctrl_c_cancels_the_statement_on_the_engine(place: Place) -> None:
    """With the exit code of SIGINT, and without a traceback; nothing runs afterwards."""
    look = "import rucat_jupyter; print(rucat_jupyter.get('etl').operations())"
    command = [*RUCAT, "sql", "select count(*) from range(100000000000000)"]
    shown = subprocess.Popen(command, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until("it runs", lambda: "select count" in place.run_python(look).stdout, 60)
        shown.send_signal(signal.SIGINT)
        out, said = shown.communicate(timeout=20)
    finally:
        shown.kill()
    assert (shown.returncode, out, "Traceback" in said) == (130, "", False)
    wait_until("nothing runs", lambda: "Nothing runs" in place.run_python(look).stdout, 30)


@pytest.mark.all
def test_settings_are_saved_as_a_profile(place: Place) -> None:
    """Which the next create may use."""
    done = place.rucat("save", "etl", "--as-profile", "mine")
    assert (done.returncode, "rucat create --profile mine" in done.stdout) == (0, True), done.stderr
    assert place.rucat("save", "etl").returncode == 2


def test_the_spark_ui_opens_once_in_one_browser(place: Place) -> None:
    """The printed address leads to the page; another program, another browser and a second use are refused."""
    shown = Terminal([*RUCAT, "ui", "etl"], place.env, place.root)
    try:
        shown.wait_for("To end: Ctrl-C")
        found = re.search(r"http://127\.0\.0\.1:(\d+)(/\?ticket=\S+)", shown.seen)
        assert found is not None
        port, ticket = int(found[1]), found[2]

        def get(path: str, browser: str = "mine", **headers: str) -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", path, headers={"User-Agent": browser, "Accept": "text/html", **headers})
            return connection.getresponse()

        assert get("/").status == get("/?ticket=wrong").status == get("/rucat/engines").status == 403
        first = get(ticket)
        root = first.headers["Location"]
        assert first.status == 303
        cookie = first.headers["Set-Cookie"].partition(";")[0]
        assert get(ticket).status == 403
        assert get(root, "another").status == 403
        assert get(root, **{"Sec-Fetch-Dest": "document"}).status == 403
        page = get(f"{root}jobs/", **{"Sec-Fetch-Dest": "document", "Cookie": cookie})
        body = page.read().decode()
        assert page.status == 200
        assert "sandbox" in page.headers["Content-Security-Policy"]
        script = re.search(r'src="([^"]*jquery[^"]*\.min\.js)"', body)
        assert script is not None
        assert urlsplit(script[1]).path.startswith(root)
        assert b"localStorage" in get(script[1]).read()[:100]
        assert get(root.replace("/ui/", "/ui/../")).status == 403
        moved = get(f"{root}")
        assert moved.status in (200, 302)
        if moved.status == 302:
            assert urlsplit(moved.headers["Location"]).path.startswith(root)
        shown.type("\x03")
        assert shown.end() == 130
    finally:
        shown.close()

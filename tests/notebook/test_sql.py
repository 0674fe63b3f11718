"""``%%rucat sql`` in real kernels on a real engine: parameters, types, limits, several statements, plans, charts."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support.notebook import Cell, Kernel, kernel
from support.place import Place, wait_until

from .conftest import ENGINE

pytestmark = pytest.mark.engine

HOSTILE = [
    "'; DROP TABLE kept; --",
    "' OR 1=1 --",
    '"double" `back` \\ \\\' \\n',
    "line\nbreak\ttab",
    ":n :name ?; select 2",
    "${x} {x} $x %s {{x}}",
    "/* comment */ -- more",
    "日本語 🙂 \u202e",
    "x" * 100_000,
    "",
]
TYPES = """
select cast(v as tinyint) i8, cast(v as smallint) i16, cast(v as int) i32, cast(v as bigint) i64, v = 1 as b,
  cast(v as float) f32, cast(v as double) f64, cast(v as decimal(38, 18)) dec, cast(v as string) s,
  cast(cast(v as string) as binary) bin, date'2026-01-31' + cast(v as int) d,
  timestamp'2026-07-01 12:00:00.123456 Europe/Berlin' + make_interval(0,0,0,cast(v as int)) ts,
  timestamp_ntz'2026-07-01 12:00:00.123456' + make_interval(0,0,0,cast(v as int)) ntz,
  make_dt_interval(cast(v as int), 1) dt, make_ym_interval(cast(v as int), 2) ym, array(v, null) arr,
  map('k', v) m, struct(v as x, array(struct(v as y)) as ys) st, cast(null as void) n
from values (1), (null) t(v)
"""
PANDAS = """
import datetime as dt, decimal, zoneinfo, pandas as pd
one, two = df.iloc[0], df.iloc[1]
assert list(map(str, df.dtypes))[:7] == ["Int8", "Int16", "Int32", "Int64", "boolean", "float32", "float64"], df.dtypes
assert [one.i8, one.i16, one.i32, one.i64, bool(one.b)] == [1, 1, 1, 1, True]
assert all(two[c] is pd.NA for c in ("i8", "i16", "i32", "i64", "b"))
assert one.dec == decimal.Decimal("1.000000000000000000") and one.dec.as_tuple().exponent == -18 and two.dec is None
assert (one.s, two.s, one.bin, two.bin) == ("1", None, b"1", None)
assert (one.d, two.d) == (dt.date(2026, 2, 1), None)
assert str(df.ts.dtype) == "datetime64[us, Europe/Berlin]", df.ts.dtype
assert one.ts == pd.Timestamp("2026-07-02 12:00:00.123456", tz="Europe/Berlin") and two.ts is pd.NaT
assert str(df.ntz.dtype) == "datetime64[us]" and one.ntz == pd.Timestamp("2026-07-02 12:00:00.123456")
assert one["dt"] == pd.Timedelta(days=1, hours=1) and one.ym == pd.DateOffset(months=14) and two.ym is None
assert (one.arr, two.arr) == ([1, None], [None, None]) and type(one.arr[0]) is int
assert (one.m, two.m) == ({"k": 1}, {"k": None})
assert one.st == {"x": 1, "ys": [{"y": 1}]} and two.st == {"x": None, "ys": [{"y": None}]}
assert one.n is None
"""
POLARS = """
import datetime as dt, decimal, zoneinfo, polars as pl
one, two = df.rows(named=True)
assert df.schema["i8"] == pl.Int8 and df.schema["dec"] == pl.Decimal(38, 18)
assert df.schema["ts"] == pl.Datetime("us", "Europe/Berlin") and df.schema["ntz"] == pl.Datetime("us")
assert (one["i64"], one["b"], one["dec"], one["bin"]) == (1, True, decimal.Decimal("1.000000000000000000"), b"1")
assert one["ts"] == dt.datetime(2026, 7, 2, 12, 0, 0, 123456, zoneinfo.ZoneInfo("Europe/Berlin"))
assert (one["d"], one["dt"], one["ym"]) == (dt.date(2026, 2, 1), dt.timedelta(days=1, hours=1), "14mo")
assert (one["arr"], one["st"]) == ([1, None], {"x": 1, "ys": [{"y": 1}]})
assert two["i64"] is two["b"] is two["dec"] is two["ts"] is two["d"] is two["ym"] is two["n"] is None
"""
ARROW = """
import pyarrow as pa
assert df.num_rows == 2 and df.schema.field("dec").type == pa.decimal128(38, 18)
assert df.schema.field("ts").type == pa.timestamp("us", "Europe/Berlin") and df.column("i64").null_count == 1
assert df.column("arr").to_pylist() == [[1, None], [None, None]]
assert df.column("m").to_pylist() == [[("k", 1)], [("k", None)]]
"""
SPARK = """
from pyspark.sql.connect.dataframe import DataFrame
assert isinstance(df, DataFrame) and [r.i64 for r in df.select('i64').collect()] == [1, None]
assert df.schema["ym"].dataType.simpleString() == "interval year to month"
"""


def results(cell: Cell) -> list[str]:
    """Output without the progress bar, which appears on a slow machine."""
    return [shown for key, shown in cell.shown.items() if not key.startswith("rucat-")]


@pytest.fixture(scope="module")
def shared(place: Place) -> Iterator[Kernel]:
    """One notebook that is attached, for all tests here."""
    made = place.run_python(f"import rucat_jupyter; rucat_jupyter.create({ENGINE!r})")
    assert made.returncode == 0, made.stderr
    with kernel(place.env, place.root, place.root / "sql.ipynb") as found:
        found.run(f"%load_ext rucat_jupyter\n%colors nocolor\n%rucat attach {ENGINE}")
        found.run("spark.conf.set('spark.sql.session.timeZone', 'Europe/Berlin')")
        found.run("%rucat sql select 1")  # an engine's first one takes seconds
        yield found


def test_no_engine_is_one_line(place: Place) -> None:
    """It says what to type."""
    with kernel(place.env, place.root) as bare:
        bare.run("%load_ext rucat_jupyter")
        cell = bare.run("%%rucat sql\nselect 1", may_fail=True)
        assert "no engine is attached here. Create one: %rucat create" in cell.error + cell.stderr


def test_a_table_has_names_types_and_a_note(shared: Kernel) -> None:
    """The result is kept in ``_``, and is the value of the line."""
    cell = shared.run("%rucat sql select 1 a, 'NULL' a, null n, timestamp'2026-01-01 12:00:00' t;")
    lines = results(cell)[0].splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["a", "a", "n", "t"],
        ["int", "string", "void", "timestamp", "(Europe/Berlin)"],
    ]
    assert lines[3].split() == ["1", '"NULL"', "NULL", "2026-01-01", "12:00:00"]
    assert lines[4].startswith("1 row · ")
    assert (
        shared.run("print(_.columns, len(_), _.df.count(), _.pandas().shape)").stdout
        == "['a', 'a', 'n', 't'] 1 1 (1, 4)\n"
    )
    assert shared.run("x = %rucat sql select 7 as seven\nprint(x.arrow().to_pydict())").stdout == "{'seven': [7]}\n"


def test_hostile_values_change_nothing_but_the_value(shared: Kernel) -> None:
    """By expression, and typed on the line."""
    shared.run("%rucat sql create or replace temp view kept as select 1 as one")
    shared.run(f"import shlex; hostile = {HOSTILE!r}; x = 'not this'")
    shared.run(
        "for h in hostile:\n"
        "    %rucat sql --out df --arg v:=h select :v v, length(:v) n\n"
        "    assert (df.v[0], df.n[0]) == (h, len(h)), h\n"
        "    get_ipython().run_cell_magic('rucat', f'sql --out df --arg {shlex.quote(\"v=\" + h)}', 'select :v v')\n"
        "    assert df.v[0] == h, h\n"
        "assert spark.table('kept').count() == 1"
    )


def test_values_have_the_types_that_they_look_like(shared: Kernel) -> None:
    """And Python's own by an expression; in commands and views as well."""
    typed = ["n=5", "z=007", "f=1.5", "b=true", "d=2026-01-31", "o=null", "l:=[1,2]", "m:={'a': 1.5}"]
    line = " ".join(f'--arg "{arg}"' for arg in typed)
    shared.run(f"%%rucat sql --out df {line}\nselect {', '.join(f'typeof(:{arg[0]})' for arg in typed)}")
    kinds = ["int", "string", "double", "boolean", "date", "void", "array<int>", "map<string,double>"]
    assert shared.run("print(list(df.iloc[0]))").stdout == f"{kinds}\n"
    shared.run("%rucat sql --view big --arg n=3 select id from range(6) where id > :n")
    assert shared.run("print([r.id for r in spark.table('big').collect()])").stdout == "[4, 5]\n"
    missing = shared.run("%rucat sql select :nope", may_fail=True)
    assert "UNBOUND_SQL_PARAMETER" in missing.error
    assert "Set its value: --arg nope=VALUE" in missing.error


@pytest.mark.parametrize(
    ("kind", "check"), [("pandas", PANDAS), ("polars", POLARS), ("arrow", ARROW), ("spark", SPARK)]
)
def test_types_come_through_whole(shared: Kernel, kind: str, check: str) -> None:
    """Decimals, moments with and without a zone, dates, intervals, nested values, binary, and nulls of all."""
    shared.run(f"%%rucat sql --out df --as {kind}\n{TYPES}")
    shared.run(check)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "spark"])
def test_an_empty_result_keeps_its_columns(shared: Kernel, kind: str) -> None:
    """No row, every name."""
    columns = "df.column_names" if kind == "arrow" else "df.columns"
    cell = shared.run(f"%rucat sql --out df --as {kind} select 1 a, 'x' b, map(1, 2) m where false")
    assert "0 rows in df" in cell.text
    assert shared.run(f"print(list({columns}))").stdout == "['a', 'b', 'm']\n"


def test_what_cannot_be_read_is_one_line(shared: Kernel) -> None:
    """It names the column and what to do."""
    cell = shared.run("%rucat sql select array(interval 1 month) odd", may_fail=True)
    assert cell.error.endswith("inside another type: cast odd to string")
    cell = shared.run("%rucat sql --out df --as polars select array(make_interval(1)) odd", may_fail=True)
    assert "cast odd to string" in cell.stderr


def test_a_cut_result_says_so_and_runs_once(shared: Kernel, place: Place) -> None:
    """One row more than shown is asked for; each row is computed once, also where all of them are kept."""
    log = place.root / "rows.log"
    shared.run(
        f"def mark(n):\n    with open({str(log)!r}, 'a') as f: f.write(f'{{n}}\\n')\n    return n\n"
        "from pyspark.sql.functions import udf\n"
        "registered = spark.udf.register('mark', udf(mark, 'bigint').asNondeterministic())"
    )
    for line, note, least in [
        ("--limit 3", "first 3 rows of more; --limit N or --out df", 4),
        ("--limit 3 --out df", "first 3 of 1,000 rows; df has all", 1000),
        ("", "first 100 rows of more", 101),
        ("--limit all --out df --view w", "1000 rows in df · view w", 1000),
        ("--limit 0", "only the columns; --limit N or --out df", 0),
    ]:
        log.unlink(missing_ok=True)
        cell = shared.run(f"%rucat sql {line} select mark(id) id from range(0, 1000, 1, 1)")
        assert note in cell.text
        seen = log.read_text().split() if log.exists() else []
        assert least <= len(seen) == len(set(seen))
    assert shared.run("print(len(df))").stdout == "1000\n"


def test_several_statements_run_in_order_until_one_fails(shared: Kernel) -> None:
    """Each result is shown, and the failed statement is named; later ones do not run."""
    cell = shared.run(
        "%%rucat sql --out df\ncreate or replace temp view v as select ';' c; -- a comment;\n"
        "begin declare x int = 3; select x as y; end;\nselect c, '/*' d from v;"
    )
    shown = results(cell)
    assert [s.splitlines()[-1].split(" · ")[0] for s in shown] == ["1/3", "2/3", "3/3"]
    assert "OK · create or replace temp view v" in shown[0]
    assert shown[1].splitlines()[3].strip() == "3"
    assert shared.run("print(df.values.tolist())").stdout == "[[';', '/*']]\n"
    failed = shared.run("%%rucat sql\nselect 1;\n\nselect * from nowhere;\ndrop view v", may_fail=True)
    assert "`nowhere` cannot be found" in failed.error.splitlines()[0]
    assert "statement 2 of 3, line 3" in failed.error.splitlines()[1]
    assert failed.stderr == ""
    assert len(results(failed)) == 1
    assert shared.run("print(spark.catalog.tableExists('v'))").stdout == "True\n"


def test_interrupt_ends_the_statement_and_the_cell(shared: Kernel, active_tasks: Callable[[], int]) -> None:
    """Within two seconds, also a command; what ran is said in a line, and what comes after does not run."""
    slow = "select java_method('java.lang.Thread', 'sleep', 60000L + id) s from range(2)"
    at: list[float] = []

    def interrupt() -> None:
        wait_until("the slow statement runs", lambda: active_tasks() > 1, 60)  # the first one has one task
        at.append(time.monotonic())
        shared.interrupt()

    for statement in (slow, f"create table never as {slow}"):
        wait_until("no task of an earlier one", lambda: active_tasks() == 0, 60)
        interrupts = threading.Thread(target=interrupt)
        interrupts.start()
        cell = shared.run(
            f"%%rucat sql\nselect 1;\n{statement};\ncreate or replace temp view late as select 1", may_fail=True
        )
        assert time.monotonic() - at[-1] < 2
        interrupts.join()
        assert "sql: statement 2 of 3, line 2, was interrupted" in cell.stderr
        assert len(cell.error.splitlines()) == 1
    assert shared.run("print([spark.catalog.tableExists(t) for t in ('never', 'late')])").stdout == "[False, False]\n"


def test_a_flag_that_needs_rows_rejects_a_command(shared: Kernel) -> None:
    """The variable does not silently keep its old value."""
    cell = shared.run("%rucat sql --out df create or replace temp view v as select 1", may_fail=True)
    assert cell.error == (
        "rucat: sql: the last statement ran, but returns no rows for --out: create or replace temp view v as select 1"
    )


def test_explain_shows_the_plan_and_runs_nothing(shared: Kernel) -> None:
    """Not even DDL, which Spark runs immediately."""
    assert "== Physical Plan ==" in shared.run("%rucat sql --explain create table made as select 1").text
    assert "made" not in shared.run("%rucat sql show tables").text
    cell = shared.run("%%rucat sql --explain extended --arg n=1\n-- why\nselect :n; select 2")
    assert cell.text.count("== Analyzed Logical Plan ==") == 2
    assert "TABLE_OR_VIEW_NOT_FOUND" in (error := shared.run("%rucat sql --explain table nope", may_fail=True).error)
    assert len(error.splitlines()) <= 5
    assert "has no plan" in shared.run("%rucat sql --explain begin select 1; end", may_fail=True).stderr


def test_results_without_columns_or_rows_are_shown(shared: Kernel) -> None:
    """A command says OK; a frame of no columns says how many rows."""
    assert "OK · use default" in shared.run("%rucat sql use default").text
    shared.run("spark.range(3).select().createOrReplaceTempView('bare')")
    assert "3 rows" in shared.run("%rucat sql select * from bare").text
    assert "0 rows" in shared.run("%rucat sql select 1 where false").text


def test_values_that_python_has_no_calendar_for_are_shown(shared: Kernel) -> None:
    """Also in zones that only Java knows."""
    cell = shared.run(
        "%rucat sql select timestamp'+12000-01-01' t, date'-0044-03-15' d, map(struct(1, 2), 3) m, struct(1 a, 2 a) s"
    )
    assert "11999-12-31 23:00:00.000000 UTC" in cell.text
    assert "{{col1: 1, col2: 2}: 3}" in cell.text
    cell = shared.run("%rucat sql --out df select array(timestamp'+12000-01-01') t, map(1, date'-0044-03-15') d")
    assert "12000-01-01 00:00:00.000000+0100" in cell.text
    assert "-0044-03-15" in cell.text
    assert "-0044-03-15" in shared.run("print(df.d[0])").stdout
    shared.run("%rucat sql --out df select timestamp'0001-01-01 00:00:00' t")  # UTC is in the year before
    assert "0000-12-31" in shared.run("print(df)").stdout
    shared.run("spark.conf.set('spark.sql.session.timeZone', '+05:30')")
    shared.run("%rucat sql --out df --as polars select array(timestamp'2026-01-01 12:00:00') t")
    assert shared.run("print(df['t'][0][0])").stdout == "2026-01-01 06:30:00+00:00\n"
    shared.run("spark.conf.set('spark.sql.session.timeZone', 'GMT+8')")
    cell = shared.run(
        "%rucat sql --out df select timestamp'2026-01-01 12:00:00' t, array(timestamp'2026-01-01 12:00:00') ts"
    )
    shared.run("spark.conf.set('spark.sql.session.timeZone', 'Europe/Berlin')")
    assert "timestamp (UTC)" in cell.text
    assert "2026-01-01 04:00:00" in cell.text


@pytest.mark.parametrize(
    "flags", ["--chart", "--chart bar --x k --y v", "--chart line --x v --y w", "--chart scatter", "--chart hist"]
)
def test_a_chart_is_a_picture_with_the_table_below(shared: Kernel, flags: str) -> None:
    """Text shows the table."""
    cell = shared.run(f"%rucat sql {flags} select 'a$b' k, 1.5bd v, 2 w union all select null, 2.5bd, null")
    assert "2 rows" in cell.text
    assert shared.run("print(sorted(_._repr_mimebundle_()))").stdout == "['image/png', 'text/html', 'text/plain']\n"
    html = shared.run("print(_._repr_html_())").stdout
    assert 'src="data:image/png;base64,' in html
    assert "<details>" in html


def test_a_chart_without_numbers_is_one_line(shared: Kernel) -> None:
    """And so is a column that is not there."""
    assert "there is no column of numbers" in shared.run("%rucat sql --chart select 'a' k", may_fail=True).stderr
    cell = shared.run("%rucat sql --chart --x nope select 'a' k, 1 v", may_fail=True)
    assert "there is no column 'nope'. Columns: k, v" in cell.stderr


def test_another_engine_is_used_quietly(shared: Kernel) -> None:
    """``--engine`` binds nothing; an unknown one lists the known ones."""
    cell = shared.run(f"%rucat sql --engine {ENGINE} select 5 as five")
    assert (cell.stdout, cell.stderr) == ("", "")
    assert "five" in cell.text
    assert f"Yours: {ENGINE}" in shared.run("%rucat sql --engine nope select 1", may_fail=True).error


def test_capture_and_loops_show_each_result(shared: Kernel) -> None:
    """Under ``%%capture``, twice in a cell, and in a loop."""
    assert len(results(shared.run("%rucat sql select 1\n%rucat sql select 2"))) == 2
    assert len(results(shared.run("%rucat sql select 1\nx = 1;"))) == 1  # that semicolon hides the value of x alone
    assert not results(shared.run("%%capture got\n%rucat sql select 1"))
    assert "1 row" in shared.run("print(got.outputs[0].data['text/plain'])").stdout


def test_tab_finds_tables_and_columns_without_a_job(shared: Kernel, engine: str, rest: Callable[..., Any]) -> None:
    """In time, by alias, below a struct; names that need backticks have them."""
    shared.run(
        "tabbed = spark.range(1).selectExpr('id as key', 'struct(id as inner) as deep', '1 as `odd name`')\n"
        "tabbed.createOrReplaceTempView('tabbed')"
    )
    apps = f"engines/{engine}/ui/api/v1/applications"
    jobs = f"{apps}/{rest('GET', apps)[0]['id']}/jobs"
    before = len(rest("GET", jobs))
    shared.run(
        "import time\nfrom rucat_jupyter.notebook.magics.sql_completion import complete_sql\n"
        "def tab(before, after=''):\n"
        "    begun = time.monotonic(); found = complete_sql(spark, before, after)\n"
        "    assert time.monotonic() - begun < 0.7; return found\n"
        "def until(before, after, expected):\n"
        "    end = time.monotonic() + 10\n"
        "    while (found := tab(before, after)) != expected and time.monotonic() < end: pass\n"
        "    assert found == expected, found"
    )
    shared.run("until('select * from tab', '', ['tabbed'])")
    shared.run("until('select ', ' from tabbed t', ['key', 'deep', '`odd name`', 't'])")
    shared.run("until('select x; select t.k', ' from default.x, tabbed as t; select 2', ['key'])")
    shared.run("until('select t.deep.', ' from tabbed t', ['inner'])")
    shared.run("until('use def', '', ['default'])")
    shared.run("until('select * from spark_catalog.', '', ['default'])")
    shared.run("assert tab(\"select 'from ta\") == tab('-- from ta') == tab('select * from nowhere.') == []")
    assert len(rest("GET", jobs)) == before


@pytest.mark.all
def test_nbconvert_shows_tables_as_html(place: Place, engine: str) -> None:
    """With no error and no widget; the page has the table."""
    cells = [
        "%load_ext rucat_jupyter",
        f"%rucat create {ENGINE}",
        "%%rucat sql --out df\nselect 1 a, '<b>' s;",
        "print(df.a.sum())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = Path(place.root / "sql-convert.ipynb")
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    done = subprocess.run(
        command, env=place.env, cwd=place.root, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    outputs = [output for cell in json.loads(path.read_text())["cells"] for output in cell["outputs"]]
    table = next(o["data"] for o in outputs if "rucat-sql" in "".join(o.get("data", {}).get("text/html", "")))
    assert "&lt;b&gt;" in "".join(table["text/html"])
    assert "1 row in df" in "".join(table["text/plain"])
    assert not [o for o in outputs if o["output_type"] == "error" or "widget" in str(o.get("data", ""))[:200]]


LEXED = r"""
select 1 /* ; /* ; */ ; */ as a;
select r'\' as a;
select 'it''s; \'x\' ' as a;
select `;a` as a from (select 3 as `;a`);
select 4 -- not yet \
; still not
as a;
select 'a' 'b;' as a;
begin
  declare x int = 0;
  while x < 3 do set x = x + 1; end while;
  repeat set x = x + 1; until x > 5 end repeat;
  for r as (select 1 as n) do begin select r.n; end; end for;
  case x when 6 then select case when true then 'six;' end as a; else select 'no' as a; end case;
end;
select /*+ broadcast(t) */ 7 as a from range(1) t
"""


def test_statements_are_cut_where_sparks_own_parser_cuts(shared: Kernel) -> None:
    """Spark parses each part of a difficult cell as one statement, with the expected value."""
    cell = shared.run(f"%%rucat sql\n{LEXED}")
    values = [shown.splitlines()[3].strip() for shown in results(cell)]
    assert values == ["1", "\\", "it's; 'x'", "3", "4", "ab;", "six;", "7"]

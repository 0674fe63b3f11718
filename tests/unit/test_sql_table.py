"""A result as a table: text and HTML have the same content, and no value can break them."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types as T

from rucat_jupyter.client.words import text as words
from rucat_jupyter.notebook.sql import chart as sql_chart
from rucat_jupyter.notebook.sql import convert as sql_convert
from rucat_jupyter.notebook.sql import result as sql_result
from rucat_jupyter.notebook.sql import values as sql_values
from rucat_jupyter.notebook.sql.result import FrameRows, SqlResult
from rucat_jupyter.notebook.sql.table import Column, as_html, as_text
from rucat_jupyter.verbs.parser import BadUsage

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</td></table><script>alert(1)</script>",
    '" onmouseover="x',
    "\x1b[31mred",
    "\u202eabc",
]


class _Page(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self._is_in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self._is_in_cell = tag in ("td", "th", "span") or (self._is_in_cell and tag not in ("style", "table"))

    def handle_endtag(self, tag: str) -> None:
        self._is_in_cell = self._is_in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._is_in_cell:
            self.rows[-1][-1] += data


@given(st.lists(st.text() | st.sampled_from(HOSTILE), min_size=1, max_size=4))
def test_no_value_can_leave_its_cell(values: list[str]) -> None:
    """Names, types and cells are text: the page has the tags and attributes of a table, and no more."""
    page = _Page(as_html([Column(value, value, False, [value, "x"]) for value in values]))
    assert page.tags <= {"style", "div", "table", "thead", "tbody", "tr", "th", "td", "span"}
    assert page.attributes <= {"class", "scope", "title", "role", "aria-label", "tabindex"}
    assert [len(row) for row in page.rows] == [len(values)] * 3


@pytest.mark.parametrize("value", HOSTILE)
def test_no_escape_reaches_a_terminal(value: str) -> None:
    """Nor a character that changes the direction of text."""
    shown = as_text([Column(value, "string", False, [value])]) + as_html([Column(value, "string", False, [value])])
    assert not {"\x1b", "\u202e"} & set(shown)


def test_numbers_are_right_aligned_and_null_differs_from_text() -> None:
    """In HTML by a class, in text by spaces."""
    cells = sql_values.column(pa.chunked_array([["NULL", None, "null", ""]]), T.StringType())
    assert cells == ['"NULL"', "NULL", '"null"', ""]
    columns = [Column("n", "int", True, ["1", "NULL", "333", "4"]), Column("s", "string", False, cells)]
    assert '<td class="right null">NULL</td>' in as_html(columns)
    assert "<td>&quot;NULL&quot;</td>" in as_html(columns)
    assert as_text(columns).splitlines() == [
        "   n  s",
        " int  string",
        "----  ------",
        '   1  "NULL"',
        "NULL  NULL",
        ' 333  "null"',
        "   4",
    ]


def test_a_long_cell_is_cut_and_its_title_has_more() -> None:
    """A cell of a megabyte does not make a page of a megabyte."""
    page = as_html([Column("s", "string", False, ["x" * 1_000_000])])
    assert len(page) < 6000
    assert f'title="{"x" * 300}' in page


def test_no_columns_and_no_rows_are_fine() -> None:
    """Only names and types are shown, or nothing."""
    assert as_text([Column("a", "int", True, [])]).splitlines() == ["  a", "int", "---"]
    assert as_html([]).count("<td") == 0


class _Frame:
    """A Spark DataFrame of known rows, which counts how many were asked for."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self.table, self.asked = pa.table(rows), []

    def limit(self, rows: int) -> _Frame:
        self.asked.append(rows)
        made = _Frame({})
        made.table = self.table.slice(0, rows)
        return made


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SqlResult]:
    """Makes the result of a statement that returns these rows."""

    def fetched(frame: _Frame) -> tuple[pa.Table, T.StructType]:
        return frame.table, T.StructType([T.StructField(n, T.StringType()) for n in frame.table.column_names])

    def make(rows: dict[str, Any], limit: int | None, part: str = "") -> SqlResult:
        return SqlResult("select", _Frame(rows), limit=limit, part=part)

    monkeypatch.setattr(sql_result, "fetch", fetched)
    return make


@pytest.mark.parametrize(
    ("limit", "part", "note"),
    [
        (0, "", "only the columns; --limit N or --out df"),
        (3, "", "first 3 rows of more; --limit N or --out df"),
        (1000, "", "first 1,000 rows of more; --out df"),
        (1100, "", "first 1,000 of 1,100 rows and more; --out df"),
        (None, "", "first 1,000 of 1,200 rows; _.pandas() has all"),
        (None, "2/2", "2/2 · first 1,000 of 1,200 rows; _.pandas() has all"),
        (None, "1/2", "1/2 · first 1,000 of 1,200 rows; run this statement alone, then use _.pandas()"),
    ],
)
def test_the_note_says_what_shows_the_other_rows(
    result: Callable[..., SqlResult], limit: int | None, part: str, note: str
) -> None:
    """``--limit 0`` draws the columns; advice that cannot help is not given."""
    made = result({"a": [str(n) for n in range(1200)]}, limit, part)
    assert repr(made).splitlines()[-1] == f"{note} · 0.0 s"
    assert repr(made).splitlines()[0].strip() == "a"
    assert len(_Page(made._repr_html_()).rows) == 1 + min(1000, 1200 if limit is None else limit)
    assert len(made.pandas()) == 1200
    assert made.df.asked == ([] if limit is None else [limit + 1 if limit else 0])


def test_a_statement_without_columns_is_not_cut_by_limit_0(result: Callable[..., SqlResult]) -> None:
    """CREATE and INSERT say OK."""
    assert repr(result({}, 0)).startswith("OK · ")


def test_a_text_of_several_lines_is_a_block(result: Callable[..., SqlResult]) -> None:
    """A plan or a CREATE TABLE keeps its lines, whole; nothing in it is a tag or an escape."""
    plan = "== Physical Plan ==\n" + "*(1) Project <b>" * 20 + "\n\t+- \x1b[31mScan\n"
    made = result({"plan": [plan]}, 100)
    lines = repr(made).splitlines()
    assert lines[:3] == ["== Physical Plan ==", "*(1) Project <b>" * 20, "    +- Scan"]
    assert lines[3].startswith("1 row")
    page = made._repr_html_()
    assert "<pre>== Physical Plan ==\n*(1) Project &lt;b&gt;" in page
    assert not {"b", "table"} & _Page(page).tags
    assert "\x1b" not in page
    assert "… (the first 100,000 of 200,003 characters" in repr(result({"plan": ["a\nb" + "x" * 200_000]}, 100))
    for rows in ({"a": ["x"]}, {"a": ["x\ny", "z"]}, {"a": ["x\ny"], "b": ["z"]}):
        assert "<table>" in result(rows, 100)._repr_html_()


@pytest.mark.parametrize(("part", "how"), [("", "_.pandas() has all, _.columns has their names"), ("1/2", "run this")])
def test_columns_are_capped_like_rows(result: Callable[..., SqlResult], part: str, how: str) -> None:
    """The note says how many there are, and how to get them."""
    made = result({f"c{n}": ["x"] for n in range(2000)}, 100, part)
    assert [len(row) for row in _Page(made._repr_html_()).rows] == [100, 100]
    assert f"first 100 of 2,000 columns; {how}" in repr(made).splitlines()[-1]
    assert "columns" not in repr(result({"a": ["x"]}, 100)).splitlines()[-1]
    made.is_kept_as("df")
    assert part or "columns; df has all" in repr(made)


@pytest.mark.parametrize("value", ["x" * 90, "<" * 90, "漢" * 90], ids=["ascii", "escaped", "wide"])
def test_a_result_writes_at_most_2_mb(result: Callable[..., SqlResult], value: str) -> None:
    """Fewer rows are shown, as many as fit, and the note says so; a small result stays whole."""
    made = result({f"c{n}": [value] * 1000 for n in range(150)}, None)
    bundle = made._repr_mimebundle_()
    size = sum(len(shown.encode()) for shown in bundle.values())
    assert 500_000 < size < 2_000_000
    drawn = len(_Page(bundle["text/html"]).rows) - 1
    assert f"first {drawn} of 1,000 rows; _.pandas() has all · first 100 of 150 columns" in bundle["text/plain"]
    cut = result({f"c{n}": [value] * 1000 for n in range(100)}, 900)._repr_mimebundle_()["text/plain"]
    assert "of 900 rows and more; --out df" in cut
    assert len(_Page(result({"a": ["x"] * 1000}, None)._repr_mimebundle_()["text/html"]).rows) == 1001


def test_a_cell_keeps_its_lines(result: Callable[..., SqlResult]) -> None:
    """As in ``describe function extended``; beside others too, up to some lines, and each is cut late."""
    usage = "Usage:\r\n\tabs(expr) - Returns the absolute value of the numeric or interval value of its argument.\n"
    made = result({"a": ["x", usage, "y\nz"], "b": ["1", "2", "\x1b[31m3"]}, 100)
    head, *_, one, two, three, four, five, _note = repr(made).splitlines()
    assert (head.split(), one.split(), two.split()) == (["a", "b"], ["x", "1"], ["Usage:", "2"])
    assert three == f"    {usage.splitlines()[1].strip()}"
    assert (four.split(), five) == (["y", "3"], "z")
    page = made._repr_html_()
    assert "<td>Usage:\n    abs(expr) - Returns" in page
    assert "<td>y\nz</td>" in page
    long = result({"a": ["\n".join(f"line {n}" for n in range(9000)), "b"]}, 100)
    assert repr(long).splitlines()[33:36] == ["…", "b", repr(long).splitlines()[-1]]
    assert "line 29\n…</td>" in long._repr_html_()


def test_a_large_variant_is_not_formatted() -> None:
    """It takes Python 0.4 s for a megabyte; its cell says how to get the text."""
    value = {"value": b"x" * 1_000_000, "metadata": b""}
    assert sql_values.shown(value, T.VariantType()) == ("variant of 1,000,000 bytes: CAST(… AS STRING) shows its text")


def test_all_results_of_a_cell_write_2_mb(result: Callable[..., SqlResult]) -> None:
    """What is left for a statement is what those before it have not used; one row is always shown."""
    made = result({"a": ["x" * 90] * 1000}, None, "2/3")
    made.room = 20_000
    bundle = made._repr_mimebundle_()
    assert 10_000 < made.size == sum(len(shown.encode()) for shown in bundle.values()) <= 20_000
    assert "of 1,000 rows; run this statement alone" in bundle["text/plain"]
    made.room = 0
    assert "first 1 of 1,000 rows" in made._repr_mimebundle_()["text/plain"]


def test_advice_fits_the_statement_and_the_frame(
    result: Callable[..., SqlResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--out`` keeps the last statement only; a frame has no ``pandas()``, and is not always ``_``."""
    assert "--limit N or run this statement alone with --out df" in repr(result({"a": ["x"] * 9}, 3, "1/2"))
    assert "characters; run this statement alone" in repr(result({"plan": ["a\nb" + "x" * 200_000]}, 100, "1/2"))
    columns = repr(FrameRows(_Frame({f"c{n}": ["x"] for n in range(200)}), 20))
    assert "first 100 of 200 columns; .columns has their names ·" in columns
    assert "only the columns; .limit(10).toPandas() has more" in repr(FrameRows(_Frame({"a": ["x"]}), 0))
    text = repr(FrameRows(_Frame({"a": ["a\nb" + "x" * 200_000]}), 20))
    assert "of 200,003 characters; .first()[0] has all)" in text


def test_what_is_not_drawn_is_not_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the millionth character of a text nor the millionth element of an array."""
    cleaned = []
    monkeypatch.setattr(words, "_is_control", lambda char: bool(cleaned.append(char)))
    columns = [Column("a", "string", False, ["x" * 1_000_000])]
    assert as_text(columns).splitlines()[-1] == "x" * 59 + "…"
    assert "x" * 99 + "…" in as_html(columns)
    assert len(cleaned) < 20_000
    heads = sql_values.heads(pa.chunked_array([[list(range(100_000)), None, []]]))
    assert [len(cell or "") for cell in heads.to_pylist()] == [sql_values.MOST_ELEMENTS + 1, 0, 0]
    cells = sql_values.column(heads, T.ArrayType(T.LongType()))
    assert cells[0].endswith("998, 999, …]")
    assert cells[1:] == ["NULL", "[]"]
    pairs = T.MapType(T.LongType(), T.StringType())
    assert sql_values.shown([(n, "v") for n in range(5000)], pairs).endswith('999: "v", …}')
    assert len(sql_values.shown(["x" * 1_000_000], T.ArrayType(T.StringType()))) < 6000


TWINS = T.StructType().add("a", "integer").add("a", "integer")
SPARK = [
    (True, T.BooleanType(), "true"),
    (1.5e300, T.DoubleType(), "1.5e+300"),
    (float("nan"), T.DoubleType(), "NaN"),
    (float("-inf"), T.DoubleType(), "-Infinity"),
    (Decimal("1E-10"), T.DecimalType(20, 10), "0.0000000001"),
    (b"\x1f\x00", T.BinaryType(), "0x1F00"),
    (b"x" * 40, T.BinaryType(), "0x" + "78" * 32 + "… (40 bytes)"),
    (dt.date(2026, 1, 2), T.DateType(), "2026-01-02"),
    (dt.datetime(2026, 1, 2, 3, 4, 5, 600), T.TimestampNTZType(), "2026-01-02 03:04:05.000600"),
    (dt.timedelta(days=-1, seconds=-1), T.DayTimeIntervalType(), "-1 00:00:01"),
    (dt.timedelta(microseconds=1500000), T.DayTimeIntervalType(), "0 00:00:01.5"),
    (pa.MonthDayNano([14, 0, 0]), T.YearMonthIntervalType(), "1-2"),
    (pa.MonthDayNano([-14, 3, 1_000_000_000]), T.CalendarIntervalType(), "-1-2 3 days 00:00:01"),
    ([1, None], T.ArrayType(T.IntegerType()), "[1, NULL]"),
    (["a, b", None], T.ArrayType(T.StringType()), '["a, b", NULL]'),
    ([("k", {"a_0": 1, "a_1": None})], T.MapType(T.StringType(), TWINS), '{"k": {a: 1, a: NULL}}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "expected"), SPARK)
def test_values_are_formatted(value: Any, kind: T.DataType, expected: str) -> None:
    """By their Spark type."""
    assert sql_values.shown(value, kind) == expected


def test_times_outside_pythons_calendar_are_shown() -> None:
    """Before the year 1 and after 9999."""
    far = pa.chunked_array([pa.array([316_516_204_800_000_000, None], pa.timestamp("us", "UTC"))])
    assert sql_values.column(far, T.TimestampType()) == ["12000-01-01 00:00:00.000000 UTC", "NULL"]
    old = pa.chunked_array([pa.array([-800_000], pa.int32()).cast(pa.date32())])
    assert sql_values.column(old, T.DateType())[0].startswith("-")


def test_repeated_names_get_numbers_for_polars() -> None:
    """And never a name that exists already."""
    assert sql_convert.unique(["a", "a", "a_2", "a", "b"]) == ["a", "a_3", "a_2", "a_4", "b"]


def test_a_struct_with_two_fields_of_one_name_is_rejected_with_a_message() -> None:
    """Spark before 4.3 sends such a struct; also inside another type."""
    made = pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, None])], names=["id", "id"])
    table = pa.table({"s": pa.ListArray.from_arrays([0, 2], made)})
    schema = T.StructType([T.StructField("s", T.ArrayType(T.StructType()))])
    for convert in (lambda: sql_convert.to_pandas(table, schema), lambda: sql_convert.to_polars(table)):
        with pytest.raises(BadUsage, match="s has a struct with two fields 'id': rename one"):
            convert()


@pytest.mark.parametrize(
    ("arrow", "values", "pandas"),
    [
        ("bool", [True, None], "boolean"),
        ("int8", [1, None], "Int8"),
        ("int64", [2**63 - 1, None], "Int64"),
        ("int64", [2**63 - 1, 0], "int64"),
        ("float", [1.5, None], "float32"),
        ("double", [1.5, float("nan")], "float64"),
        ("double", [float("nan"), None], "Float64"),
    ],
)
def test_nulls_change_no_other_value(arrow: str, values: list[Any], pandas: str) -> None:
    """Integers and booleans keep their values; NaN and null stay different."""
    schema = T.StructType().add("v", "string")
    found = sql_convert.to_pandas(pa.table({"v": pa.array(values, arrow)}), schema)["v"]
    assert str(found.dtype) == pandas
    assert str(found[0]) == str(values[0])
    assert list(found.isna()) == [False, values[1] is None or pandas == "float64"]


def test_a_time_of_day_stays_one_and_the_document_says_so() -> None:
    """Spark sends it in nanoseconds, with at most six digits."""
    table = pa.table({"t": pa.array([45_296_123_456_000, None], "time64[ns]")})
    kind, expected = T.TimeType(6), dt.time(12, 34, 56, 123456)
    assert sql_values.column(table["t"], kind) == ["12:34:56.123456", "NULL"]
    assert list(sql_convert.to_pandas(table, T.StructType().add("t", kind))["t"]) == [expected, None]
    assert sql_convert.to_polars(table)["t"].to_list() == [expected, None]
    document = Path(__file__).parents[2] / "docs" / "sql.md"
    assert "\n| time | `datetime.time` | `Time` |\n" in document.read_text(encoding="utf-8")


DAY = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
DRAWN = pa.table(
    {
        "t": pa.array([DAY, None, DAY], pa.timestamp("us", "UTC")),
        "k": ["a$b$", None, "c"],
        "v": pa.array([Decimal("1.5"), None, Decimal(2)], pa.decimal128(5, 2)),
        "w": [2**53 + 1, 1, None],
    }
)
DRAWN_SCHEMA = T.StructType().add("t", "timestamp").add("k", "string").add("v", "decimal(5,2)").add("w", "long")


@pytest.mark.parametrize("rows", [3, 0])
@pytest.mark.parametrize(
    ("kind", "x", "y", "words"),
    [
        ("auto", None, None, "line chart of v, w by t"),
        ("auto", "k", "w", "bar chart of w by k"),
        ("auto", "v", None, "line chart of w by v"),
        ("line", "k", "v,w", "line chart of v, w by k"),
        ("bar", "t", None, "bar chart of v, w by t"),
        ("scatter", None, None, "scatter chart of w by v"),
        ("scatter", "t", "w", "scatter chart of w by t"),
        ("hist", None, None, "hist chart of v, w"),
    ],
)
def test_a_chart_chooses_suitable_columns_and_draws_nulls(
    rows: int, kind: str, x: str | None, y: str | None, words: str
) -> None:
    """Times, texts and numbers by their types, even without rows; a null is a gap, not an error."""
    table = DRAWN.slice(0, rows)
    made: Any = SimpleNamespace(columns=table.column_names, schema=DRAWN_SCHEMA, fetched=lambda: table)
    picture = sql_chart.draw(made, kind, x, y)
    assert picture.words == f"{words}, {rows} rows"
    assert base64.b64decode(picture.png).startswith(b"\x89PNG")

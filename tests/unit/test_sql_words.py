"""The line of ``%rucat sql``: flags before the text, and values of parameters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyspark.sql.connect.functions  # noqa: F401  # now: other tests leave a __main__ that it cannot be loaded under
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rucat_jupyter.notebook.magics.parser import parse
from rucat_jupyter.verbs import args as sql_args
from rucat_jupyter.verbs.parser import BadUsage


def test_the_rest_of_the_line_is_not_changed() -> None:
    """With its quotes, backslashes, dollars and spaces; the flags before it are shell words."""
    asked = parse("""sql --limit 5 --arg "s=a b" --arg n=-1  select  'it''s' \\ $x {y} "q" -- c """)
    assert asked.rest == """select  'it''s' \\ $x {y} "q" -- c """
    assert (asked.limit, asked.arg) == (5, ["s=a b", "n=-1"])


@pytest.mark.parametrize(
    ("line", "rest", "flag", "value"),
    [
        ("sql --explain select 1", "select 1", "explain", "formatted"),
        ("sql --explain cost select 1", "select 1", "explain", "cost"),
        ("sql --explain=simple select 1", "select 1", "explain", "simple"),
        ("sql --chart select 1", "select 1", "chart", "auto"),
        ("sql --chart bar select 1", "select 1", "chart", "bar"),
        ("sql --limit all select 1", "select 1", "limit", None),
        ("sql --limit 0 select 1", "select 1", "limit", 0),
        ("sql --limit 99999999999 select 1", "select 1", "limit", None),
        ("sql -- limit\nselect 1", "-- limit\nselect 1", "out", None),
        ("sql --arg x='a\nb' select 1", "select 1", "arg", ["x=a\nb"]),
        ("sql\tselect 1", "select 1", "out", None),
    ],
)
def test_flags_end_where_the_text_begins(line: str, rest: str, flag: str, value: Any) -> None:
    """Some flags have an optional value."""
    asked = parse(line)
    assert (asked.rest, getattr(asked, flag)) == (rest, value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sql --limt 5 select 1", "sql has no flag --limt (did you mean --limit?)"),
        ("sql --limit x select 1", "--limit: 'x' is not a whole number"),
        ("sql --limit", "--limit: expected one argument"),
        ("sql --out 1x select 1", "'1x' is not a valid variable name"),
        ("sql --as csv --out x select 1", "invalid choice: 'csv'"),
        ("sql --view a.b select 1", "'a.b' is not a valid view name"),
        ("sql --arg 'x=1 select 1", "no closing quotation"),
    ],
)
def test_wrong_flags_are_one_line(line: str, says: str) -> None:
    """With a suggestion."""
    with pytest.raises(BadUsage) as caught:
        parse(line)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_of_a_cell_takes_only_flags() -> None:
    """SQL goes below it."""
    assert parse("sql --limit 3", is_cell=True).limit == 3
    with pytest.raises(BadUsage, match=r"the line of %%rucat sql takes only flags, not 'select'"):
        parse("sql select 1", is_cell=True)
    for flag, known in (("--chart", "auto, bar, line, scatter, hist"), ("--explain", "simple, extended, codegen")):
        with pytest.raises(BadUsage, match=rf"sql: {flag}: 'pie' is not one of {known}"):
            parse(f"sql {flag} pie", is_cell=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("1.5", 1.5),
        ("1e-07", 1e-07),
        ("true", True),
        ("false", False),
        ("null", None),
        ("2026-01-31", dt.date(2026, 1, 31)),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_values_that_print_exactly_as_typed_are_converted(text: str, value: Any) -> None:
    """Numbers, dates, true, false, null."""
    found = sql_args.typed(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    ["007", "+5", "1.50", "1_000", "٣", "1e5", "nan", "inf", "True", "NULL", "2026-02-30", "", " 5", "5 ",
     "9223372036854775808", "1" * 5000, "-0", "0x1f", "'7'"],
)  # fmt: skip
def test_everything_else_is_text(text: str) -> None:
    """If a number would lose something, the value stays text."""
    assert sql_args.typed(text) == text


@given(st.text())
def test_a_value_never_changes(text: str) -> None:
    """Every value prints exactly as typed."""
    found = sql_args.typed(text)
    shown = {True: "true", False: "false", None: "null"}.get(found, str(found)) if not isinstance(found, str) else found
    assert (text if found == 0 or found == 1 else shown) == text


def test_a_python_expression_gives_its_value() -> None:
    """With ``:=``; a leading dollar is allowed, as in names of engines."""
    mine = {"day": dt.date(2026, 1, 1), "n": [1, 2]}
    found = sql_args.values(["a:=day", "b:=$n", "c:='7'", "d=$n", "a:=1"], lambda code: eval(code, dict(mine)))
    assert found == {"a": 1, "b": [1, 2], "c": "7", "d": "$n"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("n", "--arg 'n' is neither name=value nor name:=expression"),
        ("1n=2", "--arg '1n=2' is neither"),
        ("=2", "is neither"),
        ("n:=nope", "--arg n:=nope: NameError: name 'nope' is not defined"),
        ("n:=1/0", "ZeroDivisionError"),
        ("n:=", "SyntaxError"),
    ],
)
def test_a_wrong_argument_is_one_line(given: str, says: str) -> None:
    """The message names the problem."""
    with pytest.raises(BadUsage) as caught:
        sql_args.values([given], lambda code: eval(code, {}))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["\ud800", object(), 2**70, {"a": object()}])
def test_a_value_without_a_spark_literal_is_one_line(value: Any) -> None:
    """Before any request."""
    with pytest.raises(BadUsage, match="--arg n: Spark cannot use this") as caught:
        sql_args.as_literals({"n": value})
    assert "\n" not in str(caught.value)

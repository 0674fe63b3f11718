"""``%%rucat sql``: runs SQL on the attached engine and shows the rows."""

from __future__ import annotations

import argparse
from typing import Any

from ..line import flags
from ..line.flags import Verb, completed_by
from ..sql import convert as sql_convert

MODES = ("simple", "extended", "codegen", "cost", "formatted")
MOST = 2**31 - 1
CHARTS = ("auto", "bar", "line", "scatter", "hist")


def limit(text: str) -> int | None:
    """A number of rows; ``all``, 0, and what Spark cannot count to are None: all of them."""
    rows = 0 if text == "all" else flags.count(text)
    return rows if 0 < rows < MOST else None


def view(text: str) -> str:
    """A name that needs no backticks in SQL."""
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a view's name: letters, digits and _, no dots")
    return text


def _add_flags(parser: flags.Parser) -> None:
    completed_by(
        parser.add_argument("--engine", metavar="NAME", help="run it there; default: the attached one"), "engines"
    )
    parser.add_argument("--out", type=flags.variable, metavar="VAR", help="put the whole result into VAR")
    parser.add_argument(
        "--as", dest="kind", choices=sql_convert.KINDS, help="what VAR is: pandas (default), polars, arrow, spark"
    )
    parser.add_argument(
        "--limit", type=limit, default=argparse.SUPPRESS, metavar="N", help="rows to show (default 100); all: no limit"
    )
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of :NAME in the SQL, never pasted into it; NAME:=EXPR is\nthat of a Python expression; repeatable",
    )
    parser.add_argument("--view", type=view, metavar="NAME", help="name the result as a temp view")
    parser.add_argument(
        "--explain",
        nargs="?",
        choices=MODES,
        const="formatted",
        help="show the plan; nothing runs (default: formatted)",
    )
    parser.add_argument(
        "--chart", nargs="?", choices=CHARTS, const="auto", help="draw the result (default: by its types)"
    )
    parser.add_argument("--x", metavar="COLUMN", help="the chart's x")
    parser.add_argument("--y", metavar="COLUMNS", help="the chart's y; several with commas between them")


def _run(context: Any, asked: argparse.Namespace) -> Any:
    from ..sql import run as sql_run

    return sql_run.run(context, asked)


ABOUT = """\
%%rucat sql takes the cell below it, %rucat sql the rest of its line. Several statements, each with a semicolon,
run in order until one fails; each answer is shown; --out, --view and --chart take that of the last statement.
A VALUE is a number, date, true, false or null where that prints as it was typed, else text: 7 is an integer,
007 is text, and so is '7' of --arg "n:='7'".  --as spark keeps the query: using it runs it again."""

VERBS = (
    Verb(
        "sql",
        "run SQL, show the rows",
        _run,
        _add_flags,
        about=ABOUT,
        examples=(
            ("%rucat sql show tables", "one line"),
            ("%%rucat sql --out df --arg day=2026-01-31", "a cell; the whole result into df"),
            ("%%rucat sql --explain", "the plan only"),
            ("%%rucat sql --chart bar --x city --y people", "a chart"),
        ),
        takes_cell=True,
        takes_rest=True,
    ),
)

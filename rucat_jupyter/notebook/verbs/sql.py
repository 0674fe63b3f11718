"""``%%rucat sql``: runs SQL on the attached engine and shows the rows."""

from __future__ import annotations

import argparse
from typing import Any

from ..line import flags
from ..line.flags import Verb, completed_by
from ..sql import convert as sql_convert
from ..sql import run as sql_run

MODES = ("simple", "extended", "codegen", "cost", "formatted")
MOST = 2**31 - 1
CHARTS = ("auto", "bar", "line", "scatter", "hist")


def limit(text: str) -> int | None:
    """A number of rows; None (all rows) for ``all``, and for numbers too large for Spark."""
    rows = MOST if text == "all" else flags.count(text)
    return rows if rows < MOST else None


def view(text: str) -> str:
    """A name that is valid in SQL without backticks."""
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid view name: use letters, digits and _, no dots")
    return text


def _add_flags(parser: flags.Parser) -> None:
    completed_by(
        parser.add_argument("--engine", metavar="NAME", help="run on this engine; default: the attached one"), "engines"
    )
    parser.add_argument("--out", type=flags.variable, metavar="VAR", help="store the full result in VAR")
    parser.add_argument(
        "--as", dest="kind", choices=sql_convert.KINDS, help="type of VAR: pandas (default), polars, arrow, spark"
    )
    parser.add_argument(
        "--limit",
        type=limit,
        default=argparse.SUPPRESS,
        metavar="N",
        help="rows to fetch and show (default 100; shows at most 1,000);\n0: only the columns; all: fetch every row",
    )
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of the parameter :NAME, bound by Spark; NAME:=EXPR\nevaluates a Python expression; repeatable",
    )
    parser.add_argument("--view", type=view, metavar="NAME", help="create a temp view of the result")
    parser.add_argument(
        "--explain",
        nargs="?",
        choices=MODES,
        const="formatted",
        help="show the plan, run nothing (default: formatted)",
    )
    parser.add_argument(
        "--chart", nargs="?", choices=CHARTS, const="auto", help="draw a chart (default: chosen by the column types)"
    )
    parser.add_argument("--x", metavar="COLUMN", help="column of the x axis")
    parser.add_argument("--y", metavar="COLUMNS", help="columns of the y axis, separated by commas")


def _run(context: Any, asked: argparse.Namespace) -> Any:
    return sql_run.run(context, asked)


ABOUT = """\
%%rucat sql runs the cell below it, %rucat sql the rest of its line. Statements are separated by semicolons and run in
order until one fails; each result is shown. --out, --view and --chart use the result of the last statement.
A VALUE is a number, date, true, false or null if that prints exactly as you type it, else text: 7 is an integer, 007
is text, and so is '7' of --arg "n:='7'". --as spark keeps the query, which runs again each time you use it."""

VERBS = (
    Verb(
        "sql",
        "run SQL, show the rows",
        _run,
        _add_flags,
        about=ABOUT,
        examples=(
            ("%rucat sql show tables", "one line"),
            ("%%rucat sql --out df --arg day=2026-01-31", "a cell; df gets the full result"),
            ("%%rucat sql --explain", "the plan only"),
            ("%%rucat sql --chart bar --x city --y people", "a chart"),
        ),
        takes_cell=True,
        takes_rest=True,
    ),
)

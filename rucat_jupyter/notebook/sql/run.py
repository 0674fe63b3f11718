"""Runs the statements of ``%%rucat sql`` one after another in one session, each once."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.display import display

from ...client.engines.engine import Text
from ...client.session import session as sessions
from ...client.spark_errors import brief
from ...client.words import text
from ...client.words.phase import notice
from ...core.errors import NotPossible, RucatError
from ...verbs import args as sql_args
from ...verbs.parser import BadUsage
from ..line.context import Context
from . import chart as sql_chart
from . import convert as sql_convert
from .fetch import fetch
from .result import MOST_BYTES, SqlResult
from .split import Statement, split

LIMIT = 100
LONGEST = 80
CHART_ROWS = 10_000
"""Rows of a chart without a limit: with 100 it would be misleading."""
_UNBOUND = re.compile(r"\[UNBOUND_SQL_PARAMETER\] Found the unbound parameter: (\w+)")
_REASON = re.compile(r"^[\w.$]+Exception: (.+)$", re.MULTILINE)
PLANNING_FAILED = "Error occurred during query planning"


class NoRows(RucatError):
    """A flag needs rows, but the statement returns no table."""

    code = "no_rows"


class NoPlan(RucatError):
    """Spark cannot plan the statement; the message is Spark's."""

    code = "no_plan"


def run(context: Context, asked: argparse.Namespace) -> Any:
    """Run the statements of the cell or of the line; shows each result and returns the last one."""
    kind = _checked(asked)
    statements = split(asked.rest if asked.body is None else asked.body)
    if not statements:
        raise BadUsage("sql: there is no statement: write it below %%rucat sql, or on the line of %rucat sql")
    args = sql_args.values(asked.arg, context.shell.ev)
    with _session(context, asked.engine) as spark:
        job = _Job(spark, sql_args.as_literals(args), asked, kind, len(statements))
        if asked.explain:
            return job.explain(statements)
        return job.run(statements, context.shell.user_ns)


def _checked(asked: argparse.Namespace) -> str:
    """Raise BadUsage for incompatible flags; returns the type of ``--out``."""
    if asked.kind and not asked.out:
        raise BadUsage(f"sql: --as {asked.kind} needs --out VAR, the variable for the result")
    if (asked.x or asked.y) and not asked.chart:
        raise BadUsage("sql: --x and --y need --chart")
    if asked.explain and (given := next((f for f in ("out", "view", "chart") if getattr(asked, f)), None)):
        raise BadUsage(f"sql: --explain runs nothing, so it cannot be used with --{given}")
    if asked.kind:
        sql_convert.must_have(asked.kind)
    if asked.chart:
        sql_chart.must_have()
    return asked.kind or "pandas"


@contextmanager
def _session(context: Context, name: str | None) -> Iterator[Any]:
    """Yield the attached session, or one on the named engine, without changing the active session."""
    current = context.binding.current()
    if name is None:
        if current is None:
            raise NotPossible(
                "sql: no engine is attached here. Create one: %rucat create   Attach one: %rucat attach NAME"
            )
        yield current.spark
        return
    engine = context.engine(context.value(name))
    if engine.status in ("Stopped", "Failed", "Stopping", "Deleting"):
        how = f"Start it: %rucat create {text.quoted(engine.name)}"
        raise NotPossible(f"sql: cannot run on {text.plain(engine.name)!r}: it is {engine.status}. {how}")
    try:
        yield sessions.attach(engine).spark
    finally:
        if current is not None:
            sessions.make_active(current)


class _Job:
    """The statements of one cell on one session."""

    def __init__(self, spark: Any, args: dict[str, Any], asked: argparse.Namespace, kind: str, count: int) -> None:
        self._spark, self._args, self._asked, self._kind = spark, args, asked, kind
        self._count = count

    def run(self, statements: list[Statement], variables: dict[str, Any]) -> SqlResult:
        """Run them in order and show each result; flags use the result of the last statement."""
        room = MOST_BYTES
        for number, statement in enumerate(statements[:-1], 1):
            with self._located(number, statement):
                result = self._answer(number, statement, getattr(self._asked, "limit", LIMIT))
            result.room = room
            _show(result)
            room = max(room - result.size, 0)
        with self._located(self._count, statements[-1]):
            result = self._answer(self._count, statements[-1], self._last_limit())
            self._must_have_columns(result)
            self._hand_out(result, variables)
        result.room = room
        _show(result)
        return result

    def explain(self, statements: list[Statement]) -> Text:
        """Show the plan of each; nothing runs, because we prepend EXPLAIN."""
        plans = []
        for number, statement in enumerate(statements, 1):
            with self._located(number, statement):
                plans.append(self._plan(statement.text))
        shown = Text("\n\n".join(plans))
        _show(shown)
        return shown

    def _answer(self, number: int, statement: Statement, limit: int | None) -> SqlResult:
        begun = time.monotonic()
        frame = self._frame(statement.text)
        result = SqlResult(
            statement.text, frame, limit=limit, part=f"{number}/{self._count}" if self._count > 1 else ""
        )
        result.elapsed_s = time.monotonic() - begun
        return result

    def _last_limit(self) -> int | None:
        """Number of rows to fetch of the last statement: all that we store or draw."""
        if self._asked.out and self._kind != "spark":
            return None
        return getattr(self._asked, "limit", CHART_ROWS if self._asked.chart else LIMIT)

    def _must_have_columns(self, result: SqlResult) -> None:
        asked = self._asked
        wanted = next((f"--{flag}" for flag in ("out", "view", "chart") if getattr(asked, flag)), None)
        if wanted and not result.has_columns:
            what = text.plain(result.statement, LONGEST)
            raise NoRows(f"sql: the last statement ran, but returns no rows for {wanted}: {what}")

    def _hand_out(self, result: SqlResult, variables: dict[str, Any]) -> None:
        """Store the result as the flags say: variable, view, chart."""
        asked = self._asked
        result.show_rows(getattr(asked, "limit", LIMIT))
        if asked.view:
            result.df.createOrReplaceTempView(asked.view)
            result.is_known_as(f"view {asked.view}")
        if asked.out:
            variables[asked.out] = result.kept(self._kind)
            result.is_kept_as(asked.out)
        if asked.chart:
            result.picture = sql_chart.draw(result, asked.chart, asked.x, asked.y)

    def _plan(self, statement: str) -> str:
        word = statement.split(None, 1)[0].upper()
        if word == "BEGIN":
            raise BadUsage("sql: a BEGIN … END block has no plan: explain one statement of it")
        mode = "" if self._asked.explain == "simple" else f"{self._asked.explain.upper()} "
        table, _ = fetch(self._frame(statement if word == "EXPLAIN" else f"EXPLAIN {mode}{statement}"))
        plan = str(table.column(0)[0])
        if plan.startswith(PLANNING_FAILED):
            raise NoPlan(self._why_no_plan(statement))
        return plan.rstrip()

    def _why_no_plan(self, statement: str) -> str:
        """Spark's reason, which only the extended plan contains."""
        table, _ = fetch(self._frame(f"EXPLAIN EXTENDED {statement}"))
        found = _REASON.search(str(table.column(0)[0]))
        return found[1] if found else f"sql: Spark cannot plan this: {text.plain(statement, LONGEST)}"

    def _frame(self, statement: str) -> Any:
        """The statement as a Spark DataFrame; DDL and DML run here, once."""
        return self._spark.sql(statement, args=self._args or None)

    @contextmanager
    def _located(self, number: int, statement: Statement) -> Iterator[None]:
        """Add the statement's position to its errors, if there are several."""
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            which = f"statement {number} of {self._count}, line {statement.line}" if self._count > 1 else ""
            unbound = _UNBOUND.search(str(error))
            hint = f"Set its value: --arg {unbound[1]}=VALUE" if unbound else ""
            if not brief.amend(error, place=which, hint=hint) and which:
                how = "was interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
                notice(f"sql: {which}, {how}: {text.plain(statement.text, LONGEST)}")
            raise


def _show(shown: object) -> None:
    """Show it as the value of the cell, and store it in ``_``; ``%%capture`` works.

    A semicolon at the end of the cell ends a SQL statement; it must not suppress the output, as IPython would.
    """
    is_quiet = getattr(sys.displayhook, "quiet", None)
    if is_quiet is None or not is_quiet():
        sys.displayhook(shown)
        return
    display(shown)  # type: ignore[no-untyped-call]
    sys.displayhook.update_user_ns(shown)  # type: ignore[attr-defined]  # IPython's own

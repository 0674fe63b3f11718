"""``rucat sql`` and ``rucat error``: a statement on an engine, its rows as they arrive, and Spark's last error."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from ..client.spark_errors import brief, last
from ..client.words import tables, text
from ..core.errors import RucatError
from ..verbs import args
from ..verbs.parser import BadUsage
from . import engines, output, reader, scripts
from .errors import FAILED

LIMIT = 100
Row = tuple[str | None, ...]


class StatementFailed(RucatError):
    """Spark rejected the statement, or it failed; the message is Spark's, the cause first."""

    code = "statement_failed"


def _sql(asked: argparse.Namespace) -> int | None:
    """Run a statement; print a table of its first rows, or all rows as CSV or JSON as they arrive."""
    statement = sys.stdin.read() if asked.statement == "-" else asked.statement
    if not statement.strip():
        raise BadUsage("sql: there is no statement")
    values = args.values(asked.arg, _cannot_evaluate)
    phase = output.phase(is_json=True)
    engine = engines.running(asked.engine, phase, "run SQL on")
    phase.end("")
    from ..client.session import session as sessions  # noqa: PLC0415 - heavy: only verbs with Spark need it

    brief.quieten()
    attachment = sessions.attach(engine)
    try:
        frame = attachment.spark.sql(statement, args=args.as_literals(values) or None)
        limit = getattr(asked, "limit", None if asked.csv or asked.json else LIMIT)
        with reader.needed():
            return _print(frame, limit, asked)
    except (BrokenPipeError, RucatError):
        raise
    except Exception as error:  # whatever pyspark, gRPC and Arrow raise
        if not brief.is_of_spark(error):
            raise
        raise _failed(error) from None
    finally:
        if not attachment.caller.is_lasting:
            engines.forget(engine, attachment.caller.key)


def _failed(error: BaseException) -> StatementFailed:
    return StatementFailed("\n".join(scripts.briefly(error)) or brief.full(error))


def _print(frame: Any, limit: int | None, asked: argparse.Namespace) -> int | None:
    header = frame.columns
    if asked.json:
        return _print_json(_json_rows(frame if limit is None else frame.limit(limit)) if header else iter(()))
    if not header:  # DDL and DML return nothing
        output.tell("done")
    elif asked.csv:
        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(header)
        lines.writerows(_rows(frame if limit is None else frame.limit(limit)))
    else:
        _print_table(header, list(_rows(frame if limit is None else frame.limit(limit + 1))), limit)
    return None


def _print_table(header: list[str], rows: list[Row], limit: int | None) -> None:
    shown = rows if limit is None else rows[:limit]
    cells = [["NULL" if cell is None else text.plain(cell, 200) for cell in row] for row in shown]
    columns = output.width()
    for line in tables.table([text.plain(name, 200) for name in header], cells).splitlines():
        output.say(line if columns is None else tables.cut(line, columns))
    more = "" if len(shown) == len(rows) else " of more. Other limit: --limit N; every row: --csv or --json"
    output.tell(f"{len(shown)} row{'' if len(shown) == 1 else 's'}{more}")


def _print_json(rows: Iterable[str]) -> int | None:
    """One document, of which each row is written when it arrives; an error between rows is its last field."""
    mark = '{"rows": [\n'
    try:
        for row in rows:
            sys.stdout.write(f"{mark}{row}")
            mark = ",\n"
    except Exception as error:  # whatever pyspark, gRPC and Arrow raise
        if mark != ",\n" or not brief.is_of_spark(error):
            raise
        failed = _failed(error)
        output.say(f'\n], "error": {json.dumps(failed.as_json())}}}')
        output.tell(f"rucat: {failed.message}")
        return FAILED
    output.say("\n]}" if mark == ",\n" else '{"rows": []}')
    return None


def _rows(frame: Any) -> Iterator[Row]:
    """The rows as Spark's own text, so that all types work; column names may repeat."""
    from pyspark.sql.connect import functions as F  # noqa: PLC0415 - heavy

    plain = [f"c{number}" for number in range(len(frame.columns))]
    texts = [
        F.base64(F.col(name)) if kind == "binary" else F.col(name).cast("string")
        for name, (_, kind) in zip(plain, frame.dtypes, strict=True)
    ]
    for batch in _batches(frame.toDF(*plain).select(*texts)):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _json_rows(frame: Any) -> Iterator[str]:
    from pyspark.sql.connect import functions as F  # noqa: PLC0415 - heavy

    row = F.to_json(F.struct("*"), {"ignoreNullFields": "false"})
    for batch in _batches(frame.select(row)):
        yield from batch.column(0).to_pylist()


def _batches(frame: Any) -> Iterator[Any]:
    """Arrow tables as the engine sends them: one after the other, so that memory stays bounded."""
    client = frame.sparkSession.client
    plan = frame._plan
    for part in client.to_table_as_iterator(plan.to_proto(client), plan.observations):
        if hasattr(part, "num_rows"):
            yield part


def _cannot_evaluate(expression: str) -> Any:
    raise ValueError(f"{expression[:60]} can only be evaluated in a notebook; use NAME=VALUE")


def _error(asked: argparse.Namespace) -> None:
    """Show the last error of Spark in a command again."""
    found = last.remembered()
    if found is None:
        output.tell("No error yet.")
    else:
        output.say(found["full" if asked.verbose else "short"])


RUNS = {"sql": _sql, "error": _error}

"""The read-only verbs: ``list``, ``status``, ``history``, ``logs``."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from ..client.engines import engine as client
from ..client.words import tables, text
from ..core.errors import EngineNotFound
from . import complete, engines, output, reader
from .errors import BadUsage
from .options import AsJson, Name
from .parsing import meant
from .table import fitted

DROPPED = ("SPARK", "IDLE", "RESOURCES", "WHERE", "AGE", "NOTE")
EVENTS_DROPPED = ("RUN", "BY", "EVENT")


def list_engines(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATTERN]",
            help="Only names that match; * and ? are wildcards.",
            show_default=False,
            autocompletion=complete.engines,
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only engines with this status; repeatable.",
            show_default=False,
            autocompletion=complete.statuses,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List your engines, oldest first."""
    wanted = [_status(word) for word in status or []]
    answer = client.default_api().call("GET", "engines")
    found = [
        view
        for view in answer["engines"]
        if (not wanted or view["status"] in wanted) and (pattern is None or fnmatch.fnmatchcase(view["name"], pattern))
    ]
    if as_json:
        output.show_json({**answer, "engines": found})
    elif found:
        _say_engines(found)
    else:
        output.tell("No engine matches." if answer["engines"] else "No engines yet. Create one: rucat create")


def _status(word: str) -> str:
    known = {status.lower(): status for status in text.SYMBOLS}
    if word.lower() not in known:
        statuses = list(text.SYMBOLS)
        raise BadUsage(f"there is no status {word!r}{meant(word.title(), statuses)}. Statuses: {', '.join(statuses)}")
    return known[word.lower()]


def _say_engines(views: list[dict[str, Any]]) -> None:
    lines = fitted(tables.COLUMNS, tables.rows(views, text.utc_now()), output.width(), DROPPED)
    output.say(lines[0])
    for view, line in zip(views, lines[1:], strict=True):
        output.say(output.accented(view["status"], line))


def status(name: Name = None, as_json: AsJson = False) -> None:
    """Show everything about one engine."""
    engine = engines.find(name)
    if as_json:
        output.show_json(engine.view)
        return
    page = tables.status_page(engine.view, engine.history(), text.utc_now()).splitlines()
    columns = output.width()
    for number, line in enumerate(page):
        shown = line if columns is None else tables.cut(line, columns)
        output.say(output.accented(engine.status, shown) if number == 0 else shown)


def history(name: Name = None, as_json: AsJson = False) -> None:
    """Show the events of one engine, oldest first.

    Use the id for a deleted engine.
    """
    try:
        ref = engines.find(name).id
    except EngineNotFound:
        if name is None:
            raise
        ref = name
    events = client.history(ref)
    if not events:
        raise EngineNotFound(f"there is no engine {text.plain(ref, 80)!r}, and none in history. Yours: rucat list")
    if as_json:
        output.show_json({"events": list(events)})
        return
    for line in fitted(tables.EVENT_COLUMNS, tables.event_rows(events), output.width(), EVENTS_DROPPED):
        output.say(line)


def logs(
    name: Name = None,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail",
            "-n",
            metavar="N",
            min=0,
            help=f"The last N lines (default {client.LOG_TAIL}).",
            show_default=False,
        ),
    ] = None,
    all_lines: Annotated[bool, typer.Option("--all", help="All stored lines.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines as they arrive, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the log of the driver."""
    if as_json and follow:
        raise BadUsage("logs: --json prints one complete document, so it cannot be used with --follow")
    if all_lines and tail is not None:
        raise BadUsage("logs: --all and --tail exclude each other")
    engine = engines.find(name)
    lines: Iterable[str] = engine.log_lines(
        None if all_lines else client.LOG_TAIL if tail is None else tail, follow=follow
    )
    if as_json:
        output.show_json({"lines": list(lines)})
        return
    with reader.needed() if follow else contextlib.nullcontext():
        for line in lines:
            output.say(line)


VERBS: list[tuple[str, Callable[..., None], tuple[str, ...]]] = [
    (
        "list",
        list_engines,
        ("rucat list", "rucat list 'etl*' --status running", "rucat list --json | jq -r '.engines[].name'"),
    ),
    ("status", status, ("rucat status", "rucat status etl", "rucat status etl --json | jq -r .status")),
    ("history", history, ("rucat history etl", "rucat history etl --json")),
    ("logs", logs, ("rucat logs etl", "rucat logs etl --tail 1000 | grep WARN", "rucat logs etl --follow")),
]
"""(verb, function, examples)."""

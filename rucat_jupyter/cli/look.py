"""The read-only verbs: ``list``, ``status``, ``history``, ``logs``."""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
from collections.abc import Iterable
from typing import Any

from ..client.engines import engine as client
from ..client.words import tables, text
from ..core.errors import EngineNotFound
from ..verbs.parser import BadUsage, meant
from . import engines, output, reader
from .table import fitted

DROPPED = ("SPARK", "IDLE", "RESOURCES", "WHERE", "AGE", "NOTE")
EVENTS_DROPPED = ("RUN", "BY", "EVENT")


def _list(asked: argparse.Namespace) -> None:
    """List engines, oldest first."""
    wanted = [_known(word) for word in asked.status]
    answer = client.default_api().call("GET", "engines")
    found = [
        view
        for view in answer["engines"]
        if (not wanted or view["status"] in wanted)
        and (asked.pattern is None or fnmatch.fnmatchcase(view["name"], asked.pattern))
    ]
    if asked.json:
        output.show_json({**answer, "engines": found})
    elif found:
        _say_engines(found)
    else:
        output.tell("No engine matches." if answer["engines"] else "No engines yet. Create one: rucat create")


def _known(word: str) -> str:
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


def _status(asked: argparse.Namespace) -> None:
    """Show everything about one engine."""
    engine = engines.find(asked.name)
    if asked.json:
        output.show_json(engine.view)
        return
    page = tables.status_page(engine.view, engine.history(), text.utc_now()).splitlines()
    columns = output.width()
    for number, line in enumerate(page):
        shown = line if columns is None else tables.cut(line, columns)
        output.say(output.accented(engine.status, shown) if number == 0 else shown)


def _history(asked: argparse.Namespace) -> None:
    """Show the events of one engine, oldest first; a deleted one is found by its id."""
    try:
        ref = engines.find(asked.name).id
    except EngineNotFound:
        if asked.name is None:
            raise
        ref = asked.name
    events = client.history(ref)
    if not events:
        raise EngineNotFound(f"there is no engine {text.plain(ref, 80)!r}, and none in history. Yours: rucat list")
    if asked.json:
        output.show_json({"events": list(events)})
        return
    for line in fitted(tables.EVENT_COLUMNS, tables.event_rows(events), output.width(), EVENTS_DROPPED):
        output.say(line)


def _logs(asked: argparse.Namespace) -> None:
    """Show the log of the driver."""
    if asked.json and asked.follow:
        raise BadUsage("logs: --json prints one complete document, so it cannot be used with --follow")
    tail = None if asked.all_lines else client.LOG_TAIL if asked.tail is None else asked.tail
    lines: Iterable[str] = engines.find(asked.name).log_lines(tail, follow=asked.follow)
    if asked.json:
        output.show_json({"lines": list(lines)})
        return
    with reader.needed() if asked.follow else contextlib.nullcontext():
        for line in lines:
            output.say(line)


RUNS = {"list": _list, "status": _status, "history": _history, "logs": _logs}

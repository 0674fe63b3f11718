"""The read-only verbs: ``list``, ``status``, ``logs``, ``history``."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from ...client.engines import engine as client
from ...client.frontend import shows_widgets
from ...client.words import tables, text
from ...client.words.phase import say
from ...core.errors import EngineNotFound
from ..line.context import Context


def show_engines(context: Context, asked: argparse.Namespace) -> Any:
    """Show the user's engines."""
    del context, asked
    found = client.engines()
    if shows_widgets():
        from ..cards import cards as widget  # noqa: PLC0415 - loads ipywidgets, which is heavy

        widget.show_table([engine.view for engine in found])
    else:
        say(repr(found) if found else "No engines yet. Create one: %rucat create")
    return found


def _status(context: Context, asked: argparse.Namespace) -> Any:
    """Show one engine, or how to create one."""
    if asked.name is None and not client.engines():
        say("No engines yet. Create one: %rucat create")
        return None
    engine = context.engine(asked.name)
    page = tables.status_page(engine.view, engine.history(), text.utc_now())
    if shows_widgets():
        from ..cards import cards as widget  # noqa: PLC0415 - loads ipywidgets, which is heavy

        widget.show_engine(engine.view, page, fold="status")
    else:
        say(page)
    return engine


def _logs(context: Context, asked: argparse.Namespace) -> None:
    """Show the log of the driver."""
    engine = context.engine(asked.name)
    tail = None if asked.all_lines else client.LOG_TAIL if asked.tail is None else asked.tail
    lines = engine.log_lines(tail, follow=asked.follow)
    if not asked.follow:
        for line in _last(lines, engine.name):
            say(line)
        return
    room = text.MOST_SHOWN
    with suppress(KeyboardInterrupt):
        for line in lines:
            if (room := room - len(line) - 1) < 0:
                say(f"… This cell has {text.MOST_SHOWN:,} characters. {_terminal(engine.name, '--follow')} shows more")
                return
            say(line)


def _last(lines: Iterable[str], name: str) -> Iterator[str]:
    """The last lines, as many as a notebook takes, after a line that says what is not shown."""
    kept: deque[str] = deque()
    room, left = text.MOST_SHOWN, 0
    for line in lines:
        kept.append(line)
        room -= len(line) + 1
        while room < 0:
            room += len(kept.popleft()) + 1
            left += 1
    if left:
        yield f"… {left:,} earlier lines are not shown. {_terminal(name, '--all')} shows all"
    yield from kept


def _terminal(name: str, flag: str) -> str:
    return f"In a terminal, rucat logs {text.quoted(name)} {flag}"


def _history(context: Context, asked: argparse.Namespace) -> Any:
    """Show the events of one engine; a deleted one is found by its id."""
    try:
        ref = context.engine(asked.name).id
    except EngineNotFound:
        if asked.name is None:
            raise
        ref = asked.name
    events = client.history(ref)
    if not events:
        raise EngineNotFound(f"there is no engine {text.plain(ref)!r}, and none in history. Yours: %rucat list")
    say(repr(events))
    return events


RUNS = {"list": show_engines, "status": _status, "logs": _logs, "history": _history}

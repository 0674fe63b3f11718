"""The verbs that only look: ``list``, ``status``, ``logs``, ``history``."""

from __future__ import annotations

import argparse
from typing import Any

from ...client.engines import engine as client
from ...client.frontend import shows_widgets
from ...client.words import tables, text
from ...client.words.phase import say
from ...core.errors import EngineNotFound
from ..line import flags
from ..line.context import Context
from ..line.flags import Verb


def show_engines(context: Context, asked: argparse.Namespace) -> Any:
    """Show my engines."""
    del context, asked
    found = client.engines()
    if shows_widgets():
        from ..cards import cards as widget

        widget.show_table([engine.view for engine in found])
    else:
        say(repr(found) if found else "No engines yet. Create one: %rucat create")
    return found


def _status(context: Context, asked: argparse.Namespace) -> Any:
    """Show one engine, or say that there is none."""
    if asked.name is None and not client.engines():
        say("No engines yet. Create one: %rucat create")
        return None
    engine = context.engine(asked.name)
    page = tables.status_page(engine.view, engine.history(), text.utc_now())
    if shows_widgets():
        from ..cards import cards as widget

        widget.show_engine(engine.view, page, fold="status")
    else:
        say(page)
    return engine


def _log_flags(parser: flags.Parser) -> None:
    flags.name(parser)
    parser.add_argument("--tail", type=flags.count, metavar="N", help="the last N lines (default 100)")
    parser.add_argument("--follow", action="store_true", help="go on as lines come; Ctrl-C ends it")


def _logs(context: Context, asked: argparse.Namespace) -> None:
    """Show the driver's log."""
    engine = context.engine(asked.name)
    tail = client.LOG_TAIL if asked.tail is None else asked.tail
    try:
        for line in engine.log_lines(tail, follow=asked.follow):
            say(line)
    except KeyboardInterrupt:
        if not asked.follow:
            raise


def _history(context: Context, asked: argparse.Namespace) -> Any:
    """Show what happened to one engine, also to a deleted one by its id."""
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


VERBS = (
    Verb("list", "my engines", show_engines),
    Verb("status", "everything about one engine", _status, flags.name),
    Verb("logs", "the driver's log", _logs, _log_flags),
    Verb("history", "what happened to it", _history, flags.name),
)

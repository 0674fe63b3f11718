"""The verbs that change an engine: ``stop``, ``restart``, ``delete``."""

from __future__ import annotations

import argparse
from typing import Any

from ...client.engines.settings import changes, from_flags
from ...client.engines.settings import flags as shown_flags
from ...client.widgets import live_phase
from ...client.words import text
from ...client.words.phase import say
from ..line.context import Context


def _stop(context: Context, asked: argparse.Namespace) -> Any:
    """Stop one engine."""
    engine = context.engine(asked.name).stop()
    say(f"{text.short_line(engine.view)}.  Start it again: %rucat create {text.quoted(engine.name)}")
    return engine


def _restart(context: Context, asked: argparse.Namespace) -> Any:
    """Stop and start one engine; attached sessions reconnect automatically."""
    engine, phase = context.engine(asked.name), live_phase()
    given = changes(dict(asked.conf), asked.executors, asked.driver_memory, from_flags(**vars(asked)))
    engine.restart(wait=False, **given)
    if asked.no_wait:
        say(text.phase_line(engine.view))
        return engine
    engine.wait(asked.timeout, phase=phase)
    changed = f" with {shown_flags(given)}" if given else ""
    phase.end(text.running_line(engine.view, f"restarted (run {engine.run}){changed}"))
    if context.binding.knows_of(engine):
        say("  spark is attached; its temp views and runtime conf are gone.")  # a card does not keep a note
    return engine


def _delete(context: Context, asked: argparse.Namespace) -> None:
    """Delete one engine, after a confirmation."""
    engine = context.engine(asked.name)
    if not asked.yes and not context.is_sure_to_delete(engine):
        say(f"{text.plain(engine.name)} is kept.")
        return
    engine.delete()
    for attachment in context.binding.bound():
        if attachment.engine.id == engine.id:
            context.binding.release(attachment)
    say(f"{text.plain(engine.name)} is deleted.")


RUNS = {"stop": _stop, "restart": _restart, "delete": _delete}

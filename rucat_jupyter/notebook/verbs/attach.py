"""``%rucat attach`` and ``detach``: bind this notebook's session on an engine, or release it."""

from __future__ import annotations

import argparse
from typing import Any

from ...client.engines.create import attach_external, is_address, wait_external
from ...client.engines.engine import Engine
from ...client.widgets import live_phase
from ...client.words import text
from ...client.words.phase import say
from ...core.errors import NotPossible
from ..line.context import Context


def _attach(context: Context, asked: argparse.Namespace) -> Any:
    """Bind this notebook's session on an engine."""
    phase = live_phase()
    if is_address(asked.name):
        engine = attach_external(asked.name, phase)
    else:
        engine = context.engine(asked.name)
        _must_come_up(engine)
        wait_external(engine, phase) if engine.platform == "external" else engine.wait(phase=phase)
    phase.end(text.running_line(engine.view, ""))
    context.attach(engine, asked)
    return engine


def _must_come_up(engine: Engine) -> None:
    """Raise NotPossible for an engine that will not start without a request."""
    if engine.status in ("Stopped", "Failed", "Stopping", "Deleting"):
        how = f"Start it: %rucat create {text.quoted(engine.name)}"
        raise NotPossible(f"cannot attach {text.plain(engine.name)!r}: it is {engine.status}. {how}")


def _detach(context: Context, asked: argparse.Namespace) -> None:
    """Release the engine."""
    attachment = context.binding.find(asked.name)
    if attachment is None:
        what = f" to {text.plain(asked.name)}" if asked.name else ""
        say(f"This notebook is not attached{what}.")
        return
    variables = context.binding.release(attachment)
    name = text.plain(attachment.engine.name)
    gone = f"{', '.join(variables)} is unbound; " if variables else ""
    how = f"To attach the same session again: %rucat attach {text.quoted(attachment.engine.name)}"
    say(f"Detached from {name}: {gone}engine and session keep running.  {how}")


RUNS = {"attach": _attach, "detach": _detach}

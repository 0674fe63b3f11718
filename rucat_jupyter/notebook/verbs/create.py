"""``%rucat create``: get the user's engine of that name, or create it; wait, then attach."""

from __future__ import annotations

import argparse
from typing import Any

from ...client.engines.create import Created, find_or_create
from ...client.engines.saved import with_saved
from ...client.engines.settings import from_flags, request
from ...client.widgets import live_phase
from ...client.words import text
from ...client.words.phase import say
from ..cards.show_form import create_form
from ..line.context import Context


def _create(context: Context, asked: argparse.Namespace) -> Any:
    """Find or create an engine, wait until it is Running, attach."""
    if asked.form:
        create_form()
        return None
    phase = live_phase()
    wanted = request(asked.profile, dict(asked.conf), asked.executors, asked.driver_memory, from_flags(**vars(asked)))
    name, wanted = with_saved(asked.name, wanted)
    made = find_or_create(name, wanted, phase=phase, timeout_s=asked.timeout)
    if asked.no_wait:
        phase.end("")
        phase.meet(made.engine.view)
        say(_more(text.phase_line(made.engine.view), made.note))
        return made.engine
    begun = made.engine.view
    made.engine.wait(asked.timeout, phase=phase)
    phase.end(text.running_line(made.engine.view, _came(made, begun)))
    phase.note(_came(made, begun))
    if not asked.no_attach:
        context.attach(made.engine, asked)
    return made.engine


def _came(made: Created, begun: dict[str, Any]) -> str:
    """How we got the engine: found, started or restarted, and what was not applied."""
    if made.how == "found" and begun["status"] in ("Running", "Unresponsive"):
        since = text.when(begun.get("started_at"))
        ago = f" (started {text.duration((text.utc_now() - since).total_seconds())} ago)" if since else ""
        note = f"attached to the running engine{ago}"
    else:
        took = text.duration((text.utc_now() - made.since).total_seconds())
        note = f"{'restarted' if made.how == 'restarted' else 'started'} in {took}"
    return _more(note, made.note)


def _more(line: str, note: str) -> str:
    return f"{line}. {note}" if note else line


RUNS = {"create": _create}

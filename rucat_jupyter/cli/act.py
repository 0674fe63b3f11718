"""The verbs that change engines: ``create``, ``stop``, ``restart``, ``delete``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..client.engines import create as creating
from ..client.engines import settings as asked_for
from ..client.engines.engine import Engine
from ..client.words import text
from ..verbs.parser import BadUsage
from . import engines, output
from .errors import FAILED


def _create(asked: argparse.Namespace) -> None:
    """Create an engine, or find that of this name, and start it; it keeps running after the command ends."""
    spec = asked_for.from_flags(**vars(asked))
    wanted = asked_for.request(asked.profile, dict(asked.conf), asked.executors, asked.driver_memory, spec)
    phase = output.phase(is_json=asked.json)
    made = creating.find_or_create(asked.name, wanted, phase=phase, timeout_s=asked.timeout, keeps_running=True)
    engine, wait = made.engine, not asked.no_wait
    if wait:
        begun = engine.view
        engine.wait(asked.timeout, phase=phase)
        phase.end(text.running_line(engine.view, _how(made, begun)))
    elif not asked.json:
        output.say(text.phase_line(engine.view))
    if asked.json:
        output.show_json(engine.view)
    if made.note and (asked.json or not wait):
        output.tell(made.note)
    elif wait and not asked.json:
        output.tell(_looks(engine))


def _how(made: creating.Created, begun: dict[str, Any]) -> str:
    """How the engine was started, and which settings were not applied."""
    since = text.when(begun.get("started_at"))
    if made.how == "found" and begun["status"] in ("Running", "Unresponsive") and since:
        note = f"running for {text.duration((text.utc_now() - since).total_seconds())}"
    else:
        took = text.duration((text.utc_now() - made.since).total_seconds())
        note = f"{'restarted' if made.how == 'restarted' else 'started'} in {took}"
    return f"{note}. {made.note}" if made.note else note


def _looks(engine: Engine) -> str:
    name = text.quoted(engine.name)
    end = "delete" if engine.platform == "external" else "stop"
    return f"  Attach: rucat attach {name}   Look: rucat status {name}   {end.capitalize()}: rucat {end} {name}"


def _stop(asked: argparse.Namespace) -> None:
    """Stop an engine."""
    engine = engines.find(asked.name).stop(wait=False)
    if not asked.no_wait:
        phase = output.phase(is_json=True)
        engine = engines.wait_for_end(engine, ("Stopped", "Failed"), asked.timeout, phase)
        phase.end("")
    if asked.json:
        output.show_json(engine.view)
    else:
        output.say(f"{text.short_line(engine.view)}.  Start it again: rucat create {text.quoted(engine.name)}")


def _restart(asked: argparse.Namespace) -> None:
    """Start an engine again, with stored or new settings."""
    given = asked_for.changes(
        dict(asked.conf), asked.executors, asked.driver_memory, asked_for.from_flags(**vars(asked))
    )
    engine, phase = engines.find(asked.name).restart(wait=False, **given), output.phase(is_json=asked.json)
    if not asked.no_wait:
        engine.wait(asked.timeout, phase=phase)
        changed = f" with {asked_for.flags(given)}" if given else ""
        phase.end(text.running_line(engine.view, f"restarted (run {engine.run}){changed}"))
    elif not asked.json:
        output.say(text.phase_line(engine.view))
    if asked.json:
        output.show_json(engine.view)


def _delete(asked: argparse.Namespace) -> int | None:
    """Delete an engine, after a confirmation on a terminal; elsewhere --yes is required."""
    engine = engines.find(asked.name)
    if not asked.yes and not _is_sure(engine):
        output.tell(f"{text.plain(engine.name)} is kept.")
        return FAILED
    engine.delete(wait=False)
    if not asked.no_wait:
        phase = output.phase(is_json=True)
        engine = engines.wait_for_end(engine, (), asked.timeout, phase)
        phase.end("")
    if asked.json:
        output.show_json(engine.view)
    else:
        output.say(f"{text.plain(engine.name)} is {'being deleted' if asked.no_wait else 'deleted'}.")
    return None


def _is_sure(engine: Engine) -> bool:
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        raise BadUsage(
            "delete needs a confirmation, which is not possible here. "
            f"To delete: rucat delete {text.quoted(engine.name)} --yes"
        )
    sys.stderr.write(f"Delete {text.plain(engine.name)}? This deletes its record, settings and last log lines. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


RUNS = {"create": _create, "stop": _stop, "restart": _restart, "delete": _delete}

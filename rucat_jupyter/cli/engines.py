"""Finds the engine of a command, and waits until it is stopped or deleted."""

from __future__ import annotations

import contextlib
import sys
import time

from ..client.api import LONGEST_POLL_S, engine_path
from ..client.engines import create
from ..client.engines import engine as client
from ..client.engines.engine import Engine
from ..client.errors import StillWaiting, WaitInterrupted
from ..client.identity import default_local_name, folder_or_none
from ..client.words import text
from ..client.words.phase import Phase
from ..core.errors import EngineNotFound, NotPossible, RucatError, Unavailable
from ..verbs.parser import BadUsage

EXIT_S = 2.0


def find(name: str | None) -> Engine:
    """Find the engine by name or id; without one, this folder's engine or the only one.

    Raises EngineNotFound with the existing names, and BadUsage if several engines match.
    """
    if name is not None:
        try:
            return client.get(name)
        except EngineNotFound:
            known = ", ".join(text.quoted(e.name) for e in client.engines()) or "none. Create one: rucat create"
            raise EngineNotFound(f"there is no engine {text.plain(name, 80)!r}. Yours: {known}") from None
    found = client.engines()
    if not found:
        raise EngineNotFound("there is no engine yet. Create one: rucat create")
    folder = folder_or_none()
    of_folder = default_local_name(folder, sys.executable) if folder else None
    for engine in found:
        if engine.name == of_folder or len(found) == 1:
            return engine
    names = ", ".join(text.quoted(engine.name) for engine in found)
    raise BadUsage(f"which engine? None belongs to this folder, and there are {len(found)}: {names}")


def wait_for_end(engine: Engine, statuses: tuple[str, ...], timeout_s: float | None, phase: Phase) -> Engine:
    """Wait until the engine has one of the statuses, or is deleted.

    Raises StillWaiting and WaitInterrupted, as :meth:`Engine.wait` does.
    """
    begun, view, api = time.monotonic(), engine.view, client.default_api()
    name, doing = text.plain(view["name"]), "deleted" if not statuses else "stopped"
    look = f"It continues in the background. Look: rucat status {text.quoted(name)}"
    try:
        while view["status"] not in statuses:
            elapsed_s = time.monotonic() - begun
            if timeout_s is not None and elapsed_s >= timeout_s:
                phase.end("")
                raise StillWaiting(f"{name} is not {doing} after {text.duration(elapsed_s)}. {look}", engine=view)
            phase.show(text.phase_line(view, elapsed_s), text.phase_line(view))
            left_s = LONGEST_POLL_S if timeout_s is None else timeout_s - elapsed_s
            try:
                view = api.poll(view, max(0.2, min(phase.tick_s, left_s)))
            except Unavailable as error:
                if elapsed_s > client.AWAY_S:
                    raise
                time.sleep(error.retry_after_s)
    except EngineNotFound:
        view = {**view, "status": "Deleting"}
    except KeyboardInterrupt:
        phase.end("")
        raise WaitInterrupted(f"{name} is not {doing} yet. {look}") from None
    return Engine(view, api)


def running(name: str | None, phase: Phase, doing: str) -> Engine:
    """Find an engine, or attach an address, and wait until it runs; NotPossible for one that has ended."""
    if name is not None and create.is_address(name):
        return create.attach_external(name, phase)
    engine = find(name)
    if engine.status in ("Stopped", "Failed", "Stopping", "Deleting"):
        how = f"Start it: rucat create {text.quoted(engine.name)}"
        raise NotPossible(f"cannot {doing} {text.plain(engine.name)}: it is {engine.status}. {how}")
    return create.wait_external(engine, phase) if engine.platform == "external" else engine.wait(phase=phase)


def forget(engine: Engine, key: str) -> None:
    """Remove a session that cannot be attached again from the engine's list; errors must not prevent the exit."""
    with contextlib.suppress(RucatError):
        client.default_api().call("DELETE", engine_path(engine.id, "sessions", key), timeout_s=EXIT_S)

"""Finds out which sessions of notebooks live, so that lists do not count those of ended kernels.

A session ends for a list when its process has ended, or when the engine has ended it: idle for long, or released. The
record stays, so that a notebook finds its session again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...core.engine import Engine, Session
from ...core.lifecycle import status_of
from ...core.ports.clock import Clock
from ...core.ports.probes import SessionId
from ...core.ports.store import Note, Store
from .creators import Here
from .engines import REACHABLE
from .notifier import News, Notifier, repeat

log = logging.getLogger(__name__)

LOOK_S = 3.0
UNOPENED_S = 60.0
"""A session of an unknown process that the engine does not have after this time counts as ended."""
UNKNOWN_S = 3600.0
"""The same if the engine does not list its sessions: Spark's own timeout of sessions."""


class LiveSessions:
    """Looks after the sessions of notebooks.

    Parameters
    ----------
    store, notifier, clock
        The records, news of them, and the time.
    here
        Which processes this gateway can see.
    open_sessions
        The open sessions of an engine, by its id; None if it does not list them.
    """

    def __init__(
        self,
        store: Store,
        notifier: Notifier,
        clock: Clock,
        here: Here,
        open_sessions: Callable[[str], frozenset[SessionId] | None],
    ) -> None:
        self._store, self._notifier, self._clock, self._here = store, notifier, clock, here
        self._open_sessions = open_sessions
        self._was_open: set[tuple[str, int, SessionId]] = set()  # with the engine's id and run
        self._attached: list[tuple[Engine, Session]] = []
        self._news = News(notifier, clock)

    async def run(self) -> None:
        """Look until cancelled."""
        await repeat(self.look, self._clock, LOOK_S, "look after sessions")

    async def look(self) -> None:
        """Detach the sessions that have ended."""
        if self._news.is_due():
            with self._news.reading():
                engines = {e.id: e for e in await self._store.engines()}
                sessions = [s for s in await self._store.sessions() if s.is_attached and s.engine_id in engines]
            self._attached = [(engines[s.engine_id], s) for s in sessions]
            self._was_open &= {(e.id, e.run, (s.user_id, s.session_id)) for e, s in self._attached}
        has_ended = False
        for engine, session in self._attached.copy():
            if self._has_process_ended(session):
                await self._store.detach_session(session)
            elif await self._has_engine_ended(engine, session):
                await self._store.detach_session(session)
                reason = f"the session of {session.path} ended: it was not used for long, or its notebook stopped it"
                await self._store.record(engine, Note("monitor", "session", reason))
            else:
                continue
            self._attached.remove((engine, session))  # the next look may come before the next reading
            has_ended = True
        if has_ended:
            self._notifier.notify()

    def _has_process_ended(self, session: Session) -> bool:
        process = session.process
        if process is None:
            return False
        if self._here.sees(process):
            return self._here.mark_of(process.pid) != process.mark
        return self._here.has_rebooted_since(process)

    async def _has_engine_ended(self, engine: Engine, session: Session) -> bool:
        """Whether the engine had the session and has it no more, or never had it although nothing says it is used."""
        if status_of(engine) not in REACHABLE:
            return False
        found = self._open_sessions(engine.id)
        key = (session.user_id, session.session_id)
        if found is not None and key in found:
            self._was_open.add((engine.id, engine.run, key))
            return False
        if found is not None and (engine.id, engine.run, key) in self._was_open:
            return True
        is_seen = session.process is not None and self._here.sees(session.process)
        if is_seen or session.created_at is None:
            return False
        age_s = (await self._store.now() - session.created_at).total_seconds()
        return age_s > (UNKNOWN_S if found is None else UNOPENED_S)

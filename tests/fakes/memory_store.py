"""MemoryStore: the store's in-memory twin, which passes the same contract suite as the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from rucat_jupyter.core.engine import Credential, Engine, Event, Session
from rucat_jupyter.core.errors import Conflict, EngineNotFound, NameTaken, StoreTooNew, StoreUnavailable
from rucat_jupyter.core.lifecycle import check_transition
from rucat_jupyter.core.ports.store import STORE_NOW, Beat, Note

FIXED = frozenset({"id", "owner", "name", "platform", "created_at", "revision"})
"""Fields that no update may name."""


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class MemoryDatabase:
    """What several MemoryStores share, as several gateways share one server."""

    installation: str = "00000000000000aa"
    engines: dict[str, Engine] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    lines: list[tuple[Event, bool]] = field(default_factory=list)  # (event, is the engine's tombstone)
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    beats: dict[str, tuple[Beat, datetime]] = field(default_factory=dict)


class MemoryStore:
    """Implements :class:`rucat_jupyter.core.ports.store.Store` on dictionaries.

    Parameters
    ----------
    now
        The store's clock; a test may pass its own.
    database
        What is stored; pass one object to several stores for several gateways.

    Attributes
    ----------
    is_down
        Set True: every call raises StoreUnavailable, as when the server went away.
    is_newer
        Set True: every write raises StoreTooNew, as after a newer Rucat's migration.
    writes
        How many writes have succeeded.
    """

    def __init__(self, now: Callable[[], datetime] = _utc_now, database: MemoryDatabase | None = None) -> None:
        self._now = now
        self._db = database or MemoryDatabase()
        self._is_open = False
        self.is_down = False
        self.is_newer = False
        self.writes = 0

    async def open(self) -> None:
        self._is_open = True
        await self._read()

    async def close(self) -> None:
        self._is_open = False

    async def check(self) -> None:
        await self._read()

    @property
    def installation(self) -> str:
        return self._db.installation

    async def now(self) -> datetime:
        await self._read()
        return self._now()

    async def create(self, engine: Engine, credential: Credential, note: Note) -> Engine:
        check_transition(None, engine.state)
        await self._write()
        for other in self._db.engines.values():
            if (other.owner, other.name) == (engine.owner, engine.name):
                raise NameTaken(f"you have an engine named {engine.name!r}", id=other.id)
        if engine.id in self._db.engines:
            raise Conflict(f"engine {engine.id} exists")
        engine = engine.model_copy(update={"created_at": self._now()})
        self._db.engines[engine.id] = engine
        self._db.credentials[engine.id] = credential
        self._append(engine, note)
        return engine

    async def get(self, engine_id: str) -> Engine:
        await self._read()
        return self._engine(engine_id)

    async def find(self, owner: str, name: str) -> Engine:
        await self._read()
        for engine in self._db.engines.values():
            if (engine.owner, engine.name) == (owner, name):
                return engine
        raise EngineNotFound(f"no engine named {name!r}")

    async def engines(self, owner: str | None = None) -> list[Engine]:
        await self._read()
        found = [engine for engine in self._db.engines.values() if owner is None or engine.owner == owner]
        return sorted(found, key=lambda engine: engine.created_at)

    async def some(self, engine_ids: Sequence[str]) -> list[Engine]:
        await self._read()
        return [self._db.engines[engine_id] for engine_id in dict.fromkeys(engine_ids) if engine_id in self._db.engines]

    async def update(
        self, engine: Engine, changes: Mapping[str, object], note: Note | None, credential: Credential | None = None
    ) -> Engine:
        wrong = [name for name in changes if name in FIXED or name not in Engine.model_fields]
        if wrong:
            raise ValueError(f"an update cannot write {', '.join(wrong)}")
        values = {name: self._now() if value is STORE_NOW else value for name, value in changes.items()}
        changed = engine.model_copy(update={**values, "revision": engine.revision + 1})
        check_transition(engine.state, changed.state)
        await self._write()
        stored = self._current(engine)
        changed = stored.model_copy(update={**values, "revision": engine.revision + 1})
        self._db.engines[engine.id] = changed
        if credential:
            self._db.credentials[engine.id] = credential
        if note:
            self._append(changed, note, changed.run if "run" in changes else None)
        return changed

    async def remove(self, engine: Engine, note: Note) -> None:
        await self._write()
        self._current(engine)
        del self._db.engines[engine.id]
        del self._db.credentials[engine.id]
        for key in [key for key in self._db.sessions if key[0] == engine.id]:
            del self._db.sessions[key]
        gone = engine.model_copy(update={"revision": engine.revision + 1})
        self._append(gone, note, is_tombstone=True)

    async def credential(self, engine_id: str) -> Credential:
        await self._read()
        self._engine(engine_id)
        return self._db.credentials[engine_id]

    async def touch(self, engine_id: str, used_at: datetime) -> None:
        await self._write()
        engine = self._db.engines.get(engine_id)
        if engine and (engine.last_used_at is None or engine.last_used_at < used_at):
            self._db.engines[engine_id] = engine.model_copy(update={"last_used_at": used_at})

    async def history(self, engine_id: str) -> list[Event]:
        await self._read()
        return [event for event, _ in self._db.lines if event.engine_id == engine_id]

    async def record(self, engine: Engine, note: Note) -> None:
        await self._write()
        self._append(engine, note)

    async def prune_history(self, keep_days: float) -> None:
        await self._write()
        limit = self._now() - timedelta(days=keep_days)
        old = {event.engine_id for event, is_tombstone in self._db.lines if is_tombstone and event.at < limit}
        self._db.lines = [line for line in self._db.lines if line[0].engine_id not in old]

    async def put_session(self, session: Session) -> Session:
        await self._write()
        self._move(self._engine(session.engine_id))
        session = session.model_copy(update={"created_at": self._now()})
        self._db.sessions[session.engine_id, session.key] = session
        return session

    async def detach_session(self, session: Session) -> None:
        await self._write()
        there = self._db.sessions.get((session.engine_id, session.key))
        same = lambda s: (s.session_id, s.process)  # noqa: E731
        if there and there.is_attached and same(there) == same(session):
            self._db.sessions[session.engine_id, session.key] = there.model_copy(update={"is_attached": False})
            self._move(self._engine(session.engine_id))

    async def drop_session(self, engine_id: str, key: str) -> None:
        await self._write()
        if self._db.sessions.pop((engine_id, key), None):
            self._move(self._engine(engine_id))

    async def sessions(self, engine_ids: Sequence[str] | None = None) -> list[Session]:
        await self._read()
        found = [s for s in self._db.sessions.values() if engine_ids is None or s.engine_id in engine_ids]
        return sorted(found, key=lambda session: (session.created_at, session.key))

    async def beat(self, beat: Beat) -> None:
        await self._write()
        self._db.beats[beat.gateway_id] = (beat, self._now())

    async def unbeat(self, gateway_id: str) -> None:
        await self._write()
        self._db.beats.pop(gateway_id, None)

    async def beats(self) -> list[Beat]:
        await self._read()
        now = self._now()
        return [
            Beat(beat.gateway_id, beat.host, beat.sites, (now - at).total_seconds())
            for beat, at in self._db.beats.values()
        ]

    async def _read(self) -> None:
        """Let others run, as real IO does, then answer or not."""
        await asyncio.sleep(0)
        if self.is_down or not self._is_open:
            raise StoreUnavailable("the store does not answer: it is down")

    async def _write(self) -> None:
        await self._read()
        if self.is_newer:
            raise StoreTooNew("the store has a newer schema: this Rucat only reads it; update Rucat")
        self.writes += 1

    def _engine(self, engine_id: str) -> Engine:
        try:
            return self._db.engines[engine_id]
        except KeyError:
            raise EngineNotFound(f"no engine {engine_id}") from None

    def _current(self, engine: Engine) -> Engine:
        stored = self._db.engines.get(engine.id)
        if stored is None or stored.revision != engine.revision:
            raise Conflict(f"engine {engine.id} is no longer at revision {engine.revision}")
        return stored

    def _move(self, engine: Engine) -> None:
        self._db.engines[engine.id] = engine.model_copy(update={"revision": engine.revision + 1})

    def _append(self, engine: Engine, note: Note, run: int | None = None, is_tombstone: bool = False) -> None:
        event = note.line(engine, run).model_copy(update={"at": self._now()})
        self._db.lines.append((event, is_tombstone))

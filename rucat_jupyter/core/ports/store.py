"""The port of the store: records, their history, tokens, sessions and heartbeats of gateways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ..engine import Credential, Engine, Event, Session
from ..lifecycle import Changes, status_of

LOST_S = 14.0
"""A gateway with an older heartbeat is gone."""


@dataclass(frozen=True)
class Beat:
    """One gateway's heartbeat row; ``age_s`` by the store's own clock."""

    gateway_id: str
    host: str
    sites: tuple[str, ...]
    age_s: float = 0.0


@dataclass(frozen=True)
class Note:
    """What a history entry says besides the facts: who, what kind, why."""

    actor: str
    kind: str
    reason: str = ""

    def line(self, engine: Engine, run: int | None = None) -> Event:
        """The history entry of this note on an engine after the change, for the life ``run``.

        ``run`` None: the life of ``state``, or the wanted one before any was claimed.
        """
        return Event(
            engine_id=engine.id,
            name=engine.name,
            owner=engine.owner,
            revision=engine.revision,
            run=run or engine.state_run or engine.run,
            actor=self.actor,
            kind=self.kind,
            reason=self.reason,
            status=status_of(engine).value,
        )


class Store(Protocol):
    """The registry: the only source of truth about engines.

    Any call raises StoreUnavailable if the database does not respond in time, and any write raises StoreTooNew if its
    schema is newer than this code.
    """

    async def open(self) -> None:
        """Connect, migrate the schema to this version, create the installation id if there is none."""
        ...

    async def close(self) -> None:
        """Release the database; safe to call twice."""
        ...

    async def check(self) -> None:
        """Return if the database responds now, else raise StoreUnavailable."""
        ...

    @property
    def installation(self) -> str:
        """The random id of this store (16 hex digits), known after :meth:`open`."""
        ...

    async def now(self) -> datetime:
        """The store's time: the only time that gateways compare."""
        ...

    async def create(self, engine: Engine, credential: Credential, note: Note) -> Engine:
        """Insert engine, credential and first history entry in one transaction; ``created_at`` is the store's time.

        Raises NameTaken (``details["id"]``: the existing engine) if owner and name are taken, also in a race.
        """
        ...

    async def get(self, engine_id: str) -> Engine:
        """Read one engine by id, or raise EngineNotFound."""
        ...

    async def find(self, owner: str, name: str) -> Engine:
        """Read one engine by owner and name, or raise EngineNotFound."""
        ...

    async def engines(self, owner: str | None = None) -> list[Engine]:
        """All engines (of one owner), oldest first."""
        ...

    async def some(self, engine_ids: Sequence[str]) -> list[Engine]:
        """Those of these engines that exist, in any order."""
        ...

    async def update(
        self, engine: Engine, changes: Changes, note: Note | None, credential: Credential | None = None
    ) -> Engine:
        """Compare-and-set on ``engine.revision``: write the fields, revision + 1, and the history entry, atomically.

        A ``credential`` replaces the engine's in the same transaction.

        ``started_at`` and ``stopped_at`` may be :data:`STORE_NOW`. Values are those of the model's fields.
        Returns the new engine. Raises Conflict if the revision has changed or the engine is gone; IllegalTransition
        if the change of ``state`` is illegal. ``note`` None writes no history (messages only).
        """
        ...

    async def remove(self, engine: Engine, note: Note) -> None:
        """Compare-and-set delete of row, credential and sessions; the history stays, with a last entry.

        Raises Conflict like :meth:`update`.
        """
        ...

    async def credential(self, engine_id: str) -> Credential:
        """The secrets of an engine, or EngineNotFound."""
        ...

    async def touch(self, engine_id: str, used_at: datetime) -> None:
        """Move ``last_used_at`` forward and keep the revision; no error if the engine is gone."""
        ...

    async def history(self, engine_id: str) -> list[Event]:
        """Events of an engine, oldest first, also of a removed one; empty for an unknown id."""
        ...

    async def record(self, engine: Engine, note: Note) -> None:
        """Append a history entry (a platform event) and change nothing else."""
        ...

    async def prune_history(self, keep_days: float) -> None:
        """Drop older history of removed engines."""
        ...

    async def put_session(self, session: Session) -> Session:
        """Insert or replace the session of (engine, key), and increment the revision. EngineNotFound if it is gone."""
        ...

    async def detach_session(self, session: Session) -> None:
        """Note that a session is not attached, and increment the revision; not if it was attached again since."""
        ...

    async def drop_session(self, engine_id: str, key: str) -> None:
        """Remove a session if it exists, and then increment the engine's revision."""
        ...

    async def sessions(self, engine_ids: Sequence[str] | None = None) -> list[Session]:
        """Sessions of these engines (None: of all), oldest first."""
        ...

    async def beat(self, beat: Beat) -> None:
        """Write this gateway's heartbeat with the store's time."""
        ...

    async def unbeat(self, gateway_id: str) -> None:
        """Remove a gateway's heartbeat (at a clean exit)."""
        ...

    async def beats(self) -> list[Beat]:
        """All heartbeats, with their age by the store's clock."""
        ...


class _StoreNow:
    """Sentinel type of :data:`STORE_NOW`."""

    def __repr__(self) -> str:
        return "STORE_NOW"


STORE_NOW = _StoreNow()
"""A value in changes that stands for the store's own time at the write."""

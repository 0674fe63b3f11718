"""The port of the store: records, their history, tokens, sessions and heartbeats of gateways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ..engine import Credential, Engine, Event, Session
from ..lifecycle import Changes, status_of

LOST_S = 14.0
"""A gateway whose heartbeat is older has gone."""


@dataclass(frozen=True)
class Beat:
    """One gateway's heartbeat row; ``age_s`` is by the store's own clock."""

    gateway_id: str
    host: str
    sites: tuple[str, ...]
    age_s: float = 0.0


@dataclass(frozen=True)
class Note:
    """What a transition's history line says beside the facts: who, what kind, why."""

    actor: str
    kind: str
    reason: str = ""

    def line(self, engine: Engine, run: int | None = None) -> Event:
        """The history line of this note on an engine as it is after the change, of the life ``run``.

        ``run`` None: the life that ``state`` speaks of, or the wanted one before any was claimed.
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
    """The registry: the only truth about engines.

    Any call raises StoreUnavailable when the database does not answer in time, and any write raises
    StoreTooNew when its schema is newer than this code.
    """

    async def open(self) -> None:
        """Connect, migrate the schema to this version, make the installation id if there is none."""
        ...

    async def close(self) -> None:
        """Let go of the database; safe to call twice."""
        ...

    async def check(self) -> None:
        """Return if the database answers now, else raise StoreUnavailable."""
        ...

    @property
    def installation(self) -> str:
        """The random id of this store (16 hex digits), known after :meth:`open`."""
        ...

    async def now(self) -> datetime:
        """The store's time: the only time that several gateways compare."""
        ...

    async def create(self, engine: Engine, credential: Credential, note: Note) -> Engine:
        """Insert engine, credential and first history line in one transaction; ``created_at`` becomes the store's time.

        Raises NameTaken (``details["id"]``: the existing engine) when owner and name are taken, also in a race.
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
        """Those of these engines that there are, in any order."""
        ...

    async def update(
        self, engine: Engine, changes: Changes, note: Note | None, credential: Credential | None = None
    ) -> Engine:
        """Compare-and-set on ``engine.revision``: write the fields, revision + 1, and the history line, as one.

        A ``credential`` takes the place of the engine's, in the same transaction.

        ``started_at`` and ``stopped_at`` may be given as :data:`STORE_NOW`. Values are those of the model's fields.
        Returns the new engine. Raises Conflict when the revision has moved or the engine is gone; IllegalTransition
        when ``state`` would make an illegal step. ``note`` None writes no history (messages only).
        """
        ...

    async def remove(self, engine: Engine, note: Note) -> None:
        """Compare-and-set delete of row, credential and sessions; the history stays, with a last line.

        Raises Conflict like :meth:`update`.
        """
        ...

    async def credential(self, engine_id: str) -> Credential:
        """The secrets of an engine, or EngineNotFound."""
        ...

    async def touch(self, engine_id: str, used_at: datetime) -> None:
        """Move ``last_used_at`` forward without moving the revision; quiet when the engine is gone."""
        ...

    async def history(self, engine_id: str) -> list[Event]:
        """Events of an engine, oldest first, also of a removed one; empty for an unknown id."""
        ...

    async def record(self, engine: Engine, note: Note) -> None:
        """Append a history line (a platform event) that changes nothing else."""
        ...

    async def prune_history(self, keep_days: float) -> None:
        """Drop the history of removed engines older than that."""
        ...

    async def put_session(self, session: Session) -> Session:
        """Insert or replace the session of (engine, key); moves the engine's revision. EngineNotFound if it is gone."""
        ...

    async def drop_session(self, engine_id: str, key: str) -> None:
        """Remove a session if it is there; moves the engine's revision if it was."""
        ...

    async def sessions(self, engine_ids: Sequence[str] | None = None) -> list[Session]:
        """Sessions of these engines (None: of all), oldest first."""
        ...

    async def beat(self, beat: Beat) -> None:
        """Write this gateway's heartbeat with the store's time."""
        ...

    async def unbeat(self, gateway_id: str) -> None:
        """Remove a gateway's heartbeat (a clean end)."""
        ...

    async def beats(self) -> list[Beat]:
        """All heartbeats with their age by the store's clock."""
        ...


class _StoreNow:
    """Sentinel type of :data:`STORE_NOW`."""

    def __repr__(self) -> str:
        return "STORE_NOW"


STORE_NOW = _StoreNow()
"""In changes, in place of a time: the store's own time at the write."""

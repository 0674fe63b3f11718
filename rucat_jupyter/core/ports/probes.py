"""The ports of a running engine: health, activity, and running operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ..engine import Engine
from ..lifecycle import Health
from .platform import Endpoint

SessionId = tuple[str, str]
"""User id and session id: together they identify a session in Spark Connect."""


@dataclass(frozen=True)
class Activity:
    """Activity of an engine: number of running operations, and when one last began or ended (None: none seen)."""

    running: int
    used_at: datetime | None
    sessions: frozenset[SessionId] = field(default=frozenset(), compare=False)
    """The open sessions, without those of probes."""


class Pulse(Protocol):
    """The regular health check of one life: both tiers, each at its own pace, never blocked by another engine."""

    @property
    def health(self) -> Health:
        """The latest health."""
        ...

    @property
    def activity(self) -> Activity | None:
        """The latest activity, or None while it is unknown."""
        ...

    async def close(self) -> None:
        """Stop probing and wait for the end."""
        ...


class Prober(Protocol):
    """Makes pulses; :mod:`rucat_jupyter.spark.probes.prober` has the real one."""

    def watch(self, engine: Engine, endpoint: Endpoint, token: str, wake: Wake) -> Pulse:
        """Begin to probe a life; ``wake(engine id)`` is called whenever ``health`` or busyness has changed."""
        ...

    async def close(self) -> None:
        """Close every pulse and connection."""
        ...


class Wake(Protocol):
    """Called with an engine's id when the monitor should look at it now; cheap, from the event loop's thread only."""

    def __call__(self, engine_id: str, /) -> None:
        """Mark a look as due."""
        ...


# --- what runs on an engine -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One running Spark Connect operation; a number or time is None if the engine does not report it."""

    id: str
    user_id: str
    session_id: str
    text: str = ""
    is_ending: bool = False  # it was cancelled, and has not ended yet
    started_at: datetime | None = None
    stages: int | None = None
    stages_done: int | None = None
    tasks: int | None = None
    tasks_done: int | None = None
    tags: tuple[str, ...] = ()


class Operations(Protocol):
    """Lists and cancels the operations of all sessions of an engine; listing does not count as activity.

    ``sessions`` are the known ones: we ask an engine that does not list its sessions only for these. No call creates a
    session. Each raises EngineUnavailable if the engine does not respond, and NotPossible if it cannot list operations
    (Spark before 4.2 without a UI).
    """

    async def running(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        """Running operations, oldest first, without those of the probes."""
        ...

    async def cancel(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        """Ask the engine to cancel an operation; return it as it was, or None if none with that id runs.

        A cancelled operation whose jobs continue counts as running; jobs that it begins afterwards are killed.
        """
        ...

    def end_jobs(self, endpoint: Endpoint, operation: Operation) -> None:
        """Kill jobs that an operation has or soon begins although its client cancelled it; returns immediately."""
        ...

    async def close(self) -> None:
        """Stop the background tasks."""
        ...

"""The ports of a running engine: health, activity, and the operations that run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ..engine import Engine
from ..lifecycle import Health
from .platform import Endpoint


@dataclass(frozen=True)
class Activity:
    """Signs of use of a whole engine: operations running now, and when one last began or ended (None: none seen)."""

    running: int
    used_at: datetime | None


class Pulse(Protocol):
    """The regular health check of one life: both tiers, each at its own pace, never blocked by another engine's."""

    @property
    def health(self) -> Health:
        """What has been found so far."""
        ...

    @property
    def activity(self) -> Activity | None:
        """The latest signs of use, or None while nothing is known."""
        ...

    async def close(self) -> None:
        """Stop probing and wait until that is done."""
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
    """Called with an engine's id when it deserves a look now; cheap, from the event loop's thread only."""

    def __call__(self, engine_id: str, /) -> None:
        """Note that a look is due."""
        ...


# --- what runs on an engine -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One Spark Connect operation that runs now; a number or time is None where the engine does not tell."""

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


SessionId = tuple[str, str]
"""User id and session id: what Spark Connect knows a session by."""


class Operations(Protocol):
    """Looks at, and cancels, what runs on an engine, of all its sessions; looking is no use of the engine.

    ``sessions`` are those that are known: an engine that does not list its sessions is asked for these alone. No call
    ever makes a session. Each raises EngineUnavailable when the engine does not answer, and NotPossible when it cannot
    tell (Spark before 4.2 without a UI).
    """

    async def running(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        """Operations that run now, oldest first; the probes' own are left out."""
        ...

    async def cancel(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        """Ask the engine to cancel an operation; returns it as it was, or None where none of that id runs.

        It runs also when it was cancelled before and its jobs go on; jobs that it begins afterwards are ended.
        """
        ...

    def end_jobs(self, endpoint: Endpoint, operation: Operation) -> None:
        """End jobs that an operation has, or begins soon, although its own client has cancelled it; returns at once."""
        ...

    async def close(self) -> None:
        """End what goes on in the background."""
        ...

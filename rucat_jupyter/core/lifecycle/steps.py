"""The steps of the monitor; each look at an engine gives exactly one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..engine import Executors, Failure, Verb


@dataclass(frozen=True)
class Step:
    """The next step."""


@dataclass(frozen=True)
class Rest(Step):
    """Do nothing until something changes, or until the time ``until``."""

    until: datetime | None = None


@dataclass(frozen=True)
class Claim(Step):
    """Write that ``state`` now describes the wanted life: Pending, ``state_run = run``."""


@dataclass(frozen=True)
class Start(Step):
    """Ask the platform to start the claimed life."""


@dataclass(frozen=True)
class Confirm(Step):
    """Write Running, because the Spark Connect service has responded, and the executors seen so far."""

    executors: Executors | None = None


@dataclass(frozen=True)
class Note(Step):
    """Write what the engine waits for."""

    message: str


@dataclass(frozen=True)
class Count(Step):
    """Write the number of executors, and why some are missing."""

    executors: Executors


@dataclass(frozen=True)
class Suspect(Step):
    """Write that it has not responded since ``since``."""

    since: datetime
    message: str


@dataclass(frozen=True)
class Clear(Step):
    """Write that it responds again."""


@dataclass(frozen=True)
class Fail(Step):
    """Write the failure of a life that still exists and must end."""

    failure: Failure


@dataclass(frozen=True)
class Stop(Step):
    """Ask the platform to stop the life, gracefully, then by force."""


@dataclass(frozen=True)
class Settle(Step):
    """Write Stopped, with the failure if any."""

    failure: Failure | None
    reason: str


@dataclass(frozen=True)
class Clean(Step):
    """Ask the platform to remove what the ended life left behind; the end of its log stays readable."""


@dataclass(frozen=True)
class Remove(Step):
    """Remove the record; a tombstone stays in history."""


@dataclass(frozen=True)
class Ask(Step):
    """Request a verb from the use cases, as the monitor."""

    verb: Verb
    reason: str

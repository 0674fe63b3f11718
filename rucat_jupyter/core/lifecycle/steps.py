"""The steps that the monitor can take; each look at an engine ends in exactly one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..engine import Executors, Failure, Verb


@dataclass(frozen=True)
class Step:
    """One thing to do next."""


@dataclass(frozen=True)
class Rest(Step):
    """Nothing, until something changes, or ``until`` where time alone can change it."""

    until: datetime | None = None


@dataclass(frozen=True)
class Claim(Step):
    """Write that ``state`` now speaks of the wanted life: Pending, ``state_run = run``."""


@dataclass(frozen=True)
class Start(Step):
    """Ask the platform to start the claimed life."""


@dataclass(frozen=True)
class Confirm(Step):
    """Write Running: the Spark Connect service has answered; and the executors that are seen by then."""

    executors: Executors | None = None


@dataclass(frozen=True)
class Note(Step):
    """Write what the engine waits for."""

    message: str


@dataclass(frozen=True)
class Count(Step):
    """Write how many executors there are, and why some are not."""

    executors: Executors


@dataclass(frozen=True)
class Suspect(Step):
    """Write that it does not answer since ``since``."""

    since: datetime
    message: str


@dataclass(frozen=True)
class Clear(Step):
    """Write that it answers again."""


@dataclass(frozen=True)
class Fail(Step):
    """Write the verdict on a life that is still there and must end."""

    failure: Failure


@dataclass(frozen=True)
class Stop(Step):
    """Ask the platform to end the life, gracefully, then by force."""


@dataclass(frozen=True)
class Settle(Step):
    """Write Stopped, with the failure if there is one."""

    failure: Failure | None
    reason: str


@dataclass(frozen=True)
class Clean(Step):
    """Ask the platform to remove what the ended life left; its log's end stays readable."""


@dataclass(frozen=True)
class Remove(Step):
    """Remove the record; a tombstone stays in history."""


@dataclass(frozen=True)
class Ask(Step):
    """Ask a verb of the use cases, as the monitor."""

    verb: Verb
    reason: str

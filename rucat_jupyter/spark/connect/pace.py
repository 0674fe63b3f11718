"""The intervals and timeouts of the probes, and a sleep that can be interrupted."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass(frozen=True)
class Pace:
    """Intervals and timeouts of the probes for one platform's engines; all in seconds."""

    service_s: float = 5.0
    query_s: float = 15.0
    activity_s: float = 20.0
    deadline_s: float = 12.0
    """Longer than a garbage collection of 10 s, which does not count as silence."""
    warm_up_s: float = 10.0
    """From the first response of the service to the first query and the first look at running operations.

    They are reserved for the user: an engine compiles half of Spark for its first query, and nothing can stop that.
    """
    first_query_s: float = 60.0
    """The first query of a life compiles half of Spark: 2.3-3.4 s on an idle machine, many times that on a busy one."""
    hard_deadline_s: float = 60.0
    """A query that exceeds the deadline continues until here, and its answer still counts."""
    eager_s: float = 0.2
    """Between looks at a silent or starting engine in its first minute; then 1 s, after ten minutes the normal pace."""
    confirm_s: float = 1.0
    """Before the second try of a failed query; only two failures count."""
    prompt_s: float = 2.0
    """A later answer means that a process was paused, the gateway or the engine."""


PACES: Mapping[str, Pace] = {"local": Pace(), "external": Pace(service_s=15.0, eager_s=1.0)}
REMOTE_PACE = Pace(service_s=15.0, warm_up_s=15.0, query_s=30.0, activity_s=30.0, eager_s=0.5)
"""For pods, and for platforms that are not in :data:`PACES`."""


SESSION_TIMEOUT = "spark.connect.session.manager.defaultSessionTimeout"
_UNITS = {"": 1e-3, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"\s*([0-9]+)\s*([a-z]*)\s*")


def session_timeout_s(conf: Mapping[str, str]) -> float | None:
    """After how many seconds without a call Spark ends a session; None: the default, an hour, or never."""
    found = _TIME.fullmatch(str(conf.get(SESSION_TIMEOUT, "")).lower())
    return int(found[1]) * _UNITS[found[2]] or None if found and found[2] in _UNITS else None


def utc_now() -> datetime:
    """The default clock."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Rhythm:
    """A pace with its clock; ``spread`` draws from [0, 1) so that thousands of pulses do not probe together."""

    pace: Pace
    now: Callable[[], datetime] = utc_now
    spread: Callable[[], float] = random.random

    def about(self, seconds: float) -> float:
        """That duration, plus or minus a tenth."""
        return seconds * (0.9 + 0.2 * self.spread())

    def eager(self, silent_s: float) -> float:
        """The interval between looks at an engine that has been silent, or starting, for that long."""
        if silent_s < 60:
            return self.pace.eager_s
        return min(1.0, self.pace.service_s) if silent_s < 600 else self.about(self.pace.service_s)


@dataclass(frozen=True)
class Miss:
    """Since when there is no response, and what was found instead; the first miss of a series gives the time."""

    since: datetime
    message: str


async def wait(due: asyncio.Event, seconds: float) -> None:
    """Sleep until ``due`` is set, at most that long; cheaper than ``wait_for``, which makes a task each time."""
    timer = asyncio.get_running_loop().call_later(seconds, due.set)
    try:
        await due.wait()
    finally:
        timer.cancel()
        due.clear()

"""When the probes ask: their numbers, and waiting that can be cut short."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass(frozen=True)
class Pace:
    """How often and how long the probes of one platform's engines ask; all in seconds."""

    service_s: float = 5.0
    query_s: float = 15.0
    activity_s: float = 20.0
    deadline_s: float = 12.0
    """Longer than a garbage collection of 10 s, which is no silence."""
    warm_up_s: float = 10.0
    """From the first answer of the service to the first query and the first look at what runs.

    These seconds are the user's: an engine compiles half of Spark for whoever asks first, and does not stop meanwhile.
    """
    first_query_s: float = 60.0
    """The first query of a life compiles half of Spark: 2.3-3.4 s on an idle machine, many times that on a busy one."""
    hard_deadline_s: float = 60.0
    """A query that outlasts the deadline is left to run until here: its answer still counts."""
    eager_s: float = 0.2
    """Between looks at a silent or starting engine, in its first minute; then 1 s, and after ten minutes the pace."""
    confirm_s: float = 1.0
    """Before a failed query is tried a second time, and only then believed."""
    prompt_s: float = 2.0
    """An answer later than this came from a process that was paused, ours or the engine's."""


PACES: Mapping[str, Pace] = {"local": Pace(), "external": Pace(service_s=15.0, eager_s=1.0)}
REMOTE_PACE = Pace(service_s=15.0, warm_up_s=15.0, query_s=30.0, activity_s=30.0, eager_s=0.5)
"""For pods, and for platforms that :data:`PACES` does not name."""


def utc_now() -> datetime:
    """The time, where nobody gives a better clock."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Rhythm:
    """A pace with its clock; ``spread`` draws from [0, 1) so that thousands of pulses do not ask at one moment."""

    pace: Pace
    now: Callable[[], datetime] = utc_now
    spread: Callable[[], float] = random.random

    def about(self, seconds: float) -> float:
        """That long, give or take a tenth."""
        return seconds * (0.9 + 0.2 * self.spread())

    def eager(self, silent_s: float) -> float:
        """The pause between looks at what has been silent, or starting, for so long."""
        if silent_s < 60:
            return self.pace.eager_s
        return min(1.0, self.pace.service_s) if silent_s < 600 else self.about(self.pace.service_s)


@dataclass(frozen=True)
class Miss:
    """Since when there is no answer, and what was found instead; the first of a row gives the time."""

    since: datetime
    message: str


async def wait(due: asyncio.Event, seconds: float) -> None:
    """Sleep, or less when ``due`` is set meanwhile; cheaper than ``wait_for``, which makes a task each time."""
    timer = asyncio.get_running_loop().call_later(seconds, due.set)
    try:
        await due.wait()
    finally:
        timer.cancel()
        due.clear()

"""When things are due: the agenda of one platform's engines, pauses between attempts, and the store's time."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...core.ports.clock import Clock
from ...core.ports.store import LOST_S


@dataclass(frozen=True)
class Pace:
    """Timings of the monitor, from the gateway's settings.

    ``look_s`` is the period of the full check, which finds what events missed. ``sweep_s`` and ``orphan_grace_s``
    together stay below the 60 s after which no leftover may exist; ``lost_s + beat_s`` below the 20 s in which another
    gateway takes over.
    """

    look_s: float = 30.0
    sweep_s: float = 20.0
    orphan_grace_s: float = 15.0
    beat_s: float = 4.0
    lost_s: float = LOST_S
    gap_s: float = 30.0
    touch_s: float = 60.0
    call_s: float = 60.0
    """Outer limit of one call of a port; the ports have smaller limits of their own."""
    act_s: float = 300.0
    """Outer limit of a platform's start, stop or clean."""
    retry_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    """Pauses after the first, second, … failed check: within 10 s after the end of an outage all works again."""
    repeat_s: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 10.0)
    """Pauses between steps that change nothing: in the end at most one in 10 s for an engine."""


class Agenda:
    """When each engine is due; an engine in a check is not handed out again until it is released."""

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._busy: set[str] = set()

    def put(self, engine_id: str, at: datetime) -> None:
        """Note that a check is due at that time; an earlier time stays."""
        noted = self._at.get(engine_id)
        if noted is None or at < noted:
            self._at[engine_id] = at
            heapq.heappush(self._heap, (at, engine_id))

    def take(self, now: datetime) -> list[str]:
        """Hand out every engine that is due and not in a check."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            at, engine_id = heapq.heappop(self._heap)
            if self._at.get(engine_id) == at and engine_id not in self._busy:
                del self._at[engine_id]
                self._busy.add(engine_id)
                taken.append(engine_id)
        return taken

    def release(self, engine_id: str) -> None:
        """End a check; times noted meanwhile count from now on."""
        self._busy.discard(engine_id)
        if engine_id in self._at:
            heapq.heappush(self._heap, (self._at[engine_id], engine_id))

    def next_at(self) -> datetime | None:
        """When the next check may be due, or None."""
        return self._heap[0][0] if self._heap else None


class Attempts:
    """How often the same action was tried in a row for one engine, and when to try it again."""

    def __init__(self, pauses_s: Sequence[float]) -> None:
        self._pauses_s = pauses_s
        self._made: dict[str, tuple[Hashable, int, datetime]] = {}

    def next_at(self, engine_id: str, what: Hashable) -> datetime | None:
        """When ``what`` may be tried again; None if it was not the last attempt."""
        last, _, at = self._made.get(engine_id, (None, 0, None))
        return at if last == what else None

    def made(self, engine_id: str, what: Hashable, now: datetime) -> datetime:
        """Count an attempt; return the time of the next, with a jitter of a quarter so that engines spread out."""
        last, count, _ = self._made.get(engine_id, (what, 0, now))
        count = count + 1 if last == what else 1
        spread = 1 + zlib.crc32(f"{engine_id}{count}".encode()) % 1000 / 4000
        at = now + timedelta(seconds=spread * self._pauses_s[min(count, len(self._pauses_s)) - 1])
        self._made[engine_id] = what, count, at
        return at

    def reset(self, engine_id: str) -> None:
        """Drop an engine's attempts."""
        self._made.pop(engine_id, None)


class Timekeeper:
    """The time of this process, the measured time of the store, and gaps in which the process did not run."""

    def __init__(self, clock: Clock, gap_s: float) -> None:
        self._clock = clock
        self._gap_s = gap_s
        self._ticked_at = clock.now()
        self._ahead = timedelta()
        self._awake_since = self._ticked_at

    def now(self) -> datetime:
        """Time of this process."""
        return self._clock.now()

    def measured(self, store_now: datetime) -> None:
        """Note the present time of the store's clock."""
        self._ahead = store_now - self.now()

    def to_store(self, at: datetime) -> datetime:
        """Convert a time of this process to the store's clock."""
        return at + self._ahead

    def to_own(self, at: datetime) -> datetime:
        """Convert a time of the store's clock to this process."""
        return at - self._ahead

    def awake_since(self) -> datetime:
        """Since when this process has run without a gap; deadlines that passed within a gap do not count.

        We see a suspended machine by wall time that ran ahead, and a stopped process by a late call: so this must be
        called every few seconds.
        """
        now = self.now()
        late_s = (now - self._ticked_at).total_seconds()
        self._ticked_at = now
        if max(late_s, self._clock.gap_s()) > self._gap_s:
            self._awake_since = now
        return self._awake_since

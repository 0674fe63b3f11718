"""The time of this process."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone


class SystemClock:
    """Implements :class:`rucat_jupyter.core.ports.clock.Clock`: wall time at the start plus monotonic time since."""

    def __init__(self) -> None:
        self._wall_s, self._monotonic_s = time.time(), time.monotonic()
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """Time-zone-aware UTC time that never goes back or jumps."""
        return datetime.fromtimestamp(self._wall_s, timezone.utc) + timedelta(seconds=self._run_s())

    def gap_s(self) -> float:
        """Seconds that the wall clock gained on the monotonic one since the last call: the latter stops in suspend."""
        ahead_s = time.time() - self._wall_s - self._run_s()
        before_s, self._ahead_s = self._ahead_s, ahead_s
        return max(0.0, ahead_s - before_s)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))

    def _run_s(self) -> float:
        return time.monotonic() - self._monotonic_s

"""The port of the clock."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time of this process."""

    def now(self) -> datetime:
        """Aware UTC time that never goes back or jumps: wall time at start plus monotonic time since then."""
        ...

    def gap_s(self) -> float:
        """Seconds by which the wall clock has got ahead of :meth:`now` since the last call (a suspended machine)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

"""Memory of this machine for its engines: what is reserved, what fits, and the default heap."""

from __future__ import annotations

from dataclasses import dataclass

from .machine import Room

MIN_HEADROOM_MB = 384
"""Least memory of a JVM outside its heap; a tenth of the heap if that is more, as in Spark."""

DEFAULT_HEAPS_MB = (4096, 3072, 2048, 1536, 1024, 768, 512)
"""Heaps to choose the default from: the largest that fits the free memory and a quarter of all memory."""


@dataclass(frozen=True)
class Budget:
    """Memory of this machine, and how much of it is reserved for live engines."""

    room: Room
    promised_mb: int = 0
    in_use_mb: int = 0  # in use by those engines: part of the reservation, and not of the available memory
    engines: int = 0

    @property
    def left_mb(self) -> int:
        """Memory that can be reserved for another engine."""
        return max(0, min(self.room.total_mb, self.room.available_mb + self.in_use_mb) - self.promised_mb)

    def refusal(self, heap_mb: int) -> str | None:
        """Why a heap does not fit, with numbers, or None if it does."""
        if needed_mb(heap_mb) <= self.left_mb:
            return None
        held = f"; {_gb(self.promised_mb)} are reserved for {self.engines} running engines" if self.engines else ""
        return (
            f"a heap of {_gb(heap_mb)} needs {_gb(needed_mb(heap_mb))} with Java's overhead, but only "
            f"{_gb(self.left_mb)} of this machine's {_gb(self.room.total_mb)} are free{held}"
        )

    def default_mb(self) -> int:
        """The heap for a spec without one."""
        fits = (mb for mb in DEFAULT_HEAPS_MB if mb <= self.room.total_mb // 4 and needed_mb(mb) <= self.left_mb)
        return next(fits, DEFAULT_HEAPS_MB[-1])


def needed_mb(heap_mb: int) -> int:
    """Total memory that a JVM with this heap needs."""
    return heap_mb + max(MIN_HEADROOM_MB, heap_mb // 10)


def _gb(mb: int) -> str:
    return f"{mb / 1024:.1f} GB"

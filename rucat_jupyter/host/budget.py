"""Share this machine's memory out among its engines: what is promised, what fits, what a default may be."""

from __future__ import annotations

from dataclasses import dataclass

from .machine import Room

MIN_HEADROOM_MB = 384
"""What a JVM uses beside its heap, at least; a tenth of the heap if that is more, as Spark counts it."""

DEFAULT_HEAPS_MB = (4096, 3072, 2048, 1536, 1024, 768, 512)
"""Heaps to choose the default from: the largest that fits what is free and is no more than a quarter of all memory."""


@dataclass(frozen=True)
class Budget:
    """Memory of this machine, and what live engines have been promised of it."""

    room: Room
    promised_mb: int = 0
    in_use_mb: int = 0  # what those engines use already: part of the promise, and not of what is available
    engines: int = 0

    @property
    def left_mb(self) -> int:
        """What another engine can be promised."""
        return max(0, min(self.room.total_mb, self.room.available_mb + self.in_use_mb) - self.promised_mb)

    def refusal(self, heap_mb: int) -> str | None:
        """Why a heap does not fit, with numbers, or None when it does."""
        if needed_mb(heap_mb) <= self.left_mb:
            return None
        held = f"; {self.engines} running engines were promised {_gb(self.promised_mb)}" if self.engines else ""
        return (
            f"a heap of {_gb(heap_mb)} needs {_gb(needed_mb(heap_mb))} with what Java uses beside it, and "
            f"{_gb(self.left_mb)} of this machine's {_gb(self.room.total_mb)} are free{held}"
        )

    def default_mb(self) -> int:
        """The heap for a spec that names none."""
        fits = (mb for mb in DEFAULT_HEAPS_MB if mb <= self.room.total_mb // 4 and needed_mb(mb) <= self.left_mb)
        return next(fits, DEFAULT_HEAPS_MB[-1])


def needed_mb(heap_mb: int) -> int:
    """What a JVM with this heap needs in all."""
    return heap_mb + max(MIN_HEADROOM_MB, heap_mb // 10)


def _gb(mb: int) -> str:
    return f"{mb / 1024:.1f} GB"

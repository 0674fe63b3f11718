"""The checks of ``doctor``, a file per area, and their report; ``notebook``, ``cli`` and ``__main__`` import it."""

from __future__ import annotations

from .examine import examine
from .findings import Finding, Level, Report, Surroundings, bad

__all__ = ["Finding", "Level", "Report", "Surroundings", "bad", "examine"]

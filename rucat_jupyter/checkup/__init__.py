"""The checks behind ``doctor``, one file each, and their report; ``notebook``, ``cli`` and ``__main__`` import it."""

from __future__ import annotations

from .examine import Surroundings, examine
from .findings import Finding, Level, Report, bad

__all__ = ["Finding", "Level", "Report", "Surroundings", "bad", "examine"]

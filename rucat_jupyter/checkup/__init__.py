"""The checks behind ``doctor``: what Rucat needs of this machine, and what mends what is missing."""

from __future__ import annotations

from .examine import Surroundings, examine
from .findings import Finding, Level, Report, bad

__all__ = ["Finding", "Level", "Report", "Surroundings", "bad", "examine"]

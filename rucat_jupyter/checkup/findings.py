"""Findings of the checks: pure values."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pathlib import Path

VERSION: str = import_module("rucat_jupyter").__version__
"""By ``import_module``, for the import layers: the package's lazy names lead to Jupyter."""


@dataclass(frozen=True)
class Surroundings:
    """What the checks examine; a parameter, so that tests can pass their own."""

    directory: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: str = sys.executable


class Level(str, Enum):
    """Level of a finding: no problem, possible problem, something does not work."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """Result of a check: its area, what was found, and the command or step that fixes it."""

    area: str
    level: Level
    found: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """As JSON."""
        return {"area": self.area, "level": self.level.value, "found": self.found, "fix": self.fix}


@dataclass(frozen=True)
class Report:
    """All findings, in the order of the checks."""

    findings: Sequence[Finding]
    seconds: float
    version: str

    @property
    def level(self) -> Level:
        """The worst level of all findings."""
        levels = {finding.level for finding in self.findings}
        return next((level for level in (Level.BAD, Level.WARN) if level in levels), Level.OK)

    @property
    def summary(self) -> str:
        """Count of findings per level, as text."""
        count = Counter(finding.level for finding in self.findings)
        return ", ".join(f"{count[level]} {level.value}" for level in Level)

    def as_json(self) -> dict[str, object]:
        """As JSON; ``level`` is that of the worst finding."""
        return {
            "level": self.level.value,
            "version": self.version,
            "seconds": round(self.seconds, 2),
            "findings": [finding.as_json() for finding in self.findings],
        }


def ok(area: str, found: str) -> Finding:
    """Finding without a problem."""
    return Finding(area, Level.OK, found)


def warn(area: str, found: str, fix: str) -> Finding:
    """Finding of a possible problem."""
    return Finding(area, Level.WARN, found, fix)


def bad(area: str, found: str, fix: str) -> Finding:
    """Finding of something that does not work."""
    return Finding(area, Level.BAD, found, fix)

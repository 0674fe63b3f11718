"""What a check-up finds: pure values."""

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
"""Taken so, for the layers' sake: what the package itself names lazily leads to Jupyter."""


@dataclass(frozen=True)
class Surroundings:
    """What is looked at: given, so that a test can have its own."""

    directory: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: str = sys.executable


class Level(str, Enum):
    """How a finding is meant: nothing to do, something will surprise, something does not work."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: where it belongs, what was found, and the command or step that mends it."""

    area: str
    level: Level
    found: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """The form for programs."""
        return {"area": self.area, "level": self.level.value, "found": self.found, "fix": self.fix}


@dataclass(frozen=True)
class Report:
    """All findings, in the order of the checks."""

    findings: Sequence[Finding]
    seconds: float
    version: str

    @property
    def level(self) -> Level:
        """The worst of all."""
        levels = {finding.level for finding in self.findings}
        return next((level for level in (Level.BAD, Level.WARN) if level in levels), Level.OK)

    @property
    def summary(self) -> str:
        """How many of each level, in words."""
        count = Counter(finding.level for finding in self.findings)
        return ", ".join(f"{count[level]} {level.value}" for level in Level)

    def as_json(self) -> dict[str, object]:
        """The form for programs: ``level`` is that of the worst finding."""
        return {
            "level": self.level.value,
            "version": self.version,
            "seconds": round(self.seconds, 2),
            "findings": [finding.as_json() for finding in self.findings],
        }


def ok(area: str, found: str) -> Finding:
    """Make a finding with nothing to do."""
    return Finding(area, Level.OK, found)


def warn(area: str, found: str, fix: str) -> Finding:
    """Make a finding that will surprise."""
    return Finding(area, Level.WARN, found, fix)


def bad(area: str, found: str, fix: str) -> Finding:
    """Make a finding of something that does not work."""
    return Finding(area, Level.BAD, found, fix)

"""The ports of a dry run: what a platform would start, which quotas are left, and checks of the platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..spec import EngineSpec


@dataclass(frozen=True)
class Outline:
    """What a platform would start for a pinned spec, without secrets.

    ``conf`` has (key, value, source): source is "" for values of the spec, else says why Rucat sets it.
    """

    conf: Sequence[tuple[str, str, str]]
    java: str
    java_version: int
    spark_home: str
    python: str
    directory: str
    java_options: Sequence[str]
    heap_mb: int
    needed_mb: int
    free_mb: int
    total_mb: int
    cores: int
    cores_offered: int


@dataclass(frozen=True)
class PlannedObject:
    """One object that a platform would create; ``size`` in words, empty if it needs no resources."""

    kind: str
    name: str
    size: str = ""
    count: int = 1


@dataclass(frozen=True)
class Headroom:
    """One quota, in its own units: what the engine would request, what is used, and the total."""

    limit: str  # the name of the quota
    resource: str
    asked: str
    used: str
    hard: str
    fits: bool


@dataclass(frozen=True)
class Blueprint:
    """The objects that a platform would create for a pinned spec, without secrets.

    ``conf`` as in :class:`Outline`. ``checked`` says in words which checks were done, ``obstacles`` what would be
    rejected, each with its fix.
    """

    conf: Sequence[tuple[str, str, str]]
    place: str
    objects: Sequence[PlannedObject]
    cores: str
    memory_mb: int
    headroom: Sequence[Headroom] = ()
    checked: Sequence[str] = ()
    obstacles: Sequence[str] = ()


@dataclass(frozen=True)
class Finding:
    """The result of one check of a platform: what was found, and the command that fixes it (empty: no problem)."""

    place: str
    found: str
    fix: str = ""


@runtime_checkable
class Planner(Protocol):
    """A platform that can say what it would start; dry runs also work without it."""

    async def outline(self, spec: EngineSpec, name: str) -> Outline | Blueprint:
        """What the platform would start for this pinned spec, whose secrets are masked.

        Raises PlatformError with the reason if something that it needs is missing.
        """
        ...


@runtime_checkable
class Examiner(Protocol):
    """A platform that ``doctor`` can check before an engine exists."""

    async def examine(self, specs: Sequence[EngineSpec]) -> Sequence[Finding]:
        """Check the places of these specs, each once: is it reachable, what is missing. Never raises."""
        ...

"""The ports of a preview: what an engine would be, what is left for it, and what is wrong with its platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..spec import EngineSpec


@dataclass(frozen=True)
class Outline:
    """What a platform would start for a pinned spec; nothing of it is secret.

    ``conf`` has (key, value, whose): whose is "" for what the spec says, else words for why Rucat sets it.
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
    """One thing that a platform would create; ``size`` in words, empty where it takes nothing."""

    kind: str
    name: str
    size: str = ""
    count: int = 1


@dataclass(frozen=True)
class Headroom:
    """One limit of a place, in its own units: what would be asked, what others use, what there is in all."""

    limit: str  # whose limit, as the place calls it
    resource: str
    asked: str
    used: str
    hard: str
    fits: bool


@dataclass(frozen=True)
class Blueprint:
    """What a platform that creates objects somewhere would create for a pinned spec; nothing of it is secret.

    ``conf`` as in :class:`Outline`. ``checked`` says in words what the place was asked, ``obstacles`` what it would
    refuse, each with what mends it.
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
    """One thing found by looking at a place of a platform: what, and the command that mends it; empty: all is well."""

    place: str
    found: str
    fix: str = ""


@runtime_checkable
class Planner(Protocol):
    """A platform that can say what it would start; those that cannot are planned without it."""

    async def outline(self, spec: EngineSpec, name: str) -> Outline | Blueprint:
        """What it would start for this pinned spec, whose secrets are masked.

        Raises PlatformError with the reason where something that it needs is not there.
        """
        ...


@runtime_checkable
class Examiner(Protocol):
    """A platform whose places can be looked at before an engine is there: for ``doctor``."""

    async def examine(self, specs: Sequence[EngineSpec]) -> Sequence[Finding]:
        """Look at the places that these specs mean, each once: reachable or not, what is missing. Never raises."""
        ...

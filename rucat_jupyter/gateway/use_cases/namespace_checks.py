"""Checks of ``doctor`` on platforms that support them: each place where engines run or would run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...core.config.merge import merge
from ...core.config.resolve import Profiles
from ...core.engine import Engine
from ...core.ports.planning import Examiner, Finding
from ...core.ports.platform import Platform
from ...core.spec import EngineSpec, KubernetesSpec

MOST = 5
"""Limit of checked places: more would take too long, with the same findings."""


@dataclass(frozen=True)
class PlatformFinding:
    """A finding, its platform, and whether the caller has an engine on that platform."""

    platform: str
    finding: Finding
    is_used: bool


async def examine(
    platforms: Mapping[str, Platform], profiles: Profiles, engines: Sequence[Engine], asked: KubernetesSpec
) -> list[PlatformFinding]:
    """Check the places of these engines and of profiles; ``asked`` has the defaults."""
    looks = [
        _look(name, platform, profiles, [engine for engine in engines if engine.platform == name], asked)
        for name, platform in platforms.items()
        if isinstance(platform, Examiner)
    ]
    return [found for look in await asyncio.gather(*looks) for found in look]


async def _look(
    name: str, platform: Examiner, profiles: Profiles, engines: Sequence[Engine], asked: KubernetesSpec
) -> list[PlatformFinding]:
    base: dict[str, object] = {name: asked.model_dump(exclude_defaults=True)}
    own = [EngineSpec.model_validate(merge(base, found.spec)) for found in profiles.all() if found.platform == name]
    places = {_key(spec): spec for spec in [*(engine.spec for engine in engines), EngineSpec(kubernetes=asked), *own]}
    found = await platform.examine(list(places.values())[:MOST])
    return [PlatformFinding(name, finding, bool(engines)) for finding in found]


def _key(spec: EngineSpec) -> tuple[str | None, ...]:
    place = spec.kubernetes
    return place.kubeconfig, place.context, place.namespace, place.service_account

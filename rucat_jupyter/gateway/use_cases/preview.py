"""Dry run: what a create would make and start, with the source of every value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...core.config.merge import Origin, Path, leaves
from ...core.config.resolve import GIVEN, Value
from ...core.credentials import masked
from ...core.engine import Engine
from ...core.errors import PlatformError, PlatformUnavailable
from ...core.field_errors import dotted
from ...core.ports.planning import Blueprint, Outline, Planner
from ...core.ports.platform import Platform
from .creation import Draft

CHOSEN = "Rucat"
"""Source of the values that no request, profile or limit sets."""


@dataclass(frozen=True)
class Preview:
    """What would be created, without values of secrets.

    ``values`` are the fields of the spec, ``conf`` every Spark conf in effect (empty if the platform does not list
    them), ``exists`` the engine that already has the name.
    """

    name: str
    platform: str
    profile: str
    site: str
    spec: Mapping[str, object]
    spark_version: str | None
    python_version: str | None
    values: list[Value]
    conf: list[Value]
    outline: Outline | None
    blueprint: Blueprint | None
    exists: Engine | None
    warnings: list[str] = field(default_factory=list)


async def plan(made: Draft, platform: Platform, name: str, exists: Engine | None) -> Preview:
    """Build the preview of a draft."""
    warnings = [f"{p.field}: {p.message}" if p.field else p.message for p in made.warnings]
    found: Outline | Blueprint | None = None
    if isinstance(platform, Planner):
        try:
            found = await platform.outline(made.pinned.spec, name)
        except (PlatformError, PlatformUnavailable) as exc:
            warnings.append(exc.message)
    blueprint = found if isinstance(found, Blueprint) else None
    warnings += blueprint.obstacles if blueprint else ()
    shown = masked(made.pinned.spec.model_dump(exclude_defaults=True))
    return Preview(
        name=name,
        platform=made.asked.platform,
        profile=made.asked.profile,
        site=made.site,
        spec=shown,
        spark_version=made.pinned.spark_version,
        python_version=made.pinned.python_version,
        values=[_value(path, value, made.origins) for path, value in leaves(shown) if path[0] != "conf"],
        conf=list(_confs(found, shown, made.origins)),
        outline=found if isinstance(found, Outline) else None,
        blueprint=blueprint,
        exists=exists,
        warnings=list(dict.fromkeys(warnings)),
    )


def _confs(
    outline: Outline | Blueprint | None, shown: Mapping[str, object], origins: Mapping[Path, Origin]
) -> Iterator[Value]:
    given = shown.get("conf")
    known = given if isinstance(given, Mapping) else {}
    rows = outline.conf if outline else [(key, str(value), "") for key, value in known.items()]
    for key, value, whose in sorted(rows):
        if whose:
            yield Value(key, value, CHOSEN, note=whose)
        else:
            origin = origins.get(("conf", key), GIVEN)
            yield Value(key, value, origin.source, origin.profile)


def _value(path: Path, value: object, origins: Mapping[Path, Origin]) -> Value:
    origin = origins.get(path) or Origin(CHOSEN)
    return Value(dotted(path), value, origin.source, origin.profile)

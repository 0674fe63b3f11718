"""Response models of the dry run and of profiles: values with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from pydantic import Field

from ....core.config.resolve import Value
from ....core.ports.planning import Blueprint, Outline
from ....core.spec import Model
from ...use_cases.preview import Preview
from ...use_cases.views import EngineView


class ValueView(Model):
    """A value and its source."""

    key: str
    value: object = Field(description="Secrets are masked.")
    source: str = Field(description="A file, 'built in', 'given', a limit with its file, or Rucat.")
    profile: str = Field(description="The profile in that file; empty for none.")
    note: str


class OutlineView(Model):
    """What the platform would start."""

    java: str
    java_version: int
    java_options: list[str]
    spark_home: str
    python: str
    directory: str
    heap_mb: int
    needed_mb: int = Field(description="Heap, plus the memory that Java uses beside it.")
    free_mb: int = Field(description="Memory that is available for another engine now.")
    total_mb: int
    cores: int
    cores_offered: int


class PlannedObjectView(Model):
    """Objects of one kind that the platform would create."""

    kind: str
    name: str
    size: str = Field(description="As text; empty if it needs no resources.")
    count: int


class HeadroomView(Model):
    """One limit of the place (the namespace), in its own units."""

    limit: str = Field(description="Name of the limit.")
    resource: str
    asked: str
    used: str
    hard: str
    fits: bool


class BlueprintView(Model):
    """What the platform would create, and the checks of the place (the namespace)."""

    place: str
    objects: list[PlannedObjectView]
    cores: str = Field(description="Total cores that are requested from the scheduler.")
    memory_mb: int = Field(description="Total memory that is requested from the scheduler.")
    headroom: list[HeadroomView] = Field(description="Limits of the place that apply.")
    checked: list[str] = Field(description="Checks that were made.")
    obstacles: list[str] = Field(description="What the place would refuse, with the fix; also in warnings.")


class PlanView(Model):
    """What a create would make and start; nothing is created."""

    name: str
    platform: str
    profile: str | None = Field(description="Null: without a profile.")
    site: str
    spec: dict[str, object]
    spark_version: str | None
    python_version: str | None
    values: list[ValueView] = Field(description="The fields of the spec.")
    conf: list[ValueView] = Field(description="Every Spark conf in effect, as far as the platform lists them.")
    outline: OutlineView | None = Field(description="For this machine; null: the platform has none.")
    blueprint: BlueprintView | None = Field(description="For a platform that creates objects; null: it has none.")
    exists: EngineView | None = Field(description="The caller's engine with that name: a create would be 409.")
    warnings: list[str] = Field(description="What may prevent a start now.")


def value_view(value: Value) -> ValueView:
    """Build the view of a value."""
    return ValueView(key=value.key, value=value.value, source=value.source, profile=value.profile, note=value.note)


def plan_view(plan: Preview, exists: EngineView | None) -> PlanView:
    """Build the view of a dry run."""
    return PlanView(
        name=plan.name,
        platform=plan.platform,
        profile=plan.profile or None,
        site=plan.site,
        spec=dict(plan.spec),
        spark_version=plan.spark_version,
        python_version=plan.python_version,
        values=[value_view(value) for value in plan.values],
        conf=[value_view(value) for value in plan.conf],
        outline=_outline_view(plan.outline) if plan.outline else None,
        blueprint=_blueprint_view(plan.blueprint) if plan.blueprint else None,
        exists=exists,
        warnings=plan.warnings,
    )


def where_of(platform: str, spec: Mapping[str, object]) -> str:
    """Where engines of a profile run: ``this machine``, ``kubernetes/team-a``, the address of an external one."""
    if platform == "local":
        return "this machine"
    if platform == "external":
        return str(_part(spec, "external").get("url") or platform).removeprefix("sc://").split("/")[0]
    namespace = _part(spec, platform).get("namespace")
    return f"{platform}/{namespace}" if namespace else platform


def size_of(spec: Mapping[str, object]) -> str:
    """Size of a profile as text: ``driver 1 core 1 GB, 2 executors × 1 core 1 GB``; empty for defaults."""
    driver, executors = (_part(spec, name) for name in ("driver", "executors"))
    number = executors.get("instances") or executors.get("max")
    parts = [f"driver {_amount(driver)}"] if _amount(driver) else []
    if number:
        each = _amount(executors)
        parts.append(f"{number} executor{'' if number == 1 else 's'}{f' × {each}' if each else ''}")
    return ", ".join(parts)


def _amount(part: Mapping[str, object]) -> str:
    cores = part.get("cores")
    words = [f"{cores} core{'' if cores == 1 else 's'}" if cores else "", _memory(str(part.get("memory") or ""))]
    return " ".join(filter(None, words))


def _memory(text: str) -> str:
    return f"{text[:-1]} {text[-1].upper()}B" if text else ""


def _part(spec: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = spec.get(name)
    return part if isinstance(part, Mapping) else {}


def _blueprint_view(found: Blueprint) -> BlueprintView:
    return BlueprintView(
        place=found.place,
        objects=[PlannedObjectView(**asdict(each)) for each in found.objects],
        cores=found.cores,
        memory_mb=found.memory_mb,
        headroom=[HeadroomView(**asdict(each)) for each in found.headroom],
        checked=list(found.checked),
        obstacles=list(found.obstacles),
    )


def _outline_view(outline: Outline) -> OutlineView:
    return OutlineView(
        **{name: getattr(outline, name) for name in OutlineView.model_fields if name != "java_options"},
        java_options=list(outline.java_options),
    )

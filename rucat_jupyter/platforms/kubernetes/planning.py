"""Dry run on a cluster: objects, quotas, rights, and a server-side dry run.

Nothing is created: the API server runs every check of a creation (admission, Pod Security, names) and stores nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import PlatformUnavailable
from ...core.ports.planning import Blueprint, Headroom, PlannedObject
from ...core.spec import EngineSpec
from .api import remedies, reviews
from .api.client import Api, ApiFault, path
from .objects.command import default_conf, own_conf
from .objects.manifests import Context, Objects, image_of
from .objects.sizes import Size, Sizes, milli_cpu, sizes
from .spec import quotas
from .spec import spec as specs

Json = dict[str, Any]

KINDS = {"ConfigMap": "configmaps", "Secret": "secrets", "Service": "services", "Pod": "pods"}
RUN = "rucat-<id>-1"
"""The name in plans: an engine has its id when it is stored."""
FIXED = "always"
DEFAULT = "default; the spec may override it"


@dataclass
class _Findings:
    """What the cluster said."""

    headroom: list[Headroom] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


async def blueprint(api: Api, spec: EngineSpec, context: Context, name: str) -> Blueprint:
    """The objects of this pinned spec, whose secrets are masked, and the checks of the namespace.

    A cluster that does not respond is one of the obstacles.
    """
    made, wanted = specs.sample(spec, context), sizes(spec)
    found = _Findings()
    try:
        await asyncio.gather(_rights(api, found), _dry_run(api, made, wanted, found), _quotas(api, made, wanted, found))
    except PlatformUnavailable as exc:
        found.obstacles.append(exc.message)
    executors = [wanted.executor] * wanted.first
    cpu = sum(milli_cpu(pod.request_cpu) for pod in [wanted.driver, *executors])
    return Blueprint(
        conf=_confs(spec, name, wanted, context),
        place=str(api.way),
        objects=_objects(made, wanted),
        cores=f"{cpu / 1000:g}",
        memory_mb=sum(pod.memory_mb for pod in [wanted.driver, *executors]),
        headroom=found.headroom,
        checked=found.checked,
        obstacles=found.obstacles,
    )


# --- what would be created --------------------------------------------------------------------------------


def _objects(made: Objects, wanted: Sizes) -> list[PlannedObject]:
    own = made.root["metadata"]["name"]
    found = [
        PlannedObject(
            each["kind"],
            each["metadata"]["name"].replace(own, RUN),
            f"driver: {_size(wanted.driver)}" if each["kind"] == "Pod" else "",
        )
        for each in (made.root, *made.owned)
    ]
    if wanted.is_dynamic:
        most = "any number" if wanted.most is None else str(wanted.most)
        size = f"executors, {wanted.fewest} to {most} as needed: {_size(wanted.executor)} each"
        return [*found, PlannedObject("Pod", f"{RUN}-exec-…", size, wanted.first)]
    if wanted.first:
        found.append(PlannedObject("Pod", f"{RUN}-exec-…", f"executor: {_size(wanted.executor)}", wanted.first))
    return found


def _size(size: Size) -> str:
    limit = f" (at most {size.limit_cpu})" if size.limit_cpu else ""
    return f"{size.request_cpu} cores{limit}, {size.memory_mb} MB ({size.heap_mb} MB of it Java heap)"


def _confs(spec: EngineSpec, name: str, wanted: Sizes, context: Context) -> list[tuple[str, str, str]]:
    default = {key: (value, DEFAULT) for key, value in default_conf(spec, name, wanted).items()}
    given = {key: (value, "") for key, value in spec.conf.items()}
    fixed = {key: (value, FIXED) for key, value in own_conf(spec, RUN, context.namespace, image_of(spec)).items()}
    return [(key, value, whose) for key, (value, whose) in {**default, **given, **fixed}.items()]


# --- what the namespace says ------------------------------------------------------------------------------


async def _rights(api: Api, found: _Findings) -> None:
    lacking = await reviews.missing(api)
    if lacking:
        words = f"the gateway lacks rights in {api.way}: {reviews.words(lacking)}."
        found.obstacles.append(f"{words} {remedies.GRANT}: {remedies.remedy(api.way)}")
    else:
        found.checked.append("Rights: all that Rucat needs.")


async def _dry_run(api: Api, made: Objects, wanted: Sizes, found: _Findings) -> None:
    """Let the API server check a creation of everything, one executor included."""
    bodies = [("", each) for each in (made.root, *made.owned)]
    if wanted.first or wanted.is_dynamic:
        bodies.append(("an executor: ", _executor(made, wanted)))
    made_name = made.root["metadata"]["name"]
    refusals = [
        said for said in await asyncio.gather(*(_try(api, made_name, who, body) for who, body in bodies)) if said
    ]
    found.obstacles += dict.fromkeys(refusals)
    if not refusals:
        found.checked.append("Dry run: the API server would accept all objects.")


async def _try(api: Api, made_name: str, who: str, body: Json) -> str:
    """Why the API server would refuse an object; empty where it would not."""
    try:
        await api.create(path(KINDS[body["kind"]], api.way.namespace), body, dry_run=True)
    except ApiFault as exc:
        said = exc.message.replace(made_name, RUN)
        fix = f" To create it, in a terminal: {remedies.remedy(api.way)}" if "serviceaccount" in exc.said else ""
        return f"{who}{said}.{fix}" if fix else f"{who}{said}"
    return ""


def _executor(made: Objects, wanted: Sizes) -> Json:
    """A pod as Spark would make it of the template, as far as admission looks at it."""
    template = made.executor_template
    spec = template["spec"]
    containers = [{**spec["containers"][0], "args": ["executor"], "resources": wanted.executor.resources}]
    own = made.pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": f"{own['name']}-exec-1", "namespace": own["namespace"]},
        "spec": {**spec, "containers": [*containers, *spec["containers"][1:]]},
    }


async def _quotas(api: Api, made: Objects, wanted: Sizes, found: _Findings) -> None:
    try:
        items, _ = await api.list(path("resourcequotas", api.way.namespace))
    except ApiFault as exc:
        found.checked.append(f"Quotas: they cannot be read ({exc.message}).")
        return
    kinds = Counter(KINDS[each["kind"]] for each in (made.root, *made.owned) if each["kind"] != "Pod")
    asked = quotas.demand(wanted, wanted.first, kinds)
    found.headroom += quotas.headroom(items, asked)
    if not items:
        found.checked.append("Quotas: the namespace has none.")
    short = [row for row in found.headroom if not row.fits]
    if short:
        rows = ", ".join(f"{row.resource} {row.asked} with {row.used} of {row.hard} used" for row in short)
        words = f"{short[0].limit} leaves too little: {rows}. Request less, or stop another engine in the namespace"
        found.obstacles.append(words)
    if quotas.unlimited_cpu(items, asked):
        words = "a quota limits limits.cpu, so every pod must set it: set driver.limit_cores and executors.limit_cores"
        found.obstacles.append(words)

"""Compare what an engine would ask of a namespace with what the namespace's quotas leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....core.ports.planning import Headroom
from ..objects.sizes import Sizes, milli_cpu

Json = Mapping[str, Any]

_QUANTITY = re.compile(
    r"([+-]?\d+(?:\.\d*)?|\.\d+)(?:e(?P<exp>[+-]?\d+))?(?P<unit>[KMGTPE]i|[numkMGTPE])?", re.IGNORECASE
)
_UNITS = {
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", 1)},
    **{unit: 1000**power for power, unit in enumerate("kMGTPE", 1)},
    **{"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1},
}
_MEMORY = ("requests.memory", "limits.memory", "memory")


def quantity(text: str) -> float:
    """The number that a Kubernetes quantity says (``500m``, ``1.5Gi``, ``1e3``); ValueError for anything else."""
    found = _QUANTITY.fullmatch(text.strip())
    unit = (found["unit"] or "") if found else ""
    if found is None or unit not in _UNITS:
        raise ValueError(f"{text!r} is not a Kubernetes quantity")
    return float(found[1]) * 10.0 ** int(found["exp"] or 0) * float(_UNITS[unit])


def demand(sizes: Sizes, executors: int, objects: Mapping[str, int]) -> dict[str, float]:
    """What an engine asks for, by the names that quotas have; ``objects`` counts those that are no pods."""
    pods = [sizes.driver, *[sizes.executor] * executors]
    cpu = sum(milli_cpu(pod.request_cpu) for pod in pods) / 1000
    memory = sum(pod.memory_mb for pod in pods) * 1024.0**2
    limits = [milli_cpu(pod.limit_cpu) / 1000 for pod in pods if pod.limit_cpu]
    found: dict[str, float] = {"requests.cpu": cpu, "cpu": cpu, **dict.fromkeys(_MEMORY, memory)}
    if len(limits) == len(pods):
        found["limits.cpu"] = sum(limits)
    for kind, count in {"pods": len(pods), **objects}.items():
        found[kind] = found[f"count/{kind}"] = float(count)
    return found


def headroom(quotas: Sequence[Json], asked: Mapping[str, float]) -> Iterator[Headroom]:
    """Each limit that this comes under; quotas for some pods only (scopes) are left to the API server's answer."""
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        used = status.get("used") or {}
        for resource, hard in (status.get("hard") or spec.get("hard") or {}).items():
            if resource in asked:
                taken, room = quantity(str(used.get(resource, "0"))), quantity(str(hard))
                yield Headroom(
                    limit=f"quota {quota['metadata']['name']}",
                    resource=resource,
                    asked=_shown(resource, asked[resource]),
                    used=_shown(resource, taken),
                    hard=_shown(resource, room),
                    fits=taken + asked[resource] <= room,
                )


def unlimited_cpu(quotas: Sequence[Json], asked: Mapping[str, float]) -> bool:
    """Whether a quota wants a CPU limit of every pod, and the spec names none."""
    hards = [(quota.get("spec") or {}).get("hard") or {} for quota in quotas]
    return "limits.cpu" not in asked and any("limits.cpu" in hard for hard in hards)


def _shown(resource: str, amount: float) -> str:
    if resource in _MEMORY:
        return f"{amount / 1024**3:.1f} GB"
    return f"{amount:.3f}".rstrip("0").rstrip(".")

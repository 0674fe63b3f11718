"""Count an engine's executors, and find out why some are missing.

Pods tell of those that exist. One whose creation the API server refuses (quota, Pod Security, rights) is in no pod and
no event: only the driver's log has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ....core.lifecycle import Executors
from ....core.spec import EngineSpec
from ..objects.sizes import sizes
from .end_reasons import ended, has_ended, is_deleting
from .phases import phase_of

Json = dict[str, Any]
MOST_REASONS = 4


def wanted(spec: EngineSpec) -> int:
    """The minimum number of executors."""
    try:
        return sizes(spec).first
    except ValueError:
        return spec.executors.instances or 0


def count(
    spec: EngineSpec,
    pods: Iterable[Json],
    events: Mapping[str, Sequence[Json]],
    lost: Sequence[str],
    refused: str,
) -> Executors:
    """``lost`` has a line for each that has failed so far; ``refused`` is why no more are made, or empty."""
    running = pending = 0
    reasons: list[str] = []
    for pod in pods:
        if has_ended(pod) or is_deleting(pod):
            continue
        if (pod.get("status") or {}).get("phase") == "Running":
            running += 1
            continue
        pending += 1
        waits = phase_of(pod, events.get(pod["metadata"]["name"], ()))
        if waits.reason is not None or waits.message.startswith("sandbox"):
            reasons.append(waits.message)
    if refused and running + pending < wanted(spec):
        reasons.insert(0, refused)
    reasons += reversed(lost)
    unique = tuple(dict.fromkeys(reasons))[:MOST_REASONS]
    return Executors(max(wanted(spec), running + pending), running, pending, len(lost), unique)


def loss(pod: Json, *, may_go: bool) -> str | None:
    """Why an executor has failed, in one line; None where it has not, or where Spark lets them go (``may_go``)."""
    status = pod.get("status") or {}
    name = pod["metadata"].get("labels", {}).get("spark-exec-id") or pod["metadata"]["name"]
    if status.get("reason"):
        said = " ".join(str(status.get("message") or "").split())[:200]
        return f"executor {name}: {status['reason']}{f': {said}' if said else ''}"
    last = ended(pod)
    if last is None or (last.exit_code in {0, 143} and last.reason != "OOMKilled"):
        return None if may_go or (last is not None and last.exit_code == 0) else f"executor {name}: its pod was deleted"
    how = "out of memory" if last.reason == "OOMKilled" or last.exit_code == 52 else last.reason or "failed"
    return f"executor {name}: {how} (exit code {last.exit_code})"

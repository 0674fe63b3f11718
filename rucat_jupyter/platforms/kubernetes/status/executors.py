"""Count an engine's executors, and find out why some are missing.

Pods tell of those that exist. One whose creation the API server refuses (quota, Pod Security, rights) is in no pod and
no event: only the driver's log has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ....core.engine import Reason
from ....core.lifecycle import End, Executors
from ....core.spec import EngineSpec
from ..objects.command import MAX_FAILURES
from ..objects.sizes import sizes
from .end_reasons import ended, has_ended, is_deleting, is_disrupted
from .phases import condition, phase_of

Json = dict[str, Any]
MOST_REASONS = 4
FEWEST_CRASHES = 3
CRASHES_IN = timedelta(hours=1)


def wanted(spec: EngineSpec) -> int:
    """The minimum number of executors."""
    try:
        return sizes(spec).first
    except ValueError:
        return spec.executors.instances or 0


def may_lack(spec: EngineSpec, there: int) -> bool:
    """Whether Spark may want more executors than there are: with dynamic allocation up to its maximum."""
    try:
        most = sizes(spec).most
    except ValueError:
        most = spec.executors.instances or 0
    return most is None or there < most


def crash_loop(spec: EngineSpec, crashes: Sequence[datetime], lost: Sequence[str], now: datetime) -> End | None:
    """The end of an engine whose executors crash again and again, by the number that is Spark's own default.

    None where the spec sets that number: then Spark counts itself.
    """
    try:
        most = sizes(spec).most
    except ValueError:
        return None
    if most is None or MAX_FAILURES in spec.conf:
        return None
    recent = sum(1 for at in crashes if now - at <= CRASHES_IN)
    if recent <= max(FEWEST_CRASHES, 2 * most):
        return None
    text = f"too many of its executors failed, {recent} within an hour"
    return End(Reason.EXITED, f"{text}; {lost[-1]}" if lost else text)


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
    if refused and may_lack(spec, running + pending):
        reasons.insert(0, refused)
    reasons += reversed(lost)
    unique = tuple(dict.fromkeys(reasons))[:MOST_REASONS]
    return Executors(max(wanted(spec), running + pending), running, pending, len(lost), unique)


def has_crashed(pod: Json) -> bool:
    """Whether an executor ended by itself with an error: not by its node, a drain, or Spark."""
    status, last = pod.get("status") or {}, ended(pod)
    if last is None or status.get("reason") or is_disrupted(pod):
        return False
    if last.exit_code == 137 and is_deleting(pod) and last.reason != "OOMKilled":
        return False  # it was asked to end, and did not within its grace
    return last.exit_code not in {0, 143} or last.reason == "OOMKilled"


def loss(pod: Json, *, may_go: bool) -> str | None:
    """Why an executor has failed, in one line; None where it has not, or where Spark lets them go (``may_go``)."""
    status = pod.get("status") or {}
    name = pod["metadata"].get("labels", {}).get("spark-exec-id") or pod["metadata"]["name"]
    if status.get("reason"):
        said = " ".join(str(status.get("message") or "").split())[:200]
        return f"executor {name}: {status['reason']}{f': {said}' if said else ''}"
    disrupted = condition(pod, "DisruptionTarget")
    if disrupted is not None and disrupted.get("status") == "True":
        return f"executor {name}: {disrupted.get('message') or disrupted.get('reason')}"
    last = ended(pod)
    if last is None or (last.exit_code in {0, 143} and last.reason != "OOMKilled"):
        return None if may_go or (last is not None and last.exit_code == 0) else f"executor {name}: its pod was deleted"
    how = "out of memory" if last.reason == "OOMKilled" or last.exit_code == 52 else last.reason or "failed"
    return f"executor {name}: {how} (exit code {last.exit_code})"

"""Say why a pod ended or is ending, and what a refused create means, from what the API knows.

Pure. What the pod's own status does not say, the driver's exit code and last log lines do (:mod:`.spark.exit_reasons`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ....core.engine import HINTS, Reason
from ....core.lifecycle import End
from ....spark.exit_reasons import Death, end_of
from ..objects.names import CONTAINER
from .phases import condition, is_node_silent

Json = dict[str, Any]

EXIT_EXECUTORS = 11
"""Spark's ``SparkExitCode.EXCEED_MAX_EXECUTOR_FAILURES``."""

DRAINED = "Its node was drained, or its eviction was requested; restart brings the engine back on another node."
PREEMPTED = "A pod of a higher priority took its place; restart when there is room, or with another priority class."
TAINTED = "A taint of its node evicts the pod (the node is not ready, or reserved); restart, or tolerate the taint."
_DISRUPTED = {
    "DeletionByTaintManager": (Reason.NODE_LOST, TAINTED),
    "DeletionByPodGC": (Reason.NODE_LOST, ""),
    "EvictionByEvictionAPI": (Reason.EVICTED, DRAINED),
    "PreemptionByScheduler": (Reason.EVICTED, PREEMPTED),
    "TerminationByKubelet": (Reason.EVICTED, ""),
}
_STATUS = {
    "Evicted": Reason.EVICTED,
    "Preempting": Reason.EVICTED,
    "PreemptContainer": Reason.EVICTED,
    "NodeLost": Reason.NODE_LOST,
    "NodeShutdown": Reason.NODE_LOST,
    "Terminated": Reason.NODE_LOST,
    "Shutdown": Reason.NODE_LOST,
    "NodeAffinity": Reason.UNSCHEDULABLE,
    "UnexpectedAdmissionError": Reason.UNSCHEDULABLE,
}
_CLIENT_REFUSED = re.compile(
    r"KubernetesClientException: .*?(?:Message: |message=)(?P<said>[^\n]+?)"
    r"(?:, metadata=ListMeta|\. Received status: |$)",
    re.MULTILINE,
)
_REFUSAL = re.compile(r"\bforbidden\b|\bis invalid\b|denied (the )?request|failed calling webhook", re.IGNORECASE)
"""In messages of the API server about a pod that it, its limits or its webhooks reject."""
_NO_RIGHT = re.compile(r'User "system:serviceaccount:[^"\n]+" cannot [^\n]+?(?=\.? Received status|$)', re.MULTILINE)
_REFUSED = (
    (
        re.compile(r"failed quota"),  # the quota counts what the pod does not say
        Reason.QUOTA_EXCEEDED,
        "The namespace's ResourceQuota wants every pod to set what the message names: for limits.cpu set "
        "driver.limit_cores and executors.limit_cores; then restart.",
    ),
    (re.compile(r"exceeded quota"), Reason.QUOTA_EXCEEDED, ""),
    (
        # the last: a request of ours beside a limit that is the LimitRange's default
        re.compile(r"(maximum|minimum) \S+ usage per|limit to request ratio|must be less than or equal to \S+ limit"),
        Reason.QUOTA_EXCEEDED,
        "The namespace's LimitRange rejects pods of this size: set cores and memory within the limit in the message; "
        "then restart.",
    ),
    (
        re.compile(r"violates PodSecurity"),
        Reason.FORBIDDEN,
        "The namespace's Pod Security level rejects the pod: remove what the message names from the spec, or ask an "
        "administrator to change the level; then restart.",
    ),
    (
        re.compile(r"failed calling webhook"),
        Reason.FORBIDDEN,
        "The cluster cannot ask the admission webhook that the message names, so it accepts no pod: ask its "
        "administrator; then restart.",
    ),
    (
        re.compile(r"denied (the )?request"),
        Reason.FORBIDDEN,
        "A policy of the cluster (an admission webhook) rejects the pod: change what the message names, or ask its "
        "administrator; then restart.",
    ),
    (
        re.compile(r"is being terminated"),
        Reason.FORBIDDEN,
        "The namespace is being deleted: create the engine in another one (kubernetes.namespace).",
    ),
    (re.compile(r"serviceaccount .* not found|cannot \S+ resource"), Reason.FORBIDDEN, ""),
    (
        re.compile(r"is forbidden"),
        Reason.FORBIDDEN,
        "The cluster rejects the pod: change what the message names, or ask its administrator; then restart.",
    ),
    (
        re.compile(r"\bis invalid\b"),
        Reason.CONFIG_INVALID,
        "The cluster rejects the pod as invalid: change what the message names; then restart.",
    ),
)


@dataclass(frozen=True)
class Ended:
    """A driver's container that has ended: its code and what the runtime calls it."""

    exit_code: int
    reason: str
    message: str


def has_ended(pod: Json) -> bool:
    """Whether no process of the pod's driver runs any more, and none will."""
    status = pod.get("status") or {}
    return status.get("phase") in {"Failed", "Succeeded"} or ended(pod) is not None


def is_disrupted(pod: Json) -> bool:
    """Whether the cluster makes the pod go: its node, a drain, the scheduler."""
    found = condition(pod, "DisruptionTarget")
    return found is not None and found.get("status") == "True"


def is_deleting(pod: Json) -> bool:
    """Whether the pod is being deleted."""
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def ended(pod: Json) -> Ended | None:
    """How the container that runs Spark ended; None while it has not, or never began."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        found = (container.get("state") or {}).get("terminated")
        if found and container.get("name") in {CONTAINER, None}:
            return Ended(int(found.get("exitCode", 0)), found.get("reason", ""), found.get("message", ""))
    return None


def going(pod: Json) -> End | None:
    """Why a pod is being deleted, or None if it is not."""
    disrupted = condition(pod, "DisruptionTarget")
    if disrupted is not None and disrupted.get("status") == "True":
        reason, hint = _DISRUPTED.get(disrupted.get("reason", ""), (None, ""))
        if reason is not None:
            return End(reason, _line(disrupted.get("message") or disrupted.get("reason", "")) + _where(pod), hint)
    if not is_deleting(pod):
        return None
    if is_node_silent(pod):
        return End(Reason.NODE_LOST, f"the pod's node no longer reports{_where(pod)}")
    return End(Reason.DELETED, f"someone deleted pod {pod['metadata']['name']}")


def end_of_pod(  # noqa: PLR0911 - first match
    pod: Json, log: str, *, was_running: bool
) -> End:
    """Why a pod has ended that Rucat did not stop; ``log`` is the end of its driver's log, or empty."""
    status = pod.get("status") or {}
    word, said = status.get("reason", ""), _line(status.get("message", ""))
    if word == "DeadlineExceeded":
        return End(None, "maximum lifetime reached")
    if word in _STATUS:
        hint = PREEMPTED if word.startswith("Preempt") else ""
        return End(_STATUS[word], f"{said or word}{_where(pod)}", hint)
    if word.startswith("OutOf"):  # the kubelet had less room than the scheduler thought
        return End(Reason.UNSCHEDULABLE, f"the node rejected the pod: {said or word}")
    last = ended(pod)
    if last is not None and last.reason == "OOMKilled":
        text = f"the driver used all memory of its pod{_limit(pod)} and was killed (exit code 137)"
        return End(Reason.OUT_OF_MEMORY, text)
    gone = going(pod)
    if gone is not None:
        return gone
    if last is None:
        return End(Reason.LOST, f"the pod is {status.get('phase', 'gone')}: {said or 'reason unknown'}")
    if last.reason in {"StartError", "ContainerCannotRun"}:
        return End(Reason.CRASH_ON_START, f"the container could not be started: {_line(last.message)}")
    if last.exit_code == EXIT_EXECUTORS and "executor failures" in log:
        text = "too many of its executors failed, so Spark stopped the engine (exit code 11)"
        if said := refusal_in(log):
            return End(Reason.EXITED, f"{text}; the last rejection: {said}", hint_of(said))
        return End(Reason.EXITED, text)
    if not was_running and (right := _NO_RIGHT.search(log)):
        text = f"the driver's service account does not have the rights that Spark needs: {_line(right[0])}"
        command = f"rucat kubernetes manifests --namespace {pod['metadata'].get('namespace', 'N')} | kubectl apply -f -"
        return End(Reason.FORBIDDEN, text, f"Grant rucat-driver its rights, in a terminal: {command}; then restart.")
    return end_of(Death(last.exit_code, log, was_ready=was_running, was_watched=True))


def refusal(status: int, message: str) -> Reason:
    """The reason of a rejected create."""
    known = Reason.FORBIDDEN if status == 403 else Reason.CONFIG_INVALID
    return next((reason for pattern, reason, _ in _REFUSED if pattern.search(message)), known)


def hint_of(message: str) -> str:
    """What to do about a rejected create, by the API server's words; empty where they are not known."""
    found = next(((reason, hint) for pattern, reason, hint in _REFUSED if pattern.search(message)), None)
    return found[1] or HINTS[found[0]] if found else ""


def advice(message: str) -> str:
    """What to do about executors that the API server rejects: Spark asks again, so nothing needs a restart."""
    return hint_of(message).removesuffix(".").removesuffix("; then restart")


def refusal_in(log: str) -> str:
    """Why the API server rejects the driver's executors, by the end of its log; empty if it does not."""
    found = list(_CLIENT_REFUSED.finditer(log))
    if not found or not _REFUSAL.search(found[-1]["said"]):
        return ""
    said = re.sub(r'^(?:pods|Pod) "[^"]*" is (forbidden|invalid)', r"executor pods are \1", found[-1]["said"])
    return _line(said.strip().rstrip("."))[:300]


def _limit(pod: Json) -> str:
    for container in (pod.get("spec") or {}).get("containers") or []:
        if container.get("name") == CONTAINER:
            limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
            return f" ({limit})" if limit else ""
    return ""


def _where(pod: Json) -> str:
    node = (pod.get("spec") or {}).get("nodeName")
    return f" (node {node})" if node else ""


def _line(text: str) -> str:
    return " ".join(text.split())[:500]

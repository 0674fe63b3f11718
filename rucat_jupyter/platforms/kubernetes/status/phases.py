"""What a starting pod waits for, in the API's own words, and when the start has failed.

Pure. A pod's phase of Pending hides its reason in conditions, in the containers' waiting states, and, for mounts and
sandboxes, in Events alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ....core.engine import Reason
from ....core.lifecycle import End

Json = dict[str, Any]

PULL_GRACE_S = 60.0
"""How long a failing image pull is left to try again (a registry that is restarted, a limit of pulls)."""
LONGEST = 500
STARTING = "Spark is starting"

_PULL = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "SignatureValidationFailed", "ImageInspectError"}
_PULL_NEVER = {"InvalidImageName", "ErrImageNeverPull"}
_CONFIG = {"CreateContainerConfigError"}
_CREATE = {"CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError", "StartError"}
_MOUNT_EVENTS = {"FailedMount", "FailedAttachVolume", "FailedMapVolume", "VolumeFailedDelete"}
_SANDBOX_EVENTS = {"FailedCreatePodSandBox", "FailedPodSandBoxStatus", "NetworkNotReady", "FailedCreatePodContainer"}


UNTOLERATED = (
    "No node takes the pod: tolerate the taint that the message names (kubernetes.tolerations), or wait until a node "
    "is ready; then restart."
)
SELECTED = "No node is as the spec wants it: correct kubernetes.node_selector or affinity; then restart."
NON_ROOT = "Use an image whose USER is a number other than 0: pods of engines do not run as root; then restart."
_FAILED_TO = re.compile(r'^Failed to pull image "[^"]*": ')


@dataclass(frozen=True)
class Phase:
    """What a pod waits for; ``reason`` is that of a timeout; ``end`` is set if it cannot start.

    ``gives_up`` is the end if something that is retried has failed for too long; ``since`` is the first failure in the
    events; ``is_by_events``: only they say more. ``hint`` is what to do if it takes too long.
    """

    message: str = ""
    reason: Reason | None = None
    end: End | None = None
    gives_up: End | None = None
    since: datetime | None = None
    is_by_events: bool = False
    hint: str = ""


def phase_of(pod: Json, events: Sequence[Json]) -> Phase:  # noqa: PLR0911 - first match
    """What a pod that has not ended waits for; ``events`` are its own, oldest first."""
    status = pod.get("status") or {}
    waiting = next((w for w in _waiting(status)), None)
    if waiting is None and (status.get("phase") == "Running" or is_ready(pod)):
        return Phase(STARTING)
    scheduled = condition(pod, "PodScheduled")
    if scheduled is None or scheduled.get("status") != "True":
        return _unscheduled(pod, scheduled, events)
    if waiting is not None:
        word, said = waiting.get("reason", ""), _short(waiting.get("message", ""))
        if word in _PULL_NEVER:
            text = f"image pull: {word}: {said}"
            return Phase(text, Reason.IMAGE_PULL, End(Reason.IMAGE_PULL, f"the image cannot be pulled: {said or word}"))
        if word in _PULL:
            return _pulling(word, said, events)
        if word in _CONFIG and "runAsNonRoot" in said:
            return Phase(f"configuration: {said}", Reason.CRASH_ON_START, hint=NON_ROOT)
        if word in _CONFIG:
            return Phase(f"configuration: {said or word}", Reason.MOUNT_FAILED)
        if word in _CREATE:
            return Phase(f"container: {word}: {said}", Reason.CRASH_ON_START)
    return _creating(events)


def condition(pod: Json, kind: str) -> Json | None:
    """A condition of the pod by its type."""
    found: list[Json] = (pod.get("status") or {}).get("conditions") or []
    return next((c for c in found if c.get("type") == kind), None)


def is_ready(pod: Json) -> bool:
    """Whether its readiness probe has passed."""
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def is_node_silent(pod: Json) -> bool:
    """Whether its node does not report: the API itself then says NotReady of a pod whose containers were ready."""
    ready, inside = condition(pod, "Ready"), condition(pod, "ContainersReady")
    if ready is None or inside is None or (pod.get("spec") or {}).get("readinessGates"):
        return False
    return ready.get("status") != "True" and inside.get("status") == "True"


def time_of(text: str | None) -> datetime | None:
    """A time as the API writes it."""
    if not text:
        return None
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)


# --- private ----------------------------------------------------------------------------------------------


def _waiting(status: Json) -> list[Json]:
    every = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    found = [container["state"]["waiting"] for container in every if (container.get("state") or {}).get("waiting")]
    return sorted(found, key=lambda w: w.get("reason") in {"ContainerCreating", "PodInitializing"})


def _unscheduled(pod: Json, scheduled: Json | None, events: Sequence[Json]) -> Phase:
    said = (scheduled or {}).get("message") or _last(events, {"FailedScheduling"})
    if not said:
        gates = (scheduled or {}).get("reason") == "SchedulingGated"
        return Phase("scheduling: held by a scheduling gate" if gates else "scheduling", Reason.UNSCHEDULABLE)
    is_volume = "persistentvolumeclaim" in said or "volume" in said.lower()
    return Phase(
        f"scheduling: {_short(said)}", Reason.MOUNT_FAILED if is_volume else Reason.UNSCHEDULABLE, hint=_hint(said)
    )


def _hint(said: str) -> str:
    """What to do where no node takes a pod; empty where it is for lack of room, or of a volume."""
    if "Insufficient" in said or "volume" in said.lower():
        return ""
    if "untolerated taint" in said:
        return UNTOLERATED
    return SELECTED if "node affinity/selector" in said else ""


def _pulling(word: str, said: str, events: Sequence[Json]) -> Phase:
    failed = [event for event in events if event.get("reason") == "Failed" and "pull" in event.get("message", "")]
    message = next((event["message"] for event in reversed(failed)), "")
    if word == "ImagePullBackOff" and message:  # "Back-off pulling image": why is in the event alone
        said = _short(message)
    said = _FAILED_TO.sub("", said)  # kubelets say it in one state and leave it out in the next
    times = [time_of(event.get("firstTimestamp") or event.get("eventTime")) for event in failed]
    end = End(Reason.IMAGE_PULL, f"the image cannot be pulled: {said or word}")
    since = min((at for at in times if at), default=None)
    return Phase(f"image pull: {said or word}", Reason.IMAGE_PULL, gives_up=end, since=since)


def _creating(events: Sequence[Json]) -> Phase:
    """Between scheduling and the container: only Events tell, and the last of them counts."""
    for event in reversed(events):
        word, said = event.get("reason", ""), _short(event.get("message", ""))
        if word in _MOUNT_EVENTS:
            return Phase(f"mount: {said}", Reason.MOUNT_FAILED)
        if word in _SANDBOX_EVENTS:
            return Phase(f"sandbox: {said}", None)
        if word == "Pulling":
            return Phase(f"pulling {_image(said)}", Reason.IMAGE_PULL)
        if word in {"Pulled", "Created", "Started"}:
            return Phase("the container is starting")
    return Phase("the container is being created", is_by_events=True)


def _image(said: str) -> str:
    _, quote, rest = said.partition('"')
    return rest.rpartition('"')[0] if quote else "the image"


def _last(events: Sequence[Json], reasons: set[str]) -> str:
    return next((event.get("message", "") for event in reversed(events) if event.get("reason") in reasons), "")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

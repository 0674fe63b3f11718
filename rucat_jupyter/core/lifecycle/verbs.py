"""The verbs for an engine: when each is possible, and which fields it changes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from ..engine import Engine, Status, Target, Verb
from ..errors import NotManaged, NotPossible, RucatError
from .status import is_settled, status_of


class Outcome(str, Enum):
    """The response to a verb: 202, 200 or 409."""

    ACCEPTED = "accepted"
    OK = "ok"
    NOT_POSSIBLE = "not_possible"


_ACCEPTED, _OK, _NO = Outcome.ACCEPTED, Outcome.OK, Outcome.NOT_POSSIBLE
_STATUSES = (
    Status.PENDING,
    Status.RUNNING,
    Status.UNRESPONSIVE,
    Status.STOPPING,
    Status.STOPPED,
    Status.FAILED,
    Status.DELETING,
)
VERBS: Mapping[Verb, Mapping[Status, Outcome]] = {
    Verb.STOP: dict(zip(_STATUSES, (_ACCEPTED, _ACCEPTED, _ACCEPTED, _OK, _OK, _OK, _NO), strict=True)),
    Verb.RESTART: dict(zip(_STATUSES, (_OK, _ACCEPTED, _ACCEPTED, _ACCEPTED, _ACCEPTED, _ACCEPTED, _NO), strict=True)),
    Verb.DELETE: dict(zip(_STATUSES, (_ACCEPTED,) * 6 + (_OK,), strict=True)),
}
"""The verb table: the response to each verb in each status."""

STABLE_S = 600.0
"""After a life of this length the count of restarts begins again (as Kubernetes resets its CrashLoopBackOff)."""

R = TypeVar("R", bound=RucatError)
Changes = Mapping[str, object]
"""Fields of :class:`~rucat_jupyter.core.engine.Engine` and their new values, for a compare-and-set."""


def verbs_of(engine: Engine) -> list[Verb]:
    """The verbs that are possible now."""
    status = status_of(engine)
    return [
        verb
        for verb, row in VERBS.items()
        if row[status] is Outcome.ACCEPTED and (engine.is_managed or verb is Verb.DELETE)
    ]


def refused(engine: Engine, why: str, kind: type[R], **details: object) -> R:
    """Make the 409 for a request that this engine cannot fulfil now: why, and the verbs that are possible instead."""
    possible = [verb.value for verb in verbs_of(engine)]
    now = f"possible now: {', '.join(possible)}" if possible else "no verb is possible now"
    return kind(f"{why}; {now}", **details, status=status_of(engine).value, verbs=possible)


def ask(engine: Engine, verb: Verb, *, by_policy: bool = False) -> tuple[Outcome, Changes]:
    """Return the outcome of a verb and the fields that it changes.

    Only an accepted verb changes fields; but a stop of a failed engine, which has nothing to stop, turns off the
    restart policy.

    Raises NotManaged for stop and restart of an external engine, NotPossible if the verb table says so.
    ``by_policy`` marks a restart by the restart policy, which is counted.
    """
    if not engine.is_managed and verb is not Verb.DELETE:
        why = "Rucat does not manage external engines, it only monitors them; delete removes it from the list"
        raise refused(engine, f"cannot {verb.value} {engine.name!r}: {why}", NotManaged)
    status = status_of(engine)
    outcome = VERBS[verb][status]
    if outcome is Outcome.NOT_POSSIBLE:
        raise refused(engine, f"cannot {verb.value} {engine.name!r}: it is {status.value}", NotPossible)
    if outcome is Outcome.OK:
        would_come_back = engine.failure is not None and engine.spec.restart_policy == "on_failure"
        is_called_off = verb is Verb.STOP and would_come_back and engine.target is Target.RUNNING
        return outcome, {"target": Target.STOPPED} if is_called_off else {}
    if verb is Verb.RESTART:
        restarts = recent_restarts(engine) + 1 if by_policy else 0
        return outcome, {
            "target": Target.RUNNING,
            "run": engine.run + 1,
            "failure": None,
            "message": "",
            "restarts": restarts,
        }
    return outcome, {"target": Target.STOPPED if verb is Verb.STOP else Target.DELETED}


def comes_back(engine: Engine, limit: int) -> bool:
    """Whether the restart policy (at most ``limit`` restarts in a row) will restart a failed engine."""
    is_failed = is_settled(engine) and engine.target is Target.RUNNING and engine.failure is not None
    return is_failed and engine.spec.restart_policy == "on_failure" and recent_restarts(engine) < limit


def recent_restarts(engine: Engine) -> int:
    """Successive restarts by policy; a life of :data:`STABLE_S` or more resets the count."""
    lived_s = (engine.failure.at - engine.started_at).total_seconds() if engine.failure and engine.started_at else 0.0
    return 0 if lived_s >= STABLE_S else engine.restarts

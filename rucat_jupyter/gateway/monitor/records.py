"""What each writing step changes in the record, and its line in the history."""

from __future__ import annotations

from functools import singledispatch

from ...core.engine import Engine, State
from ...core.lifecycle import Changes, Claim, Clear, Confirm, Count, Fail, Note, Settle, Step, Suspect
from ...core.ports.store import STORE_NOW
from ...core.ports.store import Note as Line

ACTOR = "monitor"


@singledispatch
def record_of(step: Step, engine: Engine) -> tuple[Changes, Line | None]:
    """The fields that a step writes by compare-and-set, and its history line (None: no line)."""
    raise TypeError(f"{step} writes nothing")


@record_of.register
def _(step: Claim, engine: Engine) -> tuple[Changes, Line | None]:
    changes: Changes = {
        "state": State.PENDING,
        "state_run": engine.run,
        "message": "",
        "failure": None,
        "unresponsive_since": None,
        "executors": None,
        "started_at": None,
        "stopped_at": None,
    }
    return changes, Line(ACTOR, "starting", f"run {engine.run}")


@record_of.register
def _(step: Confirm, engine: Engine) -> tuple[Changes, Line | None]:
    changes: Changes = {"state": State.RUNNING, "message": "", "started_at": STORE_NOW}
    if step.executors is not None:
        changes = {**changes, "executors": step.executors}
    return changes, Line(ACTOR, "running")


@record_of.register
def _(step: Note, engine: Engine) -> tuple[Changes, Line | None]:
    return {"message": step.message}, None


@record_of.register
def _(step: Count, engine: Engine) -> tuple[Changes, Line | None]:
    return {"executors": step.executors}, None


@record_of.register
def _(step: Suspect, engine: Engine) -> tuple[Changes, Line | None]:
    changes: Changes = {"unresponsive_since": step.since, "message": step.message}
    return changes, Line(ACTOR, "unresponsive", step.message)


@record_of.register
def _(step: Clear, engine: Engine) -> tuple[Changes, Line | None]:
    return {"unresponsive_since": None, "message": ""}, Line(ACTOR, "answers again")


@record_of.register
def _(step: Fail, engine: Engine) -> tuple[Changes, Line | None]:
    failure = step.failure
    return {"failure": failure}, Line(ACTOR, "condemned", f"{failure.reason.value}: {failure.message}")


@record_of.register
def _(step: Settle, engine: Engine) -> tuple[Changes, Line | None]:
    changes: Changes = {
        "state": State.STOPPED,
        "failure": step.failure,
        "message": "",
        "unresponsive_since": None,
        "executors": None,
        "stopped_at": STORE_NOW,
    }
    if step.failure is None:
        return changes, Line(ACTOR, "stopped", step.reason)
    return changes, Line(ACTOR, "failed", f"{step.failure.reason.value}: {step.failure.message}")

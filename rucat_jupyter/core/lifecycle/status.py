"""Actual state, desired state and the status that is shown: the first two tables of the lifecycle."""

from __future__ import annotations

from collections.abc import Callable

from ..engine import Engine, State, Status, Target
from ..errors import RucatError

LEGAL: frozenset[tuple[State | None, State | None]] = frozenset(
    {
        (None, State.PENDING),
        (State.PENDING, State.RUNNING),
        (State.PENDING, State.STOPPED),
        (State.RUNNING, State.STOPPED),
        (State.STOPPED, State.PENDING),
        (State.STOPPED, None),
    }
)
"""The legal changes of ``state``; None is "no record"."""


class IllegalTransition(RucatError):
    """A change of ``state`` that is not in :data:`LEGAL`; the engine is left as it was."""

    code = "illegal_transition"


def is_settled(engine: Engine) -> bool:
    """Whether only a verb or the restart policy will change the engine."""
    return (
        engine.target is not Target.DELETED
        and engine.state is State.STOPPED
        and (engine.state_run == engine.run or engine.target is Target.STOPPED)
    )


STATUSES: tuple[tuple[str, Callable[[Engine], bool], Callable[[Engine], Status]], ...] = (
    ("target is Deleted", lambda e: e.target is Target.DELETED, lambda e: Status.DELETING),
    ("settled with a failure", lambda e: is_settled(e) and e.failure is not None, lambda e: Status.FAILED),
    ("settled", is_settled, lambda e: Status.STOPPED),
    ("target is Stopped", lambda e: e.target is Target.STOPPED, lambda e: Status.STOPPING),
    ("an older life is ending", lambda e: e.state_run < e.run, lambda e: Status.PENDING),
    (
        "Running, but does not respond",
        lambda e: e.state is State.RUNNING and e.unresponsive_since is not None,
        lambda e: Status.UNRESPONSIVE,
    ),
    ("otherwise its state", lambda e: True, lambda e: Status(e.state.value)),
)
"""The status, first match: (when, predicate, status)."""


def status_of(engine: Engine) -> Status:
    """The status shown to users: the first row of :data:`STATUSES` that matches."""
    return next(status(engine) for _, applies, status in STATUSES if applies(engine))


def message_of(engine: Engine) -> str:
    """What the engine waits for, in one line; empty if it waits for nothing."""
    if status_of(engine) is Status.PENDING and has_life(engine) and engine.state_run < engine.run:
        return f"stopping run {engine.state_run}"
    return engine.message


def has_life(engine: Engine) -> bool:
    """Whether ``state`` describes a claimed life whose end was not seen."""
    return engine.state is not State.STOPPED and engine.state_run > 0


def is_wanted(engine: Engine) -> bool:
    """Whether the life of ``state`` is the wanted one, and has not failed."""
    return engine.target is Target.RUNNING and engine.state_run == engine.run and engine.failure is None


def check_transition(old: State | None, new: State | None) -> None:
    """Raise IllegalTransition unless ``old`` to ``new`` is in :data:`LEGAL` (the same state is always legal)."""
    if old is not new and (old, new) not in LEGAL:
        raise IllegalTransition(f"{old and old.value} -> {new and new.value} is not a legal transition")

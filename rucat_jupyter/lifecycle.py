"""The life of an engine as tables and pure functions: statuses, verbs, and the one next step.

What is stored, and never mixed:

* ``state`` says what **is**, of one life (``state_run``). Only the monitor writes it.
* ``target`` says what is **wanted**, of the newest life (``run``). Only the use cases write it.
* ``failure`` says why a life ended that should not have. Only the monitor sets it; a restart clears it.

What people see (:func:`status_of`) is a look-up of these, and what happens next (:func:`plan`) is
the first rule of :data:`RULES` that applies. Nothing here has a clock, does IO, or remembers: the
monitor may crash between any two steps, look again, and converge. That holds because

1. a life is *claimed* (``state_run = run``, by compare-and-set) before anything outside is touched,
   so two monitors never start the same life;
2. everything outside is named after engine and run, so looking finds what an earlier step left;
3. each step is idempotent, and every life ends in the same order: verdict, stop, settle, clean.
   The verdict (``failure``) is written before the stop, so a crash between cannot forget the reason.
   A settled life that left something behind is found by looking, and cleaned.

When you change a rule, change the table; ``docs/architecture.md`` is drawn from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeVar

from .engine import HINTS, Engine, Failure, Reason, State, Status, Target, Verb
from .errors import NotManaged, NotPossible, RucatError

T = TypeVar("T")
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


class Outcome(str, Enum):
    """What asking for a verb answers: 202, 200 or 409."""

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
"""The verb table: what each verb answers in each status."""


class IllegalTransition(RucatError):
    """A change of ``state`` that is not in :data:`LEGAL`; the engine is left as it was."""

    code = "illegal_transition"


# --- what is seen -----------------------------------------------------------------------------------------


def is_settled(engine: Engine) -> bool:
    """Whether nothing but a verb or the restart policy will change the engine."""
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
        "Running without an answer",
        lambda e: e.state is State.RUNNING and e.unresponsive_since is not None,
        lambda e: Status.UNRESPONSIVE,
    ),
    ("otherwise its state", lambda e: True, lambda e: Status(e.state.value)),
)
"""What people see, first match: (when, predicate, status)."""


def status_of(engine: Engine) -> Status:
    """The status that people see: the first row of :data:`STATUSES` that matches."""
    return next(status(engine) for _, applies, status in STATUSES if applies(engine))


def message_of(engine: Engine) -> str:
    """What the engine waits for, in one line; empty when it waits for nothing."""
    if status_of(engine) is Status.PENDING and has_life(engine) and engine.state_run < engine.run:
        return f"stopping run {engine.state_run}"
    return engine.message


def has_life(engine: Engine) -> bool:
    """Whether ``state`` speaks of a claimed life that has not been seen to end."""
    return engine.state is not State.STOPPED and engine.state_run > 0


def is_wanted(engine: Engine) -> bool:
    """Whether the life that ``state`` speaks of is the one that is wanted, and no verdict has been given on it."""
    return engine.target is Target.RUNNING and engine.state_run == engine.run and engine.failure is None


def verbs_of(engine: Engine) -> list[Verb]:
    """The verbs that would be accepted now."""
    status = status_of(engine)
    return [
        verb
        for verb, row in VERBS.items()
        if row[status] is Outcome.ACCEPTED and (engine.is_managed or verb is Verb.DELETE)
    ]


# --- what is asked ----------------------------------------------------------------------------------------

STABLE_S = 600.0
"""After so long a life the next failure is a new one (the time after which Kubernetes' CrashLoopBackOff resets)."""

Changes = Mapping[str, object]
"""Fields of :class:`~rucat_jupyter.engine.Engine` and their new values, to be written by compare-and-set."""


def ask(engine: Engine, verb: Verb, *, by_policy: bool = False) -> tuple[Outcome, Changes]:
    """What a verb answers now and which fields it changes (none unless accepted).

    Raises NotManaged for stop and restart of an external engine, NotPossible where the verb table says so.
    ``by_policy`` marks the restart policy's own restart, which counts.
    """
    if not engine.is_managed and verb is not Verb.DELETE:
        raise NotManaged(
            f"cannot {verb.value} {engine.name!r}: Rucat does not manage external engines, it only watches them; "
            "delete forgets it",
            status=status_of(engine).value,
        )
    status = status_of(engine)
    outcome = VERBS[verb][status]
    if outcome is Outcome.NOT_POSSIBLE:
        raise NotPossible(f"cannot {verb.value} {engine.name!r}: it is {status.value}", status=status.value)
    if outcome is Outcome.OK:
        return outcome, {}
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


def recent_restarts(engine: Engine) -> int:
    """Restarts by policy in a row; a life of :data:`STABLE_S` or more begins the count anew."""
    lived_s = (engine.failure.at - engine.started_at).total_seconds() if engine.failure and engine.started_at else 0.0
    return 0 if lived_s >= STABLE_S else engine.restarts


def check_transition(old: State | None, new: State | None) -> None:
    """Raise IllegalTransition unless ``old`` to ``new`` is in :data:`LEGAL` (the same state is always legal)."""
    if old is not new and (old, new) not in LEGAL:
        raise IllegalTransition(f"{old and old.value} -> {new and new.value} is not a legal transition")


# --- what is observed -------------------------------------------------------------------------------------


class Presence(str, Enum):
    """What a platform has of one life."""

    UNKNOWN = "unknown"  # the platform is out of reach: conclude nothing
    ABSENT = "absent"  # nothing of it is there
    ALIVE = "alive"  # its driver exists (no word of whether it answers)
    ENDED = "ended"  # its driver has ended, and something of it is left to clean


@dataclass(frozen=True)
class End:
    """Why a life ended, or cannot live. ``reason`` None is an end that is no failure ("machine restarted")."""

    reason: Reason | None
    message: str


@dataclass(frozen=True)
class Observation:
    """What a platform saw of one life, by a direct look and not from a cache alone.

    ``message`` is what it waits for, in the platform's own words. ``end`` says why it ended
    (presence ENDED), or, with presence ALIVE, that it can never come up.
    """

    presence: Presence
    message: str = ""
    end: End | None = None


@dataclass(frozen=True)
class Health:
    """What the probes of one life have found so far."""

    ready: bool = False  # the Spark Connect service has answered in this life
    silent_since: datetime | None = None  # first miss since the last answer
    message: str = ""  # what the miss was
    is_zombie: bool = False  # the service answers, queries do not
    context_stopped: bool = False  # the SparkContext is stopped, confirmed by a second look


@dataclass(frozen=True)
class Memory:
    """What the monitor remembers of one life; lost in a crash, and safe to lose."""

    since: datetime  # first seen in this state, or the end of the monitor's last gap: graces count from here
    was_started: bool = False  # this monitor called start, and it returned
    health: Health = field(default_factory=Health)
    used_at: datetime | None = None  # last sign of a Connect operation; None: none seen
    is_busy: bool = False  # an operation runs now


@dataclass(frozen=True)
class Timing:
    """Every number that the rules use; all are settings of the gateway."""

    silence_grace_s: float = 60.0
    start_timeout_s: Mapping[str, float] = field(default_factory=lambda: {"local": 120.0, "kubernetes": 600.0})
    idle_timeout_s: float = 3600.0
    max_lifetime_s: Mapping[str, float] = field(default_factory=lambda: {"kubernetes": 43200.0})
    restart_backoff_s: tuple[float, ...] = (10.0, 30.0, 60.0, 120.0, 300.0)
    """Wait before the n-th restart in a row by policy; when all are used up the engine stays Failed."""


# --- what is done next ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One thing to do next."""


@dataclass(frozen=True)
class Rest(Step):
    """Nothing, until something changes, or ``until`` where time alone can change it."""

    until: datetime | None = None


@dataclass(frozen=True)
class Claim(Step):
    """Write that ``state`` now speaks of the wanted life: Pending, ``state_run = run``."""


@dataclass(frozen=True)
class Start(Step):
    """Ask the platform to start the claimed life."""


@dataclass(frozen=True)
class Confirm(Step):
    """Write Running: the Spark Connect service has answered."""


@dataclass(frozen=True)
class Note(Step):
    """Write what the engine waits for."""

    message: str


@dataclass(frozen=True)
class Suspect(Step):
    """Write that it does not answer since ``since``."""

    since: datetime
    message: str


@dataclass(frozen=True)
class Clear(Step):
    """Write that it answers again."""


@dataclass(frozen=True)
class Condemn(Step):
    """Write the verdict on a life that is still there and must end."""

    failure: Failure


@dataclass(frozen=True)
class Stop(Step):
    """Ask the platform to end the life, gracefully, then by force."""


@dataclass(frozen=True)
class Settle(Step):
    """Write Stopped, with the failure if there is one."""

    failure: Failure | None
    reason: str


@dataclass(frozen=True)
class Clean(Step):
    """Ask the platform to remove what the ended life left; its log's end stays readable."""


@dataclass(frozen=True)
class Remove(Step):
    """Remove the record; a tombstone stays in history."""


@dataclass(frozen=True)
class Ask(Step):
    """Ask a verb of the use cases, as the monitor."""

    verb: Verb
    reason: str


@dataclass(frozen=True)
class Facts:
    """All that a rule may look at."""

    engine: Engine
    seen: Observation
    memory: Memory
    now: datetime
    timing: Timing

    @property
    def is_alive(self) -> bool:
        """Whether the driver is there."""
        return self.seen.presence is Presence.ALIVE

    def failed(self, reason: Reason, message: str) -> Failure:
        """A failure of this life, as of now."""
        return Failure(reason=reason, message=message, hint=HINTS[reason], at=self.now)


def _verdict(f: Facts) -> Failure | None:
    """The failure of a wanted life that is still there, if it must end; never of one that is not ours to end."""
    m = f.memory
    if not f.engine.is_managed:
        return None
    if f.seen.end is not None and f.seen.end.reason is not None:
        return f.failed(f.seen.end.reason, f.seen.end.message)
    if m.health.context_stopped:
        return f.failed(Reason.CONTEXT_STOPPED, "the SparkContext inside the engine is stopped: no query can run")
    if _is_past(_start_end(f), f.now):
        return _start_timeout(f)
    if _is_past(_silence_end(f), f.now):
        reason = Reason.CONTEXT_STOPPED if m.health.is_zombie else Reason.UNRESPONSIVE
        return f.failed(reason, f"no answer for {f.timing.silence_grace_s:.0f} s ({m.health.message})")
    return None


def _start_end(f: Facts) -> datetime | None:
    """When a start is given up."""
    is_starting = f.engine.state is State.PENDING and has_life(f.engine) and f.engine.is_managed
    return f.memory.since + timedelta(seconds=_start_timeout_s(f)) if is_starting else None


def _start_timeout(f: Facts) -> Failure:
    waited = f"the engine did not answer within {_start_timeout_s(f):.0f} s"
    return f.failed(
        Reason.START_TIMEOUT, f"{waited}; it was waiting for: {f.engine.message}" if f.engine.message else waited
    )


def _start_timeout_s(f: Facts) -> float:
    return f.engine.spec.start_timeout_s or f.timing.start_timeout_s.get(f.engine.platform, 600.0)


def _lifetime_s(f: Facts) -> float:
    asked = f.engine.spec.max_lifetime_s
    return f.timing.max_lifetime_s.get(f.engine.platform, 0.0) if asked is None else float(asked)


def _lifetime_end(f: Facts) -> datetime | None:
    span_s = _lifetime_s(f)
    is_up = f.engine.state is State.RUNNING and f.engine.is_managed
    return f.engine.started_at + timedelta(seconds=span_s) if is_up and f.engine.started_at and span_s else None


def _idle_timeout_s(f: Facts) -> float:
    asked = f.engine.spec.idle_timeout_s
    return f.timing.idle_timeout_s if asked is None else float(asked)


def _idle_end(f: Facts) -> datetime | None:
    span_s = _idle_timeout_s(f)
    is_up = f.engine.state is State.RUNNING and f.engine.is_managed
    if not is_up or not span_s or f.memory.is_busy or _is_silent(f):
        return None
    times = (f.memory.since, f.memory.used_at, f.engine.last_used_at, f.engine.started_at)
    return max(t for t in times if t) + timedelta(seconds=span_s)


def _restart_at(f: Facts) -> datetime | None:
    """When the restart policy brings a failed engine back; None for never."""
    e, backoff = f.engine, f.timing.restart_backoff_s
    is_failed = is_settled(e) and e.target is Target.RUNNING and e.failure is not None
    if not is_failed or e.spec.restart_policy != "on_failure" or recent_restarts(e) >= len(backoff):
        return None
    return f.memory.since + timedelta(seconds=backoff[recent_restarts(e)])


def _settle_ended(f: Facts) -> Settle:
    """Settle a life that is gone: a failure where it should have lived, else a stop."""
    e, end = f.engine, f.seen.end
    if not is_wanted(e):
        return Settle(e.failure, e.failure.message if e.failure else "stopped")
    if end is None:
        return Settle(f.failed(Reason.LOST, "the engine is gone, and nobody saw it end"), "lost")
    if end.reason is None:
        return Settle(None, end.message)
    return Settle(f.failed(end.reason, end.message), end.message)


def _silence_end(f: Facts) -> datetime | None:
    """When a silence has lasted too long."""
    silent = f.memory.health.silent_since
    if silent is None or f.engine.state is not State.RUNNING or not f.engine.is_managed:
        return None
    return max(silent, f.memory.since) + timedelta(seconds=f.timing.silence_grace_s)


def _wait(f: Facts) -> Rest:
    """Rest until the next moment at which time alone may change something."""
    ends = (_start_end(f), _silence_end(f), _lifetime_end(f), _idle_end(f), _restart_at(f))
    return Rest(min((end for end in ends if end and end > f.now), default=None))


def _is_past(at: datetime | None, now: datetime) -> bool:
    return at is not None and now >= at


def _has_lost_life(f: Facts) -> bool:
    """Whether the claimed life has ended; a claimed life of which nothing was ever seen may still begin."""
    if not has_life(f.engine) or not f.engine.is_managed or f.seen.presence not in _GONE:
        return False
    never_begun = (
        f.engine.state is State.PENDING
        and f.seen.presence is Presence.ABSENT
        and not f.memory.was_started
        and is_wanted(f.engine)
    )
    return not never_begun


def _is_silent(f: Facts) -> bool:
    return f.engine.state is State.RUNNING and f.memory.health.silent_since is not None


def _is_unsaid(f: Facts) -> bool:
    """Whether the platform is out of reach for an engine that needs it, and its message says something else."""
    needs_it = not is_settled(f.engine) and f.engine.unresponsive_since is None
    return f.seen.presence is Presence.UNKNOWN and needs_it and f.seen.message != f.engine.message


def _words(f: Facts) -> str:
    """What the engine waits for: the platform's words, or why an external one does not come up."""
    is_awaited = f.engine.state is State.PENDING and not f.engine.is_managed
    return f.seen.message or (f.memory.health.message if is_awaited else "")


def _given(value: T | None) -> T:
    """A value that the rule's own predicate has found to be there."""
    assert value is not None  # noqa: S101
    return value


@dataclass(frozen=True)
class Rule:
    """One row of the monitor's table: in words, when it applies, what to do."""

    when: str
    applies: Callable[[Facts], bool]
    step: Callable[[Facts], Step]


_GONE = (Presence.ABSENT, Presence.ENDED)

RULES: tuple[Rule, ...] = (
    Rule(
        "external, and to be deleted",
        lambda f: not f.engine.is_managed and f.engine.target is Target.DELETED,
        lambda f: Remove(),
    ),
    # The platform is out of reach: nothing may be concluded, only said.
    Rule("platform out of reach, not yet said", _is_unsaid, lambda f: Note(f.seen.message)),
    Rule("platform out of reach", lambda f: f.seen.presence is Presence.UNKNOWN, lambda f: Rest()),
    # A life that is not wanted, condemned, or settled already: stop, settle, clean.
    Rule(
        "there, but not wanted",
        lambda f: f.is_alive and f.engine.is_managed and not (has_life(f.engine) and is_wanted(f.engine)),
        lambda f: Stop(),
    ),
    Rule("its life is gone", _has_lost_life, _settle_ended),
    Rule(
        "never claimed, and not wanted",
        lambda f: f.engine.state is State.PENDING and f.engine.state_run == 0 and f.engine.target is not Target.RUNNING,
        lambda f: Settle(None, "stopped before it started"),
    ),
    Rule("something is left of it", lambda f: f.seen.presence is Presence.ENDED, lambda f: Clean()),
    Rule("to be deleted, and all is gone", lambda f: f.engine.target is Target.DELETED, lambda f: Remove()),
    # A life that is wanted: claim, start.
    Rule(
        "a new life is wanted",
        lambda f: f.engine.target is Target.RUNNING and f.engine.state_run < f.engine.run,
        lambda f: Claim(),
    ),
    Rule(
        "failed, and its restart policy is due",
        lambda f: _is_past(_restart_at(f), f.now),
        lambda f: Ask(Verb.RESTART, f"restart policy, attempt {recent_restarts(f.engine) + 1}"),
    ),
    Rule(
        "settled, and its message is old", lambda f: is_settled(f.engine) and bool(f.engine.message), lambda f: Note("")
    ),
    Rule("settled", lambda f: is_settled(f.engine), _wait),
    Rule(
        "claimed, and could not be started in time",
        lambda f: f.seen.presence is Presence.ABSENT and _is_past(_start_end(f), f.now),
        lambda f: Settle(_start_timeout(f), "not started in time"),
    ),
    Rule("claimed, and nothing is there", lambda f: f.seen.presence is Presence.ABSENT, lambda f: Start()),
    # It is there: judge, confirm, watch.
    Rule("there, but cannot live", lambda f: _verdict(f) is not None, lambda f: Condemn(_given(_verdict(f)))),
    Rule(
        "started, and it answers",
        lambda f: f.engine.state is State.PENDING and f.memory.health.ready,
        lambda f: Confirm(),
    ),
    Rule(
        "running, and silent",
        lambda f: _is_silent(f) and f.engine.unresponsive_since is None,
        lambda f: Suspect(_given(f.memory.health.silent_since), f.memory.health.message),
    ),
    Rule(
        "running, and it answers again",
        lambda f: f.engine.unresponsive_since is not None and f.memory.health.ready and not _is_silent(f),
        lambda f: Clear(),
    ),
    Rule(
        "it waits for something new",
        lambda f: f.engine.unresponsive_since is None and _words(f) != f.engine.message,
        lambda f: Note(_words(f)),
    ),
    Rule(
        "running, its lifetime is over",
        lambda f: _is_past(_lifetime_end(f), f.now),
        lambda f: Ask(Verb.STOP, f"maximum lifetime of {_lifetime_s(f):.0f} s reached"),
    ),
    Rule(
        "running, and idle for too long",
        lambda f: _is_past(_idle_end(f), f.now),
        lambda f: Ask(Verb.STOP, f"no use for {_idle_timeout_s(f):.0f} s"),
    ),
    Rule("all is as wanted", lambda f: True, _wait),
)
"""The monitor's table, first match. Every look at an engine ends in exactly one step."""


def rule_of(facts: Facts) -> Rule:
    """The first rule of :data:`RULES` that applies."""
    return next(rule for rule in RULES if rule.applies(facts))


def plan(engine: Engine, observation: Observation, memory: Memory, now: datetime, timing: Timing) -> Step:
    """The one next step for an engine: pure, and total over every combination of its arguments."""
    facts = Facts(engine, observation, memory, now, timing)
    return rule_of(facts).step(facts)

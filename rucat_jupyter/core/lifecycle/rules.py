"""The table of the monitor's rules, which gives the next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from ..engine import HINTS, Engine, Failure, Reason, State, Target, Verb
from .facts import Memory, Observation, Presence, Timing
from .status import has_life, is_settled, is_wanted
from .steps import (
    Ask,
    Claim,
    Clean,
    Clear,
    Confirm,
    Count,
    Fail,
    Note,
    Remove,
    Rest,
    Settle,
    Start,
    Step,
    Stop,
    Suspect,
)
from .verbs import comes_back, recent_restarts

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """The input of a rule."""

    engine: Engine
    seen: Observation
    memory: Memory
    now: datetime
    timing: Timing

    @property
    def is_alive(self) -> bool:
        """Whether the driver exists."""
        return self.seen.presence is Presence.ALIVE

    def failed(self, reason: Reason, message: str, hint: str = "") -> Failure:
        """A failure of this life, as of now."""
        return Failure(reason=reason, message=message, hint=hint or HINTS[reason], at=self.now)


def _verdict(f: Facts) -> Failure | None:
    """The failure of a wanted life that still exists but must end; None for engines that Rucat does not manage."""
    m = f.memory
    if not f.engine.is_managed:
        return None
    if f.seen.end is not None and f.seen.end.reason is not None:
        return f.failed(f.seen.end.reason, f.seen.end.message, f.seen.end.hint)
    if m.health.context_stopped:
        return f.failed(Reason.CONTEXT_STOPPED, "the engine's SparkContext is stopped: queries cannot run")
    if _is_past(_start_end(f), f.now):
        return _start_timeout(f)
    return _silence(f) if _is_past(_silence_end(f), f.now) else None


def _silence(f: Facts) -> Failure:
    """The failure of an engine that is silent for too long, with the platform's reason if it has one."""
    said = f"no response for {f.timing.silence_grace_s:.0f} s ({f.memory.health.message})"
    if f.seen.waits_for is not None:
        return f.failed(f.seen.waits_for, f"{f.seen.message}; {said}")
    return f.failed(Reason.CONTEXT_STOPPED if f.memory.health.is_zombie else Reason.UNRESPONSIVE, said)


def _start_end(f: Facts) -> datetime | None:
    """When a start times out."""
    is_starting = f.engine.state is State.PENDING and has_life(f.engine) and f.engine.is_managed
    return f.memory.since + timedelta(seconds=_start_timeout_s(f)) if is_starting else None


def _start_timeout(f: Facts) -> Failure:
    waited = f"the engine did not respond within {_start_timeout_s(f):.0f} s"
    reason = f.seen.waits_for or Reason.START_TIMEOUT
    return f.failed(
        reason, f"{waited}; it was waiting for: {f.engine.message}" if f.engine.message else waited, f.seen.hint
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
    """When the restart policy restarts a failed engine; None: never."""
    backoff = f.timing.restart_backoff_s
    if not comes_back(f.engine, len(backoff)):
        return None
    return f.memory.since + timedelta(seconds=backoff[recent_restarts(f.engine)])


def _settle_ended(f: Facts) -> Settle:
    """Settle a life that is gone: a failure if it was wanted, else a stop."""
    e, end = f.engine, f.seen.end
    if not is_wanted(e):
        return Settle(e.failure, e.failure.message if e.failure else "stopped")
    if end is None:
        return Settle(f.failed(Reason.LOST, "the engine is gone, and the gateway did not see it end"), "lost")
    if end.reason is None:
        return Settle(None, end.message)
    return Settle(f.failed(end.reason, end.message, end.hint), end.message)


def _silence_end(f: Facts) -> datetime | None:
    """When a silence has lasted too long; None while the connection to the engine may be broken."""
    silent = f.memory.health.silent_since
    if silent is None or f.engine.state is not State.RUNNING or not f.engine.is_managed or f.seen.blocked:
        return None
    return max(silent, f.memory.since) + timedelta(seconds=f.timing.silence_grace_s)


def _wait(f: Facts) -> Rest:
    """Rest until the next timeout."""
    ends = (_start_end(f), _silence_end(f), _lifetime_end(f), _idle_end(f), _restart_at(f))
    return Rest(min((end for end in ends if end and end > f.now), default=None))


def _is_past(at: datetime | None, now: datetime) -> bool:
    return at is not None and now >= at


def _has_lost_life(f: Facts) -> bool:
    """Whether the claimed life has ended.

    A claimed life that this monitor has not seen, and whose end the platform does not report, may still begin: another
    monitor may have crashed between claim and start, or during the start (then the remains are cleaned first).
    """
    if not has_life(f.engine) or not f.engine.is_managed or f.seen.presence not in _GONE:
        return False
    never_begun = (
        f.engine.state is State.PENDING and f.seen.end is None and not f.memory.was_started and is_wanted(f.engine)
    )
    return not never_begun


def _is_silent(f: Facts) -> bool:
    return f.engine.state is State.RUNNING and f.memory.health.silent_since is not None


def _is_unsaid(f: Facts) -> bool:
    """Whether an engine needs its platform, which is unreachable, and the engine's message does not say so yet."""
    needs_it = not is_settled(f.engine) and f.engine.unresponsive_since is None
    return f.seen.presence is Presence.UNKNOWN and needs_it and f.seen.message != f.engine.message


def _words(f: Facts) -> str:
    """What it waits for: the platform's message, why it is unreachable, what an external or silent engine responds.

    While it waits for nothing: what to do about executors that are missing.
    """
    is_silent = _is_silent(f) or f.engine.unresponsive_since is not None
    is_awaited = is_silent or (f.engine.state is State.PENDING and not f.engine.is_managed)
    return f.seen.message or f.seen.blocked or (f.memory.health.message if is_awaited else "") or f.seen.advice


def _given(value: T | None) -> T:
    """A value that the rule's predicate has checked."""
    assert value is not None  # noqa: S101
    return value


@dataclass(frozen=True)
class Rule:
    """One row of the monitor's table: description, predicate, step."""

    when: str
    applies: Callable[[Facts], bool]
    step: Callable[[Facts], Step]


_GONE = (Presence.ABSENT, Presence.ENDED)


RULES: tuple[Rule, ...] = (
    Rule(
        "external, target is Deleted",
        lambda f: not f.engine.is_managed and f.engine.target is Target.DELETED,
        lambda f: Remove(),
    ),
    # The platform is unreachable: nothing is known of the engine, so only its message changes.
    Rule("platform unreachable, message does not say so", _is_unsaid, lambda f: Note(f.seen.message)),
    Rule("platform unreachable", lambda f: f.seen.presence is Presence.UNKNOWN, lambda f: Rest()),
    # A life that is not wanted, failed, or settled already: stop, settle, clean.
    Rule(
        "exists, but not wanted",
        lambda f: f.is_alive and f.engine.is_managed and not (has_life(f.engine) and is_wanted(f.engine)),
        lambda f: Stop(),
    ),
    Rule("the life is gone", _has_lost_life, _settle_ended),
    Rule(
        "never claimed, and not wanted",
        lambda f: f.engine.state is State.PENDING and f.engine.state_run == 0 and f.engine.target is not Target.RUNNING,
        lambda f: Settle(None, "stopped before it started"),
    ),
    Rule("ended, but something is left", lambda f: f.seen.presence is Presence.ENDED, lambda f: Clean()),
    Rule("target is Deleted, and nothing is left", lambda f: f.engine.target is Target.DELETED, lambda f: Remove()),
    # A life that is wanted: claim, start.
    Rule(
        "a new life is wanted",
        lambda f: f.engine.target is Target.RUNNING and f.engine.state_run < f.engine.run,
        lambda f: Claim(),
    ),
    Rule(
        "failed, and the restart policy is due",
        lambda f: _is_past(_restart_at(f), f.now),
        lambda f: Ask(Verb.RESTART, f"restart policy, attempt {recent_restarts(f.engine) + 1}"),
    ),
    Rule("settled, but has a message", lambda f: is_settled(f.engine) and bool(f.engine.message), lambda f: Note("")),
    Rule("settled", lambda f: is_settled(f.engine), _wait),
    Rule(
        "claimed, but not started in time",
        lambda f: f.seen.presence is Presence.ABSENT and _is_past(_start_end(f), f.now),
        lambda f: Settle(_start_timeout(f), "not started in time"),
    ),
    Rule("claimed, but does not exist", lambda f: f.seen.presence is Presence.ABSENT, lambda f: Start()),
    # It exists: check, confirm, monitor.
    Rule("exists, but has failed", lambda f: _verdict(f) is not None, lambda f: Fail(_given(_verdict(f)))),
    Rule(
        "started, and responds",
        lambda f: f.engine.state is State.PENDING and f.memory.health.ready,
        lambda f: Confirm(f.seen.executors),
    ),
    Rule(
        "running, but silent",
        lambda f: _is_silent(f) and f.engine.unresponsive_since is None,
        lambda f: Suspect(_given(f.memory.health.silent_since), _words(f)),
    ),
    Rule(
        "running, and responds again",
        lambda f: f.engine.unresponsive_since is not None and f.memory.health.ready and not _is_silent(f),
        lambda f: Clear(),
    ),
    Rule(
        "waits for something else",
        lambda f: _words(f) != f.engine.message and (f.engine.unresponsive_since is None or bool(_words(f))),
        lambda f: Note(_words(f)),
    ),
    Rule(
        "running, and its executors have changed",
        lambda f: (
            f.engine.state is State.RUNNING and f.seen.executors is not None and f.seen.executors != f.engine.executors
        ),
        lambda f: Count(_given(f.seen.executors)),
    ),
    Rule(
        "running, and maximum lifetime reached",
        lambda f: _is_past(_lifetime_end(f), f.now),
        lambda f: Ask(Verb.STOP, f"maximum lifetime of {_lifetime_s(f):.0f} s reached"),
    ),
    Rule(
        "running, and idle timeout reached",
        lambda f: _is_past(_idle_end(f), f.now),
        lambda f: Ask(Verb.STOP, f"no activity for {_idle_timeout_s(f):.0f} s"),
    ),
    Rule("state is as desired", lambda f: True, _wait),
)
"""The monitor's table, first match. Every look at an engine gives exactly one step."""


def rule_of(facts: Facts) -> Rule:
    """The first rule of :data:`RULES` that applies."""
    return next(rule for rule in RULES if rule.applies(facts))


def plan(engine: Engine, observation: Observation, memory: Memory, now: datetime, timing: Timing) -> Step:
    """The next step for an engine: pure, and total over every combination of its arguments."""
    facts = Facts(engine, observation, memory, now, timing)
    return rule_of(facts).step(facts)

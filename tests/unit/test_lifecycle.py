"""The tables, walked: every status, every verb, and every combination of what is, is wanted, is seen and remembered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from rucat_jupyter.core.engine import HINTS, Engine, Failure, Reason, State, Status, Target, Verb
from rucat_jupyter.core.errors import NotManaged, NotPossible
from rucat_jupyter.core.lifecycle import (
    LEGAL,
    RULES,
    STABLE_S,
    Ask,
    Claim,
    Clean,
    Clear,
    Confirm,
    Count,
    End,
    Executors,
    Facts,
    Fail,
    Health,
    IllegalTransition,
    Memory,
    Note,
    Observation,
    Outcome,
    Presence,
    Remove,
    Rest,
    Settle,
    Start,
    Step,
    Stop,
    Suspect,
    Timing,
    ask,
    check_transition,
    has_life,
    is_settled,
    is_wanted,
    message_of,
    plan,
    recent_restarts,
    rule_of,
    status_of,
    verbs_of,
)
from rucat_jupyter.core.ports.store import STORE_NOW
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.monitor.records import record_of

NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
LONG_AGO = NOW - timedelta(days=1)
JUST_NOW = NOW - timedelta(seconds=1)
TIMING = Timing()
FAILURE = Failure(reason=Reason.EXITED, message="exit 1", hint=HINTS[Reason.EXITED], at=JUST_NOW)
ENGINE = Engine(
    id="0" * 16,
    name="etl",
    owner="ada",
    platform="local",
    profile="local",
    site="here",
    spec=EngineSpec(),
    created_at=LONG_AGO,
    state_run=1,
)
SEEN = Observation(Presence.ALIVE)
FRESH = Memory(JUST_NOW)
WRITES = (Claim, Confirm, Count, Note, Suspect, Clear, Fail, Settle)


def engine(**fields: object) -> Engine:
    return ENGINE.model_copy(update=fields)


def with_spec(**fields: object) -> EngineSpec:
    return EngineSpec(**fields)  # type: ignore[arg-type]


def step_of(made: Engine, seen: Observation = SEEN, memory: Memory = FRESH, now: datetime = NOW) -> Step:
    return plan(made, seen, memory, now, TIMING)


def written(made: Engine, step: Step) -> Engine:
    """The record after a step that writes, as a store would leave it."""
    changes, _ = record_of(step, made)
    values = {name: NOW if value is STORE_NOW else value for name, value in changes.items()}
    check_transition(made.state, made.model_copy(update=values).state)
    return made.model_copy(update={**values, "revision": made.revision + 1})


# --- statuses and verbs -----------------------------------------------------------------------------------

SAMPLES: Mapping[Status, list[Engine]] = {
    Status.PENDING: [
        engine(state_run=0),
        engine(),
        engine(state=State.RUNNING, run=2),
        engine(state=State.RUNNING, run=2, unresponsive_since=NOW),
        engine(state=State.STOPPED, run=2),
    ],
    Status.RUNNING: [engine(state=State.RUNNING), engine(state=State.RUNNING, failure=FAILURE)],
    Status.UNRESPONSIVE: [engine(state=State.RUNNING, unresponsive_since=NOW)],
    Status.STOPPING: [
        engine(state_run=0, target=Target.STOPPED),
        engine(target=Target.STOPPED),
        engine(state=State.RUNNING, target=Target.STOPPED),
        engine(state=State.RUNNING, target=Target.STOPPED, run=2),
    ],
    Status.STOPPED: [
        engine(state=State.STOPPED),
        engine(state=State.STOPPED, target=Target.STOPPED),
        engine(state=State.STOPPED, target=Target.STOPPED, run=2),
    ],
    Status.FAILED: [
        engine(state=State.STOPPED, failure=FAILURE),
        engine(state=State.STOPPED, target=Target.STOPPED, failure=FAILURE),
    ],
    Status.DELETING: [
        engine(target=Target.DELETED),
        engine(state=State.RUNNING, target=Target.DELETED),
        engine(state=State.STOPPED, target=Target.DELETED, failure=FAILURE),
    ],
}
EACH_SAMPLE = [(status, made) for status, many in SAMPLES.items() for made in many]
TABLE = """
stop     202 202 202 ok  ok  ok  409
restart  ok  202 202 202 202 202 409
delete   202 202 202 202 202 202 ok
"""  # by Pending, Running, Unresponsive, Stopping, Stopped, Failed, Deleting: design.md
WORDS = {"202": Outcome.ACCEPTED, "ok": Outcome.OK, "409": Outcome.NOT_POSSIBLE}
CELLS = {
    (Verb(row.split()[0]), status): WORDS[cell]
    for row in TABLE.strip().splitlines()
    for status, cell in zip(SAMPLES, row.split()[1:], strict=True)
}


@pytest.mark.parametrize(("status", "made"), EACH_SAMPLE)
def test_status_is_a_lookup_of_what_is_and_what_is_wanted(status: Status, made: Engine) -> None:
    """Each pair of stored facts is shown as the one status of the table."""
    assert status_of(made) is status


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize(("status", "made"), EACH_SAMPLE)
def test_every_cell_of_the_verb_table(verb: Verb, status: Status, made: Engine) -> None:
    """A verb is accepted, has nothing to do, or is refused by name of the status, as design.md has it."""
    expected = CELLS[verb, status]
    assert (verb in verbs_of(made)) == (expected is Outcome.ACCEPTED)
    if expected is Outcome.NOT_POSSIBLE:
        with pytest.raises(NotPossible, match=status.value) as caught:
            ask(made, verb)
        assert caught.value.details == {"status": status.value, "verbs": []}
        assert caught.value.message.endswith("; no verb is possible now")
    else:
        outcome, changes = ask(made, verb)
        assert outcome is expected
        assert bool(changes) == (expected is Outcome.ACCEPTED)


def test_what_an_accepted_verb_changes() -> None:
    """Stop and delete change what is wanted; restart also wants the next life, without the old failure."""
    failed = engine(state=State.STOPPED, failure=FAILURE, message="old", restarts=3)
    assert ask(ENGINE, Verb.STOP)[1] == {"target": Target.STOPPED}
    assert ask(ENGINE, Verb.DELETE)[1] == {"target": Target.DELETED}
    by_user = {"target": Target.RUNNING, "run": 2, "failure": None, "message": "", "restarts": 0}
    assert ask(failed, Verb.RESTART)[1] == by_user
    assert ask(failed, Verb.RESTART, by_policy=True)[1] == {**by_user, "restarts": 4}


def test_a_long_life_resets_the_count_of_restarts() -> None:
    """Failures that are far apart are not a series."""
    lived = {"state": State.STOPPED, "failure": FAILURE, "restarts": 3}
    assert recent_restarts(engine(**lived, started_at=JUST_NOW - timedelta(seconds=STABLE_S - 1))) == 3
    assert recent_restarts(engine(**lived, started_at=JUST_NOW - timedelta(seconds=STABLE_S))) == 0


def test_stop_calls_off_the_restart_policy() -> None:
    """A failed engine that would come back is asked not to; for another one nothing changes."""
    failed = engine(state=State.STOPPED, failure=FAILURE, spec=with_spec(restart_policy="on_failure"))
    outcome, changes = ask(failed, Verb.STOP)
    assert (outcome, changes) == (Outcome.OK, {"target": Target.STOPPED})
    told = failed.model_copy(update=dict(changes))
    assert status_of(told) is Status.FAILED
    assert ask(told, Verb.STOP) == (Outcome.OK, {})
    assert step_of(told, Observation(Presence.ABSENT), Memory(LONG_AGO)) == Rest()


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.RESTART])
def test_an_external_engine_is_not_managed(verb: Verb) -> None:
    """It is only ever forgotten."""
    made = engine(platform="external", state=State.RUNNING)
    with pytest.raises(NotManaged, match=r"only monitors.*; possible now: delete$") as caught:
        ask(made, verb)
    assert caught.value.details == {"status": "Running", "verbs": ["delete"]}
    assert verbs_of(made) == [Verb.DELETE]
    assert ask(made, Verb.DELETE) == (Outcome.ACCEPTED, {"target": Target.DELETED})


def test_only_the_legal_transitions_pass() -> None:
    """Every pair of states is legal, the same, or refused."""
    for old, new in itertools.product([None, *State], repeat=2):
        if old is new or (old, new) in LEGAL:
            check_transition(old, new)
        else:
            with pytest.raises(IllegalTransition, match="not a legal transition"):
                check_transition(old, new)


def test_the_message_of_a_restart_names_the_life_that_ends() -> None:
    """While the old life ends the new one waits for it."""
    assert message_of(engine(state=State.RUNNING, run=2, message="x")) == "stopping run 1"
    assert message_of(engine(message="pulling the image")) == "pulling the image"
    assert message_of(engine(state=State.STOPPED, run=2, message="x")) == "x"


# --- every combination --------------------------------------------------------------------------------------

SPECS = [EngineSpec(), with_spec(restart_policy="on_failure", idle_timeout_s=1, max_lifetime_s=1, start_timeout_s=1)]


def all_engines() -> Iterator[Engine]:
    """Every record that can be."""
    for platform, state, target, (state_run, run), failure, silent, message, spec in itertools.product(
        ("local", "external"), State, Target, ((0, 1), (1, 1), (1, 2)), (None, FAILURE), (None, NOW), ("", "x"), SPECS
    ):
        if state_run == 0 and (state is State.RUNNING or failure or silent):
            continue  # of no life at all nothing is known
        if platform == "external" and (run > state_run > 0 or target is Target.STOPPED or failure):
            continue  # it is never restarted, stopped, or failed
        yield engine(
            platform=platform,
            state=state,
            target=target,
            run=run,
            state_run=state_run,
            failure=failure,
            unresponsive_since=silent,
            message=message,
            spec=spec,
            started_at=LONG_AGO if state is State.RUNNING else None,
        )


def all_seen() -> list[Observation]:
    ends = (None, End(None, "machine restarted"), End(Reason.OUT_OF_MEMORY, "no memory"))
    seen = [Observation(presence, message, end) for presence in Presence for message in ("", "y") for end in ends]
    blocked = Observation(Presence.ALIVE, blocked="no way")
    return [*seen, blocked, Observation(Presence.ALIVE, executors=Executors(wanted=2, running=1, pending=1))]


def all_memories() -> list[Memory]:
    healths = [
        Health(),
        Health(ready=True),
        Health(ready=True, silent_since=JUST_NOW, message="m"),
        Health(ready=True, silent_since=LONG_AGO, message="m", is_zombie=True),
        Health(ready=True, silent_since=JUST_NOW, message="m", is_zombie=True, context_stopped=True),
    ]
    return [
        Memory(since, was_started, health, used_at, is_busy)
        for health in healths
        for since, was_started, used_at, is_busy in (
            (JUST_NOW, False, None, True),
            (JUST_NOW, True, JUST_NOW, False),
            (LONG_AGO, False, None, False),
            (LONG_AGO, True, None, True),
        )
    ]


ALLOWED_WHEN_SETTLED = (Rest, Clean, Note, Ask, Stop)


def check_step(made: Engine, seen: Observation, step: Step) -> None:
    """What must hold of a step, whatever rule it comes from."""
    if isinstance(step, WRITES):
        assert status_of(written(made, step))  # legal
    if isinstance(step, Start):
        assert is_wanted(made)
        assert has_life(made)
        assert seen.presence is Presence.ABSENT
    if isinstance(step, Claim):
        assert made.target is Target.RUNNING
        assert made.state_run < made.run
        assert seen.presence is Presence.ABSENT or not made.is_managed
    if isinstance(step, Stop):
        assert not (is_wanted(made) and has_life(made))
        assert seen.presence is Presence.ALIVE
    if isinstance(step, Fail):
        assert is_wanted(made)
    if isinstance(step, Settle):
        assert step.failure == made.failure or is_wanted(made)
    if isinstance(step, Rest) and step.until:
        assert step.until > NOW
    if isinstance(step, Remove):
        assert made.target is Target.DELETED
        assert seen.presence is Presence.ABSENT or not made.is_managed
    if isinstance(step, Ask):
        assert ask(made, step.verb)[0] is Outcome.ACCEPTED
    if is_settled(made) and made.is_managed:
        assert isinstance(step, ALLOWED_WHEN_SETTLED)
        assert isinstance(step, Stop) == (seen.presence is Presence.ALIVE)
    if seen.presence is Presence.UNKNOWN and made.is_managed:
        assert isinstance(step, (Note, Rest)), "nothing may be concluded"
    if not made.is_managed:
        assert not isinstance(step, (Stop, Fail, Ask)), "it is someone else's"
        assert not (isinstance(step, Settle) and step.failure and not made.failure), "never Failed"


def test_the_plan_is_total_and_every_step_is_legal() -> None:
    """For every combination of record, observation and memory there is one step, and it is one that may be taken."""
    seen_rules = set()
    count = 0
    for made, seen, memory in itertools.product(all_engines(), all_seen(), all_memories()):
        facts = Facts(made, seen, memory, NOW, TIMING)
        rule = rule_of(facts)
        seen_rules.add(rule.when)
        check_step(made, seen, rule.step(facts))
        count += 1
    assert seen_rules == {rule.when for rule in RULES}, "a rule that never applies"
    assert count > 150_000


# --- no livelock --------------------------------------------------------------------------------------------


class Model:
    """A platform in one variable, to see where steps lead."""

    def __init__(self, made: Engine, presence: Presence, *, refuses: bool, dies: bool, memory: Memory) -> None:
        self.engine: Engine | None = made
        self.presence = presence
        self.end: End | None = None
        self.memory = memory
        self.refuses = refuses
        self.dies = dies

    def step(self) -> Step:
        """Take one step, and return it."""
        assert self.engine is not None
        step = step_of(self.engine, Observation(self.presence, "", self.end), self.memory)
        if isinstance(step, WRITES):
            after = written(self.engine, step)
            if (after.state, after.state_run) != (self.engine.state, self.engine.state_run):
                self.memory = Memory(NOW, was_started=False)
            self.engine = after
        self._act(step)
        self.memory = replace(self.memory, health=Health(ready=self.presence is Presence.ALIVE))
        return step

    def _act(self, step: Step) -> None:
        assert self.engine is not None
        if isinstance(step, Start) and self.refuses:
            self.engine = written(self.engine, Settle(FAILURE, "no"))
        elif isinstance(step, Start):
            self.presence = Presence.ENDED if self.dies else Presence.ALIVE
            self.end = End(Reason.CRASH_ON_START, "exit 1") if self.dies else None
            self.memory = replace(self.memory, was_started=True)
        elif isinstance(step, Stop):
            self.presence, self.end = Presence.ENDED, End(None, "stopped")
        elif isinstance(step, Clean):
            self.presence, self.end = Presence.ABSENT, None
        elif isinstance(step, Remove):
            self.engine = None
        elif isinstance(step, Ask):
            self.engine = self.engine.model_copy(update=dict(ask(self.engine, step.verb, by_policy=True)[1]))


def test_steps_lead_to_rest() -> None:
    """From every record and whatever is there, on a machine that works, refuses or kills, all is at rest soon."""
    longest = 0
    machines = ((False, False), (True, False), (False, True))
    for made, presence, memory, (refuses, dies) in itertools.product(
        all_engines(), (Presence.ABSENT, Presence.ALIVE, Presence.ENDED), all_memories()[::3], machines
    ):
        if not made.is_managed and presence is not Presence.ALIVE:
            continue  # as far as anybody can say, an external engine is there
        model = Model(made, presence, refuses=refuses, dies=dies, memory=memory)
        for number in itertools.count(1):
            if isinstance(model.step(), Rest) or model.engine is None:
                break
            assert number < 16, made
        longest = max(longest, number)
        if model.engine and model.engine.is_managed:
            assert is_settled(model.engine) == (model.presence is Presence.ABSENT)
    assert longest < 16


# --- single rules -------------------------------------------------------------------------------------------


def test_a_start_that_was_cut_short_begins_again() -> None:
    """What a crash in the midst of a start left is cleaned, and then the same life is started."""
    assert step_of(ENGINE, Observation(Presence.ENDED)) == Clean()
    assert step_of(ENGINE, Observation(Presence.ABSENT)) == Start()


def test_a_life_that_ended_by_itself_says_why() -> None:
    """Its end is its failure; no end known is Lost; an end that is none is a stop."""
    running = engine(state=State.RUNNING)
    gone = step_of(running, Observation(Presence.ABSENT))
    assert isinstance(gone, Settle)
    assert gone.failure is not None
    assert gone.failure.reason is Reason.LOST
    killed = step_of(running, Observation(Presence.ENDED, end=End(Reason.OUT_OF_MEMORY, "heap")))
    assert isinstance(killed, Settle)
    assert killed.failure == Failure(
        reason=Reason.OUT_OF_MEMORY, message="heap", hint=HINTS[Reason.OUT_OF_MEMORY], at=NOW
    )
    rebooted = Observation(Presence.ENDED, end=End(None, "machine restarted"))
    assert step_of(running, rebooted) == Settle(None, "machine restarted")


def test_the_platform_may_know_a_better_hint_than_that_of_the_reason() -> None:
    """For a life that ended, and for one that must."""
    end = End(Reason.EVICTED, "drained", "Its node was drained.")
    for presence in (Presence.ENDED, Presence.ALIVE):
        step = step_of(engine(state=State.RUNNING), Observation(presence, end=end))
        assert isinstance(step, (Settle, Fail))
        assert step.failure is not None
        assert (step.failure.reason, step.failure.hint) == (Reason.EVICTED, "Its node was drained.")


def test_a_start_that_takes_too_long_has_the_platforms_hint() -> None:
    """What it waited for may need another remedy than its reason."""
    seen = Observation(Presence.ALIVE, "taint", waits_for=Reason.UNSCHEDULABLE, hint="Tolerate it.")
    late = step_of(engine(message="taint"), seen, Memory(NOW - timedelta(hours=1)))
    assert isinstance(late, Fail)
    assert (late.failure.reason, late.failure.hint) == (Reason.UNSCHEDULABLE, "Tolerate it.")


def test_what_to_do_about_missing_executors_is_said_while_there_is_nothing_else() -> None:
    """It is no wait and no silence; it goes when the platform says it no more."""
    advised = Observation(Presence.ALIVE, advice="no room")
    assert step_of(engine(state=State.RUNNING), advised) == Note("no room")
    assert step_of(engine(state=State.RUNNING), replace(advised, blocked="no way")) == Note("no way")
    assert step_of(engine(state=State.RUNNING, message="no room"), Observation(Presence.ALIVE)) == Note("")


def test_the_verdict_outlives_the_end() -> None:
    """A condemned life keeps its reason, however it then ends."""
    failing = engine(state=State.RUNNING, failure=FAILURE)
    assert step_of(failing) == Stop()
    assert step_of(failing, Observation(Presence.ENDED, end=End(None, "stopped"))) == Settle(FAILURE, "exit 1")


def test_a_start_has_a_deadline() -> None:
    """Too long without an answer is a failure that says what was waited for, started or not."""
    waiting = engine(message="no node has room")
    old = Memory(NOW - timedelta(seconds=120), was_started=True)
    for step in (step_of(waiting, memory=old), step_of(engine(), memory=old)):
        assert isinstance(step, Fail)
        assert step.failure.reason is Reason.START_TIMEOUT
    verdict = step_of(waiting, memory=old)
    assert isinstance(verdict, Fail)
    assert verdict.failure.message == "the engine did not respond within 120 s; it was waiting for: no node has room"
    put_off = step_of(waiting, Observation(Presence.ABSENT), replace(old, was_started=False))
    assert isinstance(put_off, Settle)
    assert put_off.failure == verdict.failure
    young = Memory(NOW - timedelta(seconds=119))
    assert step_of(engine(), memory=young) == Rest(NOW + timedelta(seconds=1))


def test_silence_is_unresponsive_immediately_and_failed_after_the_grace() -> None:
    """The first miss shows; only 60 s of silence, counted after any gap of the monitor, are a verdict."""
    silent = Health(ready=True, silent_since=JUST_NOW, message="no answer within 12 s")
    running = engine(state=State.RUNNING, started_at=LONG_AGO)
    assert step_of(running, memory=Memory(LONG_AGO, health=silent)) == Suspect(JUST_NOW, "no answer within 12 s")
    unresponsive = engine(
        state=State.RUNNING, started_at=LONG_AGO, unresponsive_since=LONG_AGO, message="no answer within 12 s"
    )
    waits = step_of(unresponsive, memory=Memory(LONG_AGO, health=silent))
    assert waits == Rest(JUST_NOW + timedelta(seconds=60))
    long = replace(silent, silent_since=NOW - timedelta(seconds=60))
    verdict = step_of(unresponsive, memory=Memory(LONG_AGO, health=long))
    assert isinstance(verdict, Fail)
    assert (verdict.failure.reason, verdict.failure.message) == (
        Reason.UNRESPONSIVE,
        "no response for 60 s (no answer within 12 s)",
    )
    zombie = step_of(unresponsive, memory=Memory(LONG_AGO, health=replace(long, is_zombie=True)))
    assert isinstance(zombie, Fail)
    assert zombie.failure.reason is Reason.CONTEXT_STOPPED
    after_a_gap = step_of(unresponsive, memory=Memory(JUST_NOW, health=long))
    assert after_a_gap == Rest(JUST_NOW + timedelta(seconds=60))
    assert step_of(unresponsive, memory=Memory(LONG_AGO, health=Health(ready=True))) == Clear()
    assert step_of(unresponsive, memory=Memory(JUST_NOW)) == Rest(JUST_NOW + timedelta(hours=1))


def test_a_silence_of_which_the_platform_knows_why_has_its_words_and_its_name() -> None:
    """Of a lost node the API may say so before the probes miss it, or long after."""
    lost = Observation(Presence.ALIVE, "node n1 does not report", waits_for=Reason.NODE_LOST)
    silent = Health(ready=True, silent_since=JUST_NOW, message="no answer within 12 s")
    running = engine(state=State.RUNNING, started_at=LONG_AGO)
    assert step_of(running, lost, Memory(LONG_AGO, health=silent)) == Suspect(JUST_NOW, "node n1 does not report")
    unresponsive = engine(state=State.RUNNING, started_at=LONG_AGO, unresponsive_since=LONG_AGO, message="no answer")
    assert step_of(unresponsive, lost, Memory(LONG_AGO, health=silent)) == Note("node n1 does not report")
    told = unresponsive.model_copy(update={"message": "node n1 does not report"})
    assert isinstance(step_of(told, lost, Memory(LONG_AGO, health=silent)), Rest)
    back = Observation(Presence.ALIVE)
    assert step_of(told, back, Memory(LONG_AGO, health=silent)) == Note("no answer within 12 s")
    assert isinstance(step_of(told, back, Memory(JUST_NOW)), Rest)  # a gateway that has just begun has heard nothing
    long = replace(silent, silent_since=NOW - timedelta(seconds=60))
    verdict = step_of(unresponsive, lost, Memory(LONG_AGO, health=long))
    assert isinstance(verdict, Fail)
    assert (verdict.failure.reason, verdict.failure.message) == (
        Reason.NODE_LOST,
        "node n1 does not report; no response for 60 s (no answer within 12 s)",
    )


def test_a_stopped_context_fails_immediately() -> None:
    """Confirmed by a second look, it needs no grace."""
    health = Health(ready=True, silent_since=JUST_NOW, is_zombie=True, context_stopped=True)
    verdict = step_of(engine(state=State.RUNNING), memory=Memory(JUST_NOW, health=health))
    assert isinstance(verdict, Fail)
    assert verdict.failure.reason is Reason.CONTEXT_STOPPED


def test_what_the_platform_says_is_written_and_cleared() -> None:
    """The message is the platform's words while they hold, in every state."""
    waits = Observation(Presence.ALIVE, "pulling the image")
    assert step_of(engine(), waits) == Note("pulling the image")
    assert step_of(engine(message="pulling the image"), waits) == Rest(JUST_NOW + timedelta(seconds=120))
    out = Observation(Presence.UNKNOWN, "the API does not answer")
    assert step_of(engine(state=State.RUNNING), out) == Note("the API does not answer")
    assert step_of(engine(state=State.RUNNING, message="the API does not answer"), out) == Rest()
    assert step_of(engine(state=State.RUNNING, message="the API does not answer")) == Note("")
    assert step_of(engine(state=State.STOPPED, message="old"), Observation(Presence.ABSENT)) == Note("")
    assert step_of(engine(state=State.STOPPED), out) == Rest()


def test_other_executors_are_written_once_and_never_before_a_verdict() -> None:
    """They follow what is seen, of a life that is there and wanted; a platform that sees none leaves them alone."""
    two = Executors(wanted=2, running=1, failed=1, reasons=("exec-1: OOMKilled",))
    seen = Observation(Presence.ALIVE, executors=two)
    assert step_of(engine(state=State.RUNNING), seen) == Count(two)
    assert isinstance(step_of(engine(state=State.RUNNING, executors=two), seen), Rest)
    assert isinstance(step_of(engine(state=State.RUNNING, executors=two)), Rest)
    assert step_of(engine(state=State.RUNNING, target=Target.STOPPED), seen) == Stop()
    assert isinstance(step_of(engine(), replace(seen, end=End(Reason.IMAGE_PULL, "no"))), Fail)
    assert record_of(Count(two), ENGINE) == ({"executors": two}, None)
    confirmed = step_of(engine(), seen, Memory(NOW, health=Health(ready=True)))
    assert confirmed == Confirm(two)  # one write for both
    assert written(engine(), confirmed).executors == two
    assert written(engine(executors=two), Confirm()).executors == two
    for step in (Claim(), Settle(None, "stopped")):
        assert written(engine(state=State.STOPPED, executors=two), step).executors is None


def test_an_external_engine_says_why_it_does_not_come_up() -> None:
    """It waits endlessly, and its probe's words are its message."""
    made = engine(platform="external")
    down = Memory(LONG_AGO, health=Health(silent_since=LONG_AGO, message="connection refused"))
    assert step_of(made, memory=down) == Note("connection refused")
    assert step_of(engine(platform="external", message="connection refused"), memory=down) == Rest()
    assert step_of(made, memory=Memory(NOW, health=Health(ready=True))) == Confirm()


def test_idle_stop_counts_from_the_last_sign_of_use() -> None:
    """Never while a query runs, never while it is silent, never before a full span since the monitor looks."""
    running = engine(state=State.RUNNING, started_at=LONG_AGO, last_used_at=LONG_AGO)
    idle = Memory(LONG_AGO)
    assert step_of(running, memory=idle) == Ask(Verb.STOP, "no activity for 3600 s")
    assert step_of(running, memory=replace(idle, is_busy=True)) == Rest()
    assert step_of(running, memory=replace(idle, used_at=JUST_NOW)) == Rest(JUST_NOW + timedelta(hours=1))
    assert step_of(running, memory=Memory(JUST_NOW)) == Rest(JUST_NOW + timedelta(hours=1))
    assert step_of(engine(state=State.RUNNING, last_used_at=JUST_NOW), memory=idle) == Rest(
        JUST_NOW + timedelta(hours=1)
    )
    assert step_of(engine(state=State.RUNNING, spec=with_spec(idle_timeout_s=0)), memory=idle) == Rest()
    silent = replace(idle, health=Health(ready=True, silent_since=JUST_NOW))
    assert isinstance(step_of(running, memory=silent), Suspect)


def test_maximum_lifetime_holds_whatever_runs() -> None:
    """Counted from when it was Running; on Kubernetes 12 hours where nothing is said."""
    busy = Memory(JUST_NOW, is_busy=True)
    old = engine(state=State.RUNNING, started_at=LONG_AGO, spec=with_spec(max_lifetime_s=3600))
    assert step_of(old, memory=busy) == Ask(Verb.STOP, "maximum lifetime of 3600 s reached")
    pod = engine(platform="kubernetes", state=State.RUNNING, started_at=LONG_AGO)
    assert step_of(pod, memory=busy) == Ask(Verb.STOP, "maximum lifetime of 43200 s reached")
    assert step_of(engine(state=State.RUNNING, started_at=LONG_AGO), memory=busy) == Rest()
    young = engine(state=State.RUNNING, started_at=JUST_NOW, spec=with_spec(max_lifetime_s=60))
    assert step_of(young, memory=busy) == Rest(JUST_NOW + timedelta(seconds=60))


def test_restart_policy_waits_longer_each_time_and_ends() -> None:
    """Backoff by the table, then never again; a stop or no policy means never."""
    gone, policy = Observation(Presence.ABSENT), with_spec(restart_policy="on_failure")
    failed = engine(state=State.STOPPED, failure=FAILURE, spec=policy)
    for restarts, wait_s in enumerate(TIMING.restart_backoff_s):
        made = failed.model_copy(update={"restarts": restarts})
        assert step_of(made, gone, Memory(NOW)) == Rest(NOW + timedelta(seconds=wait_s))
        due = Memory(NOW - timedelta(seconds=wait_s))
        assert step_of(made, gone, due) == Ask(Verb.RESTART, f"restart policy, attempt {restarts + 1}")
    for never in (
        failed.model_copy(update={"restarts": len(TIMING.restart_backoff_s)}),
        engine(state=State.STOPPED, failure=FAILURE),
        engine(state=State.STOPPED, spec=policy),
    ):
        assert step_of(never, gone, Memory(LONG_AGO)) == Rest()


def test_a_step_that_only_writes_is_the_only_one_with_a_record() -> None:
    """What a step does outside is not in the table of what is written."""
    with pytest.raises(TypeError, match="writes nothing"):
        record_of(Start(), ENGINE)

"""The monitor against fakes, in virtual time: what it does, how soon, and what it never does."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest
from fakes.clock import EPOCH, FakeClock, in_virtual_time
from fakes.memory_store import MemoryStore
from fakes.platform import (
    FakeLife,
    FakePlatform,
    PlatformBreaksAtOneEngine,
    PlatformEndsEngineAfterStart,
    PlatformHangs,
    PlatformLosesEngineAfterStart,
    PlatformNeverObeysStop,
    PlatformNeverStarts,
    PlatformRefusesStart,
)
from fakes.prober import FakeProber
from fakes.world import Process, Wire, World, let_pass

from rucat_jupyter.core.engine import Engine, Reason, State, Status, Verb
from rucat_jupyter.core.errors import PlatformError, PlatformUnavailable
from rucat_jupyter.core.lifecycle import End, Executors, Timing
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Activity
from rucat_jupyter.core.ports.store import STORE_NOW, Beat
from rucat_jupyter.gateway.monitor import Monitor, Pace
from rucat_jupyter.gateway.monitor.schedule import Agenda, Attempts, Timekeeper
from rucat_jupyter.gateway.monitor.sharding import Sharding, winner


async def running(world: World, **fields: object) -> str:
    """An engine that has come up."""
    number = len(world.database.lines)
    engine_id = await world.create(f"e{number}", **fields)
    await world.until(engine_id, Status.RUNNING)
    return engine_id


async def engine_of(world: World, engine_id: str) -> Engine:
    engine = await world.get(engine_id)
    assert engine is not None
    return engine


def took_s(world: World, since: float) -> float:
    return world.clock.now().timestamp() - since


# --- the way of an engine -----------------------------------------------------------------------------------


@in_virtual_time
async def test_the_history_of_a_life() -> None:
    """Each transition is one line, with who did it, why, and what people then saw."""
    world = World()
    await world.process()
    engine_id = await running(world)
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)
    world.machine.die(engine_id, Reason.OUT_OF_MEMORY, "the heap is full")
    await world.until(engine_id, Status.FAILED)
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None)
    events = [(event.actor, event.kind, event.reason, event.status) for event in await world.store.history(engine_id)]
    assert events == [
        ("ada", "create", "", "Pending"),
        ("monitor", "starting", "run 1", "Pending"),
        ("monitor", "running", "", "Running"),
        ("ada", "stop", "", "Stopping"),
        ("monitor", "stopped", "stopped", "Stopped"),
        ("ada", "restart", "", "Pending"),
        ("monitor", "starting", "run 2", "Pending"),
        ("monitor", "running", "", "Running"),
        ("monitor", "failed", "OutOfMemory: the heap is full", "Failed"),
        ("ada", "delete", "", "Deleting"),
        ("monitor", "deleted", "", "Deleting"),
    ]
    assert world.machine.lives == {}
    await world.close()


@in_virtual_time
async def test_times_of_a_life_are_the_stores() -> None:
    """started_at and stopped_at are set when they happen, by the store's clock, and cleared by the next life."""
    world = World()
    await world.process(clock_off_s=300)
    engine_id = await running(world)
    started = await engine_of(world, engine_id)
    assert started.started_at
    assert abs(started.started_at - world.clock.now()) < timedelta(seconds=1)
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)
    stopped = await engine_of(world, engine_id)
    assert stopped.stopped_at
    assert abs(stopped.stopped_at - world.clock.now()) < timedelta(seconds=1)
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)
    assert (await engine_of(world, engine_id)).stopped_at is None
    await world.close()


@in_virtual_time
async def test_a_run_that_fails_immediately() -> None:
    """A start that is refused, crashes or vanishes is Failed with the reason, nothing is left, nothing is retried."""
    expected = {
        PlatformRefusesStart: (Reason.NO_MEMORY, "8g asked, 4g free"),
        PlatformEndsEngineAfterStart: (Reason.CRASH_ON_START, "exit 1: bad conf"),
        PlatformLosesEngineAfterStart: (Reason.LOST, "the engine is gone, and the gateway did not see it end"),
    }
    for platform, (reason, message) in expected.items():
        world = World(platform)
        process = await world.process()
        engine_id = await world.create()
        await world.until(engine_id, Status.FAILED, within_s=3)
        failure = (await engine_of(world, engine_id)).failure
        assert failure
        assert (failure.reason, failure.message) == (reason, message)
        world.harmed.add(engine_id)
        await asyncio.sleep(60)
        world.check()
        done = [call for call in process.platform.calls if "rucat" in call and "endpoint" not in call]
        assert done == [f"start rucat-{engine_id}-1", f"clean rucat-{engine_id}-1"][: len(done)]
        await world.close()


@in_virtual_time
async def test_a_refusal_without_a_known_reason_is_a_crash_on_start() -> None:
    """A third party's platform may forget the reason; the engine is Failed all the same."""
    world = World()
    process = await world.process()
    process.platform.refuses = PlatformError("no", reason="Whatever", hint="Ask again.")
    engine_id = await world.create()
    await world.until(engine_id, Status.FAILED)
    failure = (await engine_of(world, engine_id)).failure
    assert failure
    assert (failure.reason, failure.message, failure.hint) == (Reason.CRASH_ON_START, "no", "Ask again.")
    await world.close()


@in_virtual_time
async def test_executors_follow_the_platform_and_leave_no_line_in_history() -> None:
    """Each change increments the revision, so that long polls see it; a stop clears them."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    engine = await engine_of(world, engine_id)
    lines = len(await process.store.history(engine_id))
    for count in (Executors(wanted=2, pending=2, reasons=("exceeded quota",)), Executors(wanted=2, running=2)):
        world.machine.change(engine_id, executors=count)
        await asyncio.sleep(1)
        changed = await engine_of(world, engine_id)
        assert changed.executors == count
        assert changed.revision == engine.revision + 1
        engine = changed
    assert len(await process.store.history(engine_id)) == lines
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)
    assert (await engine_of(world, engine_id)).executors is None
    await world.close()


@in_virtual_time
async def test_what_a_start_waits_for_is_shown() -> None:
    """The platform's words are the message, and what can never come up is Failed with them."""
    world = World()
    process = await world.process()
    process.prober.is_blind = True
    engine_id = await world.create()
    await asyncio.sleep(1)
    world.machine.change(engine_id, message="0/3 nodes are available: insufficient memory")
    await asyncio.sleep(1)
    assert (await engine_of(world, engine_id)).message == "0/3 nodes are available: insufficient memory"
    world.machine.change(engine_id, message="", end=End(Reason.IMAGE_PULL, "manifest unknown"))
    await world.until(engine_id, Status.FAILED, within_s=2)
    failure = (await engine_of(world, engine_id)).failure
    assert failure
    assert failure.reason is Reason.IMAGE_PULL
    assert (await engine_of(world, engine_id)).message == ""
    await world.close()


@in_virtual_time
async def test_a_start_that_the_platform_keeps_putting_off_ends() -> None:
    """It says why it waits, asks at most once in 10 s in the end, and is Failed at its deadline."""
    world = World(PlatformNeverStarts)
    process = await world.process()
    engine_id = await world.create(spec={"start_timeout_s": 100})
    await asyncio.sleep(30)
    assert (await engine_of(world, engine_id)).message == "the API server answers 503"
    assert await world.status(engine_id) is Status.PENDING
    before = process.platform.calls.count(f"start rucat-{engine_id}-1")
    await asyncio.sleep(60)
    assert process.platform.calls.count(f"start rucat-{engine_id}-1") - before <= 7
    await world.until(engine_id, Status.FAILED, within_s=25)
    failure = (await engine_of(world, engine_id)).failure
    assert failure
    assert failure.reason is Reason.START_TIMEOUT
    assert "the API server answers 503" in failure.message
    await world.close()


@in_virtual_time
async def test_an_engine_that_never_answers_is_given_up() -> None:
    """The start timeout of its spec holds, and the driver is ended."""
    world = World()
    process = await world.process()
    process.prober.is_blind = True
    engine_id = await world.create(spec={"start_timeout_s": 50})
    await asyncio.sleep(49)
    assert await world.status(engine_id) is Status.PENDING
    await world.until(engine_id, Status.FAILED, within_s=3)
    assert world.machine.alive() == []
    await world.close()


# --- events and looks ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_exit_is_seen_by_its_event_or_by_the_periodic_check() -> None:
    """An event shortens the wait; when it is lost the next look finds what it would have said."""
    for loses, within_s in ((False, 0.3), (True, 30.5)):
        world = World()
        await world.process()
        engine_id = await running(world)
        await asyncio.sleep(1)
        world.machine.loses_events = loses
        world.machine.die(engine_id)
        await world.until(engine_id, Status.FAILED, within_s=within_s)
        await world.close()


@in_virtual_time
async def test_events_that_break_off_are_followed_again() -> None:
    """A stream that ends, or fails with its platform or its socket, is opened again."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    for error in (None, PlatformUnavailable("410 Gone"), OSError("reset")):
        process.platform.break_events(error)
        await asyncio.sleep(10)
    world.machine.die(engine_id)
    await world.until(engine_id, Status.FAILED, within_s=0.3)
    await world.close()


@in_virtual_time
async def test_a_slow_stop_delays_no_other_engine() -> None:
    """While one engine takes 10 s to stop, others come up and are looked after."""
    world = World()
    process = await world.process()
    slow = await running(world)
    process.platform.stop_s = 10
    await world.ask(slow, Verb.STOP)
    await asyncio.sleep(0.1)
    other = await world.create("other")
    await world.until(other, Status.RUNNING, within_s=0.5)
    assert await world.status(slow) is Status.STOPPING
    await world.until(slow, Status.STOPPED, within_s=11)
    await world.close()


@in_virtual_time
async def test_platforms_do_not_hold_up_one_another() -> None:
    """A platform that takes half a minute to look leaves the other as quick as ever."""
    clock = FakeClock()
    store = MemoryStore(clock.now)
    await store.open()
    slow, quick = FakePlatform(name="slow"), FakePlatform(name="quick")
    slow.observe_s = 30
    monitor = make_monitor(store, {"slow": slow, "quick": quick})
    task = asyncio.ensure_future(monitor.run())
    await asyncio.sleep(1)
    world = World()
    world.store, world.database = store, store._db
    await world.create("a", platform="slow")
    engine_id = await world.create("b", platform="quick")
    for known in store._db.engines:
        monitor.wake(known)
    await world.until(engine_id, Status.RUNNING, within_s=1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await monitor.close()


def make_monitor(store: MemoryStore, platforms: dict[str, FakePlatform], **more: object) -> Monitor:
    async def ask(engine: Engine, verb: Verb, reason: str) -> None:
        raise AssertionError(f"{engine.id}: {verb} because {reason}")

    parts = {"clock": FakeClock(), "timing": Timing(), "gateway_id": "g0", "host": "h", "on_change": list, **more}
    return Monitor(store, platforms, FakeProber(answers=True), ask, **parts)  # type: ignore[arg-type]


@in_virtual_time
async def test_many_due_engines_are_observed_in_one_call() -> None:
    """Fifty engines that come due by the listing are read no second time, and looked at by one look of the platform."""
    world = World()
    wire = Wire()
    process = await world.process(wire)
    for number in range(50):
        await world.create(f"e{number}", id=f"{number:016x}")
    for number in range(50):
        await world.until(f"{number:016x}", Status.RUNNING)
    await asyncio.sleep(5)
    process.platform.calls.clear()
    wire.names.clear()
    await asyncio.sleep(30)
    assert [call for call in process.platform.calls if call.startswith("observe")] == ["observe 50"]
    assert [name for name in wire.names if name in {"store.get begins", "store.some begins"}] == []
    await world.close()


@in_virtual_time
async def test_engines_that_change_cost_a_read_of_their_own_rows() -> None:
    """Fifty that an event wakes among them are read by one call, and the store is not listed for it."""
    world = World()
    wire = Wire()
    process = await world.process(wire)
    for number in range(50):
        await world.create(f"e{number}", id=f"{number:016x}")
    for number in range(50):
        await world.until(f"{number:016x}", Status.RUNNING)
    await asyncio.sleep(5)
    wire.names.clear()
    for number in range(50):
        process.monitor.wake(f"{number:016x}")
    await asyncio.sleep(1)
    assert [name for name in wire.names if name.startswith(("store.get", "store.engines"))] == []
    assert wire.names.count("store.some begins") == 1
    await world.close()


@in_virtual_time
async def test_a_record_that_was_read_long_before_the_look_is_read_again() -> None:
    """A platform that keeps its reconciler waiting makes what the listing had read old."""
    world = World()
    wire = Wire()
    process = await world.process(wire)
    engine_id = await running(world)
    await asyncio.sleep(5)
    reconciler = process.monitor._reconcilers["local"]
    reconciler.wake(engine_id, just_read=await process.own_store.get(engine_id))
    reconciler._at_hand[engine_id] = (reconciler._time.now() - timedelta(seconds=2), reconciler._at_hand[engine_id][1])
    wire.names.clear()
    await asyncio.sleep(0.5)
    assert "store.some begins" in wire.names
    await world.close()


@in_virtual_time
async def test_a_record_that_a_check_has_written_is_read_again_after_a_wake() -> None:
    """It is at hand for the next look of its life; what a person changed during the look is never missed."""
    world = World()
    process = await world.process()
    engine = await process.own_store.get(await running(world))
    await asyncio.sleep(5)
    reconciler = process.monitor._reconcilers["local"]
    reconciler.keep(engine)
    reconciler.stir(engine.id)
    assert engine.id in reconciler._at_hand
    reconciler.wake(engine.id)
    assert engine.id not in reconciler._at_hand
    reconciler.keep(engine)  # what the look of before the wake has written
    assert engine.id not in reconciler._at_hand
    await asyncio.sleep(0.5)  # the look that it woke has read
    reconciler.keep(engine)
    assert engine.id in reconciler._at_hand
    await world.close()


@in_virtual_time
async def test_two_checks_of_an_engine_never_overlap() -> None:
    """Wakes during a look lead to one more look after it, not to one beside it."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    process.platform.stop_s = 5
    await world.ask(engine_id, Verb.STOP)
    for _ in range(20):
        world.wake(engine_id)
        await asyncio.sleep(0.1)
    await world.until(engine_id, Status.STOPPED)
    assert process.platform.calls.count(f"stop rucat-{engine_id}-1") == 1
    await world.close()


# --- what goes wrong ----------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_defect_at_one_engine_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its trace, tried again with growing pauses, and affects no other engine."""
    world = World(PlatformBreaksAtOneEngine)
    process = await world.process()
    assert isinstance(process.platform, PlatformBreaksAtOneEngine)
    broken, other = await running(world), await running(world)
    process.platform.broken = broken
    await world.ask(broken, Verb.STOP)
    await world.ask(other, Verb.STOP)
    await world.until(other, Status.STOPPED, within_s=1)
    await asyncio.sleep(60)
    defects = [record for record in caplog.records if record.exc_info]
    assert 4 <= len(defects) <= 16
    assert all(broken in record.getMessage() for record in defects)
    process.platform.broken = ""
    await world.until(broken, Status.STOPPED, within_s=12)
    await world.close()


@in_virtual_time
async def test_a_platform_that_forgets_an_engine_in_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    """An answer without every id breaks the contract: we conclude nothing from it, for no engine."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    real = process.platform.observe

    async def forgetful(engines: object) -> dict[str, object]:
        return {}

    process.platform.observe = forgetful  # type: ignore[assignment]
    world.wake(engine_id)
    await asyncio.sleep(20)
    assert await world.status(engine_id) is Status.RUNNING
    assert [record for record in caplog.records if record.exc_info]
    process.platform.observe = real  # type: ignore[method-assign]
    world.machine.die(engine_id)
    await world.until(engine_id, Status.FAILED, within_s=12)
    await world.close()


@in_virtual_time
async def test_a_platform_out_of_reach_concludes_nothing() -> None:
    """For an hour it is only said so; when it heals all is normal within 10 s, without a restart."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    process.platform.is_down = True
    world.wake(engine_id)
    await asyncio.sleep(1)
    assert (await engine_of(world, engine_id)).message == "local does not answer"
    process.platform.calls.clear()
    await asyncio.sleep(3600)
    assert await world.status(engine_id) is Status.RUNNING
    out_s = process.monitor.out_of_reach_s(engine_id)
    assert out_s is not None
    assert 3590 < out_s < 3610
    assert len(process.platform.calls) < 3600 / 3
    await world.ask(engine_id, Verb.STOP)
    await asyncio.sleep(60)
    assert await world.status(engine_id) is Status.STOPPING
    process.platform.is_down = False
    await world.until(engine_id, Status.STOPPED, within_s=10)
    assert process.monitor.out_of_reach_s(engine_id) is None
    assert process.monitor.out_of_reach_s("f" * 16) is None
    assert process.monitor.open_sessions("f" * 16) is None
    assert (await engine_of(world, engine_id)).message == ""
    await asyncio.sleep(60)
    world.check()
    await world.close()


@in_virtual_time
async def test_a_store_out_of_reach_concludes_nothing() -> None:
    """No engine is touched while it is down; when it is back all is normal within 10 s."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    process.own_store.is_down = True
    world.machine.die(engine_id)
    await asyncio.sleep(300)
    process.own_store.is_down = False
    await world.until(engine_id, Status.FAILED, within_s=10)
    world.harmed.add(engine_id)
    await asyncio.sleep(60)
    world.check()
    await world.close()


@in_virtual_time
async def test_a_newer_store_is_only_read() -> None:
    """Older code cannot write, says so, and harms nothing; it goes on when it may."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    process.own_store.is_newer = True
    await world.ask(engine_id, Verb.STOP)
    await asyncio.sleep(60)
    assert await world.status(engine_id) is Status.STOPPING
    process.own_store.is_newer = False
    await world.until(engine_id, Status.STOPPED, within_s=15)
    await world.close()


@in_virtual_time
async def test_a_stop_that_is_not_obeyed_is_not_repeated_in_a_storm() -> None:
    """A pod that hangs in Terminating is asked again at most once in 10 s in the end."""
    world = World(PlatformNeverObeysStop)
    process = await world.process()
    engine_id = await running(world)
    await world.ask(engine_id, Verb.STOP)
    await asyncio.sleep(60)
    process.platform.calls.clear()
    await asyncio.sleep(300)
    assert 20 <= process.platform.calls.count(f"stop rucat-{engine_id}-1") <= 31
    await world.close()


@in_virtual_time
async def test_a_call_that_never_returns_is_given_up() -> None:
    """A stop that hangs is cut off, said, and tried again; the monitor still ends in order."""
    world = World(PlatformHangs, pace=Pace(act_s=20))
    await world.process()
    engine_id = await running(world)
    await world.ask(engine_id, Verb.STOP)
    await asyncio.sleep(30)
    expected = "platform local did not answer within 20 s; Rucat tries again"
    assert (await engine_of(world, engine_id)).message == expected
    await world.close()


@in_virtual_time
async def test_a_store_that_never_returns_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """A read that hangs is cut off, and later ones work."""
    world = World(pace=Pace(call_s=20))
    process = await world.process()
    engine_id = await running(world)
    hung = asyncio.Event()

    async def hang(name: str) -> None:
        if name == "store.some begins" and not hung.is_set():
            hung.set()
            await asyncio.sleep(1e6)

    process.wire.hook = hang
    world.machine.die(engine_id)
    await world.until(engine_id, Status.FAILED, within_s=25)
    assert hung.is_set()
    assert "the store did not answer within 20 s" in caplog.text
    await world.close()


@in_virtual_time
async def test_a_defect_of_the_monitor_itself_is_loud() -> None:
    """An unexpected error outside of the engines' steps ends run(): the gateway does not go on without a monitor."""
    world = World()
    process = await world.process()

    async def defect(name: str) -> None:
        if name == "store.beats begins":
            raise ZeroDivisionError

    process.wire.hook = defect
    assert process.task
    with pytest.raises(ZeroDivisionError):
        await process.task
    await process.gone()


@in_virtual_time
async def test_an_external_engine_that_cannot_be_reached_is_never_failed() -> None:
    """A platform that refuses to begin to watch it is a message, and tried again."""
    world = World(platform_name="external")
    process = await world.process()
    process.platform.refuses = PlatformError("no route")
    engine_id = await world.create()
    await asyncio.sleep(30)
    engine = await engine_of(world, engine_id)
    assert (engine.state, engine.failure, engine.message) == (State.PENDING, None, "no route")
    await world.close()


# --- health -------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_frozen_engine_is_unresponsive_immediately_and_failed_after_the_grace() -> None:
    """A minute of silence ends it; an answer before that makes it Running again, as if nothing had been."""
    world = World()
    await world.process()
    engine_id = await running(world)
    world.machine.change(engine_id, is_frozen=True)
    await world.until(engine_id, Status.UNRESPONSIVE, within_s=0.5)
    assert (await engine_of(world, engine_id)).message == "no answer within 12 s"
    await asyncio.sleep(55)
    world.machine.change(engine_id, is_frozen=False)
    await world.until(engine_id, Status.RUNNING, within_s=0.5)
    assert (await engine_of(world, engine_id)).message == ""
    world.machine.change(engine_id, is_frozen=True)
    await asyncio.sleep(59)
    assert await world.status(engine_id) is Status.UNRESPONSIVE
    await world.until(engine_id, Status.FAILED, within_s=2)
    await world.close()


@in_virtual_time
async def test_silence_while_the_platform_was_out_of_reach_says_nothing() -> None:
    """An outage longer than the grace that also stops the probes fails no engine; real silence after it does."""
    world = World()
    process = await world.process()
    heals, stays = await running(world), await running(world)
    for engine_id in (heals, stays):
        world.machine.change(engine_id, is_frozen=True)
    await asyncio.sleep(5)
    process.platform.is_down = True
    await asyncio.sleep(120)
    process.platform.is_down = False
    await asyncio.sleep(50)
    assert await world.status(heals) is await world.status(stays) is Status.UNRESPONSIVE
    world.machine.change(heals, is_frozen=False)
    await world.until(heals, Status.RUNNING, within_s=0.5)
    await world.until(stays, Status.FAILED, within_s=20)
    world.harmed.add(stays)
    await asyncio.sleep(60)
    world.check()
    await world.close()


@in_virtual_time
async def test_silence_on_a_blocked_way_says_nothing() -> None:
    """While the way to an engine is broken it is Unresponsive for that reason, never failed; the grace begins after."""
    world = World()
    await world.process()
    engine_id = await running(world)
    world.machine.change(engine_id, is_frozen=True, blocked="the node's kubelet does not answer")
    await world.until(engine_id, Status.UNRESPONSIVE, within_s=0.5)
    assert (await engine_of(world, engine_id)).message == "the node's kubelet does not answer"
    await asyncio.sleep(3600)
    assert await world.status(engine_id) is Status.UNRESPONSIVE
    world.machine.change(engine_id, blocked="")
    await asyncio.sleep(55)
    assert await world.status(engine_id) is Status.UNRESPONSIVE
    await world.until(engine_id, Status.FAILED, within_s=10)
    await world.close()


@in_virtual_time
async def test_a_start_is_given_the_time_of_an_outage_back() -> None:
    """Its deadline is put off by as long as the platform was out of reach, and no longer."""
    world = World()
    process = await world.process()
    process.platform.start_s = 5
    engine_id = await world.create("e")
    await asyncio.sleep(1)
    world.machine.lives[engine_id, 1].answers = False
    await asyncio.sleep(9)
    process.platform.is_down = True
    world.wake(engine_id)
    await asyncio.sleep(300)
    process.platform.is_down = False
    await asyncio.sleep(100)
    assert await world.status(engine_id) is Status.PENDING
    await world.until(engine_id, Status.FAILED, within_s=40)
    await world.close()


@in_virtual_time
async def test_no_verdict_from_a_gap() -> None:
    """After the machine or this process was suspended, every grace starts again."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    world.machine.change(engine_id, is_frozen=True)
    await asyncio.sleep(50)
    process.clock.gap(3600)
    await asyncio.sleep(50)
    assert await world.status(engine_id) is Status.UNRESPONSIVE
    await asyncio.sleep(15)
    assert await world.status(engine_id) is Status.FAILED
    await world.close()


@in_virtual_time
async def test_a_gap_of_the_process_shows_as_a_late_call() -> None:
    """A wall clock that ran ahead, or a call that comes too late, is a gap; small delays are none."""
    clock = FakeClock()
    time = Timekeeper(clock, 30)
    began = time.awake_since()
    await asyncio.sleep(29)
    clock.gap(29)
    assert time.awake_since() == began
    await asyncio.sleep(31)
    assert time.awake_since() == clock.now()
    await asyncio.sleep(1)
    clock.gap(31)
    assert time.awake_since() == clock.now()
    await asyncio.sleep(1)
    assert time.awake_since() == clock.now() - timedelta(seconds=1)


@in_virtual_time
async def test_pulses_live_as_long_as_the_life_and_move_with_it() -> None:
    """One open pulse for each living engine, at its present address, none for what has ended."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    (pulse,) = process.prober.open
    assert (pulse.engine.state_run, pulse.endpoint.port, pulse.token) == (1, 15002, "token")
    world.machine.change(engine_id, port=15003)
    await asyncio.sleep(1)
    (moved,) = process.prober.open
    assert moved.endpoint.port == 15003
    world.machine.change(engine_id, port=None)
    await asyncio.sleep(1)
    assert process.prober.open == []
    world.machine.change(engine_id, port=15002)
    await asyncio.sleep(1)
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)
    await asyncio.sleep(1)
    (second,) = process.prober.open
    assert second.engine.state_run == 2
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)
    assert process.prober.open == []
    await world.close()


@in_virtual_time
async def test_a_pulse_outlives_an_outage_of_its_platform() -> None:
    """While the platform cannot tell the address the old one is probed on."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    real = process.platform.endpoint

    async def down(engine: Engine) -> None:
        raise PlatformUnavailable("down")

    process.platform.endpoint = down  # type: ignore[method-assign,assignment]
    world.wake(engine_id)
    await asyncio.sleep(1)
    assert len(process.prober.open) == 1
    process.platform.is_down = True
    world.wake(engine_id)
    await asyncio.sleep(1)
    assert len(process.prober.open) == 1
    process.platform.endpoint, process.platform.is_down = real, False  # type: ignore[method-assign]
    await world.close()


# --- use, idle, lifetime, restart policy ------------------------------------------------------------------------


@in_virtual_time
async def test_use_is_written_at_most_once_a_minute_and_keeps_it_alive() -> None:
    """An engine in use never idles; its last use is recorded without moving the revision."""
    world = World(timing=Timing(idle_timeout_s=100))
    process = await world.process()
    engine_id = await running(world)
    before = await engine_of(world, engine_id)
    touched = process.wire.names.count("store.touch begins")
    for _ in range(60):
        world.machine.change(engine_id, running=1, used_at=world.clock.now())
        await asyncio.sleep(5)
        world.machine.change(engine_id, running=0, used_at=world.clock.now())
        await asyncio.sleep(5)
    after = await engine_of(world, engine_id)
    assert after.revision == before.revision
    assert after.last_used_at
    assert world.clock.now() - after.last_used_at < timedelta(seconds=75)
    assert process.wire.names.count("store.touch begins") - touched <= 11
    assert await world.status(engine_id) is Status.RUNNING
    await world.until(engine_id, Status.STOPPED, within_s=110)
    *_, stop, _ = await world.store.history(engine_id)
    assert (stop.actor, stop.kind, stop.reason) == ("monitor", "stop", "no activity for 100 s")
    await world.close()


@in_virtual_time
async def test_a_long_query_is_never_idle() -> None:
    """While an operation runs, or may run, nothing stops the engine."""
    world = World(timing=Timing(idle_timeout_s=100))
    process = await world.process()
    engine_id = await running(world)
    world.machine.change(engine_id, running=1)
    await asyncio.sleep(1000)
    assert await world.status(engine_id) is Status.RUNNING
    pulse = process.prober.pulse(engine_id)
    assert pulse
    pulse.activity = None
    await asyncio.sleep(1000)
    assert await world.status(engine_id) is Status.RUNNING
    world.machine.change(engine_id, running=0)
    await world.until(engine_id, Status.STOPPED, within_s=110)
    await world.close()


@in_virtual_time
async def test_an_old_use_is_not_taken_for_a_new_one() -> None:
    """What a new monitor reads of an adopted engine is as old as it is; the record never goes back."""
    world = World()
    first = await world.process()
    engine_id = await running(world)
    world.machine.change(engine_id, used_at=world.clock.now() - timedelta(seconds=500))
    await asyncio.sleep(31)
    used_at = (await engine_of(world, engine_id)).last_used_at
    assert used_at
    assert 500 <= (world.clock.now() - used_at).total_seconds() < 540
    await first.kill()
    second = await world.process(gateway_id="g0")
    await asyncio.sleep(31)
    assert (await engine_of(world, engine_id)).last_used_at == used_at
    assert second.wire.names.count("store.touch begins") == 0
    await world.close()


@in_virtual_time
async def test_maximum_lifetime_stops_it_and_says_so() -> None:
    """A stop, not a failure, at the moment it is due, by the store's clock."""
    world = World()
    await world.process(clock_off_s=-300)
    engine_id = await running(world, spec={"max_lifetime_s": 500})
    since = world.clock.now().timestamp()
    await world.until(engine_id, Status.STOPPED, within_s=510)
    assert 499 <= took_s(world, since) <= 505
    *_, stop, _ = await world.store.history(engine_id)
    assert stop.reason == "maximum lifetime of 500 s reached"
    await world.close()


@in_virtual_time
async def test_the_restart_policy_gives_up_in_the_end() -> None:
    """Each failure waits longer; after the last the engine stays Failed."""
    world = World(PlatformRefusesStart, timing=Timing(restart_backoff_s=(5, 10)))
    await world.process()
    engine_id = await world.create(spec={"restart_policy": "on_failure"})
    await asyncio.sleep(200)
    engine = await engine_of(world, engine_id)
    assert (engine.run, engine.restarts) == (3, 2)
    assert await world.status(engine_id) is Status.FAILED
    reasons = [event.reason for event in await world.store.history(engine_id) if event.kind == "restart"]
    assert reasons == ["restart policy, attempt 1", "restart policy, attempt 2"]
    await world.close()


@in_virtual_time
async def test_a_stop_of_a_failed_engine_holds() -> None:
    """I5: after it was acknowledged the restart policy does not bring it back."""
    world = World()
    await world.process()
    engine_id = await running(world, spec={"restart_policy": "on_failure"})
    world.machine.die(engine_id)
    await world.until(engine_id, Status.FAILED)
    await world.ask(engine_id, Verb.STOP)
    await asyncio.sleep(3600)
    assert await world.status(engine_id) is Status.FAILED
    await world.close()


# --- leftovers ----------------------------------------------------------------------------------------------


@in_virtual_time
async def test_orphans_go_after_a_grace_time() -> None:
    """What no record speaks of is removed within a minute; what a record speaks of stays."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    lives = world.machine.lives
    lives["f" * 16, 1] = FakeLife(is_alive=True)
    lives[engine_id, 7] = FakeLife()
    await asyncio.sleep(10)
    assert len(lives) == 3
    await asyncio.sleep(45)
    assert list(lives) == [(engine_id, 1)]
    world.check()
    assert process.platform.calls.count(f"remove {'f' * 16} 1") == 1
    await world.close()


@in_virtual_time
async def test_a_leftover_whose_record_comes_late_stays() -> None:
    """The listing may be older than the record: the record itself is asked before anything is removed."""
    world = World()
    process = await world.process()
    lives, engine_id = world.machine.lives, "e" * 16
    lives[engine_id, 1] = FakeLife(is_alive=True)
    await asyncio.sleep(30)
    listed = process.own_store.engines

    async def stale(owner: str | None = None) -> list[Engine]:
        return [engine for engine in await listed(owner) if engine.id != engine_id]

    process.own_store.engines = stale  # type: ignore[method-assign]
    engine_id = await world.create(id=engine_id, state_run=1)
    await asyncio.sleep(60)
    assert world.machine.alive(engine_id) == [(engine_id, 1)]
    await world.close()


@in_virtual_time
async def test_one_leftover_that_stays_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be removed, or takes too long, is logged and tried again, and the next one is removed."""
    world = World(pace=Pace(call_s=5))
    process = await world.process()
    real = process.platform.remove

    async def remove(leftover: object) -> None:
        which = leftover.engine_id[0]
        if which == "a":
            raise PermissionError("not yours")
        if which == "b":
            await asyncio.sleep(1e6)
        await real(leftover)  # type: ignore[arg-type]

    process.platform.remove = remove  # type: ignore[method-assign,assignment]
    for which in "abc":
        world.machine.lives[which * 16, 1] = FakeLife()
    await asyncio.sleep(60)
    assert [key[0][0] for key in world.machine.lives] == ["a", "b"]
    assert "not yours" in caplog.text
    process.platform.remove = real  # type: ignore[method-assign]
    await asyncio.sleep(30)
    assert world.machine.lives == {}
    await world.close()


@in_virtual_time
async def test_a_start_that_lands_late_is_ended() -> None:
    """A driver that comes up after its engine was settled is found by the periodic look, and ended."""
    world = World()
    await world.process()
    engine_id = await running(world)
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)
    world.machine.lives[engine_id, 1].is_alive = True
    await asyncio.sleep(60)
    world.check()
    await world.close()


# --- several gateways -----------------------------------------------------------------------------------------


@in_virtual_time
async def test_gateways_share_the_engines_out_and_take_over() -> None:
    """Each engine has one pulse, on one of three gateways; when one dies the others have them within 20 s."""
    world = World()
    gateways = [await world.process() for _ in range(3)]
    ids = [await world.create(f"e{number}", id=f"{number:016x}") for number in range(30)]
    for engine_id in ids:
        await world.until(engine_id, Status.RUNNING)
    await asyncio.sleep(10)

    def watched(processes: list[Process]) -> list[str]:
        return sorted(pulse.engine.id for process in processes for pulse in process.prober.open)

    assert watched(gateways) == ids
    assert all(3 < len(process.prober.open) < 20 for process in gateways)
    await gateways[0].kill()
    await asyncio.sleep(20)
    assert watched(gateways[1:]) == ids
    await gateways[1].close()
    await asyncio.sleep(5)
    assert watched(gateways[2:]) == ids
    await world.process()
    await asyncio.sleep(10)
    assert watched(world.live) == ids
    world.check()
    await world.close()


@in_virtual_time
async def test_a_verb_at_another_gateway_is_heard_within_seconds() -> None:
    """Gateways that share a store look for each other's changes with every heartbeat."""
    world = World()
    await world.process()
    await world.process()
    ids = [await world.create(f"e{number}", id=f"{number:016x}") for number in range(6)]
    for engine_id in ids:
        await world.until(engine_id, Status.RUNNING)
    await asyncio.sleep(10)
    for engine_id in ids:
        await world.ask(engine_id, Verb.DELETE, wakes=False)
    for engine_id in ids:
        await world.until(engine_id, None, within_s=6)
    await asyncio.sleep(5)
    assert [pulse for process in world.live for pulse in process.prober.open] == []
    await world.close()


@in_virtual_time
async def test_the_bell_rings_for_what_people_see() -> None:
    """Every write of the monitor, and gateways that come and go, ring; a look that changes nothing does not."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    await asyncio.sleep(10)
    notified = process.notifier.notified
    await asyncio.sleep(100)
    assert process.notifier.notified == notified
    world.machine.die(engine_id)
    await asyncio.sleep(1)
    assert process.notifier.notified == notified + 1
    other = await world.process()
    await asyncio.sleep(5)
    assert process.notifier.notified == notified + 2
    await other.close()
    await asyncio.sleep(5)
    assert process.notifier.notified == notified + 3
    await world.close()


@in_virtual_time
async def test_engines_of_other_gateways_are_left_alone() -> None:
    """The monitor does not touch engines of other sites or of unknown platforms, also after a wake."""
    world = World()
    process = await world.process()
    far = await world.create("far", site="there")
    strange = await world.create("strange", platform="mars", id="9" * 16)
    world.wake("f" * 16)
    await asyncio.sleep(60)
    assert [await world.status(far), await world.status(strange)] == [Status.PENDING, Status.PENDING]
    assert (await engine_of(world, far)).state_run == 0
    assert [call for call in process.platform.calls if "leftovers" not in call] == []
    await world.process(sites=("there",))
    await world.until(far, Status.RUNNING, within_s=5)
    await world.close()


def test_a_share_moves_only_with_its_gateway() -> None:
    """Rendezvous hashing: a gateway that goes leaves the others' engines where they are."""
    ids = [f"{number:016x}" for number in range(300)]
    before = {engine_id: winner(engine_id, ["a", "b", "c"]) for engine_id in ids}
    after = {engine_id: winner(engine_id, ["c", "b"]) for engine_id in ids}
    assert all(after[engine_id] == won for engine_id, won in before.items() if won != "a")
    assert {won: 60 < list(before.values()).count(won) < 140 for won in "abc"} == dict.fromkeys("abc", True)
    assert winner("x", []) is None


@in_virtual_time
async def test_a_gateway_counts_as_dead_by_the_stores_clock() -> None:
    """Ages of heartbeats are the store's; this gateway itself always counts."""
    clock = FakeClock()
    store = MemoryStore(clock.now)
    await store.open()
    sharding = Sharding(store, "a", "h", 14)
    assert sharding.is_mine("x", "s")
    assert await sharding.beat(["s"])
    await store.beat(Beat("b", "h", ("s",)))
    assert await sharding.beat(["s"])
    assert not sharding.is_alone
    assert not await sharding.beat(["s"])
    await asyncio.sleep(14)
    assert await sharding.beat(["s"])
    assert sharding.is_alone
    await sharding.end()
    assert [beat.gateway_id for beat in await store.beats()] == ["b"]


# --- ends ---------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_orderly_end_leaves_engines_alone() -> None:
    """Engines keep running, also one that is starting; the next monitor adopts them."""
    world = World()
    first = await world.process()
    engine_id = await running(world)
    first.platform.start_s = 10
    starting = await world.create("starting")
    await asyncio.sleep(1)
    await first.close()
    await first.monitor.close()
    assert await world.store.beats() == []
    assert world.machine.alive() == [(engine_id, 1)]
    await world.process(gateway_id="g0")
    await world.until(starting, Status.RUNNING, within_s=3)
    assert world.machine.starts == [(engine_id, 1), (starting, 1)]
    await asyncio.sleep(60)
    world.check()
    await world.close()


@in_virtual_time
async def test_a_gateway_that_restarts_adopts_within_seconds() -> None:
    """Killed and begun again under the same id, it watches all engines again in 3 s (F15)."""
    world = World()
    first = await world.process()
    ids = [await running(world) for _ in range(5)]
    await first.kill()
    second = await world.process(gateway_id="g0")
    await asyncio.sleep(3)
    assert sorted(pulse.engine.id for pulse in second.prober.open) == sorted(ids)
    world.check()
    await world.close()


@in_virtual_time
async def test_an_end_without_the_store_is_still_an_end(caplog: pytest.LogCaptureFixture) -> None:
    """A heartbeat that cannot be removed expires by itself."""
    world = World()
    process = await world.process()
    process.own_store.is_down = True
    await process.close()
    assert "it will expire" in caplog.text


@in_virtual_time
async def test_log_lines_begin_with_the_engine_and_have_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A transition reads ``old -> new``, after the engine's id; a token is nowhere."""
    caplog.set_level(logging.DEBUG, "rucat_jupyter")
    world = World()
    await world.process()
    engine_id = await running(world)
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None)
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert lines == [
        f"{engine_id} Pending -> Pending: run 1",
        f"{engine_id} Pending -> Running",
        f"{engine_id} Deleting -> Deleting: stopped",
        f"{engine_id} Deleting -> deleted",
    ]
    assert "token" not in caplog.text
    await world.close()


# --- parts --------------------------------------------------------------------------------------------------


def test_an_agenda_hands_each_engine_to_one_look_at_a_time() -> None:
    """The earliest time counts; what is noted during a look is due when that ends."""
    agenda = Agenda()
    assert agenda.next_at() is None
    agenda.put("a", EPOCH + timedelta(seconds=5))
    agenda.put("a", EPOCH + timedelta(seconds=9))
    agenda.put("a", EPOCH + timedelta(seconds=2))
    agenda.put("b", EPOCH + timedelta(seconds=3))
    assert agenda.next_at() == EPOCH + timedelta(seconds=2)
    assert agenda.take(EPOCH) == []
    later = EPOCH + timedelta(seconds=6)
    assert agenda.take(later) == ["a", "b"]
    agenda.put("a", EPOCH)
    assert agenda.take(later) == []
    agenda.release("b")
    agenda.release("a")
    assert agenda.take(later) == ["a"]
    agenda.release("a")
    assert agenda.take(later) == []
    assert agenda.next_at() is None


def test_attempts_part_ways_and_end_at_the_last_pause() -> None:
    """Pauses grow by the table, up to a quarter longer, differently for each engine; another action starts again."""
    attempts = Attempts((1, 2, 10))
    waits = [(attempts.made("a", "stop", EPOCH) - EPOCH).total_seconds() for _ in range(5)]
    assert all(low <= wait <= low * 1.25 for low, wait in zip((1, 2, 10, 10, 10), waits, strict=True))
    assert len({attempts.made(f"{number}", "stop", EPOCH) for number in range(100)}) > 50
    assert attempts.next_at("a", "stop") == EPOCH + timedelta(seconds=waits[-1])
    assert attempts.next_at("a", "clean") is None
    assert (attempts.made("a", "clean", EPOCH) - EPOCH).total_seconds() < 2
    attempts.reset("a")
    assert attempts.next_at("a", "clean") is None


@in_virtual_time
async def test_a_stale_start_is_given_up_before_it_begins() -> None:
    """A record that moved between the look and the start: nothing is started on what was seen."""
    world = World()
    process = await world.process()
    asked = asyncio.Event()

    async def hook(name: str) -> None:
        if name == "platform.endpoint begins" or asked.is_set():
            return
        engine = next(iter(world.database.engines.values()), None)
        if engine and engine.state_run == 1 and name == "platform.observe has ended":
            asked.set()
            await world.ask(engine.id, Verb.DELETE)

    process.wire.hook = hook
    engine_id = await world.create()
    await world.until(engine_id, None)
    assert asked.is_set()
    assert world.machine.starts == []
    await world.close()


@pytest.mark.parametrize("verb", [Verb.RESTART, Verb.DELETE])
@in_virtual_time
async def test_an_outdated_start_is_stopped_immediately(verb: Verb) -> None:
    """A process that stood still before its start brings up a life that was given up meanwhile: it sees so itself."""
    world = World(pace=Pace(lost_s=8))
    first = await world.process()

    async def stand_still(name: str) -> None:
        if name == "platform.start begins":
            first.wire.hook = let_pass
            await asyncio.sleep(100)

    first.wire.hook = stand_still
    engine_id = await world.create()
    await asyncio.sleep(1)
    await world.process()
    await world.until(engine_id, Status.RUNNING, within_s=20)
    await world.ask(engine_id, verb)
    second = [(engine_id, 2)] if verb is Verb.RESTART else []
    await asyncio.sleep(5)
    assert world.machine.alive() == second
    await asyncio.sleep(100)
    assert world.machine.starts == [(engine_id, 1), *second, (engine_id, 1)]
    assert world.machine.alive() == second
    assert world.machine.doubled_s.get(engine_id, 0.0) < 0.1
    await world.close()


@in_virtual_time
async def test_target_deleted_takes_the_kept_log_along() -> None:
    """A stopped engine's log stays until the engine is deleted, and is deleted with it."""
    world = World()
    await world.process()
    engine_id = await running(world)
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)
    await asyncio.sleep(1)
    assert list(world.machine.lives) == [(engine_id, 1)]
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None, within_s=1)
    assert world.machine.lives == {}
    assert world.database.engines == {}
    await world.close()


def test_the_stores_time_has_a_name() -> None:
    """In a log or an error it reads as what it is."""
    assert repr(STORE_NOW) == "STORE_NOW"


def test_an_endpoint_says_whether_it_is_encrypted() -> None:
    """The address of a Spark Connect client, without a token."""
    assert Endpoint("h", 1).url == "sc://h:1"
    assert Endpoint("h", 1, use_tls=True).url == "sc://h:1/;use_ssl=true"


@in_virtual_time
async def test_the_open_sessions_are_those_of_the_last_look() -> None:
    """Not known before it, nor for an engine that is not looked at."""
    world = World()
    process = await world.process()
    engine_id = await running(world)
    (pulse,) = process.prober.open
    pulse.activity = None
    assert process.monitor.open_sessions(engine_id) is None
    pulse.activity = Activity(0, None, frozenset({("alice", "s")}))
    assert process.monitor.open_sessions(engine_id) == {("alice", "s")}
    await world.close()

"""F1: a process that dies, is overtaken or is interrupted at any IO step of any path leaves nothing wrong.

Each path is walked once to count the points at which its monitor does IO (before and after each effect, inside a
platform's start, stop and clean too), then once for every point.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from fakes.clock import run_virtual
from fakes.platform import FakeLife, FakePlatform, PlatformEndsEngineAfterStart, PlatformRefusesStart
from fakes.world import Hook, Wire, World

from rucat_jupyter.core.engine import Reason, Status, Verb
from rucat_jupyter.core.lifecycle import Timing
from rucat_jupyter.gateway.monitor import Pace

Walk = Callable[[World], Awaitable[None]]
QUIET_S = 60.0  # quality.md I2
TIMING = Timing(silence_grace_s=5, restart_backoff_s=(2, 4))
PACE = Pace(beat_s=10)  # each beat has points of its own: seldom is enough here


@dataclass(frozen=True)
class Path:
    """A walk and the world that it needs."""

    walk: Walk
    platform: type[FakePlatform] = FakePlatform
    platform_name: str = "local"
    timing: Timing = TIMING
    may_fail: bool = False
    pace: Pace = PACE


@pytest.fixture(autouse=True)
def _no_defect_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The monitor's guard catches defects too: none may hide there."""
    caplog.set_level(logging.ERROR, "rucat_jupyter")
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def create(world: World) -> str:
    engine_id = await world.create()
    await world.until(engine_id, Status.RUNNING)
    return engine_id


async def create_only(world):
    await create(world)


async def stop(world):
    engine_id = await create(world)
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)


async def delete(world):
    engine_id = await create(world)
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None)


async def stop_then_delete(world):
    await stop(world)
    (engine_id,) = world.database.engines
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None)


async def restart(world):
    engine_id = await create(world)
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)


async def stop_then_restart(world):
    await stop(world)
    (engine_id,) = world.database.engines
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)


async def restart_while_it_stops(world):
    engine_id = await create(world)
    await world.ask(engine_id, Verb.STOP)
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)


async def stop_before_the_start(world):
    engine_id = await world.create()
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)


async def delete_while_it_starts(world):
    engine_id = await world.create()
    await asyncio.sleep(0)
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None)


async def failure_then_restart(world):
    engine_id = await create(world)
    world.machine.die(engine_id, Reason.OUT_OF_MEMORY)
    await world.until(engine_id, Status.FAILED)
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)


async def lost(world):
    engine_id = await create(world)
    world.machine.vanish(engine_id)
    await world.until(engine_id, Status.FAILED)


async def zombie(world):
    engine_id = await create(world)
    world.machine.change(engine_id, is_zombie=True)
    await world.until(engine_id, Status.FAILED)


async def frozen(world):
    engine_id = await create(world)
    world.machine.change(engine_id, is_frozen=True)
    await world.until(engine_id, Status.UNRESPONSIVE)
    await world.until(engine_id, Status.FAILED)


async def frozen_and_back(world):
    engine_id = await create(world)
    world.machine.change(engine_id, is_frozen=True)
    await world.until(engine_id, Status.UNRESPONSIVE)
    world.machine.change(engine_id, is_frozen=False)
    await world.until(engine_id, Status.RUNNING)


async def fails_at_start(world):
    engine_id = await world.create()
    await world.until(engine_id, Status.FAILED)


async def restart_policy(world):
    engine_id = await world.create(spec={"restart_policy": "on_failure"})
    await world.until(engine_id, Status.RUNNING)
    world.machine.die(engine_id)
    await world.until(engine_id, Status.FAILED)
    await world.until(engine_id, Status.RUNNING)


async def idle(world):
    engine_id = await create(world)
    await world.until(engine_id, Status.STOPPED)


async def external(world):
    engine_id = await world.create()
    world.machine.lives[engine_id, 1] = FakeLife(is_alive=True)
    await world.until(engine_id, Status.RUNNING)
    world.machine.change(engine_id, is_frozen=True)
    await world.until(engine_id, Status.UNRESPONSIVE)
    world.machine.change(engine_id, is_frozen=False)
    await world.until(engine_id, Status.RUNNING)
    world.machine.lives.clear()  # another machine manages it from here on
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None)


async def orphan(world):
    world.machine.lives["f" * 16, 3] = FakeLife(is_alive=True)
    await asyncio.sleep(50)
    assert world.machine.lives == {}


PATHS = {
    walk.__name__: Path(walk, **more)
    for walk, more in [
        (create_only, {}),
        (stop, {}),
        (delete, {}),
        (stop_then_delete, {}),
        (restart, {}),
        (stop_then_restart, {}),
        (restart_while_it_stops, {}),
        (stop_before_the_start, {}),
        (delete_while_it_starts, {}),
        (failure_then_restart, {"may_fail": True}),
        (lost, {"may_fail": True}),
        (zombie, {"may_fail": True}),
        (frozen, {"may_fail": True}),
        (frozen_and_back, {}),
        (fails_at_start, {"may_fail": True, "platform": PlatformRefusesStart}),
        (restart_policy, {"may_fail": True}),
        (idle, {"timing": Timing(idle_timeout_s=5)}),
        (orphan, {}),
        (external, {"platform_name": "external"}),
    ]
} | {"crash_on_start": Path(fails_at_start, PlatformEndsEngineAfterStart, may_fail=True)}


async def _walk(path: Path, hook: Callable[[World, Wire], Hook] | None = None) -> list[str]:
    """Walk a path with a hook at every point, check the invariants after a quiet minute, return the points."""
    world = World(path.platform, path.timing, path.pace, platform_name=path.platform_name)
    wire = Wire()
    if hook:
        wire.hook = hook(world, wire)
    await world.process(wire)
    await path.walk(world)
    points = list(wire.names)
    if path.may_fail:
        world.harmed |= set(world.database.engines)
    await asyncio.sleep(QUIET_S)
    world.check()
    await world.close()
    return points


def at_point(number: int, act: Callable[[], Awaitable[None]]) -> Hook:
    """A hook that acts at the point of that number, and at no other."""
    passed = 0

    async def hook(name: str) -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            await act()

    return hook


def for_every_point(path: Path, hook: Callable[[World, Wire, int], Hook], every: int = 1) -> int:
    """Walk a path once for each of its points (or of every n-th); tell at which it went wrong."""
    points = run_virtual(_walk(path))
    for number, name in list(enumerate(points, 1))[::every]:
        try:
            run_virtual(_walk(path, lambda world, wire, n=number: hook(world, wire, n)))
        except AssertionError as exc:
            raise AssertionError(f"at point {number}, {name}: {exc}") from exc
    return len(points)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_crash_at_every_point(path: Path) -> None:
    """The gateway is killed at any IO step; a second later another one takes over, and all ends well."""

    def hook(world: World, wire: Wire, number: int) -> Hook:
        async def die() -> None:
            wire.cut()
            world.later(1.0, world.process(gateway_id="g0"))

        return at_point(number, die)

    assert for_every_point(path, hook) > 10


CORE = ("stop", "restart", "delete", "failure_then_restart", "fails_at_start")


@pytest.mark.all
@pytest.mark.slow
@pytest.mark.parametrize("name", CORE)
def test_overtaken_at_every_point(name: str) -> None:
    """A gateway pauses at any IO step, another one takes over, the first goes on where it was (F3).

    Paused between its last look at the record and the very start, it brings up a life that was given up meanwhile,
    beside its successor; it must see so, and end it, immediately.
    """
    pause_s = 20.0

    def hook(world: World, wire: Wire, number: int) -> Hook:
        world.may_double_s = 0.1

        async def pause() -> None:
            await world.process(gateway_id="g1")
            await asyncio.sleep(pause_s)

        return at_point(number, pause)

    async def walk(world: World) -> None:
        await PATHS[name].walk(world)
        await asyncio.sleep(pause_s)

    path = replace(PATHS[name], walk=walk, pace=Pace(beat_s=5, lost_s=8))
    assert for_every_point(path, hook) > 10


@pytest.mark.all
@pytest.mark.slow
@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("first", [None, *Verb])
def test_verb_at_every_point(first: Verb | None, verb: Verb) -> None:
    """A verb comes at any IO step of the monitor; it is obeyed, and nothing is doubled or left."""

    async def walk(world: World) -> None:
        engine_id = await world.create()
        await asyncio.sleep(1)
        if first:
            await world.ask(engine_id, first)
        await asyncio.sleep(1)

    def hook(world: World, wire: Wire, number: int) -> Hook:
        async def ask() -> None:
            for engine_id in list(world.database.engines):
                await world.ask(engine_id, verb)

        return at_point(number, ask)

    assert for_every_point(Path(walk), hook) > 30


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_two_that_do_not_know_of_each_other(path: Path) -> None:
    """Two gateways both look after everything: what one does twice, or loses a race for, does no harm."""
    pace = Pace(lost_s=0)  # every other gateway counts as dead

    async def walk(world: World) -> None:
        await world.process(gateway_id="other")
        await path.walk(world)

    run_virtual(_walk(replace(path, walk=walk, pace=pace)))


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_doubled_and_lost_events(path: Path) -> None:
    """At every IO step everything is woken once more; or else no event of the platform is ever delivered."""

    def hook(world: World, wire: Wire) -> Hook:
        async def wake(name: str) -> None:
            if len(wire.names) < 400:  # each look has such steps itself: without an end, none would ever be the last
                for engine_id in world.database.engines:
                    world.wake(engine_id)

        return wake

    async def walk(world: World) -> None:
        world.machine.loses_events = True
        await path.walk(world)

    run_virtual(_walk(path, hook))
    if path.walk not in (frozen, frozen_and_back, zombie, external):  # there the prober is the only one to tell
        run_virtual(_walk(replace(path, walk=walk)))


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_clean_end_at_every_point(path: Path) -> None:
    """The monitor is asked to end at any IO step, and does; the next one goes on from there."""

    def hook(world: World, wire: Wire, number: int) -> Hook:
        async def end() -> None:
            world.later(0.0, swap())

        async def swap() -> None:
            await world.processes[0].close()
            await world.process(gateway_id="g0")

        return at_point(number, end)

    for_every_point(path, hook, every=5)

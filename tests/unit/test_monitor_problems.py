"""Problems of the monitor and of its platforms appear, keep their date, and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from fakes.clock import in_virtual_time
from fakes.platform import FakePlatform, PlatformBreaksAtOneEngine, PlatformNeverStarts, PlatformRefusesStart
from fakes.world import Process, World

from rucat_jupyter.core.engine import Status, Verb
from rucat_jupyter.core.errors import PlatformUnavailable
from rucat_jupyter.gateway.monitor import Problem


async def until(is_so: Callable[[], bool], within_s: float = 120.0) -> None:
    for _ in range(int(within_s / 0.1)):
        if is_so():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not so after {within_s} s")


def of_platform(process: Process) -> Problem:
    problem = process.monitor.platform_problems["local"]
    assert "\n" not in problem.message
    return problem


def is_calm(process: Process) -> bool:
    return process.monitor.problem is None and not process.monitor.platform_problems


@in_virtual_time
async def test_a_platform_without_engines_is_checked_too() -> None:
    """The sweep notes that it does not answer, keeps the date of the first miss, and notes when it answers again."""
    world = World()
    process = await world.process(clock_off_s=3600)
    await asyncio.sleep(1)
    assert is_calm(process)
    process.platform.is_down, down_at = True, world.clock.now()
    await until(lambda: bool(process.monitor.platform_problems), 25)
    first = of_platform(process)
    assert first.message == "local does not answer"
    assert first.since - down_at < timedelta(seconds=25)  # in the store's time, not the process's
    await asyncio.sleep(100)
    assert of_platform(process) == first
    assert process.monitor.problem is None
    process.platform.is_down = False
    await until(lambda: is_calm(process), 25)
    await world.close()


@in_virtual_time
async def test_a_check_out_of_reach_is_a_problem() -> None:
    """An engine whose platform is out of reach shows that before any sweep, until the platform is reachable again."""
    world = World()
    process = await world.process()
    engine_id = await world.create()
    await world.until(engine_id, Status.RUNNING)
    process.platform.is_down = True
    world.wake(engine_id)
    await asyncio.sleep(0.1)
    first = of_platform(process)
    await asyncio.sleep(100)
    assert of_platform(process) == first
    process.platform.is_down = False
    await until(lambda: is_calm(process), 25)
    await world.close()


class PlatformHangsInALook(FakePlatform):
    """Looking never ends."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.observe_s = 1e9


@in_virtual_time
async def test_a_check_that_never_ends_is_a_problem() -> None:
    """It is cut off, and reported; the problem of a deleted engine goes."""
    world = World(PlatformHangsInALook)
    process = await world.process()
    await world.create()
    await asyncio.sleep(70)
    assert of_platform(process).message == "platform local did not answer within 60 s; Rucat tries again"
    world.database.engines.clear()
    await until(lambda: is_calm(process), 200)
    await world.close()


@in_virtual_time
async def test_a_platform_that_does_nothing_is_a_problem() -> None:
    """A start answered with 503 is the platform's problem; a start refused with a reason is the engine's."""
    world = World(PlatformNeverStarts)
    process = await world.process()
    await world.create()
    await asyncio.sleep(1)
    first = of_platform(process)
    for _ in range(300):
        assert of_platform(process) == first
        await asyncio.sleep(0.1)
    await world.close()

    world = World(PlatformRefusesStart)
    process = await world.process()
    engine_id = await world.create()
    await world.until(engine_id, Status.FAILED)
    assert is_calm(process)
    await world.close()


@in_virtual_time
async def test_a_broken_event_stream_is_a_problem_until_it_is_open_again() -> None:
    """A problem of the platform, with the time of the break."""
    world = World()
    process = await world.process()
    await asyncio.sleep(1)
    process.platform.break_events()
    await asyncio.sleep(0.1)
    assert is_calm(process)  # it ended, which a platform may
    await asyncio.sleep(10)
    process.platform.break_events(PlatformUnavailable("410 gone"))
    await asyncio.sleep(0.1)
    assert of_platform(process).message == "its event stream ended with an error: 410 gone"
    await until(lambda: is_calm(process), 10)
    await world.close()


@in_virtual_time
@pytest.mark.parametrize("has_engine", [True, False])
async def test_without_its_store_the_monitor_has_a_problem(has_engine: bool) -> None:
    """With engines and without any; the platform is not blamed."""
    world = World()
    process = await world.process()
    if has_engine:
        await world.until(await world.create(), Status.RUNNING)
    process.own_store.is_down = True
    await until(lambda: process.monitor.problem is not None, 35)
    first = process.monitor.problem
    await asyncio.sleep(60)
    assert process.monitor.problem
    assert process.monitor.problem.since == (first and first.since)
    assert not process.monitor.platform_problems
    process.own_store.is_down = False
    await until(lambda: is_calm(process), 35)
    await world.close()


@in_virtual_time
async def test_an_internal_error_is_the_monitors_problem() -> None:
    """The message has the type of the exception, and nothing else of it."""
    world = World(PlatformBreaksAtOneEngine)
    process = await world.process()
    engine_id = await world.create()
    await world.until(engine_id, Status.RUNNING)
    assert isinstance(process.platform, PlatformBreaksAtOneEngine)
    process.platform.broken = engine_id
    await world.ask(engine_id, Verb.STOP)
    await asyncio.sleep(1)
    first = process.monitor.problem
    assert first
    assert first.message == "platform local: internal error (ZeroDivisionError); see gateway.log"
    for _ in range(300):
        assert process.monitor.problem == first
        await asyncio.sleep(0.1)
    process.platform.broken = ""
    await until(lambda: is_calm(process), 25)
    await world.close()

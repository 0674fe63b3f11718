"""What every platform promises (:class:`rucat_jupyter.core.ports.platform.Platform`), the fake included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.local import until
from support.platforms import External, Fake, Local, LocalSpark, PlayedKubernetes, Stage

from rucat_jupyter.core.engine import Credential, Engine, State, Target
from rucat_jupyter.core.errors import PlatformError
from rucat_jupyter.core.lifecycle import Observation, Presence
from rucat_jupyter.core.ports.platform import Endpoint, Leftover, Platform

MANAGED = [
    pytest.param(Fake, id="fake"),
    pytest.param(Local, id="local"),
    pytest.param(PlayedKubernetes, id="kubernetes-played"),
    pytest.param(LocalSpark, id="local-with-spark", marks=[pytest.mark.engine, pytest.mark.all]),
]
EVERY = [*MANAGED[:3], pytest.param(External, id="external")]
TOKEN = Credential(token="canary-token")
GONE = (Presence.ABSENT, Presence.ENDED)


@pytest.fixture(params=MANAGED)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """A place where engines are started and ended."""
    stage = request.param(tmp_path)
    await stage.begin()
    yield stage
    await stage.end()


@pytest.fixture(params=EVERY)
async def any_stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """Any place, also where engines are only watched."""
    stage = request.param(tmp_path)
    await stage.begin()
    yield stage
    await stage.end()


async def look(platform: Platform, engine: Engine) -> Observation:
    return (await platform.observe([engine]))[engine.id]


async def address(platform: Platform, engine: Engine) -> Endpoint:
    """Where it is reached; a platform may wait until something listens there."""
    found = await until("an address", lambda: platform.endpoint(engine))
    assert found is not None
    return found


async def is_gone(platform: Platform, engine: Engine) -> bool:
    return (await look(platform, engine)).presence in GONE


# --- every platform ---------------------------------------------------------------------------------------------


async def test_it_serves_its_own_sites_alone(any_stage):
    """The site of a spec is stable, is served, is among the sites; another's is not."""
    platform = await any_stage.gateway()
    site = await platform.site(any_stage.spec())
    assert site == await platform.site(any_stage.spec()) == await (await any_stage.gateway()).site(any_stage.spec())
    assert platform.serves(site)
    assert site in platform.sites()
    assert not platform.serves(site + "x")
    assert not platform.serves("")


async def test_a_good_spec_has_no_problem_and_pins_once(any_stage):
    """What can be started has no problem, and what is pinned stays as it is."""
    platform = await any_stage.gateway()
    assert await platform.check(any_stage.spec()) == []
    pinned = await platform.pin(any_stage.spec())
    assert await platform.check(pinned.spec) == []
    assert await platform.pin(pinned.spec) == pinned


async def test_an_observation_has_every_id(any_stage):
    """One answer for each engine that was asked for, none for no engine."""
    platform = await any_stage.gateway()
    engines = [await any_stage.engine(platform) for _ in range(5)]
    assert (await platform.observe(engines)).keys() == {engine.id for engine in engines}
    assert await platform.observe([]) == {}


async def test_ending_what_is_not_there_is_quiet(any_stage):
    """Stop, clean and remove of what was never started succeed, again and again."""
    platform = await any_stage.gateway()
    engine = await any_stage.engine(platform)
    for _ in range(2):
        await platform.stop(engine)
        await platform.clean(engine)
        await platform.clean(engine.model_copy(update={"target": Target.DELETED}))
        await platform.remove(Leftover(engine.id, 1))
    assert list(await platform.leftovers()) == []


async def test_changes_end_when_it_is_closed(any_stage):
    """Those that follow the changes end."""
    platform = await any_stage.gateway()

    async def follow():
        return [engine_id async for engine_id in platform.changes()]

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    await platform.close()
    assert await asyncio.wait_for(task, 5) == []


# --- platforms that start engines ---------------------------------------------------------------------------------


async def test_a_life_from_begin_to_end(stage):
    """Absent, alive with an address, ended, absent; each step repeated changes nothing."""
    platform = await stage.gateway()
    engine = await stage.engine(platform)
    assert (await look(platform, engine)).presence is Presence.ABSENT
    assert await platform.endpoint(engine) is None
    for _ in range(2):
        await platform.start(engine, TOKEN)
        assert await stage.drivers() == [engine.run_name]
        assert (await look(platform, engine)).presence is Presence.ALIVE
    assert (await address(platform, engine)).url.startswith("sc://")
    for _ in range(2):
        await platform.stop(engine)
        assert await stage.drivers() == []
        assert (await look(platform, engine)).presence is Presence.ENDED
    for _ in range(2):
        await platform.clean(engine)
        assert (await look(platform, engine)).presence is Presence.ABSENT


async def test_concurrent_starts_are_one_life(stage):
    """Many concurrent starts of one run, by one gateway, make one driver."""
    platform = await stage.gateway()
    engine = await stage.engine(platform)
    await asyncio.gather(*(platform.start(engine, TOKEN) for _ in range(10)))
    assert await stage.drivers() == [engine.run_name]


async def test_an_ended_life_never_begins_again(stage):
    """A start that comes too late is refused, before and after the clean-up."""
    platform = await stage.gateway()
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)
    await platform.stop(engine)
    for _ in range(2):
        with pytest.raises(PlatformError):
            await platform.start(engine, TOKEN)
        assert await stage.drivers() == []
        await platform.clean(engine)


async def test_a_cancelled_start_can_be_started_again(stage):
    """A start that is given up anywhere leaves nothing that the next start or stop does not find."""
    platform = await stage.gateway()
    for steps in range(4):
        engine = await stage.engine(platform)
        task = asyncio.create_task(platform.start(engine, TOKEN))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await platform.start(engine, TOKEN)
        assert await stage.drivers() == [engine.run_name]
        await platform.stop(engine)
        assert await stage.drivers() == []


async def test_an_end_is_reported_with_its_reason(stage):
    """The death of a driver is noticed, and the reason is known."""
    platform = await stage.gateway()
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)

    async def hear():
        async for engine_id in platform.changes():
            if await is_gone(platform, engine.model_copy(update={"state": State.RUNNING})):
                return engine_id
        raise AssertionError("no change was seen")

    heard = asyncio.create_task(hear())
    await asyncio.sleep(0)
    await stage.kill(engine)
    assert await asyncio.wait_for(heard, 5) == engine.id
    seen = await look(platform, engine)
    assert seen.presence is Presence.ENDED
    assert seen.end.reason is not None
    assert seen.end.message


async def test_lives_outlive_a_gateway_and_are_adopted(stage):
    """A closed gateway ends nothing; the next sees, finds, and ends what is there."""
    first = await stage.gateway()
    engine = await stage.engine(first)
    await first.start(engine, TOKEN)
    before = await address(first, engine)
    await first.close()
    second = await stage.gateway()
    assert (await look(second, engine)).presence is Presence.ALIVE
    assert await address(second, engine) == before
    await second.start(engine, TOKEN)
    assert await stage.drivers() == [engine.run_name]
    await second.stop(engine)
    assert await stage.drivers() == []


async def test_the_log_stays_until_the_record_goes(stage):
    """After the clean-up the log is readable, and following it ends; with the record everything goes."""
    platform = await stage.gateway()
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)

    async def has_log():
        return [line async for line in platform.logs(engine, None, False)]

    await until("it logs something", has_log, 60)
    await platform.stop(engine)
    await platform.clean(engine)
    lines = [line async for line in platform.logs(engine, None, True)]
    assert lines
    assert lines[-1:] == [line async for line in platform.logs(engine, 1, False)]
    assert not any(line.endswith("\n") for line in lines)
    assert [(left.engine_id, left.run) for left in await platform.leftovers()] == [(engine.id, 1)]
    await platform.clean(engine.model_copy(update={"target": Target.DELETED}))
    assert list(await platform.leftovers()) == []


async def test_delete_takes_every_run(stage):
    """The runs before the last one go as well, and another engine stays."""
    platform = await stage.gateway()
    engine, other = await stage.engine(platform), await stage.engine(platform)
    await platform.start(other, TOKEN)
    for run in (1, 2):
        engine = engine.model_copy(update={"run": run, "state_run": run})
        await platform.start(engine, TOKEN)
        await platform.stop(engine)
    await platform.clean(engine.model_copy(update={"target": Target.DELETED}))
    assert [(left.engine_id, left.run) for left in await platform.leftovers()] == [(other.id, 1)]
    assert await stage.drivers() == [other.run_name]


async def test_leftovers_are_all_that_is_there_and_can_be_removed(stage):
    """Living and ended lives that no record speaks of are listed, and removing them is whole and repeatable."""
    platform = await stage.gateway()
    living, ended = await stage.engine(platform), await stage.engine(platform)
    await platform.start(living, TOKEN)
    await platform.start(ended, TOKEN)
    await platform.stop(ended)
    await platform.close()
    other = await stage.gateway()
    leftovers = await other.leftovers()
    assert {(left.engine_id, left.run) for left in leftovers} == {(living.id, 1), (ended.id, 1)}
    for leftover in [*leftovers, *leftovers]:
        await other.remove(leftover)
    assert list(await other.leftovers()) == []
    assert await stage.drivers() == []

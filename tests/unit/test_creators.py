"""When an engine ends because its creator has ended."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes.office import LIVES, OWNER, START, Office, open_office

from rucat_jupyter.core.engine import Engine, Status, Target, Verb
from rucat_jupyter.core.errors import Conflict, StoreUnavailable
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.gateway.use_cases.creators import LEASE_S, LOOK_S, Creators, Here

HERE, OTHER, REBOOTED = "boot1/ns1/7", "boot1/ns2/9", "boot0/ns1/7"
GATEWAY = "g1"
SEEN = {"pid": 10, "mark": "500", "boot": HERE, "machine": "m"}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def gap_s(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class World:
    """An office, a clock, and processes."""

    def __init__(self, office: Office, gateway_id: str = GATEWAY) -> None:
        self.office, self.clock = office, Clock()
        self.processes = {10: "500", 11: "600"}
        here = Here(HERE, "m", self.processes.get, gateway_id)
        self.reads = 0
        engines = office.store.engines

        async def counted(*args: Any) -> Any:
            self.reads += 1
            return await engines(*args)

        office.store.engines = counted  # type: ignore[method-assign]
        self.creators = Creators(office.gateway, office.store, office.notifier, self.clock, here)

    async def create(self, *processes: dict[str, Any]) -> Engine:
        """An engine that ends with these processes."""
        return await self.office.gateway.create(OWNER, {"platform": "local", "ends_with": list(processes)})

    async def is_wanted_after(self, seconds: float, engine: Engine) -> bool:
        """Look every few seconds for so long; returns whether the engine is still wanted."""
        for _ in range(int(seconds / LOOK_S) + 1):
            await self.creators.look()
            await self.clock.sleep(LOOK_S)
        return (await self.office.store.get(engine.id)).target is Target.RUNNING


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p.pop(10), "the process that created it (10) has ended"),
        (lambda p: p.update({10: "501"}), "the process that created it (10) has ended"),
        (lambda p: p.pop(11), "the process that created it (11) has ended"),
    ],
    ids=["gone", "another with its pid", "the parent"],
)
async def test_it_ends_with_each_of_its_processes(change: Callable[[dict[int, str]], Any], reason: str) -> None:
    """The history says why; others, and those without a creator, keep running."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create(SEEN, {**SEEN, "pid": 11, "mark": "600"})
    other, free = await world.create({**SEEN, "pid": 12, "mark": "7"}), await world.create()
    world.processes[12] = "7"
    assert await world.is_wanted_after(300, engine)
    change(world.processes)
    assert not await world.is_wanted_after(0, engine)
    assert (await world.office.gateway.history(OWNER, engine.id))[-1].reason == reason
    assert await world.is_wanted_after(60, other)
    assert await world.is_wanted_after(0, free)


async def test_after_a_reboot_its_creator_is_gone() -> None:
    """Of this machine; the boot of another one says nothing, so its lease decides."""
    world = World(await open_office(gateway_id=GATEWAY))
    mine, other = (
        await world.create({**SEEN, "boot": REBOOTED}),
        await world.create({**SEEN, "boot": "b/1/2", "machine": "x"}),
    )
    assert not await world.is_wanted_after(0, mine)
    assert await world.is_wanted_after(LEASE_S / 2, other)


@pytest.mark.parametrize(
    "process",
    [{"boot": OTHER}, {"boot": REBOOTED}, {"boot": "b/1/2", "machine": "x"}],
    ids=["other namespace", "other boot", "other machine"],
)
async def test_a_creator_that_reports_to_another_gateway_is_its_matter(process: dict[str, str]) -> None:
    """Containers of one image may have the same machine id, and their gateways the same store."""
    office = await open_office(gateway_id="g2")
    engine = await World(office).create({**SEEN, **process})
    assert await World(office).is_wanted_after(10 * LEASE_S, engine)
    assert not await World(office, "g2").is_wanted_after(2 * LEASE_S, engine)


async def test_a_gateway_that_was_stopped_reads_the_renewals_first() -> None:
    """SIGSTOP of the gateway for two minutes: the creators reported, but it could not read that."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create({**SEEN, "boot": OTHER})
    assert await world.is_wanted_after(LEASE_S / 2, engine)
    await world.clock.sleep(120)
    assert await world.is_wanted_after(0, engine)
    assert await world.creators.renew(OWNER, engine.id)
    assert await world.is_wanted_after(LEASE_S / 2, engine)


async def test_a_lease_is_renewed_while_the_store_is_away() -> None:
    """An outage of a database server ends no engine."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create({**SEEN, "boot": OTHER})
    assert await world.is_wanted_after(LEASE_S / 2, engine)
    world.office.store.is_down = True
    for _ in range(20):
        await world.creators.look()
        assert await world.creators.renew(OWNER, engine.id)
        await world.clock.sleep(LOOK_S)
    world.office.store.is_down = False
    assert await world.is_wanted_after(LEASE_S / 2, engine)


@pytest.mark.parametrize(("policy", "is_stopped"), [("never", False), ("on_failure", True)])
async def test_a_failed_engine_is_stopped_if_it_would_come_back(policy: str, is_stopped: bool) -> None:
    """Otherwise nothing is to do, and the records are not read again every three seconds."""
    world = World(await open_office(gateway_id=GATEWAY))
    spec = {"platform": "local", "ends_with": [SEEN], "restart_policy": policy}
    engine = await world.office.gateway.create(OWNER, spec)
    for changes in LIVES[Status.FAILED]:
        engine = await world.office.store.update(engine, changes, Note("monitor", "test"))
    world.processes.clear()
    assert await world.is_wanted_after(10 * LOOK_S, engine) is not is_stopped
    assert world.reads <= 3


@pytest.mark.parametrize("machine", ["m", "x"])
async def test_a_lease_ends_a_minute_after_the_last_renewal(machine: str) -> None:
    """Of a creator in another PID namespace, or on another machine once it has reported here."""
    world = World(await open_office(gateway_id=GATEWAY))
    boot = OTHER if machine == "m" else "boot9/ns1/7"
    engine = await world.create({**SEEN, "boot": boot, "machine": machine})
    assert await world.creators.renew(OWNER, engine.id)
    for _ in range(20):
        assert await world.is_wanted_after(10, engine)
        assert await world.creators.renew(OWNER, engine.id)
    assert await world.is_wanted_after(LEASE_S - LOOK_S, engine)
    assert not await world.is_wanted_after(2 * LOOK_S, engine)
    assert "has not reported for 60 s" in (await world.office.gateway.history(OWNER, engine.id))[-1].reason


async def test_a_new_gateway_gives_the_lease_its_whole_time() -> None:
    """Of a process in another namespace of this machine, which reports to this gateway or to none."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create({**SEEN, "boot": OTHER})
    assert await world.is_wanted_after(LEASE_S - LOOK_S, engine)
    assert not await world.is_wanted_after(2 * LOOK_S, engine)


async def test_a_creator_in_sight_needs_no_lease() -> None:
    """Nor does one whose engine is stopped."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create(SEEN)
    assert not await world.creators.renew(OWNER, engine.id)
    far = await world.create({**SEEN, "boot": OTHER})
    assert await world.creators.renew(OWNER, far.id)
    await world.office.gateway.ask(OWNER, far.id, Verb.STOP)
    assert not await world.creators.renew(OWNER, far.id)


async def test_who_restarts_an_engine_keeps_it() -> None:
    """Also after its creator has ended, with the stored settings or with others."""
    for settings in ({}, {"driver": {"memory": "2g"}}):
        world = World(await open_office(gateway_id=GATEWAY))
        engine = await world.create(SEEN)
        world.processes.clear()
        assert not await world.is_wanted_after(0, engine)
        if settings:
            await world.office.gateway.restart(OWNER, engine.id, settings)
        else:
            await world.office.gateway.ask(OWNER, engine.id, Verb.RESTART)
        assert await world.is_wanted_after(300, engine)


async def test_its_creator_may_restart_it_and_it_still_ends_with_it() -> None:
    """A script that restarts its engine sends what it ends with again; that is no change of its settings."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create(SEEN)
    stored = [process.model_dump() for process in engine.spec.ends_with]
    _, engine = await world.office.gateway.ask(OWNER, engine.id, Verb.STOP)
    await world.office.gateway.restart(OWNER, engine.id, {"ends_with": stored})
    assert (await world.office.gateway.history(OWNER, engine.id))[-1].reason == ""
    world.processes.clear()
    assert not await world.is_wanted_after(0, engine)


async def test_it_looks_again_after_a_conflict_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is stopped in the end, and the loop goes on."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create(SEEN)
    world.processes.clear()
    ask, errors = (
        world.office.gateway.ask_as_monitor,
        [Conflict("another"), StoreUnavailable("away"), KeyError("a bug")],
    )

    async def fail_twice(*args: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return await ask(*args)

    monkeypatch.setattr(world.office.gateway, "ask_as_monitor", fail_twice)
    looks = 0

    async def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 6:
            raise TimeoutError

    monkeypatch.setattr(world.clock, "sleep", sleep)
    with pytest.raises(TimeoutError):
        await world.creators.run()
    assert (await world.office.store.get(engine.id)).target is Target.STOPPED


async def test_reading_many_records_takes_a_twentieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway with thousands of engines, of which one changes all the time."""
    world = World(await open_office(gateway_id=GATEWAY))
    await world.create(SEEN)
    engines, reads = world.office.store.engines, []

    async def slowly(*args: Any) -> Any:
        reads.append(world.clock.now())
        await world.clock.sleep(0.75)
        return await engines(*args)

    monkeypatch.setattr(world.office.store, "engines", slowly)
    for _ in range(40):
        world.office.notifier.notify()
        await world.creators.look()
        await world.clock.sleep(LOOK_S)
    assert {(after - before).total_seconds() >= 15 for before, after in itertools.pairwise(reads)} == {True}
    assert len(reads) >= 6


async def test_a_reading_that_fails_is_repeated() -> None:
    """Also without another change."""
    world = World(await open_office(gateway_id=GATEWAY))
    engine = await world.create(SEEN)
    world.processes.clear()
    world.office.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await world.creators.look()
    world.office.store.is_down = False
    assert not await world.is_wanted_after(0, engine)

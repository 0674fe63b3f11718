"""Which sessions of notebooks count as attached."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.office import OWNER, Office, open_office

from rucat_jupyter.core.engine import Engine, Status
from rucat_jupyter.core.errors import InvalidRequest, StoreUnavailable
from rucat_jupyter.core.ports.probes import SessionId
from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.gateway.use_cases.creators import Here
from rucat_jupyter.gateway.use_cases.live_sessions import LOOK_S, UNKNOWN_S, UNOPENED_S, LiveSessions

from .test_creators import HERE, OTHER, REBOOTED, SEEN, Clock


class World:
    """An office, processes, and what an engine lists."""

    def __init__(self, office: Office, engine: Engine) -> None:
        self.office, self.engine, self.clock = office, engine, Clock()
        self.processes = {10: "500"}
        self.open: frozenset[SessionId] | None = None
        here = Here(HERE, "m", self.processes.get)
        self.live = LiveSessions(office.store, office.notifier, self.clock, here, lambda engine_id: self.open)

    async def put(self, path: str = "/a.ipynb", process: dict[str, Any] | None = None) -> SessionId:
        put = await self.office.gateway.put_session(OWNER, self.engine.id, key_of(path), path, None, process)
        return put.user_id, put.session_id

    async def attached(self) -> list[str]:
        """Look, and list."""
        await self.live.look()
        (view,) = await self.office.gateway.view([await self.office.gateway.get(OWNER, self.engine.id)])
        return [session.path for session in view.sessions if session.is_attached]


@pytest.fixture
async def world() -> World:
    office = await open_office()
    return World(office, await office.engine(Status.RUNNING))


async def test_a_session_ends_with_its_process(world: World) -> None:
    """Gone, or another one has its pid; it comes back with the next process, and keeps its id."""
    first = await world.put(process=SEEN)
    await world.put("/other.ipynb")
    assert await world.attached() == ["/a.ipynb", "/other.ipynb"]
    world.processes[10] = "501"
    notified = world.office.notifier.notified
    assert await world.attached() == ["/other.ipynb"]
    assert world.office.notifier.notified > notified
    assert await world.put(process={**SEEN, "mark": "501"}) == first
    assert sorted(await world.attached()) == ["/a.ipynb", "/other.ipynb"]
    world.processes.clear()
    assert await world.attached() == ["/other.ipynb"]


@pytest.mark.parametrize(
    ("process", "lives"),
    [
        ({**SEEN, "boot": OTHER}, True),
        ({**SEEN, "boot": REBOOTED}, False),
        ({**SEEN, "machine": "n", "boot": OTHER}, True),
    ],
    ids=["in another PID namespace", "before a reboot", "on another machine"],
)
async def test_a_process_that_cannot_be_seen(world: World, process: dict[str, Any], lives: bool) -> None:
    """It counts as alive unless its machine has started again since."""
    await world.put(process=process)
    assert bool(await world.attached()) is lives


async def test_a_session_that_the_engine_ended_does_not_count(world: World) -> None:
    """It was open and is not any more: the history says so. One that was not opened yet waits for its process."""
    used, waits = await world.put(process=SEEN), await world.put("/waits.ipynb", process=SEEN)
    world.open = frozenset({used})
    assert await world.attached() == ["/a.ipynb", "/waits.ipynb"]
    world.open = frozenset()
    assert await world.attached() == ["/waits.ipynb"]
    last = (await world.office.gateway.history(OWNER, world.engine.id))[-1]
    assert (last.kind, last.actor) == ("session", "monitor")
    assert "/a.ipynb" in last.reason
    world.office.pass_time(UNOPENED_S + 1)
    assert await world.attached() == ["/waits.ipynb"]
    assert waits != used


async def test_an_end_is_in_the_history_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where reading all records takes long, so that later looks use what was read before."""
    read = world.office.store.engines

    async def slowly(*args: Any) -> Any:
        await world.clock.sleep(5)
        return await read(*args)

    world.open = frozenset({await world.put(process=SEEN)})
    monkeypatch.setattr(world.office.store, "engines", slowly)
    await world.live.look()
    world.open = frozenset()
    for _ in range(5):
        await world.live.look()
        await world.clock.sleep(LOOK_S)
    history = await world.office.gateway.history(OWNER, world.engine.id)
    assert [event.kind for event in history].count("session") == 1


async def test_a_listed_session_without_a_process_ends_unless_the_engine_has_it(world: World) -> None:
    """Others put it and never came: it counts for a minute, then as long as the engine has it open."""
    used = await world.put()
    await world.put("/listed.ipynb")
    world.open = frozenset({used})
    assert await world.attached() == ["/a.ipynb", "/listed.ipynb"]
    world.office.pass_time(UNOPENED_S + 1)
    assert await world.attached() == ["/a.ipynb"]
    world.open = None
    assert await world.attached() == ["/a.ipynb"]
    world.office.pass_time(UNKNOWN_S)
    assert await world.attached() == []  # nothing says that it lives


async def test_sessions_of_an_engine_that_does_not_run_wait(world: World) -> None:
    """They continue in its next life."""
    other = World(world.office, await world.office.engine(name="starts"))
    await other.put()
    world.office.pass_time(UNKNOWN_S + 1)
    assert await other.attached() == ["/a.ipynb"]


async def test_a_pid_is_a_number_of_json(world: World) -> None:
    """7.0 is an integer there."""
    await world.put(process={**SEEN, "pid": 10.0})
    assert await world.attached() == ["/a.ipynb"]
    for wrong in (0, "10", 1.5, True):
        with pytest.raises(InvalidRequest):
            await world.put(process={**SEEN, "pid": wrong})


async def test_detach_and_attach(world: World) -> None:
    """A notebook that detaches does not count; nothing happens to a session that is not there."""
    await world.put(process=SEEN)
    await world.office.gateway.detach_session(OWNER, world.engine.id, key_of("/nothing.ipynb"))
    assert await world.attached() == ["/a.ipynb"]
    await world.office.gateway.detach_session(OWNER, world.engine.id, key_of("/a.ipynb"))
    assert await world.attached() == []
    await world.put(process=SEEN)
    assert await world.attached() == ["/a.ipynb"]


async def test_a_store_that_is_away_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look goes on."""

    class Enough(Exception):
        pass

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise Enough

    async def away() -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(world.clock, "sleep", sleep)
    monkeypatch.setattr(world.live, "look", away)
    with pytest.raises(Enough):
        await world.live.run()
    assert slept == [LOOK_S, LOOK_S]

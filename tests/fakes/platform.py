"""A machine in memory, the platform that acts on it, and variants of it that play one failure each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rucat_jupyter.core.engine import Credential, Engine, Reason, Target
from rucat_jupyter.core.errors import PlatformError, PlatformUnavailable
from rucat_jupyter.core.lifecycle import End, Executors, Observation, Presence
from rucat_jupyter.core.ports.platform import Endpoint, Leftover, Pinned, Problem
from rucat_jupyter.core.spec import EngineSpec

SITE = "here"
Key = tuple[str, int]  # engine id, run


@dataclass
class FakeLife:
    """What the machine has of one life."""

    is_alive: bool = False
    has_rest: bool = True  # temp, work and secret files
    has_log: bool = False
    end: End | None = None
    message: str = ""
    port: int | None = 15002
    answers: bool = True  # the Spark Connect service does
    is_frozen: bool = False
    is_zombie: bool = False
    running: int = 0  # operations
    used_at: datetime | None = None
    executors: Executors | None = None
    blocked: str = ""


@dataclass
class FakeMachine:
    """What is outside: drivers and files, the same for every gateway that acts on it.

    ``starts`` and ``stops`` list what happened to drivers, in order; ``doubled_s`` is for how long, at most, two
    drivers of one engine lived together; ``before_stop`` is called with a driver that is about to be ended.
    """

    lives: dict[Key, FakeLife] = field(default_factory=dict)
    starts: list[Key] = field(default_factory=list)
    stops: list[Key] = field(default_factory=list)
    doubled_s: dict[str, float] = field(default_factory=dict)
    _doubled_at: dict[str, float] = field(default_factory=dict)
    before_stop: Callable[[Key], None] = lambda key: None
    end_at_start: End | None = None  # a new driver ends immediately, with this
    loses_events: bool = False
    listeners: list[Callable[[str], None]] = field(default_factory=list)

    def alive(self, engine_id: str | None = None) -> list[Key]:
        """Lives (of one engine) whose driver is there."""
        return [key for key, life in self.lives.items() if life.is_alive and engine_id in (None, key[0])]

    def life(self, engine_id: str) -> FakeLife:
        """The living driver of an engine."""
        (key,) = self.alive(engine_id)
        return self.lives[key]

    def die(self, engine_id: str, reason: Reason | None = Reason.EXITED, message: str = "exit 1") -> None:
        """The driver of an engine ends by itself."""
        for key in self.alive(engine_id):
            self.lives[key].is_alive = False
            self.lives[key].end = End(reason, message)
        self._count(engine_id)
        self.tell(engine_id)

    def vanish(self, engine_id: str) -> None:
        """All that belongs to an engine is gone without a word."""
        for key in [key for key in self.lives if key[0] == engine_id]:
            del self.lives[key]
        self._count(engine_id)

    def change(self, engine_id: str, **changes: object) -> None:
        """Something about the living drivers of an engine is different from now on."""
        for key in self.alive(engine_id):
            for name, value in changes.items():
                assert hasattr(self.lives[key], name)
                setattr(self.lives[key], name, value)
        self.tell(engine_id)

    def tell(self, engine_id: str) -> None:
        """Emit an event."""
        for listener in list(self.listeners):
            if not self.loses_events:
                listener(engine_id)

    def begin(self, key: Key) -> None:
        """A driver runs."""
        life = self.lives[key]
        if not life.is_alive:
            self.starts.append(key)
        life.is_alive = life.has_log = True
        self._count(key[0])
        if self.end_at_start:
            life.is_alive, life.end = False, self.end_at_start

    def stop(self, key: Key) -> None:
        """A driver is ended from outside."""
        life = self.lives.get(key)
        if life and life.is_alive:
            self.before_stop(key)
            self.stops.append(key)
            life.is_alive = False
            life.end = life.end or End(None, "stopped")
            self._count(key[0])

    def _count(self, engine_id: str) -> None:
        now = asyncio.get_running_loop().time()
        if len(self.alive(engine_id)) > 1:
            self._doubled_at.setdefault(engine_id, now)
            self.doubled_s.setdefault(engine_id, 0.0)
        elif engine_id in self._doubled_at:
            for_s = now - self._doubled_at.pop(engine_id)
            self.doubled_s[engine_id] = max(self.doubled_s[engine_id], for_s)


class FakePlatform:
    """Implements :class:`rucat_jupyter.core.ports.platform.Platform` on a :class:`FakeMachine`.

    ``calls`` lists what was asked of it. Where a real platform would do IO it passes ``point(name)``: a test may let
    it crash there.
    """

    def __init__(
        self, machine: FakeMachine | None = None, *, name: str = "local", sites: Sequence[str] = (SITE,)
    ) -> None:
        self.machine = machine or FakeMachine()
        self.calls: list[str] = []
        self.is_down = False
        self.refuses: PlatformError | None = None
        self.start_s = 0.0
        self.stop_s = 0.0
        self.observe_s = 0.0
        self.point: Callable[[str], Awaitable[None]] | None = None
        self._name = name
        self._sites = tuple(sites)
        self._queues: list[asyncio.Queue[str | Exception | None]] = []

    @property
    def name(self) -> str:
        return self._name

    def break_events(self, error: Exception | None = None) -> None:
        """End every stream of events, or let it raise."""
        for queue in self._queues:
            queue.put_nowait(error)

    async def open(self, installation: str) -> None:
        pass

    async def close(self) -> None:
        self.break_events()

    async def check(self, spec: EngineSpec) -> list[Problem]:
        return []

    async def pin(self, spec: EngineSpec) -> Pinned:
        return Pinned(spec, "4.3.0", "3.11.7")

    async def site(self, spec: EngineSpec) -> str:
        return self._sites[0]

    def serves(self, site: str) -> bool:
        return site in self._sites

    def sites(self) -> Sequence[str]:
        return self._sites

    async def start(self, engine: Engine, credential: Credential) -> None:
        await self._io("start", engine.run_name)
        if self.refuses:
            raise self.refuses
        key = engine.id, engine.state_run
        life = self.machine.lives.setdefault(key, FakeLife())
        await self._io("start: files are there")
        await asyncio.sleep(self.start_s)
        if self.machine.lives.get(key) is not life or life.end:
            raise PlatformError("its files vanished while it started", reason=Reason.CRASH_ON_START)
        self.machine.begin(key)
        await self._io("start: driver runs")

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        self.calls.append(f"observe {len(engines)}")
        await asyncio.sleep(self.observe_s)
        if self.is_down:
            return {engine.id: Observation(Presence.UNKNOWN, f"{self.name} does not answer") for engine in engines}
        return {engine.id: self._observe(engine) for engine in engines}

    def _observe(self, engine: Engine) -> Observation:
        life = self.machine.lives.get((engine.id, engine.state_run))
        if life is None or not (life.is_alive or life.has_rest):
            return Observation(Presence.ABSENT)
        if not life.is_alive:
            return Observation(Presence.ENDED, life.message, life.end)
        return Observation(Presence.ALIVE, life.message, life.end, life.executors, life.blocked)

    async def stop(self, engine: Engine) -> None:
        await self._io("stop", engine.run_name)
        await asyncio.sleep(self.stop_s)
        self.machine.stop((engine.id, engine.state_run))
        await self._io("stop: driver is gone")

    async def clean(self, engine: Engine) -> None:
        await self._io("clean", engine.run_name)
        lives, key = self.machine.lives, (engine.id, engine.state_run)
        life = lives.get(key)
        if life and not life.is_alive:
            life.has_rest = False
            await self._io("clean: files are gone")
            if not life.has_log:
                lives.pop(key, None)
        if engine.target is Target.DELETED:
            for old in [key for key, life in lives.items() if key[0] == engine.id and not life.is_alive]:
                del lives[old]

    async def leftovers(self) -> Sequence[Leftover]:
        await self._io("leftovers")
        return [Leftover(*key) for key in self.machine.lives]

    async def remove(self, leftover: Leftover) -> None:
        await self._io("remove", f"{leftover.engine_id} {leftover.run}")
        key = leftover.engine_id, leftover.run
        self.machine.stop(key)
        self.machine.lives.pop(key, None)

    async def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        yield "started"

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        await self._io("endpoint")
        life = self.machine.lives.get((engine.id, engine.state_run))
        return Endpoint("127.0.0.1", life.port) if life and life.port else None

    async def changes(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self._queues.append(queue)
        self.machine.listeners.append(queue.put_nowait)
        try:
            while (event := await queue.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self._queues.remove(queue)
            self.machine.listeners.remove(queue.put_nowait)

    async def _io(self, what: str, of: str = "") -> None:
        await asyncio.sleep(0)
        if ":" not in what:
            self.calls.append(f"{what} {of}".strip())
        if self.point:
            await self.point(f"platform.{what}")
        if self.is_down:
            raise PlatformUnavailable(f"{self.name} does not answer")


class PlatformLosesEngineAfterStart(FakePlatform):
    """A start succeeds, and what it started is gone without a trace the next moment."""

    async def start(self, engine: Engine, credential: Credential) -> None:
        await super().start(engine, credential)
        self.machine.vanish(engine.id)


class PlatformEndsEngineAfterStart(FakePlatform):
    """A start succeeds, and the driver crashes immediately."""

    async def start(self, engine: Engine, credential: Credential) -> None:
        self.machine.end_at_start = End(Reason.CRASH_ON_START, "exit 1: bad conf")
        await super().start(engine, credential)


class PlatformRefusesStart(FakePlatform):
    """Nothing can be started, and a refused start leaves files behind."""

    async def start(self, engine: Engine, credential: Credential) -> None:
        await self._io("start", engine.run_name)
        self.machine.lives.setdefault((engine.id, engine.state_run), FakeLife())
        raise PlatformError("8g asked, 4g free", reason=Reason.NO_MEMORY.value)


class PlatformNeverObeysStop(FakePlatform):
    """A stop is accepted, and changes nothing (a pod that hangs in Terminating)."""

    async def stop(self, engine: Engine) -> None:
        await self._io("stop", engine.run_name)


class PlatformNeverStarts(FakePlatform):
    """Observing works, every start is answered with 503."""

    async def start(self, engine: Engine, credential: Credential) -> None:
        await self._io("start", engine.run_name)
        raise PlatformUnavailable("the API server answers 503")


class PlatformHangs(FakePlatform):
    """A stop never returns."""

    async def stop(self, engine: Engine) -> None:
        await self._io("stop", engine.run_name)
        await asyncio.sleep(1e9)


class PlatformBreaksAtOneEngine(FakePlatform):
    """A defect: stopping the engine ``broken`` raises what no contract allows."""

    broken = ""

    async def stop(self, engine: Engine) -> None:
        if engine.id == self.broken:
            raise ZeroDivisionError("a defect of the platform")
        await super().stop(engine)

"""A platform in memory that a test scripts, and variants that play one failure each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rucat_jupyter.engine import Credential, Engine, EngineSpec, Reason
from rucat_jupyter.errors import PlatformError, PlatformUnavailable
from rucat_jupyter.lifecycle import End, Observation, Presence, Target
from rucat_jupyter.ports import Endpoint, Leftover, Pinned, Problem

SITE = "here"


@dataclass
class FakeLife:
    """What the platform has of one life."""

    is_alive: bool = False
    has_rest: bool = True  # temp, work and secret files
    has_log: bool = False
    end: End | None = None
    message: str = ""
    port: int | None = 15002


@dataclass
class FakePlatform:
    """Implements :class:`rucat_jupyter.ports.Platform`.

    Everything it has is in ``lives``, by (engine id, run); ``calls`` lists what was asked of it, and ``most_alive``
    how many drivers of one engine ever lived at once. Each method passes ``point(name)`` where a real one would do
    IO: a test may let it crash there.
    """

    name: str = "local"
    site_names: tuple[str, ...] = (SITE,)
    is_down: bool = False
    loses_events: bool = False
    refuses: PlatformError | None = None
    start_s: float = 0.0
    stop_s: float = 0.0
    observe_s: float = 0.0
    lives: dict[tuple[str, int], FakeLife] = field(default_factory=lambda: defaultdict(FakeLife))
    calls: list[str] = field(default_factory=list)
    most_alive: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    point: Callable[[str], Awaitable[None]] | None = None
    _queues: list[asyncio.Queue[str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lives = dict(self.lives)

    # --- what a test does to it ----------------------------------------------------------------------------

    def alive(self, engine_id: str | None = None) -> list[tuple[str, int]]:
        """Lives (of one engine) whose driver is there."""
        return [key for key, life in self.lives.items() if life.is_alive and engine_id in (None, key[0])]

    def die(self, engine_id: str, reason: Reason | None = Reason.EXITED, message: str = "exit 1") -> None:
        """The engine's driver ends by itself."""
        for key in self.alive(engine_id):
            self.lives[key].is_alive = False
            self.lives[key].end = End(reason, message)
            self.tell(engine_id)

    def vanish(self, engine_id: str) -> None:
        """The engine's driver and all that belongs to it is gone without a word."""
        for key in [key for key in self.lives if key[0] == engine_id]:
            del self.lives[key]

    def say(self, engine_id: str, message: str, end: End | None = None) -> None:
        """What a living driver waits for, or why it can never come up."""
        for key in self.alive(engine_id):
            self.lives[key].message, self.lives[key].end = message, end
            self.tell(engine_id)

    def tell(self, engine_id: str) -> None:
        """Emit an event."""
        if not self.loses_events:
            for queue in self._queues:
                queue.put_nowait(engine_id)

    def break_events(self) -> None:
        """End every stream of events."""
        for queue in self._queues:
            queue.put_nowait(None)

    # --- the port --------------------------------------------------------------------------------------------

    async def open(self, installation: str) -> None:
        pass

    async def close(self) -> None:
        self.break_events()

    async def check(self, spec: EngineSpec) -> list[Problem]:
        return []

    async def pin(self, spec: EngineSpec) -> Pinned:
        return Pinned(spec, "4.3.0", "3.11.7")

    async def site(self, spec: EngineSpec) -> str:
        return SITE

    def serves(self, site: str) -> bool:
        return site in self.site_names

    def sites(self) -> Sequence[str]:
        return self.site_names

    async def start(self, engine: Engine, credential: Credential) -> None:
        await self._io("start", engine.run_name)
        key = engine.id, engine.state_run
        if self.refuses:
            raise self.refuses
        life = self.lives.setdefault(key, FakeLife())
        await self._io("start: files are written", engine.run_name)
        await asyncio.sleep(self.start_s)
        if self.lives.get(key) is not life or life.end:
            raise PlatformError("its files vanished while it started", reason=Reason.CRASH_ON_START)
        life.is_alive = life.has_log = True
        self.tokens[engine.id] = credential.token
        self.most_alive[engine.id] = max(self.most_alive.get(engine.id, 0), len(self.alive(engine.id)))
        await self._io("start: process runs", engine.run_name)

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        await asyncio.sleep(self.observe_s)
        if self.is_down:
            return {e.id: Observation(Presence.UNKNOWN, f"{self.name} does not answer") for e in engines}
        await self._io("observe", str(len(engines)))
        return {engine.id: self._observe(engine) for engine in engines}

    def _observe(self, engine: Engine) -> Observation:
        life = self.lives.get((engine.id, engine.state_run))
        if life is None or not (life.is_alive or life.has_rest):
            return Observation(Presence.ABSENT)
        return Observation(Presence.ALIVE if life.is_alive else Presence.ENDED, life.message, life.end)

    async def stop(self, engine: Engine) -> None:
        await self._io("stop", engine.run_name)
        await asyncio.sleep(self.stop_s)
        life = self.lives.get((engine.id, engine.state_run))
        if life and life.is_alive:
            life.is_alive = False
            life.end = life.end or End(None, "stopped")
        await self._io("stop: process is gone", engine.run_name)

    async def clean(self, engine: Engine) -> None:
        await self._io("clean", engine.run_name)
        key = engine.id, engine.state_run
        life = self.lives.get(key)
        if life and not life.is_alive:
            life.has_rest = False
            await self._io("clean: files are gone", engine.run_name)
            if not life.has_log:
                self.lives.pop(key, None)
        if engine.target is Target.DELETED:
            for old in [k for k, v in self.lives.items() if k[0] == engine.id and not v.is_alive]:
                del self.lives[old]

    async def leftovers(self) -> Sequence[Leftover]:
        await self._io("leftovers")
        return [Leftover(*key) for key in self.lives]

    async def remove(self, leftover: Leftover) -> None:
        await self._io("remove", leftover.engine_id)
        self.lives.pop((leftover.engine_id, leftover.run), None)

    async def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        yield "started"

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        await self._io("endpoint", engine.run_name)
        life = self.lives.get((engine.id, engine.state_run))
        return Endpoint("127.0.0.1", life.port) if life and life.port else None

    async def changes(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues.append(queue)
        try:
            while (engine_id := await queue.get()) is not None:
                yield engine_id
        finally:
            self._queues.remove(queue)

    async def _io(self, what: str, of: str = "") -> None:
        await asyncio.sleep(0)
        if ":" not in what:
            self.calls.append(f"{what} {of}".strip())
        if self.point:
            await self.point(what)
        if self.is_down:
            raise PlatformUnavailable(f"{self.name} does not answer")


class PlatformLosesEngineAfterStart(FakePlatform):
    """A start succeeds, and what it started is gone without a trace the next moment."""

    async def start(self, engine: Engine, credential: Credential) -> None:
        await super().start(engine, credential)
        self.vanish(engine.id)


class PlatformEndsEngineAfterStart(FakePlatform):
    """A start succeeds, and the driver crashes at once."""

    async def start(self, engine: Engine, credential: Credential) -> None:
        await super().start(engine, credential)
        self.die(engine.id, Reason.CRASH_ON_START, "exit 1: bad conf")


class PlatformNeverObeysStop(FakePlatform):
    """A stop is accepted, and changes nothing (a pod that hangs in Terminating)."""

    async def stop(self, engine: Engine) -> None:
        await self._io("stop", engine.run_name)


class PlatformBreaksAtOneEngine(FakePlatform):
    """A defect: stopping the engine named in ``broken`` raises what no contract allows."""

    broken: str = ""

    async def stop(self, engine: Engine) -> None:
        if engine.id == self.broken:
            raise ZeroDivisionError("a defect of the platform")
        await super().stop(engine)

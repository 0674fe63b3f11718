"""A gateway on a store and platforms in memory, and engines of any status in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from fakes.memory_store import MemoryStore
from fakes.operations import FakeOperations

from rucat_jupyter.core.config.resolve import Profiles
from rucat_jupyter.core.engine import HINTS, Engine, Failure, Reason, State, Status, Target
from rucat_jupyter.core.errors import PlatformUnavailable
from rucat_jupyter.core.lifecycle import Observation, Presence
from rucat_jupyter.core.ports.platform import Endpoint, Pinned, Problem
from rucat_jupyter.core.ports.store import STORE_NOW
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.use_cases.engines import Gateway
from rucat_jupyter.gateway.use_cases.notifier import Notifier

OWNER = "ada"
SITE = "here"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
TOKEN = "a secret+token/of=32;chars&more%"
FAILURE = Failure(reason=Reason.EXITED, message="exit 1", hint=HINTS[Reason.EXITED], at=START)

LIVES: Mapping[Status, tuple[Mapping[str, object], ...]] = {
    Status.PENDING: (),
    Status.RUNNING: ({"state_run": 1}, {"state": State.RUNNING, "started_at": STORE_NOW}),
    Status.UNRESPONSIVE: ({"state_run": 1}, {"state": State.RUNNING}, {"unresponsive_since": START}),
    Status.STOPPING: ({"state_run": 1}, {"state": State.RUNNING}, {"target": Target.STOPPED}),
    Status.STOPPED: ({"state_run": 1}, {"target": Target.STOPPED}, {"state": State.STOPPED}),
    Status.FAILED: ({"state_run": 1}, {"state": State.STOPPED, "failure": FAILURE}),
    Status.DELETING: ({"target": Target.DELETED},),
}
"""What the monitor and the use cases would have written until an engine has that status."""


@dataclass
class OfficePlatform:
    """What the use cases ask of a platform, answered as a test says; nothing ever runs on it."""

    name: str = "local"
    is_down: bool = False
    problems: tuple[Problem, ...] = ()
    memory: str = "1g"
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    lines: tuple[str, ...] = ("started",)
    is_broken: bool = False
    """Logs break off after ``lines``."""
    follows: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: a followed log ends."""
    readers: int = 0

    async def check(self, spec: EngineSpec) -> list[Problem]:
        self._reach()
        return list(self.problems)

    async def pin(self, spec: EngineSpec) -> Pinned:
        driver = spec.driver.model_copy(update={"memory": spec.driver.memory or self.memory})
        return Pinned(spec.model_copy(update={"driver": driver}), "4.3.0", "3.11.7")

    async def site(self, spec: EngineSpec) -> str:
        return SITE

    def serves(self, site: str) -> bool:
        return site == SITE

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        presence = Presence.UNKNOWN if self.is_down else Presence.ABSENT
        return {engine.id: Observation(presence) for engine in engines}

    async def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        self.readers += 1
        try:
            self._reach()
            for line in self.lines[len(self.lines) - tail :] if tail is not None else self.lines:
                yield line
            if self.is_broken:
                raise PlatformUnavailable("the disk is gone")
            if follow:
                await self.follows.wait()
                yield "the end"
        finally:
            self.readers -= 1

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        self._reach()
        return self.endpoints.get(engine.id)

    def _reach(self) -> None:
        if self.is_down:
            raise PlatformUnavailable(f"platform {self.name} does not answer")


@dataclass
class Office:
    """All parts of a gateway, and what it did to the monitor."""

    store: MemoryStore
    gateway: Gateway
    local: OfficePlatform
    external: OfficePlatform
    notifier: Notifier
    clock: list[datetime]
    operations: FakeOperations = field(default_factory=FakeOperations)
    woken: list[str] = field(default_factory=list)

    def pass_time(self, seconds: float) -> None:
        """Let the store's clock go on."""
        self.clock[0] += timedelta(seconds=seconds)

    async def engine(self, status: Status = Status.PENDING, name: str = "etl", owner: str = OWNER) -> Engine:
        """An engine of that status on the local platform."""
        engine = await self.gateway.create(owner, {"name": name})
        for changes in LIVES[status]:
            engine = await self.store.update(engine, changes, None)
        if engine.state is State.RUNNING:
            self.local.endpoints[engine.id] = Endpoint("127.0.0.1", 15002)
        return engine


async def open_office(profiles: Profiles | None = None, **options: object) -> Office:
    """A gateway with nothing in it; ``options`` go to the gateway."""
    clock = [START]
    store, notifier = MemoryStore(now=lambda: clock[0]), Notifier()
    await store.open()
    local, external = OfficePlatform(), OfficePlatform("external")
    ids, sessions = itertools.count(1), itertools.count(1)
    woken: list[str] = []
    gateway = Gateway(
        store,
        {"local": local, "external": external},  # type: ignore[dict-item]
        profiles or Profiles(),
        notifier,
        lambda: f"{next(ids):04x}{0:012x}",
        lambda: TOKEN,
        woken.append,
        new_session_id=lambda: f"00000000-0000-4000-8000-{next(sessions):012d}",
        **options,  # type: ignore[arg-type]
    )
    return Office(store, gateway, local, external, notifier, clock, woken=woken)

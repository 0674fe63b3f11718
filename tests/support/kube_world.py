"""A namespace, a database, and gateways on them that are killed and followed by others: the ground of crash tests.

The platform and its calls of the API are the real ones; health is what the tests say (every driver with an address
answers), so that a life takes as long as its pod does.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import pytest
from fakes.memory_store import MemoryDatabase, MemoryStore
from fakes.prober import FakeProber
from fakes.world import Wire, Wired

from rucat_jupyter.core.config.resolve import Profiles
from rucat_jupyter.core.engine import Credential, Engine, Status, Verb
from rucat_jupyter.core.errors import EngineNotFound
from rucat_jupyter.core.lifecycle import Timing, status_of
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.monitor import Monitor, Pace
from rucat_jupyter.gateway.service.clock import SystemClock
from rucat_jupyter.gateway.use_cases.engines import Gateway
from rucat_jupyter.gateway.use_cases.notifier import Notifier
from rucat_jupyter.platforms.kubernetes import namespace as sites
from rucat_jupyter.platforms.kubernetes import namespaces
from rucat_jupyter.platforms.kubernetes.api.client import Api
from rucat_jupyter.platforms.kubernetes.platform import KubernetesPlatform

PACE = Pace(look_s=2.0, beat_s=0.5, sweep_s=1.0, orphan_grace_s=1.0)
STORE = "of-the-tests"


class Namespace(Protocol):
    """Where the objects are, looked at past the platform."""

    spec: EngineSpec

    async def inventory(self) -> set[str]:
        """Everything that is there, by kind and name."""
        ...

    async def drivers(self) -> list[str]:
        """Driver pods without a deletion request."""
        ...


class KubeWorld:
    """One engine at a time, its database and data directory, and the gateway process of now."""

    def __init__(self, namespace: Namespace, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.namespace = namespace
        self.database = MemoryDatabase()
        self.store = MemoryStore(database=self.database)
        self.doubled: list[list[str]] = []
        self._directory = directory
        self._patch = monkeypatch
        self._process: Process | None = None

    async def prepare(self) -> None:
        """Find out what a create would record, before there is any process."""
        await self.store.open()
        self._patch.setattr(sites, "Api", Api)
        self._patch.setattr(namespaces, "Api", Api)
        helper = KubernetesPlatform(self._directory.with_name("helper"), clock=SystemClock(), env={})
        await helper.open(self.database.installation)
        self._spec = (await helper.pin(self.namespace.spec)).spec
        self._site = await helper.site(self._spec)
        await helper.close()

    async def begin(self, wire: Wire) -> None:
        """Start a gateway process, after the one before has died."""
        if self._process is not None:
            await self._process.gone()
        self._process = Process(self.database, self._directory, wire, self._patch)
        await self._process.begin()

    async def close(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.wire.is_cut or self._process.wire.cut()
            await self._process.gone()

    async def create(self) -> str:
        """Record an engine that is wanted to run."""
        engine = Engine(
            id=secrets.token_hex(8),
            name="etl",
            owner="ada",
            platform="kubernetes",
            profile="",
            site=self._site,
            spec=self._spec,
            created_at=datetime.now(timezone.utc),
        )
        await self.store.create(engine, Credential(token="canary-token"), Note("ada", "create"))
        return engine.id

    async def ask(self, engine_id: str, verb: Verb) -> None:
        """Ask a verb as the owner."""
        await Gateway(self.store, {}, Profiles(), Notifier(), str, str, lambda _: None).ask("ada", engine_id, verb)

    async def until(self, engine_id: str, status: Status | None, within_s: float = 60.0) -> None:
        """Wait until people see this; None: it is gone."""
        await wait_for(lambda: self._is(engine_id, status), f"{status}", within_s)

    async def empty(self, before: set[str], within_s: float = 60.0) -> None:
        """Wait until the namespace is as it was before."""
        await wait_for(lambda: self._is_as(before), "nothing is left", within_s)

    async def _is(self, engine_id: str, status: Status | None) -> bool:
        drivers = await self.namespace.drivers()
        if len(drivers) > 1:
            self.doubled.append(drivers)
        if self._process is not None:
            self._process.monitor.wake(engine_id)
        try:
            engine = await self.store.get(engine_id)
        except EngineNotFound:
            return status is None
        assert engine.failure is None, engine.failure
        return status_of(engine) is status

    async def _is_as(self, before: set[str]) -> bool:
        return await self.namespace.inventory() == before


class Process:
    """One gateway process, whose every call passes a wire."""

    def __init__(self, database: MemoryDatabase, directory: Path, wire: Wire, patch: pytest.MonkeyPatch) -> None:
        self.wire = wire

        class WiredApi(Api):
            async def call(self, verb: str, at: str, query: Any, body: Any = None) -> Any:
                if "labelSelector" in query or "fieldSelector" in query:
                    return await super().call(verb, at, query, body)
                kind = at.partition("/namespaces/")[2].partition("/")[2].partition("/")[0]
                name = f"{verb} {kind or 'namespaces'}"
                await wire.pass_point(f"{name} begins")
                answer = await super().call(verb, at, query, body)
                await wire.pass_point(f"{name} has ended")
                return answer

        patch.setattr(sites, "Api", WiredApi)
        patch.setattr(namespaces, "Api", WiredApi)
        self._own = MemoryStore(database=database)
        store: Any = Wired(self._own, wire, "store")
        clock = SystemClock()
        self._platform = KubernetesPlatform(directory, clock=clock, engines=self._own.engines, store=STORE, env={})
        self._prober = FakeProber(answers=True)
        platforms: dict[str, Any] = {"kubernetes": self._platform}
        gateway = Gateway(store, platforms, Profiles(), Notifier(), str, str, lambda _: None)
        self.monitor = Monitor(
            store,
            platforms,
            self._prober,
            gateway.ask_as_monitor,
            clock,
            Timing(),
            gateway_id="g0",
            host="host",
            on_change=lambda: None,
            pace=PACE,
        )
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Run the monitor; when the wire is cut, it is gone."""
        await self._own.open()
        await self._platform.open(self._own.installation)
        self._task = asyncio.ensure_future(self.monitor.run())
        self.wire.on_cut = self._task.cancel

    async def gone(self) -> None:
        """Wait until it is gone, and its connections with it."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await self._platform.close()
        await self._prober.close()


async def wait_for(asked: Callable[[], Awaitable[bool]], what: str, within_s: float) -> None:
    """Ask until it is so."""
    end = asyncio.get_running_loop().time() + within_s
    while not await asked():
        assert asyncio.get_running_loop().time() < end, f"{what}: not within {within_s} s"
        await asyncio.sleep(0.05)

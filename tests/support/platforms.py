"""Stages for the contract suite of platforms: each a place where lives can be, and gateways' views of it."""

from __future__ import annotations

import os
import secrets
import signal
from abc import ABC, abstractmethod
from datetime import datetime, timezone
from pathlib import Path

from fakes.java import make_java
from fakes.kube_api import KubeApi, exit_with
from fakes.platform import FakeMachine, FakePlatform

from rucat_jupyter.core.engine import Engine
from rucat_jupyter.core.ports.platform import Platform
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.service.clock import SystemClock
from rucat_jupyter.platforms.external import ExternalPlatform
from rucat_jupyter.platforms.kubernetes.platform import KubernetesPlatform
from rucat_jupyter.platforms.local.platform import LocalPlatform
from rucat_jupyter.platforms.local.processes import find_engines
from support.local import driver

INSTALLATION = "0123456789abcdef"


class Stage(ABC):
    """One place; ``gateway`` is another gateway's view of it."""

    opened: list[Platform]

    def __init__(self) -> None:
        self.opened = []

    async def gateway(self) -> Platform:
        """A platform object on this place, open; the stage closes it."""
        platform = self.make()
        await platform.open(INSTALLATION)
        self.opened.append(platform)
        return platform

    async def engine(self, platform: Platform) -> Engine:
        """An engine as create records it, its first life claimed."""
        pinned = await platform.pin(self.spec())
        return Engine(
            id=secrets.token_hex(8),
            name="test",
            owner="me",
            platform=platform.name,
            profile="p",
            site=await platform.site(pinned.spec),
            spec=pinned.spec,
            spark_version=pinned.spark_version,
            python_version=pinned.python_version,
            state_run=1,
            created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
        )

    async def end(self) -> None:
        """Close all gateways' views."""
        for platform in self.opened:
            await platform.close()

    @abstractmethod
    def make(self) -> Platform:
        """A platform object on this place."""

    @abstractmethod
    def spec(self) -> EngineSpec:
        """What an engine here may be."""

    async def begin(self) -> None:  # noqa: B027 - most places are there
        """Make the place."""

    async def drivers(self) -> list[str]:
        """Names of the lives whose driver is there, read past the platform."""
        return []

    async def kill(self, engine: Engine) -> None:
        """The driver of an engine dies without a word."""
        raise NotImplementedError


class Fake(Stage):
    """The machine in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.machine = FakeMachine()

    def make(self) -> Platform:
        return FakePlatform(self.machine)

    def spec(self) -> EngineSpec:
        return EngineSpec()

    async def drivers(self) -> list[str]:
        return [f"rucat-{engine_id}-{run}" for engine_id, run in self.machine.alive()]

    async def kill(self, engine: Engine) -> None:
        self.machine.die(engine.id)


class Local(Stage):
    """The machine of the test, with a Java that plays its part."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.data = folder / "data"
        self.folder = folder
        self.java = self.make_java()

    def make_java(self) -> dict[str, str]:
        """What makes an engine's Java."""
        return {"JAVA_HOME": str(make_java(self.folder / "java"))}

    def make(self) -> Platform:
        return LocalPlatform(self.data)

    def spec(self) -> EngineSpec:
        return EngineSpec.model_validate(
            {"env": self.java, "driver": {"memory": "512m"}, "local": {"directory": str(self.folder)}}
        )

    async def drivers(self) -> list[str]:
        return list(find_engines(self.data.resolve() / "runs"))

    async def kill(self, engine: Engine) -> None:
        os.kill(driver(self.data, engine).pid, signal.SIGKILL)

    async def end(self) -> None:
        last = await self.gateway()
        for leftover in await last.leftovers():
            await last.remove(leftover)
        await super().end()


class LocalSpark(Local):
    """The machine of the test, with real Spark."""

    def make_java(self) -> dict[str, str]:
        return {}


class PlayedKubernetes(Stage):
    """A cluster whose API server is the tests' own, on loopback."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.api = KubeApi()
        self.clock = SystemClock()

    async def begin(self) -> None:
        await self.api.start()

    def make(self) -> Platform:
        return KubernetesPlatform(self.folder / "data", clock=self.clock, store="store", env={})

    def spec(self) -> EngineSpec:
        config = str(self.api.kubeconfig(self.folder))
        return EngineSpec.model_validate({"spark_version": "4.3.0", "kubernetes": {"kubeconfig": config}})

    async def drivers(self) -> list[str]:
        return self.api.named("pods")

    async def kill(self, engine: Engine) -> None:
        await self.api.change("pods", engine.run_name, exit_with(1))

    async def end(self) -> None:
        await super().end()
        await self.api.stop()


class External(Stage):
    """An engine that someone else runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__()

    def make(self) -> Platform:
        return ExternalPlatform(resolve=_resolve)

    def spec(self) -> EngineSpec:
        return EngineSpec.model_validate({"external": {"url": "sc://example.org:15002"}})


async def _resolve(host: str) -> None:
    """Every name has an address: tests ask no name server."""

"""Engines for the local platform in tests: records as the store would have them, waits, and what lives."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from rucat_jupyter.core.engine import Credential, Engine, State, Target
from rucat_jupyter.core.lifecycle import Observation
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.platforms.local.platform import LocalPlatform
from rucat_jupyter.platforms.local.processes import Process, find_engines

T = TypeVar("T")
CREATED_AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


async def until(what: str, look: Callable[[], Awaitable[T]], deadline_s: float = 10.0) -> T:
    """Return the first true answer of ``look``, or fail after the deadline, naming what never came."""
    end = time.monotonic() + deadline_s
    while True:
        answer = await look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline_s} s")
        await asyncio.sleep(0.02)


async def new_engine(platform: LocalPlatform, spec: EngineSpec, **fields: object) -> Engine:
    """An engine whose first life is claimed, its spec pinned as create does it."""
    pinned = await platform.pin(spec)
    engine = Engine(
        id=secrets.token_hex(8),
        name="test",
        owner="me",
        platform="local",
        profile="local",
        site=await platform.site(spec),
        spec=pinned.spec,
        spark_version=pinned.spark_version,
        python_version=pinned.python_version,
        state_run=1,
        created_at=CREATED_AT,
    )
    return engine.model_copy(update=fields)


def running(engine: Engine) -> Engine:
    """The engine once it has answered."""
    return engine.model_copy(update={"state": State.RUNNING})


def next_run(engine: Engine) -> Engine:
    """The engine with its next life claimed."""
    return engine.model_copy(update={"run": engine.run + 1, "state_run": engine.run + 1, "state": State.PENDING})


def deleted(engine: Engine) -> Engine:
    """The engine, settled and to be deleted."""
    return engine.model_copy(update={"state": State.STOPPED, "target": Target.DELETED})


async def look(platform: LocalPlatform, engine: Engine) -> Observation:
    """What the platform sees of one engine."""
    return (await platform.observe([engine]))[engine.id]


def driver(data_dir: Path, engine: Engine) -> Process:
    """The process of an engine, found in the process table and nowhere else."""
    end = time.monotonic() + 5
    while time.monotonic() < end:  # while a process executes a new program it has no command line for a moment
        if process := find_engines(data_dir.resolve() / "runs").get(engine.run_name):
            return process
    raise AssertionError(f"{engine.run_name} has no process")


@asynccontextmanager
async def opened(data_dir: Path, **options: object) -> AsyncIterator[LocalPlatform]:
    """A platform on a data directory; its engines keep running."""
    platform = LocalPlatform(data_dir, **options)  # type: ignore[arg-type]  # tests pass what it takes
    await platform.open("0" * 16)
    try:
        yield platform
    finally:
        await platform.close()


@asynccontextmanager
async def machine(data_dir: Path, **options: object) -> AsyncIterator[LocalPlatform]:
    """A platform on a data directory; every engine in it is ended and removed."""
    async with opened(data_dir, **options) as platform:
        try:
            yield platform
        finally:
            async with opened(data_dir, stop_grace_s=2.0) as last:
                for leftover in await last.leftovers():
                    await last.remove(leftover)
            assert not find_engines(data_dir.resolve() / "runs")


TOKEN = Credential(token="canary-token")

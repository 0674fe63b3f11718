"""Run engines as processes of this machine: the platform ``local``."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from ...core.engine import Credential, Engine, State, Target
from ...core.lifecycle import End, Observation, Presence, is_wanted
from ...core.ports.planning import Outline
from ...core.ports.platform import Endpoint, Leftover, Pinned, Problem
from ...core.spec import EngineSpec
from ...host import logfile, machine
from ...host.private_files import remove
from .command import LOOPBACK, warehouse_of
from .lives import LocalLives
from .plan import outline
from .processes import find_engines
from .run_folder import RunFolder, list_runs
from .spec import LocalSpecs

STOP_GRACE_S = 10.0
"""How long an engine may take to shut down; Spark needs about one second, also if it is busy."""


class LocalPlatform:
    """Engines as processes of this machine, one data directory each; implements :class:`.core.ports.platform.Platform`.

    Parameters
    ----------
    data_dir
        The gateway's data directory, with run folders, tables and downloaded packages.
    boot_id
        An id that changes when the machine or container restarts (default: :func:`.machine.boot_id`).
    env
        The gateway's environment (default: the process's), of which engines inherit a few variables.
    stop_grace_s
        Seconds that an engine may take to shut down before it is killed.
    umask
        The user's umask, for files that queries write; the gateway's own files are always private (default: the
        process's).
    """

    name = "local"

    def __init__(
        self,
        data_dir: Path,
        *,
        boot_id: str | None = None,
        env: Mapping[str, str] | None = None,
        stop_grace_s: float = STOP_GRACE_S,
        umask: int = -1,
    ) -> None:
        self._data_dir = Path(os.path.realpath(data_dir))
        self._boot_id = machine.boot_id() if boot_id is None else boot_id
        self._specs = LocalSpecs(self._data_dir / "runs", os.environ if env is None else env, umask)
        self._lives = LocalLives(self._data_dir, self._specs, self._boot_id, stop_grace_s, self._ring)
        self._site = f"local:{_digest(machine.machine_id(), str(self._data_dir))}"
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._is_closed = False

    async def open(self, installation: str) -> None:
        """Create the folders, and adopt every running engine of this data directory."""
        await self._lives.open()

    async def close(self) -> None:
        """Stop monitoring; engines keep running."""
        self._is_closed = True
        await self._lives.close()
        for queue in self._listeners:
            queue.put_nowait(None)

    async def site(self, spec: EngineSpec) -> str:
        """The data directory on this machine."""
        return self._site

    def serves(self, site: str) -> bool:
        """Whether it is this data directory on this machine."""
        return site == self._site

    def sites(self) -> Sequence[str]:
        """The one site."""
        return (self._site,)

    async def check(self, spec: EngineSpec) -> list[Problem]:
        """Everything that would keep this spec from starting here."""
        return await asyncio.to_thread(lambda: self._specs.problems(spec, self._lives.budget()))

    async def pin(self, spec: EngineSpec) -> Pinned:
        """Fill in Python, folder, Spark version, cores and memory."""
        return await asyncio.to_thread(lambda: self._specs.pin(spec, self._lives.budget()))

    async def outline(self, spec: EngineSpec, name: str) -> Outline:
        """What would be started for this pinned spec."""
        return await asyncio.to_thread(
            lambda: outline(
                self._specs,
                self._data_dir,
                spec,
                name=name,
                locale=self._lives.locale,
                budget=self._lives.budget(),
            )
        )

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Start the life's JVM, or adopt it if it exists. A cancelled call completes in the background."""
        await self._lives.start(engine, credential)

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        """Look at lives: lists the run folders, and checks each known process.

        Searches the process table only for a life that has begun and whose process is unknown or gone.
        """
        there = await asyncio.to_thread(lambda: {folder.name for folder in list_runs(self._lives.runs)})
        if any(self._lives.is_lost(engine.run_name) for engine in engines):
            await self._lives.adopt()
        return {engine.id: await self._look(engine, engine.run_name in there) for engine in engines}

    async def stop(self, engine: Engine) -> None:
        """SIGTERM, after the grace SIGKILL, for the JVM and all of its children; returns when all are gone."""
        async with self._lives.lock(engine.id):
            await self._lives.end(engine.run_name)

    async def clean(self, engine: Engine) -> None:
        """Remove temp, work and argfile, and older runs; with target Deleted everything of every run."""
        async with self._lives.lock(engine.id):
            for folder in await self._folders(engine.id):
                if engine.target is Target.DELETED or folder.run < engine.state_run:
                    await self._remove(folder.name)
                elif folder.run == engine.state_run:
                    await self._lives.end(folder.name)
                    await asyncio.to_thread(self._clean, self._lives.folder(folder.name))
            if engine.target is Target.DELETED:
                await asyncio.to_thread(self._remove_tables, engine.id)

    async def leftovers(self) -> Sequence[Leftover]:
        """Every run folder, and every live engine of this data directory."""
        found = await asyncio.to_thread(lambda: {folder.name for folder in list_runs(self._lives.runs)})
        found |= (await asyncio.to_thread(find_engines, self._lives.runs)).keys()
        folders = [self._lives.folder(name) for name in sorted(found)]
        return [Leftover(folder.engine_id, folder.run, str(folder.path)) for folder in folders]

    async def remove(self, leftover: Leftover) -> None:
        """Stop and remove a run without a record; its tables stay."""
        async with self._lives.lock(leftover.engine_id):
            await self._remove(f"rucat-{leftover.engine_id}-{leftover.run}")

    async def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """Lines of the life's log: Spark's log, and all output of the JVM and its children."""
        name = engine.run_name
        may_grow = (lambda: self._lives.find(name) is not None) if follow else None
        async for line in logfile.lines(self._lives.folder(name).log, tail, may_grow):
            yield line

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        """The engine's address on loopback, from its run's record."""
        record = self._lives.folder(engine.run_name).record
        if record is None or record.has_ended or record.boot_id != self._boot_id:
            return None
        return Endpoint(LOOPBACK, record.port, f"http://{LOOPBACK}:{record.ui_port}" if record.has_ui else None)

    async def changes(self) -> AsyncIterator[str]:
        """Ids of engines whose process has ended, or whose start has made progress, as it happens."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while not self._is_closed and (engine_id := await queue.get()) is not None:
                yield engine_id
        finally:
            self._listeners.discard(queue)

    # --- private ---------------------------------------------------------------------------------------------

    async def _look(self, engine: Engine, has_folder: bool) -> Observation:
        name = engine.run_name
        life = self._lives.find(name)
        if life is not None:
            return Observation(Presence.ALIVE, life.phase or "" if engine.state is State.PENDING else "")
        if not has_folder:
            return Observation(Presence.ABSENT)
        record = self._lives.folder(name).record
        if record is None or (not record.pid and record.boot_id == self._boot_id and not record.has_ended):
            # A gateway died before it spawned the process: the run may still begin, or is removed.
            gone = Observation(Presence.ENDED, end=End(None, "stopped before it started"))
            return Observation(Presence.ABSENT) if is_wanted(engine) else gone
        if record.is_cleaned:
            return Observation(Presence.ABSENT)
        end = await asyncio.to_thread(self._lives.end_of, name, was_running=engine.state is State.RUNNING)
        return Observation(Presence.ENDED, end=end)

    async def _folders(self, engine_id: str) -> list[RunFolder]:
        return await asyncio.to_thread(lambda: [f for f in list_runs(self._lives.runs) if f.engine_id == engine_id])

    async def _remove(self, name: str) -> None:
        await self._lives.end(name)
        await asyncio.to_thread(self._lives.folder(name).remove)
        self._lives.forget(name)

    def _clean(self, folder: RunFolder) -> None:
        folder.clean()
        with contextlib.suppress(OSError):  # it has tables, or does not exist
            warehouse_of(self._data_dir, folder.name).rmdir()
        if folder.record is None:
            folder.remove()
        else:
            folder.change(is_cleaned=True, has_ended=True)

    def _remove_tables(self, engine_id: str) -> None:
        for folder in list_runs(self._data_dir / "warehouse"):
            if folder.engine_id == engine_id:
                remove(folder.path)

    def _ring(self, engine_id: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(engine_id)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]

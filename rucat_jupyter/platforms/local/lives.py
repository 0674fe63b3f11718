"""Start, monitor and stop the processes of local engines.

The files (:mod:`.run_folder`) and the process table (:mod:`.processes`) are the truth; the state of this object is only
a cache. So a gateway may die between any two steps: the record is written before the JVM is spawned, a JVM that is not
in its record is found by its argfile, and a recorded one that is gone has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from ...core.engine import Credential, Engine, Reason
from ...core.errors import PlatformError
from ...core.lifecycle import End
from ...core.timeouts import within
from ...host import logfile, machine
from ...host.budget import Budget
from ...spark.exit_reasons import FIRST_PHASE, READY, Death, end_of, has_lost_port, phase_of
from .processes import Process, Watch, find_engines, kill_family, reap, send, wait_gone
from .run_folder import RunFolder
from .spawn import Others, Spawner, take_back
from .spec import LocalSpecs

log = logging.getLogger(__name__)

KILL_WAIT_S = 10.0
"""How long the kernel may take to end a killed process; longer means that it hangs in the kernel."""

PORT_ATTEMPTS = 3
"""Number of tries of a start whose port another process takes before the JVM binds it."""

TEND_S = 5.0
TEND_STARTING_S = 0.25
"""Seconds between log rotations, and between looks at the phase of a starting engine."""


@dataclass
class Life:
    """One life that is starting or exists; ``process`` None: not spawned yet, or not spawned again yet."""

    folder: RunFolder
    process: Process | None = None
    watch: Watch | None = None
    again: tuple[Engine, Credential] | None = None  # for another start if its port is lost
    attempts: int = 0
    phase: str | None = FIRST_PHASE  # what it waits for; None: it has started

    @property
    def is_there(self) -> bool:
        """Whether it is starting, or its process exists now."""
        return self.process is None or self.process.is_alive


class LocalLives:
    """The lives of one data directory, each started once, monitored and stopped. ``ring`` is called on every change."""

    def __init__(self, data_dir: Path, specs: LocalSpecs, boot_id: str, grace_s: float, ring: Callable[[str], None]):
        self.runs = data_dir / "runs"
        self._spawner = Spawner(data_dir, specs, boot_id)
        self._boot_id = boot_id
        self._grace_s = grace_s
        self._ring = ring
        self._lives: dict[str, Life] = {}
        self._folders: dict[str, RunFolder] = {}
        self._ends: dict[str, End] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._tender: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._is_closed = False

    async def open(self) -> None:
        """Adopt every running engine of this data directory, and start to rotate their logs."""
        self.runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._spawner.locale = await asyncio.to_thread(machine.utf8_locale)
        await self.adopt()
        self._tender = asyncio.get_running_loop().create_task(self._tend())

    async def close(self) -> None:
        """Stop monitoring, after pending starts; engines keep running."""
        self._is_closed = True
        if self._tender is not None:
            self._tender.cancel()
        await asyncio.gather(*filter(None, [self._tender, *self._tasks]), return_exceptions=True)
        for life in self._lives.values():
            if life.watch is not None:
                life.watch.close()
        self._lives.clear()

    # --- looking ---------------------------------------------------------------------------------------------

    def folder(self, name: str) -> RunFolder:
        """The folder of a run, existing or not; always the same object, which caches its record."""
        return self._folders.setdefault(name, RunFolder(self.runs / name))

    def lock(self, engine_id: str) -> asyncio.Lock:
        """Held while a life of this engine is started, stopped or removed."""
        return self._locks.setdefault(engine_id, asyncio.Lock())

    def forget(self, name: str) -> None:
        """Forget a run whose folder was removed."""
        self._folders.pop(name, None)
        self._ends.pop(name, None)

    def find(self, name: str) -> Life | None:
        """The life with this name that exists now; notes the end of one that has just ended, and returns None."""
        life = self._lives.get(name)
        if life is not None and not life.is_there:
            self._exited(life)
            life = self._lives.get(name)  # it may be started again with other ports
        return life

    def is_lost(self, name: str) -> bool:
        """Whether a life has begun, its end was not seen, and its process is unknown."""
        record = self.folder(name).record
        return name not in self._lives and record is not None and not (record.has_ended or record.is_cleaned)

    async def adopt(self) -> None:
        """Monitor every running engine of this data directory that is not monitored yet."""
        for name, process in (await asyncio.to_thread(find_engines, self.runs)).items():
            if name in self._lives or self._is_closed or not process.is_alive:
                continue
            life = self._lives[name] = Life(self.folder(name), process)
            record = life.folder.record
            if record is not None and (record.pid, record.mark, record.has_ended) != (process.pid, process.mark, False):
                with contextlib.suppress(
                    OSError
                ):  # the folder is gone, or the disk is full: the next call finds it again
                    life.folder.change(pid=process.pid, mark=process.mark, has_ended=False)
            self._watch(life)
            self._started.set()

    def end_of(self, name: str, *, was_running: bool) -> End:
        """Why a life that has a record and no process has ended."""
        folder = self.folder(name)
        if name not in self._ends and folder.record is not None:
            if not folder.record.has_ended:
                self._note_end(folder, None, was_watched=False)
            if folder.record.was_stopped:
                self._ends[name] = End(None, "stopped")
            elif folder.record.boot_id != self._boot_id:
                self._ends[name] = End(None, "machine restarted")
            else:
                self._ends[name] = end_of(_death(folder, was_running=was_running))
        return self._ends[name]

    def budget(self, without: str = "") -> Budget:
        """Memory of this machine, with the reservations of the running engines of this data directory."""
        lives = [life for name, life in list(self._lives.items()) if name != without]
        promised = sum(life.folder.record.memory_mb for life in lives if life.folder.record)
        in_use = sum(_rss_mb(life.process) for life in lives if life.process)
        return Budget(machine.memory(), promised, in_use, len(lives))

    @property
    def locale(self) -> str:
        """The locale of engines, known after :meth:`open`."""
        return self._spawner.locale

    # --- starting --------------------------------------------------------------------------------------------

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Start a life, or adopt it if it exists; a cancelled call completes in the background."""
        task = asyncio.get_running_loop().create_task(self._start(engine, credential))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _start(self, engine: Engine, credential: Credential) -> None:
        async with self.lock(engine.id):  # taken here, because the caller may be cancelled while this continues
            await self._start_alone(engine, credential)

    async def _start_alone(self, engine: Engine, credential: Credential) -> None:
        name = engine.run_name
        await self.adopt()
        if self.find(name) is not None:
            return
        folder = self.folder(name)
        if folder.record is not None and (folder.record.has_ended or folder.record.is_cleaned or folder.record.pid):
            raise PlatformError(f"run {engine.state_run} has already ended", reason=Reason.LOST.value)
        for other in [life.folder for life in self._lives.values() if life.folder.engine_id == engine.id]:
            await self.end(other.name)
        life = self._lives[name] = Life(folder, again=(engine, credential))
        try:
            await self._spawn(life, engine, credential)
        except BaseException:
            self._lives.pop(name, None)
            await asyncio.to_thread(take_back, folder)
            raise
        self._started.set()

    async def _spawn(self, life: Life, engine: Engine, credential: Credential) -> None:
        life.attempts += 1
        life.process = await asyncio.to_thread(
            self._spawner.spawn,
            life.folder,
            engine,
            credential,
            lambda: self._others(life),
            is_again=life.attempts > 1,
        )
        self._watch(life)

    def _others(self, life: Life) -> Others:
        """Memory and ports of the other engines of this data directory."""
        records = [other.folder.record for other in list(self._lives.values()) if other is not life]
        ports = {port for record in records if record for port in (record.port, record.ui_port)}
        return Others(self.budget(without=life.folder.name), ports)

    # --- watching --------------------------------------------------------------------------------------------

    def _watch(self, life: Life) -> None:
        assert life.process is not None, life.folder.name  # noqa: S101 - set by both callers
        life.watch = Watch(life.process, lambda: self._exited(life))

    def _exited(self, life: Life) -> None:
        """Note that a monitored process has ended; once for each."""
        name = life.folder.name
        if life.process is None or self._lives.get(name) is not life:
            return
        if life.watch is not None:
            life.watch.close()
        code = reap(life.process.pid)
        self._note_end(life.folder, code, was_watched=True)
        if life.again and life.attempts < PORT_ATTEMPTS and has_lost_port(_death(life.folder, was_running=False)):
            log.warning("%s: another process took its port during the start, trying another port", name)
            life.process = life.watch = None
            task = asyncio.get_running_loop().create_task(self._spawn_again(life, *life.again))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            del self._lives[name]
        self._ring(life.folder.engine_id)

    async def _spawn_again(self, life: Life, engine: Engine, credential: Credential) -> None:
        name = life.folder.name
        try:
            await self._spawn(life, engine, credential)
        except PlatformError as exc:
            self._ends[name] = End(Reason(exc.details["reason"]), exc.message)
            self._note_end(life.folder, None, was_watched=True)
            self._lives.pop(name, None)
            self._ring(life.folder.engine_id)

    def _note_end(self, folder: RunFolder, exit_code: int | None, *, was_watched: bool) -> None:
        if folder.record is None:
            return
        try:
            folder.change(has_ended=True, exit_code=exit_code, was_watched=was_watched)
        except OSError as exc:
            log.warning("%s: cannot write its end to the record, keeping it in memory: %s", folder.name, exc)

    async def _tend(self) -> None:
        """Rotate logs, and update the phase of starting engines, until cancelled."""
        while True:
            self._started.clear()
            for life in list(self._lives.values()):
                try:
                    await asyncio.to_thread(logfile.rotate, life.folder.log)
                    await self._look_at_phase(life)
                except OSError as exc:
                    log.warning("%s: cannot rotate or read its log, will try again: %s", life.folder.name, exc)
            pause_s = TEND_STARTING_S if any(life.phase for life in self._lives.values()) else TEND_S
            with contextlib.suppress(asyncio.TimeoutError):
                await within(pause_s if self._lives else None, self._started.wait())

    async def _look_at_phase(self, life: Life) -> None:
        if life.phase is None:
            return
        record = life.folder.record
        text = await asyncio.to_thread(logfile.first_text, life.folder.log, since=record.log_start if record else 0)
        phase = phase_of(text)
        if phase is None:
            life.again = None  # it has bound its port
        if phase != life.phase:
            life.phase = phase
            self._ring(life.folder.engine_id)

    # --- ending ----------------------------------------------------------------------------------------------

    async def end(self, name: str) -> None:
        """Stop a life and all of its child processes, gracefully and then by force; a missing life is no error.

        The caller holds the lock. Raises PlatformUnavailable if a killed process does not end.
        """
        life = self._lives.get(name)
        if life is not None:
            life.again = None
            while life.process is None and self._lives.get(name) is life and self._tasks:  # it is being spawned
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        process = life.process if life else (await asyncio.to_thread(find_engines, self.runs)).get(name)
        if process is not None:
            if self.folder(name).record is not None:
                with contextlib.suppress(OSError):  # a full disk must not prevent the stop
                    self.folder(name).change(was_stopped=True)
            send(process, signal.SIGTERM, signal.SIGCONT)  # a stopped process acts on SIGTERM when it continues
            await wait_gone(process, self._grace_s)
        await kill_family(name, KILL_WAIT_S)
        if life is not None:
            self._exited(life)


def _death(folder: RunFolder, *, was_running: bool) -> Death:
    record = folder.record
    assert record is not None, folder.name  # noqa: S101 - only of a life that has begun
    text = logfile.last_text(folder.log, since=record.log_start)
    kills = machine.oom_kills()
    return Death(
        exit_code=record.exit_code,
        log=text,
        was_ready=was_running or READY in text,
        was_watched=record.was_watched,
        oom_killed=kills is not None and record.oom_kills is not None and kills > record.oom_kills,
    )


def _rss_mb(process: Process) -> int:
    try:
        return int(psutil.Process(process.pid).memory_info().rss) >> 20
    except psutil.Error:
        return 0

"""Begin, watch and end the processes of local engines.

What is on disk (:mod:`.runs`) and in the process table (:mod:`.processes`) is the truth; what this object
remembers only saves looking. So a gateway may die between any two steps: the record is written before the
JVM is spawned, a JVM that is not in its record is found by its argfile, and a recorded one that is gone has ended.
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
"""How long the kernel may take to end what was killed; longer means that it hangs in the kernel."""

PORT_ATTEMPTS = 3
"""How often a start is tried when somebody takes its port between the choice and the JVM's bind."""

TEND_S = 5.0
TEND_STARTING_S = 0.25
"""How often logs are kept within bounds, and how often a starting engine is asked how far it is."""


@dataclass
class Life:
    """One life that is being started or is there; ``process`` None: not spawned yet, or not again."""

    folder: RunFolder
    process: Process | None = None
    watch: Watch | None = None
    again: tuple[Engine, Credential] | None = None  # what to start it with once more if its port is lost
    attempts: int = 0
    phase: str | None = FIRST_PHASE  # what it waits for; None: it has come up

    @property
    def is_there(self) -> bool:
        """Whether it is being started, or its process is there by a direct look."""
        return self.process is None or self.process.is_alive


class LocalLives:
    """The lives of one data directory, each started once, watched and ended. ``ring`` hears of every change."""

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
        """Adopt every engine of this data directory that lives, and begin to look after their logs."""
        self.runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._spawner.locale = await asyncio.to_thread(machine.utf8_locale)
        await self.adopt()
        self._tender = asyncio.get_running_loop().create_task(self._tend())

    async def close(self) -> None:
        """Stop watching, after the starts that have begun; engines live on."""
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
        """The folder of a run, there or not; always the same object, which remembers its record."""
        return self._folders.setdefault(name, RunFolder(self.runs / name))

    def lock(self, engine_id: str) -> asyncio.Lock:
        """Held by whoever starts, ends or removes a life of this engine."""
        return self._locks.setdefault(engine_id, asyncio.Lock())

    def forget(self, name: str) -> None:
        """Forget a run whose folder was removed."""
        self._folders.pop(name, None)
        self._ends.pop(name, None)

    def find(self, name: str) -> Life | None:
        """The life of this name that is there by a direct look; one that has just ended is noted, and None."""
        life = self._lives.get(name)
        if life is not None and not life.is_there:
            self._exited(life)
            life = self._lives.get(name)  # it may be tried with other ports
        return life

    def is_lost(self, name: str) -> bool:
        """Whether a life has begun, was not seen to end, and its process is not known."""
        record = self.folder(name).record
        return name not in self._lives and record is not None and not (record.has_ended or record.is_cleaned)

    async def adopt(self) -> None:
        """Watch every engine of this data directory that lives and is not watched yet."""
        for name, process in (await asyncio.to_thread(find_engines, self.runs)).items():
            if name in self._lives or self._is_closed or not process.is_alive:
                continue
            life = self._lives[name] = Life(self.folder(name), process)
            record = life.folder.record
            if record is not None and (record.pid, record.mark, record.has_ended) != (process.pid, process.mark, False):
                with contextlib.suppress(OSError):  # the folder went, or the disk is full: it is found again
                    life.folder.change(pid=process.pid, mark=process.mark, has_ended=False)
            self._watch(life)
            self._started.set()

    def end_of(self, name: str, *, was_running: bool) -> End:
        """Why a life that has a record and is not there has ended."""
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
        """Memory of this machine, less what the live engines of this data directory were promised."""
        lives = [life for name, life in list(self._lives.items()) if name != without]
        promised = sum(life.folder.record.memory_mb for life in lives if life.folder.record)
        in_use = sum(_rss_mb(life.process) for life in lives if life.process)
        return Budget(machine.memory(), promised, in_use, len(lives))

    @property
    def locale(self) -> str:
        """The locale that engines are started with, known after :meth:`open`."""
        return self._spawner.locale

    # --- starting --------------------------------------------------------------------------------------------

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Start a life, or adopt it if it is there; a cancelled call is finished in the background."""
        task = asyncio.get_running_loop().create_task(self._start(engine, credential))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _start(self, engine: Engine, credential: Credential) -> None:
        async with self.lock(engine.id):  # its own, since the caller may give up while it goes on
            await self._start_alone(engine, credential)

    async def _start_alone(self, engine: Engine, credential: Credential) -> None:
        name = engine.run_name
        await self.adopt()
        if self.find(name) is not None:
            return
        folder = self.folder(name)
        if folder.record is not None and (folder.record.has_ended or folder.record.is_cleaned or folder.record.pid):
            raise PlatformError(f"run {engine.state_run} has ended already", reason=Reason.LOST.value)
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
        """What the other engines of this data directory hold."""
        records = [other.folder.record for other in list(self._lives.values()) if other is not life]
        ports = {port for record in records if record for port in (record.port, record.ui_port)}
        return Others(self.budget(without=life.folder.name), ports)

    # --- watching --------------------------------------------------------------------------------------------

    def _watch(self, life: Life) -> None:
        assert life.process is not None, life.folder.name  # noqa: S101 - set by both callers
        life.watch = Watch(life.process, lambda: self._exited(life))

    def _exited(self, life: Life) -> None:
        """Note that a watched process has ended; once for each."""
        name = life.folder.name
        if life.process is None or self._lives.get(name) is not life:
            return
        if life.watch is not None:
            life.watch.close()
        code = reap(life.process.pid)
        self._note_end(life.folder, code, was_watched=True)
        if life.again and life.attempts < PORT_ATTEMPTS and has_lost_port(_death(life.folder, was_running=False)):
            log.warning("%s: its port was taken while it started, trying another", name)
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
            log.warning("%s: its end could not be recorded, and is only remembered: %s", folder.name, exc)

    async def _tend(self) -> None:
        """Keep logs within bounds, and see how far the starting engines are, until cancelled."""
        while True:
            self._started.clear()
            for life in list(self._lives.values()):
                try:
                    await asyncio.to_thread(logfile.rotate, life.folder.log)
                    await self._look_at_phase(life)
                except OSError as exc:
                    log.warning("%s: its log cannot be looked after, will try again: %s", life.folder.name, exc)
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
            life.again = None  # its port is its own
        if phase != life.phase:
            life.phase = phase
            self._ring(life.folder.engine_id)

    # --- ending ----------------------------------------------------------------------------------------------

    async def end(self, name: str) -> None:
        """End a life and all that it has started, in order and then by force; what is not there has ended.

        The caller holds the lock. Raises PlatformUnavailable when a process that was killed does not go.
        """
        life = self._lives.get(name)
        if life is not None:
            life.again = None
            while life.process is None and self._lives.get(name) is life and self._tasks:  # it is being spawned
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        process = life.process if life else (await asyncio.to_thread(find_engines, self.runs)).get(name)
        if process is not None:
            if self.folder(name).record is not None:
                with contextlib.suppress(OSError):  # a full disk must not keep it from ending
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

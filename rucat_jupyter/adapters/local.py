"""Run engines as processes of this machine: the platform ``local``.

What is on disk (:mod:`.runs`) and in the process table (:mod:`.processes`) is the truth; what this object
remembers only saves looking. So a gateway may die between any two steps: a JVM that was spawned and not
recorded is found by its argfile, and a recorded one that is gone has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ..engine import Credential, Engine, EngineSpec, Reason, State, Target
from ..errors import PlatformError, PlatformUnavailable
from ..lifecycle import End, Observation, Presence, is_wanted
from ..ports import Endpoint, Leftover, Pinned, Problem
from . import logfile, machine, ports_here, spark
from .ends import Death, end_of, has_lost_port
from .localspec import Budget, Specs, heap_of, needed_mb, warehouse_of
from .processes import Process, Watch, find_engines, find_family, reap, send, start_mark, wait_gone
from .runs import Record, RunFolder, list_runs, open_private, remove, write_private

log = logging.getLogger(__name__)

STOP_GRACE_S = 10.0
"""How long an engine may take to end in order; Spark needs about one second, also when it is busy."""

KILL_WAIT_S = 10.0
"""How long the kernel may take to end what was killed; longer means that it hangs in the kernel."""

PORT_ATTEMPTS = 3

_FULL = (errno.ENOSPC, errno.EDQUOT)
_BAD_WORDS = (errno.E2BIG, errno.ENOENT, errno.ENOTDIR, errno.EACCES)

_LOG_CONFIG = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.target = SYSTEM_OUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.context.name = org.apache.spark.SparkContext
logger.context.level = info
logger.submit.name = org.apache.spark.deploy.SparkSubmit
logger.submit.level = info
logger.server.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.server.level = info
"""
"""To standard output, so that Spark's words and the JVM's own are one file in one order (:mod:`.logfile`).

Beginning and end of the engine, warnings and errors: more would be lines for each probe, query and task, with the
text of the plans in them. Whoever wants it sets ``spark.log.level``.
"""


@dataclass
class _Life:
    """What this gateway remembers of one life that it knows to be alive, or is starting."""

    folder: RunFolder
    process: Process | None = None
    watch: Watch | None = None
    again: tuple[Engine, Credential] | None = None  # what to start it with once more if its port is lost
    attempts: int = 0
    log_start: int = 0


class LocalPlatform:
    """Engines as processes of this machine, one data directory each; implements :class:`rucat_jupyter.ports.Platform`.

    Parameters
    ----------
    data_dir
        The gateway's data directory: run folders, tables and downloaded packages live there.
    boot_id
        What changes when the machine or container starts anew (default: :func:`.machine.boot_id`).
    env
        The gateway's environment (default: the process's), of which engines inherit a few variables.
    """

    name = "local"

    def __init__(
        self,
        data_dir: Path,
        *,
        boot_id: str | None = None,
        env: Mapping[str, str] | None = None,
        stop_grace_s: float = STOP_GRACE_S,
    ) -> None:
        self._data_dir = Path(os.path.realpath(data_dir))
        self._runs = self._data_dir / "runs"
        self._boot_id = machine.boot_id() if boot_id is None else boot_id
        self._specs = Specs(self._data_dir, os.environ if env is None else env)
        self._stop_grace_s = stop_grace_s
        self._site = f"local:{_digest(machine.machine_id(), str(self._data_dir))}"
        self._lives: dict[str, _Life] = {}
        self._folders: dict[str, RunFolder] = {}
        self._ends: dict[str, End] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    # --- beginning and end of this gateway ---------------------------------------------------------------

    async def open(self, installation: str) -> None:
        """Make the folders, and adopt every engine of this data directory that lives."""
        self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._adopt_all()

    async def close(self) -> None:
        """Stop watching; engines live on."""
        self._is_closed = True
        for task in list(self._tasks):
            with contextlib.suppress(PlatformError):
                await task
        for life in self._lives.values():
            if life.watch is not None:
                life.watch.close()
        self._lives.clear()
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

    # --- before a life -------------------------------------------------------------------------------------

    async def check(self, spec: EngineSpec) -> list[Problem]:
        """Everything that would stop this spec from starting here."""
        return await asyncio.to_thread(lambda: self._specs.problems(spec, self._budget()))

    async def pin(self, spec: EngineSpec) -> Pinned:
        """Fill in Python, folder, Spark version, cores and memory."""
        return await asyncio.to_thread(lambda: self._specs.pin(spec, self._budget()))

    # --- a life ----------------------------------------------------------------------------------------------

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Start the life's JVM, or adopt it if it is there. A cancelled call is finished in the background."""
        await asyncio.shield(self._own(self._start(engine, credential)))

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        """Look at lives: one listing of the run folders, and a direct look at each process that is known.

        The process table is searched only for a life that has begun and whose process is not known or has gone.
        """
        folders: dict[str, list[RunFolder]] = {}
        for folder in await asyncio.to_thread(lambda: list(list_runs(self._runs))):
            known = self._folders.setdefault(folder.name, folder)
            folders.setdefault(folder.engine_id, []).append(known)
        if any(self._is_lost(engine.run_name) for engine in engines):
            await self._adopt_all()
        return {engine.id: await self._look(engine, folders.get(engine.id, [])) for engine in engines}

    async def stop(self, engine: Engine) -> None:
        """SIGTERM, after the grace SIGKILL, for the JVM and all that it has started; returns when all are gone."""
        async with self._lock(engine.id):
            await self._end(engine.run_name)

    async def clean(self, engine: Engine) -> None:
        """Remove temp, work and argfile, and older runs; with target Deleted everything of every run."""
        async with self._lock(engine.id):
            for folder in await asyncio.to_thread(lambda: list(list_runs(self._runs))):
                if folder.engine_id != engine.id:
                    continue
                if engine.target is Target.DELETED or folder.run < engine.state_run:
                    await self._remove(folder.name, with_tables=engine.target is Target.DELETED)
                elif folder.run == engine.state_run:
                    await self._end(folder.name)
                    await asyncio.to_thread(self._clean, self._folder(folder.name))

    async def leftovers(self) -> Sequence[Leftover]:
        """Every run folder, and every live engine of this data directory."""
        found = await asyncio.to_thread(lambda: {folder.name for folder in list_runs(self._runs)})
        found |= (await asyncio.to_thread(find_engines, self._runs)).keys()
        folders = [self._folder(name) for name in sorted(found)]
        return [Leftover(folder.engine_id, folder.run, str(folder.path)) for folder in folders]

    async def remove(self, leftover: Leftover) -> None:
        """End and remove a run that no record speaks of."""
        async with self._lock(leftover.engine_id):
            await self._remove(f"rucat-{leftover.engine_id}-{leftover.run}", with_tables=True)

    async def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """Lines of the life's log; it is what Spark logs, and all that the JVM and its children print."""
        name = engine.run_name
        async for line in logfile.lines(
            self._folder(name).log, tail, (lambda: self._lives_now(name)) if follow else None
        ):
            yield line

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        """The engine's address on loopback, from its run's record."""
        record = self._folder(engine.run_name).record
        if record is None or record.has_ended or record.boot_id != self._boot_id:
            return None
        ui_url = f"http://127.0.0.1:{record.ui_port}" if record.has_ui else None
        return Endpoint("127.0.0.1", record.port, ui_url)

    async def changes(self) -> AsyncIterator[str]:
        """Ids of engines whose process has just ended."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while not self._is_closed and (engine_id := await queue.get()) is not None:
                yield engine_id
        finally:
            self._listeners.discard(queue)

    # --- starting --------------------------------------------------------------------------------------------

    async def _start(self, engine: Engine, credential: Credential) -> None:
        async with self._lock(engine.id):
            name = engine.run_name
            if self._lives_now(name):
                return
            await self._adopt_all()
            if self._lives_now(name):
                return
            folder = self._folder(name)
            if folder.record is not None:
                raise PlatformError(f"run {engine.state_run} has ended already", reason=Reason.LOST.value)
            for other in [life.folder.name for life in self._lives.values() if life.folder.engine_id == engine.id]:
                await self._end(other)
            life = self._lives[name] = _Life(folder, again=(engine, credential))
            try:
                await self._spawn(life, engine, credential)
            except BaseException:
                self._lives.pop(name, None)
                await asyncio.to_thread(folder.remove)
                self._folders.pop(name, None)
                raise

    async def _spawn(self, life: _Life, engine: Engine, credential: Credential) -> None:
        try:
            life.process = await asyncio.to_thread(self._spawn_now, life, engine, credential)
        except OSError as exc:
            reason = (
                Reason.NO_SPACE if exc.errno in _FULL else Reason.CONFIG_INVALID if exc.errno in _BAD_WORDS else None
            )
            raise PlatformError(
                f"the engine's process could not be started: {exc}", reason=(reason or Reason.CRASH_ON_START).value
            ) from exc
        self._watch(life)

    def _spawn_now(self, life: _Life, engine: Engine, credential: Credential) -> Process:
        folder = life.folder
        refusal = self._budget(without=folder.name).refusal(heap_of(engine.spec))
        if refusal:
            raise PlatformError(refusal, reason=Reason.NO_MEMORY.value)
        conf = {**engine.spec.conf, **credential.conf}
        asked_ui = conf.get(spark.UI_PORT_CONF, "")
        port, ui_port = self._ports(folder, is_again=life.attempts > 0)
        ui_port = int(asked_ui) if asked_ui.isdigit() and int(asked_ui) else ui_port
        folder.make()
        words = self._specs.words(engine, credential, folder, port, ui_port)
        write_private(folder.conf / "log4j2.properties", _LOG_CONFIG.encode())
        write_private(folder.argfile, words.argfile)
        folder.write(
            Record(
                boot_id=self._boot_id,
                port=port,
                ui_port=ui_port,
                memory_mb=needed_mb(heap_of(engine.spec)),
                has_ui=conf.get(spark.UI_ENABLED_CONF, "true").lower() != "false",
                oom_kills=machine.oom_kills(),
            )
        )
        with open_private(folder.log, os.O_APPEND) as out:
            life.log_start = out.tell()
            child = subprocess.Popen(  # noqa: S603 - the chosen Java, without a shell
                [words.java.executable, f"@{folder.argfile}"],
                env=dict(words.env),
                cwd=words.directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        child.returncode = 0  # not true: it keeps Popen from waiting for it or warning of it; `reap` does that
        process = Process(child.pid, start_mark(child.pid) or "")
        folder.change(pid=process.pid, mark=process.mark)
        life.attempts += 1
        return process

    def _ports(self, folder: RunFolder, *, is_again: bool) -> tuple[int, int]:
        """Ports for Connect and UI: those of the last run where they are free."""
        earlier = [
            f for f in list_runs(self._runs) if f.engine_id == folder.engine_id and f.run < folder.run and f.record
        ]
        last = max(earlier, key=lambda f: f.run).record if earlier and not is_again else None
        taken = {p for life in self._lives.values() if (r := life.folder.record) for p in (r.port, r.ui_port)}
        return ports_here.choose(last.port if last else None, last.ui_port if last else None, taken)

    def _budget(self, without: str = "") -> Budget:
        """Memory of this machine, less what the live engines of this data directory were promised."""
        lives = [life for name, life in list(self._lives.items()) if name != without and life.folder.record]
        promised = sum(life.folder.record.memory_mb for life in lives if life.folder.record)
        in_use = sum(_rss_mb(life.process) for life in lives if life.process)
        return Budget(machine.memory(), promised, in_use, len(lives))

    # --- watching --------------------------------------------------------------------------------------------

    def _watch(self, life: _Life) -> None:
        assert life.process is not None, life.folder.name  # noqa: S101 - set by both callers
        life.watch = Watch(life.process, lambda: self._exited(life))

    async def _adopt_all(self) -> None:
        """Watch every engine of this data directory that lives and is not watched yet."""
        for name, process in (await asyncio.to_thread(find_engines, self._runs)).items():
            if name in self._lives or self._is_closed:
                continue
            life = self._lives[name] = _Life(self._folder(name), process)
            record = life.folder.record
            if record is not None and (record.pid, record.mark) != (process.pid, process.mark):
                with contextlib.suppress(OSError):  # the folder went, or the disk is full: it is found again
                    life.folder.change(pid=process.pid, mark=process.mark)
            self._watch(life)

    def _exited(self, life: _Life) -> None:
        """Note that a watched process has ended; once for each."""
        assert life.process is not None, life.folder.name  # noqa: S101 - only watched processes end
        code = reap(life.process.pid)
        name = life.folder.name
        if life.again and life.attempts < PORT_ATTEMPTS and has_lost_port(self._death(life.folder, code, life)):
            log.warning("%s: its port was taken while it started, trying another", name)
            life.process = life.watch = None
            self._own(self._spawn_again(life))
            return
        self._lives.pop(name, None)
        self._note_end(life.folder, code, was_watched=True)
        self._ring(life.folder.engine_id)

    async def _spawn_again(self, life: _Life) -> None:
        assert life.again is not None, life.folder.name  # noqa: S101 - checked by the caller
        async with self._lock(life.folder.engine_id):
            if self._lives.get(life.folder.name) is not life:
                return  # stopped meanwhile
            try:
                await self._spawn(life, *life.again)
            except PlatformError as exc:
                self._lives.pop(life.folder.name, None)
                self._ends[life.folder.name] = End(Reason(exc.details["reason"]), exc.message)
                self._note_end(life.folder, None, was_watched=True)
                self._ring(life.folder.engine_id)

    def _note_end(self, folder: RunFolder, exit_code: int | None, *, was_watched: bool) -> None:
        if folder.record is None:
            return
        try:
            folder.change(has_ended=True, exit_code=exit_code, was_watched=was_watched)
        except OSError as exc:
            log.warning("%s: its end could not be recorded, and is remembered: %s", folder.name, exc)

    def _ring(self, engine_id: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(engine_id)

    # --- looking ---------------------------------------------------------------------------------------------

    def _lives_now(self, name: str) -> bool:
        """Whether the life is being started, or its process is there by a direct look."""
        life = self._lives.get(name)
        return life is not None and (life.process is None or life.process.is_alive)

    def _is_lost(self, name: str) -> bool:
        """Whether a life has begun, was not seen to end, and its process is not known."""
        record = self._folder(name).record
        return name not in self._lives and record is not None and not (record.has_ended or record.is_cleaned)

    async def _look(self, engine: Engine, folders: Iterable[RunFolder]) -> Observation:
        name = engine.run_name
        life = self._lives.get(name)
        if life is not None and not self._lives_now(name) and life.watch is not None:
            life.watch.close()
            self._exited(life)
        if self._lives_now(name):
            await asyncio.to_thread(logfile.rotate, self._folder(name).log)
            return Observation(Presence.ALIVE)
        there = {folder.run: folder for folder in folders if folder.path.is_dir()}
        folder = there.get(engine.state_run)
        record = folder.record if folder else None
        if folder and record and not record.is_cleaned:
            return Observation(Presence.ENDED, end=await asyncio.to_thread(self._end_seen, engine, folder, record))
        if engine.target is Target.DELETED and there:
            return Observation(Presence.ENDED, end=End(None, "stopped"))
        if folder and record is None and not is_wanted(engine):
            return Observation(Presence.ENDED, end=End(None, "stopped before it started"))
        return Observation(Presence.ABSENT)

    def _end_seen(self, engine: Engine, folder: RunFolder, record: Record) -> End:
        if folder.name not in self._ends:
            if not record.has_ended:
                self._note_end(folder, None, was_watched=False)
            if record.boot_id != self._boot_id:
                self._ends[folder.name] = End(None, "machine restarted")
            else:
                was_ready = engine.state is State.RUNNING
                self._ends[folder.name] = end_of(self._death(folder, record.exit_code, None, was_ready=was_ready))
        return self._ends[folder.name]

    def _death(self, folder: RunFolder, code: int | None, life: _Life | None, *, was_ready: bool = False) -> Death:
        record = folder.record
        kills, now = record.oom_kills if record else None, machine.oom_kills()
        text = logfile.last_text(folder.log)
        return Death(
            code,
            text,
            was_ready,
            was_watched=life is not None or bool(record and record.was_watched),
            oom_killed=kills is not None and now is not None and now > kills,
        )

    # --- ending ----------------------------------------------------------------------------------------------

    async def _end(self, name: str) -> None:
        """End a life and all that it has started; what is not there has ended."""
        life = self._lives.get(name)
        process = life.process if life else (await asyncio.to_thread(find_engines, self._runs)).get(name)
        if life is not None and process is None:
            self._lives.pop(name)  # between two attempts to start
        if process is not None:
            send(process, signal.SIGTERM, signal.SIGCONT)  # a stopped process acts on SIGTERM when it continues
            await wait_gone(process, self._stop_grace_s)
        for _ in range(3):  # a process that was being forked is found by the next pass
            family = await asyncio.to_thread(find_family, name)
            if not family:
                break
            for member in family:
                send(member, signal.SIGKILL)
            for member in family:
                if not await wait_gone(member, KILL_WAIT_S):
                    raise PlatformUnavailable(f"process {member.pid} of {name} was killed and is still there")
        if life is not None and life.watch is not None and self._lives.get(name) is life:
            life.watch.close()
            self._exited(life)

    async def _remove(self, name: str, *, with_tables: bool) -> None:
        await self._end(name)
        await asyncio.to_thread(self._folder(name).remove)
        if with_tables:
            await asyncio.to_thread(remove, warehouse_of(self._data_dir, name))
        self._folders.pop(name, None)
        self._ends.pop(name, None)

    def _clean(self, folder: RunFolder) -> None:
        folder.clean()
        with contextlib.suppress(OSError):  # it holds tables, or is not there
            warehouse_of(self._data_dir, folder.name).rmdir()
        if folder.record is None:
            folder.remove()
        else:
            folder.change(is_cleaned=True, has_ended=True)

    def _folder(self, name: str) -> RunFolder:
        folder = self._folders.get(name)
        if folder is None:
            folder = self._folders[name] = RunFolder(self._runs / name)
        return folder

    def _lock(self, engine_id: str) -> asyncio.Lock:
        return self._locks.setdefault(engine_id, asyncio.Lock())

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _rss_mb(process: Process) -> int:
    try:
        return int(psutil.Process(process.pid).memory_info().rss) >> 20
    except psutil.Error:
        return 0


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]

"""Spawn the JVM of a local engine: ports, record, argfile, process, in an order that is safe in a crash."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ...core.engine import Credential, Engine, Reason
from ...core.errors import PlatformError
from ...host import free_ports, machine
from ...host.budget import Budget, needed_mb
from ...host.private_files import open_private, write_private
from ...host.processes import start_mark
from ...spark import command
from .command import Words, has_ui, words_of
from .processes import Process, wait_until_named
from .run_folder import Record, RunFolder, list_runs
from .spec import LocalSpecs, heap_mb

log = logging.getLogger(__name__)

_REASONS = {
    errno.ENOSPC: Reason.NO_SPACE,
    errno.EDQUOT: Reason.NO_SPACE,
    errno.E2BIG: Reason.CONFIG_INVALID,
    errno.ENOENT: Reason.CONFIG_INVALID,
    errno.ENOTDIR: Reason.CONFIG_INVALID,
    errno.EACCES: Reason.CONFIG_INVALID,
}


@dataclass(frozen=True)
class Others:
    """Resources of the other live engines: reserved memory, and ports that they may not have bound yet."""

    budget: Budget
    ports: Collection[int]


class Spawner:
    """Spawns JVMs of one data directory; blocking, so call it in a thread."""

    def __init__(self, data_dir: Path, specs: LocalSpecs, boot_id: str) -> None:
        self.locale = "C.UTF-8"
        self._data_dir = data_dir
        self._specs = specs
        self._boot_id = boot_id
        self._lock = threading.Lock()

    def spawn(
        self, folder: RunFolder, engine: Engine, credential: Credential, others: Callable[[], Others], *, is_again: bool
    ) -> Process:
        """Write the record without a pid, spawn, write the pid; PlatformError with the reason if it cannot start.

        ``is_again`` chooses new ports.
        """
        try:
            with self._lock:  # one at a time, so that none counts memory and ports of another as free
                held = others()
                self._record(folder, engine, credential, self._ports(folder, held.ports, is_again=is_again))
            refusal = held.budget.refusal(heap_mb(engine.spec))
            if refusal:
                raise PlatformError(refusal, reason=Reason.NO_MEMORY.value)
            words = words_of(self._specs, self._data_dir, folder, engine, credential, locale=self.locale)
            write_private(folder.conf / "log4j2.properties", command.LOG_CONFIG.encode())
            write_private(folder.argfile, words.argfile)
            process = _popen(folder, words, self._specs.umask)
            folder.change(pid=process.pid, mark=process.mark)
        except OSError as exc:
            reason = _REASONS.get(exc.errno or 0, Reason.CRASH_ON_START)
            raise PlatformError(f"the engine's process could not be started: {exc}", reason=reason.value) from exc
        return process

    def _record(self, folder: RunFolder, engine: Engine, credential: Credential, ports: tuple[int, int]) -> None:
        folder.make()
        folder.write(
            Record(
                boot_id=self._boot_id,
                port=ports[0],
                ui_port=ports[1],
                memory_mb=needed_mb(heap_mb(engine.spec)),
                has_ui=has_ui({**engine.spec.conf, **credential.conf}),
                oom_kills=machine.oom_kills(),
                log_start=folder.log.stat().st_size if folder.log.is_file() else 0,
            )
        )

    def _ports(self, folder: RunFolder, taken: Collection[int], *, is_again: bool) -> tuple[int, int]:
        """Ports for Connect and UI: those of the last run if they are free."""
        runs = list_runs(folder.path.parent)
        earlier = [run for run in runs if run.engine_id == folder.engine_id and run.run < folder.run and run.record]
        last = max(earlier, key=lambda run: run.run).record if earlier and not is_again else None
        return free_ports.choose(last.port if last else None, last.ui_port if last else None, taken)


def take_back(folder: RunFolder) -> None:
    """Remove everything of a failed start, except the ports for the next run."""
    try:
        folder.clean()
        if folder.record is not None:
            folder.change(has_ended=True, is_cleaned=True)
        else:
            folder.remove()
    except OSError as exc:
        log.warning("%s: cannot remove the remains of a failed start yet: %s", folder.name, exc)


def _popen(folder: RunFolder, words: Words, umask: int) -> Process:
    with open_private(folder.log, os.O_APPEND) as out:
        child = subprocess.Popen(  # noqa: S603 - the chosen Java, without a shell
            [words.executable, f"@{folder.argfile}"],
            env=dict(words.env),
            cwd=words.directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            umask=umask,
        )
    wait_until_named(child.pid, f"@{folder.argfile}")
    child.returncode = 0  # not the real code: Popen must not wait for the process or warn about it; `reap` does that
    return Process(child.pid, start_mark(child.pid) or "")

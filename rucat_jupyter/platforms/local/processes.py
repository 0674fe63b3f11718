"""Find, monitor and stop the processes of engines, and never touch other processes.

A pid alone does not identify a process, because pids are reused. A process belongs to an engine if its command line has
the run's argfile, or (its workers) if its environment names the run; a known process is the same one as long as its
start mark is the same. A zombie counts as ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ...core.errors import PlatformUnavailable
from ...core.timeouts import within
from ...host.processes import start_mark

RUN_ENV = "SPARK_RUCAT_RUN"
"""The environment variable that marks an engine and all of its child processes, in any session.

Not ``RUCAT_…``: a gateway inherits those from the process that starts it, and a gateway is not part of an engine.
"""

POLL_S = 0.2
"""Polling interval where the system cannot report the end of a process."""


@dataclass(frozen=True)
class Process:
    """One process: its pid, and its start time by the kernel, which makes it unique."""

    pid: int
    mark: str

    @property
    def is_alive(self) -> bool:
        """Whether this process still runs now."""
        return start_mark(self.pid) == self.mark


def find_engines(runs: Path) -> dict[str, Process]:
    """The live engines whose argfile is in this folder, by run name, from one pass over all processes.

    A child of the JVM has the JVM's command line until it executes its own program: the oldest is the engine.
    """
    found: dict[str, Process] = {}
    prefix, suffix = f"@{runs}{os.sep}", f"{os.sep}java.args"
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            for word in psutil.Process(pid).cmdline()[:4]:
                if word.startswith(prefix) and word.endswith(suffix):
                    mark = start_mark(pid)
                    if mark is not None:
                        name, process = word[len(prefix) : -len(suffix)], Process(pid, mark)
                        found[name] = min(found.get(name, process), process, key=lambda p: float(p.mark))
    return found


def wait_until_named(pid: int, word: str, timeout_s: float = 1.0) -> None:
    """Wait until a new process can be found by this word of its command line.

    While the kernel replaces the program of a process, its command line is empty for a moment after the spawn.
    """
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(psutil.Error, OSError):  # it has already ended
        process = psutil.Process(pid)
        while word not in process.cmdline() and time.monotonic() < deadline:
            time.sleep(0.001)


def find_family(run_name: str) -> list[Process]:
    """All live processes of this run's engine, itself included, in any session."""
    return list(_family(run_name))


def _family(run_name: str) -> Iterator[Process]:
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if psutil.Process(pid).environ().get(RUN_ENV) == run_name:
                mark = start_mark(pid)
                if mark is not None:
                    yield Process(pid, mark)


def send(process: Process, *signals: signal.Signals) -> None:
    """Send signals to this process; does nothing if it has ended."""
    with contextlib.suppress(ProcessLookupError):
        for number in signals:
            if process.is_alive:
                os.kill(process.pid, number)


async def kill_family(run_name: str, timeout_s: float) -> None:
    """Kill an engine and its children until none is left; PlatformUnavailable if one does not end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while family := await asyncio.to_thread(find_family, run_name):
        for member in family:
            send(member, signal.SIGKILL)
        for member in family:
            if not await wait_gone(member, max(0.0, deadline - loop.time())):
                raise PlatformUnavailable(f"process {member.pid} of {run_name} still runs after SIGKILL")


def reap(pid: int) -> int | None:
    """The exit code of an ended child (negative: the signal that killed it); None if it is not our child."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


async def wait_gone(process: Process, timeout_s: float) -> bool:
    """Wait until the process has ended; False after the timeout."""
    ended = asyncio.Event()
    watch = Watch(process, ended.set)
    try:
        await within(timeout_s, ended.wait())
    except asyncio.TimeoutError:
        return not process.is_alive
    finally:
        watch.close()
    return True


class Watch:
    """Calls ``on_exit`` once, on the event loop, when a process has ended, which need not be a child.

    Uses a pidfd if the kernel supports it (Linux 5.3), else polls every :data:`POLL_S` seconds.
    """

    def __init__(self, process: Process, on_exit: Callable[[], None]) -> None:
        self._process = process
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._fd = _pidfd(process.pid)
        self._timer: asyncio.Handle | None = None
        if self._fd is None or not process.is_alive:  # the latter: it has ended, and another process may have its pid
            self._timer = self._loop.call_soon(self._look)
        else:
            self._loop.add_reader(self._fd, self._ended)

    def close(self) -> None:
        """Stop watching; safe to call twice."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _look(self) -> None:
        if self._process.is_alive:
            self._timer = self._loop.call_later(POLL_S, self._look)
        else:
            self._ended()

    def _ended(self) -> None:
        self.close()
        self._on_exit()


def _pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None if the system does not support it."""
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    try:
        return int(opener(pid))
    except OSError:  # no such process (the caller looks again), an old kernel, a sandbox, or no descriptor left
        return None

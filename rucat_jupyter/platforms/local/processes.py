"""Find, watch and end the processes of engines, and never touch anybody else's.

A pid says nothing by itself: it is used again. A process is an engine's own when its command line names the
run's argfile, or (its workers) when its environment names the run; a known process is the same one as
long as its start mark is. A zombie is dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ...core.errors import PlatformUnavailable
from ...core.timeouts import within

RUN_ENV = "SPARK_RUCAT_RUN"
"""The environment variable that marks an engine and all that it starts, whatever session they are in.

Not ``RUCAT_…``: those go from whoever starts a gateway to the gateway, which is no part of an engine.
"""

POLL_S = 0.2
"""How often a process is looked at where the system cannot tell when it ends."""


@dataclass(frozen=True)
class Process:
    """One process, by its pid and what makes that unique: its start in the kernel's own count."""

    pid: int
    mark: str

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs, by a direct look."""
        return start_mark(self.pid) == self.mark


def start_mark(pid: int) -> str | None:
    """What tells a live process from another that had or will have its pid; None when none lives there.

    On Linux the start time in clock ticks since boot, which no change of the clock moves. A process that was killed
    shows as a zombie as soon as its first thread is gone; it has ended, and can be reaped, when all others are too.
    """
    if sys.platform != "linux":
        return _start_mark_by_psutil(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    state, threads, mark = fields[0], int(fields[17]), fields[19]  # proc(5): fields 3, 20 and 22
    has_ended = state in "Xx" or (state == "Z" and threads <= 1)
    return None if has_ended else mark


def find_engines(runs: Path) -> dict[str, Process]:
    """The live engines whose argfile is in this folder, by run name, from one pass over all processes.

    A child of the JVM has the JVM's command line until it runs its own program: the oldest is the engine.
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
    """Wait until a process that was just spawned can be found by this word of its command line.

    While the kernel replaces a process's program, its command line is empty for a moment, although the spawn is over.
    """
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(psutil.Error, OSError):  # it has ended already, and is found by nothing any more
        process = psutil.Process(pid)
        while word not in process.cmdline() and time.monotonic() < deadline:
            time.sleep(0.001)


def find_family(run_name: str) -> list[Process]:
    """Every live process that the engine of this run has started, itself included, whatever session it is in."""
    return list(_family(run_name))


def _family(run_name: str) -> Iterator[Process]:
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if psutil.Process(pid).environ().get(RUN_ENV) == run_name:
                mark = start_mark(pid)
                if mark is not None:
                    yield Process(pid, mark)


def send(process: Process, *signals: signal.Signals) -> None:
    """Send signals to this very process; one that has ended gets nothing."""
    with contextlib.suppress(ProcessLookupError):
        for number in signals:
            if process.is_alive:
                os.kill(process.pid, number)


async def kill_family(run_name: str, timeout_s: float) -> None:
    """Kill an engine and all that it has started, until a look finds nothing; PlatformUnavailable if they do not go."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while family := await asyncio.to_thread(find_family, run_name):
        for member in family:
            send(member, signal.SIGKILL)
        for member in family:
            if not await wait_gone(member, max(0.0, deadline - loop.time())):
                raise PlatformUnavailable(f"process {member.pid} of {run_name} was killed and is still there")


def reap(pid: int) -> int | None:
    """The exit code of an ended child (negative: the signal that killed it); None if it is not a child of ours."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


async def wait_gone(process: Process, timeout_s: float) -> bool:
    """Wait until the process has ended; False when it has not in time."""
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
    """Calls ``on_exit`` once, on the event loop, as soon as a process has ended; a child or not.

    By a pidfd where the kernel has them (Linux 5.3), else by looking every :data:`POLL_S` seconds.
    """

    def __init__(self, process: Process, on_exit: Callable[[], None]) -> None:
        self._process = process
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._fd = _pidfd(process.pid)
        self._timer: asyncio.Handle | None = None
        if self._fd is None or not process.is_alive:  # the second: it ended, and its pid may be another's by now
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
    """A descriptor that becomes readable when the process ends; None where the system has none."""
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    try:
        return int(opener(pid))
    except OSError:  # no such process (the caller looks again), an old kernel, a sandbox, or no descriptor left
        return None


def _start_mark_by_psutil(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return None

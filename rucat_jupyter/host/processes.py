"""Which process is which: a pid alone does not say, because pids are reused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil


def start_mark(pid: int) -> str | None:
    """A mark that differs between processes with the same pid; None if there is no live process.

    On Linux the start time in clock ticks since boot, which does not depend on the clock. A killed process becomes a
    zombie as soon as its first thread is gone; it has ended, and can be reaped, when all threads are gone.
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


def sees_itself(proc: Path = Path("/proc")) -> bool:
    """Whether :func:`start_mark` knows this process by its pid: ``/proc`` may be that of another PID namespace."""
    if sys.platform != "linux":
        return True
    try:
        return str((proc / "self").readlink()) == str(os.getpid())
    except OSError:
        return False


def _start_mark_by_psutil(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return None

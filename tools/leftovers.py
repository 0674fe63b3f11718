"""Finds processes that still use a folder: a run started them there and did not end them."""

from __future__ import annotations

import contextlib
import os
import time

import psutil


def left_processes(folder: str, wait_s: float = 10.0) -> list[psutil.Process]:
    """Find processes with the folder in an argument, in their environment, or as working directory.

    This process, its parents, and processes that end within ``wait_s`` do not count.
    """
    deadline = time.monotonic() + wait_s
    mine = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    while left := [p for p in psutil.process_iter() if p.pid not in mine and _knows(p, folder)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


def describe_and_kill(process: psutil.Process) -> str:
    """Kill a process; return its description."""
    text = f"{process.pid}"
    with contextlib.suppress(psutil.Error):
        text += " " + " ".join(process.cmdline())[:300]
        process.kill()
    return text


def _knows(process: psutil.Process, folder: str) -> bool:
    with contextlib.suppress(psutil.Error):
        arguments = process.cmdline()  # a zombie has none
        if not arguments or any("multiprocessing.resource_tracker" in a for a in arguments):
            return False  # Python's tracker, which ends with this process
        if any(folder in argument for argument in arguments) or process.cwd().startswith(folder):
            return True
        return any(folder in value for value in process.environ().values())
    return False

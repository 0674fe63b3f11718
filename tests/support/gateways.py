"""Real gateway processes of a private data directory, ended with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from rucat_jupyter.launch import datadir, launch

from .place import wait_until

START_S = 30.0  # a cold start on a busy machine


@contextmanager
def gateways(directory: Path | None = None) -> Iterator[Path]:
    """A data directory whose gateway is ended at the end, whatever it is by then."""
    directory = directory or datadir.data_dir()
    try:
        yield directory
    finally:
        with contextlib.suppress(psutil.NoSuchProcess, TypeError):
            psutil.Process(pid_of(directory)).send_signal(signal.SIGCONT)  # a test may have frozen it
        launch.stop(directory)


def start(directory: Path | None = None) -> launch.Address:
    """Find or start the gateway, with patience."""
    return launch.ensure(directory, wait_s=START_S)


def pid_of(directory: Path) -> int | None:
    """The pid that gateway.json names."""
    found = datadir.read(directory)
    return found.pid if found else None


def wait_for_end(pid: int, deadline_s: float) -> None:
    wait_until(f"the end of process {pid}", lambda: not datadir.process_start(pid), deadline_s)


def raw(address: launch.Address, timeout_s: float = 60) -> httpx.Client:
    """A client of this very gateway, that looks for no other."""
    transport = httpx.HTTPTransport(uds=address.socket)
    return httpx.Client(transport=transport, base_url="http://rucat", timeout=timeout_s)


def python(code: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
    """A Python process with the test's environment."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

"""Finds the gateway of a data directory; starts, stops or replaces it; for kernels, Jupyter servers and scripts.

Light at import: only the standard library, other modules on demand. Concurrent callers get the same gateway: a caller
that finds none takes ``start.lock``, looks again, and starts it; the gateway holds ``gateway.lock`` while it runs.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import GatewayUnavailable
from ..host import kubeconfig
from . import datadir
from .datadir import API, Record, data_dir

logger = logging.getLogger(__name__)

WAIT_S = 30.0
"""How long a caller waits for a gateway: a start takes 1.5 s, and about ten on a very busy machine."""
NOTICE_S = 5.0
"""A wait for another process is reported after this long."""
ANSWER_S = 5.0
"""How long a running gateway may take to respond; a frozen one never does."""
END_S = 5.0
"""How long a gateway may take to exit; its own limit is 3 s. After that ``stop`` kills it."""

KEPT = re.compile(r"JUPYTER_(?!TOKEN)\w+|RUCAT_\w+")
"""Variables that a gateway inherits beside those for clusters and their credential plugins."""


@dataclass(frozen=True)
class Address:
    """The address, version and process of a listening gateway."""

    data_dir: Path
    socket: str
    pid: int
    version: str
    api: int


def find(directory: Path | None = None) -> Address | None:
    """Find the gateway of a data directory; None if none listens.

    Raises GatewayUnavailable if a gateway on another machine holds the directory. Takes less than a millisecond.
    """
    return _find(directory or data_dir(), may_watch=False)


def check(directory: Path | None = None, waited_s: float = 0.0) -> None:
    """Raise GatewayUnavailable with what to do if a gateway listens, but does not respond within :data:`ANSWER_S`.

    ``waited_s`` is how long the caller has already waited for it.
    """
    if address := find(directory):
        _answers(address, time.monotonic() + ANSWER_S - waited_s)


def ensure(directory: Path | None = None, wait_s: float = WAIT_S) -> Address:
    """Find the gateway, or start it and wait until it responds.

    Raises GatewayUnavailable with one line: why none is available, or that it is still starting after ``wait_s``.
    """
    directory = datadir.prepare(directory or data_dir())
    wait = _Wait(directory / "start.lock", wait_s)
    deadline = wait.deadline
    while True:
        if (address := _find(directory)) and _answers(address, deadline):
            return _check_api(address)
        with datadir.lock(directory / "start.lock", 0) as is_mine:
            if is_mine and not _find(directory):
                _start(directory, deadline)
                continue
        if not wait.goes_on():
            why = "" if is_mine else f": {datadir.holder(directory / 'start.lock')}"
            raise GatewayUnavailable(
                f"the gateway of {directory} is still starting after {wait_s:.0f} s{why}; try again"
            )


def stop(directory: Path | None = None, *, engines: bool = False, wait_s: float = 120.0) -> bool:
    """Stop the gateway, with ``engines`` all of its engines first; returns whether there was a gateway.

    A gateway that does not exit within :data:`END_S` is killed; engines keep running. With ``engines`` it has
    ``wait_s`` to stop them; raises GatewayUnavailable if that is not enough.
    """
    directory = directory or data_dir()
    datadir.reach(directory)
    if engines and (directory / "runs").is_dir() and any((directory / "runs").iterdir()):
        ensure(directory)  # engines may have outlived their gateway
    record = _holder(directory)
    if record is None:
        return False
    if engines:
        check(directory)  # a frozen gateway stops no engine
        os.kill(record.pid, signal.SIGUSR1)
        if not _wait_for_end(record, wait_s):
            raise GatewayUnavailable(
                f"engines of {directory} are still running after {wait_s:.0f} s; see logs/gateway.log there"
            )
        return True
    os.kill(record.pid, signal.SIGTERM)
    if not _wait_for_end(record, END_S):
        os.kill(record.pid, signal.SIGKILL)
        if not _wait_for_end(record, END_S):
            raise GatewayUnavailable(f"process {record.pid}, the gateway of {directory}, cannot be stopped")
    return True


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a gateway inherits, with absolute paths: it runs in another folder."""
    own = {name: value for name, value in environ.items() if KEPT.fullmatch(name)}
    return own | kubeconfig.portable(kubeconfig.plugin_environment(environ))


def _find(directory: Path, *, may_watch: bool = True) -> Address | None:
    datadir.reach(directory)
    record = datadir.read(directory)
    if record is None:
        return None
    if not _listens(record):
        if not record.is_here and datadir.is_held_elsewhere(directory, record, may_watch=may_watch):
            raise datadir.elsewhere(directory, record)
        return None
    return Address(directory, record.socket, record.pid, record.version, record.api)


def _listens(record: Record) -> bool:
    """Whether the process in the record listens on its socket; of one in another PID namespace the pid is 0."""
    pids = (record.pid, None) if record.is_here else (0,)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(record.socket)
        except TimeoutError:
            return record.is_here and datadir.process_start(record.pid) == record.started  # frozen, with a full queue
        except (OSError, ValueError):  # ValueError: not a path
            return False
        return _peer_pid(connection) in pids


def _peer_pid(connection: socket.socket) -> int | None:
    """Pid of the process that listens at the other end; None if the system does not report it.

    0 if it is in a PID namespace that this process does not see, pid_namespaces(7).
    """
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])
    with contextlib.suppress(OSError):
        return connection.getsockopt(0, 2)  # SOL_LOCAL, LOCAL_PEERPID in macOS' sys/un.h
    return None


def _answers(address: Address, deadline: float) -> bool:
    """Whether the gateway serves; False while it is closing, GatewayUnavailable if it does not respond."""
    patience_s = max(min(1.0, ANSWER_S), min(ANSWER_S, deadline - time.monotonic()))
    connection = http.client.HTTPConnection("rucat", timeout=patience_s)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(patience_s)
    try:
        connection.sock.connect(address.socket)
        connection.request("GET", "/rucat/health", headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status != 503 or b"gateway_unavailable" not in answer.read()
    except TimeoutError:
        raise GatewayUnavailable(
            f"the gateway (process {address.pid}) of {address.data_dir} has not responded for {ANSWER_S:g} s: "
            "it is frozen or overloaded; `rucat serve --replace` in a terminal starts a new one, engines keep running"
        ) from None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _check_api(address: Address) -> Address:
    if address.api < API:
        raise GatewayUnavailable(
            f"the gateway of {address.data_dir} is Rucat {address.version}, older than this one: "
            "`rucat serve --replace` in a terminal starts a new one, engines keep running"
        )
    return address


def _start(directory: Path, deadline: float) -> None:
    """Start the gateway, detached, and wait for its message: it serves, or why it cannot."""
    log = directory / "logs" / "start.log"
    reader, writer = os.pipe()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own module, with the current interpreter
                [sys.executable, "-m", "rucat_jupyter", "serve", "--notify", str(writer)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=environment(os.environ) | {"RUCAT_DATA_DIR": str(directory)},
                pass_fds=(writer,),
                start_new_session=True,
            )
    except OSError as exc:
        os.close(reader)
        raise GatewayUnavailable(f"cannot start a gateway in {directory}: {exc}") from exc
    finally:
        os.close(writer)
    with open(reader, "rb", buffering=0) as pipe:  # noqa: PTH123  # a descriptor
        try:
            word = _read_word(pipe.fileno(), deadline)
        finally:  # it forks and exits; the caller may be interrupted before that
            threading.Thread(target=process.wait, daemon=True).start()
    if word is None:
        raise GatewayUnavailable(f"the gateway of {directory} is still starting; try again")
    if word != "ok":
        lines = log.read_text(errors="replace").strip().splitlines()
        raise GatewayUnavailable(
            f"the gateway of {directory} did not start: {word or (lines[-1] if lines else 'it sent no message')}"
        )


def _read_word(descriptor: int, deadline: float) -> str | None:
    """Read the starting gateway's message until it closes its end; None after the deadline."""
    said = b""
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not (piece := os.read(descriptor, 4096)):
            return said.decode(errors="replace").strip()
        said += piece
    return None


def _holder(directory: Path) -> Record | None:
    """The gateway that we may signal: on this machine, with that pid and start time, and with the lock; else None.

    A gateway that is starting or closing has no record: wait for it.
    """
    wait = _Wait(directory / "gateway.lock", WAIT_S)
    while (directory / "gateway.lock").exists():
        with datadir.lock(directory / "gateway.lock", 0) as is_free:
            if is_free:
                return None
        record = datadir.read(directory)
        if record and not record.is_here and datadir.is_held_elsewhere(directory, record):
            raise datadir.elsewhere(directory, record)
        if record and record.is_here and datadir.process_start(record.pid) == record.started:
            return record
        if not wait.goes_on():
            raise GatewayUnavailable(
                f"{datadir.holder(directory / 'gateway.lock')}, but is not its gateway: end that process, "
                "or set RUCAT_DATA_DIR to another folder"
            )
    return None


class _Wait:
    """A wait for the holder of a lock, which is reported after :data:`NOTICE_S`."""

    def __init__(self, path: Path, wait_s: float) -> None:
        self._path = path
        self._notice = time.monotonic() + NOTICE_S
        self.deadline = time.monotonic() + wait_s

    def goes_on(self) -> bool:
        """Pause; False after the deadline."""
        if time.monotonic() >= self._notice:
            self._notice = float("inf")
            logger.warning("rucat: waiting: %s", datadir.holder(self._path))
        time.sleep(0.03)
        return time.monotonic() < self.deadline


def _wait_for_end(record: Record, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while datadir.process_start(record.pid) == record.started:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.03)
    return True

"""The data directory: its path, and the record of its gateway in ``gateway.json``.

Only the standard library at import, because kernels and Jupyter servers import this too. We do not trust
``gateway.json`` alone: a record of this machine is valid if its process listens on its socket
(:mod:`rucat_jupyter.launch.launch`), one of another machine while its heartbeat changes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..core.errors import GatewayUnavailable
from ..host.patience import within

API = 1
"""Version of the REST interface: clients use a gateway of the same or a newer version."""
BEAT_S = 10.0
"""How often a gateway writes its heartbeat."""
HELD_S = 60.0
"""A record of another machine with a newer heartbeat holds the directory; locks may not work across machines."""
HANG_S = 5.0
"""How long we wait for the file system of the directory: a file or lock server of NFS may never answer."""
MAX_SOCKET_PATH_BYTES = 100  # sun_path has 108 bytes on Linux and 104 on macOS, unix(7)


@dataclass(frozen=True)
class Record:
    """``gateway.json``: the gateway's process and socket; times are seconds since 1970."""

    pid: int
    started: str  # of process_start: detects a reused pid
    host: str
    machine: str
    version: str
    api: int
    socket: str
    heartbeat: float

    @property
    def is_here(self) -> bool:
        """Whether it is of this boot of this machine, or of this container."""
        return self.machine == machine()


def data_dir() -> Path:
    """Find the data directory: ``RUCAT_DATA_DIR``, or ``rucat`` in Jupyter's data directory."""
    if asked := os.environ.get("RUCAT_DATA_DIR"):
        path = Path(asked).expanduser()
    else:
        from jupyter_core.paths import jupyter_data_dir  # noqa: PLC0415 - heavy, and not needed above

        path = Path(jupyter_data_dir()) / "rucat"
    try:
        return within(HANG_S, path.resolve, str(path))
    except FileNotFoundError:  # a relative path needs the working directory
        raise GatewayUnavailable(
            f"RUCAT_DATA_DIR is {asked}, relative to a working directory that does not exist: "
            "change to another one, or set an absolute path"
        ) from None
    except TimeoutError as exc:
        raise unwritable(path, exc) from exc


def reach(directory: Path) -> None:
    """Raise GatewayUnavailable if the file system of the directory does not answer."""
    try:
        within(HANG_S, lambda: os.path.lexists(directory), str(directory))
    except TimeoutError as exc:
        raise unwritable(directory, exc) from exc


def prepare(directory: Path) -> Path:
    """Create the directory with access for this user only, or raise GatewayUnavailable with what to do."""
    if sys.platform == "win32":
        raise GatewayUnavailable("Rucat runs on Linux; on Windows use it inside WSL")
    try:
        within(HANG_S, lambda: _prepare(directory), str(directory))
    except OSError as exc:
        raise unwritable(directory, exc) from exc
    return directory


def _prepare(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise GatewayUnavailable(
            f"{directory} belongs to uid {found.st_uid}, not to you: set RUCAT_DATA_DIR to your own folder"
        )
    if found.st_mode & 0o077:
        directory.chmod(0o700)
    (directory / "logs").mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(directory / "start.lock", os.O_RDWR | os.O_CREAT, 0o600))  # a read-only home fails here


def unwritable(directory: Path, exc: OSError) -> GatewayUnavailable:
    """Build the error for a directory that cannot be used."""
    return GatewayUnavailable(
        f"cannot use {directory} as Rucat's data directory: {exc.strerror or exc}; "
        "set RUCAT_DATA_DIR to a writable folder on this machine"
    )


def read(directory: Path) -> Record | None:
    """Read ``gateway.json``; None if there is none, or if it is not a valid record."""
    try:
        found = json.loads((directory / "gateway.json").read_bytes())
        values = {name: kind(found[name]) for name, kind in _FIELDS.items()}
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return Record(**values)


def write(directory: Path, record: Record) -> Record:
    """Write ``gateway.json`` (0600) atomically, with the current time as heartbeat; returns the new record."""
    record = replace(record, heartbeat=round(time.time(), 3))
    fresh = directory / f".gateway.json.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  # a descriptor, for its mode
        json.dump(asdict(record), file)
    fresh.replace(directory / "gateway.json")
    return record


def is_held_elsewhere(directory: Path, record: Record, *, may_watch: bool = True) -> bool:
    """Whether a gateway on another machine still holds the directory.

    It does if its heartbeat is newer than :data:`HELD_S` by its own clock and by the file server's. If the two differ,
    we wait for the next heartbeat (without ``may_watch``: return True immediately).
    """
    young = time.time() - record.heartbeat < HELD_S
    try:
        do_agree = young == (_file_age_s(directory) < HELD_S)
    except OSError:  # no time of the file is available
        do_agree = True
    if do_agree or not may_watch:
        return young or not do_agree
    deadline = time.monotonic() + BEAT_S + 2
    while time.monotonic() < deadline:
        now = read(directory)
        if now != record:
            return now is not None and not now.is_here
        time.sleep(0.2)
    return False


def elsewhere(directory: Path, record: Record) -> GatewayUnavailable:
    """Build the error for a directory that a gateway on another machine, or in another container, holds."""
    return GatewayUnavailable(
        f"{directory} is in use by the Rucat gateway on {record.host} (process {record.pid} there); to also use Rucat "
        "here, set RUCAT_DATA_DIR to a folder on this machine",
        host=record.host,
    )


@contextlib.contextmanager
def lock(path: Path, deadline: float) -> Iterator[bool]:
    """Hold the file's lock; yields False when others still hold it at ``deadline`` (of ``time.monotonic``).

    An advisory lock (flock) is released when its holder ends, in whatever way.
    """
    try:
        while (descriptor := within(HANG_S, lambda: _try_lock(path), f"the lock {path}", _release)) is None:
            if time.monotonic() >= deadline:
                yield False
                return
            time.sleep(0.02)
    except OSError as exc:  # not a file, a file system without locks, or a lock server that hangs
        raise unwritable(path.parent, exc) from exc
    try:
        yield True
    finally:
        os.close(descriptor)


def _try_lock(path: Path) -> int | None:
    """A descriptor that holds the file's lock; None if others hold it."""
    import fcntl  # noqa: PLC0415 - not on Windows, where `prepare` says what to do

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as exc:
        os.close(descriptor)
        if isinstance(exc, BlockingIOError):
            return None
        raise
    return descriptor


def holder(path: Path) -> str:
    """Who holds the lock of a file, for messages: ``process 7 holds …/start.lock``, proc(5)."""
    with contextlib.suppress(OSError, IndexError):
        inode = str(path.stat().st_ino)
        for words in map(str.split, Path("/proc/locks").read_text().splitlines()):
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                return f"process {words[4]} holds {path}"
    return f"another process holds {path}"


def _release(descriptor: int | None) -> None:
    """Release a lock that came too late."""
    if descriptor is not None:
        os.close(descriptor)


def socket_name(directory: Path) -> str:
    """Name of the socket's file: the hash of the directory's real path in 8 hexadecimal digits."""
    return f"rucat-{hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:8]}.sock"


def process_start(pid: int) -> str:
    """A process's start time, different for each process with the same pid; empty if it is gone or a zombie."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()  # from "state" on, proc(5)
        except OSError:
            return ""
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    import psutil  # noqa: PLC0415 - heavy, and only needed on macOS

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return ""


@functools.cache
def machine() -> str:
    """Id of this boot of this machine or container: only there pids and sockets in a record are valid."""
    if sys.platform == "darwin":
        return subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    parts = [process_start(1)]  # a restarted container keeps its name and boot id, but has a new first process
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def hostname() -> str:
    """Name of this machine, for people."""
    return socket.gethostname()


_FIELDS = {
    "pid": int,
    "started": str,
    "host": str,
    "machine": str,
    "version": str,
    "api": int,
    "socket": str,
    "heartbeat": float,
}


def _file_age_s(directory: Path) -> float:
    """Age of ``gateway.json`` by the file server's clock."""
    probe = directory / "start.lock"
    os.utime(probe)
    return probe.stat().st_mtime - (directory / "gateway.json").stat().st_mtime

"""The data directory as everybody sees it: where it is, and what its ``gateway.json`` says of the gateway in it.

Only the standard library at import, for kernels and Jupyter servers load this too. Nothing in ``gateway.json`` is
believed by itself: a record of this machine counts when its very process listens on its socket
(:mod:`rucat_jupyter.launch.launch`), one of another machine while its heartbeat moves.
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

API = 1
"""Number of the REST interface: clients talk to a gateway of an equal or newer number."""
BEAT_S = 10.0
"""How often a gateway writes its heartbeat."""
HELD_S = 60.0
"""A record of another machine with a younger heartbeat holds the directory, for locks may not reach that far."""
MAX_SOCKET_PATH_BYTES = 100  # sun_path has 108 bytes on Linux and 104 on macOS, unix(7)


@dataclass(frozen=True)
class Record:
    """``gateway.json``: who the gateway is and where it listens; times are seconds since 1970."""

    pid: int
    started: str  # as process_start says: tells a recycled pid from the gateway
    host: str
    machine: str
    version: str
    api: int
    socket: str
    heartbeat: float

    @property
    def is_here(self) -> bool:
        """Whether it speaks of this boot of this machine, or of this container."""
        return self.machine == machine()


def data_dir() -> Path:
    """Find the data directory: ``RUCAT_DATA_DIR``, or ``rucat`` in Jupyter's data directory."""
    if asked := os.environ.get("RUCAT_DATA_DIR"):
        return Path(asked).expanduser().resolve()
    from jupyter_core.paths import jupyter_data_dir

    return (Path(jupyter_data_dir()) / "rucat").resolve()


def prepare(directory: Path) -> Path:
    """Make the directory, for this user alone, or raise GatewayUnavailable with what to do."""
    if sys.platform == "win32":
        raise GatewayUnavailable("Rucat runs on Linux; on Windows use it inside WSL")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        if found.st_uid != os.geteuid():
            raise GatewayUnavailable(
                f"{directory} belongs to uid {found.st_uid}, not to you: set RUCAT_DATA_DIR to a folder of your own"
            )
        if found.st_mode & 0o077:
            directory.chmod(0o700)
        (directory / "logs").mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(directory / "start.lock", os.O_RDWR | os.O_CREAT, 0o600))  # a read-only home says so here
    except OSError as exc:
        raise unwritable(directory, exc) from exc
    return directory


def unwritable(directory: Path, exc: OSError) -> GatewayUnavailable:
    """Build the one line for a directory that cannot be used."""
    return GatewayUnavailable(
        f"cannot use {directory} as Rucat's data directory: {exc.strerror or exc}; "
        "set RUCAT_DATA_DIR to a folder on this machine that you can write to"
    )


def read(directory: Path) -> Record | None:
    """Read ``gateway.json``; None where there is none or it is no record."""
    try:
        found = json.loads((directory / "gateway.json").read_bytes())
        values = {name: kind(found[name]) for name, kind in _FIELDS.items()}
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return Record(**values)


def write(directory: Path, record: Record) -> Record:
    """Write ``gateway.json`` (0600) in one step, with the present time as heartbeat; returns what was written."""
    record = replace(record, heartbeat=round(time.time(), 3))
    fresh = directory / f".gateway.json.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  # a descriptor, for its mode
        json.dump(asdict(record), file)
    fresh.replace(directory / "gateway.json")
    return record


def is_held_elsewhere(directory: Path, record: Record, *, may_watch: bool = True) -> bool:
    """Whether a gateway on another machine still holds the directory.

    Its heartbeat is younger than :data:`HELD_S` both by its own clock and by the file server's. Where these two
    disagree the clocks do, and only watching tells: up to a heartbeat and a bit (not ``may_watch``: True at once).
    """
    young = time.time() - record.heartbeat < HELD_S
    try:
        do_agree = young == (_file_age_s(directory) < HELD_S)
    except OSError:  # no clock of the files to be had
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
    """Build the one line for a directory that a gateway on another machine holds."""
    return GatewayUnavailable(
        f"{directory} is in use by the Rucat gateway on {record.host} (process {record.pid}); to use Rucat here too, "
        "set RUCAT_DATA_DIR to a folder of this machine",
        host=record.host,
    )


@contextlib.contextmanager
def lock(path: Path, deadline: float) -> Iterator[bool]:
    """Hold the file's lock; yields False when others still hold it at ``deadline`` (of ``time.monotonic``).

    An advisory lock (flock) goes when its holder does, however that ends.
    """
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise unwritable(path.parent, exc) from exc
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(0.02)
            except OSError as exc:  # a file system without locks
                raise unwritable(path.parent, exc) from exc
            else:
                yield True
                return
    finally:
        os.close(descriptor)


def socket_name(directory: Path) -> str:
    """Name of the socket's file: the directory's real path in 8 hexadecimal digits."""
    return f"rucat-{hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:8]}.sock"


def process_start(pid: int) -> str:
    """When a process began, as a word that no later process with its pid has; empty when it is gone or a zombie."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()  # from "state" on, proc(5)
        except OSError:
            return ""
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return ""


@functools.cache
def machine() -> str:
    """Id of this boot of this machine or of this container: where a pid and a socket mean what they say."""
    if sys.platform == "darwin":
        return subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    parts = [process_start(1)]  # a restarted container has its name and its boot id, but a new first process
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
    """Age of ``gateway.json`` by the clock of whoever keeps the files."""
    probe = directory / "start.lock"
    os.utime(probe)
    return probe.stat().st_mtime - (directory / "gateway.json").stat().st_mtime

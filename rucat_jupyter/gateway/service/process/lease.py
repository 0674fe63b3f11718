"""The lease of a data directory while a gateway runs: its lock, its socket, and ``gateway.json`` with the heartbeat."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import socket
import stat
import tempfile
import time
from importlib import metadata
from pathlib import Path

from jupyter_core import paths

import rucat_jupyter

from .... import __version__
from ....core.errors import GatewayUnavailable
from ....launch import datadir, launch

logger = logging.getLogger(__name__)

LOCK_WAIT_S = datadir.BEAT_S + 3.0
"""A predecessor needs up to 3 s to close; if its record was removed, it writes it again with its next heartbeat."""
FOLDER_PREFIX = "rucat-"


class AlreadyServed(GatewayUnavailable):
    """Another gateway already serves the directory; this is no error."""


class Lease:
    """One gateway's lease of its data directory, as a context manager; only one gateway at a time can have it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._stack = contextlib.ExitStack()
        self._record: datadir.Record | None = None
        self._path: Path | None = None
        self._identity = (0, 0)
        self._package = Package()

    def __enter__(self) -> Lease:
        """Take the lock.

        Raises AlreadyServed if another gateway serves the directory, GatewayUnavailable if the lock stays taken.
        """
        former = datadir.read(self.directory)
        if former and not former.is_here and datadir.is_held_elsewhere(self.directory, former):
            raise datadir.elsewhere(self.directory, former)
        deadline = time.monotonic() + LOCK_WAIT_S
        while not self._take_lock(0.2):
            if address := launch.find(self.directory):
                raise AlreadyServed(f"a gateway (process {address.pid}) already serves {self.directory}")
            if time.monotonic() > deadline:
                raise GatewayUnavailable(self._blocked())
        return self

    def __exit__(self, *_: object) -> None:
        """Remove record and socket if they are still its own, then release the lock."""
        self.leave()
        self._stack.close()

    def bind(self) -> socket.socket:
        """Bind the socket: in Jupyter's runtime directory, or if that fails, in a new temporary folder."""
        if former := datadir.read(self.directory):
            _remove_stale(Path(former.socket))
        path = Path(paths.jupyter_runtime_dir()) / datadir.socket_name(self.directory)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.parent.stat().st_dev == self.directory.stat().st_dev:  # its process would hold our lock
                _remove_stale(path)
            return self._bind(path)
        except OSError as exc:
            logger.info("cannot bind a socket at %s (%s): using a temporary folder", path, exc.strerror or exc)
        for place in dict.fromkeys([tempfile.gettempdir(), "/tmp"]):  # noqa: S108  # TMPDIR may be too long a path
            folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=place))
            try:
                return self._bind(folder / "gateway.sock")
            except OSError as exc:
                folder.rmdir()
                failure = exc
        raise GatewayUnavailable(
            f"cannot create a socket in {tempfile.gettempdir()}: {failure}; set TMPDIR to another folder"
        )

    def announce(self) -> None:
        """Write ``gateway.json``, so that clients find the gateway."""
        pid = os.getpid()
        self._record = datadir.write(
            self.directory,
            datadir.Record(
                pid=pid,
                started=datadir.process_start(pid),
                host=datadir.hostname(),
                machine=datadir.machine(),
                version=__version__,
                api=datadir.API,
                socket=str(self._path),
                heartbeat=0.0,
            ),
        )

    def beat(self) -> str:
        """Write the heartbeat; returns why the lease is lost, or an empty string."""
        found = datadir.read(self.directory)
        if self._record is None or (found and not self._is_mine(found)):
            return f"{found.host if found else 'another process'} has taken over {self.directory}"
        if not self._has_socket():
            return f"another process removed {self._path}"
        try:
            self._record = datadir.write(self.directory, self._record)
        except FileNotFoundError:
            return f"{self.directory} is gone"
        except OSError as exc:  # a full disk may have space again later
            logger.warning("cannot write the heartbeat, Rucat tries again: %s", exc)
        return ""

    def is_outdated(self) -> bool:
        """Whether another version of the package is installed now, unchanged in two checks."""
        return self._package.has_changed()

    def leave(self) -> None:
        """Remove ``gateway.json`` and the socket, so that no client finds this gateway; safe to call twice."""
        found = datadir.read(self.directory)
        if found and self._is_mine(found):
            (self.directory / "gateway.json").unlink(missing_ok=True)
        if self._path and self._has_socket():
            _remove(self._path)
        self._record = self._path = None

    def _is_mine(self, found: datadir.Record) -> bool:
        mine = self._record
        return mine is not None and (found.pid, found.started, found.machine) == (mine.pid, mine.started, mine.machine)

    def _has_socket(self) -> bool:
        try:
            return self._path is not None and _identity(self._path) == self._identity
        except OSError:
            return False

    def _blocked(self) -> str:
        """Why the lock stays taken: only a gateway with a record can be replaced."""
        held, record = datadir.holder(self.directory / "gateway.lock"), datadir.read(self.directory)
        if record and record.is_here and datadir.process_start(record.pid) == record.started:
            return f"{held} but does not serve: `rucat serve --replace` in a terminal ends it"
        return f"{held}, but is not its gateway: end that process, or set RUCAT_DATA_DIR to another folder"

    def _take_lock(self, wait_s: float) -> bool:
        with contextlib.ExitStack() as attempt:
            is_mine = attempt.enter_context(datadir.lock(self.directory / "gateway.lock", time.monotonic() + wait_s))
            if is_mine:
                self._stack = attempt.pop_all()
            return is_mine

    def _bind(self, path: Path) -> socket.socket:
        if len(os.fsencode(path)) > datadir.MAX_SOCKET_PATH_BYTES:
            raise OSError(f"the path has more than {datadir.MAX_SOCKET_PATH_BYTES} bytes")
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)  # other users can never connect, not even for a moment
        try:
            listener.bind(str(path))
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        self._path, self._identity = path, _identity(path)
        return listener


class Package:
    """Notices a new installation of this package while the process runs."""

    def __init__(self, file: Path = Path(rucat_jupyter.__file__)) -> None:
        self._file = file
        self._stamp = self._look()
        self._running = self._seen = self._digest()

    def has_changed(self) -> bool:
        """Whether the package differs from the running one, and did so in the last check: no install is in progress."""
        stamp = self._look()
        if stamp == self._stamp and self._seen == self._running:
            return False
        self._stamp = stamp
        before, self._seen = self._seen, self._digest()
        return self._seen == before and self._seen not in ("", self._running)

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._file.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _digest(self) -> str:
        """Hash of the version and of the installed files' hashes; empty while the package is missing."""
        try:
            listing = metadata.distribution("rucat_jupyter").read_text("RECORD") or ""
            return hashlib.sha256(self._file.read_bytes() + listing.encode()).hexdigest()
        except (OSError, metadata.PackageNotFoundError):
            return ""


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _remove_stale(path: Path) -> None:
    """Remove a predecessor's socket if no process listens on it."""
    with contextlib.suppress(OSError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(0.2)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                _remove(path)


def _remove(path: Path) -> None:
    """Remove a socket, and the temporary folder that contains only it."""
    path.unlink()
    if path.name == "gateway.sock" and path.parent.name.startswith(FOLDER_PREFIX):
        path.parent.rmdir()

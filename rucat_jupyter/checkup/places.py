"""Check the folders that Rucat writes to: the data directory and the temp directory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..host.patience import within
from .findings import Finding, Surroundings, bad, ok, warn

LITTLE_BYTES = 2 << 30
"""Shuffles and logs of one engine soon need that much."""
NONE_BYTES = 200 << 20
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "lustre", "ceph", "fuse.sshfs")
AREA = "data directory"
HANG_S = 1.0
"""A file system needs milliseconds; all checks together have 2.5 s."""


def data_directory(place: Surroundings) -> Iterator[Finding]:
    """Check that only the user can read it, that it is writable, that it can be locked, and its free space."""
    elsewhere = "export RUCAT_DATA_DIR=… (a folder on this machine that you can write to)"
    try:
        yield from within(HANG_S, lambda: list(_data_directory(place.directory, elsewhere)), str(place.directory))
    except TimeoutError as silence:
        yield bad(AREA, str(silence.strerror), elsewhere)


def _data_directory(directory: Path, elsewhere: str) -> Iterator[Finding]:
    there = _existing(directory)
    if not there.is_dir():
        yield bad(AREA, f"{there} is not a folder", elsewhere)
        return
    if directory.is_dir():
        status = directory.stat()
        if status.st_uid != os.geteuid():
            yield bad(AREA, f"{directory} belongs to uid {status.st_uid}, you are {os.geteuid()}", elsewhere)
            return
        if status.st_mode & 0o077:
            mode = oct(status.st_mode & 0o777)[2:]
            yield warn(AREA, f"other users can read {directory} (mode {mode})", f"chmod 700 '{directory}'")
    if refusal := _refusal(there):
        yield bad(AREA, f"{there} is not writable: {refusal}", elsewhere)
        return
    if refusal := _no_lock(there):
        yield bad(AREA, f"{there} cannot be locked: {refusal}", elsewhere)
        return
    yield from _room(AREA, there, f"free some space there, or {elsewhere}")
    if (kind := file_system(there)) in NETWORK:
        said = f"{there} is on a network file system ({kind}): locks may not work across machines"
        yield warn(AREA, said, elsewhere)
    if not directory.is_dir():
        yield ok(AREA, f"{directory} will be created when needed")


def temp_directory(place: Surroundings) -> Iterator[Finding]:
    """Check that it is writable, and its free space."""
    folder = Path(place.env.get("TMPDIR") or tempfile.gettempdir())
    fix = "export TMPDIR=… (a folder that you can write to)"
    if not folder.is_dir():
        yield bad("temp directory", f"there is no folder {folder}", fix)
    elif refusal := _refusal(folder):
        yield bad("temp directory", f"{folder} is not writable: {refusal}", fix)
    else:
        yield from _room("temp directory", folder, f"free some space there, or {fix}")


def size_bytes(folder: Path) -> int:
    """Total size of the files below a folder; files that vanish meanwhile do not count."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(root, name)).st_size
            except OSError:
                continue
    return total


def human(size: float) -> str:
    """Bytes with a unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TB"


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Type of the file system of a folder; empty if unknown."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        words = line.split()
        point = Path(words[1].encode().decode("unicode_escape", "replace"))
        if (point == folder or point in folder.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), words[2]
    return kind


def _existing(directory: Path) -> Path:
    """The directory, or its nearest parent that exists."""
    return next((folder for folder in (directory, *directory.parents) if os.path.lexists(folder)), Path("/"))


def _refusal(folder: Path) -> str:
    """Why the folder is not writable; empty if it is. By trying, since modes alone do not show it."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"rucat doctor")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _no_lock(folder: Path) -> str:
    """Why a file in the folder cannot be locked; empty if it can. By trying, as the start of a gateway does."""
    import fcntl  # noqa: PLC0415 - not on Windows, where doctor says only that

    def lock() -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    try:
        within(HANG_S / 2, lock, f"a lock in {folder}")
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _room(area: str, folder: Path, fix: str) -> Iterator[Finding]:
    usage = shutil.disk_usage(folder)
    said = f"{folder}: {human(usage.free)} of {human(usage.total)} are free"
    if usage.free < NONE_BYTES:
        yield bad(area, said, fix)
    elif usage.free < LITTLE_BYTES:
        yield warn(area, said, fix)
    else:
        yield ok(area, said)

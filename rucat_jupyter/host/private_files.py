"""Files that only their user can read, and folders that go although others write in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, never through a link that someone left in its place."""
    remove(path)
    with open_private(path, os.O_EXCL) as file:
        file.write(data)


def open_private(path: Path, flags: int) -> BinaryIO:
    """Open a file of its owner's alone for writing, made if it is not there, never through a link."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600), "wb")


def remove(path: Path) -> None:
    """Remove a file, link or tree, links themselves and never what they point to; what is not there is removed."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
        elif sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=_open_and_retry)
        else:
            shutil.rmtree(path, onerror=lambda function, name, error: _open_and_retry(function, name, error[1]))


def _open_and_retry(function: Callable[..., Any], name: str, error: BaseException) -> None:
    """Let rmtree pass a folder that a job has closed to its owner, and whatever vanished meanwhile."""
    if isinstance(error, FileNotFoundError):
        return
    path = Path(name)
    folder = path if function in (os.open, os.scandir, os.lstat) else path.parent
    is_open = folder.is_symlink() or os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    if not isinstance(error, PermissionError) or is_open:
        raise error
    folder.chmod(0o700)
    remove(path)

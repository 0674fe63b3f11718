"""Files that only their owner can read, and removal of folders although others write in them."""

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
    """Write a file that only its owner can read, never through a symbolic link in its place."""
    remove(path)
    with open_private(path, os.O_EXCL) as file:
        file.write(data)


def open_private(path: Path, flags: int) -> BinaryIO:
    """Open a file that only its owner can read for writing, create it if needed, never through a symbolic link."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600), "wb")


def remove(path: Path) -> None:
    """Remove a file, link or tree if it exists; links are removed, never their targets."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
        elif sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=_open_and_retry)
        else:
            shutil.rmtree(path, onerror=lambda function, name, error: _open_and_retry(function, name, error[1]))


def _open_and_retry(function: Callable[..., Any], name: str, error: BaseException) -> None:
    """Let rmtree handle a folder without permissions for its owner, and files that are gone."""
    if isinstance(error, FileNotFoundError):
        return
    path = Path(name)
    folder = path if function in (os.open, os.scandir, os.lstat) else path.parent
    is_open = folder.is_symlink() or os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    if not isinstance(error, PermissionError) or is_open:
        raise error
    folder.chmod(0o700)
    remove(path)

"""What the Jupyter server writes of moved notebooks: for their running kernels, and for the next gateway.

A kernel knows the path of its notebook from its environment, which does not change while it runs, and not even at a
restart if the front end does not tell the server; so its moves are beside its connection file. Another kernel on the
old path is another notebook's.

What no gateway has heard yet is in the data directory: the next one takes it before it serves, so that no session of
another notebook on the old path is moved.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.sessions import moved
from ..host.private_files import remove, write_private

logger = logging.getLogger(__name__)

SUFFIX = ".rucat-moves"
PENDING = "moves"
"""Folder in the data directory: a file for each move that no gateway has heard yet."""


@dataclass(frozen=True)
class Move:
    """A notebook or folder that was moved, or deleted (``new`` is None), and whose sessions are concerned.

    ``owners`` are percent-encoded, None is the operating-system user; ``file`` is where it is kept, if it is.
    """

    old: str
    new: str | None
    owners: tuple[str | None, ...]
    file: Path | None = None


def present_path(path: str, connection_file: Path) -> str:
    """The path of a kernel's notebook after all moves; ``path`` is where it was when the kernel started, or later."""
    for old, new in read(connection_file):
        path = moved(path, old, new)
    return path


def read(connection_file: Path) -> list[tuple[str, str]]:
    """The moves of a kernel's notebook, old and new path, the first one first."""
    try:
        return [(old, new) for old, new in json.loads(_file(connection_file).read_text())]
    except FileNotFoundError:
        return []


def add(connection_file: Path, old: str, new: str) -> None:
    """Note that the notebook of a kernel, or a folder around it, was moved."""
    known = read(connection_file)
    file = _file(connection_file)
    fresh = file.with_suffix(f"{SUFFIX}.new")
    write_private(fresh, json.dumps([*known, (old, new)]).encode())
    fresh.replace(file)  # a reader never sees half of it


def forget_ended(connection_files: Iterable[Path]) -> None:
    """Remove the notes of kernels that have ended: their connection files are gone."""
    for folder in {file.parent for file in connection_files}:
        for note in folder.glob(f"*{SUFFIX}"):
            if not note.with_suffix(".json").exists():
                remove(note)


def keep(directory: Path, old: str, new: str | None, owners: Sequence[str | None]) -> Move:
    """Write a move for the next gateway of a data directory; without one there are no sessions to move."""
    if not directory.is_dir():
        return Move(old, new, tuple(owners))
    folder = directory / PENDING
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{time.time_ns():020}-{os.getpid()}.json"
    fresh = file.with_suffix(".new")
    write_private(fresh, json.dumps([old, new, list(owners)]).encode())
    fresh.replace(file)  # a reader never sees half of it
    return Move(old, new, tuple(owners), file)


def pending(directory: Path) -> list[Move]:
    """The moves that no gateway of a data directory has heard yet, in their order."""
    found = []
    for file in sorted((directory / PENDING).glob("*.json")):
        try:
            old, new, owners = json.loads(file.read_bytes())
            found.append(Move(old, new, tuple(owners), file))
        except FileNotFoundError:  # just heard
            continue
        except (ValueError, TypeError) as exc:
            logger.warning("removed %s, which is not a move: %s", file, exc)
            remove(file)
    return found


def _file(connection_file: Path) -> Path:
    return connection_file.with_suffix(SUFFIX)

"""Where the notebook of a running kernel is now: the Jupyter server writes it beside the kernel's connection file.

A kernel knows the path of its notebook from its environment, which does not change while it runs, and not even at a
restart if the front end does not tell the server. Another kernel on the old path is another notebook's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..core.sessions import moved
from ..host.private_files import remove, write_private

SUFFIX = ".rucat-moves"


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


def _file(connection_file: Path) -> Path:
    return connection_file.with_suffix(SUFFIX)

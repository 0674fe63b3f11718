"""Finds the user's own lines in a traceback: the cell and line that ran the query, and the function that failed."""

from __future__ import annotations

import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ..words import text

LONGEST_SOURCE = 100
PACKAGE = str(Path(__file__).parents[2])
_NUMBER = re.compile(r"\[(\d+)\]")
_PATHS = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_MAGIC = "get_ipython()"


@dataclass(frozen=True)
class Place:
    """A line of the user's code: where it is, and its source."""

    where: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.source}" if self.source else self.where


def asked(trace: TracebackType | None, shell: Any) -> list[Place]:
    """The user's outermost line in a traceback, and the innermost if it is another one."""
    places = [found for f in traceback.extract_tb(trace) if (found := place(f.filename, f.lineno or 0, shell))]
    return places[:1] + ([places[-1]] if len(places) > 1 and places[-1] != places[0] else [])


def running(shell: Any) -> list[Place]:
    """The line that runs now: for errors while a result is shown, whose traceback does not contain it."""
    frames = traceback.extract_stack() if shell is not None else []
    return [found for f in frames if _cell(f.filename, shell) and (found := place(f.filename, f.lineno or 0, shell))]


def raised(frames: Iterable[tuple[str, int, str]], shell: Any) -> Place | None:
    """The user's innermost line in the frames of a Python worker."""
    found = None
    for name, line, _ in frames:
        found = place(name, line, shell) or found
    return found


def place(filename: str, line: int, shell: Any) -> Place | None:
    """The line with the cell or file that the user knows; None if it is not the user's."""
    cell = _cell(filename, shell)
    if cell is None and (filename.startswith(("<", PACKAGE, *_PATHS)) or _is_library(filename)):
        return None
    source = linecache.getline(filename, line).strip()
    if source.startswith(_MAGIC):  # IPython's translation of a magic is not what the user wrote
        return Place(f"cell {cell}" if cell else Path(filename).name)
    where = f"cell {cell}, line {line}" if cell else f"{text.plain(Path(filename).name)}, line {line}"
    return Place(where, text.plain(source, LONGEST_SOURCE))


def in_cell(counted: int, line: int, shell: Any) -> Place:
    """A line of a cell of this kernel, by the execution count that pyspark read while the cell ran."""
    cells = shell.user_ns.get("In", []) if shell is not None else []
    ahead = (
        shell.execution_count - (len(cells) - 1) if cells else 0
    )  # newer releases of IPython count when a cell begins
    cell = counted - ahead
    lines = str(cells[cell]).splitlines() if 0 < cell < len(cells) else []
    source = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return Place(f"cell {cell}, line {line}", text.plain(source, LONGEST_SOURCE))


def _cell(filename: str, shell: Any) -> int | None:
    """The number of the cell that IPython compiled with this file name."""
    named = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(filename)
    found = _NUMBER.search(str(named[1])) if named else None
    return int(found[1]) if found else None


def _is_library(filename: str) -> bool:
    return any(part in filename for part in ("/site-packages/", "/dist-packages/", "pyspark.zip/", ".pxi"))

"""Read an engine's log by lines, follow it across rotation, and keep it within bounds.

The JVM and its children write the file themselves, in append mode, so that it goes on with no gateway alive.
It is rotated by copy and truncation, which such writers survive: ``engine.log.1`` holds what was before. Lines
written between the copy and the truncation, some microseconds, are lost.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from .runs import open_private

MAX_BYTES = 10 * 1024 * 1024
FOLLOW_S = 0.2
_CHUNK = 1 << 20


def older(log: Path) -> Path:
    """The file with what was in the log before its last rotation."""
    return log.with_name(log.name + ".1")


def rotate(log: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Move the log's text aside if it has grown over ``max_bytes``; of much more only the end is kept."""
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return False
    if size <= max_bytes:
        return False
    draft = log.with_name(log.name + ".new")
    draft.unlink(missing_ok=True)
    with log.open("r+b") as source, open_private(draft, os.O_EXCL) as target:
        source.seek(size - max_bytes if size > 2 * max_bytes else 0)
        shutil.copyfileobj(source, target, _CHUNK)
        source.truncate(0)
    draft.replace(older(log))
    return True


def first_text(log: Path, max_bytes: int = 65536, since: int = 0) -> str | None:
    """The log's text from byte ``since`` on; None when there is more than ``max_bytes`` of it, or it was rotated."""
    if older(log).exists():
        return None
    try:
        with log.open("rb") as file:
            file.seek(since)
            text = file.read(max_bytes + 1)
    except FileNotFoundError:
        return ""
    return text.decode("utf-8", "replace") if len(text) <= max_bytes else None


def last_text(log: Path, max_bytes: int = 65536, since: int = 0) -> str:
    """The log's last text, across rotation, from byte ``since`` of a log that was never rotated; empty if none."""
    text = b""
    for path in (log, older(log)):
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                wanted = max_bytes - len(text)
                file.seek(max(0, size - wanted, since if path == log and since <= size else 0))
                text = file.read(wanted) + text
        except FileNotFoundError:
            continue
    return text.decode("utf-8", "replace")


async def lines(log: Path, tail: int | None, follow: Callable[[], bool] | None = None) -> AsyncIterator[str]:
    """Lines of a log, oldest first, the last ``tail`` (None: all), without line ends; invalid UTF-8 is replaced.

    With ``follow``, new lines come as they are written, for as long as ``follow()`` says that there may be more.
    """
    reader = _Reader(log)
    first: deque[str] = deque(maxlen=tail)
    while batch := await asyncio.to_thread(reader.read):
        first.extend(batch)
        if tail is None:
            while first:
                yield first.popleft()
    if follow is None:
        first.extend(reader.rest())
    for line in first:
        yield line
    while follow is not None:
        may_grow = follow()  # asked before the read, so that the last words before the end are read
        while batch := await asyncio.to_thread(reader.read):
            for line in batch:
                yield line
        if not may_grow:
            for line in reader.rest():
                yield line
            return
        await asyncio.sleep(FOLLOW_S)


class _Reader:
    """Reads on where it stopped, from the older file into the newer one, and notices a rotation between."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._older = older(log)
        self._rotation = _identity(self._older)
        self._is_in_older = self._rotation is not None
        self._offset = 0
        self._partial: list[bytes] = []

    def read(self) -> list[str]:
        """The next complete lines; empty at the end of what there is now."""
        while True:
            if not self._is_in_older and _identity(self._older) != self._rotation:
                self._rotation, self._is_in_older = _identity(self._older), True
            data = _read(self._older if self._is_in_older else self._log, self._offset)
            self._offset += len(data)
            if not data:
                if not self._is_in_older:
                    return []
                self._is_in_older, self._offset = False, 0
                continue
            if complete := self._split(data):
                return complete

    def rest(self) -> list[str]:
        """The last line, when it has no end."""
        partial, self._partial = b"".join(self._partial), []
        return [_text(partial)] if partial else []

    def _split(self, data: bytes) -> list[str]:
        *complete, rest = data.split(b"\n")
        if complete:
            complete[0] = b"".join([*self._partial, complete[0]])
            self._partial = []
        if rest:
            self._partial.append(rest)
        return [_text(line) for line in complete]


def _read(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_CHUNK)
    except FileNotFoundError:
        return b""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")

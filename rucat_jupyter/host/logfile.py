"""Read an engine's log by lines, follow it across rotation, and keep it within bounds.

The JVM and its children write the file themselves, in append mode, so that it goes on with no gateway alive.
It is rotated by copy and truncation, which such writers survive: ``engine.log.1`` holds what was before, and when
that is not all, says first how much is no longer kept. So every byte has one position, counted from the log's first,
and a reader finds its place again after any number of rotations. Lines written between the copy and the truncation,
some microseconds, are lost.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

from .private_files import open_private

MAX_BYTES = 10 * 1024 * 1024
FOLLOW_S = 0.2
_CHUNK = 1 << 20
_DROPPED = "[{} bytes of the log before this line are not kept]"
_HEAD = re.compile(re.escape(_DROPPED + "\n").replace(r"\{\}", r"(\d+)").encode())
_turning = threading.Lock()
"""Held while the two files of a log are changed, and while they are read together."""


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
    with _turning, log.open("r+b") as source:
        start = size - max_bytes if size > 2 * max_bytes else 0
        source.seek(start)
        with open_private(draft, os.O_EXCL) as target:
            if dropped := _kept(log).turn + start:
                target.write(f"{_DROPPED.format(dropped)}\n".encode())
            shutil.copyfileobj(source, target, _CHUNK)
        draft.replace(older(log))
        source.truncate(0)
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
    """Reads on where it stopped, in whichever file that is now, and tells what it came too late for."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = 0
        self._partial: list[bytes] = []

    def read(self) -> list[str]:
        """The next complete lines; empty at the end of what there is now."""
        while True:
            with _turning:
                kept = _kept(self._log)
                if (dropped := kept.first - self._at) > 0:
                    self._at = kept.first
                    return [*self.rest(), _DROPPED.format(dropped)]
                if self._at < kept.turn:
                    data = _read(older(self._log), kept.head + self._at - kept.first)
                else:
                    data = _read(self._log, self._at - kept.turn)
            self._at += len(data)
            if not data:
                return []
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


class _Kept(NamedTuple):
    """Where the bytes of a log are, by their positions in all that was ever written."""

    first: int = 0
    """The position of the first one that is kept."""
    turn: int = 0
    """The position from which on they are in the log itself, and no longer in the older file."""
    head: int = 0
    """How many bytes the older file begins with that are not the log's."""


def _kept(log: Path) -> _Kept:
    if older(log).is_symlink():  # not of our making: nothing of what it points to is the log's
        return _Kept()
    try:
        with older(log).open("rb") as file:
            head = _HEAD.match(file.read(256))
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return _Kept()
    if head is None:
        return _Kept(turn=size)
    first = int(head[1])
    return _Kept(first, first + size - head.end(), head.end())


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")

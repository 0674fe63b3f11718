"""Read an engine's log by lines, follow it across rotation, and limit its size.

The JVM and its children write the file themselves, in append mode, so logging continues without a gateway. We rotate
by copy and truncation, which does not disturb such writers: ``engine.log.1`` has the older text; if some was dropped,
its first line says how much. So every byte has one position, counted from the first byte of the log, and a reader
finds its position again after any number of rotations. Lines written between copy and truncation (some microseconds)
are lost.
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
_DROPPED = "[{} bytes of the log before this line were dropped]"
_HEAD = re.compile(re.escape(_DROPPED + "\n").replace(r"\{\}", r"(\d+)").encode())
_turning = threading.Lock()
"""Held while the two files of a log are changed, or read together."""


def older(log: Path) -> Path:
    """The file with the text before the last rotation."""
    return log.with_name(log.name + ".1")


def rotate(log: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Rotate the log if it is larger than ``max_bytes``; of a much larger one only the end is kept."""
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
    """The log's text from byte ``since``; None if it is longer than ``max_bytes``, or was rotated."""
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
    """The end of the log, across rotation, from byte ``since`` if it was never rotated; may be empty."""
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

    With ``follow``, new lines follow as they are written, until ``follow()`` returns False.
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
        may_grow = follow()  # before the read, so that we do not miss the last lines
        while batch := await asyncio.to_thread(reader.read):
            for line in batch:
                yield line
        if not may_grow:
            for line in reader.rest():
                yield line
            return
        await asyncio.sleep(FOLLOW_S)


class _Reader:
    """Continues where it stopped, in the file that has this position now; reports lines that were dropped before."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = 0
        self._partial: list[bytes] = []

    def read(self) -> list[str]:
        """The next complete lines; empty at the current end."""
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
        """The last line, if it has no line end."""
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
    """Where the bytes of a log are, by their position in everything that was ever written."""

    first: int = 0
    """Position of the first kept byte."""
    turn: int = 0
    """Position of the first byte that is in the log itself and not in the older file."""
    head: int = 0
    """Number of bytes at the start of the older file that are not from the log."""


def _kept(log: Path) -> _Kept:
    if older(log).is_symlink():  # not made by Rucat: its target is not part of the log
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

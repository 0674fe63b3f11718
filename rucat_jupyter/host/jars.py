"""Reads a few members of a large jar by name, many times faster than ``zipfile``, which makes an object of each.

The format is that of PKWARE's APPNOTE.TXT (4.3.7 local header, 4.3.12 central directory, 4.3.16 its end).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_END, _END_SIZE, _LONGEST_COMMENT = b"PK\x05\x06", 22, 65_535
_ENTRY_SIZE, _LOCAL_SIZE = 46, 30
_STORED, _DEFLATED = 0, 8


class BadJar(Exception):
    """The file is no jar of the usual form."""


def read_members(jar: Path, names: re.Pattern[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the members whose whole name matches; raises BadJar or OSError."""
    with jar.open("rb") as file:
        directory = _directory(file)
        entries = re.compile(b"PK\x01\x02.{%d}(?P<name>%s)" % (_ENTRY_SIZE - 4, names.pattern), re.DOTALL)
        for found in entries.finditer(directory):
            method, size, length, offset = _entry(directory, found.start())
            if length == len(found["name"]):
                yield found["name"], _content(file, method, size, offset)


def _directory(file: IO[bytes]) -> bytes:
    end = file.seek(0, 2)
    file.seek(max(0, end - _END_SIZE - _LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0:
        raise BadJar(f"{file.name}: no end of a directory")
    size, offset = struct.unpack_from("<II", tail, at + 12)
    file.seek(offset)
    return file.read(size)


def _entry(directory: bytes, at: int) -> tuple[int, int, int, int]:
    method = struct.unpack_from("<H", directory, at + 10)[0]
    size = struct.unpack_from("<I", directory, at + 20)[0]
    length = struct.unpack_from("<H", directory, at + 28)[0]
    offset = struct.unpack_from("<I", directory, at + 42)[0]
    return method, size, length, offset


def _content(file: IO[bytes], method: int, size: int, offset: int) -> bytes:
    file.seek(offset)
    name, extra = struct.unpack_from("<HH", file.read(_LOCAL_SIZE), 26)
    file.seek(offset + _LOCAL_SIZE + name + extra)
    data = file.read(size)
    if method == _STORED:
        return data
    if method != _DEFLATED:
        raise BadJar(f"{file.name}: compressed by method {method}")
    try:
        return zlib.decompress(data, -zlib.MAX_WBITS)
    except zlib.error as exc:
        raise BadJar(f"{file.name}: {exc}") from exc

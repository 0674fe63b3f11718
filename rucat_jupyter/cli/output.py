"""Output of the command line: results to stdout, everything else to stderr; live lines and colour on a terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from ..client.api import View
from ..client.words import tables
from ..client.words.phase import Phase

ACCENTS = {"Failed": "31", "bad": "31", "Unresponsive": "33", "warn": "33", "Stopped": "2"}
"""Words -> SGR codes of ECMA-48: colour if a user has to act, faint if stopped; symbols show the same."""


def say(text: str) -> None:
    """Write a result."""
    _write(sys.stdout, f"{text}\n")


def tell(text: str) -> None:
    """Write a message to stderr; it is not part of the result."""
    _write(sys.stderr, f"{text}\n")


def show_json(value: object) -> None:
    """Write the one JSON document."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    say(json.dumps(value, indent=2, ensure_ascii=not is_utf8))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is an open terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def width() -> int | None:
    """Columns of the terminal on stdout; None if stdout is a file or a pipe."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def accented(word: str, text: str) -> str:
    """The text in the colour of the word, on a terminal without ``NO_COLOR`` (no-color.org)."""
    code = ACCENTS.get(word)
    is_wanted = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if code and is_wanted else text


def phase(*, is_json: bool) -> Phase:
    """The progress of a wait, on stderr: one line that is overwritten on a terminal, else one line per phase."""
    if is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb":
        return LivePhase(ends_here=is_json)
    return LinePhase(ends_here=is_json)


class _Words:
    """Common part of both: the last line is the result, unless the result is JSON."""

    def __init__(self, *, ends_here: bool) -> None:
        self._ends_here = ends_here
        self._key = ""

    def meet(self, view: View) -> None:
        """Do nothing: the lines show the engine."""

    def note(self, said: str) -> None:
        """Do nothing: the last line contains the note."""


class LinePhase(_Words):
    """One line per phase."""

    tick_s = 50.0

    def show(self, line: str, key: str) -> None:
        """Write the line if the phase is new."""
        if key != self._key:
            self._key = key
            tell(key)

    def end(self, line: str) -> None:
        """Write the last line as the result; a file with the phases gets it too, so that it does not end with one."""
        if line and (self._ends_here or (self._key and not _is_same_file(sys.stdout, sys.stderr))):
            tell(line)
        if line and not self._ends_here:
            say(line)


class LivePhase(_Words):
    """One line that is overwritten; it is cut to the terminal's width, because a wrapped line cannot be overwritten."""

    tick_s = 1.0

    def show(self, line: str, key: str) -> None:
        """Overwrite the line."""
        columns = shutil.get_terminal_size().columns - 1
        _write(sys.stderr, f"\r\x1b[K{tables.cut(line, columns)}")

    def end(self, line: str) -> None:
        """Remove the line and write the last one."""
        _write(sys.stderr, "\r\x1b[K")
        if line:
            (tell if self._ends_here else say)(line)


def _is_same_file(one: TextIO, other: TextIO) -> bool:
    """Whether both streams write to one file, pipe or terminal; files without a descriptor are compared as objects."""
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return one is other


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def error_json(message: str, code: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """The form of an error in REST."""
    return {"message": message, "code": code, "details": dict(details)}

"""Splits a line into leading flags and the free text after them, which stays unchanged."""

from __future__ import annotations

import argparse
import io
import re
import shlex
from collections.abc import Mapping

from ...verbs.parser import BadUsage, Parser

_COMMENT = re.compile(r"--(\s|$)")


def leading_flags(parser: Parser, line: str) -> tuple[list[str], str]:
    """Return the words of the flags, as a shell would split them, and the rest of the line.

    Each value is joined to its flag (``--limit=5``), so that it may begin with a dash. ``-- text`` is text: a comment
    in SQL. Raises BadUsage for an unclosed quote.
    """
    known = {flag: action for action in parser._actions for flag in action.option_strings}
    reader = _Words(line)
    words: list[str] = []
    while reader.is_flag():
        word = reader.next()
        if "=" not in word:
            word += _value(known, word, reader)
        words.append(word)
    return words, line[reader.at :]


def _value(known: Mapping[str, argparse.Action], flag: str, reader: _Words) -> str:
    """The value of a flag as ``=value``; empty if it takes none or none follows."""
    action = known.get(flag)
    if action is None or action.nargs == 0 or reader.at == len(reader.line):
        return ""
    if action.nargs == "?" and reader.peek() not in (action.choices or ()):
        return ""
    return f"={reader.next()}"


class _Words:
    """Reads shell words from a line; ``at`` is the position of the next one."""

    def __init__(self, line: str) -> None:
        self.line, self.at = line, 0
        self._skip_blanks()

    def is_flag(self) -> bool:
        return self.line.startswith("-", self.at) and not _COMMENT.match(self.line, self.at)

    def peek(self) -> str:
        at = self.at
        word = self.next()
        self.at = at
        return word

    def next(self) -> str:
        stream = io.StringIO(self.line[self.at :])
        lexer = shlex.shlex(stream, posix=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        try:
            word = lexer.get_token()
        except ValueError as exc:
            raise BadUsage(f"{str(exc).lower()}: close the quote, or escape it with a backslash") from None
        self.at += stream.tell()
        self._skip_blanks()
        return word or ""

    def _skip_blanks(self) -> None:
        self.at = len(self.line) - len(self.line[self.at :].lstrip())

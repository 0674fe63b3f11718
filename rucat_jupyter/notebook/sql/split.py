"""Splits SQL text into statements like Spark's lexer, so that semicolons in quotes and comments do not count.

The rules are those of ``SqlBaseLexer.g4`` of Spark 4: strings with backslash escapes, raw strings (``r'…'``),
``$tag$ … $tag$``, backticks, ``--`` to the end of the line (a backslash continues it), nested ``/* */``. A
``BEGIN … END`` block of SQL scripting is one statement, semicolons included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_DOLLARS = re.compile(r"\$[A-Za-z]*\$")
_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>--(?:\\\n|[^\r\n])*)
    | (?P<open>/\*(?!\+))
    | (?P<quoted>[rR]'[^']*' | [rR]"[^"]*"
        | '(?:[^'\\]|\\.)*(?:'|\\?\Z) | "(?:[^"\\]|\\.)*(?:"|\\?\Z) | `[^`]*(?:`|\Z))
    | (?P<dollars>\$[A-Za-z]*\$)
    | (?P<word>\w+)
    | (?P<char>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*(?!\+)|\*/")
_NEXT_WORD = re.compile(r"\s+(\w+)")
_LABEL_AFTER = {"", ";", "BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT"}
_LABEL_END = re.compile(r"[\w`]:")
_PARTS = {"IF", "WHILE", "LOOP", "REPEAT", "FOR"}
"""What ``END`` may close besides ``BEGIN`` and ``CASE``; we count neither their begin nor their end."""


@dataclass(frozen=True)
class Statement:
    """One statement as in the text, without its semicolon and the comments before it.

    ``line`` is the line of the text where it begins, from 1.
    """

    text: str
    line: int


@dataclass(frozen=True)
class Token:
    """A piece of SQL text: ``kind`` is space, comment, quoted, word or char."""

    kind: str
    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """Split the text into tokens; joined they are the text again."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise AssertionError("unreachable: the last alternative matches any character")
        kind, end = str(found.lastgroup), found.end()
        if kind == "open":
            kind, end = "comment", _comment_end(text, end)
        elif kind == "dollars":
            close = text.find(found[0], end)
            kind, end = "quoted", len(text) if close < 0 else close + len(found[0])
        yield Token(kind, text[at:end], at)
        at = end


def split(text: str) -> list[Statement]:
    """Split the text at its semicolons; a part with only spaces and comments is not a statement."""
    found: list[Statement] = []
    current = _Current()
    for token in tokens(text):
        if token.kind in ("space", "comment"):
            continue
        if token.text == ";" and not current.depth:
            found += current.statement(text, token.start)
            current = _Current()
            continue
        current.take(token, text)
    return found + current.statement(text, len(text))


def _comment_end(text: str, at: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, at)
        if edge is None:
            return len(text)
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


@dataclass
class _Current:
    """The current statement; ``depth`` counts the open BEGIN and CASE of a block."""

    start: int | None = None
    depth: int = 0
    _seen: list[str] = field(default_factory=list)  # the last relevant tokens, words in capitals
    _is_script: bool = False
    _skips_case: bool = False

    def statement(self, text: str, end: int) -> list[Statement]:
        if self.start is None:
            return []
        return [Statement(text[self.start : end].rstrip(), text.count("\n", 0, self.start) + 1)]

    def take(self, token: Token, text: str) -> None:
        if self.start is None:
            self.start = token.start
        word = token.text.upper() if token.kind == "word" else token.text
        if token.kind == "word" and not self._is_name(text[max(token.start - 2, 0) : token.start]):
            self._take_word(word, text[token.start + len(word) :])
        self._seen = [*self._seen[-11:], word]

    def _take_word(self, word: str, rest: str) -> None:
        after = _NEXT_WORD.match(rest)
        follows = after[1].upper() if after else ""
        if word == "BEGIN" and (self._is_script or self._may_begin()) and follows != "TRANSACTION":
            self._is_script = True
            self.depth += 1
        elif not self.depth:
            return
        elif word == "CASE":
            self.depth += 0 if self._skips_case else 1
            self._skips_case = False
        elif word == "END" and follows not in _PARTS and self._seen[-1:] != ["AS"]:
            self.depth -= 1
            self._skips_case = follows == "CASE"
            self._is_script = self.depth > 0

    def _may_begin(self) -> bool:
        """Whether a BEGIN here begins a block: as the first word, after a label, or in the body of a routine."""
        seen = self._seen
        is_first = not seen or (len(seen) == 2 and seen[1] == ":")
        return is_first or (seen[0] == "CREATE" and bool({"PROCEDURE", "FUNCTION"} & set(seen[:6])))

    def _is_name(self, before: str) -> bool:
        """Whether the next word is a field (``t.end``) or a parameter (``:end``), even if it looks like a keyword."""
        seen = ["", "", "", *self._seen]
        if seen[-1] != ":":
            return seen[-1] == "."
        is_parameter = before.endswith(":") and not _LABEL_END.match(before)
        return is_parameter or seen[-3] not in _LABEL_AFTER

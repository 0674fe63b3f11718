"""Parses the line of ``%rucat`` as a shell does; an error is one line."""

from __future__ import annotations

import argparse
import shlex

from ...verbs.parser import HELP, NOTEBOOK, BadUsage, Parser, Verb, find
from ...verbs.table import VERBS
from ..line.leading import leading_flags


def parse(line: str, *, is_cell: bool = False) -> argparse.Namespace:
    """Parse the text after ``%rucat`` (``is_cell``: ``%%rucat``); ``verb`` is None for an empty line.

    Raises BadUsage or HelpWanted.
    """
    first, after = [*line.split(None, 1), "", ""][:2]
    if first in VERBS and VERBS[first].takes_rest:
        return _parse_with_text(VERBS[first], after, is_cell=is_cell)
    line = _trimmed(line)
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise BadUsage(f"%rucat: {str(exc).lower()}: close the quote, or escape it with a backslash") from None
    if not words:
        return argparse.Namespace(verb=None)
    verb, rest = words[0], words[1:]
    if verb in HELP:
        if rest and rest[0] in VERBS:
            verb, rest = rest[0], ["--help"]
        else:
            return argparse.Namespace(verb=None)
    found = Parser(find(verb, VERBS, NOTEBOOK)).parse(rest)
    if is_cell and not VERBS[verb].takes_cell:
        raise BadUsage(f"{verb} takes no cell: write it on its own line, %rucat {line.strip()}")
    return found


def _parse_with_text(verb: Verb, after: str, *, is_cell: bool) -> argparse.Namespace:
    """Parse the flags before free text; in a cell the text is below the line."""
    parser = Parser(verb)
    words, rest = leading_flags(parser, after)
    found = parser.parse(words)
    if is_cell and rest.strip():
        word = rest.split()[0]
        if words and (known := _choices(parser, words[-1])):
            raise BadUsage(f"{verb.name}: {words[-1]}: {word!r} is not one of {', '.join(known)}")
        raise BadUsage(f"the line of %%rucat {verb.name} takes only flags, not {word!r}: write the text below it")
    found.rest = rest
    return found


def _choices(parser: Parser, flag: str) -> list[str]:
    """The values of a flag whose value is optional."""
    found = (action.choices for action in parser._actions if flag in action.option_strings and action.nargs == "?")
    return [str(value) for choices in found for value in choices or ()]


def _trimmed(line: str) -> str:
    """The line without a comment (`` # …``) and without a semicolon at its end."""
    kept, quote, before = line, "", " "
    escaped = False
    for at, char in enumerate(line):
        if char == "#" and not quote and before.isspace():
            kept = line[:at]
            break
        if not escaped and (char == quote or (not quote and char in "'\"")):
            quote = "" if quote else char
        escaped = char == "\\" and not escaped and quote != "'"
        before = char
    words = kept.rstrip().rsplit(None, 1) or [""]
    is_value = "=" in words[-1] or words[-1].startswith("sc://")
    return kept.rstrip().removesuffix(";") if not quote and not is_value else kept

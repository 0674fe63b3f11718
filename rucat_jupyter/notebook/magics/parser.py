"""Parses the line of ``%rucat`` as a shell does; an error is one line."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Sequence

from ..line.flags import Parser, Verb
from ..line.leading import leading_flags
from ..line.usage import HELP, BadUsage, HelpWanted
from ..verbs import VERBS

__all__ = ["HELP", "VERBS", "BadUsage", "HelpWanted", "overview", "parse", "parser_of"]


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
    if verb not in VERBS:
        raise BadUsage(f"there is no verb {verb!r}{_meant(verb, list(VERBS))}. Verbs: {', '.join(VERBS)}")
    parser = parser_of(VERBS[verb])
    found = _parsed(verb, parser, _tied(rest))
    if is_cell and not VERBS[verb].takes_cell:
        raise BadUsage(f"{verb} takes no cell: write it on its own line, %rucat {line.strip()}")
    found.verb = verb
    return found


def _parse_with_text(verb: Verb, after: str, *, is_cell: bool) -> argparse.Namespace:
    """Parse the flags before free text; in a cell the text is below the line."""
    parser = parser_of(verb)
    words, rest = leading_flags(parser, after)
    found = _parsed(verb.name, parser, words)
    if is_cell and rest.strip():
        word = rest.split()[0]
        if words and (known := _choices(parser, words[-1])):
            raise BadUsage(f"{verb.name}: {words[-1]}: {word!r} is not one of {', '.join(known)}")
        raise BadUsage(f"the line of %%rucat {verb.name} takes only flags, not {word!r}: write the text below it")
    found.verb, found.rest = verb.name, rest
    return found


def _choices(parser: Parser, flag: str) -> list[str]:
    """The values of a flag whose value is optional."""
    found = (action.choices for action in parser._actions if flag in action.option_strings and action.nargs == "?")
    return [str(value) for choices in found for value in choices or ()]


def _parsed(verb: str, parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    found, extra = parser.parse_known_args(words)
    for word in extra:
        flag = word.split("=")[0]
        if flag.startswith("-") and flag != "-":
            raise BadUsage(f"{verb} has no flag {flag}{_meant(flag, parser.flags())}")
        raise BadUsage(f"{verb}: unexpected argument {word!r}; quote a name that contains spaces")
    return found


def overview() -> str:
    """The one-screen help."""
    wide = max(map(len, VERBS))
    lines = [f"  {verb.name:<{wide}}  {verb.does}" for verb in VERBS.values()]
    cells = [f"  %%rucat {verb.name} runs the cell below it." for verb in VERBS.values() if verb.takes_cell]
    return "\n".join(
        ["%rucat VERB [NAME] [flags]     Flags and examples of a verb: %rucat VERB --help", *lines, *cells]
    )


def parser_of(verb: Verb) -> Parser:
    """Build the parser of one verb."""
    return Parser(verb)


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


def _tied(words: Sequence[str]) -> list[str]:
    """Join ``--conf`` to its value, which may begin with a dash."""
    tied: list[str] = []
    left = iter(words)
    for word in left:
        value = next(left, None) if word == "--conf" else None
        tied.append(word if value is None else f"{word}={value}")
    return tied


def _meant(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, 1, 0.5)
    parts = [
        flag for flag in known if word.strip("-") and set(word.strip("-").split("-")) & set(flag.strip("-").split("-"))
    ]
    best = close or parts[:1]
    return f" (did you mean {best[0]}?)" if best else ""

"""The line of ``%rucat``, parsed as a shell would, wrong ones answered in one line."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Sequence

from .flags import BadUsage, HelpWanted, Parser, Verb
from .verbs import VERBS

__all__ = ["VERBS", "BadUsage", "HelpWanted", "overview", "parse", "parser_of"]


def parse(line: str, *, is_cell: bool = False) -> argparse.Namespace:
    """Parse what follows ``%rucat`` (``is_cell``: ``%%rucat``); ``verb`` is None for an empty line.

    Raises BadUsage or HelpWanted.
    """
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise BadUsage(f"%rucat: {str(exc).lower()}: close the quote, or escape it with a backslash") from None
    if not words:
        return argparse.Namespace(verb=None)
    verb, rest = words[0], words[1:]
    if verb in ("-h", "--help", "help"):
        if rest and rest[0] in VERBS:
            verb, rest = rest[0], ["--help"]
        else:
            return argparse.Namespace(verb=None)
    if verb not in VERBS:
        raise BadUsage(f"there is no verb {verb!r}{_meant(verb, list(VERBS))}. Verbs: {', '.join(VERBS)}")
    parser = parser_of(VERBS[verb])
    found, extra = parser.parse_known_args(_tied(rest))
    for word in extra:
        flag = word.split("=")[0]
        if flag.startswith("-") and flag != "-":
            raise BadUsage(f"{verb} has no flag {flag}{_meant(flag, parser.flags())}")
        raise BadUsage(f"{verb} takes no further word {word!r}: quote a name that has blanks")
    if is_cell and not VERBS[verb].takes_cell:
        raise BadUsage(f"{verb} takes no cell: write it as a line of its own, %rucat {line.strip()}")
    found.verb = verb
    return found


def overview() -> str:
    """The one-screen help."""
    lines = [f"  {verb.name:<9} {verb.does}" for verb in VERBS.values()]
    return "\n".join(["%rucat VERB [NAME] [flags]   (%rucat VERB --help for its flags)", *lines])


def parser_of(verb: Verb) -> Parser:
    """Build the parser of one verb."""
    parser = Parser(
        prog=f"%rucat {verb.name}",
        description=verb.does,
        allow_abbrev=False,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    verb.add_flags(parser)
    return parser


def _tied(words: Sequence[str]) -> list[str]:
    """Tie ``--conf`` to its value, which may begin with a dash."""
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

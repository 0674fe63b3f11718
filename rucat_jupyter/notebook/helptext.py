"""What ``--help`` of a verb says: the line to type, what it does, its flags, examples; the same in every front end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .line.flags import Verb

WIDE = 26  # a flag that is wider has its text on the next line


def verb_help(verb: Verb, actions: Sequence[argparse.Action]) -> str:
    """The help of one verb."""
    own = [action for action in actions if action.dest != "help"]
    words = [f"[{action.metavar}]" for action in own if not action.option_strings]
    flags = ["[flags]"] if any(action.option_strings for action in own) else []
    magic = "%%rucat" if verb.takes_cell else "%rucat"
    parts = [" ".join([magic, verb.name, *words, *flags]), f"  {verb.does}"]
    if verb.about:
        parts += ["", *verb.about.strip("\n").splitlines()]
    if own:
        parts += ["", *(line for action in own for line in _row(_typed(action), action.help or ""))]
    if verb.examples:
        wide = max(len(line) for line, _ in verb.examples)
        parts += ["", "Examples", *(f"  {line:<{wide}}   {does}".rstrip() for line, does in verb.examples)]
    return "\n".join(parts)


def _typed(action: argparse.Action) -> str:
    """A word or flag as it is typed, with a name for its value."""
    names = ", ".join(action.option_strings) or str(action.metavar)
    if not action.option_strings or action.nargs == 0:
        return names
    value = str(action.metavar or "|".join(str(choice) for choice in action.choices or ()) or action.dest.upper())
    if len(value) > WIDE:
        value = action.dest.upper()
    return f"{names} [{value}]" if action.nargs == "?" else f"{names} {value}"


def _row(typed: str, means: str) -> list[str]:
    first, *more = means.splitlines() or [""]
    indent = " " * (WIDE + 4)
    head = [f"  {typed:<{WIDE}}  {first}"] if len(typed) <= WIDE else [f"  {typed}", f"{indent}{first}"]
    return [*head, *(f"{indent}{line.strip()}" for line in more)]

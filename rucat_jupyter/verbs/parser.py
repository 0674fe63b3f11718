"""The parser of a line of ``%rucat`` or ``rucat``: verbs, flags, types of values, help, and one-line errors."""

from __future__ import annotations

import argparse
import difflib
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..core.errors import RucatError

NOTEBOOK, TERMINAL = "%rucat", "rucat"
"""The two fronts, by what users type there."""
HELP = ("-h", "--help", "help")
"""Words that ask for help."""
_EXCLUDED = re.compile(r"(\S+): not allowed with argument (\S+)")
WIDE = 26  # the help of a wider flag is on the next line


class BadUsage(RucatError):
    """The line was not understood; the message says what to type."""

    code = "bad_usage"


class HelpWanted(Exception):
    """``--help`` was given; the text is the argument."""


class Parser(argparse.ArgumentParser):
    """The parser of one verb in one front; it raises instead of printing and exiting."""

    def __init__(self, verb: Verb, front: str = NOTEBOOK) -> None:
        super().__init__(prog=f"{front} {verb.name}", allow_abbrev=False)
        self.verb, self.front = verb, front
        self.is_terminal = front == TERMINAL
        verb.add_flags(self)

    def error(self, message: str) -> NoReturn:
        """Raise BadUsage."""
        said = _EXCLUDED.sub(r"\1 and \2 exclude each other", message.removeprefix("argument "))
        raise BadUsage(f"{self.verb.name}: {said}. See: {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        """Raise HelpWanted."""
        raise HelpWanted(self.format_help())

    def format_help(self) -> str:
        """The text of ``--help``."""
        return _help(self)

    def flags(self) -> list[str]:
        """All flags."""
        return [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]

    def options(self) -> list[argparse.Action]:
        """Arguments that begin with a dash, without ``--help``."""
        return [action for action in self._actions if action.option_strings and action.dest != "help"]

    def words(self) -> list[argparse.Action]:
        """Arguments without a dash."""
        return [action for action in self._actions if not action.option_strings]

    def action(self, flag: str) -> argparse.Action | None:
        """The argument of a flag."""
        return next((action for action in self._actions if flag in action.option_strings), None)

    def given(self, words: Sequence[str]) -> tuple[set[str], argparse.Action | None, list[int]]:
        """The given flags, the one that still needs its value, and the positions of the other words."""
        found: set[str] = set()
        pending, others = None, []
        for at, word in enumerate(words):
            if pending is not None:
                pending = None
            elif word.startswith("-") and (action := self.action(word.partition("=")[0])) is not None:
                found.add(action.dest)
                pending = action if action.nargs != 0 and "=" not in word else None
            else:
                others.append(at)
        return found, pending, others

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words after the verb; raises BadUsage or HelpWanted."""
        found, extra = self.parse_known_args(_tied(words))
        for word in extra:
            flag = word.split("=")[0]
            if flag.startswith("-") and flag != "-":
                see = "" if meant(flag, self.flags()) else f". See: {self.prog} --help"
                raise BadUsage(f"{self.verb.name} has no flag {flag[:80]}{meant(flag, self.flags())}{see}")
            raise BadUsage(f"{self.verb.name}: unexpected argument {word[:80]!r}; quote a name that contains spaces")
        found.verb = self.verb.name
        return found


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes
    ----------
    name, does
        The verb, and its one-line description, which the overviews show.
    python
        What does the same in Python; empty if nothing does.
    add_flags
        Adds its arguments and flags to the parser of a front.
    about
        The description in ``--help``, below the first line; ``%rucat`` in it becomes ``rucat`` in a terminal.
    examples
        What to type after the verb's front, each with its description. A line with ``rucat`` in it is whole, and of
        one front only.
    only
        The front that has the verb; None: both.
    takes_cell
        Whether ``%%rucat VERB`` is valid: the text of the cell is ``asked.body`` (None in a line).
    takes_rest
        Whether the text after the flags of a line is free text, which is not parsed: ``asked.rest``.
    """

    name: str
    does: str
    python: str = ""
    add_flags: Callable[[Parser], None] = field(default=lambda parser: None)
    about: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    only: str | None = None
    takes_cell: bool = False
    takes_rest: bool = False

    def lines(self, front: str) -> list[tuple[str, str]]:
        """The examples of a front, as they are typed there."""
        found = [(line if "rucat" in line else f"{front} {line}", does) for line, does in self.examples]
        return [(line, does) for line, does in found if ("%" in line.partition("rucat")[0]) == (front == NOTEBOOK)]


def find(word: str, verbs: Mapping[str, Verb], front: str) -> Verb:
    """The verb of that name in a front, or BadUsage with a suggestion."""
    found = verbs.get(word)
    if found is not None and found.only in (None, front):
        return found
    if found is not None:
        place = "a terminal" if found.only == TERMINAL else "a notebook"
        raise BadUsage(f"{word} is a verb for {place}: {found.only} {word}")
    if word.startswith("-"):
        raise BadUsage(f"{front} has no flag {word[:80]}. See: {front} --help")
    known = [name for name, verb in verbs.items() if verb.only in (None, front)]
    raise BadUsage(f"there is no verb {word[:80]!r}{meant(word, known)}. Verbs: {', '.join(known)}")


def overview(verbs: Mapping[str, Verb], front: str) -> str:
    """The one-screen help of a front."""
    mine = [verb for verb in verbs.values() if verb.only in (None, front)]
    wide = max(len(verb.name) for verb in mine)
    cells = [
        f"  %{front} {verb.name} runs the cell below it." for verb in mine if verb.takes_cell and front == NOTEBOOK
    ]
    head = f"{front} VERB [NAME] [flags]     Flags and examples of a verb: {front} VERB --help"
    return "\n".join([head, *(f"  {verb.name:<{wide}}  {verb.does}" for verb in mine), *cells])


def completed_by(action: argparse.Action, source: str) -> argparse.Action:
    """Set what Tab offers for the value: engines, profiles, variables, confs, contexts, namespaces or statuses."""
    action.completed_by = source  # type: ignore[attr-defined]  # argparse's actions are open objects
    return action


def meant(word: str, known: Sequence[str]) -> str:
    """A suggestion to append to a message; empty if no known word is similar."""
    parts = set(word.strip("-").split("-"))
    close = difflib.get_close_matches(word, known, 1, 0.6) or [
        flag for flag in known if word.strip("-") and parts & set(flag.strip("-").split("-"))
    ]
    return f" (did you mean {close[0]}?)" if close else ""


def _tied(words: Sequence[str]) -> list[str]:
    """Join ``--conf`` to its value, which may begin with a dash."""
    tied: list[str] = []
    left = iter(words)
    for word in left:
        value = next(left, None) if word == "--conf" else None
        tied.append(word if value is None else f"{word}={value}")
    return tied


# --- types of values --------------------------------------------------------------------------------------


def setting(text: str) -> tuple[str, str]:
    """``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not KEY=VALUE")
    return key.strip(), value


def word(text: str) -> str:
    """A word that is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the value is empty")
    return text


def count(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def seconds(text: str) -> float:
    """A number of seconds, 0 or more, not infinite."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return number


def variable(text: str) -> str:
    """A name of a variable."""
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid variable name")
    return text


# --- help -------------------------------------------------------------------------------------------------


def _help(parser: Parser) -> str:
    """The help of one verb in one front."""
    verb, front = parser.verb, parser.front
    words = [f"[{action.metavar}]" if action.nargs in ("?", "*") else str(action.metavar) for action in parser.words()]
    flags = ["[flags]"] if parser.options() else []
    magic = "%%rucat" if verb.takes_cell and front == NOTEBOOK else front
    parts = [" ".join([magic, verb.name, *words, *flags]), f"  {verb.does}"]
    if verb.about:
        parts += ["", *verb.about.strip("\n").replace(NOTEBOOK, front).splitlines()]
    if own := [*parser.words(), *parser.options()]:
        parts += ["", *(line for action in own for line in _row(_typed(action), action.help or ""))]
    if lines := verb.lines(front):
        wide = max(len(line) for line, _ in lines)
        parts += ["", "Examples", *(f"  {line:<{wide}}   {does}".rstrip() for line, does in lines)]
    return "\n".join(parts)


def _typed(action: argparse.Action) -> str:
    """An argument or flag as users type it, with the name of its value."""
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

"""Definitions of verbs: their flags, the types of values, and what Tab offers for each."""

from __future__ import annotations

import argparse
import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from .usage import BadUsage, HelpWanted

if TYPE_CHECKING:
    from .context import Context


class Parser(argparse.ArgumentParser):
    """The parser of one verb; it raises instead of printing and exiting."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(prog=f"%rucat {verb.name}", allow_abbrev=False)
        self.verb = verb
        verb.add_flags(self)

    def error(self, message: str) -> NoReturn:
        """Raise BadUsage."""
        raise BadUsage(f"{self.verb.name}: {message.removeprefix('argument ')}. See: {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        """Raise HelpWanted."""
        raise HelpWanted(self.format_help())

    def format_help(self) -> str:
        """The text of ``--help``."""
        return verb_help(self.verb, self._actions)

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


@dataclass(frozen=True)
class Verb:
    """One verb of ``%rucat``.

    Attributes
    ----------
    name, does
        The verb, and its one-line description, which the overview shows.
    run
        The function; gets the notebook's context and the parsed line. With ``takes_cell`` the text of the cell is
        ``asked.body`` (None in a line). It returns the value of ``x = %rucat VERB``, which is never shown.
    add_flags
        Adds its arguments and flags to the parser.
    about
        The description in ``--help``, below the first line.
    examples
        Lines to type, each with its description.
    takes_cell
        Whether ``%%rucat VERB`` is valid.
    takes_rest
        Whether the text after the flags of a line is free text, which is not parsed: ``asked.rest``.
    """

    name: str
    does: str
    run: Callable[[Context, argparse.Namespace], Any]
    add_flags: Callable[[Parser], None] = field(default=lambda parser: None)
    about: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    takes_cell: bool = False
    takes_rest: bool = False


def completed_by(action: argparse.Action, source: str) -> argparse.Action:
    """Set what Tab offers for the value: a name in :data:`rucat_jupyter.notebook.magics.completion.SOURCES`."""
    action.completed_by = source  # type: ignore[attr-defined]  # argparse's actions are open objects
    return action


# --- flags that several verbs share -----------------------------------------------------------------------


def name(parser: Parser, help_text: str = "the engine; default: the one attached here, or the only one") -> None:
    """Add the name of an engine."""
    completed_by(parser.add_argument("name", nargs="?", metavar="NAME", help=help_text), "engines")


def waiting(parser: Parser) -> None:
    """Add ``--no-wait`` and ``--timeout``."""
    parser.add_argument("--no-wait", action="store_true", help="return immediately")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="wait no longer than S seconds")


def attaching(parser: Parser) -> None:
    """Add ``--as`` and ``--session``."""
    taken = parser.add_argument("--as", dest="variable", type=variable, metavar="VAR", help="bind the session to VAR")
    completed_by(taken, "variables")
    parser.add_argument("--session", metavar="KEY", help="name of the session, or the path of another notebook")


def settings(parser: Parser) -> None:
    """Add the settings of create: ``--profile``, :func:`resources`, namespace and context."""
    completed_by(
        parser.add_argument("--profile", type=word, metavar="P", help="name of a profile (a template for engines)"),
        "profiles",
    )
    resources(parser)
    namespace = parser.add_argument("--namespace", type=word, metavar="N", help="namespace, on Kubernetes")
    completed_by(namespace, "namespaces")
    context = parser.add_argument("--context", type=word, metavar="C", help="context of the kubeconfig, on Kubernetes")
    completed_by(context, "contexts")


def resources(parser: Parser) -> None:
    """Add the settings that a restart can change, too: ``--conf``, ``--driver-memory``, executors, image."""
    conf = parser.add_argument(
        "--conf", action="append", type=setting, default=[], metavar="K=V", help="Spark conf; repeatable"
    )
    completed_by(conf, "confs")
    parser.add_argument("--executors", type=count, metavar="N", help="number of executors")
    parser.add_argument("--executor-memory", metavar="SIZE", help="heap of each executor, e.g. 4g")
    parser.add_argument("--executor-cores", type=count, metavar="N", help="cores of each executor")
    parser.add_argument("--driver-memory", metavar="SIZE", help="heap of the driver, e.g. 4g")
    parser.add_argument("--image", type=word, metavar="I", help="container image, on Kubernetes")


# --- types of values --------------------------------------------------------------------------------------


def setting(text: str) -> tuple[str, str]:
    """``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
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


WIDE = 26  # the help of a wider flag is on the next line


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

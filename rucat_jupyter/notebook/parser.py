"""The words of ``%rucat``: verbs and flags, parsed as a shell would, wrong ones answered in one line."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import RucatError

EXTERNAL = "sc://"


class BadUsage(RucatError):
    """The line was not understood; the message says what to type."""

    code = "bad_usage"


class HelpWanted(Exception):
    """``--help`` was given; the text is the argument."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing and exiting, and knows what was meant."""

    def error(self, message: str) -> NoReturn:
        raise BadUsage(f"{self.prog}: {message}. See: {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        raise HelpWanted(self.format_help().rstrip())

    def flags(self) -> list[str]:
        """Every flag that it knows."""
        return [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]


def parse(line: str) -> argparse.Namespace:
    """Parse what follows ``%rucat``; ``verb`` is None for an empty line. Raises BadUsage or HelpWanted."""
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
    parser = _parser(verb)
    found, extra = parser.parse_known_args(_tied(rest))
    for word in extra:
        flag = word.split("=")[0]
        if flag.startswith("-") and flag != "-":
            raise BadUsage(f"{verb} has no flag {flag}{_meant(flag, parser.flags())}")
        raise BadUsage(f"{verb} takes no further word {word!r}: quote a name that has blanks")
    found.verb = verb
    return found


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


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key.strip(), value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return seconds


def _variable(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable's name")
    return text


def _name(parser: _Parser, help_text: str = "the engine; default: the one attached here, or the only one") -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help=help_text)


def _wait(parser: _Parser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="return at once")
    parser.add_argument("--timeout", type=_seconds, metavar="S", help="wait no longer than S seconds")


def _attach_flags(parser: _Parser) -> None:
    parser.add_argument("--as", dest="variable", type=_variable, metavar="VAR", help="bind the session to VAR")
    parser.add_argument("--session", metavar="KEY", help="name the session where there is no notebook")


def _create(parser: _Parser) -> None:
    _name(parser, "default: the profile's name; on this machine local-<folder>-<4 hex>")
    parser.add_argument("--profile", metavar="P", help="a named template")
    parser.add_argument(
        "--conf", action="append", type=_setting, default=[], metavar="K=V", help="Spark conf; repeatable"
    )
    parser.add_argument("--executors", type=_count, metavar="N", help="how many executors")
    parser.add_argument("--driver-memory", metavar="SIZE", help="the driver's heap, e.g. 4g")
    parser.add_argument("--no-attach", action="store_true", help="do not bind spark")
    _wait(parser)
    _attach_flags(parser)


def _attach(parser: _Parser) -> None:
    _name(parser, "the engine, or sc://host:port of one that someone else runs")
    _attach_flags(parser)


def _detach(parser: _Parser) -> None:
    _name(parser)


def _list(parser: _Parser) -> None:
    del parser  # takes nothing


def _restart(parser: _Parser) -> None:
    _name(parser)
    _wait(parser)


def _delete(parser: _Parser) -> None:
    _name(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")


def _logs(parser: _Parser) -> None:
    _name(parser)
    parser.add_argument("--tail", type=_count, metavar="N", help="the last N lines (default 100)")
    parser.add_argument("--follow", action="store_true", help="go on as lines come; Ctrl-C ends it")


VERBS = {
    "create": ("make an engine, or find mine of that name; start it, attach", _create),
    "attach": ("bind spark to an engine that runs; the session of this notebook", _attach),
    "detach": ("let go of it; engine and session live on", _detach),
    "list": ("my engines", _list),
    "status": ("everything about one engine", _detach),
    "stop": ("end it; its record, settings and last log lines stay", _detach),
    "restart": ("stop it where it runs, and start it with its stored settings", _restart),
    "delete": ("stop it and forget it", _delete),
    "logs": ("the driver's log", _logs),
    "history": ("what happened to it", _detach),
}
"""Verb -> (what it does, what adds its flags)."""


def overview() -> str:
    """The one-screen help."""
    lines = [f"  {verb:<9} {does}" for verb, (does, _) in VERBS.items()]
    return "\n".join(["%rucat VERB [NAME] [flags]   (%rucat VERB --help for its flags)", *lines])


def _parser(verb: str) -> _Parser:
    does, add_flags = VERBS[verb]
    parser = _Parser(
        prog=f"%rucat {verb}", description=does, allow_abbrev=False, formatter_class=argparse.RawTextHelpFormatter
    )
    add_flags(parser)
    return parser

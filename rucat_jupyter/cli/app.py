"""Runs the command line: errors become one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from .. import __version__
from ..client import errors
from ..client.errors import WaitInterrupted
from ..core.errors import RucatError
from ..verbs.parser import HELP, TERMINAL, HelpWanted, Parser, find, overview
from ..verbs.table import VERBS
from . import act, complete, kubernetes, look, more, output, serve, shell, sql, ui
from .errors import CODES, INTERRUPTED, OK, fail
from .reader import NO_READER

Runs = Mapping[str, Callable[[argparse.Namespace], "int | None"]]
RUNS: Runs = {**look.RUNS, **act.RUNS, **shell.RUNS, **more.RUNS, **kubernetes.RUNS, **sql.RUNS, **ui.RUNS}
"""Verb -> its function; the verb ``serve`` gets the gateway in :func:`run`."""
OPTIONS = (
    ("--version", "show the version"),
    ("--show-completion [SHELL]", "print what bash, zsh or fish needs to complete with Tab"),
)


def run(gateway: Callable[[], None], args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; ``gateway`` runs the gateway."""
    args = sys.argv[1:] if args is None else list(args)
    errors.speak_commands()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # the locale may lack a character
    try:
        code = _run({**RUNS, "serve": serve.verb(gateway)}, list(args))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone: `rucat logs --follow | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NO_READER
    sys.exit(code)


def _run(runs: Runs, args: list[str]) -> int:
    try:
        if complete.VARIABLE in os.environ:
            return complete.answer(args)
        if not args or (args[0] in HELP and len(args) == 1):
            output.say(help_text())
        elif args[0] == "--version":
            output.say(f"rucat {__version__}")
        elif args[0] == "--show-completion":
            output.say(complete.script(args[1:]))
        else:
            asked = parse(args)
            return runs[asked.verb](asked) or OK
    except HelpWanted as wanted:
        output.say(str(wanted))
    except RucatError as error:
        return fail(error, is_json="--json" in args)
    except KeyboardInterrupt as interrupt:
        if isinstance(interrupt, WaitInterrupted):
            output.tell(f"rucat: {interrupt}")
        return INTERRUPTED
    return OK


def parse(args: Sequence[str]) -> argparse.Namespace:
    """Parse a command; raises BadUsage or HelpWanted."""
    word, rest = args[0], list(args[1:])
    if word in HELP:
        word, rest = rest[0], ["--help"]
    parser = Parser(find(word, VERBS, TERMINAL), TERMINAL)
    script: list[str] = []
    if word == "attach" and len(others := parser.given(rest)[2]) > 1:
        rest, script = rest[: others[1]], rest[others[1] :]  # what follows a script is for the script
    asked = parser.parse(rest)
    asked.script = script
    return asked


def help_text() -> str:
    """The one-screen help: verbs, options, exit codes."""
    options = [f"  {option:<26} {does}" for option, does in OPTIONS]
    codes = [f"  {code:<4} {meaning}" for code, meaning in CODES]
    return "\n".join([overview(VERBS, TERMINAL), "", "Options", *options, "", "Exit codes", *codes])

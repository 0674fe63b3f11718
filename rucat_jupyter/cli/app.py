"""Runs the command line: errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer

from ..client import errors
from ..core.errors import RucatError
from . import output, verbs
from .errors import INTERRUPTED, OK, USAGE_ERROR, fail
from .reader import NO_READER


def run(serve: Callable[[], None], args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; ``serve`` runs the gateway."""
    args = sys.argv[1:] if args is None else list(args)
    errors.speak_commands()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # the locale may lack a character
    try:
        code = _run(serve, args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone: `rucat logs --follow | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NO_READER
    sys.exit(code)


def _run(serve: Callable[[], None], args: list[str]) -> int:
    try:
        done = typer.main.get_command(verbs.build(serve)).main(args, prog_name="rucat", standalone_mode=False)
        return done if isinstance(done, int) else OK
    except RucatError as error:
        return fail(error, is_json="--json" in args)
    except USAGE_ERROR as error:  # no arguments at all: the message is the help
        output.say(error.format_message())
        return OK
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED

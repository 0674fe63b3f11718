"""The frame of the command line: verbs and flags, errors as one line and an exit code."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from ..client import errors as failures
from ..client.errors import StillWaiting, WaitInterrupted
from ..client.words import text
from ..core.errors import EngineNotFound, InvalidRequest, RucatError
from . import output
from .reader import NO_READER

OK, FAILED, USAGE, NOT_FOUND, TIME_OVER, INTERRUPTED = 0, 1, 2, 3, 4, 130
CODES = (
    (OK, "done"),
    (FAILED, "refused or failed; doctor: something is bad"),
    (USAGE, "wrong usage, or a wrong setting"),
    (NOT_FOUND, "there is no such engine"),
    (TIME_OVER, "--timeout is over; the engine goes on"),
    (INTERRUPTED, "Ctrl-C; the engine goes on"),
)
"""Exit codes and what they mean; 130 is the shell's own for SIGINT."""

USAGE_ERROR: Any = typer.BadParameter.__mro__[1]
"""Click's UsageError, wherever this typer has it: a package of its own or a part of typer."""

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in CODES)


class BadUsage(RucatError):
    """The command was not understood; the message says what to type."""

    code = "bad_usage"


class Verb(TyperCommand):
    """One verb: what is wrong with its flags is said in one line; Ctrl-C ends it, and nothing else."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, or raise BadUsage."""
        try:
            return super().parse_args(ctx, args)
        except USAGE_ERROR as error:
            if ctx.resilient_parsing:
                raise
            raise BadUsage(_usage(self, ctx, error)) from None

    def invoke(self, ctx: Any) -> Any:
        """Run; turns Ctrl-C, which click would take for its own, into an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            if isinstance(interrupt, WaitInterrupted):
                output.tell(f"rucat: {interrupt}")
            raise SystemExit(INTERRUPTED) from None


class Verbs(TyperGroup):
    """All verbs."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb, or raise BadUsage with the one that was meant."""
        if args and self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            verbs = self.list_commands(ctx)
            raise BadUsage(f"there is no verb {args[0]!r}{meant(args[0], verbs)}. Verbs: {', '.join(verbs)}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what comes before the verb, or raise BadUsage."""
        try:
            return super().parse_args(ctx, args)
        except USAGE_ERROR as error:
            if ctx.resilient_parsing or type(error).__name__ == "NoArgsIsHelpError":
                raise
            raise BadUsage(_usage(self, ctx, error)) from None


def run(serve: Callable[[], None], args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code; ``serve`` is the gateway itself."""
    args = sys.argv[1:] if args is None else list(args)
    failures.speak_commands()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a locale that knows few characters
    try:
        code = _run(serve, args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has enough: `rucat logs --follow | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NO_READER
    sys.exit(code)


def _run(serve: Callable[[], None], args: list[str]) -> int:
    from . import verbs

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


def fail(error: RucatError, *, is_json: bool) -> int:
    """Say what went wrong, to people on stderr and to programs on stdout; returns the exit code."""
    output.tell(f"rucat: {error.message}" if error.message else "rucat: it failed without a word")
    if is_json:
        found = getattr(error, "engine", None)
        details = {**error.details, **({"engine": found} if isinstance(found, dict) else {})}
        output.show_json({**error.as_json(), "message": error.message.splitlines()[0], "details": details})
    return code_of(error)


def code_of(error: RucatError) -> int:
    """The exit code of an error."""
    if isinstance(error, EngineNotFound):
        return NOT_FOUND
    if isinstance(error, (BadUsage, InvalidRequest)):
        return USAGE
    return TIME_OVER if isinstance(error, StillWaiting) else FAILED


def meant(word: str, known: Sequence[str]) -> str:
    """What was probably meant, as an addition to a sentence; empty where nothing is close."""
    parts = set(word.strip("-").split("-"))
    close = difflib.get_close_matches(word, known, 1, 0.6) or [
        flag for flag in known if word.strip("-") and parts & set(flag.strip("-").split("-"))
    ]
    return f" (did you mean {close[0]}?)" if close else ""


def _usage(command: Any, ctx: Any, error: Any) -> str:
    """Click's complaint in our words."""
    rucat = ctx.command_path
    verb = rucat.removeprefix("rucat ")
    flag = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption":
        known = [word for parameter in command.get_params(ctx) for word in parameter.opts if word.startswith("--")]
        return f"{verb} has no flag {text.plain(flag, 80)}{meant(str(flag), known)}. See: {rucat} --help"
    words = error.format_message().rstrip(".")
    extra = re.search(r"unexpected extra argument(?:s|\(s\))? \((.*)\)", words, re.DOTALL)
    if extra:
        word = text.plain(extra[1], 80)
        return f"{verb} takes no further word {word!r}: quote a name that has blanks. See: {rucat} --help"
    return f"{verb}: {text.plain(words)}. See: {rucat} --help"

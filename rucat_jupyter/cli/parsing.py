"""How typer parses verbs and flags: suggestions for wrong ones, and help with exit codes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from ..client.errors import WaitInterrupted
from ..client.words import text
from . import output
from .errors import CODES, INTERRUPTED, USAGE_ERROR, BadUsage

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in CODES)


class Verb(TyperCommand):
    """One verb: a usage error is one line, and Ctrl-C becomes an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, or raise BadUsage."""
        try:
            return super().parse_args(ctx, args)
        except USAGE_ERROR as error:
            if ctx.resilient_parsing:
                raise
            raise BadUsage(_usage(self, ctx, error)) from None

    def invoke(self, ctx: Any) -> Any:
        """Run; turns Ctrl-C into our exit code before click handles it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            if isinstance(interrupt, WaitInterrupted):
                output.tell(f"rucat: {interrupt}")
            raise SystemExit(INTERRUPTED) from None


class Verbs(TyperGroup):
    """All verbs."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb, or raise BadUsage with a suggestion."""
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


def meant(word: str, known: Sequence[str]) -> str:
    """A suggestion to append to a message; empty if no known word is similar."""
    parts = set(word.strip("-").split("-"))
    close = difflib.get_close_matches(word, known, 1, 0.6) or [
        flag for flag in known if word.strip("-") and parts & set(flag.strip("-").split("-"))
    ]
    return f" (did you mean {close[0]}?)" if close else ""


def _usage(command: Any, ctx: Any, error: Any) -> str:
    """Our message for an error of click."""
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
        return f"{verb}: unexpected argument {word!r}; quote a name that contains spaces. See: {rucat} --help"
    return f"{verb}: {text.plain(words)}. See: {rucat} --help"

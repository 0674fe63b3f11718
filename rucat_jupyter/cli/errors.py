"""Exit codes, and errors as the command line says them."""

from __future__ import annotations

from typing import Any

import typer

from ..client.errors import StillWaiting
from ..core.errors import EngineNotFound, InvalidRequest, RucatError
from . import output

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


class BadUsage(RucatError):
    """The command was not understood; the message says what to type."""

    code = "bad_usage"


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

"""Exit codes, and how the command line reports errors."""

from __future__ import annotations

from ..client.errors import StillWaiting
from ..core.errors import EngineNotFound, InvalidRequest, RucatError
from ..verbs.parser import BadUsage
from . import output

OK, FAILED, USAGE, NOT_FOUND, TIME_OVER, INTERRUPTED = 0, 1, 2, 3, 4, 130
CODES = (
    (OK, "done"),
    (FAILED, "rejected or failed; doctor: a finding is bad"),
    (USAGE, "wrong usage, or an invalid setting"),
    (NOT_FOUND, "no such engine"),
    (TIME_OVER, "--timeout has expired; the engine keeps running"),
    (INTERRUPTED, "Ctrl-C; the engine keeps running"),
)
"""Exit codes and their meaning; 130 is what a shell returns for SIGINT."""


def fail(error: RucatError, *, is_json: bool) -> int:
    """Report an error on stderr, and with ``is_json`` on stdout, too; returns the exit code."""
    output.tell(f"rucat: {error.message}" if error.message else "rucat: failed without a message")
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

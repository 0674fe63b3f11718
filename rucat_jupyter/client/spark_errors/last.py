"""The last error of Spark, in short and in full: of this process, and of the last command of this user."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from ...core.errors import RucatError
from ...launch import datadir
from ..identity import get_shell
from ..words import text
from . import brief

FILE = "last-error.json"
LONGEST = 2000  # characters of a line of an error that is not Spark's
MOST_LINES = 30


def error(*, verbose: bool = False) -> str:
    """Get the last error that was not handled, in short or in full.

    Parameters
    ----------
    verbose : bool, default False
        With the traces of Python, Spark and the JVM. False: at most five lines, the cause first.

    Returns
    -------
    str
        The error as text; empty if there is none.

    Examples
    --------
    >>> said = rucat_jupyter.error(verbose=True)
    """
    last = getattr(sys, "last_value", None)
    return "" if last is None else said(last, verbose=verbose)


def said(error: BaseException, *, verbose: bool) -> str:
    """An error in short or in full."""
    if verbose:
        return brief.full(error)
    if "pyspark" in sys.modules and brief.is_of_spark(error):
        return "\n".join(brief.short(error, get_shell()))
    first, *more = f"{type(error).__name__}: {error}".split("\n")
    lines = [text.plain(line, LONGEST) for line in (first, *more[: MOST_LINES - 1])]
    return "\n".join(
        [*lines, f"… {text.count(left, 'more line')}"] if (left := len(more) - MOST_LINES + 1) > 0 else lines
    )


def remember(error: BaseException) -> None:
    """Keep the error of a command for ``rucat error``; a full disk must not hide the error itself."""
    found = {"short": said(error, verbose=False), "full": said(error, verbose=True)}
    with contextlib.suppress(OSError, RucatError):
        path = _path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(found, file)


def remembered() -> dict[str, str] | None:
    """The error of the last command that failed in Spark, as ``short`` and ``full``."""
    try:
        found: dict[str, str] = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RucatError):
        return None
    return found


def _path() -> Path:
    return datadir.data_dir() / FILE

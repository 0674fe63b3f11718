"""Runs the user's script on an engine, and shows its errors without frames of Rucat."""

from __future__ import annotations

import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

from ..client.spark_errors import brief as spark_errors
from ..client.spark_errors import last
from ..core.errors import RucatError
from . import output
from .errors import FAILED

STDIN = "-"
HIDDEN = (str(Path(__file__).parents[1]), "<frozen runpy>", runpy.__file__)


def run(words: list[str], namespace: dict[str, Any]) -> int | None:
    """Run a file, or stdin, as ``python FILE ARG…`` would; the first word is its name."""
    try:
        if words[0] == STDIN:
            program = compile(sys.stdin.read(), "<stdin>", "exec")
            exec(program, {"__name__": "__main__", **namespace})  # noqa: S102  # the user's own program
        else:
            sys.path.insert(0, str(Path(words[0]).resolve().parent))
            runpy.run_path(words[0], init_globals=namespace, run_name="__main__")
    except RucatError:
        raise
    except Exception as error:  # the user's program may raise anything: it is shown as Python does
        output.tell("\n".join(briefly(error) or _trace(error)))
        return FAILED
    return None


def briefly(error: BaseException | None) -> list[str]:
    """The short form of an error of Rucat or Spark, and remember it; empty for others, or if errors are in full."""
    if isinstance(error, RucatError):
        return error.message.splitlines()
    if error is None or spark_errors.mode() == spark_errors.FULL or not spark_errors.is_of_spark(error):
        return []
    last.remember(error)
    return [line.replace("%tb", "rucat error --verbose") for line in spark_errors.short(error)]  # %tb needs IPython


def _trace(error: BaseException) -> list[str]:
    """Python's traceback, from the first line of the user's code."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(HIDDEN):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).splitlines()

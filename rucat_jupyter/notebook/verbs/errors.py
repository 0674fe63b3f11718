"""The verb ``error``: show the last error of this notebook again, in short or in full."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ...client.spark_errors import brief as spark_errors
from ...client.spark_errors import last
from ...client.words import text
from ...client.words.phase import say
from ..line.context import Context


def _error(context: Context, asked: argparse.Namespace) -> Any:
    """Show the last error again, or set how errors are shown."""
    del context
    if asked.always:
        spark_errors.set_mode(asked.always)
        back = f"%rucat error --always {_other(asked.always)}"
        say(f"Errors of Spark are now shown {asked.always}. To change back: {back}")
        return None
    error = getattr(sys, "last_value", None)
    if error is None:
        say("No error yet.")
        return None
    has_all = asked.verbose or ("pyspark" in sys.modules and spark_errors.is_of_spark(error))
    how = "" if has_all else "\n  Full trace: %rucat error --verbose"
    say(
        text.fitting(last.said(error, verbose=asked.verbose), "print(rucat_jupyter.error(verbose=True)) writes all")
        + how
    )
    return error


def _other(mode: str) -> str:
    return spark_errors.FULL if mode == spark_errors.SHORT else spark_errors.SHORT


RUNS = {"error": _error}

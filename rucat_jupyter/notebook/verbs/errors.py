"""The verb ``error``: show the last error of this notebook again, in short or in full."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ...client.identity import get_shell
from ...client.spark_errors import brief as spark_errors
from ...client.words.phase import say
from ..line.context import Context
from ..line.flags import Parser, Verb


def _flags(parser: Parser) -> None:
    parser.add_argument(
        "--verbose", "-v", action="store_true", help="show everything: the traces of Python, Spark and the JVM"
    )
    parser.add_argument(
        "--always", choices=(spark_errors.SHORT, spark_errors.FULL), help="show errors this way from now on"
    )


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
    if asked.verbose:
        say(spark_errors.full(error))
    elif "pyspark" in sys.modules and spark_errors.is_of_spark(error):
        say("\n".join(spark_errors.short(error, get_shell())))
    else:
        say(f"{type(error).__name__}: {error}\n  Full trace: %rucat error --verbose")
    return error


def _other(mode: str) -> str:
    return spark_errors.FULL if mode == spark_errors.SHORT else spark_errors.SHORT


VERBS = (
    Verb(
        "error",
        "show the last error again; --verbose: in full",
        _error,
        _flags,
        about="Errors of Spark have at most five lines, the cause first. The environment variable\n"
        "RUCAT_ERRORS=full and --always full show them as Python and pyspark do.",
        examples=(
            ("%rucat error --verbose", "the full traces of Python, Spark and the JVM"),
            ("%rucat error --always full", "show errors in full from now on"),
        ),
    ),
)

"""The verb ``error``: the last error of this notebook again, with everything that is known of it."""

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
    parser.add_argument("--verbose", "-v", action="store_true", help="everything: Python's trace, Spark's, the JVM's")
    parser.add_argument(
        "--always", choices=(spark_errors.SHORT, spark_errors.FULL), help="show errors this way from now on"
    )


def _error(context: Context, asked: argparse.Namespace) -> Any:
    """Show the last error again, or set how errors are shown."""
    del context
    if asked.always:
        spark_errors.set_mode(asked.always)
        say(f"Spark's errors are shown {asked.always} from now on. Back: %rucat error --always {_other(asked.always)}")
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
        "the last error again; --verbose: everything that is known of it",
        _error,
        _flags,
        about="Spark's errors are shown in at most five lines, cause first. The environment variable\n"
        "RUCAT_ERRORS=full, or --always full, shows them as Python and pyspark do.",
        examples=(
            ("%rucat error --verbose", "the whole trace: Python's, Spark's message, the JVM's"),
            ("%rucat error --always full", "no short errors from now on"),
        ),
    ),
)

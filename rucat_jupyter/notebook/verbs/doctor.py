"""The verb ``doctor``: problems on this machine and their fixes."""

from __future__ import annotations

import argparse
from typing import Any

from ...checkup.report import doctor
from ...client.words.phase import say
from ..line.context import Context
from ..line.flags import Parser, Verb


def _flags(parser: Parser) -> None:
    parser.add_argument("--start", action="store_true", help="start the gateway first, if none runs")


def _doctor(context: Context, asked: argparse.Namespace) -> Any:
    """Show the findings."""
    del context
    found = doctor(start=asked.start)
    say(repr(found))
    return found


VERBS = (
    Verb(
        "doctor",
        "find problems on this machine and their fixes",
        _doctor,
        _flags,
        "Checks Java, Python, Spark, store, gateway, Jupyter, machine and network; changes nothing.",
        (("%rucat doctor", "check everything"),),
    ),
)

"""The verb ``doctor``: what is wrong on this machine and what mends it."""

from __future__ import annotations

import argparse
from typing import Any

from ...client.words.phase import say
from ..line.context import Context
from ..line.flags import Parser, Verb


def _flags(parser: Parser) -> None:
    parser.add_argument("--start", action="store_true", help="start the gateway first, if none runs")


def _doctor(context: Context, asked: argparse.Namespace) -> Any:
    """Show what is wrong."""
    del context
    from ...checkup.report import doctor

    found = doctor(start=asked.start)
    say(repr(found))
    return found


VERBS = (
    Verb(
        "doctor",
        "what is wrong here, and the command that mends it",
        _doctor,
        _flags,
        "Looks at Java, Python, Spark, store, gateway, Jupyter, machine and network; changes nothing.",
        (("%rucat doctor", "look at everything"),),
    ),
)

"""The verb ``doctor``: problems on this machine and their fixes."""

from __future__ import annotations

import argparse
from typing import Any

from ...checkup.report import doctor
from ...client.words.phase import say
from ..line.context import Context


def _doctor(context: Context, asked: argparse.Namespace) -> Any:
    """Show the findings."""
    del context
    found = doctor(start=asked.start)
    say(repr(found))
    return found


RUNS = {"doctor": _doctor}

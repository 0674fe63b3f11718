"""What each verb does in a notebook, a dict ``RUNS`` in each module; ``notebook.magics`` imports it.

The extension loads these modules, so heavy imports are inside functions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..line.context import Context
from ..sql import run as sql
from . import act, attach, create, doctor, errors, look, profiles, ui

RUNS: dict[str, Callable[[Context, argparse.Namespace], Any]] = {
    "sql": sql.run,
    **act.RUNS,
    **attach.RUNS,
    **create.RUNS,
    **doctor.RUNS,
    **errors.RUNS,
    **look.RUNS,
    **profiles.RUNS,
    **ui.RUNS,
}
"""Verb -> its function; it gets the notebook's context and the parsed line, and returns the value of
``x = %rucat VERB``, which is never shown."""

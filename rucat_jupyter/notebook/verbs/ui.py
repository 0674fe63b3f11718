"""The verb ``ui``: where the Spark UI of an engine is."""

from __future__ import annotations

import argparse
from typing import Any

from ...client.identity import get_shell, in_kernel
from ...client.words.phase import say
from ..line import flags
from ..line.context import Context
from ..line.flags import Verb


def _ui(context: Context, asked: argparse.Namespace) -> Any:
    """Say where the Spark UI is: a link where that can be clicked."""
    link = context.engine(asked.name).ui_url
    if in_kernel(get_shell()):
        from IPython.display import display

        shown = {"text/plain": str(link), "text/html": link._repr_html_()}
        display(shown, raw=True)  # type: ignore[no-untyped-call]  # IPython has no types
    else:
        say(link)
    return link


VERBS = (Verb("ui", "its Spark UI: jobs, stages, SQL, executors, as a link", _ui, flags.name),)

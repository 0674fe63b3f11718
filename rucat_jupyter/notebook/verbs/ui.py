"""The verb ``ui``: a link to the Spark UI of an engine."""

from __future__ import annotations

import argparse
from typing import Any

from IPython.display import display

from ...client.identity import get_shell, in_kernel
from ...client.words.phase import say
from ..line.context import Context


def _ui(context: Context, asked: argparse.Namespace) -> Any:
    """Show the address of the Spark UI, as a link if the front end has links."""
    link = context.engine(asked.name).ui_url
    if in_kernel(get_shell()):
        shown = {"text/plain": str(link), "text/html": link._repr_html_()}
        display(shown, raw=True)  # type: ignore[no-untyped-call]  # IPython has no types
    else:
        say(link)
    return link


RUNS = {"ui": _ui}

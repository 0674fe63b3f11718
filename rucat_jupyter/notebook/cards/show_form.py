"""``create_form()``: the form where widgets are shown, a line that says what to type where they are not."""

from __future__ import annotations

from ...client.frontend import shows_widgets
from ...client.words.phase import say


def create_form() -> None:
    """Show a form that creates an engine: profile, name, memory, executors, idle stop, and all other settings."""
    if shows_widgets():
        from . import cards as widget

        widget.show_form()
    else:
        say("A form needs JupyterLab or Notebook. Here: %rucat create NAME --profile P --driver-memory 4g")

"""``create_form()``: the form, or a line that says what to type if widgets are not shown."""

from __future__ import annotations

from ...client.frontend import shows_widgets
from ...client.words.phase import say


def create_form() -> None:
    """Show a form that creates an engine: profile, name, memory, executors, idle timeout, and all other settings.

    Without widgets (a terminal, a script) it writes a line that says what to type.

    Examples
    --------
    >>> rucat_jupyter.create_form()
    """
    if shows_widgets():
        from . import cards as widget  # noqa: PLC0415 - loads ipywidgets, which is heavy

        widget.show_form()
    else:
        say("A form needs JupyterLab or Notebook. Here: %rucat create NAME --profile P --driver-memory 4g")

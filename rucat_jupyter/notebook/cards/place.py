"""Where a widget is shown: two outputs of a cell, the widget and a static twin for pages without a kernel."""

from __future__ import annotations

from typing import Any

from IPython.display import display

from ...client.identity import get_shell

VIEW = "application/vnd.jupyter.widget-view+json"
NO_WIDGET = {VIEW: {"version_major": 2, "version_minor": 0, "model_id": ""}, "text/html": "", "text/plain": ""}
"""An empty output, which front ends hide: the widget has moved to another cell."""
ENGINE = "application/vnd.rucat.engine+json"
"""MIME type of the twin's engine: JupyterLab's extension shows its current status without a kernel."""


class Place:
    """The two outputs of one cell."""

    def __init__(self, widget: Any, plain: str, html: str, engine: dict[str, Any] | None = None) -> None:
        self.cell = present_cell()
        self._shown = (plain, html)
        self._engine = engine
        live = {**widget._repr_mimebundle_(), "text/html": "", "text/plain": ""}  # the twin has the text
        self._widget = display(live, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._twin = display(self._bundle(), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    @property
    def is_here(self) -> bool:
        """Whether the running cell shows it, in this execution."""
        return self.cell is not None and self.cell == present_cell()

    def update(self, plain: str, html: str, engine: dict[str, Any] | None = None) -> None:
        """Change the twin; may be called from any thread."""
        if (plain, html) != self._shown:
            self._shown, self._engine = (plain, html), engine
            self._twin.update(self._bundle(), raw=True)

    def leave(self, html: str, engine: dict[str, Any] | None = None) -> None:
        """Hide the widget here: another cell shows it now."""
        self._widget.update(NO_WIDGET, raw=True)
        self.update(self._shown[0], html, engine)

    def _bundle(self) -> dict[str, Any]:
        plain, html = self._shown
        engine = {ENGINE: self._engine} if self._engine else {}
        return {"text/plain": plain, "text/html": html, **engine}


def present_cell() -> str | None:
    """Id of the current execution of a cell."""
    kernel = getattr(get_shell(), "kernel", None)
    parent = kernel.get_parent() if kernel is not None else None
    return str(parent["header"]["msg_id"]) if parent and parent.get("header") else None

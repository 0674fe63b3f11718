"""Where a widget is shown: two outputs of a cell, the widget and its static twin, which holds where no widget can."""

from __future__ import annotations

from typing import Any

from ...client.identity import get_shell

VIEW = "application/vnd.jupyter.widget-view+json"
NO_WIDGET = {VIEW: {"version_major": 2, "version_minor": 0, "model_id": ""}, "text/html": "", "text/plain": ""}
"""What the front end hides: the widget has gone to another cell."""
ENGINE = "application/vnd.rucat.engine+json"
"""Which engine the twin is of: JupyterLab's extension shows its present state by that, without a kernel."""


class Place:
    """The two outputs of one cell."""

    def __init__(self, widget: Any, plain: str, html: str, engine: dict[str, Any] | None = None) -> None:
        from IPython.display import display

        self.cell = present_cell()
        self._shown = (plain, html)
        self._engine = engine
        live = {**widget._repr_mimebundle_(), "text/html": "", "text/plain": ""}  # the twin has the words
        self._widget = display(live, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._twin = display(self._bundle(), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    @property
    def is_here(self) -> bool:
        """Whether it is in the run of the cell that runs now."""
        return self.cell is not None and self.cell == present_cell()

    def update(self, plain: str, html: str, engine: dict[str, Any] | None = None) -> None:
        """Change what the twin says; from any thread."""
        if (plain, html) != self._shown:
            self._shown, self._engine = (plain, html), engine
            self._twin.update(self._bundle(), raw=True)

    def leave(self, html: str, engine: dict[str, Any] | None = None) -> None:
        """Take the widget away: it is shown elsewhere now."""
        self._widget.update(NO_WIDGET, raw=True)
        self.update(self._shown[0], html, engine)

    def _bundle(self) -> dict[str, Any]:
        plain, html = self._shown
        engine = {ENGINE: self._engine} if self._engine else {}
        return {"text/plain": plain, "text/html": html, **engine}


def present_cell() -> str | None:
    """What tells the present run of a cell from any other."""
    kernel = getattr(get_shell(), "kernel", None)
    parent = kernel.get_parent() if kernel is not None else None
    return str(parent["header"]["msg_id"]) if parent and parent.get("header") else None

"""How engines are shown here: as widgets, if the notebook package has registered how to draw them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from .api import View
from .frontend import shows_widgets
from .identity import can_ask, get_shell, in_kernel
from .words.phase import DisplayPhase, LastPhase, LinePhase, Phase, TerminalPhase


class Widgets(Protocol):
    """Draws engines; :mod:`rucat_jupyter.notebook.cards.cards` implements it."""

    def show_engine(self, view: View, plain: str) -> object:
        """Show the card of an engine in the running cell, with ``plain`` as its text."""
        ...

    def show_table(self, engines: list[View]) -> None:
        """Show the table of all engines in the running cell."""
        ...

    def mimebundle(self, view: View) -> dict[str, Any]:
        """Return the widget's part of an engine's MIME bundle."""
        ...

    def card_phase(self) -> Phase:
        """Return the phase of a start in the engine's card."""
        ...


_loaders: list[Callable[[], Widgets]] = []


def draw_with(load: Callable[[], Widgets]) -> None:
    """Register what draws widgets; ``load`` is called when the first one is shown."""
    _loaders[:] = [load]


def widgets() -> Widgets | None:
    """What draws engines here; None if widgets are not shown."""
    return _loaders[0]() if _loaders and shows_widgets() else None


def live_phase() -> Phase:
    """The best phase line for this front end: the engine's card if widgets are shown."""
    if (drawn := widgets()) is not None:
        return drawn.card_phase()
    if in_kernel(shell := get_shell()):
        return DisplayPhase() if can_ask(shell) else LastPhase()
    if sys.stdout is not None and sys.stdout.isatty():
        return TerminalPhase()
    return LinePhase()

"""Magics and widgets of a notebook, on the API in ``client``; only IPython and this package's root load it."""

from __future__ import annotations

from ..client.widgets import Widgets, draw_with


def _cards() -> Widgets:
    from .cards import cards  # ipywidgets is loaded where a widget is shown, not before

    return cards


draw_with(_cards)

"""Magics and widgets of a notebook, on the API in ``client``; only IPython and the root of this package import it."""

from __future__ import annotations

from ..client.widgets import Widgets, draw_with


def _cards() -> Widgets:
    from .cards import cards  # noqa: PLC0415 - loads ipywidgets, which is heavy

    return cards


draw_with(_cards)

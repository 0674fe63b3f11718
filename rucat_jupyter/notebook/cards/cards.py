"""Shows engines as widgets in notebooks: one card per engine, in the cell that showed it last.

Loaded only if :func:`rucat_jupyter.client.frontend.shows_widgets` is true.
"""

from __future__ import annotations

import html
import threading
from typing import Any, NamedTuple

from ...client.api import View
from ...client.words import tables, text
from ...client.words.phase import DisplayPhase
from . import operations as widget_operations
from . import words as widget_words
from .card import Card, card_of
from .form import Form
from .place import Place
from .table import Table

_places: dict[int, Place] = {}
_tables: list[Table] = []  # at most one
_lock = threading.RLock()


def show_engine(view: View, plain: str, *, fold: str = "") -> Card:
    """Show the card of an engine in the running cell, with ``plain`` as its text; once per cell.

    ``fold`` names the part to expand: ``status``, ``logs`` or ``history``.
    """
    with _lock:
        card = card_of(view)
        card.on_status = lambda seen: _update_twin(card, seen)
        now = text.utc_now()
        twin = Twin(plain, widget_words.twin(view, now), widget_words.brief(view, now))
        _put(card, card.box, twin, widget_words.moved(view, now), widget_words.brief(view, now, is_moved=True))
    widget_operations.watch()
    if fold:
        card.fold_out(fold)
    return card


def show_table(engines: list[View]) -> None:
    """Show the table of all engines in the running cell, once per cell."""
    with _lock:
        table = _tables[0] if _tables else Table(engines)
        _tables[:] = [table]
        now = text.utc_now()
        plain = tables.engines_table(engines, now)
        twin = widget_words.static(f"<pre>{html.escape(plain)}</pre>as of {widget_words.hour(now)} · %rucat list")
        _put(table, table.box, Twin(plain, twin), widget_words.static("The table of engines is in a later cell."))


def show_form() -> None:
    """Show a new form that creates an engine."""
    hint = "%rucat create NAME [--profile P] [--driver-memory 4g] [--executors N]"
    Place(Form().box, f"Create an engine: {hint}", widget_words.static(f"Create an engine: <code>{hint}</code>"))


class CardPhase(DisplayPhase):
    """The progress of a start in the engine's card; a line until the engine is known."""

    def __init__(self) -> None:
        super().__init__()
        self._card: Card | None = None
        self._key = ""

    def meet(self, view: View) -> None:
        """Show the card: the engine is known now."""
        if self._card is None:
            self.leave()
            self._card = show_engine(view, text.phase_line(view))
            self.tick_s = 50.0  # the feed updates the card

    def show(self, line: str, key: str) -> None:
        """Write the phase to the static twin; the card follows the feed."""
        if self._card is None:
            super().show(line, key)
        elif key != self._key:
            self._key = key
            self._say(key)

    def end(self, line: str) -> None:
        """Write the last line to the static twin."""
        if self._card is None:
            super().end(line)
        elif line:
            self._say(line)

    def note(self, said: str) -> None:
        """Show in the card how the engine was started."""
        if self._card is not None:
            self._card.say(said)

    def _say(self, line: str) -> None:
        if self._card is not None and (place := _places.get(id(self._card))) is not None:
            view, now = self._card.view, text.utc_now()
            place.update(line, widget_words.twin(view, now), widget_words.brief(view, now))


def card_phase() -> CardPhase:
    """Return the phase of a start in the engine's card."""
    return CardPhase()


class Twin(NamedTuple):
    """The static twin of a widget, for pages without a kernel: text, HTML, and the engine as data."""

    plain: str
    html: str
    engine: dict[str, Any] | None = None


def _put(shown: object, box: Any, twin: Twin, moved: str, moved_engine: dict[str, Any] | None = None) -> None:
    """Move the widget to the running cell, unless it is there already."""
    place = _places.get(id(shown))
    if place is not None and place.is_here:
        place.update(*twin)
        return
    if place is not None:
        place.leave(moved, moved_engine)
    _places[id(shown)] = Place(box, *twin)


def _update_twin(card: Card, view: View) -> None:
    """Show the new status of the engine in the static twin."""
    with _lock:
        place = _places.get(id(card))
    if place is not None:
        now = text.utc_now()
        line = f"{text.short_line(view)} as of {widget_words.hour(now)}"
        if view["status"] == "Running":
            line = text.running_line(view, f"as of {widget_words.hour(now)}")
        place.update(line, widget_words.twin(view, now), widget_words.brief(view, now))


def mimebundle(view: View) -> dict[str, Any]:
    """MIME bundle of the engine's card."""
    return dict(card_of(view).box._repr_mimebundle_())

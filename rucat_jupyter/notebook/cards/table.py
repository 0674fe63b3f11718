"""The table of all engines, which follows the feed, and the card of the selected engine."""

from __future__ import annotations

import html
import threading
from datetime import datetime

import ipywidgets

from ...client import feed
from ...client.api import View
from ...client.frontend import guard_comm
from ...client.words import tables, text
from . import words as widget_words
from .card import button, card_of, show_if
from .form import Form
from .style import STYLE

LONGEST = 500
"""Most rows: every change sends all of them."""
NO_CHOICE = "Choose an engine …"


class Table:
    """One table; every cell that shows it has the same widgets. ``box`` is the widget."""

    def __init__(self, engines: list[View]) -> None:
        self._lock = threading.RLock()
        self._engines: dict[str, View] = {}
        self._style = ipywidgets.HTML(STYLE, layout={"display": "none"})
        self._away, self._rows = ipywidgets.HTML(), ipywidgets.HTML()
        self._choice = ipywidgets.Dropdown(options=[(NO_CHOICE, "")], value="", description="Manage")
        self._choice.layout.width = "min(420px, 100%)"
        self._form, self._slot = button(self._show_form), ipywidgets.VBox()
        self._form.description = "Create engine…"
        self.box = ipywidgets.VBox([self._style, self._away, self._rows, self._choice, self._form, self._slot])
        self.box.add_class("rucat-table").add_class("rucat-live")
        self.take(feed.Seen({view["id"]: view for view in engines}, is_known=True))
        self._choice.observe(lambda change: self._choose(change["new"]), "value")
        guard_comm(self.box)
        self._unsubscribe = feed.subscribe(self.take)

    def take(self, seen: feed.Seen) -> None:
        """Show an update of the feed."""
        with self._lock:
            away = widget_words.away(seen.away_since)
            if self._away.value != away:
                self._away.value = away
            show_if(self._away, bool(away))
            if not seen.is_known:
                return
            self._engines = dict(seen.engines)
            shown = html_table(list(seen.engines.values()), text.utc_now())
            if self._rows.value != shown:
                self._rows.value = shown
            self._offer([(NO_CHOICE, ""), *((text.plain(v["name"]), v["id"]) for v in seen.engines.values())])
            show_if(self._choice, bool(seen.engines))

    def _offer(self, options: list[tuple[str, str]]) -> None:
        """Update the options if they differ, and keep the selection."""
        if list(self._choice.options) != options:
            chosen = self._choice.value
            with self._choice.hold_trait_notifications():
                self._choice.options = options
                self._choice.value = chosen if chosen in self._engines else ""

    def _choose(self, engine_id: str) -> None:
        view = self._engines.get(engine_id)
        self._slot.children = (card_of(view).box,) if view else ()

    def _show_form(self) -> None:
        def run() -> None:
            self._slot.children = (Form().box,)

        threading.Thread(target=run, name="rucat-click", daemon=True).start()


def html_table(engines: list[View], now: datetime) -> str:
    """The rows as an HTML table, which scrolls if it is too wide."""
    if not engines:
        return "<div>No engines yet. Create one: <code>%rucat create</code></div>"
    heads = "".join(f'<th scope="col">{name.capitalize()}</th>' for name in tables.COLUMNS)
    rows = "".join(
        f"<tr>{_cells(view, cells)}</tr>"
        for view, cells in zip(engines[:LONGEST], tables.rows(engines[:LONGEST], now), strict=True)
    )
    left = len(engines) - LONGEST
    more = f"<div>… and {left} more: <code>rucat list</code> in a terminal shows all</div>" if left > 0 else ""
    return (
        '<div class="rucat-scroll" tabindex="0" role="region" aria-label="Engines">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{more}"
    )


def _cells(view: View, cells: tuple[str, ...]) -> str:
    alert = ' class="rucat-alert"' if view["status"] in widget_words.ALERTS else ""
    kinds = [' class="rucat-cell-name"', alert, *[""] * (len(cells) - 2)]
    return "".join(f"<td{kind}>{html.escape(cell)}</td>" for kind, cell in zip(kinds, cells, strict=True))

"""The card of one engine: widgets that follow the feed, and buttons that act in threads.

The kernel handles a click on a subshell, so it works while a cell runs; all widgets share that subshell, so a click
only starts a thread. The card shows the result, because the output of a thread would appear in some cell.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import ipywidgets

from ...client import feed
from ...client.api import View, engine_path
from ...client.engines import engine as client
from ...client.engines.ui_link import jupyter_url
from ...client.frontend import guard_comm
from ...client.identity import caller
from ...client.words import tables, text
from ...core.errors import EngineNotFound, RucatError
from . import words as widget_words
from .style import STYLE

logger = logging.getLogger(__name__)

LOG_LINES = 30
MOST_OPERATIONS = 5
KEYS = ("more_memory", "stop", "restart", "status", "logs", "history", "delete")
FOLDS = ("logs", "history", "status")
HIDDEN, SHOWN = "none", ""


class Card:
    """The card of one engine; every cell that shows it has the same widgets.

    Attributes
    ----------
    box
        The widget.
    on_status
        Called with the view after its status changed, from any thread.
    """

    def __init__(self, view: View, on_status: Callable[[View], None] = lambda view: None) -> None:
        self.view = view
        self.on_status = on_status
        self._lock = threading.RLock()
        self._life: tuple[Any, ...] = ()
        self._begun = time.monotonic()
        self._fold = ""
        self._base: str | None = None
        self._build()
        self._show(view)
        self._aside(self._find_base)
        self._unsubscribe = feed.subscribe(self.take)

    # --- what is shown -------------------------------------------------------------------------------------

    def take(self, seen: feed.Seen) -> None:
        """Show an update of the feed."""
        with self._lock:
            self._set(self._away, widget_words.away(seen.away_since))
            if not seen.is_known:
                return
            view = seen.engines.get(self.view["id"])
            if view is None:
                self._be_gone()
            elif view["revision"] >= self.view["revision"]:
                self._show(view)

    def say(self, note: str) -> None:
        """Show how the engine was started, and which settings were not applied."""
        self._set(self._note, widget_words.note(note))

    def show_operations(self, found: list[dict[str, Any]]) -> None:
        """Show the running operations, each with a Cancel button."""
        key, now = caller().key, text.utc_now()
        with self._lock:
            rows = {shown.operation: shown for shown in self._operations.children}
            kept = []
            for operation in found[:MOST_OPERATIONS]:
                shown = rows.get(operation["id"]) or self._make_row(operation["id"])
                self._set(shown.children[0], widget_words.operation(operation, key, now))
                kept.append(shown)
            if tuple(kept) != self._operations.children:
                self._operations.children = tuple(kept)

    def fold(self, what: str) -> None:
        """Expand logs, history or status, or collapse it; a thread reads the text."""
        with self._lock:
            self._fold = "" if self._fold == what else what
            self._name_folds()
            if not self._fold:
                self._set(self._folded, "")
        if self._fold:
            self._aside(lambda: self._read(what))

    def fold_out(self, what: str) -> None:
        """Expand it; if it is expanded already, read it again."""
        with self._lock:
            self._fold = ""
        self.fold(what)

    def _show(self, view: View) -> None:
        before, self.view = self.view, view
        life = (view["status"], view["run"])
        if life != self._life:
            self._life, self._begun = life, _began(view)
        now = text.utc_now()
        self._set(self._head, widget_words.head(view, now))
        self._set(self._body, widget_words.body(view, now, time.monotonic() - self._begun))
        self._set(self._bar, widget_words.bar(view))
        self._set(self._links, widget_words.links(view, ui_href(self._base, view)))
        self._offer(widget_words.actions(view))
        if view["status"] not in text.LIVE:
            self._operations.children = ()
        if before["status"] != view["status"]:
            if view["status"] != "Running":
                self.say("")
            self.on_status(view)

    def _be_gone(self) -> None:
        """Show that the engine is deleted, and hide the buttons."""
        if self.view["status"] != "Gone":
            gone = {**self.view, "status": "Gone", "failure": None, "message": "The engine was deleted.", "verbs": []}
            self._confirm.layout.display = HIDDEN
            self._show(gone)
            self._offer([])
            self._unsubscribe()

    def _offer(self, actions: list[widget_words.Action]) -> None:
        by_key = {action.key: action for action in actions}
        first = actions[0].key if actions else ""
        is_failed = self.view["status"] == "Failed"
        for key, shown in self._buttons.items():
            action = by_key.get(key)
            show_if(shown, action is not None)
            if action is not None:
                shown.layout.order = "-1" if key == first and is_failed else "0"
                label = f"Hide {action.label.lower()}" if key == self._fold else action.label
                if (shown.description, shown.tooltip) != (label, action.tip):
                    shown.description, shown.tooltip = label, action.tip
        if "delete" not in by_key:
            show_if(self._confirm, False)

    def _name_folds(self) -> None:
        self._offer(widget_words.actions(self.view) if self.view["status"] != "Gone" else [])

    # --- what is done --------------------------------------------------------------------------------------

    def _click(self, key: str) -> None:
        self._set(self._problem, "")
        if key in FOLDS:
            self.fold(key)
        elif key == "delete":
            self._set(self._question, widget_words.confirmation(self.view))
            self._sure.description = f"Delete {text.plain(self.view['name'], 40)}"
            show_if(self._confirm, self._confirm.layout.display == HIDDEN)
        else:
            engine = client.Engine(self.view)
            do = {
                "stop": lambda: engine.stop(wait=False),
                "restart": lambda: engine.restart(wait=False),
                "more_memory": lambda: engine.restart(wait=False, driver_memory=widget_words.more_memory(engine.view)),
            }[key]
            self._aside(lambda: self._act(do))

    def _act(self, do: Callable[[], Any]) -> None:
        done = do()
        if isinstance(done, client.Engine):
            with self._lock:
                self._show(done.view)
        feed.look_now()

    def _delete(self) -> None:
        show_if(self._confirm, False)
        engine = client.Engine(self.view)
        self._aside(lambda: self._act(lambda: engine.delete(wait=False)))

    def _cancel(self, operation_id: str) -> None:
        path = engine_path(self.view["id"], "operations", operation_id, "cancel")
        self._aside(lambda: client.default_api().call("POST", path))

    def _read(self, what: str) -> None:
        engine = client.Engine(self.view)
        name = text.plain(self.view["name"])
        if what == "logs":
            shown = widget_words.log(self.view, list(engine.log_lines(LOG_LINES)))
        elif what == "history":
            shown = widget_words.page(f"History of {name}", repr(engine.history()))
        else:
            page = tables.status_page(self.view, engine.history(), text.utc_now())
            shown = widget_words.page(f"Status of {name}", page)
        if self._fold == what:
            self._set(self._folded, shown)

    def _find_base(self) -> None:
        """Find the base URL of this kernel's Jupyter server; the request may take a moment."""
        if server := jupyter_url():
            self._base = urlsplit(server).path
            with self._lock:
                self._show(self.view)

    def _aside(self, do: Callable[[], object]) -> None:
        """Run ``do`` in a thread; the card shows errors."""

        def run() -> None:
            try:
                do()
            except EngineNotFound:
                feed.look_now()
            except RucatError as error:
                self._set(self._problem, widget_words.problem(str(error)))
            except Exception as error:  # the traceback of a thread would appear in some cell
                logger.exception("%s: a click failed", self.view["id"])
                self._set(self._problem, widget_words.problem(f"{type(error).__name__}: {error}"))

        threading.Thread(target=run, name="rucat-click", daemon=True).start()

    # --- the widgets ---------------------------------------------------------------------------------------

    def _build(self) -> None:
        parts = [ipywidgets.HTML() for _ in range(9)]
        self._head, self._away, self._body, self._bar, self._note = parts[:5]
        self._links, self._problem, self._question, self._folded = parts[5:]
        self._operations = ipywidgets.VBox()
        self._buttons = {key: button(partial(self._click, key)) for key in KEYS}
        self._buttons["more_memory"].add_class("rucat-remedy")
        delete = self._buttons["delete"]
        others = [found for found in self._buttons.values() if found is not delete]
        self._sure = button(self._delete)
        self._sure.add_class("rucat-danger")
        keep = button(lambda: show_if(self._confirm, False))
        keep.description = "Keep it"
        self._confirm = row(self._question, self._sure, keep)
        show_if(self._confirm, False)
        self._problem.layout.display = self._away.layout.display = HIDDEN
        self.box = ipywidgets.VBox(
            [
                ipywidgets.HTML(STYLE, layout={"display": HIDDEN}),
                self._head,
                self._away,
                self._body,
                self._bar,
                self._note,
                self._operations,
                row(*others, self._links, delete),
                self._problem,
                self._confirm,
                self._folded,
            ]
        )
        self.box.add_class("rucat-card").add_class("rucat-live")
        guard_comm(self.box)

    def _make_row(self, operation_id: str) -> Any:
        cancel = button(lambda: self._cancel(operation_id))
        cancel.description, cancel.tooltip = "Cancel", "Cancel this operation; its session stays usable"
        made = row(ipywidgets.HTML(), cancel)
        made.operation = operation_id
        guard_comm(made)
        return made

    def _set(self, part: Any, value: str) -> None:
        """Show the HTML; an empty part is hidden."""
        if part.value != value:
            part.value = value
        show_if(part, bool(value))


# --- cards of this kernel ---------------------------------------------------------------------------------

_cards: dict[str, Card] = {}
_cards_lock = threading.Lock()


def card_of(view: View) -> Card:
    """The one card of an engine in this kernel."""
    with _cards_lock:
        found = _cards.get(view["id"])
        if found is None or found.view["status"] == "Gone":
            found = _cards[view["id"]] = Card(view)
    return found


def cards() -> list[Card]:
    """The cards of this kernel."""
    with _cards_lock:
        return list(_cards.values())


def ui_href(base: str | None, view: View) -> str | None:
    """URL path of the Spark UI, below the base URL of the Jupyter server."""
    relative = (view.get("endpoint") or {}).get("ui_url")
    return f"{base}{relative}" if relative and base else None


def _began(view: View) -> float:
    """Begin of the current status, on the clock of time.monotonic; a first start counts from the creation."""
    created = text.when(view["created_at"]) if view["run"] == 1 and view["status"] == "Pending" else None
    ago_s = max(0.0, (text.utc_now() - created).total_seconds()) if created else 0.0
    return time.monotonic() - ago_s


def button(on_click: Callable[[], object]) -> Any:
    """Make a button as wide as its label."""
    button = ipywidgets.Button(layout={"width": "auto"})
    button.on_click(lambda _: on_click())
    return button


def row(*children: Any) -> Any:
    """Put widgets in a row, which wraps."""
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})


def show_if(widget: Any, is_shown: bool) -> None:
    """Show or hide the widget."""
    display = SHOWN if is_shown else HIDDEN
    if widget.layout.display != display:
        widget.layout.display = display

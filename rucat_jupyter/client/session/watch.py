"""The thread that asks the gateway about an engine while a call waits: a frozen engine does not report itself."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from ...core.errors import EngineNotFound, RucatError
from ..api import LONGEST_POLL_S, Api, View
from ..words import text
from ..words.phase import notice

TICK_S = 1.0  # how often it checks whether a call waits
LONG_S = 1.0  # a call that waits longer than this is watched
PAUSE_S = 1.0  # between tries to reach a gateway


class Watched(Protocol):
    """What is watched: a session's guard."""

    waits: dict[int, float]
    """Threads that wait for the engine, and since when."""

    @property
    def view(self) -> View:
        """The last known state of the engine."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether the end of the engine is known already."""
        ...

    def found(self, view: View) -> str:
        """Handle what was seen; returns the status."""
        ...

    def found_none(self) -> None:
        """Handle that there is no such engine."""
        ...


class Watch:
    """Watches the calls of one session until it is closed."""

    def __init__(self, watched: Watched, api: Api, closed: threading.Event) -> None:
        self._watched, self._api, self._closed = watched, api, closed
        self._has_warned = False

    def start(self) -> None:
        """Start the thread; a daemon, so that no exit waits for it."""
        threading.Thread(target=self._run, name="rucat-watch", daemon=True).start()

    def _run(self) -> None:
        while not self._closed.wait(TICK_S):
            if self._is_long():
                self._has_warned = False
                self._look(is_first=True)
            while self._watched.waits and self._is_long() and not self._closed.is_set():
                self._look(is_first=False)

    def _is_long(self) -> bool:
        """Whether a call has waited long, and the engine is not known to have ended."""
        since = min(self._watched.waits.copy().values(), default=None)
        return since is not None and time.monotonic() - since > LONG_S and not self._watched.is_cut

    def _look(self, *, is_first: bool) -> None:
        """Read the engine immediately when a call has become long, then whenever the engine changes."""
        view = self._watched.view
        try:
            seen = self._api.engine(view["id"]) if is_first else self._api.poll(view, LONGEST_POLL_S)
        except EngineNotFound:
            self._watched.found_none()
        except RucatError:
            self._closed.wait(PAUSE_S)  # no gateway answers now: nothing is known
        else:
            self._warn(seen, self._watched.found(seen))

    def _lasts(self, view: View) -> bool:
        """Whether the silence lasts: often the first missed probe is the engine's end, whose reason comes later."""
        try:
            return bool(self._api.poll(view, PAUSE_S)["status"] == view["status"])
        except RucatError:
            return False  # the next poll finds out

    def _warn(self, view: View, status: str) -> None:
        name = text.plain(view["name"])
        if status == "Unresponsive" and not self._has_warned and self._lasts(view):
            self._has_warned = True
            why = text.plain(view.get("message") or "no answer", 120)
            notice(f"◐ {name} does not answer now ({why}). The cell waits, and ends if the engine fails.")
        elif status == "Running" and self._has_warned:
            self._has_warned = False
            notice(f"● {name} answers again.")

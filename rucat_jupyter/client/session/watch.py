"""The thread that asks about an engine while a call on it waits: a frozen engine tells nobody by itself."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from ...core.errors import EngineNotFound, RucatError
from ..api import LONGEST_POLL_S, Api, View
from ..words import text
from ..words.phase import notice

TICK_S = 1.0  # how often it looks whether a call waits
LONG_S = 1.0  # a call that waits longer than this is watched
PAUSE_S = 1.0  # between tries to reach a gateway


class Watched(Protocol):
    """What is watched: a session's guard."""

    waits: dict[int, float]
    """Threads that wait for the engine, and since when."""

    @property
    def view(self) -> View:
        """The engine as it was last seen."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether the end of the engine is known already."""
        ...

    def found(self, view: View) -> str:
        """Take what was seen; returns the status."""
        ...

    def found_none(self) -> None:
        """Take that there is no such engine."""
        ...


class Watch:
    """Watches the calls of one session until it is closed."""

    def __init__(self, watched: Watched, api: Api, closed: threading.Event) -> None:
        self._watched, self._api, self._closed = watched, api, closed
        self._told = False

    def start(self) -> None:
        """Begin; a daemon, so that no exit waits for it."""
        threading.Thread(target=self._run, name="rucat-watch", daemon=True).start()

    def _run(self) -> None:
        while not self._closed.wait(TICK_S):
            if self._is_long():
                self._told = False
                self._look(is_first=True)
            while self._watched.waits and self._is_long() and not self._closed.is_set():
                self._look(is_first=False)

    def _is_long(self) -> bool:
        """Whether a call has waited long, and its end is not decided yet."""
        since = min(self._watched.waits.copy().values(), default=None)
        return since is not None and time.monotonic() - since > LONG_S and not self._watched.is_cut

    def _look(self, *, is_first: bool) -> None:
        """Look at once for a call that has just become long, then whenever the engine changes."""
        view = self._watched.view
        try:
            seen = self._api.engine(view["id"]) if is_first else self._api.poll(view, LONGEST_POLL_S)
        except EngineNotFound:
            self._watched.found_none()
        except RucatError:
            self._closed.wait(PAUSE_S)  # no gateway can be had now: unknown, so nothing is concluded
        else:
            self._tell(seen, self._watched.found(seen))

    def _lasts(self, view: View) -> bool:
        """Whether a silence lasts: the first miss is often the end itself, which says more a moment later."""
        try:
            return bool(self._api.poll(view, PAUSE_S)["status"] == view["status"])
        except RucatError:
            return False  # the next look says what it is

    def _tell(self, view: View, status: str) -> None:
        name = text.plain(view["name"])
        if status == "Unresponsive" and not self._told and self._lasts(view):
            self._told = True
            why = text.plain(view.get("message") or "no answer", 120)
            notice(f"◐ {name} does not answer now ({why}). The cell waits, and ends when the engine is given up.")
        elif status == "Running" and self._told:
            self._told = False
            notice(f"● {name} answers again.")

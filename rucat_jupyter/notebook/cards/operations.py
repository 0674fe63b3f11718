"""Polls the operations of engines whose cards are shown: often while something runs, else rarely."""

from __future__ import annotations

import threading
from typing import Any

from ...client import feed
from ...client.api import engine_path
from ...client.identity import get_shell
from .card import Card, cards

OFTEN_S = 1.0
SELDOM_S = 10.0
"""Interval while no cell runs: another notebook may use the engine. A poll takes about 10 ms and is not activity."""


class Operations:
    """One thread, which runs while there is a card of an engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_running = False
        self._has_hooks = False
        self._is_cell_running = False

    def watch(self) -> None:
        """Start the thread, if it does not run."""
        self._hook()
        with self._lock:
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="rucat-operations", daemon=True).start()

    def _hook(self) -> None:
        """Register hooks of IPython, which poll often while a cell runs."""
        shell = get_shell()
        if not self._has_hooks and shell is not None:
            self._has_hooks = True
            self._is_cell_running = True  # the one that shows the card
            shell.events.register("pre_run_cell", self._begin)
            shell.events.register("post_run_cell", self._end)

    def _begin(self, *_: object) -> None:
        self._is_cell_running = True
        self._wake.set()

    def _end(self, *_: object) -> None:
        self._is_cell_running = False
        self._wake.set()

    def _run(self) -> None:
        try:
            while self._goes_on():
                self._wake.wait(SELDOM_S)
                self._wake.clear()
                self._look_while_busy([card for card in cards() if card.view["status"] == "Running"])
        finally:  # the next card starts a new thread, even after an error
            with self._lock:
                self._is_running = False

    def _goes_on(self) -> bool:
        """Whether there is a card of an engine that is not deleted."""
        with self._lock:
            self._is_running = any(card.view["status"] != "Gone" for card in cards())
            return self._is_running

    def _look_while_busy(self, shown: list[Card]) -> None:
        """Poll once, then again while something runs."""
        pause = threading.Event()
        while True:
            if self._is_cell_running:
                pause.wait(OFTEN_S)  # most cells end sooner
            found = [_show(card) for card in shown if card.view["status"] == "Running"]
            if not any(found) and not (self._is_cell_running and found):
                return
            pause.wait(0 if self._is_cell_running else OFTEN_S)


def watch() -> None:
    """Start to poll the operations of the engines of this kernel's cards."""
    _operations.watch()


_operations = Operations()


def _show(card: Card) -> list[dict[str, Any]]:
    answer = feed.ask(engine_path(card.view["id"], "operations"))
    found: list[dict[str, Any]] = (answer or {}).get("operations", [])
    card.show_operations(found)
    return found

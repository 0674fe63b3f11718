"""Looks what runs on engines whose cards are shown: often while something runs, else now and then, else never."""

from __future__ import annotations

import threading
from typing import Any

from ...client import feed
from ...client.api import engine_path
from ...client.identity import get_shell
from .card import Card, cards

OFTEN_S = 1.0
SELDOM_S = 10.0
"""With nothing running here: another notebook may use the engine. A look takes some 10 ms, and is no use of it."""


class Operations:
    """One thread while there is a card of a running engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_running = False
        self._has_hooks = False
        self._is_cell_running = False

    def watch(self) -> None:
        """Begin to look, if nobody does."""
        self._hook()
        with self._lock:
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="rucat-operations", daemon=True).start()

    def _hook(self) -> None:
        """Know when a cell runs: then it is worth to look often."""
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
        finally:  # the next card begins anew, also after a defect
            with self._lock:
                self._is_running = False

    def _goes_on(self) -> bool:
        """Whether there is a card of an engine that may run some time."""
        with self._lock:
            self._is_running = any(card.view["status"] != "Gone" for card in cards())
            return self._is_running

    def _look_while_busy(self, shown: list[Card]) -> None:
        """Look, and go on looking while something runs."""
        pause = threading.Event()
        while True:
            if self._is_cell_running:
                pause.wait(OFTEN_S)  # most cells end sooner
            found = [_show(card) for card in shown if card.view["status"] == "Running"]
            if not any(found) and not (self._is_cell_running and found):
                return
            pause.wait(0 if self._is_cell_running else OFTEN_S)


def watch() -> None:
    """Begin to look what runs on the engines of this kernel's cards."""
    _operations.watch()


_operations = Operations()


def _show(card: Card) -> list[dict[str, Any]]:
    answer = feed.ask(engine_path(card.view["id"], "operations"))
    found: list[dict[str, Any]] = (answer or {}).get("operations", [])
    card.show_operations(found)
    return found

"""Tells the front end, as it happens, which engines this notebook uses, so that panel and toolbar need not guess.

REST knows which sessions a notebook has, and those outlive detaching and the kernel. Which of them ``spark`` is now
only this process knows: it says so on one comm, which a page that is loaded later finds and asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from ..frontend import answer_at_once, shows_panels

TARGET = "rucat_jupyter.engines"


class Used(TypedDict):
    """An engine that this notebook uses, and the variables that hold its session."""

    id: str
    variables: list[str]


class Announcer:
    """What was told last, and the comm on which it is told."""

    def __init__(self) -> None:
        self._comm: Any = None
        self._bound: list[Used] = []
        self._connected: list[str] = []

    def bound(self, engines: Sequence[Used]) -> None:
        """Tell which engines variables are bound to; the last is the current one."""
        if list(engines) != self._bound:
            self._bound = list(engines)
            self._tell()

    def connected(self, engine_id: str) -> None:
        """Tell of an engine whose session the user's own code asked for (``engine.connect()``)."""
        if engine_id not in self._connected:
            self._connected.append(engine_id)
            self._tell()

    def state(self) -> dict[str, list[Used]]:
        """What is told: engines of the user's own sessions first, those of ``%rucat attach`` last."""
        ids = [used["id"] for used in self._bound]
        others = [Used(id=engine_id, variables=[]) for engine_id in self._connected if engine_id not in ids]
        return {"engines": [*others, *self._bound]}

    def _tell(self) -> None:
        if self._comm is not None:
            self._comm.send(self.state())
        elif shows_panels():
            from comm import create_comm

            self._comm = create_comm(target_name=TARGET, data=self.state())
            answer_at_once(self._comm)
            self._comm.on_msg(self._answer)
            self._comm.on_close(self._close)

    def _answer(self, _: object) -> None:
        """Tell a page that asks: it was loaded after the last change."""
        if self._comm is not None:
            self._comm.send(self.state())

    def _close(self, _: object) -> None:
        """Take that a front end closed the comm, for it has no panel; the next change opens another."""
        self._comm = None


announcer = Announcer()
"""This process's."""

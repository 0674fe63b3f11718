"""Announces to the front end which engines this notebook uses now, for the panel and the toolbar.

REST knows which sessions a notebook has; they outlive detaching and the kernel. Only this process knows which of them
``spark`` is now: it sends this on one comm, which a page that is loaded later finds and asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from ..frontend import answer_immediately, shows_panels

TARGET = "rucat_jupyter.engines"


class Used(TypedDict):
    """An engine that this notebook uses, and the variables that hold its session."""

    id: str
    variables: list[str]


class Announcer:
    """What was announced last, and the comm for it."""

    def __init__(self) -> None:
        self._comm: Any = None
        self._bound: list[Used] = []
        self._connected: list[str] = []

    def bound(self, engines: Sequence[Used]) -> None:
        """Announce which engines variables are bound to; the last is the current one."""
        if list(engines) != self._bound:
            self._bound = list(engines)
            self._send()

    def connected(self, engine_id: str) -> None:
        """Announce an engine whose session the user's own code opened (``engine.connect()``)."""
        if engine_id not in self._connected:
            self._connected.append(engine_id)
            self._send()

    def state(self) -> dict[str, list[Used]]:
        """What is announced: engines of the user's own sessions first, those of ``%rucat attach`` last."""
        ids = [used["id"] for used in self._bound]
        others = [Used(id=engine_id, variables=[]) for engine_id in self._connected if engine_id not in ids]
        return {"engines": [*others, *self._bound]}

    def _send(self) -> None:
        if self._comm is not None:
            self._comm.send(self.state())
        elif shows_panels():
            from comm import create_comm  # noqa: PLC0415 - heavy

            self._comm = create_comm(target_name=TARGET, data=self.state())
            answer_immediately(self._comm)
            self._comm.on_msg(self._answer)
            self._comm.on_close(self._close)

    def _answer(self, _: object) -> None:
        """Answer a page that asks: it was loaded after the last change."""
        if self._comm is not None:
            self._comm.send(self.state())

    def _close(self, _: object) -> None:
        """Forget the comm: a front end without a panel closed it; the next change opens another."""
        self._comm = None


announcer = Announcer()
"""The announcer of this process."""

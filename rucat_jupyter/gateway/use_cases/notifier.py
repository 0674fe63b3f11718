"""Wakes whoever waits for a change of what people see."""

from __future__ import annotations

import asyncio

from ...core.timeouts import within


class Notifier:
    """Notifies when something that people see may have changed; any number may wait, and none misses one.

    Note ``notified`` before you look; what changes between the look and the wait then ends the wait at once.
    """

    def __init__(self) -> None:
        self._notified = 0
        self._is_closed = False
        self._next = asyncio.Event()

    @property
    def notified(self) -> int:
        """How often it has notified."""
        return self._notified

    @property
    def is_closed(self) -> bool:
        """Whether nobody shall wait any more."""
        return self._is_closed

    def notify(self) -> None:
        """Wake everybody who waits."""
        self._notified += 1
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """Wake everybody, and let nobody wait any more: the gateway is about to end."""
        self._is_closed = True
        self.notify()

    async def wait(self, timeout_s: float, since: int | None = None) -> bool:
        """Wait for the next one after ``since`` (None: from now on); False when ``timeout_s`` passed without one."""
        if self._is_closed or (since is not None and since != self._notified):
            return True
        try:
            await within(timeout_s, self._next.wait())
        except asyncio.TimeoutError:
            return False
        return True

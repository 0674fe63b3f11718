"""Wake long polls when the visible state may have changed."""

from __future__ import annotations

import asyncio

from ...core.timeouts import within


class Notifier:
    """Notifies when the visible state may have changed; any number of tasks may wait, and none misses a change.

    Read ``notified`` before the state; a change between the read and the wait then ends the wait immediately.
    """

    def __init__(self) -> None:
        self._notified = 0
        self._is_closed = False
        self._next = asyncio.Event()

    @property
    def notified(self) -> int:
        """Count of notifications."""
        return self._notified

    @property
    def is_closed(self) -> bool:
        """Whether the gateway is about to end, so that no task waits any more."""
        return self._is_closed

    def notify(self) -> None:
        """Wake all waiting tasks."""
        self._notified += 1
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """Wake all waiting tasks, and end each later wait immediately: the gateway is about to end."""
        self._is_closed = True
        self.notify()

    async def wait(self, timeout_s: float, since: int | None = None) -> bool:
        """Wait for the next notification after ``since`` (None: after now); False after ``timeout_s`` without one."""
        if self._is_closed or (since is not None and since != self._notified):
            return True
        try:
            await within(timeout_s, self._next.wait())
        except asyncio.TimeoutError:
            return False
        return True

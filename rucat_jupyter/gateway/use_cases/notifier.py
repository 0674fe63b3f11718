"""Wakes whoever waits for a change of what people see."""

from __future__ import annotations

import asyncio

from ...core.timeouts import within


class Bell:
    """Rings when something that people see may have changed; any number may wait, and none misses a ring.

    Note ``rings`` before you look; what rings between the look and the wait then ends the wait at once.
    """

    def __init__(self) -> None:
        self._rings = 0
        self._is_closed = False
        self._next = asyncio.Event()

    @property
    def rings(self) -> int:
        """How often it has rung."""
        return self._rings

    @property
    def is_closed(self) -> bool:
        """Whether nobody shall wait any more."""
        return self._is_closed

    def ring(self) -> None:
        """Wake everybody who waits."""
        self._rings += 1
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """Wake everybody, and let nobody wait any more: the gateway is about to end."""
        self._is_closed = True
        self.ring()

    async def wait(self, timeout_s: float, since: int | None = None) -> bool:
        """Wait for the next ring after ``since`` (None: from now on); False when ``timeout_s`` passed without one."""
        if self._is_closed or (since is not None and since != self._rings):
            return True
        try:
            await within(timeout_s, self._next.wait())
        except asyncio.TimeoutError:
            return False
        return True

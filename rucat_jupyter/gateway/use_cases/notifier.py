"""Wake long polls when the visible state may have changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from ...core.errors import RucatError
from ...core.ports.clock import Clock
from ...core.timeouts import within

log = logging.getLogger(__name__)

READING_SHARE = 20
"""Reading all records takes at most this part of the time: 5,000 take 0.75 s."""


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


class News:
    """Says when all records must be read again: after a notification, and not all the time.

    Parameters
    ----------
    notifier, clock
        The notifications, and the time.
    """

    def __init__(self, notifier: Notifier, clock: Clock) -> None:
        self._notifier, self._clock = notifier, clock
        self._read_at: int | None = None
        self._not_before: datetime | None = None

    def is_due(self) -> bool:
        """Whether the records may have changed, and the last reading is long enough ago."""
        is_early = self._not_before is not None and self._clock.now() < self._not_before
        return self._read_at != self._notifier.notified and not is_early

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Mark the records as read; a change while they are read is news."""
        notified, begun = self._notifier.notified, self._clock.now()
        yield
        self._read_at = notified  # not after an error
        self._not_before = begun + READING_SHARE * max(self._clock.now() - begun, timedelta())

    def again(self) -> None:
        """Read again without a notification."""
        self._read_at = None


async def repeat(look: Callable[[], Awaitable[None]], clock: Clock, every_s: float, what: str) -> None:
    """Look again and again until cancelled; ``what`` names it in the log of an error."""
    while True:
        try:
            await look()
        except RucatError as exc:
            log.warning("cannot %s, Rucat tries again: %s", what, exc)
        except Exception:
            log.exception("cannot %s: internal error, Rucat tries again", what)
        await clock.sleep(every_s)

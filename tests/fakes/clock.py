"""Virtual time: an event loop that jumps to the next timer when nothing is left to do, and a clock that reads it.

::

    @in_virtual_time
    async def test_something():
        clock = FakeClock()
        await asyncio.sleep(3600)  # takes no real time

A loop that waits without a timer is a deadlock, and fails the test immediately.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


class _JumpingSelector:
    """A selector that never waits: where it would, time jumps."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        events = self._real.select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("deadlock: every task waits, and no timer is set")
            self.now_s += max(0.0, timeout)
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


class FakeClock:
    """Implements :class:`.core.ports.clock.Clock` on the running loop's time; ``gap`` plays a suspended machine.

    Parameters
    ----------
    offset_s
        How far this process's wall clock is off: several gateways' clocks disagree.
    """

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset = timedelta(seconds=offset_s)
        self._gap_s = 0.0

    def now(self) -> datetime:
        return EPOCH + self._offset + timedelta(seconds=asyncio.get_running_loop().time())

    def gap_s(self) -> float:
        gap_s, self._gap_s = self._gap_s, 0.0
        return gap_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def gap(self, seconds: float) -> None:
        """The machine was suspended that long."""
        self._gap_s += seconds


@contextmanager
def virtual_loop() -> Iterator[VirtualLoop]:
    """A loop in virtual time that is cleaned up like that of ``asyncio.run``."""
    loop = VirtualLoop()
    try:
        yield loop
    finally:
        loop.run_until_complete(_end_all())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` in virtual time."""
    with virtual_loop() as loop:
        return loop.run_until_complete(work)


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a plain test of a coroutine function, run in virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run

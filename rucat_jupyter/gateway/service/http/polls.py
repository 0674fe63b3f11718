"""Long polls: respond to news or when the time is over; stop when the client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from starlette.requests import Request

from ...use_cases.notifier import Notifier

T = TypeVar("T")

PAUSE_S = 0.05
"""Minimum time between two reads of one poll: a thousand starting engines notify far more often."""


class ClientGone(Exception):
    """The client has disconnected."""


class Polls:
    """Waits for news.

    ``look_every_s`` is for a store that other gateways write too: their writes do not notify this gateway. None: every
    write notifies.
    """

    def __init__(self, notifier: Notifier, look_every_s: float | None = None) -> None:
        self._notifier = notifier
        self._look_every_s = look_every_s

    async def wait(
        self, request: Request, wait_s: float, read: Callable[[], Awaitable[T]], is_news: Callable[[T], bool]
    ) -> T:
        """Read until there is news or ``wait_s`` seconds are over, and return the last result."""
        if wait_s <= 0:
            return await read()
        return await while_connected(request, self._wait(wait_s, read, is_news))

    async def _wait(self, wait_s: float, read: Callable[[], Awaitable[T]], is_news: Callable[[T], bool]) -> T:
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while True:
            notified, began = self._notifier.notified, loop.time()
            seen = await read()
            left_s = end - loop.time()
            if left_s <= 0 or self._notifier.is_closed or is_news(seen):
                return seen
            await self._notifier.wait(min(left_s, self._look_every_s or left_s), notified)
            await asyncio.sleep(max(0.0, began + PAUSE_S - loop.time()))


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Await some work; cancel it and raise ClientGone if the client disconnects."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        await cancel(task, gone)


async def until_gone(request: Request) -> None:
    """Return when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def cancel(*tasks: asyncio.Future[T] | asyncio.Future[None]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def while_heard(sending: Coroutine[object, object, None], request: Request) -> None:
    """Send a response until it ends or the client disconnects; raises what sending raises."""
    sent = asyncio.ensure_future(sending)
    gone = asyncio.ensure_future(until_gone(request))
    try:
        await asyncio.wait({sent, gone}, return_when=asyncio.FIRST_COMPLETED)
        if sent.done():
            sent.result()
    finally:
        await cancel(sent, gone)

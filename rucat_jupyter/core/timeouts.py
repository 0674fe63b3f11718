"""A time limit that never swallows a cancellation.

Before Python 3.12 ``asyncio.wait_for`` does, if it is cancelled at the moment at which its awaitable is done (CPython
issue 86296): then a loop that ``close()`` has cancelled continues, and ``close()`` never returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float | None, work: Awaitable[T]) -> T:
    """Await ``work``, or cancel it and raise asyncio.TimeoutError; in both cases it has ended when this returns.

    ``seconds`` None is no limit.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        is_late = not task.done()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif not task.cancelled():
            task.exception()  # our caller is cancelled, and asyncio would log an exception that nothing retrieves
    if is_late:
        raise asyncio.TimeoutError
    return task.result()

"""A time limit that never swallows a cancellation.

Before Python 3.12 ``asyncio.wait_for`` does, when it is cancelled at the moment at which what it waits for is done
(CPython issue 86296): the loop that a ``close()`` has cancelled then goes on, and the ``close()`` waits for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float | None, work: Awaitable[T]) -> T:
    """Await ``work``, or cancel it and raise asyncio.TimeoutError; it has ended, either way, when this returns.

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
            task.exception()  # who is cancelled at this moment does not ask for it, and asyncio would complain of that
    if is_late:
        raise asyncio.TimeoutError
    return task.result()

"""A time limit: what it awaits has ended when it returns; neither cancellation nor error is lost or raised twice."""

from __future__ import annotations

import asyncio
import gc

import pytest

from rucat_jupyter.core.timeouts import within


async def test_what_is_late_is_cancelled_and_has_ended():
    """Also what needs a moment to end."""
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    with pytest.raises(asyncio.TimeoutError):
        await within(0.01, slow())
    assert ended == [True]


async def test_what_is_in_time_gives_its_answer_or_its_error():
    """As if it were awaited alone; None is no limit."""

    async def answer() -> int:
        return 7

    async def error() -> None:
        raise OSError("no")

    assert await within(1, answer()) == await within(None, answer()) == 7
    with pytest.raises(OSError, match="no"):
        await within(1, error())


@pytest.mark.parametrize("is_error", [True, False])
async def test_a_cancellation_at_the_moment_of_the_end_is_not_lost(is_error):
    """And asyncio does not complain of an error that no task awaited."""
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: complaints.append(context["message"]))
    over = loop.create_future()

    async def work() -> None:
        await over

    waiting = asyncio.create_task(within(5, work()))
    await asyncio.sleep(0.01)
    if is_error:
        over.set_exception(OSError("no"))
    else:
        over.set_result(None)
    await asyncio.sleep(0)  # the work has ended, and its waiter has not run yet
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    del waiting
    gc.collect()
    assert complaints == []

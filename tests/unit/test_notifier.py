"""The notifier wakes every waiting task, and no task misses a notification."""

from __future__ import annotations

import asyncio

from rucat_jupyter.gateway.use_cases.notifier import Notifier


async def test_a_notification_wakes_every_task() -> None:
    """One notification ends a hundred waits."""
    notifier = Notifier()
    waits = [asyncio.ensure_future(notifier.wait(30.0)) for _ in range(100)]
    await asyncio.sleep(0)
    notifier.notify()
    assert await asyncio.gather(*waits) == [True] * 100


async def test_a_notification_between_read_and_wait_is_not_missed() -> None:
    """With the count from before the read, the wait ends immediately."""
    notifier = Notifier()
    notified = notifier.notified
    notifier.notify()
    assert await notifier.wait(30.0, notified)


async def test_an_old_notification_does_not_count() -> None:
    """With the count from after it, the wait is for the next one, and returns False if there is none."""
    notifier = Notifier()
    notifier.notify()
    assert not await notifier.wait(0.01, notifier.notified)
    assert not await notifier.wait(0.01)


async def test_a_task_that_waits_in_between_sees_all_of_many_notifications() -> None:
    """No notification of a fast series is missed."""
    notifier, heard = Notifier(), 0
    for _ in range(50):
        wait = asyncio.ensure_future(notifier.wait(30.0))
        await asyncio.sleep(0)
        notifier.notify()
        notifier.notify()
        heard += await wait
    assert (heard, notifier.notified) == (50, 100)


async def test_a_closed_notifier_ends_every_wait() -> None:
    """Closing wakes the waiting tasks, and later waits end immediately."""
    notifier = Notifier()
    wait = asyncio.ensure_future(notifier.wait(30.0))
    await asyncio.sleep(0)
    notifier.close()
    assert await wait
    assert await notifier.wait(30.0, notifier.notified)
    assert notifier.is_closed

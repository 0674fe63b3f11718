"""The notifier wakes everybody who waits, and nobody misses one."""

from __future__ import annotations

import asyncio

from rucat_jupyter.gateway.use_cases.notifier import Notifier


async def test_a_ring_wakes_every_waiter() -> None:
    """A hundred waiters all hear one ring."""
    notifier = Notifier()
    waits = [asyncio.ensure_future(notifier.wait(30.0)) for _ in range(100)]
    await asyncio.sleep(0)
    notifier.notify()
    assert await asyncio.gather(*waits) == [True] * 100


async def test_a_ring_between_look_and_wait_is_not_missed() -> None:
    """Who noted the rings before looking does not sleep through a change that came while it looked."""
    notifier = Notifier()
    notified = notifier.notified
    notifier.notify()
    assert await notifier.wait(30.0, notified)


async def test_an_old_ring_does_not_count() -> None:
    """Who notes the rings after a ring waits for the next one, and is told when there was none."""
    notifier = Notifier()
    notifier.notify()
    assert not await notifier.wait(0.01, notifier.notified)
    assert not await notifier.wait(0.01)


async def test_rings_in_a_row_are_all_heard_by_one_who_listens_in_between() -> None:
    """Ringing again and again never leaves a listener behind."""
    notifier, heard = Notifier(), 0
    for _ in range(50):
        wait = asyncio.ensure_future(notifier.wait(30.0))
        await asyncio.sleep(0)
        notifier.notify()
        notifier.notify()
        heard += await wait
    assert (heard, notifier.notified) == (50, 100)


async def test_a_closed_bell_lets_nobody_wait() -> None:
    """Closing wakes who waits, and later waits end at once."""
    notifier = Notifier()
    wait = asyncio.ensure_future(notifier.wait(30.0))
    await asyncio.sleep(0)
    notifier.close()
    assert await wait
    assert await notifier.wait(30.0, notifier.notified)
    assert notifier.is_closed

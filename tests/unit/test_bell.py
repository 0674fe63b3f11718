"""The bell wakes everybody who waits, and nobody misses a ring."""

from __future__ import annotations

import asyncio

from rucat_jupyter.gateway.use_cases.notifier import Bell


async def test_a_ring_wakes_every_waiter() -> None:
    """A hundred waiters all hear one ring."""
    bell = Bell()
    waits = [asyncio.ensure_future(bell.wait(30.0)) for _ in range(100)]
    await asyncio.sleep(0)
    bell.ring()
    assert await asyncio.gather(*waits) == [True] * 100


async def test_a_ring_between_look_and_wait_is_not_missed() -> None:
    """Who noted the rings before looking does not sleep through a change that came while it looked."""
    bell = Bell()
    rings = bell.rings
    bell.ring()
    assert await bell.wait(30.0, rings)


async def test_an_old_ring_does_not_count() -> None:
    """Who notes the rings after a ring waits for the next one, and is told when there was none."""
    bell = Bell()
    bell.ring()
    assert not await bell.wait(0.01, bell.rings)
    assert not await bell.wait(0.01)


async def test_rings_in_a_row_are_all_heard_by_one_who_listens_in_between() -> None:
    """Ringing again and again never leaves a listener behind."""
    bell, heard = Bell(), 0
    for _ in range(50):
        wait = asyncio.ensure_future(bell.wait(30.0))
        await asyncio.sleep(0)
        bell.ring()
        bell.ring()
        heard += await wait
    assert (heard, bell.rings) == (50, 100)


async def test_a_closed_bell_lets_nobody_wait() -> None:
    """Closing wakes who waits, and later waits end at once."""
    bell = Bell()
    wait = asyncio.ensure_future(bell.wait(30.0))
    await asyncio.sleep(0)
    bell.close()
    assert await wait
    assert await bell.wait(30.0, bell.rings)
    assert bell.is_closed

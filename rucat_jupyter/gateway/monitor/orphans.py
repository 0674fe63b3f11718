"""Remove objects of this installation on a platform that have no record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from ...core.errors import EngineNotFound, RucatError
from ...core.ports.platform import Leftover, Platform
from ...core.ports.store import Store
from ...core.timeouts import within
from .problems import Problems
from .schedule import Pace, Timekeeper

log = logging.getLogger(__name__)
LEFTOVERS = "leftovers"


class Sweep:
    """The sweep of one platform.

    An orphan belongs to an (engine, run) that is not the record's (id, ``state_run``): the record is gone, or a later
    run was claimed. A run is claimed before it starts, so reading the platform first and the store second never takes a
    starting run for an orphan. It is removed if it is still an orphan after a grace time, after a direct read of the
    store.
    """

    def __init__(
        self,
        platform: Platform,
        store: Store,
        *,
        problems: Problems,
        time: Timekeeper,
        sleep: Callable[[float], Awaitable[None]],
        pace: Pace,
    ) -> None:
        self._platform = platform
        self._store = store
        self._problems = problems
        self._time = time
        self._sleep = sleep
        self._pace = pace
        self._seen: dict[Leftover, datetime] = {}

    async def run(self) -> None:
        """Sweep every ``sweep_s`` seconds, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (RucatError, OSError, asyncio.TimeoutError) as exc:
                log.warning("platform %s: cannot list leftovers, Rucat tries again: %s", self._platform.name, _why(exc))
            await self._sleep(self._pace.sweep_s)

    async def sweep(self) -> None:
        """Sweep once; remove objects that have been orphans for the grace time."""
        leftovers = await self._leftovers()
        engines = await within(self._pace.call_s, self._store.engines())
        lives = {(engine.id, engine.state_run) for engine in engines}
        now = self._time.now()
        orphans = [leftover for leftover in leftovers if (leftover.engine_id, leftover.run) not in lives]
        self._seen = {orphan: self._seen.get(orphan, now) for orphan in orphans}
        due = [o for o, since in self._seen.items() if (now - since).total_seconds() >= self._pace.orphan_grace_s]
        await asyncio.gather(*[self._remove(orphan) for orphan in due if await self._is_orphan(orphan)])

    async def _remove(self, orphan: Leftover) -> None:
        """Remove one; after an error the next sweep tries again, and the other orphans are still removed."""
        name = f"run {orphan.run}, which has no record"
        log.info("%s removes the leftovers of %s", orphan.engine_id, name)
        try:
            await within(self._pace.call_s, self._platform.remove(orphan))
        except (RucatError, OSError, asyncio.TimeoutError) as exc:
            log.warning(
                "%s cannot remove the leftovers of %s, Rucat tries again: %s", orphan.engine_id, name, _why(exc)
            )

    async def _leftovers(self) -> Sequence[Leftover]:
        """List the platform's objects, and note whether it answers."""
        try:
            found = await within(self._pace.call_s, self._platform.leftovers())
        except (RucatError, asyncio.TimeoutError) as exc:
            late = f"platform {self._platform.name} did not list its objects within {self._pace.call_s:.0f} s"
            self._problems.is_silent(LEFTOVERS, str(exc) or late)
            raise
        self._problems.is_well(LEFTOVERS)
        return found

    async def _is_orphan(self, leftover: Leftover) -> bool:
        try:
            engine = await within(self._pace.call_s, self._store.get(leftover.engine_id))
        except EngineNotFound:
            return True
        return engine.state_run != leftover.run


def _why(exc: Exception) -> str:
    return str(exc) or "no answer in time"

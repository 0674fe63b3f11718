"""One platform's engines: choose those that are due, observe them in one call, do one step for each, save.

Level-triggered: only the present state of an engine matters, and a wake only shortens the wait. A slow step delays
only its own engine, and a slow platform only its own reconciler.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from ...core.engine import Engine
from ...core.errors import Conflict, EngineNotFound, RucatError
from ...core.lifecycle import Ask, Clean, Observation, Presence, Remove, Start, Stop, Timing, plan, status_of
from ...core.ports.platform import Platform
from ...core.ports.store import Store
from .actions import Actions
from .problems import Problems
from .schedule import Agenda, Attempts, Pace, Timekeeper
from .sharding import Sharding
from .tracking import Tracking

log = logging.getLogger(__name__)
EVENTS = "events"
AT_HAND = timedelta(seconds=1)
"""Age up to which a record is not read again for a check; every change of it is a compare-and-set."""
OUTSIDE = (Start, Stop, Clean, Remove, Ask)
"""Steps that are repeated with growing pauses while they change nothing."""


class Reconciler:
    """The monitor of one platform; ``wake`` may be called at any time, ``run`` does the work until cancelled."""

    def __init__(
        self,
        platform: Platform,
        store: Store,
        *,
        tracking: Tracking,
        actions: Actions,
        problems: Problems,
        sharding: Sharding,
        time: Timekeeper,
        sleep: Callable[[float], Awaitable[None]],
        timing: Timing,
        pace: Pace,
    ) -> None:
        self.platform = platform
        self.tracking = tracking
        self._actions = actions
        self._problems = problems
        self._store = store
        self._sharding = sharding
        self._time = time
        self._sleep = sleep
        self._timing = timing
        self._pace = pace
        self._agenda = Agenda()
        self._woken = asyncio.Event()
        self._failures = Attempts(pace.retry_s)
        self._repeats = Attempts(pace.repeat_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_hand: dict[str, tuple[datetime, Engine]] = {}
        self._changed: set[str] = set()  # records that may have changed since they were last read

    # --- loop ---------------------------------------------------------------------------------------------

    def wake(self, engine_id: str, just_read: Engine | None = None) -> None:
        """Check an engine whose record may have changed, or was just read; now, or again after the present check."""
        if just_read is not None:
            self._at_hand[engine_id] = self._time.now(), just_read
        else:
            self._at_hand.pop(engine_id, None)
            self._changed.add(engine_id)
        self.stir(engine_id)

    def stir(self, engine_id: str) -> None:
        """Check an engine whose process or pod may have changed; now, or again after the present check."""
        self._agenda.put(engine_id, self._time.now())
        self._woken.set()

    def keep(self, engine: Engine) -> None:
        """Keep a record that this check has written for the next one, unless it may have changed meanwhile."""
        if engine.id not in self._changed:
            self._at_hand[engine.id] = self._time.now(), engine

    async def run(self) -> None:
        """Check the engines that are due, until cancelled."""
        try:
            while True:
                self._woken.clear()
                due = self._agenda.take(self._time.now())
                if due:
                    await self._guarded(due, self._look(due))
                else:
                    await self._nap()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def follow(self) -> None:
        """Wake the engines of the platform's events, until cancelled."""
        broke_at = None
        while True:
            try:
                async for engine_id in self.platform.changes():
                    broke_at = None
                    self.stir(engine_id)
            except (RucatError, OSError) as exc:
                log.warning(
                    "platform %s: its event stream ended with an error, Rucat reconnects: %s", self.platform.name, exc
                )
                broke_at = broke_at or self._time.to_store(self._time.now())
                self._problems.is_silent(EVENTS, f"its event stream ended with an error: {exc}", broke_at)
            await self._sleep(self._pace.retry_s[-1])
            self._problems.is_well(EVENTS)  # a quiet stream gives no other sign that it works

    async def _nap(self) -> None:
        """Wait until something is due."""
        next_at = self._agenda.next_at()
        if next_at is None:
            await self._woken.wait()
            return
        nap = asyncio.ensure_future(self._sleep((next_at - self._time.now()).total_seconds()))
        nap.add_done_callback(lambda _: self._woken.set())
        try:
            await self._woken.wait()
        finally:
            nap.cancel()
            await asyncio.gather(nap, return_exceptions=True)

    # --- choose and look ----------------------------------------------------------------------------------

    def is_mine(self, engine: Engine) -> bool:
        """Whether this gateway manages the engine."""
        return (
            engine.platform == self.platform.name
            and self.platform.serves(engine.site)
            and self._sharding.is_mine(engine.id, engine.site)
        )

    async def _look(self, due: Sequence[str]) -> None:
        """Observe all due engines in one call, then do the step of each in a task of its own."""
        engines = await self._read(due)
        seen = await self._actions.from_platform(self.platform.observe(engines), self._pace.call_s) if engines else {}
        for engine, observation in [(engine, seen[engine.id]) for engine in engines]:
            task = asyncio.ensure_future(self._guarded([engine.id], self._act(engine, observation)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read(self, due: Sequence[str]) -> list[Engine]:
        """The records of the engines that this gateway manages; drops the others."""
        self._changed.difference_update(due)
        at_hand = [self._at_hand.pop(engine_id) for engine_id in due if engine_id in self._at_hand]
        found = {engine.id: engine for at, engine in at_hand if self._time.now() - at < AT_HAND}
        rest = [engine_id for engine_id in due if engine_id not in found]
        if rest:
            found |= {engine.id: engine for engine in await self._actions.from_store(self._store.some(rest))}
        engines = []
        for engine_id in due:
            engine = found.get(engine_id)
            if engine and self.is_mine(engine):
                engines.append(engine)
            else:
                await self._forget(engine_id)
        return engines

    async def _forget(self, engine_id: str) -> None:
        await self.tracking.forget(engine_id)
        self._failures.reset(engine_id)
        self._repeats.reset(engine_id)
        self._problems.is_well(engine_id)
        self._agenda.release(engine_id)

    async def _act(self, engine: Engine, seen: Observation) -> None:
        """Do the next step."""
        await self._actions.from_platform(self.tracking.look_after(engine, seen), self._pace.call_s)
        memory = self.tracking.memory(engine)
        step = plan(engine, seen, memory, self._time.to_store(self._time.now()), self._timing)
        log.debug("%s %s, %s: %s", engine.id, status_of(engine).value, seen.presence.value, step)
        if seen.presence is Presence.UNKNOWN:
            self._problems.is_silent(engine.id, seen.message or f"platform {self.platform.name} does not answer")
        again_at = self._repeats.next_at(engine.id, (step, engine.revision))
        if again_at is None or self._time.now() >= again_at:
            if isinstance(step, OUTSIDE):
                self._repeats.made(engine.id, (step, engine.revision), self._time.now())
            again_at = await self._actions.do(step, engine)
            if seen.presence is not Presence.UNKNOWN:
                self._problems.is_well(engine.id)
        if again_at:
            self._agenda.put(engine.id, again_at)
        if seen.presence is Presence.UNKNOWN:
            self._put_off([engine.id])
        else:
            self._failures.reset(engine.id)
            self._release([engine.id])

    async def _guarded(self, engine_ids: Sequence[str], work: Awaitable[None]) -> None:
        """Any error of these engines ends here: their next check is later, the others go on."""
        try:
            await work
        except (Conflict, EngineNotFound) as exc:
            log.debug("%s another writer was first: %s", _few(engine_ids), exc)
            for engine_id in engine_ids:
                self._agenda.put(engine_id, self._time.now())
            self._release(engine_ids)
        except RucatError as exc:
            log.warning("%s Rucat tries again: %s", _few(engine_ids), exc)
            self._put_off(engine_ids, exc)
        except Exception as exc:
            log.exception("%s internal error, Rucat tries again", _few(engine_ids))
            self._put_off(engine_ids, exc)

    def _put_off(self, engine_ids: Sequence[str], exc: Exception | None = None) -> None:
        for engine_id in engine_ids:
            if exc:
                self._problems.failed(engine_id, exc)
            self._agenda.put(engine_id, self._failures.made(engine_id, "look", self._time.now()))
        self._release(engine_ids)

    def _release(self, engine_ids: Sequence[str]) -> None:
        for engine_id in engine_ids:
            self._agenda.release(engine_id)
        self._woken.set()


def _few(engine_ids: Sequence[str]) -> str:
    """Engine ids for a log line."""
    return (
        " ".join(engine_ids) if len(engine_ids) <= 3 else f"{' '.join(engine_ids[:2])} and {len(engine_ids) - 2} more"
    )

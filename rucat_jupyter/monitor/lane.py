"""One platform's engines: choose what is due, look at it in one call, do one step for each, save.

Level-triggered: how an engine came to be what it is does not matter, and a wake only shortens the wait. A slow
step holds up its own engine alone, and a slow platform its own lane alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import singledispatchmethod
from typing import Protocol, TypeVar

from ..engine import HINTS, Engine, Failure, Reason, Verb
from ..errors import Conflict, EngineNotFound, PlatformError, PlatformUnavailable, RucatError, StoreUnavailable
from ..lifecycle import (
    Ask,
    Clean,
    Note,
    Observation,
    Presence,
    Remove,
    Rest,
    Settle,
    Start,
    Step,
    Stop,
    Timing,
    plan,
    status_of,
)
from ..ports import Note as Line
from ..ports import Platform, Store
from .records import ACTOR, record_of
from .schedule import Agenda, Attempts, Pace, Timekeeper, limited
from .shares import Shares
from .trouble import Troubles
from .vitals import Vitals

log = logging.getLogger(__name__)
T = TypeVar("T")
EVENTS = "events"
MANY = 20
"""From so many due engines on, one listing of the store is cheaper than reading each."""


class AskVerb(Protocol):
    """The use cases, asked by the monitor (idle stop, lifetime, restart policy)."""

    async def __call__(self, engine: Engine, verb: Verb, reason: str, /) -> object:
        """Record what is wanted; raises Conflict when the record has moved."""


class Lane:
    """The monitor of one platform; ``wake`` may be called at any time, ``run`` does the work until cancelled."""

    def __init__(
        self,
        platform: Platform,
        store: Store,
        *,
        vitals: Vitals,
        troubles: Troubles,
        shares: Shares,
        ask: AskVerb,
        time: Timekeeper,
        sleep: Callable[[float], Awaitable[None]],
        timing: Timing,
        pace: Pace,
        on_change: Callable[[], None],
    ) -> None:
        self.platform = platform
        self.vitals = vitals
        self._troubles = troubles
        self._store = store
        self._shares = shares
        self._ask = ask
        self._time = time
        self._sleep = sleep
        self._timing = timing
        self._pace = pace
        self._on_change = on_change
        self._agenda = Agenda()
        self._woken = asyncio.Event()
        self._failures = Attempts(pace.retry_s)
        self._repeats = Attempts(pace.repeat_s)
        self._acts: set[asyncio.Task[None]] = set()

    # --- loop ---------------------------------------------------------------------------------------------

    def wake(self, engine_id: str) -> None:
        """Look at an engine now, or again if it is being looked at."""
        self._agenda.put(engine_id, self._time.now())
        self._woken.set()

    async def run(self) -> None:
        """Look at whatever is due, for ever; ends only by being cancelled."""
        try:
            while True:
                self._woken.clear()
                due = self._agenda.take(self._time.now())
                if due:
                    await self._guarded(due, self._look(due))
                else:
                    await self._nap()
        finally:
            for act in self._acts:
                act.cancel()
            await asyncio.gather(*self._acts, return_exceptions=True)

    async def follow(self) -> None:
        """Wake engines that the platform says may have changed, for ever."""
        broke_at = None
        while True:
            try:
                async for engine_id in self.platform.changes():
                    broke_at = None
                    self.wake(engine_id)
            except (RucatError, OSError) as exc:
                log.warning("platform %s: its events broke off, will follow again: %s", self.platform.name, exc)
                broke_at = broke_at or self._time.to_store(self._time.now())
                self._troubles.is_silent(EVENTS, f"its events broke off: {exc}", broke_at)
            await self._sleep(self._pace.retry_s[-1])
            self._troubles.is_well(EVENTS)  # a stream that is followed and quiet gives no other sign

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
        """Whether this gateway looks after that engine."""
        return (
            engine.platform == self.platform.name
            and self.platform.serves(engine.site)
            and self._shares.is_mine(engine.id, engine.site)
        )

    async def _look(self, due: Sequence[str]) -> None:
        """Observe all that is due in one call, then let each engine take its step by itself."""
        engines = await self._read(due)
        seen = await self._from_platform(self.platform.observe(engines), self._pace.call_s) if engines else {}
        for engine, observation in [(engine, seen[engine.id]) for engine in engines]:
            act = asyncio.ensure_future(self._guarded([engine.id], self._act(engine, observation)))
            self._acts.add(act)
            act.add_done_callback(self._acts.discard)

    async def _read(self, due: Sequence[str]) -> list[Engine]:
        """The records of the engines that are ours to look after; the others are forgotten."""
        listed = {e.id: e for e in await self._from_store(self._store.engines())} if len(due) >= MANY else None
        engines = []
        for engine_id in due:
            engine = listed.get(engine_id) if listed is not None else await self._get(engine_id)
            if engine and self.is_mine(engine):
                engines.append(engine)
            else:
                await self._forget(engine_id)
        return engines

    async def _get(self, engine_id: str) -> Engine | None:
        try:
            return await self._from_store(self._store.get(engine_id))
        except EngineNotFound:
            return None

    async def _forget(self, engine_id: str) -> None:
        await self.vitals.forget(engine_id)
        self._failures.reset(engine_id)
        self._repeats.reset(engine_id)
        self._troubles.is_well(engine_id)
        self._agenda.release(engine_id)

    async def _act(self, engine: Engine, seen: Observation) -> None:
        """Do the one next step."""
        await self.vitals.look_after(engine, seen)
        memory = self.vitals.memory(engine)
        step = plan(engine, seen, memory, self._time.to_store(self._time.now()), self._timing)
        log.debug("%s %s, %s: %s", engine.id, status_of(engine).value, seen.presence.value, step)
        again_at = self._repeats.next_at(engine.id, (step, engine.revision))
        if seen.presence is Presence.UNKNOWN:
            self._troubles.is_silent(engine.id, seen.message or f"platform {self.platform.name} does not answer")
        if again_at and self._time.now() < again_at:
            self._agenda.put(engine.id, again_at)
        else:
            await self._take(step, engine)
            if seen.presence is not Presence.UNKNOWN:
                self._troubles.is_well(engine.id)
            if not isinstance(step, Rest):
                self._look_again(engine.id)
        if seen.presence is Presence.UNKNOWN:
            self._put_off([engine.id])
        else:
            self._failures.reset(engine.id)
            self._release([engine.id])

    async def _guarded(self, engine_ids: Sequence[str], work: Awaitable[None]) -> None:
        """Whatever goes wrong with these engines ends here: they are put off, the others go on."""
        try:
            await work
        except (Conflict, EngineNotFound) as exc:
            log.debug("%s somebody else was first: %s", _few(engine_ids), exc)
            self._look_again(*engine_ids)
            self._release(engine_ids)
        except RucatError as exc:
            log.warning("%s will try again: %s", _few(engine_ids), exc)
            self._put_off(engine_ids, exc)
        except Exception as exc:
            log.exception("%s went wrong in an unforeseen way, will try again", _few(engine_ids))
            self._put_off(engine_ids, exc)

    def _look_again(self, *engine_ids: str) -> None:
        for engine_id in engine_ids:
            self._agenda.put(engine_id, self._time.now())

    def _put_off(self, engine_ids: Sequence[str], exc: Exception | None = None) -> None:
        for engine_id in engine_ids:
            if exc:
                self._troubles.failed(engine_id, exc)
            self._agenda.put(engine_id, self._failures.made(engine_id, "look", self._time.now()))
        self._release(engine_ids)

    def _release(self, engine_ids: Sequence[str]) -> None:
        for engine_id in engine_ids:
            self._agenda.release(engine_id)
        self._woken.set()

    # --- one method for each kind of step -------------------------------------------------------------------

    @singledispatchmethod
    async def _take(self, step: Step, engine: Engine) -> None:
        """Steps that only write: what they write is in :mod:`.records`."""
        await self._save(engine, step)

    @_take.register
    async def _(self, step: Rest, engine: Engine) -> None:
        used_at = self.vitals.use_to_write(engine, self._pace.touch_s)
        if used_at:
            await self._from_store(self._store.touch(engine.id, used_at))
        if step.until:
            self._agenda.put(engine.id, self._time.to_own(step.until))

    @_take.register
    async def _(self, step: Start, engine: Engine) -> None:
        if await self._from_store(self._store.get(engine.id)) != engine:
            raise Conflict("it has changed while it was looked at")  # what was seen may be old: start nothing on it
        credential = await self._from_store(self._store.credential(engine.id))
        try:
            await self._outside(step, engine, self.platform.start(engine, credential))
        except PlatformError as exc:
            if not engine.is_managed:  # never Failed: it says so and tries again
                await self._say(engine, exc.message)
                raise
            await self._outside(step, engine, self.platform.clean(engine))
            await self._save(engine, Settle(self._failure(exc), exc.message))
            return
        self.vitals.started(engine)
        await self._end_if_stale(engine)

    @_take.register
    async def _(self, step: Stop, engine: Engine) -> None:
        await self._outside(step, engine, self.platform.stop(engine))

    @_take.register
    async def _(self, step: Clean, engine: Engine) -> None:
        await self._outside(step, engine, self.platform.clean(engine))

    @_take.register
    async def _(self, step: Remove, engine: Engine) -> None:
        await self._outside(step, engine, self.platform.clean(engine))  # kept logs go too
        await self._from_store(self._store.remove(engine, Line(ACTOR, "deleted")))
        log.info("%s %s -> gone", engine.id, status_of(engine).value)
        self._on_change()

    @_take.register
    async def _(self, step: Ask, engine: Engine) -> None:
        self._tried(step, engine)
        await self._ask(engine, step.verb, step.reason)

    async def _end_if_stale(self, engine: Engine) -> None:
        """End a life that another monitor has given up while this one was starting it.

        It happens to a process that was stopped between its last look at the record and the platform's start.
        """
        now = await self._get(engine.id)
        if now is None or now.state_run != engine.state_run:
            await self._from_platform(self.platform.stop(engine), self._pace.act_s)
            await self._from_platform(self.platform.clean(engine), self._pace.act_s)

    async def _outside(self, step: Step, engine: Engine, call: Awaitable[None]) -> None:
        """Let the platform act, once in a while if it does not help, and say what keeps it from acting."""
        self._tried(step, engine)
        try:
            await self._from_platform(call, self._pace.act_s)
        except PlatformUnavailable as exc:
            await self._say(engine, exc.message)
            raise

    def _tried(self, step: Step, engine: Engine) -> None:
        self._repeats.made(engine.id, (step, engine.revision), self._time.now())

    async def _say(self, engine: Engine, message: str) -> None:
        if engine.message != message:
            await self._save(engine, Note(message))

    # --- save -----------------------------------------------------------------------------------------------

    async def _save(self, engine: Engine, step: Step) -> None:
        changes, line = record_of(step, engine)
        new = await self._from_store(self._store.update(engine, changes, line))
        level = logging.DEBUG if line is None else logging.INFO
        why = f": {line.reason}" if line and line.reason else ""
        log.log(level, "%s %s -> %s%s", engine.id, status_of(engine).value, status_of(new).value, why)
        self._on_change()

    def _failure(self, exc: PlatformError) -> Failure:
        told = exc.details.get("reason")
        reason = Reason(told) if told in set(Reason) else Reason.CRASH_ON_START
        at = self._time.to_store(self._time.now())
        return Failure(reason=reason, message=exc.message, hint=HINTS[reason], at=at)

    async def _from_platform(self, call: Awaitable[T], limit_s: float) -> T:
        try:
            return await limited(call, limit_s)
        except asyncio.TimeoutError:
            text = f"platform {self.platform.name} did not end a call within {limit_s:.0f} s; will try again"
            raise PlatformUnavailable(text) from None

    async def _from_store(self, call: Awaitable[T]) -> T:
        try:
            return await limited(call, self._pace.call_s)
        except asyncio.TimeoutError:
            text = f"the store did not end a call within {self._pace.call_s:.0f} s; will try again"
            raise StoreUnavailable(text) from None


def _few(engine_ids: Sequence[str]) -> str:
    """The engines that a log line is about."""
    return (
        " ".join(engine_ids) if len(engine_ids) <= 3 else f"{' '.join(engine_ids[:2])} and {len(engine_ids) - 2} more"
    )

"""What each step does: call the platform, change the record by compare-and-set, or only wait.

Every call of a port has a second, generous time limit here: the ports have limits of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import singledispatchmethod
from typing import Protocol, TypeVar

from ...core.engine import HINTS, Engine, Failure, Reason, Verb
from ...core.errors import Conflict, EngineNotFound, PlatformError, PlatformUnavailable, StoreUnavailable
from ...core.lifecycle import Ask, Clean, Note, Remove, Rest, Settle, Start, Step, Stop, status_of
from ...core.ports.platform import Platform
from ...core.ports.store import Note as Line
from ...core.ports.store import Store
from ...core.timeouts import within
from .records import ACTOR, record_of
from .schedule import Pace, Timekeeper
from .tracking import Tracking

log = logging.getLogger(__name__)
T = TypeVar("T")


class AskVerb(Protocol):
    """The use case that the monitor calls for idle stop, lifetime and restart policy."""

    async def __call__(self, engine: Engine, verb: Verb, reason: str, /) -> object:
        """Record the verb; raises Conflict if the record has changed."""


class Actions:
    """One method for each kind of step, on one platform and the store.

    ``on_change`` is called after each change of the store, with the written record, or None if it was removed.
    """

    def __init__(
        self,
        platform: Platform,
        store: Store,
        *,
        tracking: Tracking,
        ask: AskVerb,
        time: Timekeeper,
        pace: Pace,
        on_change: Callable[[Engine | None], None],
    ) -> None:
        self._platform = platform
        self._store = store
        self._tracking = tracking
        self._ask = ask
        self._time = time
        self._pace = pace
        self._on_change = on_change

    @singledispatchmethod
    async def do(self, step: Step, engine: Engine) -> datetime | None:
        """Do a step; returns the latest time of the next check, on this process's clock (None: only when woken).

        By default a step only writes the changes of :func:`.records.record_of`. Raises what the ports raise; a problem
        of the platform is first written into the engine's message.
        """
        await self._save(engine, step)
        return self._time.now()

    @do.register
    async def _(self, step: Rest, engine: Engine) -> datetime | None:
        used_at = self._tracking.use_to_write(engine, self._pace.touch_s)
        if used_at:
            await self.from_store(self._store.touch(engine.id, used_at))
        return self._time.to_own(step.until) if step.until else None

    @do.register
    async def _(self, step: Start, engine: Engine) -> datetime | None:
        if await self.from_store(self._store.get(engine.id)) != engine:
            raise Conflict("the record has changed since it was read")  # the observation may be old: start nothing
        credential = await self.from_store(self._store.credential(engine.id))
        try:
            await self._outside(engine, self._platform.start(engine, credential))
        except PlatformError as exc:
            await self._refused(engine, exc)
        else:
            self._tracking.started(engine)
            await self._end_if_stale(engine)
        return self._time.now()

    @do.register
    async def _(self, step: Stop, engine: Engine) -> datetime | None:
        await self._outside(engine, self._platform.stop(engine))
        return self._time.now()

    @do.register
    async def _(self, step: Clean, engine: Engine) -> datetime | None:
        await self._outside(engine, self._platform.clean(engine))
        return self._time.now()

    @do.register
    async def _(self, step: Remove, engine: Engine) -> datetime | None:
        await self._outside(engine, self._platform.clean(engine))  # kept logs go too
        await self.from_store(self._store.remove(engine, Line(ACTOR, "deleted")))
        log.info("%s %s -> deleted", engine.id, status_of(engine).value)
        self._on_change(None)
        return self._time.now()  # so that tracking drops it

    @do.register
    async def _(self, step: Ask, engine: Engine) -> datetime | None:
        await self._ask(engine, step.verb, step.reason)
        return self._time.now()

    async def from_platform(self, call: Awaitable[T], limit_s: float) -> T:
        """Await a call of the platform; PlatformUnavailable when it takes too long."""
        try:
            return await within(limit_s, call)
        except asyncio.TimeoutError:
            text = f"platform {self._platform.name} did not answer within {limit_s:.0f} s; Rucat tries again"
            raise PlatformUnavailable(text) from None

    async def from_store(self, call: Awaitable[T]) -> T:
        """Await a call of the store; StoreUnavailable when it takes too long."""
        try:
            return await within(self._pace.call_s, call)
        except asyncio.TimeoutError:
            text = f"the store did not answer within {self._pace.call_s:.0f} s; Rucat tries again"
            raise StoreUnavailable(text) from None

    # --- parts of steps -------------------------------------------------------------------------------------

    async def _refused(self, engine: Engine, exc: PlatformError) -> None:
        """A refused start is a failure; an external engine never fails: it shows the message and waits."""
        if not engine.is_managed:
            await self._say(engine, exc.message)
            raise exc
        await self._outside(engine, self._platform.clean(engine))
        await self._save(engine, Settle(self._failure(exc), exc.message))

    async def _end_if_stale(self, engine: Engine) -> None:
        """Stop a run that another monitor has given up while this one was starting it.

        This happens to a process that was suspended between its last read of the record and the platform's start.
        """
        try:
            is_stale = (await self.from_store(self._store.get(engine.id))).state_run != engine.state_run
        except EngineNotFound:
            is_stale = True
        if is_stale:
            await self.from_platform(self._platform.stop(engine), self._pace.act_s)
            await self.from_platform(self._platform.clean(engine), self._pace.act_s)

    async def _outside(self, engine: Engine, call: Awaitable[None]) -> None:
        """Call the platform; write an unreachable platform into the engine's message."""
        try:
            await self.from_platform(call, self._pace.act_s)
        except PlatformUnavailable as exc:
            await self._say(engine, exc.message)
            raise

    async def _say(self, engine: Engine, message: str) -> None:
        if engine.message != message:
            await self._save(engine, Note(message))

    async def _save(self, engine: Engine, step: Step) -> None:
        changes, line = record_of(step, engine)
        new = await self.from_store(self._store.update(engine, changes, line))
        level = logging.DEBUG if line is None else logging.INFO
        why = f": {line.reason}" if line and line.reason else ""
        log.log(level, "%s %s -> %s%s", engine.id, status_of(engine).value, status_of(new).value, why)
        self._on_change(new)

    def _failure(self, exc: PlatformError) -> Failure:
        given = exc.details.get("reason")
        reason = Reason(given) if given in set(Reason) else Reason.CRASH_ON_START
        at = self._time.to_store(self._time.now())
        hint = str(exc.details.get("hint") or HINTS[reason])
        return Failure(reason=reason, message=exc.message, hint=hint, at=at)

"""Run the monitor: heartbeat, list of engines, and for each platform a reconciler, its events and a sweep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from ...core.engine import Engine
from ...core.errors import RucatError
from ...core.lifecycle import Timing
from ...core.ports.clock import Clock
from ...core.ports.platform import Platform
from ...core.ports.probes import Prober, SessionId
from ...core.ports.store import Store
from ...core.timeouts import within
from .actions import Actions, AskVerb
from .orphans import Sweep
from .problems import Problem, Problems, oldest
from .reconciler import Reconciler
from .schedule import Pace, Timekeeper
from .sharding import Sharding
from .tracking import Tracking

log = logging.getLogger(__name__)


class Monitor:
    """Brings the engines of the sites that this gateway serves to their wanted state.

    Parameters
    ----------
    store, platforms, prober, clock
        The ports; the caller opens and closes them. :meth:`close` closes the prober's pulses.
    ask
        The use case for idle stop, lifetime and restart policy.
    timing, pace
        Timings of the rules, and of the monitor itself.
    gateway_id, host
        The gateway in the heartbeat.
    on_change
        Called after every visible write, and when gateways come or go.
    """

    def __init__(  # noqa: PLR0917 - the ports, in the order of the interface
        self,
        store: Store,
        platforms: Mapping[str, Platform],
        prober: Prober,
        ask: AskVerb,
        clock: Clock,
        timing: Timing,
        *,
        gateway_id: str,
        host: str,
        on_change: Callable[[], None],
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._clock = clock
        self._pace = pace or Pace()
        self._on_change = on_change
        self._time = Timekeeper(clock, self._pace.gap_s)
        self._sharding = Sharding(store, gateway_id, host, self._pace.lost_s)
        self._problems = {name: Problems(name, self._store_now) for name in platforms}
        self._beat_failed: Problem | None = None
        tracking = {
            name: Tracking(
                platform, store, prober, self._time, lambda engine_id, of=name: self._reconcilers[of].stir(engine_id)
            )
            for name, platform in platforms.items()
        }
        self._reconcilers: dict[str, Reconciler] = {
            name: Reconciler(
                platform,
                store,
                tracking=tracking[name],
                actions=Actions(
                    platform,
                    store,
                    tracking=tracking[name],
                    ask=ask,
                    time=self._time,
                    pace=self._pace,
                    on_change=partial(self._saved, name),
                ),
                problems=self._problems[name],
                sharding=self._sharding,
                time=self._time,
                sleep=clock.sleep,
                timing=timing,
                pace=self._pace,
            )
            for name, platform in platforms.items()
        }
        self._sweeps = [
            Sweep(platform, store, problems=self._problems[name], time=self._time, sleep=clock.sleep, pace=self._pace)
            for name, platform in platforms.items()
        ]
        self._listed_at: datetime | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def problem(self) -> Problem | None:
        """The oldest problem of the store or of the monitor itself; None while all works."""
        return oldest([self._beat_failed, *(problems.of_monitor for problems in self._problems.values())])

    @property
    def platform_problems(self) -> Mapping[str, Problem]:
        """The platforms that did not answer the last call, with the problem."""
        found = {name: problems.of_platform for name, problems in self._problems.items()}
        return {name: problem for name, problem in found.items() if problem}

    def wake(self, engine_id: str) -> None:
        """Check an engine now; cheap, also for an unknown id."""
        for reconciler in self._reconcilers.values():
            reconciler.wake(engine_id)

    def _saved(self, platform: str, engine: Engine | None) -> None:
        if engine is not None:
            self._reconcilers[platform].keep(engine)
        self._on_change()

    def out_of_reach_s(self, engine_id: str) -> float | None:
        """For how many seconds an engine's platform has been out of reach; None: reachable, or not known."""
        known = (reconciler.tracking.out_of_reach_s(engine_id) for reconciler in self._reconcilers.values())
        return next((seconds for seconds in known if seconds is not None), None)

    def open_sessions(self, engine_id: str) -> frozenset[SessionId] | None:
        """The open sessions of an engine at the last look; None if it does not list them."""
        known = (reconciler.tracking.open_sessions(engine_id) for reconciler in self._reconcilers.values())
        return next((sessions for sessions in known if sessions is not None), None)

    async def run(self) -> None:
        """Run until cancelled.

        Errors of store, platforms or single engines are logged and tried again. Any other error is a bug of the
        monitor and is raised: the gateway must end visibly rather than run without a monitor.
        """
        works = [self._beats()]
        works += [reconciler.run() for reconciler in self._reconcilers.values()]
        works += [reconciler.follow() for reconciler in self._reconcilers.values()]
        works += [sweep.run() for sweep in self._sweeps]
        self._tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.gather(*self._tasks)  # each ends only with an error
        finally:
            await self._end_tasks()

    async def close(self) -> None:
        """End all tasks, close every pulse, remove the heartbeat; engines keep running. Safe to call twice."""
        await self._end_tasks()
        for reconciler in self._reconcilers.values():
            await reconciler.tracking.close()
        try:
            await within(self._pace.call_s, self._sharding.end())
        except (RucatError, asyncio.TimeoutError) as exc:
            log.warning("cannot remove the heartbeat, it will expire: %s", exc)

    async def _end_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- heartbeat and list -------------------------------------------------------------------------------

    async def _beats(self) -> None:
        while True:
            try:
                await within(self._pace.call_s, self._beat())
                self._beat_failed = None
            except (RucatError, asyncio.TimeoutError) as exc:
                text = f"cannot read the list of engines, Rucat tries again: {str(exc) or 'the store is slow'}"
                log.warning(text)
                self._beat_failed = Problem(text, self._beat_failed.since if self._beat_failed else self._store_now())
            await self._clock.sleep(self._pace.beat_s)

    def _store_now(self) -> datetime:
        return self._time.to_store(self._time.now())

    async def _beat(self) -> None:
        """Heartbeat, the store's time, and the engines: regularly all of them, else the changed ones."""
        self._time.awake_since()
        self._time.measured(await self._store.now())
        sites = [site for platform in self._platforms.values() for site in platform.sites()]
        is_resharded = await self._sharding.beat(sites)
        if is_resharded:
            self._on_change()  # an engine without a gateway shows that in its message
        now = self._time.now()
        full_s = self._pace.look_s - self._pace.beat_s  # the next beat would be too late
        is_full = is_resharded or self._listed_at is None or now - self._listed_at >= timedelta(seconds=full_s)
        if is_full or not self._sharding.is_alone:
            await self._list(is_full)
        if is_full:
            self._listed_at = now

    async def _list(self, is_full: bool) -> None:
        """Wake the engines of this gateway, and release those of other gateways.

        Also checks settled engines: this finds what an interrupted start has left.
        """
        engines = {engine.id: engine for engine in await self._store.engines()}
        for reconciler in self._reconcilers.values():
            for engine in engines.values():
                if reconciler.is_mine(engine) and (is_full or reconciler.tracking.is_news(engine)):
                    reconciler.wake(engine.id, just_read=engine)
            for engine_id in reconciler.tracking.known:
                if engine_id not in engines or not reconciler.is_mine(engines[engine_id]):
                    reconciler.wake(engine_id)

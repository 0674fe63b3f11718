"""Health of engines by Spark Connect itself: does the service respond, do queries run (the two tiers).

Each monitored life has its own :class:`ConnectPulse`: small loops that sleep most of the time, one for each check, so
that no check and no engine delays another. A pulse only reports; the decisions are in the tables of
:mod:`rucat_jupyter.core.lifecycle`.

The findings:

* **The service responds** if it rejects a call without the token with UNAUTHENTICATED, and accepts our token
  (:mod:`~.service_probe`). *Ready* needs only this, so no query delays it.
* **Silent**: the connection is broken or refused, tried twice, or there is no response within the deadline, which is
  longer than a garbage collection of 10 s. While an engine is silent a call is always pending, so we see its return
  immediately.
* **A zombie** fails queries while its service responds (:mod:`~.query_probe`).
* **The SparkContext is stopped** if the engine says so, twice; it cannot recover.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import partial

from ...core.engine import Engine
from ...core.lifecycle import Health
from ...core.ports.platform import Endpoint
from ...core.ports.probes import Activity, Wake
from ..connect.pace import PACES, REMOTE_PACE, Pace, Rhythm, session_timeout_s, utc_now
from ..operations.status import find_over, touch
from ..ui.activity import ActivityReader
from .query_probe import QueryTier
from .service_probe import ServiceTier

log = logging.getLogger(__name__)


class ConnectProber:
    """Makes a pulse for each life; implements :class:`rucat_jupyter.core.ports.probes.Prober`.

    ``paces`` by platform name; ``now`` for the times in health and activity; ``spread`` draws from [0, 1) so that
    thousands of pulses do not probe at the same moment.
    """

    def __init__(
        self,
        paces: Mapping[str, Pace] = PACES,
        *,
        now: Callable[[], datetime] = utc_now,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._paces = paces
        self._now = now
        self._spread = spread
        self._pulses: set[ConnectPulse] = set()

    def watch(self, engine: Engine, endpoint: Endpoint, token: str, wake: Wake) -> ConnectPulse:
        """Begin to probe a life, from inside the running event loop."""
        rhythm = Rhythm(self._paces.get(engine.platform, REMOTE_PACE), self._now, self._spread)
        pulse = ConnectPulse(engine, endpoint, token, wake, rhythm, self._pulses.discard)
        self._pulses.add(pulse)
        return pulse

    async def close(self) -> None:
        """Close all open pulses, concurrently."""
        await asyncio.gather(*(pulse.close() for pulse in list(self._pulses)))


class ConnectPulse:
    """The probes of one life; implements :class:`.core.ports.probes.Pulse`. Owns its tasks until closed."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        engine: Engine,
        endpoint: Endpoint,
        token: str,
        wake: Wake,
        rhythm: Rhythm,
        on_close: Callable[[ConnectPulse], None],
    ) -> None:
        self._is_closed = False
        self._engine, self._wake, self._rhythm, self._on_close = engine, wake, rhythm, on_close
        self._health = Health()
        self._activity: Activity | None = None
        self._service = ServiceTier(
            endpoint, token, is_managed=engine.is_managed, rhythm=rhythm, on_news=self._hear_of_service
        )
        self._query = QueryTier(self._service, engine.run_name, rhythm, on_news=self._publish)
        loops: list[Coroutine[object, object, None]] = [self._service.run()]
        if engine.is_managed:
            loops.append(self._query.run())
        timeout_s = session_timeout_s(engine.spec.conf) or math.inf
        self._activity_s = max(1.0, min(rhythm.pace.activity_s, timeout_s / 3))  # often enough to keep sessions in use
        if endpoint.ui_url is not None:
            reader = ActivityReader(
                endpoint.ui_url, partial(find_over, endpoint, token), partial(touch, endpoint, token)
            )
            loops.append(self._watch_activity(reader))
        self._tasks = [self._own(loop) for loop in loops]

    @property
    def health(self) -> Health:
        """The latest health."""
        return self._health

    @property
    def activity(self) -> Activity | None:
        """The latest activity, or None while it is unknown."""
        return self._activity

    async def close(self) -> None:
        """Stop probing; returns after all tasks have ended and the connection is closed. Safe to call twice."""
        self._is_closed = True
        self._service.line.shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._service.line.close()
        self._on_close(self)

    async def _watch_activity(self, reader: ActivityReader) -> None:
        await self._service.warm()
        while True:
            await self._service.answering.wait()
            old, self._activity = self._activity, await reader.read(self._rhythm.now())
            if _busyness(old) != _busyness(self._activity) and not self._is_closed:
                self._wake(self._engine.id)
            await asyncio.sleep(self._rhythm.about(self._activity_s))

    def _hear_of_service(self) -> None:
        if self._service.miss is None:
            self._query.due.set()  # it responds again: check queries, too
        self._publish()

    def _publish(self) -> None:
        """Combine the findings of both tiers, and wake the monitor if they have changed."""
        service, query = self._service.miss, self._query.miss
        misses = [miss for miss in (service, query) if miss is not None]
        health = Health(
            ready=self._service.ready,
            silent_since=min((miss.since for miss in misses), default=None),
            message=misses[0].message if misses else "",
            is_zombie=service is None and query is not None,
            context_stopped=self._query.context_stopped,
        )
        if health != self._health and not self._is_closed:
            log.debug("%s health %s -> %s", self._engine.id, self._health, health)
            self._health = health
            self._wake(self._engine.id)

    def _own(self, loop: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(loop)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Log an error: a loop only ends when it is cancelled, so any other end is a bug."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s internal error: a probe of this engine has stopped", self._engine.id, exc_info=error)


def _busyness(activity: Activity | None) -> bool | None:
    """Whether operations run, None if unknown; idle stops depend on this."""
    return None if activity is None else activity.running > 0

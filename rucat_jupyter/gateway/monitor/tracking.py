"""What the monitor remembers of each run, and its pulse (the probe); all of it may be lost in a crash."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from ...core.engine import Engine, State
from ...core.errors import PlatformUnavailable
from ...core.lifecycle import Health, Memory, Observation, Presence, has_life, is_wanted
from ...core.ports.platform import Endpoint, Platform
from ...core.ports.probes import Prober, Pulse, SessionId, Wake
from ...core.ports.store import Store
from .schedule import Timekeeper


@dataclass
class _Life:
    """One run as this monitor knows it; times are on this process's clock."""

    run: int
    state: State
    since: datetime
    was_started: bool = False
    pulse: Pulse | None = None
    endpoint: Endpoint | None = None
    found_silent: datetime | None = None  # silent_since from the pulse, to see when it changes
    silent_since: datetime | None = None
    found_used: datetime | None = None  # used_at from the pulse
    used_at: datetime | None = None
    is_busy: bool = True  # until the first answer, a query may be running
    touched_at: datetime | None = None
    revision: int = 0  # of the record at the last check
    unknown_since: datetime | None = None  # platform out of reach
    deaf_since: datetime | None = None  # platform out of reach, or the connection to the engine blocked
    heard_since: datetime | None = None  # the end of the last such time: silence before it does not count


class Tracking:
    """Memory and pulses of the engines of one platform."""

    def __init__(self, platform: Platform, store: Store, prober: Prober, time: Timekeeper, wake: Wake) -> None:
        self._platform = platform
        self._store = store
        self._prober = prober
        self._time = time
        self._wake = wake
        self._lives: dict[str, _Life] = {}

    @property
    def known(self) -> list[str]:
        """Ids of the tracked engines."""
        return list(self._lives)

    def is_news(self, engine: Engine) -> bool:
        """Whether the record has changed since the last check."""
        life = self._lives.get(engine.id)
        return life is None or life.revision != engine.revision

    async def look_after(self, engine: Engine, seen: Observation) -> None:
        """Update memory and pulse of an engine with a new observation."""
        life = await self._life(engine)
        self._listen(life, seen)
        if seen.presence is Presence.UNKNOWN:
            life.unknown_since = life.unknown_since or self._time.now()
        else:
            life.unknown_since = None
            is_to_watch = seen.presence is Presence.ALIVE and has_life(engine) and is_wanted(engine)
            await (self._open_pulse(engine, life) if is_to_watch else _close_pulse(life))
        self._feel(life)

    def memory(self, engine: Engine) -> Memory:
        """The memory of the run, in the store's time.

        After a gap without checks every grace, deadline and idle time counts from now. After a time in which the engine
        was out of reach its silence counts from now, and its deadline moves by that time.
        """
        awake_since = self._time.awake_since()
        life, to_store = self._lives[engine.id], self._time.to_store
        health = life.pulse.health if life.pulse else Health()
        silent_since = life.silent_since and max(life.silent_since, awake_since, life.heard_since or awake_since)
        return Memory(
            since=to_store(max(life.since, awake_since)),
            was_started=life.was_started,
            health=replace(health, silent_since=silent_since and to_store(silent_since)),
            used_at=life.used_at and to_store(life.used_at),
            is_busy=life.is_busy,
        )

    def open_sessions(self, engine_id: str) -> frozenset[SessionId] | None:
        """The open sessions of an engine at the last look; None if it does not list them."""
        life = self._lives.get(engine_id)
        activity = life.pulse.activity if life and life.pulse else None
        return activity.sessions if activity else None

    def out_of_reach_s(self, engine_id: str) -> float | None:
        """For how many seconds an engine's platform has been out of reach; None: it is reachable."""
        life = self._lives.get(engine_id)
        since = life and life.unknown_since
        return (self._time.now() - since).total_seconds() if since else None

    def started(self, engine: Engine) -> None:
        """Note that the platform has started the run."""
        self._lives[engine.id].was_started = True

    def use_to_write(self, engine: Engine, every_s: float) -> datetime | None:
        """The last use in the store's time, if it is new and the last write is ``every_s`` ago; else None."""
        life, now = self._lives[engine.id], self._time.now()
        if life.used_at is None or (life.touched_at and (now - life.touched_at).total_seconds() < every_s):
            return None
        used_at = self._time.to_store(life.used_at)
        if engine.last_used_at and used_at <= engine.last_used_at:
            return None
        life.touched_at = now
        return used_at

    async def forget(self, engine_id: str) -> None:
        """Drop an engine that is gone, or that another gateway manages."""
        life = self._lives.pop(engine_id, None)
        if life:
            await _close_pulse(life)

    async def close(self) -> None:
        """Close every pulse."""
        lives, self._lives = self._lives, {}
        await asyncio.gather(*(_close_pulse(life) for life in lives.values()))

    async def _life(self, engine: Engine) -> _Life:
        """The memory of the record's run; a new run or state starts a new one."""
        life = self._lives.get(engine.id)
        if life is None or life.run != engine.state_run:
            if life:
                await _close_pulse(life)
            life = self._lives[engine.id] = _Life(engine.state_run, engine.state, self._time.now())
        elif life.state is not engine.state:
            life.state, life.since = engine.state, self._time.now()
        life.revision = engine.revision
        return life

    def _listen(self, life: _Life, seen: Observation) -> None:
        """Note whether the engine is reachable at all."""
        now = self._time.now()
        if seen.presence is Presence.UNKNOWN or seen.blocked:
            life.deaf_since = life.deaf_since or now
        elif life.deaf_since:
            life.since += now - life.deaf_since
            life.deaf_since, life.heard_since = None, now

    async def _open_pulse(self, engine: Engine, life: _Life) -> None:
        try:
            endpoint = await self._platform.endpoint(engine)
        except PlatformUnavailable:
            return  # the address is not known now: keep the present pulse
        if life.pulse and endpoint == life.endpoint:
            return
        await _close_pulse(life)
        if endpoint:
            token = (await self._store.credential(engine.id)).token
            life.pulse, life.endpoint = self._prober.watch(engine, endpoint, token, self._wake), endpoint

    def _feel(self, life: _Life) -> None:
        """Date the findings of the pulse by this process's clock: so ages are right with any clock of the prober."""
        now = self._time.now()
        found = life.pulse.health.silent_since if life.pulse else None
        if found != life.found_silent:
            life.found_silent, life.silent_since = found, now if found else None
        activity = life.pulse.activity if life.pulse else None
        life.is_busy = activity is None or activity.running > 0
        if activity and activity.running:
            life.used_at = now
        elif activity and activity.used_at and activity.used_at != life.found_used:
            life.used_at = now if life.found_used else min(now, activity.used_at)
        life.found_used = activity.used_at if activity else life.found_used


async def _close_pulse(life: _Life) -> None:
    pulse, life.pulse, life.endpoint = life.pulse, None, None
    if pulse:
        await pulse.close()

"""Probes that find what a test says, so that the monitor can be tested without an engine.

``FakeProber.watch`` makes a :class:`FakePulse`; the test then scripts what it has found, and the monitor is woken
as by the real prober: only when health or busyness changes. Facts set by engine id before the monitor watches
(``prober.found(id, …)``) hold for the pulse to come.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from rucat_jupyter.core.engine import Engine
from rucat_jupyter.core.lifecycle import Health
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Activity, Wake


@dataclass
class FakePulse:
    """A pulse whose findings are set by the test; implements :class:`rucat_jupyter.core.ports.probes.Pulse`."""

    engine: Engine
    endpoint: Endpoint
    token: str
    wake: Wake
    health: Health = field(default_factory=Health)
    activity: Activity | None = None
    closed: bool = False

    def answer(self) -> None:
        """The service answers, and queries run: ready, not silent."""
        self.find(Health(ready=True))

    def miss(self, at: datetime, message: str = "no answer within 12 s", *, is_zombie: bool = False) -> None:
        """A probe gets no answer; only the first miss sets ``silent_since``."""
        since = self.health.silent_since or at
        self.find(replace(self.health, silent_since=since, message=message, is_zombie=is_zombie))

    def stop_context(self, at: datetime) -> None:
        """Two probes have found the SparkContext stopped."""
        self.find(
            Health(
                ready=True,
                silent_since=self.health.silent_since or at,
                message="the SparkContext is stopped",
                is_zombie=True,
                context_stopped=True,
            )
        )

    def find(self, health: Health) -> None:
        """Any finding; wakes the monitor if it is news."""
        is_news, self.health = health != self.health, health
        self._wake(is_news)

    def use(self, running: int, used_at: datetime | None) -> None:
        """Signs of use; wakes the monitor if busyness changes, or is known for the first time."""
        was_busy = None if self.activity is None else self.activity.running > 0
        self.activity = Activity(running=running, used_at=used_at)
        self._wake((running > 0) != was_busy)

    async def close(self) -> None:
        """No finding after this wakes anybody."""
        self.closed = True

    def _wake(self, is_news: bool) -> None:
        if is_news and not self.closed:
            self.wake(self.engine.id)


class FakeProber:
    """Keeps every pulse ever made, newest last; implements :class:`rucat_jupyter.core.ports.probes.Prober`.

    With ``answers=True`` every life is ready immediately (the happy path needs no script).
    """

    def __init__(self, *, answers: bool = False) -> None:
        self.answers = answers
        self.made: list[FakePulse] = []
        self.closed = False
        self._found: dict[str, Health] = {}

    def watch(self, engine: Engine, endpoint: Endpoint, token: str, wake: Wake) -> FakePulse:
        """Make a pulse that knows what :meth:`found` said for that engine, or nothing."""
        assert not self.closed, "watch after close"
        pulse = FakePulse(engine, endpoint, token, wake)
        self.made.append(pulse)
        if (health := self._found.pop(engine.id, None)) is not None:
            pulse.find(health)
        elif self.answers:
            pulse.answer()
        return pulse

    def found(self, engine_id: str, health: Health) -> None:
        """Set what is found of an engine: now if it is watched, else as soon as it is."""
        if (pulse := self.pulse(engine_id)) is not None:
            pulse.find(health)
        else:
            self._found[engine_id] = health

    def pulse(self, engine_id: str) -> FakePulse | None:
        """The open pulse of an engine, or None."""
        return next((p for p in reversed(self.made) if p.engine.id == engine_id and not p.closed), None)

    @property
    def open(self) -> list[FakePulse]:
        """Pulses that are still open: a leak when the monitor has ended."""
        return [pulse for pulse in self.made if not pulse.closed]

    async def close(self) -> None:
        """Close every pulse."""
        self.closed = True
        for pulse in self.made:
            await pulse.close()

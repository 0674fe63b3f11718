"""What a gateway remembers of one run beside its objects: events, executors that were lost, what its log said."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]
EXECUTORS_KEPT = 200
"""Executors of a run of which the last state is kept."""
CRASHES_KEPT = 10_000
"""Executors of a run of which the time of a crash is kept."""
PODS_KEPT = 2000
"""Pods of a run whose events are kept."""
EVENTS_KEPT = 20
"""Events that are kept of one pod."""


@dataclass
class RunRecord:
    """One run; what is not in it can be read again, or is lost with the gateway without harm."""

    last: Json | None = None  # final state of the driver's pod, once it has gone
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # set, and replaced, when the driver's pod goes
    executors: dict[str, Json] = field(default_factory=dict)  # the pods of the copy, by name
    lost: dict[str, Json] = field(default_factory=dict)  # last states of executors that have ended or gone
    crashes: deque[datetime] = field(default_factory=lambda: deque(maxlen=CRASHES_KEPT))  # when executors crashed
    events: dict[str, list[Json]] = field(default_factory=dict)  # by pod, oldest first
    failing_since: datetime | None = None  # since when the driver's image cannot be pulled
    refused: str = ""  # why the API server refuses executors
    refused_at: datetime | None = None  # when it last did
    following: asyncio.Task[None] | None = None  # searches the driver's log for that
    listens: bool | None = None  # whether a starting driver can be dialled; None: not asked yet
    alarm: asyncio.Task[None] | None = None  # rings when time alone changes what is seen

    def executor_changed(
        self, name: str, pod: Json, *, is_gone: bool, has_ended: bool, crashed_at: datetime | None
    ) -> None:
        """Take over the state of an executor's pod; ``crashed_at`` is now where it has crashed."""
        if crashed_at is not None and name not in self.lost:
            self.crashes.append(crashed_at)
        if is_gone:
            self.executors.pop(name, None)
        else:
            self.executors[name] = pod
        if is_gone or has_ended:
            self.lost[name] = pod
            _bound(self.lost, EXECUTORS_KEPT)

    def driver_gone(self, pod: Json) -> None:
        """Keep the driver's final state, and wake tasks that wait for its end."""
        self.last, self.failing_since = pod, None
        self.gone.set()
        self.gone = asyncio.Event()

    def event_changed(self, pod: str, event: Json) -> None:
        """Take over an event of a pod."""
        others = [known for known in self.events.get(pod, []) if known["metadata"]["name"] != event["metadata"]["name"]]
        self.events[pod] = sorted([*others, event], key=_time_of)[-EVENTS_KEPT:]
        _bound(self.events, PODS_KEPT)


def _time_of(event: Json) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _bound(memory: dict[str, Any], most: int) -> None:
    while len(memory) > most:
        del memory[next(iter(memory))]

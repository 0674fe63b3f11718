"""What the monitor knows when it decides: what a platform saw, what probes found, what it remembers, its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from ..engine import Executors, Reason


class Presence(str, Enum):
    """What a platform has of one life."""

    UNKNOWN = "unknown"  # the platform is out of reach: conclude nothing
    ABSENT = "absent"  # nothing of it is there
    ALIVE = "alive"  # its driver exists (no word of whether it answers)
    ENDED = "ended"  # its driver has ended, and something of it is left to clean


@dataclass(frozen=True)
class End:
    """Why a life ended, or cannot live. ``reason`` None is an end that is no failure ("machine restarted")."""

    reason: Reason | None
    message: str


@dataclass(frozen=True)
class Observation:
    """What a platform saw of one life, by a direct look and not from a cache alone.

    ``message`` is what it waits for, in the platform's own words. ``end`` says why it ended
    (presence ENDED), or, with presence ALIVE, that it can never come up.
    ``executors`` None: this platform has none to count, or could not see them this time; what is known stays.
    ``blocked`` is what keeps this gateway from the engine's service although the platform answers ("the node's
    kubelet does not answer"): for as long as it says something, the engine's silence says nothing.
    ``waits_for`` is what it is called while it waits for this, when a start takes too long (None: StartTimeout) or a
    silence does (None: Unresponsive).
    """

    presence: Presence
    message: str = ""
    end: End | None = None
    executors: Executors | None = None
    blocked: str = ""
    waits_for: Reason | None = None


@dataclass(frozen=True)
class Health:
    """What the probes of one life have found so far."""

    ready: bool = False  # the Spark Connect service has answered in this life
    silent_since: datetime | None = None  # first miss since the last answer
    message: str = ""  # what the miss was
    is_zombie: bool = False  # the service answers, queries do not
    context_stopped: bool = False  # the SparkContext is stopped, confirmed by a second look


@dataclass(frozen=True)
class Memory:
    """What the monitor remembers of one life; lost in a crash, and safe to lose."""

    since: datetime  # first seen in this state, or the end of the monitor's last gap: graces count from here
    was_started: bool = False  # this monitor called start, and it returned
    health: Health = field(default_factory=Health)
    used_at: datetime | None = None  # last sign of a Connect operation; None: none seen
    is_busy: bool = False  # an operation runs now


@dataclass(frozen=True)
class Timing:
    """Every number that the rules use; all are settings of the gateway."""

    silence_grace_s: float = 60.0
    start_timeout_s: Mapping[str, float] = field(default_factory=lambda: {"local": 120.0, "kubernetes": 600.0})
    idle_timeout_s: float = 3600.0
    max_lifetime_s: Mapping[str, float] = field(default_factory=lambda: {"kubernetes": 43200.0})
    restart_backoff_s: tuple[float, ...] = (10.0, 30.0, 60.0, 120.0, 300.0)
    """Wait before the n-th restart in a row by policy; when all are used up the engine stays Failed."""

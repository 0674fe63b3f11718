"""The input of the monitor's decisions: platform observation, health, memory, timing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from ..engine import Executors, Reason


class Presence(str, Enum):
    """What exists of one life on its platform."""

    UNKNOWN = "unknown"  # the platform is unreachable: conclude nothing
    ABSENT = "absent"  # nothing of it exists
    ALIVE = "alive"  # its driver exists (whether or not it responds)
    ENDED = "ended"  # its driver has ended, and something is left to clean


@dataclass(frozen=True)
class End:
    """Why a life ended, or cannot start. ``reason`` None: an end that is not a failure ("machine restarted").

    ``hint`` is what to do where the platform knows it better than the reason's own hint.
    """

    reason: Reason | None
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Observation:
    """What a platform saw of one life, directly and not only in a cache.

    ``message`` is what it waits for, in the platform's own words. ``end`` says why it ended (presence ENDED), or, with
    presence ALIVE, why it can never start.
    ``executors`` None: the platform does not count executors, or could not see them this time; the known value stays.
    ``blocked`` is what keeps this gateway from the engine's service although the platform responds ("the node's
    kubelet does not respond"): while it is set, a silent engine is not considered unresponsive.
    ``hint`` is what to do if a start takes too long, where the platform knows it better than the reason's own hint.
    ``advice`` is what to do about executors that are rejected: shown while there is nothing else to say.
    ``waits_for`` is the reason of the failure if a start (None: StartTimeout) or a silence (None: Unresponsive) takes
    too long.
    """

    presence: Presence
    message: str = ""
    end: End | None = None
    executors: Executors | None = None
    blocked: str = ""
    waits_for: Reason | None = None
    advice: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Health:
    """The health of one life, as its probes have found it."""

    ready: bool = False  # the Spark Connect service has responded in this life
    silent_since: datetime | None = None  # first miss since the last response
    message: str = ""  # describes the miss
    is_zombie: bool = False  # the service responds, queries do not
    context_stopped: bool = False  # the SparkContext is stopped, confirmed by a second look


@dataclass(frozen=True)
class Memory:
    """What the monitor remembers of one life; a crash may lose it without harm."""

    since: datetime  # first seen in this state, or the end of the monitor's last gap: graces count from here
    was_started: bool = False  # this monitor called start, and it returned
    health: Health = field(default_factory=Health)
    used_at: datetime | None = None  # last activity of a Connect operation; None: none seen
    is_busy: bool = False  # an operation runs now


@dataclass(frozen=True)
class Timing:
    """The times that the rules use; all are settings of the gateway."""

    silence_grace_s: float = 60.0
    start_timeout_s: Mapping[str, float] = field(default_factory=lambda: {"local": 120.0, "kubernetes": 600.0})
    idle_timeout_s: float = 3600.0
    max_lifetime_s: Mapping[str, float] = field(default_factory=lambda: {"kubernetes": 43200.0})
    restart_backoff_s: tuple[float, ...] = (10.0, 30.0, 60.0, 120.0, 300.0)
    """Delay before the n-th successive restart by policy; after the last one the engine stays Failed."""

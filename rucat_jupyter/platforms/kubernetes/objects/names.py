"""Names, labels and annotations of the objects of an engine's life."""

from __future__ import annotations

import re
from typing import Any

from ....core.engine import Engine

MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
ENGINE = "rucat.io/engine"
RUN = "rucat.io/run"
OWN_PREFIX = "rucat.io/"
OWN_KEYS = (MANAGED_BY, INSTANCE, COMPONENT)
"""Prefix and keys of labels and annotations that only Rucat sets."""

RUCAT = "rucat"
DRIVER = "driver"
EXECUTOR = "executor"

NAME = "rucat.io/name"
OWNER = "rucat.io/owner"
STORE = "rucat.io/store"

CONTAINER = "spark"
"""Name of the container that runs Spark, in driver and executor pods alike: what a patch of both can name."""
DEFAULT_SERVICE_ACCOUNT = "rucat-driver"

CONNECT_PORT = 15002
UI_PORT = 4040
DRIVER_PORT = 7078
BLOCK_MANAGER_PORT = 7079


def labels(installation: str, engine_id: str, run: int, component: str = "") -> dict[str, str]:
    """Labels of an object of one life; ``component`` is ``driver`` or ``executor`` for pods, empty for the rest."""
    found = {MANAGED_BY: RUCAT, INSTANCE: installation, ENGINE: engine_id, RUN: str(run)}
    return found | ({COMPONENT: component} if component else {})


def life(metadata: dict[str, Any]) -> tuple[str, int] | None:
    """The engine's id and the run that an object is of; None where its labels do not say."""
    found = metadata.get("labels") or {}
    engine_id, run = found.get(ENGINE), str(found.get(RUN))
    return (engine_id, int(run)) if engine_id and run.isascii() and run.isdigit() else None


def run_of(pod_name: str) -> str:
    """The run name that the name of a driver's or an executor's pod begins with; empty where there is none."""
    found = re.match(r"rucat-[0-9a-f]+-\d+(?![^-])", pod_name)
    return found[0] if found else ""


def selector(installation: str, component: str = "") -> str:
    """A label selector for everything of an installation, or for its drivers or executors."""
    wanted = {MANAGED_BY: RUCAT, INSTANCE: installation} | ({COMPONENT: component} if component else {})
    return ",".join(f"{key}={value}" for key, value in wanted.items())


def secret(run_name: str, number: int) -> str:
    """The name of a life's Secret; those after the first (0) hold confs that it has no room for."""
    return f"{run_name}-{number}" if number else run_name


def marks(engine: Engine, store: str) -> dict[str, str]:
    """What people wrote of an engine, and the store that has its record."""
    return {NAME: engine.name, OWNER: engine.owner, STORE: store}

"""P9: stop an engine on Kubernetes until all objects are gone : delete the same objects by plain calls."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import rucat_jupyter
from rucat_jupyter.platforms.kubernetes.objects.names import CONNECT_PORT

from .harness import Figure, alternate
from .kubernetes import Ground, Poller, Raw, ground, wait_for


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Stop a running driver with two executors; its start is not measured."""
    with ground(folder) as on, Poller(on) as poller:
        plain, numbers = Raw(on, folder), itertools.count()
        at = {"namespace": on.namespace}

        def ours() -> float:
            name = f"p9-{next(numbers)}"
            engine = rucat_jupyter.create(name, profile="k8s-small", image=on.cluster.image, kubernetes=at)
            _wait_until_all_run(on)
            started = time.perf_counter()
            engine.stop()
            on.wait_until_empty()
            wall_s = time.perf_counter() - started
            engine.delete()
            return wall_s

        def raw() -> float:
            name = plain.create()
            poller.until_open(plain.address(name), CONNECT_PORT)
            _wait_until_all_run(on)
            started = time.perf_counter()
            plain.remove(name)
            on.wait_until_empty()
            return time.perf_counter() - started

        series = alternate(ours, raw, 3 if quick else 7)
    return [Figure("P9", "stop until all is gone", "raw delete", *series, compare="ratio", bar=1.15)]


def _wait_until_all_run(on: Ground) -> None:
    """Wait for driver and executors; the driver's port opens shortly before Spark requests executors."""
    wait_for(lambda: [pod.status.phase for pod in on.pods()] == ["Running"] * 3, "the engine's three pods run")

"""P7: create an engine on Kubernetes until it is Running : the same pod by plain calls until its port is open."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import rucat_jupyter
from rucat_jupyter.platforms.kubernetes.objects.names import CONNECT_PORT

from .harness import Figure, alternate
from .kubernetes import Poller, Raw, ground


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Measure from outside the cluster; the end of each is not measured."""
    with ground(folder) as on, Poller(on) as poller:
        plain, numbers = Raw(on, folder), itertools.count()
        at = {"namespace": on.namespace}

        def ours() -> float:
            started = time.perf_counter()
            name = f"p7-{next(numbers)}"
            engine = rucat_jupyter.create(name, profile="k8s-small", image=on.cluster.image, kubernetes=at)
            wall_s = time.perf_counter() - started
            engine.delete()
            on.wait_until_empty()
            return wall_s

        def raw() -> float:
            started = time.perf_counter()
            name = plain.create()
            poller.until_open(plain.address(name), CONNECT_PORT)
            wall_s = time.perf_counter() - started
            plain.remove(name)
            on.wait_until_empty()
            return wall_s

        alternate(ours, raw, 1)  # fills file caches; not measured
        series = alternate(ours, raw, 3 if quick else 7)
    work = ("create to Running on Kubernetes", "raw objects, port polled each 100 ms")
    return [
        Figure("P7", *work, *series, compare="ratio", bar=1.10),
        Figure("P7 later", *work, *series, compare="difference", bar=1.0),
    ]

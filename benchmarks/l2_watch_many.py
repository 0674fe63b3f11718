"""L2: the cost of monitoring idle engines : one watch and a VALUES (1) to each every ten seconds.

kwok simulates the pods, and one stub answers the health calls for all of them. The cost of 5,000 engines is a linear
extrapolation from 200 and 1,000.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from rucat_jupyter.platforms.kubernetes import rights
from rucat_jupyter.platforms.kubernetes.objects import names

from .bare_watch import WATCHES
from .crowd import Crowd, Gateway, cores, crowd, gateway_in_pod, log_of, memory_mb, pod, process_of
from .harness import Figure, Sample
from .kubernetes import client_pod, ground, wait_for

COUNTS = (200, 1000)
WHOLE = 5000
SELECTOR = f"{names.MANAGED_BY}={names.RUCAT}"


@dataclass
class Use:
    """CPU and memory of a process, by the number of engines."""

    cores: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def add(self, process: psutil.Process, seconds: float) -> None:
        """Wait for half the time, then measure."""
        time.sleep(seconds / 2)
        self.cores.append(cores(process, lambda: time.sleep(seconds))[1])
        self.memory_mb.append(memory_mb(process))


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Use one gateway, in the cluster; then the bare loop on the same pods."""
    seconds, counts = (20.0, COUNTS[:1]) if quick else (120.0, COUNTS)
    ours, raw = Use(), Use()
    with ground(folder) as on, crowd(on, folder) as many:
        for count in counts:
            with gateway_in_pod(on, folder) as gateway:
                gateway.create(many.spec(), count)
                gateway.wait_until_all_run(many.on, count)
                ours.add(gateway.process, seconds)
                ends = [_end(many, gateway, engine) for engine in gateway.running(5 if quick else 20)]
            with pod(on, _bare(many)) as name:
                wait_for(lambda: WATCHES in log_of(on, name), "the bare loop watches")
                raw.add(process_of(SELECTOR, "benchmarks.bare_watch"), seconds)
            many.empty()
    whole = [] if quick else [WHOLE]
    figures = [each for count in (*counts, *whole) for each in _figures(count, counts, ours, raw)]
    work = ("a failure reported by REST", "by the API itself")
    return [*figures, Figure(f"L2 {counts[-1]} F9", *work, *zip(*ends, strict=True), compare="late", bar=5.0)]


def _figures(count: int, counts: Sequence[int], ours: Use, raw: Use) -> list[Figure]:
    """Cores and memory; the limits for 5,000 engines apply to each number of engines."""
    guessed = "" if count in counts else ", extrapolated"
    work = (f"{count} engines watched{guessed}", "one watch, VALUES (1) each 10 s")
    figures = []
    for what, bar, unit, of in (("CPU", 0.25, "cores", "cores"), ("memory", 300.0, "MB", "memory_mb")):
        series = [[Sample(_at(count, counts, getattr(use, of)))] for use in (ours, raw)]
        figures.append(Figure(f"L2 {count} {what}", *work, *series, compare="ours", bar=bar, unit=unit))
    return figures


def _at(count: int, counts: Sequence[int], values: Sequence[float]) -> float:
    """Return the measured value, or the linear extrapolation."""
    if count in counts:
        return values[counts.index(count)]
    return values[0] + (values[1] - values[0]) * (count - counts[0]) / (counts[1] - counts[0])


def _bare(many: Crowd) -> dict[str, Any]:
    arguments = ("-m", "benchmarks.bare_watch", many.on.namespace, SELECTOR)
    return client_pod(many.on.cluster, "bare", *arguments, serviceAccountName=rights.RUCAT)


def _end(many: Crowd, gateway: Gateway, engine: dict[str, Any]) -> tuple[Sample, Sample]:
    """Delete the pod of a driver; return the seconds until REST reports it, and until the API server responds."""
    began = time.perf_counter()
    many.on.cluster.core.delete_namespaced_pod(f"rucat-{engine['id']}-1", many.on.namespace, grace_period_seconds=0)
    answered_s = time.perf_counter() - began
    while engine["failure"] is None:
        asked = {"since": engine["revision"], "wait": 20}
        path = f"/rucat/engines/{engine['id']}"
        engine = gateway.http.get(path, params=asked).raise_for_status().json()
    return Sample(time.perf_counter() - began), Sample(answered_s)

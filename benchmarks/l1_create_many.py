"""L1: engines created in parallel until all are Running : one loop that POSTs the same objects until their pods run.

kwok simulates the pods, and one stub answers the health calls for all of them.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

from .crowd import Crowd, cores, crowd, gateway_in_pod, post_all
from .harness import Figure, Sample, alternate
from .kubernetes import ground

RATE = 0.7
COUNTS = (200, 1000)


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Use one gateway, in the cluster."""
    figures: list[Figure] = []
    with ground(folder) as on, crowd(on, folder) as many:
        for count in COUNTS[:1] if quick else COUNTS:
            figures += _figures(many, count, 1 if quick or count > 200 else 3)
    return figures


def _figures(many: Crowd, count: int, pairs: int) -> list[Figure]:
    used: dict[str, list[Sample]] = {"ours": [], "raw": []}

    def ours() -> float:
        with gateway_in_pod(many.on, many.folder) as gateway:
            began, last = time.time(), 0.0

            def work() -> None:
                nonlocal last
                gateway.create(many.spec(), count)
                last = gateway.wait_until_all_run(many.on, count)

            _, used_cores = cores(gateway.process, work)
        used["ours"].append(Sample(used_cores))
        many.empty()
        return last - began

    def raw() -> float:
        plain, before = many.raw(), _own_cpu_s()
        wall_s = post_all(many.on, plain, count)
        used["raw"].append(Sample((_own_cpu_s() - before) / wall_s))
        many.empty()
        return wall_s

    series = alternate(ours, raw, pairs)
    work = (f"{count} engines in parallel until Running", "a loop that POSTs the same")
    return [
        Figure(f"L1 {count}", *work, *series, compare="ratio", bar=round(1 / RATE, 2)),
        Figure(f"L1 {count} time", *work, *series, compare="ours", bar=240.0),
        Figure(f"L1 {count} CPU", *work, used["ours"], used["raw"], compare="ours", bar=1.0, unit="cores"),
    ]


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

"""Runs all checks at once, each by itself: one that fails or hangs is a finding and holds up no other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from .findings import VERSION, Finding, Report, Surroundings, bad, warn

LIMIT_S = 2.5
"""What all checks together may take; what is not known by then is told as such."""


Check = Callable[[Surroundings], Iterable[Finding]]


def checks() -> Sequence[tuple[str, Check]]:
    """Every check with its area, in the order in which they are shown."""
    from . import gateway, jupyter, kubernetes, machine, network, places, python

    return (
        ("python", python.interpreter),
        ("packages", python.packages),
        ("pyspark", python.pyspark),
        ("java", python.java),
        ("data directory", places.data_directory),
        ("temp directory", places.temp_directory),
        ("gateway", gateway.process),
        ("store", gateway.store),
        ("engines", gateway.engines),
        ("kubernetes", kubernetes.clusters),
        ("jupyter", jupyter.extension),
        ("ipykernel", jupyter.ipykernel),
        ("memory", machine.memory),
        ("cores", machine.cores),
        ("limits", machine.limits),
        ("locale", machine.locale),
        ("clock", machine.clock),
        ("proxies", network.proxies),
        ("ports", network.ports),
        ("environment", network.environment),
    )


def examine(
    surroundings: Surroundings, *, which: Sequence[tuple[str, Check]] | None = None, limit_s: float = LIMIT_S
) -> Report:
    """Run the checks, and report what they found; never raises for what a check does."""
    which = checks() if which is None else which
    begun = time.monotonic()
    answers: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    for number, (area, check) in enumerate(which):
        arguments = (answers, number, area, check, surroundings)
        threading.Thread(target=_run, args=arguments, name=f"rucat-check-{area}", daemon=True).start()
    found: dict[int, list[Finding]] = {}
    while len(found) < len(which) and (left_s := begun + limit_s - time.monotonic()) > 0:
        try:
            number, findings = answers.get(timeout=left_s)
        except queue.Empty:
            break
        found[number] = findings
    findings = []
    for number, (area, _) in enumerate(which):
        silence = warn(area, f"no answer within {limit_s:g} s", "run it again when the machine has less to do")
        findings += found.get(number, [silence])
    return Report(findings, time.monotonic() - begun, VERSION)


def _run(
    answers: queue.SimpleQueue[tuple[int, list[Finding]]], number: int, area: str, check: Check, place: Surroundings
) -> None:
    try:
        findings = list(check(place))
    except ModuleNotFoundError as missing:
        fix = f"{place.python} -m pip install {missing.name}"
        findings = [bad(area, f"cannot be looked at: the package {missing.name} is missing", fix)]
    except Exception as error:  # a check-up is for what nobody foresaw: it says so and goes on
        said = f"cannot be looked at: {type(error).__name__}: {error}"
        findings = [warn(area, said, "read the message; please report it if it says nothing to you")]
    answers.put((number, findings))

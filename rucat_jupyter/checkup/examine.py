"""Run all checks in parallel, each in a thread: one that fails or hangs is a finding and delays no other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from .findings import VERSION, Finding, Report, Surroundings, bad, warn

LIMIT_S = 2.5
"""Time limit of all checks together; a check without a result by then is reported as such."""
SLOW = {"kubernetes": 11.0}
"""Checks with another limit: a cluster far away works, too; one that cannot be reached takes 1.8 s."""
SILENCE = "correct what is bad in this report, or run it again when the machine is less busy"

Check = Callable[[Surroundings], Iterable[Finding]]


def checks() -> Sequence[tuple[str, Check]]:
    """All checks with their area, in the order of the report."""
    # here: a package that they need may be missing
    from . import gateway, jupyter, kubernetes, machine, network, places, python  # noqa: PLC0415 - see above

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
    """Run the checks and report their findings; errors of a check become findings."""
    which = checks() if which is None else which
    begun = time.monotonic()
    answers: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    for number, (area, check) in enumerate(which):
        arguments = (answers, number, area, check, surroundings)
        threading.Thread(target=_run, args=arguments, name=f"rucat-check-{area}", daemon=True).start()
    found: dict[int, list[Finding]] = {}
    limits = {number: max(limit_s, SLOW.get(area, 0.0)) for number, (area, _) in enumerate(which)}
    while (missing := limits.keys() - found.keys()) and (
        left_s := begun + max(limits[number] for number in missing) - time.monotonic()
    ) > 0:
        try:
            number, findings = answers.get(timeout=left_s)
        except queue.Empty:
            break
        found[number] = findings
    findings = []
    for number, (area, _) in enumerate(which):
        silence = warn(area, f"no answer within {limits[number]:g} s", SILENCE)
        findings += found.get(number, [silence])
    return Report(findings, time.monotonic() - begun, VERSION)


def _run(
    answers: queue.SimpleQueue[tuple[int, list[Finding]]], number: int, area: str, check: Check, place: Surroundings
) -> None:
    try:
        findings = list(check(place))
    except ModuleNotFoundError as missing:
        fix = f"{place.python} -m pip install {missing.name}"
        findings = [bad(area, f"cannot check: the package {missing.name} is missing", fix)]
    except Exception as error:  # doctor is for unexpected errors: report it and go on
        said = f"cannot check: {type(error).__name__}: {error}"
        findings = [warn(area, said, "read the message; if it does not help, please report it")]
    answers.put((number, findings))

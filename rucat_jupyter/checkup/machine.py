"""Check this machine: memory, cores, limits of processes, locale, clock."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .findings import Finding, Surroundings, bad, ok, warn

FEW_FILES, FEW_PROCESSES = 1024, 512
SKEW_S = 5.0
OLDEST_YEAR = 2025


def memory(place: Surroundings) -> Iterator[Finding]:
    """Report the free memory, and the memory that an engine takes by default."""
    del place
    from ..host import machine  # noqa: PLC0415 - here: psutil may be missing
    from ..host.budget import Budget, needed_mb  # noqa: PLC0415 - it needs psutil, too

    room = machine.memory()
    budget = Budget(room)
    heap = budget.default_mb()
    said = f"{_gb(room.available_mb)} of {_gb(room.total_mb)} are free"
    takes = f"a default engine takes {_gb(needed_mb(heap))} (heap {_gb(heap)})"
    if budget.refusal(heap):
        yield bad(
            "memory",
            f"{said}: no engine fits, {takes}",
            "free memory, or stop engines in a terminal: rucat list, rucat stop NAME",
        )
    elif heap < 1024:
        yield warn("memory", f"{said}: engines are small, {takes}", "rucat stop NAME (in a terminal), or add memory")
    else:
        yield ok("memory", f"{said}; {takes}")


def cores(place: Surroundings) -> Iterator[Finding]:
    """Report the cores, all of which an engine takes by default."""
    del place
    from ..host import machine  # noqa: PLC0415 - here: psutil may be missing

    found = machine.cores()
    yield ok("cores", f"{found} here; a default engine takes {'it' if found == 1 else 'all of them'}")


def limits(place: Surroundings) -> Iterator[Finding]:
    """Check the limits of open files and processes."""
    del place
    import resource  # noqa: PLC0415 - here: Windows has none

    for name, number, least, flag in (
        ("open files", resource.RLIMIT_NOFILE, FEW_FILES, "-n 65536"),
        ("processes", resource.RLIMIT_NPROC, FEW_PROCESSES, "-u 4096"),
    ):
        soft, hard = resource.getrlimit(number)
        if soft in (-1, resource.RLIM_INFINITY) or soft >= least:
            shown = "no limit" if soft in (-1, resource.RLIM_INFINITY) else str(soft)
            yield ok("limits", f"{name}: {shown}")
        else:
            fix = f"ulimit {flag}" if hard in (-1, resource.RLIM_INFINITY) or hard > soft else "ask an administrator"
            yield warn(
                "limits",
                f"{name}: only {soft}; Spark takes hundreds",
                f"{fix}, then rucat serve --replace (in the same terminal)",
            )


def locale(place: Surroundings) -> Iterator[Finding]:
    """Check the locale of engines and of this terminal for UTF-8."""
    from ..host import machine  # noqa: PLC0415 - here: psutil may be missing

    chosen = machine.utf8_locale()
    yield ok("locale", f"engines run under {chosen}")
    here = next((place.env[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if place.env.get(name)), "C")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if encoding.lower().replace("-", "") != "utf8":
        yield warn("locale", f"this terminal's encoding is {encoding} ({here})", f"export LC_ALL={chosen}")


def clock(place: Surroundings) -> Iterator[Finding]:
    """Compare this machine's clock with that of the file system."""
    now = time.time()
    if time.gmtime(now).tm_year < OLDEST_YEAR:
        yield bad("clock", f"the date is {time.strftime('%Y-%m-%d', time.gmtime(now))}", "set the clock")
        return
    folder = place.directory if place.directory.is_dir() else Path(tempfile.gettempdir())
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        skew_s = Path(file.name).stat().st_mtime - now
    if abs(skew_s) > SKEW_S:
        said = f"the clock of {folder} differs from this machine's by {skew_s:+.0f} s"
        yield warn("clock", said, "synchronize the clocks (chrony, ntp)")
    else:
        yield ok("clock", "this machine and its files agree")


def _gb(mb: int) -> str:
    return f"{mb / 1024:.1f} GB"

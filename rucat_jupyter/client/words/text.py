"""What people read: words, lines and failures as plain text, from engines as REST shows them.

Pure functions: times are given. Everything that comes from outside passes :func:`plain`, so that no control
character reaches a terminal.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..api import View

SYMBOLS = {
    "Pending": "◌",
    "Running": "●",
    "Unresponsive": "◐",
    "Stopping": "◌",
    "Stopped": "○",
    "Failed": "✕",
    "Deleting": "◌",
}
OUT_OF_MEMORY = "OutOfMemory"
SIZE = "SIZE"
"""Stands for a memory size in words that say how to change it."""
MEMORY_REASONS = (OUT_OF_MEMORY, "NoMemory")
"""Where a restart, which keeps the stored settings, may not be the remedy."""
REMEDIES = {
    "ImagePull": ("Another image", "image"),
    "Unschedulable": ("Ask for less", "less"),
    "QuotaExceeded": ("Ask for less", "less"),
    "Forbidden": ("What is missing", "doctor"),
}
"""What else helps, by the reason of a failure: in words, and the key of the words that work where the reader is."""
LIVE = ("Running", "Unresponsive")
LONGEST_LINE = 10_000  # of a log line: a page must not freeze on a line of a megabyte
MINUTE, HOUR, DAY = 60, 3600, 86400
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
_MEGABYTES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}


# --- small words ------------------------------------------------------------------------------------------


def plain(text: object, longest: int | None = None) -> str:
    """The text without terminal escapes and control characters, on one line, cut when it is too long."""
    clean = _ESCAPES.sub("", str(text))
    clean = "".join(" " if c in "\t\n\r" else "�" if _is_control(c) else c for c in clean)
    if longest is not None and len(clean) > longest:
        return clean[: longest - 1] + "…"
    return clean


def log_line(text: str) -> str:
    """One line of a log, cut with a note when it is very long."""
    line = plain(text[:LONGEST_LINE].replace("\t", "    "))
    return line if len(text) <= LONGEST_LINE else f"{line}… ({len(text):,} characters)"


def _is_control(char: str) -> bool:
    """C0, C1, and the marks that turn the direction of the text around them."""
    return unicodedata.category(char) == "Cc" or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def duration(seconds: float) -> str:
    """A length of time in its largest unit: ``12 s``, ``11 min``, ``2 h``, ``3 d``."""
    seconds = max(0, int(seconds))
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def when(text: str | None) -> datetime | None:
    """A time of REST (RFC 3339) as an aware datetime."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def clock(text: str | None) -> str:
    """A time of REST as the reader's clock shows it."""
    moment = when(text)
    return moment.astimezone().strftime("%H:%M:%S") if moment else ""


def memory(text: str | None) -> str:
    """Spark's ``4g`` as ``4 GB``, ``2048m`` as ``2 GB``."""
    return _size(megabytes(text)) if text else ""


def _size(amount: float) -> str:
    """Megabytes in the largest unit in which they are a whole number."""
    return f"{amount / 1024:g} GB" if amount >= 1024 and amount % 1024 == 0 else f"{amount:g} MB"


def megabytes(text: str | None) -> float:
    """Spark's ``4g`` in megabytes."""
    return float(text[:-1]) * _MEGABYTES[text[-1].lower()] if text else 0.0


def count(number: int, word: str) -> str:
    """``1 core``, ``2 cores``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def quoted(name: str) -> str:
    """A name as it has to be typed after a verb."""
    return shlex.quote(plain(name))


# --- parts of an engine -----------------------------------------------------------------------------------


def symbol(view: View) -> str:
    """The shape of the status."""
    return SYMBOLS.get(view["status"], "?")


def where(view: View) -> str:
    """Where it runs, as people say it."""
    if view["platform"] == "local":
        return "this machine"
    if view["platform"] == "external":
        url = (view.get("endpoint") or {}).get("url") or view["spec"].get("external", {}).get("url") or "external"
        return plain(url.removeprefix("sc://").split("/")[0])
    namespace = view["spec"].get(view["platform"], {}).get("namespace")
    return plain(f"{view['platform']}/{namespace}" if namespace else view["platform"])


def resources(view: View) -> str:
    """What it has, in full: ``driver 1 core 1 GB, 2 executors × 1 core 1 GB``."""
    number = _number(view["spec"].get("executors") or {})
    executors = f"{number} {'executor' if number == '1' else 'executors'} × {_each(view)}" if number else ""
    return ", ".join(filter(None, [driver(view), executors]))


def driver(view: View) -> str:
    """What its driver has: ``driver 1 core 1 GB``; empty where nobody said."""
    found = view["spec"].get("driver") or {}
    parts = [count(found["cores"], "core") if found.get("cores") else "", memory(found.get("memory"))]
    return " ".join(["driver", *filter(None, parts)]) if any(parts) else ""


def executors(view: View) -> str:
    """How many executors there are of how many: ``executors 2 of 2 × 1 core 1 GB``; empty where none are counted."""
    found = view.get("executors") or {}
    return f"executors {found.get('running', 0)} of {found['wanted']} × {_each(view)}" if found.get("wanted") else ""


def missing_executors(view: View) -> str:
    """How many executors are not there, and why: ``1 pending, 1 failed: …``; empty where all are."""
    found = view.get("executors") or {}
    more = ", ".join(f"{found[key]} {key}" for key in ("pending", "failed") if found.get(key))
    reasons = "; ".join(found.get("reasons") or [])
    return f"{more}: {reasons}" if more and reasons else more or reasons


def _number(executors: Mapping[str, Any]) -> str:
    """How many executors are asked for: ``2``, or ``0-10`` with dynamic allocation."""
    if executors.get("max"):
        return f"{executors.get('min') or 0}-{executors['max']}"
    return str(executors.get("instances") or "")


def _each(view: View) -> str:
    found = view["spec"].get("executors") or {}
    return " ".join(filter(None, [count(found.get("cores") or 1, "core"), memory(found.get("memory"))]))


def short_resources(view: View) -> str:
    """What it has, for a column: ``1+2×1 cores 3 GB``."""
    driver, executors = view["spec"].get("driver") or {}, view["spec"].get("executors") or {}
    number = executors.get("max") or executors.get("instances") or 0
    total = megabytes(driver.get("memory")) + number * megabytes(executors.get("memory"))
    size = _size(total) if total else ""
    if number:
        number = _number(executors)
        return f"{driver.get('cores') or 1}+{number}×{executors.get('cores') or 1} cores {size}".strip()
    return " ".join(filter(None, [count(driver["cores"], "core") if driver.get("cores") else "", size])) or "-"


def age(view: View, now: datetime) -> str:
    """How long it has been what it is."""
    settled = view["status"] in ("Stopped", "Failed")
    since = when(view.get("stopped_at") if settled else view.get("started_at")) or when(view["created_at"])
    return duration((now - since).total_seconds()) if since else "-"


def idle(view: View, now: datetime) -> str:
    """How long nobody has used it; ``-`` where that says nothing."""
    used = when(view.get("last_used_at"))
    return duration((now - used).total_seconds()) if used and view["status"] == "Running" else "-"


def note(view: View) -> str:
    """The one thing worth saying of it."""
    if failure := view.get("failure"):
        return f"{failure['reason']}: {failure['message']}"
    if view.get("message"):
        return str(view["message"])
    counted = view.get("executors") or {}
    is_short = counted.get("running", 0) < counted.get("wanted", 0)
    if is_short and view["status"] in LIVE and (short := missing_executors(view)):
        return f"{executors(view).partition(' × ')[0]}: {short}"
    sessions = len(view.get("sessions") or [])
    return count(sessions, "notebook") if sessions and view["status"] in LIVE else ""


# --- lines ------------------------------------------------------------------------------------------------


def phase_line(view: View, elapsed_s: float | None = None) -> str:
    """One line of a start or an end: what it is, where, what it waits for, and how long already."""
    text = f"{symbol(view)} {plain(view['name'])}  {view['status']} on {where(view)}"
    if view.get("message"):
        text += f" · {plain(view['message'], 200)}"
    return text if elapsed_s is None else f"{text}   {duration(elapsed_s)}"


def running_line(view: View, note: str) -> str:
    """The line of an engine that runs; ``note`` says how it came to be so (``started in 44 s``)."""
    spark = f"Spark {plain(view['spark_version'])}" if view.get("spark_version") else ""
    head = f"{symbol(view)} {plain(view['name'])}  {view['status']} on {where(view)}"
    return " · ".join(filter(None, [head, spark, resources(view), note]))


def short_line(view: View) -> str:
    """Name and status, for the answer of a verb."""
    return f"{symbol(view)} {plain(view['name'])}  {view['status']}"


def failure(view: View, how: Mapping[str, str]) -> str:
    """What, why, what to do: three lines of an engine that failed, or was stopped or deleted by someone.

    ``how`` has the words for ``restart``, ``create``, ``change`` (with :data:`SIZE`), ``logs`` and those of
    :data:`REMEDIES` that work where the reader is.
    """
    name = plain(view["name"])
    if found := view.get("failure"):
        at = f" ({clock(found['at'])})" if found.get("at") else ""
        change = (
            f"   {_other_memory(view, found['reason'], how['change'])}" if found["reason"] in MEMORY_REASONS else ""
        )
        if remedy := REMEDIES.get(found["reason"]):
            change = f"   {remedy[0]}: {how[remedy[1]]}"
        todo = f"{plain(found['hint'])}  Restart: {how['restart']}{change}   Last lines: {how['logs']}"
        return f"✕ {name} failed: {plain(found['reason'])}\n  {plain(found['message'], 500)}{at}\n  {todo}"
    if view["status"] in ("Deleting", "Gone"):
        why = plain(view.get("message") or "It was deleted while this notebook used it.")
        return f"○ {name} was deleted\n  {why}\n  A new one: {how['create']}"
    at = f" at {clock(view['stopped_at'])}" if view.get("stopped_at") else ""
    why = f": {plain(view['message'], 500)}" if view.get("message") else ""
    return f"○ {name} is {view['status']}\n  It was stopped{at}{why}.\n  Start it again: {how['restart']}"


def _other_memory(view: View, reason: str, how: str) -> str:
    """How to give an engine other memory: twice as much where it ran out of what it has."""
    has = megabytes((view["spec"].get("driver") or {}).get("memory"))
    if reason != OUT_OF_MEMORY or not has:
        return f"Other memory: {how}"
    twice = f"{has / 512:g}g" if has % 512 == 0 else f"{2 * has:.0f}m"
    return f"Give it more: {how.replace(SIZE, twice)}"


def utc_now() -> datetime:
    """Now, aware, in UTC: the one clock of this module, for those who show something now."""
    return datetime.now(timezone.utc)

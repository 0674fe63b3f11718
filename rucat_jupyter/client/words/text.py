"""What users read: words, lines and failures as plain text, from engines as REST shows them.

Pure functions: times are arguments. All text from outside goes through :func:`plain`, so that no control character
reaches a terminal.
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
"""Placeholder for a memory size in texts that say how to change it."""
MEMORY_REASONS = (OUT_OF_MEMORY, "NoMemory")
"""Failures that a restart with the stored settings may not fix."""
REMEDIES = {
    "ImagePull": ("Another image", "image"),
    "Unschedulable": ("Request less", "less"),
    "QuotaExceeded": ("Request less", "less"),
    "Forbidden": ("What is missing", "doctor"),
}
"""What else helps, by the reason of a failure: a label, and the key of the command that works here."""
LIVE = ("Running", "Unresponsive")
LONGEST_LINE = 10_000  # characters of a log line: a line of a megabyte must not freeze a page
MOST_SHOWN = 500_000  # characters of one text: a notebook keeps all that its cells show (at most 2 MB with wide ones)
LONGEST_ESCAPE = 200  # characters of a terminal escape that do not count in a cut text
MINUTE, HOUR, DAY = 60, 3600, 86400
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
_MEGABYTES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}


# --- small words ------------------------------------------------------------------------------------------


def plain(text: object, longest: int | None = None) -> str:
    """The text without terminal escapes and control characters, on one line, cut if it is too long.

    It is cut twice: roughly before it is cleaned, so that a text of megabytes costs no more than what is shown.
    """
    whole = str(text)
    head = whole if longest is None else whole[: longest * 4 + LONGEST_ESCAPE]
    clean = _ESCAPES.sub("", head)
    clean = "".join(" " if c in "\t\n\r" else "�" if _is_control(c) else c for c in clean)
    if longest is not None and (len(clean) > longest or len(head) < len(whole)):
        return clean[: longest - 1] + "…"
    return clean


def log_line(text: str) -> str:
    """One line of a log; if it is very long, cut with a note."""
    line = plain(text[:LONGEST_LINE].replace("\t", "    "))
    return line if len(text) <= LONGEST_LINE else f"{line}… ({len(text):,} characters)"


def fitting(text: str, how: str, longest: int = MOST_SHOWN) -> str:
    """The text without its middle if it is too long for a notebook; ``how`` says how to get all of it."""
    if len(text) <= longest:
        return text
    half = longest // 2 - 100  # room for the note
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters are not shown; {how} …\n{text[-half:]}"


def _is_control(char: str) -> bool:
    """C0, C1, and the marks that change the direction of the text around them."""
    return unicodedata.category(char) == "Cc" or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def duration(seconds: float) -> str:
    """A duration in its largest unit: ``12 s``, ``11 min``, ``2 h``, ``3 d``."""
    seconds = max(0, int(seconds))
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def when(text: str | None) -> datetime | None:
    """A time of REST (RFC 3339) as an aware datetime."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def clock(text: str | None) -> str:
    """A time of REST in the reader's time zone."""
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
    """A name, quoted as needed after a verb."""
    return shlex.quote(plain(name))


# --- parts of an engine -----------------------------------------------------------------------------------


def symbol(view: View) -> str:
    """The symbol of the status."""
    return SYMBOLS.get(view["status"], "?")


def where(view: View) -> str:
    """Where it runs, in words."""
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
    """What its driver has: ``driver 1 core 1 GB``; empty if not specified."""
    found = view["spec"].get("driver") or {}
    parts = [count(found["cores"], "core") if found.get("cores") else "", memory(found.get("memory"))]
    return " ".join(["driver", *filter(None, parts)]) if any(parts) else ""


def executors(view: View) -> str:
    """How many executors run: ``executors 2 of 2 × 1 core 1 GB``; empty if they are not counted."""
    found = view.get("executors") or {}
    return f"executors {found.get('running', 0)} of {found['wanted']} × {_each(view)}" if found.get("wanted") else ""


def missing_executors(view: View) -> str:
    """How many executors do not run, and why: ``1 pending, 1 failed: …``; empty if all run."""
    found = view.get("executors") or {}
    more = ", ".join(f"{found[key]} {key}" for key in ("pending", "failed") if found.get(key))
    reasons = "; ".join(found.get("reasons") or [])
    return f"{more}: {reasons}" if more and reasons else more or reasons


def _number(executors: Mapping[str, Any]) -> str:
    """How many executors are requested: ``2``, or ``0-10`` with dynamic allocation."""
    if executors.get("max"):
        return f"{executors.get('min') or 0}-{executors['max']}"
    return str(executors.get("instances") or "")


def _each(view: View) -> str:
    found = view["spec"].get("executors") or {}
    return " ".join(filter(None, [count(found.get("cores") or 1, "core"), memory(found.get("memory"))]))


def short_resources(view: View) -> str:
    """What it has, as a short column: ``1+2×1 cores 3 GB``."""
    driver, executors = view["spec"].get("driver") or {}, view["spec"].get("executors") or {}
    number = executors.get("max") or executors.get("instances") or 0
    total = megabytes(driver.get("memory")) + number * megabytes(executors.get("memory"))
    size = _size(total) if total else ""
    if number:
        number = _number(executors)
        return f"{driver.get('cores') or 1}+{number}×{executors.get('cores') or 1} cores {size}".strip()
    return " ".join(filter(None, [count(driver["cores"], "core") if driver.get("cores") else "", size])) or "-"


def age(view: View, now: datetime) -> str:
    """How long it has run, or has been stopped."""
    settled = view["status"] in ("Stopped", "Failed")
    since = when(view.get("stopped_at") if settled else view.get("started_at")) or when(view["created_at"])
    return duration((now - since).total_seconds()) if since else "-"


def idle(view: View, now: datetime) -> str:
    """For how long it was not used; ``-`` unless it is Running."""
    used = when(view.get("last_used_at"))
    return duration((now - used).total_seconds()) if used and view["status"] == "Running" else "-"


def attached(view: View) -> list[dict[str, Any]]:
    """Its sessions that living processes hold; the others wait for their notebooks."""
    return [session for session in view.get("sessions") or [] if session.get("is_attached", True)]


def note(view: View) -> str:
    """The most important thing to know about it: failure, message, missing executors or its notebooks."""
    if failure := view.get("failure"):
        return f"{failure['reason']}: {failure['message']}"
    if view.get("message"):
        return str(view["message"])
    counted = view.get("executors") or {}
    is_short = counted.get("running", 0) < counted.get("wanted", 0)
    if is_short and view["status"] in LIVE and (short := missing_executors(view)):
        return f"{executors(view).partition(' × ')[0]}: {short}"
    sessions = len(attached(view))
    return count(sessions, "notebook") if sessions and view["status"] in LIVE else ""


# --- lines ------------------------------------------------------------------------------------------------


def phase_line(view: View, elapsed_s: float | None = None) -> str:
    """One line of a start or an end: name, status, where, what it waits for, and the elapsed time."""
    text = f"{symbol(view)} {plain(view['name'])}  {view['status']} on {where(view)}"
    if view.get("message"):
        text += f" · {plain(view['message'], 200)}"
    return text if elapsed_s is None else f"{text}   {duration(elapsed_s)}"


def running_line(view: View, note: str) -> str:
    """The line of an engine that runs; ``note`` says for example ``started in 44 s``."""
    spark = f"Spark {plain(view['spark_version'])}" if view.get("spark_version") else ""
    head = f"{symbol(view)} {plain(view['name'])}  {view['status']} on {where(view)}"
    return " · ".join(filter(None, [head, spark, resources(view), note]))


def short_line(view: View) -> str:
    """Name and status, for the answer of a verb."""
    return f"{symbol(view)} {plain(view['name'])}  {view['status']}"


def failure(view: View, how: Mapping[str, str]) -> str:
    """What, why, what to do: three lines about an engine that failed, or was stopped or deleted.

    ``how`` has the commands that work here: ``restart``, ``create``, ``change`` (with :data:`SIZE`), ``logs`` and those
    of :data:`REMEDIES`.
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
        again = (
            "Attach it again by its address." if view.get("platform") == "external" else f"A new one: {how['create']}"
        )
        return f"○ {name} was deleted\n  {why}\n  {again}"
    at = f" at {clock(view['stopped_at'])}" if view.get("stopped_at") else ""
    why = f": {plain(view['message'], 500)}" if view.get("message") else ""
    return f"○ {name} is {view['status']}\n  It was stopped{at}{why}.\n  Start it again: {how['restart']}"


def _other_memory(view: View, reason: str, how: str) -> str:
    """How to change the memory of an engine: twice as much if it ran out of memory."""
    has = megabytes((view["spec"].get("driver") or {}).get("memory"))
    if reason != OUT_OF_MEMORY or not has:
        return f"Other memory: {how}"
    twice = f"{has / 512:g}g" if has % 512 == 0 else f"{2 * has:.0f}m"
    return f"Give it more: {how.replace(SIZE, twice)}"


def utc_now() -> datetime:
    """The current time, aware, in UTC: the only clock of this module, for callers."""
    return datetime.now(timezone.utc)

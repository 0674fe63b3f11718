"""Tables and the page of one engine, as plain text; pure like :mod:`rucat_jupyter.client.words.text`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..api import View
from . import text

COLUMNS = ("NAME", "STATUS", "WHERE", "SPARK", "RESOURCES", "AGE", "IDLE", "NOTE")
EVENT_COLUMNS = ("WHEN", "RUN", "STATUS", "EVENT", "BY", "WHY")
LONGEST_NOTE = 60
LAST_EVENTS = 5
MOST_EVENTS = 500
MOST_ENGINES = 500
MOST_SESSIONS = 20


def rows(engines: Sequence[View], now: datetime) -> list[tuple[str, ...]]:
    """The cells of the list, one row per engine."""
    return [
        (
            f"{text.symbol(v)} {text.plain(v['name'])}",
            v["status"],
            text.where(v),
            text.plain(v.get("spark_version") or "-"),
            text.short_resources(v),
            text.age(v, now),
            text.idle(v, now),
            text.plain(text.note(v), LONGEST_NOTE),
        )
        for v in engines
    ]


def table(header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, separated by two spaces."""
    lines = [tuple(header), *cells]
    widths = [max(width(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def engines_table(engines: Sequence[View], now: datetime) -> str:
    """The list of engines as text."""
    if not engines:
        return "No engines yet."
    shown = table(COLUMNS, rows(engines[:MOST_ENGINES], now))
    left = len(engines) - MOST_ENGINES
    return f"{shown}\n… and {left:,} more: rucat list in a terminal shows all" if left > 0 else shown


def events_table(events: Sequence[Mapping[str, Any]]) -> str:
    """The history as text: its last events."""
    if not events:
        return "No events."
    shown = table(EVENT_COLUMNS, event_rows(events[-MOST_EVENTS:]))
    left = len(events) - MOST_EVENTS
    return f"… {left:,} earlier events: rucat history in a terminal shows all\n{shown}" if left > 0 else shown


def event_rows(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The cells of the history: when, run, status, what, who, why."""
    return [
        (
            _moment(e.get("at")),
            str(e.get("run", "")),
            text.plain(e.get("status", "")),
            text.plain(e.get("kind", "")),
            text.plain(e.get("actor", "")),
            text.plain(e.get("reason", ""), 200),
        )
        for e in events
    ]


def status_page(view: View, events: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """Everything about one engine on one screen."""
    head = f"{text.phase_line({**view, 'message': ''})} · {text.age(view, now)}"
    facts = [("why", line) for line in _why(view)]
    facts += [
        ("spark", _versions(view)),
        ("resources", text.resources(view)),
        *_executors(view),
        ("address", (view.get("endpoint") or {}).get("url") or ""),
        ("profile", f"{view['profile']}, run {view['run']}, id {view['id']}"),
        ("conf", ", ".join(f"{k}={v}" for k, v in sorted((view["spec"].get("conf") or {}).items()))),
        ("folder", (view["spec"].get("local") or {}).get("directory") or ""),
        ("image", view["spec"].get("image") or ""),
        ("cluster", _cluster(view["spec"].get("kubernetes") or {})),
        ("limits", _limits(view, now)),
        *_sessions(view),
    ]
    lines = [head, *(f"  {key:<10} {text.plain(value, 300)}" for key, value in facts if value)]
    if last := event_rows(events[-LAST_EVENTS:]):
        lines += ["", *("  " + line for line in table(EVENT_COLUMNS, last).splitlines())]
    return "\n".join(lines)


def _why(view: View) -> list[str]:
    if found := view.get("failure"):
        return [f"{found['reason']}: {found['message']}", found["hint"]]
    return [view["message"]] if view.get("message") else []


def _versions(view: View) -> str:
    python = f", Python {view['python_version']}" if view.get("python_version") else ""
    return f"{view['spark_version']}{python}" if view.get("spark_version") else ""


def _executors(view: View) -> list[tuple[str, str]]:
    """How many executors run, are pending and have failed, and a line for each reason."""
    found = view.get("executors") or {}
    reasons = [("", reason) for reason in found.get("reasons", [])]
    if not found.get("wanted"):
        return [("executors", str(reason)) for _, reason in reasons[:1]] + reasons[1:]
    more = [f"{found[k]} {k}" for k in ("pending", "failed") if found.get(k)]
    return [("executors", ", ".join([f"{found.get('running', 0)} of {found['wanted']} running", *more])), *reasons]


def _sessions(view: View) -> list[tuple[str, str]]:
    """The notebooks that are attached."""
    paths = [str(session.get("path", "")) for session in text.attached(view)]
    left = len(paths) - MOST_SESSIONS
    more = [("", f"… and {left:,} more: .sessions of the engine has all")] if left > 0 else []
    return [*(("session", path) for path in paths[:MOST_SESSIONS]), *more]


def _cluster(spec: Mapping[str, Any]) -> str:
    """The context and namespace, and the kubeconfig."""
    keys = (("context", "context"), ("namespace", "namespace"), ("service_account", "service account"))
    parts = [f"{word} {spec[key]}" for key, word in keys if spec.get(key)]
    return ", ".join([*parts, *([f"by {spec['kubeconfig']}"] if spec.get("kubeconfig") else [])])


def _limits(view: View, now: datetime) -> str:
    spec, parts = view["spec"], []
    idle_s, life_s = spec.get("idle_timeout_s"), spec.get("max_lifetime_s")
    if idle_s:
        used = text.when(view.get("last_used_at"))
        left = idle_s - (now - used).total_seconds() if used and view["status"] == "Running" else None
        parts.append(
            f"idle stop after {text.duration(idle_s)}" + (f" (in {text.duration(left)})" if left is not None else "")
        )
    if life_s:
        parts.append(f"ends after {text.duration(life_s)}")
    return ", ".join(parts)


def _moment(moment_text: str | None) -> str:
    moment = text.when(moment_text)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else "-"


def width(shown: str) -> int:
    """How many columns of a terminal the text takes: wide characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)


def cut(shown: str, columns: int) -> str:
    """The text in at most so many columns of a terminal, with ``…`` if something is missing."""
    if width(shown) <= columns:
        return shown
    while shown and width(shown) > columns - 1:
        shown = shown[:-1]
    return f"{shown}…"

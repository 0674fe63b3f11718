"""Texts and buttons of an engine's card, as HTML and actions: pure functions of a view of the REST API."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...client.api import View
from ...client.words import text

ALERTS = ("Failed", "Unresponsive")
MOVING = ("Pending", "Stopping", "Deleting")
READ_FIRST = ("CrashOnStart", "ConfigInvalid")
"""Failures where the user reads the log first: a restart alone fails again."""
LONGEST_WHY = 400
LONGEST_QUERY = 80
LONGEST_LOG_LINE = 1000
LONGEST_PAGE = 200_000
LONGEST_PROBLEM = 2000


@dataclass(frozen=True)
class Action:
    """One button: ``key`` names the action, ``tip`` is the longer label."""

    key: str
    label: str
    tip: str


# --- formatting -------------------------------------------------------------------------------------------


def safe(value: object, longest: int | None = None) -> str:
    """Text from outside, escaped for HTML."""
    return html.escape(text.plain(value, longest))


def span(seconds: float) -> str:
    """A duration in two units: ``2 h 11 min``, ``12 s``."""
    seconds = max(0, int(seconds))
    for size, unit, smaller, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {small}" if rest else "")
    return text.duration(seconds)


def hour(moment: datetime) -> str:
    """A time in local time, without seconds."""
    return moment.astimezone().strftime("%H:%M")


# --- the card ---------------------------------------------------------------------------------------------


def head(view: View, now: datetime) -> str:
    """The first line: symbol, name, status; where, Spark, age."""
    status = view["status"]
    kind = " rucat-alert" if status in ALERTS else ""
    spark = f"Spark {safe(view['spark_version'])}" if view.get("spark_version") else ""
    about = " · ".join(filter(None, [safe(text.where(view)), spark, _age(view, now)]))
    name = safe(view["name"])
    return (
        f'<div class="rucat-head" role="group" aria-label="Engine {name}: {safe(status)}">'
        f'<span class="rucat-name" title="{name}">'
        f'<span class="rucat-shape{kind}" aria-hidden="true">{text.symbol(view)}</span>{name}</span>'
        f'<span class="rucat-status{kind}">{safe(status)}</span>'
        f'<span class="rucat-about">{about}</span></div>'
    )


def body(view: View, now: datetime, elapsed_s: float = 0.0) -> str:
    """The second line: progress and duration, or failure and hint, or resources."""
    status = view["status"]
    if failure := view.get("failure"):
        at = f" ({safe(text.clock(failure['at']))})" if failure.get("at") else ""
        return (
            f'<div class="rucat-why" role="alert"><b>{safe(failure["reason"])}</b>: '
            f"{safe(failure['message'], LONGEST_WHY)}{at}</div><div>{safe(failure['hint'])}</div>"
        )
    if status in MOVING:
        what = safe(view.get("message") or {"Pending": "starting"}.get(status, "ending"), LONGEST_WHY)
        return _line(f'<span role="status">{what}</span>', text.duration(elapsed_s))
    message = f'<div class="rucat-why">{safe(view["message"], LONGEST_WHY)}</div>' if view.get("message") else ""
    counted = text.executors(view)
    sizes = [text.driver(view), counted] if counted else [text.resources(view)]
    resources = " · ".join(filter(None, [*map(safe, sizes), _notebooks(view)]))
    return message + _line(resources, _idle_stop(view, now)) + _missing(view)


def bar(view: View) -> str:
    """The progress bar of an engine that starts or stops; else empty."""
    if view["status"] not in MOVING:
        return ""
    label = f"{safe(view['name'])}: {safe(view['status'])}"
    return f'<div class="rucat-bar" role="progressbar" aria-label="{label}"><i></i></div>'


def away(since: datetime | None) -> str:
    """Message that the gateway does not respond; empty if it does."""
    if since is None:
        return ""
    said = f"The Rucat gateway has not responded since {hour(since)}. This information may be outdated. Retrying…"
    return f'<div class="rucat-alert" role="alert">{said}</div>'


def actions(view: View) -> list[Action]:
    """Buttons of the verbs that the engine accepts; after a failure the remedy comes first."""
    verbs, name, status = view.get("verbs") or [], text.plain(view["name"]), view["status"]
    is_settled = status in ("Stopped", "Failed")
    found = []
    if "stop" in verbs:
        found.append(Action("stop", "Stop", f"Stop {name}; Rucat keeps its record, settings and last log lines"))
    if "restart" in verbs:
        word = "Start" if is_settled else "Restart"
        found.append(Action("restart", word, f"{word} {name} with its stored settings"))
    found.append(Action("status", "Details", f"Show everything about {name}"))
    if view["platform"] != "external":
        found.append(Action("logs", "Logs", f"Show the last log lines of {name}"))
    found.append(Action("history", "History", f"Show the events of {name}"))
    if "delete" in verbs:
        found.append(Action("delete", "Delete…", f"Delete {name}, after a confirmation"))
    return _remedy_first(view, found) if status == "Failed" else found


def more_memory(view: View) -> str | None:
    """Twice the driver memory, if the engine failed with OutOfMemory."""
    memory = ((view.get("spec") or {}).get("driver") or {}).get("memory")
    is_it = (view.get("failure") or {}).get("reason") == "OutOfMemory"
    return f"{int(memory[:-1]) * 2}{memory[-1]}" if is_it and memory else None


def confirmation(view: View) -> str:
    """The question before a delete; it names the engine."""
    what = "This deletes its record, settings and last log lines. Its history stays for 30 days."
    if view["platform"] == "external":
        what = "Rucat only removes it from its list. The Spark server itself keeps running."
    return f'<div role="alert" class="rucat-ask">Delete <b>{safe(view["name"])}</b>? {what}</div>'


def links(view: View, ui_url: str | None) -> str:
    """Links that work without a kernel: the Spark UI, and a button that copies the attach line."""
    if view["status"] not in text.LIVE:
        return ""
    name, line = safe(view["name"]), html.escape(f"%rucat attach {text.quoted(view['name'])}")
    copy = (
        "const l=this.dataset.line,s=t=>{this.textContent=t};"
        "navigator.clipboard?navigator.clipboard.writeText(l).then(()=>s('Copied'),()=>s(l)):s(l)"
    )
    ui = (
        f'<a class="jupyter-button rucat-button" href="{html.escape(ui_url)}" target="_blank" rel="noopener"'
        f' title="Open the Spark UI of {name}">Spark UI</a>'
        if ui_url
        else ""
    )
    return (
        f'<span class="rucat-links" data-lm-suppress-shortcuts="true">{ui}<button class="jupyter-button rucat-button"'
        f' title="Copy {line}" data-line="{line}" onclick="{html.escape(copy)}">Copy connect line</button></span>'
    )


def log(view: View, lines: Sequence[str]) -> str:
    """The last log lines, long ones cut: more are in what ``%rucat logs`` shows."""
    cut = [line if len(line) <= LONGEST_LOG_LINE else f"{line[:LONGEST_LOG_LINE]}…" for line in lines]
    more = f"… longer lines, and more of them: %rucat logs {text.quoted(view['name'])}\n" if cut != list(lines) else ""
    return page(f"Last log lines of {text.plain(view['name'])}", more + "\n".join(cut) or "The log is empty.")


def page(label: str, shown: str) -> str:
    """A text in a fixed-width font."""
    shown = text.fitting(shown, "the same verb in a cell shows more", LONGEST_PAGE)
    return f'<pre class="rucat-log" tabindex="0" role="region" aria-label="{safe(label)}">{html.escape(shown)}</pre>'


def problem(said: str) -> str:
    """Error message of a click."""
    first, *more = (safe(line, LONGEST_PROBLEM) for line in said[: 10 * LONGEST_PROBLEM].splitlines()[:10] or [""])
    return f'<div class="rucat-alert" role="alert">{"<br>".join([first, *more])}</div>'


def note(said: str) -> str:
    """A note about the start; empty without one."""
    return f"<div>{safe(said)}</div>" if said else ""


# --- operations -------------------------------------------------------------------------------------------


def operation(found: Mapping[str, Any], own_key: str, now: datetime) -> str:
    """A running operation: notebook and cell, progress, duration, and its text."""
    path = str(found.get("notebook") or "")
    place = "this notebook" if found.get("session_key") == own_key else safe(path.rsplit("/", 1)[-1], 60)
    cell = f"cell {int(found['cell'])}" if found.get("cell") is not None else ""
    tasks, done = found.get("tasks") or 0, found.get("tasks_done") or 0
    parts = [
        ", ".join(filter(None, [place, cell])) or "someone",
        f"{min(100, 100 * done // tasks)} %" if tasks else "",
        f"{done}/{tasks} tasks" if tasks else "",
        _since(found.get("started_at"), now),
    ]
    what = safe(" ".join(str(found.get("text") or "").split()), LONGEST_QUERY)
    code = f' <span class="rucat-query">{what}</span>' if what else ""
    return f'<div class="rucat-operation">▸ {" · ".join(filter(None, parts))}{code}</div>'


# --- the static twin --------------------------------------------------------------------------------------

TWIN_STYLE = (
    ".jp-OutputArea-child:has(.rucat-live:not(.jupyter-widgets-disconnected))"
    "+.jp-OutputArea-child:has(.rucat-static){display:none}"
    ".jp-OutputArea-child:has(+.jp-OutputArea-child .rucat-static)"
    ":not(:has(.rucat-live:not(.jupyter-widgets-disconnected))){display:none}"
)
"""Hides the twin while the live widget is there, and the widget if it has no kernel."""


def twin(view: View, now: datetime) -> str:
    """The static text of an output, after a kernel restart and in nbconvert."""
    how = how_back(view)
    why = f": {safe((view['failure'])['reason'])}" if view.get("failure") else ""
    line = f"{safe(view['name'])} · {safe(view['status'])}{why} as of {hour(now)}"
    return static(f"{line} · <code>{html.escape(how)}</code>" if how else line)


def moved(view: View, now: datetime) -> str:
    """The text in the former cell of a card."""
    said = f"{safe(view['name'])} · {safe(view['status'])} as of {hour(now)} · its card is in a later cell"
    return static(said)


def brief(view: View, now: datetime, *, is_moved: bool = False) -> dict[str, object]:
    """The twin's engine as data, without secrets: JupyterLab's extension gets the rest from the REST API."""
    found = {"id": view["id"], "name": view["name"], "status": view["status"]}
    return {**found, "as_of": now.isoformat(timespec="seconds"), "is_moved": is_moved}


def static(shown: str) -> str:
    """HTML that is hidden while the widget before it is live."""
    return f'<style>{TWIN_STYLE}</style><div class="rucat-static">{shown}</div>'


def how_back(view: View) -> str:
    """The line that attaches or creates the engine again; empty if it is deleted."""
    status, name = view["status"], text.quoted(view["name"])
    if status in ("Deleting", "Gone"):
        return ""
    return f"%rucat {'attach' if status in (*text.LIVE, 'Pending') else 'create'} {name}"


# --- helpers ----------------------------------------------------------------------------------------------


def _line(left: str, right: str) -> str:
    return f'<div class="rucat-line"><span>{left}</span><span class="rucat-aside">{right}</span></div>'


def _age(view: View, now: datetime) -> str:
    status = view["status"]
    since = text.when(view.get("stopped_at") if status in ("Stopped", "Failed") else view.get("started_at"))
    if since is None or status not in ("Running", "Unresponsive", "Stopped", "Failed"):
        return ""
    seconds = (now - since).total_seconds()
    if seconds < 60:
        return {"Failed": "failed", "Stopped": "stopped"}.get(status, "started") + " just now"
    length = span(seconds)
    return f"up {length}" if status in text.LIVE else f"{'failed' if status == 'Failed' else 'stopped'} {length} ago"


def _missing(view: View) -> str:
    """Why executors are missing."""
    short = text.missing_executors(view)
    return f'<div class="rucat-why" role="status">Executors: {safe(short, LONGEST_WHY)}</div>' if short else ""


def _notebooks(view: View) -> str:
    number = len(text.attached(view))
    return text.count(number, "notebook") if number and view["status"] in text.LIVE else ""


def _idle_stop(view: View, now: datetime) -> str:
    idle_s, used = view["spec"].get("idle_timeout_s"), text.when(view.get("last_used_at") or view.get("started_at"))
    if not idle_s or not used or view["status"] != "Running" or view["platform"] == "external":
        return ""
    left_s = idle_s - (now - used).total_seconds()
    return f"idle stop in {span(left_s if left_s < 60 else left_s // 60 * 60)}" if left_s > 0 else "idle stop now"


def _since(moment: str | None, now: datetime) -> str:
    began = text.when(moment)
    if began is None:
        return ""
    minutes, seconds = divmod(max(0, int((now - began).total_seconds())), 60)
    return f"{minutes}:{seconds:02}"


def _remedy_first(view: View, found: list[Action]) -> list[Action]:
    reason = (view.get("failure") or {}).get("reason")
    name = text.plain(view["name"])
    if (memory := more_memory(view)) and "restart" in (view.get("verbs") or []):
        tip = f"Restart {name} with {text.memory(memory)} of driver memory and save this setting"
        return [Action("more_memory", f"Restart with {text.memory(memory)}", tip), *found]
    if reason in READ_FIRST:
        return sorted(found, key=lambda action: action.key != "logs")
    return sorted(found, key=lambda action: action.key != "restart")

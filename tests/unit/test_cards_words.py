"""Texts and buttons of cards, from views of the REST API."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any

import pytest

from rucat_jupyter.notebook.cards import words as widget_words

NOW = datetime(2026, 11, 23, 14, 2, tzinfo=timezone.utc)
HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[31m\u202e"


def view(**more: Any) -> dict[str, Any]:
    """A running engine."""
    began = (NOW - timedelta(hours=2, minutes=11)).isoformat()
    spec = {"driver": {"cores": 1, "memory": "1g"}, "executors": {"instances": 2, "cores": 1, "memory": "1g"}}
    plain = {
        "id": "abc",
        "name": "etl",
        "platform": "local",
        "status": "Running",
        "run": 1,
        "spec": {**spec, "idle_timeout_s": 3600},
        "message": "",
        "failure": None,
        "verbs": ["stop", "restart", "delete"],
        "spark_version": "4.3.0",
        "created_at": began,
        "started_at": began,
        "stopped_at": None,
        "last_used_at": (NOW - timedelta(minutes=4)).isoformat(),
        "sessions": [{}, {}],
        "endpoint": {"url": "sc://127.0.0.1:1", "ui_url": "rucat/engines/abc/ui/"},
    }
    return {**plain, **more}


FAILED = {
    "status": "Failed",
    "verbs": ["restart", "delete"],
    "stopped_at": NOW.isoformat(),
    "failure": {"reason": "OutOfMemory", "message": "The driver used all.", "hint": "Give it more.", "at": None},
}


def words(html: str) -> str:
    """The text of HTML."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def keys(engine: dict[str, Any]) -> list[str]:
    """The buttons, in order."""
    return [action.key for action in widget_words.actions(engine)]


def test_a_running_engine_shows_its_resources() -> None:
    """Symbol and status, where, version, age; resources, notebooks, and time until the idle stop."""
    assert words(widget_words.head(view(), NOW)) == "● etl Running this machine · Spark 4.3.0 · up 2 h 11 min"
    said = words(widget_words.body(view(), NOW))
    assert said == "driver 1 core 1 GB, 2 executors × 1 core 1 GB · 2 notebooks idle stop in 56 min"
    assert widget_words.bar(view()) == ""


def test_a_running_engine_counts_its_executors_and_says_why_others_are_missing() -> None:
    """``executors 2 of 2 × 1 core 1 GB``; a line below if some are pending or have failed, as text."""
    two = view(executors={"wanted": 2, "running": 2, "pending": 0, "failed": 0, "reasons": []})
    said = words(widget_words.body(two, NOW))
    assert said == "driver 1 core 1 GB · executors 2 of 2 × 1 core 1 GB · 2 notebooks idle stop in 56 min"
    short = view(executors={"wanted": 2, "running": 1, "pending": 1, "failed": 0, "reasons": [HOSTILE]})
    shown = widget_words.body(short, NOW)
    assert "executors 1 of 2 × 1 core 1 GB" in words(shown)
    assert "Executors: 1 pending: &lt;img" in shown


def test_a_starting_engine_shows_progress_and_duration() -> None:
    """The phase with its elapsed time, and an indeterminate bar."""
    starting = view(status="Pending", started_at=None, message="scheduling: 0/3 nodes are available")
    assert words(widget_words.body(starting, NOW, 12.4)) == "scheduling: 0/3 nodes are available 12 s"
    assert 'role="progressbar"' in widget_words.bar(starting)


def test_a_failed_engine_shows_failure_and_hint() -> None:
    """Failure and hint; the first button is the remedy."""
    failed = view(**FAILED)
    assert words(widget_words.body(failed, NOW)) == "OutOfMemory : The driver used all. Give it more."
    first = widget_words.actions(failed)[0]
    assert (first.key, first.label) == ("more_memory", "Restart with 2 GB")


@pytest.mark.parametrize(
    ("reason", "first"), [("Exited", "restart"), ("CrashOnStart", "logs"), ("ConfigInvalid", "logs")]
)
def test_the_remedy_depends_on_the_reason(reason: str, first: str) -> None:
    """If a restart alone fails again, the log comes first."""
    failed = view(**{**FAILED, "failure": {**FAILED["failure"], "reason": reason}})  # type: ignore[dict-item]
    assert keys(failed)[0] == first


def test_only_accepted_verbs_have_buttons() -> None:
    """Buttons follow the verbs of the view; an external engine has no log."""
    assert keys(view()) == ["stop", "restart", "status", "logs", "history", "delete"]
    assert keys(view(status="Pending", verbs=["stop", "delete"])) == ["stop", "status", "logs", "history", "delete"]
    stopped = widget_words.actions(view(status="Stopped", verbs=["restart", "delete"]))
    assert stopped[0].label == "Start"
    assert keys(view(platform="external", verbs=["delete"])) == ["status", "history", "delete"]
    assert keys(view(status="Deleting", verbs=[])) == ["status", "logs", "history"]


def test_a_delete_names_its_target() -> None:
    """And says what is deleted; an external engine is only removed from the list."""
    assert words(widget_words.confirmation(view())) == (
        "Delete etl ? This deletes its record, settings and last log lines. Its history stays for 30 days."
    )
    assert "Rucat only removes it from its list." in widget_words.confirmation(view(platform="external"))


def test_the_twin_is_data_too() -> None:
    """What JupyterLab's extension needs for REST, without the settings, which may contain secrets."""
    found = widget_words.brief(view(spec={"conf": {"a": "secret"}}), NOW, is_moved=True)
    wanted = {"id": "abc", "name": "etl", "status": "Running", "as_of": "2026-11-23T14:02:00+00:00", "is_moved": True}
    assert found == wanted


def test_the_twin_shows_time_and_next_command() -> None:
    """``etl · Running as of 14:02 · %rucat attach etl``; a stopped one is created again, a deleted one not."""
    at = widget_words.hour(NOW)
    assert words(widget_words.twin(view(), NOW)).endswith(f"etl · Running as of {at} · %rucat attach etl")
    assert words(widget_words.twin(view(status="Stopped"), NOW)).endswith("%rucat create etl")
    assert words(widget_words.twin(view(status="Gone"), NOW)).endswith(f"etl · Gone as of {at}")
    assert words(widget_words.twin(view(**FAILED), NOW)).endswith(f"Failed: OutOfMemory as of {at} · %rucat create etl")


def test_an_operation_shows_place_progress_and_text() -> None:
    """Notebook and cell, tasks, elapsed time, its text on one line."""
    found = {
        "session_key": "k",
        "notebook": "/home/me/a.ipynb",
        "cell": 7,
        "started_at": (NOW - timedelta(seconds=74)).isoformat(),
        "tasks": 200,
        "tasks_done": 86,
        "text": "select\n  1",
    }
    assert words(widget_words.operation(found, "k", NOW)) == (
        "▸ this notebook, cell 7 · 43 % · 86/200 tasks · 1:14 select 1"
    )
    assert "a.ipynb, cell 7" in widget_words.operation(found, "other", NOW)
    assert words(widget_words.operation({"cell": None}, "k", NOW)) == "▸ someone"


def test_what_a_card_shows_is_bounded() -> None:
    """Of long log lines the begin, of a long page both ends, of a long error some lines."""
    shown = widget_words.log(view(), ["x" * 9000, "short"])
    assert f"… longer lines, and more of them: %rucat logs etl\n{'x' * 1000}…\nshort</pre>" in shown
    assert "…" not in widget_words.log(view(), ["short"])
    page = widget_words.page("History", "h" * 1_000_000)
    assert "800,200 characters are not shown; the same verb in a cell shows more" in page
    assert len(page) < 210_000
    assert len(widget_words.problem("\n".join(["<" * 1_000_000] * 50))) < 90_000


def test_text_from_outside_is_escaped() -> None:
    """Names, messages, queries, paths, versions and logs show as text, without control characters."""
    evil = view(name=HOSTILE, message=HOSTILE, spark_version=HOSTILE)
    failed = view(**{**FAILED, "failure": dict.fromkeys(("reason", "message", "hint"), HOSTILE) | {"at": None}})
    operation = {"notebook": HOSTILE, "text": HOSTILE, "cell": 1}
    shown = [
        widget_words.head(evil, NOW),
        widget_words.body(evil, NOW),
        widget_words.body(failed, NOW),
        widget_words.bar({**evil, "status": "Pending"}),
        widget_words.links(evil, "/x/"),
        widget_words.log(evil, [HOSTILE]),
        widget_words.problem(HOSTILE),
        widget_words.note(HOSTILE),
        widget_words.confirmation(evil),
        widget_words.operation(operation, "k", NOW),
        widget_words.twin(evil, NOW),
        widget_words.moved(evil, NOW),
    ]
    for html in shown:
        seen = _Tags()
        seen.feed(html)
        assert "img" not in seen.tags, html
        assert not seen.handlers - {"onclick"}, html
    assert all("\x1b" not in html and "\u202e" not in html for html in shown if "rucat-log" not in html)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}


def test_the_copied_line_is_the_one_to_type() -> None:
    """A name with spaces is quoted; there is no link if the engine does not run."""
    assert 'data-line="%rucat attach &#x27;my engine&#x27;"' in widget_words.links(view(name="my engine"), None)
    assert widget_words.links(view(status="Stopped"), "/x/") == ""


def test_a_gateway_that_does_not_respond_is_shown() -> None:
    """With the time; empty while it responds."""
    assert f"has not responded since {widget_words.hour(NOW)}" in widget_words.away(NOW)
    assert widget_words.away(None) == ""

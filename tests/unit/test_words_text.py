"""What people read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from fakes.rest import FAILURE, TIME, make_view

from rucat_jupyter.client.words import tables, text
from rucat_jupyter.core.engine import HINTS, Reason

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
HOW = {
    "change": "%rucat restart etl --driver-memory SIZE",
    "restart": "%rucat restart etl",
    "create": "%rucat create etl",
    "logs": "%rucat logs etl --tail 50",
}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (200_000, "2 d"), (-5, "0 s")],
)
def test_a_duration_has_its_largest_unit(seconds: float, words: str) -> None:
    """Numbers have units."""
    assert text.duration(seconds) == words


def test_a_failure_has_three_parts() -> None:
    """What, why, what to do: three lines."""
    lines = text.failure(make_view(status="Failed", failure=FAILURE), HOW).splitlines()
    assert lines[0] == "✕ etl failed: OutOfMemory"
    assert lines[1].startswith("  The driver used all of its 2 GB.")
    assert "driver.memory" in lines[2]
    assert "%rucat restart etl" in lines[2]
    assert "%rucat logs etl --tail 50" in lines[2]
    assert "Give it more: %rucat restart etl --driver-memory 2g" in lines[2]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("ImagePull", "Another image: %rucat restart etl --image IMAGE"),
        ("QuotaExceeded", "Request less: %rucat restart etl --executors 1"),
        ("Unschedulable", "Request less: %rucat restart etl --executors 1"),
        ("Forbidden", "What is missing: %rucat doctor"),
    ],
)
def test_a_failure_on_kubernetes_names_its_own_remedy(reason: str, words: str) -> None:
    """Where a restart alone fails again, the line that helps stands beside it."""
    how = {
        **HOW,
        "image": "%rucat restart etl --image IMAGE",
        "less": "%rucat restart etl --executors 1",
        "doctor": "%rucat doctor",
    }
    view = make_view(status="Failed", failure={**FAILURE, "reason": reason, "hint": HINTS[Reason(reason)]})
    assert words in text.failure(view, how).splitlines()[2]


def test_a_stop_names_its_reason_and_the_way_back() -> None:
    """A stopped engine is no failure, and says why it stopped."""
    lines = text.failure(make_view(status="Stopped", message="idle for 1 h", stopped_at=TIME), HOW).splitlines()
    assert lines[0] == "○ etl is Stopped"
    assert "idle for 1 h" in lines[1]
    assert lines[2] == "  Start it again: %rucat restart etl"


def test_a_deleted_engine_says_how_to_get_a_new_one() -> None:
    """An engine without a record has three parts too."""
    assert text.failure({"name": "etl", "status": "Gone"}, HOW).splitlines()[2] == "  A new one: %rucat create etl"


def test_the_list_is_a_table_with_aligned_columns() -> None:
    """Every row has the columns of ux.md; wide letters count twice."""
    views = [
        make_view(),
        make_view(name="数据", status="Failed", failure=FAILURE, stopped_at=TIME),
        make_view(
            name="big",
            platform="kubernetes",
            status="Pending",
            spec={
                "driver": {"cores": 1, "memory": "1g"},
                "executors": {"instances": 2, "cores": 1, "memory": "1g"},
                "kubernetes": {"namespace": "team-a"},
            },
        ),
    ]
    lines = tables.engines_table(views, NOW + timedelta(hours=2)).splitlines()
    assert lines[0].split() == list(tables.COLUMNS)
    assert "● etl" in lines[1]
    assert "2 cores 1 GB" in lines[1]
    assert "2 h" in lines[1]
    assert "✕ 数据" in lines[2]
    assert "OutOfMemory: The driver" in lines[2]
    assert "1+2×1 cores 3 GB" in lines[3]
    assert "kubernetes/team-a" in lines[3]
    starts = {
        tables.width(line[: line.index(word)]) for line, word in zip(lines[1:], ("Run", "Fai", "Pen"), strict=True)
    }
    assert len(starts) == 1


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("a\nb\tc", "a b c"),
        ("\x07\x9b\u202e", "���"),
        ("<img src=x>", "<img src=x>"),
        ("é 数 😀", "é 数 😀"),
    ],
)
def test_no_control_character_reaches_a_terminal(dirty: str, clean: str) -> None:
    """What comes from outside is text, whatever it contains."""
    assert text.plain(dirty) == clean


def test_a_very_long_log_line_is_cut_with_a_note() -> None:
    """A megabyte in one line does not freeze a page."""
    line = text.log_line("x" * 1_000_000)
    assert len(line) < 11_000
    assert line.endswith("… (1,000,000 characters)")


def test_status_shows_what_is_known() -> None:
    """One screen: why, resources, sessions, limits, the last events."""
    view = make_view(
        status="Failed",
        failure=FAILURE,
        python_version="3.11",
        sessions=[{"path": "/home/me/a.ipynb"}],
        executors={"wanted": 2, "running": 1, "pending": 1, "failed": 0, "reasons": ["no room"]},
    )
    events = [{"at": TIME, "run": 1, "status": "Failed", "kind": "failure", "actor": "monitor", "reason": "exit 52"}]
    page = tables.status_page(view, events, NOW)
    for part in (
        "✕ etl",
        "OutOfMemory",
        "driver 2 cores 1 GB",
        "executors  1 of 2 running, 1 pending\n             no room",
        "/home/me/a.ipynb",
    ):
        assert part in page
    assert "idle stop after 1 h" in page
    assert "exit 52" in page


def test_executors_are_counted_with_what_keeps_them_away() -> None:
    """Running of wanted with their size; in the list the reasons; with dynamic allocation the range."""
    spec = {"driver": {"cores": 1, "memory": "1g"}, "executors": {"instances": 2, "cores": 1, "memory": "1g"}}
    count = {"wanted": 2, "running": 1, "pending": 1, "failed": 3, "reasons": ["exceeded quota: team-a", "OOMKilled"]}
    view = make_view(spec=spec, executors=count, sessions=[{}])
    assert text.executors(view) == "executors 1 of 2 × 1 core 1 GB"
    assert text.missing_executors(view) == "1 pending, 3 failed: exceeded quota: team-a; OOMKilled"
    assert text.note(view) == f"executors 1 of 2: {text.missing_executors(view)}"
    well = make_view(spec=spec, executors={"wanted": 2, "running": 2, "reasons": []}, sessions=[{}])
    assert text.missing_executors(well) == ""
    assert text.note(well) == "1 notebook"
    again = make_view(spec=spec, executors={"wanted": 2, "running": 2, "failed": 1, "reasons": ["x"]}, sessions=[{}])
    assert text.note(again) == "1 notebook"  # another one has taken its place
    assert text.executors(make_view()) == ""
    many = make_view(spec={**spec, "executors": {"min": 1, "max": 8, "cores": 2, "memory": "4g"}})
    assert text.resources(many) == "driver 1 core 1 GB, 1-8 executors × 2 cores 4 GB"
    assert text.short_resources(many) == "1+1-8×2 cores 33 GB"


def test_status_says_where_in_which_cluster() -> None:
    """Image, context, namespace, service account and the kubeconfig that leads there."""
    place = {"context": "dev", "namespace": "team-a", "service_account": "rucat-driver", "kubeconfig": "/k"}
    view = make_view(platform="kubernetes", spec={"image": "spark:4.3.0", "kubernetes": place})
    page = tables.status_page(view, [], NOW)
    assert "image      spark:4.3.0" in page
    assert "cluster    context dev, namespace team-a, service account rucat-driver, by /k" in page


def test_a_phase_line_says_for_what_it_waits_and_how_long() -> None:
    """Every waiting says for what."""
    view = make_view(status="Pending", message="waiting for the\nport")
    assert text.phase_line(view, 12.4) == "◌ etl  Pending on this machine · waiting for the port   12 s"


def test_a_text_that_is_cut_before_it_is_cleaned_says_so() -> None:
    """Escapes that vanish do not hide that there is more, and none is left in halves."""
    assert text.plain("\x1b[31m" * 100_000 + "end", 10).endswith("…")
    assert text.plain("\x1b[31mred\x1b[0m" * 4, 20) == "redredredred"
    assert text.plain("x" * 10, 10) == "x" * 10
    for start in range(300):
        assert "\x1b" not in text.plain("x" * start + "\x1b]0;title" + "y" * 10_000, 10)

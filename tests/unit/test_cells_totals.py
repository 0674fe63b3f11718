"""The bar of progress: its fraction and its words."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rucat_jupyter.client.cells.totals import Gauge, Picture, Totals, bar, clock, size


@dataclass
class Stage:
    """One stage of a progress message."""

    num_tasks: int
    num_completed_tasks: int
    input_bytes_read: int = 0
    done: bool = False


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=50))
def test_a_bar_never_goes_back_and_is_never_full_before_the_end(reported: list[tuple[int, int]]) -> None:
    """Whatever Spark says, more work found and tasks repeated included."""
    gauge, shown = Gauge(), 0.0
    for done, total in reported:
        now = gauge.update(min(done, total), total)
        assert shown <= now < 1
        shown = now


def test_a_bar_shows_the_share_of_the_tasks() -> None:
    """As long as the work stays the same."""
    gauge = Gauge()
    assert [gauge.update(done, 200) for done in (0, 50, 86, 150)] == [0, 0.25, 0.43, 0.75]


def test_new_work_fills_what_is_left_of_the_bar() -> None:
    """It stays where it is when work is found, and moves with every task that is done after that."""
    gauge = Gauge()
    assert gauge.update(50, 100) == 0.5
    assert gauge.update(50, 250) == 0.5
    assert gauge.update(150, 250) == pytest.approx(0.75)


def test_when_all_that_is_known_is_done_room_is_kept() -> None:
    """A next stage may be found in a moment; the same news again changes nothing."""
    gauge = Gauge()
    assert [gauge.update(100, 100), gauge.update(100, 100)] == [0.5, 0.5]
    assert gauge.update(100, 300) == 0.5
    assert gauge.update(200, 300) == pytest.approx(0.75)


def test_totals_add_the_stages_up() -> None:
    """Of one message, and of several operations."""
    one = Totals.of([Stage(4, 4, 10, done=True), Stage(200, 82, 20)])
    assert one == Totals(2, 1, 204, 86, 30)
    assert one + Totals(1, 1, 1, 1, 1) == Totals(3, 2, 205, 87, 31)


def test_a_running_bar_says_stage_tasks_bytes_and_time() -> None:
    """In one line."""
    totals = Totals(5, 2, 200, 86, int(1.2 * 1024**3))
    line = Picture(totals, 0.43, 1, 14).line
    assert line == "▕███▌    ▏ 43 %   stage 3 of 5 · 86/200 tasks · 1.2 GB read · 0:14"
    assert Picture(Totals(), 0, 1, 1).line == "▕        ▏   running · 0:01"
    assert Picture(totals, 0.43, 3, 14).words.startswith("3 queries · stage 3 of 5")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("done", "done in 0:31 · 5 stages · 1,200 tasks · 2.8 GB"),
        ("failed", "failed after 0:31 · 5 stages · 1,200 tasks · 2.8 GB"),
        ("cancelled", "cancelled after 0:31 · 5 stages · 1,200 tasks · 2.8 GB"),
    ],
)
def test_the_last_line_says_how_it_ended(outcome: str, words: str) -> None:
    """And what was done; nothing that was not."""
    assert Picture(Totals(5, 5, 1200, 1200, int(2.8 * 1024**3)), 1, 1, 31.9, outcome).line == words
    assert Picture(Totals(), 0, 1, 2, "done").line == "done in 0:02"
    assert Picture(Totals(1, 1, 1, 1), 0, 1, 2, "done").line == "done in 0:02 · 1 stage · 1 task"
    assert Picture(Totals(2, 0, 8, 3), 0, 1, 2, "done").line == "done in 0:02 · 2 stages · 8 tasks"
    assert Picture(Totals(2, 0, 8, 3), 0, 1, 2, "failed").line == "failed after 0:02 · 3 tasks"


def test_the_bar_in_html_has_a_role_and_a_value() -> None:
    """For those who do not see it; without tasks it has no value."""
    shown = Picture(Totals(5, 2, 200, 86), 0.43, 1, 14).html
    assert 'role="progressbar"' in shown
    assert 'aria-valuenow="43"' in shown
    assert "aria-valuenow" not in Picture(Totals(), 0, 1, 14).html
    assert "progressbar" not in Picture(Totals(), 0, 1, 14, "done").html


@pytest.mark.parametrize(
    ("fraction", "drawn"), [(-1, "▕        ▏"), (0.5, "▕████    ▏"), (0.99, "▕███████▉▏"), (2, "▕████████▏")]
)
def test_a_bar_is_eight_characters(fraction: float, drawn: str) -> None:
    """Of which the last may be a part."""
    assert bar(fraction) == drawn


def test_times_and_sizes_have_units() -> None:
    """As people read them."""
    assert [clock(s) for s in (0.9, 14, 725, 3725)] == ["0:00", "0:14", "12:05", "1:02:05"]
    assert [size(n) for n in (0, 512, 1536, 86 * 1024**2, 1024**3 - 1)] == ["0 B", "512 B", "1.5 KB", "86 MB", "1.0 GB"]

"""A DataFrame as the last value of a cell in JupyterLab: its columns, and its rows by a click."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.lab import LabNotebook
from support.place import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.all]

SLEEP = "java_method('java.lang.Thread', 'sleep', 1000L + id * 0)"
CELLS = [
    "%load_ext rucat_jupyter\n%rucat create etl",
    "spark.range(3).selectExpr('id', \"'<b>' as html\")",
    f'spark.range(0, 120, 1, 120).selectExpr("{SLEEP} as slept")',
    "spark.range(2).selectExpr(*(f'id as column_{number}' for number in range(500)))",
]


def test_rows_come_by_a_click_and_can_be_cancelled(lab: Callable[..., LabNotebook]) -> None:
    """Below the columns, while the kernel is free; the second query is cancelled at its bar."""
    book = lab("frames", CELLS)
    for index in range(4):
        book.run(index)
    shown = book.output(1)
    assert shown.locator("td").all_inner_texts() == ["id", "bigint", "html", "string"]
    shown.get_by_role("button", name="Show rows").click()
    wait_until(
        "the rows", lambda: shown.locator("td").all_inner_texts()[4:] == ["0", "<b>", "1", "<b>", "2", "<b>"], 30
    )
    assert "3 rows" in shown.inner_text()
    for dark in (False, True):
        book.theme(dark=dark)
        assert book.axe(".jp-OutputArea-output") == []

    slow = book.output(2)
    slow.get_by_role("button", name="Show rows").click()
    slow.get_by_role("button", name="Cancel").click(timeout=30_000)
    wait_until("the end", lambda: "Cancelled on etl after" in slow.inner_text(), 10)
    assert slow.get_by_role("button", name="Show rows").is_enabled()
    assert book.errors == []


def test_a_wide_frame_stays_in_its_cell(lab: Callable[..., LabNotebook], tmp_path: Path) -> None:
    """Of 500 columns, in both themes: the page does not scroll sideways, and a line says what is not shown."""
    book = lab("wide", [CELLS[0], CELLS[3]])
    book.run(0, timeout_s=120)
    book.run(1)
    shown = book.output(1)
    assert "first 100 of 500 columns" in shown.inner_text()
    shown.get_by_role("button", name="Show rows").click()
    wait_until("the rows", lambda: "2 rows" in shown.inner_text(), 30)
    for dark in (False, True):
        book.theme(dark=dark)
        assert book.axe(".jp-OutputArea-output") == []
        book.page.screenshot(path=str(tmp_path / f"{'dark' if dark else 'light'}.png"))
    assert book.page.evaluate("() => document.scrollingElement.scrollWidth <= window.innerWidth")
    assert book.errors == []

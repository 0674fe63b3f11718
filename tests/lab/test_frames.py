"""A DataFrame as the last value of a cell in JupyterLab: its columns, and its rows by a click."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.lab import LabNotebook
from support.place import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.all]

SLEEP = "java_method('java.lang.Thread', 'sleep', 1000L + id * 0)"
CELLS = [
    "%load_ext rucat_jupyter\n%rucat create etl",
    "spark.range(3).selectExpr('id', \"'<b>' as html\")",
    f'spark.range(0, 120, 1, 120).selectExpr("{SLEEP} as slept")',
]


def test_rows_come_by_a_click_and_can_be_cancelled(lab: Callable[..., LabNotebook]) -> None:
    """Below the columns, while the kernel is free; the second query is cancelled at its bar."""
    book = lab("frames", CELLS)
    for index in range(3):
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

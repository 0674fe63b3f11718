"""The card of an engine in JupyterLab: what it shows, and that its buttons work while a cell runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.lab import LabNotebook
from support.place import JupyterServer

pytestmark = [pytest.mark.lab, pytest.mark.engine]

CREATE = "%load_ext rucat_jupyter\n%rucat create etl"


def test_stop_works_while_a_cell_runs(lab: Callable[..., LabNotebook], server: JupyterServer) -> None:
    """Within a second, while Python sleeps; nothing is printed, and Start brings it back in the same card."""
    book = lab("sleeping", [CREATE, "import time; time.sleep(60)", "1 + 1"])
    book.run(0)
    book.wait_for_text(book.card(), "Running", 10)
    book.start(1)
    time.sleep(0.5)
    begun = time.monotonic()
    book.card().get_by_role("button", name="Stop", exact=True).click()
    book.wait_for_text(book.card(), "Stopp", 1)
    print("shown after", time.monotonic() - begun)
    assert server.engine("etl")["target"] == "Stopped"
    book.wait_for_text(book.card(), "Stopped", 40)
    book.card().get_by_role("button", name="Start", exact=True).click()
    book.wait_for_text(book.card(), "Pending", 1)
    book.wait_for_text(book.card(), "Running", 60)
    assert book.output(1).inner_text().strip() == ""
    assert not book.errors
    book.page.screenshot(path="/work/tmp/widget/a.png")

"""How cards, table and form look: both themes, wide and narrow, nothing cut, nothing that axe finds serious."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.lab import LabNotebook
from support.place import JupyterServer, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.engine]

LONG = "a-very-long-name-" + "W" * 46
CELLS = [
    "%load_ext rucat_jupyter\n%rucat create too-big --driver-memory 400g --no-wait",
    "%rucat list",
    "%rucat create --form",
    f"%rucat status {LONG}",
]
PARTS = (".rucat-card", ".rucat-table", ".rucat-form")


@pytest.fixture
def book(lab: Callable[..., LabNotebook], server: JupyterServer) -> LabNotebook:
    """A notebook with a failed engine, one that never answers, the table and the form."""
    names = {view["name"] for view in server.http.get("rucat/engines").json()["engines"]}
    if LONG not in names:
        server.create(name=LONG, platform="external", external={"url": "sc://127.0.0.1:1"})
    found = lab("looks", CELLS)
    for index in range(len(CELLS)):
        found.run(index)
    found.wait_for_text(found.card(0), "NoMemory", 20)
    found.wait_for_text(found.output(1), LONG, 10)
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_cut_or_hard_to_read(book: LabNotebook, tmp_path: Path, dark: bool) -> None:
    """At 1280 and at 600 pixels."""
    book.theme(dark=dark)
    for width in (1280, 600):
        book.page.set_viewport_size({"width": width, "height": 2000})
        for part in PARTS:
            assert book.page.locator(part).count() > 0
            wait_until(f"{part} laid out", lambda: not book.cut(part), 5)  # noqa: B023  # within the round
            assert book.axe(part) == []
        book.page.screenshot(path=str(tmp_path / f"{width}.png"))
    assert book.errors == []


def test_the_form_shows_errors_at_their_fields_and_creates(book: LabNotebook, server: JupyterServer) -> None:
    """First an invalid number, then an error of the server; at the end the card of the new engine is below."""
    form = book.output(2)
    form.get_by_label("Executors", exact=True).fill("many")
    form.get_by_label("Driver memory", exact=True).fill("much")
    create = form.get_by_role("button", name="Create", exact=True)
    create.click()
    book.wait_for_text(form, "'many' is not a whole number", 5)
    form.get_by_label("Executors", exact=True).fill("")
    create.click()
    book.wait_for_text(form, "must be a size", 5)
    form.get_by_role("button", name="More settings").click()
    form.get_by_label("Driver memory", exact=True).fill("401g")
    form.get_by_label("Conf", exact=True).fill("spark.sql.shuffle.partitions=7")
    form.get_by_label("Name", exact=True).fill("by-form")
    create.click()
    book.wait_for_text(form, "NoMemory", 20)
    made = server.engine("by-form")
    assert made["spec"]["driver"]["memory"] == "401g"
    assert made["spec"]["conf"] == {"spark.sql.shuffle.partitions": "7"}
    create.click()
    book.wait_for_text(form, "you have an engine with that name", 5)
    assert server.http.delete("rucat/engines/by-form").status_code == 202
    book.wait_for_text(form, "Gone", 20)
    assert book.errors == []


@pytest.mark.all
def test_the_table_follows_and_manages(book: LabNotebook, server: JupyterServer) -> None:
    """New engines appear automatically; the card of the selected one is below."""
    table = book.output(1)
    server.create(name="other", platform="external", external={"url": "sc://127.0.0.1:2"})
    book.wait_for_text(table, "other", 5)
    table.get_by_label("Manage").select_option("other")
    card = table.locator(".rucat-card")
    book.wait_for_text(card, "other", 5)
    card.get_by_role("button", name="Delete…").click()
    card.get_by_role("button", name="Delete other", exact=True).click()
    book.wait_for_no_text(table.locator("table"), "other", 10)
    assert book.errors == []

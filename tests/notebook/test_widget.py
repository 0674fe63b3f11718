"""The card's traffic with a front end, without a browser: what is shown where, and clicks while a cell runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.notebook import Kernel, kernel
from support.place import Place, wait_until

from .conftest import ENGINE, wait_for_status

pytestmark = pytest.mark.engine

BUTTON = "from rucat_jupyter.notebook.cards import card as w; print(w.cards()[0]._buttons[{!r}].comm.comm_id)"
HAS_WIDGETS = "import sys; print('ipywidgets' in sys.modules)"


def test_a_click_works_while_a_cell_runs(
    engine: str, notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """On a subshell, as JupyterLab sends it; nothing is printed into the running cell."""
    mine = notebook("clicked")
    mine.run(f"%rucat create {ENGINE}")
    comm = mine.run(BUTTON.format("stop")).stdout.strip()
    running = mine.run_aside("import time; time.sleep(30)")
    begun = time.monotonic()
    mine.click(comm)
    wait_until("stopping", lambda: rest("GET", f"engines/{ENGINE}")["target"] == "Stopped", 5)
    assert time.monotonic() - begun < 1
    wait_for_status(rest, ENGINE, "Stopped")
    mine.interrupt()
    cell = running()
    assert "KeyboardInterrupt" in cell.error
    assert cell.stdout + cell.stderr == ""


def test_other_front_ends_see_text(place: Place, engine: str) -> None:
    """In batch runs, in a terminal's kernel, and if widgets are switched off: no widget is loaded."""
    kinds: list[dict[str, Any]] = [{"allow_stdin": False}, {}]
    for options in kinds:
        with kernel(place.env, place.root, None, **options) as bare:
            bare.run("%load_ext rucat_jupyter")
            assert f"● {ENGINE}  Running" in bare.run(f"%rucat create {ENGINE}").text
            assert f"● {ENGINE}" in bare.run("%rucat list").text
            assert f"● {ENGINE}" in bare.run("import rucat_jupyter as r; r.engines()").text
            assert "A form needs JupyterLab" in bare.run("%rucat create --form").text
            assert bare.run(HAS_WIDGETS).stdout == "False\n"
    with kernel({**place.env, "RUCAT_WIDGETS": "off"}, place.root, place.root / "off.ipynb") as off:
        off.run(f"%load_ext rucat_jupyter\n%rucat status {ENGINE}")
        assert off.run(HAS_WIDGETS).stdout == "False\n"


def test_a_card_is_a_widget_with_its_text_beside_it(engine: str, notebook: Callable[..., Kernel]) -> None:
    """Two outputs; the second create takes the widget away from the first cell, and its text says so."""
    mine = notebook("outputs")
    first = mine.run(f"%rucat create {ENGINE}")
    live, twin, *_ = first.bundles
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert live["text/plain"] == live["text/html"] == ""
    assert f"● {ENGINE}  Running on this machine" in first.text
    assert f"%rucat attach {ENGINE}" in twin["text/html"]
    data = twin["application/vnd.rucat.engine+json"]  # JupyterLab's extension reads the rest from REST
    assert (data["name"], data["status"], data["is_moved"]) == (ENGINE, "Running", False)
    assert data.keys() == {"id", "name", "status", "as_of", "is_moved"}
    second = mine.run(f"%rucat create {ENGINE}")
    moved = [b for b in second.bundles if b.get("application/vnd.jupyter.widget-view+json", {}).get("model_id") == ""]
    assert len(moved) == 1
    assert any("its card is in a later cell" in bundle["text/html"] for bundle in second.bundles)
    assert any(bundle.get("application/vnd.rucat.engine+json", {}).get("is_moved") for bundle in second.bundles)
    same = mine.run("import rucat_jupyter as r; e = r.get('shared'); sorted(e._repr_mimebundle_())").text
    assert "widget-view" in same


def test_the_end_of_a_kernel_waits_for_no_card(engine: str, place: Place) -> None:
    """Its threads are daemons."""
    with kernel(place.env, place.root, place.root / "ending.ipynb") as mine:
        mine.run(f"%load_ext rucat_jupyter\n%rucat create {ENGINE}\n%rucat list")
        begun = time.time()
        assert mine.end() - begun < 4

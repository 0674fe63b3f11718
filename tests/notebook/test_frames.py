"""DataFrames in a real kernel: shown as columns, completed, and never the reason that a kernel is held."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from support.notebook import Kernel
from support.place import Place, wait_until

from rucat_jupyter.client.cells.bars import WIDGET_VIEW

from .conftest import ENGINE

pytestmark = pytest.mark.engine

BUSY_S = 1.0  # what a busy machine adds; without a deadline each of them takes a minute
LOOKS = [
    "dir(df)",
    "repr(df)",
    "%whos",
    "hasattr(df, '__wrapped__')",
    "df",
    "display(df)",
    "df?",
    "help(df)",
    "str(df)",
    "f'{df}'",
    "groups",
]
VIEWS = [  # as VS Code's and JupyterLab's extensions look at variables
    "df.columns",
    "len(df.columns)",
    "df.dtypes",
    "df.schema",
    "df.isStreaming",
    "[getattr(df, name) for name in dir(df)]",
    "[v.columns for v in list(globals().values()) if type(v).__name__ == 'DataFrame']",
]
TABS = ["df.", "df.se", 'df["', 'df.select("', "df.select(df.", "spark.", "spark.ca"]


@pytest.fixture
def mine(engine: str, notebook: Callable[..., Kernel]) -> Kernel:
    """A notebook that is attached, with a frame."""
    found = notebook("frames")
    found.run(f"%rucat attach {ENGINE}\n%colors nocolor")
    found.run("df = spark.range(30).selectExpr('id', 'id * 2 as `double id`', 'named_struct(\\'a\\', id) as s')")
    return found


def html(kernel: Kernel, code: str) -> str:
    """The last table that a cell shows."""
    return str([b["text/html"] for b in kernel.run(code).bundles if "<table>" in b.get("text/html", "")][-1])


def test_a_frame_is_shown_as_its_columns_without_a_job(mine: Kernel) -> None:
    """As a last value and by display; with eager evaluation as rows."""
    for code in ("df", "display(df)"):
        shown = html(mine, code)
        cells = re.findall(r"<td>(.+?)</td>", shown)
        assert cells == ["id", "bigint", "double id", "bigint", "s", "struct&lt;a:bigint&gt;"]
    begun = time.monotonic()
    mine.run("for _ in range(10): display(df)")
    assert time.monotonic() - begun < 10 * 0.05 + BUSY_S
    assert mine.run("df").bundles[-1]["text/plain"] == "DataFrame[id: bigint, double id: bigint, s: struct<a:bigint>]"
    mine.run("spark.conf.set('spark.sql.repl.eagerEval.enabled', 'true')")
    assert html(mine, "df").count("<tr>") == 1 + 20
    assert "first 20 rows of more; .limit(200).toPandas() has more" in html(mine, "df")
    mine.run("spark.conf.unset('spark.sql.repl.eagerEval.enabled')")


def test_columns_are_completed_in_strings(mine: Kernel) -> None:
    """Of the frame before the bracket or the call, without magics."""
    assert mine.complete('df["')["matches"] == ["id", "double id", "s"]
    assert mine.complete('df.select("id", "d')["matches"] == ["double id"]
    assert "select" in mine.complete("df.sel")["matches"]
    whos = mine.run("%whos").stdout
    assert re.search(r"^df +DataFrame +Shape: 3 columns, rows not counted$", whos, re.MULTILINE), whos
    assert mine.run("print(df.count())").stdout == "30\n"


def test_old_frames_do_not_live_as_long_as_their_buttons(mine: Kernel) -> None:
    """The last ones, and those of variables, are shown by a click; an older one says what to do."""
    shown = mine.run(
        "import gc, weakref\nrefs, keep = [], None\n"
        "for n in range(30):\n"
        "    f = spark.range(n, n + 1); refs.append(weakref.ref(f)); keep = keep or f; display(f)\n"
        "del f; gc.collect(); print(sum(r() is not None for r in refs))"
    )
    assert shown.stdout == "21\n"
    buttons = [b[WIDGET_VIEW]["model_id"] for b in shown.bundles if WIDGET_VIEW in b]
    assert len(buttons) == 30
    for number, expected in ((0, " 0\n1 row"), (1, "run this cell again, then click"), (29, "29\n1 row")):
        mine.click(buttons[number])
        mine.wait_for_shown(expected)


def test_a_frozen_engine_holds_no_kernel(place: Place, engine: str, mine: Kernel) -> None:
    """A look-up of a fresh frame ends in time, whatever looks; when it thaws all is as before."""
    mine.run("fresh = {n: df.limit(n) for n in range(40)}; frames = iter(fresh.values())")
    mine.run("groups = df.limit(99).groupBy('id')")
    mine.complete("df.")  # the first Tab of a kernel loads jedi
    driver = place.engine_process(engine)
    driver.suspend()
    try:
        for tab in TABS:
            mine.run("df = next(frames)")
            assert mine.timed_complete(tab) < 1 + BUSY_S, tab
        for look in LOOKS:
            mine.run("df = next(frames)")
            cell = mine.run(look, may_fail=True)
            assert not cell.error, (look, cell.error)
            assert cell.seconds < 4 + BUSY_S, look
        for view in VIEWS:
            mine.run("df = next(frames)")
            assert mine.run(view, may_fail=True, store_history=False).seconds < 4 + BUSY_S, view
        mine.run("df = next(frames)")
        assert mine.run("df.is*?", may_fail=True).error == f"{ENGINE} does not answer now"
        mine.run("globals().update({f'df{n}': frame for n, frame in fresh.items()})")
        assert mine.run("%whos").seconds < 4 + BUSY_S
        mine.run("df = next(frames)")
        assert mine.run("df").bundles[-1]["text/plain"] == f"DataFrame[{ENGINE} does not answer now]"
        begun = time.monotonic()
        mine.inspect("df")
        assert time.monotonic() - begun < 1 + BUSY_S
        mine.run("df = next(frames)")
        begun = time.monotonic()
        assert mine.variables()["df"] == f"DataFrame[{ENGINE} does not answer now]"
        assert time.monotonic() - begun < 4 + BUSY_S
        assert mine.run("print(1)").seconds < 1 + BUSY_S
    finally:
        driver.resume()
    assert mine.run("print(df.count())").stdout.strip().isdigit()
    wait_until("a column", lambda: "id" in mine.complete("df.i")["matches"], 30)  # a busy machine may need more Tabs
    assert mine.run("print(df.limit(1).columns)", store_history=False).stdout.startswith("['id', ")
    mine.run("df = df.limit(2)")
    shown = "DataFrame[id: bigint, double id: bigint, s: struct<a:bigint>]"
    wait_until("the columns in the variable view", lambda: mine.variables()["df"] == shown, 30)


@pytest.mark.all
def test_frames_of_an_engine_that_was_stopped_can_be_looked_at(mine: Kernel) -> None:
    """They say so in one line, and the rest of %whos is shown."""
    mine.run("groups = df.groupBy('id'); zero = 0")
    mine.run(f"%rucat stop {ENGINE}")
    for look in ("repr(df)", "df", "groups", "dir(df)", "hasattr(df, '__len__')", "%whos"):
        cell = mine.run(look)
        assert "Traceback" not in cell.stdout + cell.stderr, look
    assert "zero" in cell.stdout
    assert "select" in mine.complete("df.sel")["matches"]

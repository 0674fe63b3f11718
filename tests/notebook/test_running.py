"""What happens while a cell runs on a real engine: its tag, its bar, and what Ctrl-C does there."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from support.notebook import Cell, Kernel, kernel
from support.place import Place, wait_until

from .conftest import ENGINE

pytestmark = pytest.mark.engine

INTERRUPT_AFTER_S = 4.0
SLEEP = "java_method('java.lang.Thread', 'sleep', {}L + id * 0)"
LONG = f'spark.range(0, 40, 1, 40).selectExpr("{SLEEP.format(3000)} as x")'  # 40 tasks of 3 s on two cores: 60 s
MOVING = (
    f'spark.range(0, 16, 1, 16).selectExpr("{SLEEP.format(600)} as x")'
    f'.groupBy("x").count().selectExpr("count as id").selectExpr("{SLEEP.format(600)} as y")'
)
"""Two stages, and the second takes its time too: Spark hears of stages beside the query, of a quick one too late."""
UDF = """
from pyspark.sql.functions import udf
@udf("int")
def slowly(x):
    import time
    time.sleep(60)
    return 1
spark.range(4).select(slowly("id")).collect()
"""
THREAD = f"import threading\nthread = threading.Thread(target=lambda: {LONG}.collect())\nthread.start()\nthread.join()"
POOL = f"""
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda number: {LONG}.collect(), range(6)))
"""
ITERATOR = f"import time\nfor row in {LONG}.toLocalIterator():\n    time.sleep(30)"
PARK = "java_method('java.util.concurrent.locks.LockSupport', 'parkNanos', {}L)"
DEAF = f"""spark.sql('''
    select {SLEEP.format(3000)} as x, waited, heard, went_on from range(0, 40, 1, 40), (
        select {PARK.format(20_000_000_000)} as waited, java_method('java.lang.Thread', 'interrupted') as heard,
               {PARK.format(300_000_000)} as went_on from values (1))
''').collect()"""
"""Its planning waits (constants are computed then), takes an interrupt as said and done, and goes on to its job."""
LINE = re.compile(r"Cancelled on shared after [345] s\.")


@pytest.fixture
def mine(engine: str, place: Place, notebook: Callable[..., Kernel]) -> Kernel:
    """A notebook attached to the engine, whose bars are shown without widgets."""
    found = notebook("running")
    found.run("import os; os.environ['RUCAT_WIDGETS'] = 'off'")
    found.run(f"%rucat attach {ENGINE}")
    # the count is for the tests by the clock: an engine's first one takes seconds
    found.run("spark.range(3).createOrReplaceTempView('kept'); spark.range(3).count()")
    return found


def interrupted(mine: Kernel, code: str, after_s: float = INTERRUPT_AFTER_S) -> tuple[Cell, float]:
    """Run a cell and interrupt it; returns the cell and the seconds from the interrupt to its end."""
    at: list[float] = []
    timer = threading.Timer(after_s, lambda: (at.append(time.monotonic()), mine.interrupt()))
    timer.start()
    cell = mine.run(code, may_fail=True)
    timer.join()
    return cell, time.monotonic() - at[0]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(f"{LONG}.collect()", id="query"),
        pytest.param(f"{LONG}.write.mode('overwrite').parquet('out')", id="write"),
        pytest.param(f"spark.sql('''create table made using parquet as select {SLEEP.format(3000)} as x "
                     "from range(0, 40, 1, 40)''')", id="create-table-as", marks=pytest.mark.all),
        pytest.param(f"{LONG}.write.mode('overwrite').saveAsTable('saved')", id="save-as-table", marks=pytest.mark.all),
        pytest.param(f"{LONG}.toPandas()", id="to-pandas", marks=pytest.mark.all),
        pytest.param(UDF, id="python-udf"),
        pytest.param(THREAD, id="thread"),
        pytest.param(POOL, id="pool", marks=pytest.mark.all),
        pytest.param(ITERATOR, id="iterator", marks=pytest.mark.all),
        pytest.param(f"%time {LONG}.collect()", id="magic", marks=pytest.mark.all),
    ],
)  # fmt: skip
def test_ctrl_c_cancels_on_the_engine(mine: Kernel, active_tasks: Callable[[], int], code: str) -> None:
    """The cell ends within 2 s in one line, no task runs after 3 s, and the session stays usable."""
    cell, seconds = interrupted(mine, code)
    assert seconds < 2
    assert LINE.fullmatch(cell.error), cell.error
    wait_until("no active task", lambda: active_tasks() == 0, 3 - seconds)
    assert mine.run("print(spark.table('kept').count())").stdout == "3\n"


@pytest.mark.all
def test_ctrl_c_without_an_engine_is_unchanged(mine: Kernel) -> None:
    """A plain KeyboardInterrupt whose trace ends in the user's cell; the next query can be cancelled all the same."""
    cell, seconds = interrupted(mine, "import time\ntime.sleep(60)", 1)
    assert seconds < 1
    assert "KeyboardInterrupt" in cell.error
    assert "rucat_jupyter" not in cell.error
    code = f"import time\ntry:\n    time.sleep(2)\nexcept KeyboardInterrupt:\n    {LONG}.collect()"
    timer = threading.Timer(1, mine.interrupt)
    timer.start()
    cell, seconds = interrupted(mine, code, 5)
    assert seconds < 2
    assert re.fullmatch(r"Cancelled on shared after \d s\.", cell.error), cell.error


@pytest.mark.all
def test_only_the_interrupted_cells_operations_are_cancelled(
    mine: Kernel, notebook: Callable[..., Kernel], active_tasks: Callable[[], int]
) -> None:
    """Not those of an earlier cell's thread, nor another notebook's."""
    other = notebook("neighbour")
    other.run(f"%rucat attach {ENGINE}")
    short = LONG.replace("3000L", "400L")  # 16 s with both cores
    done = f"lambda: print('rows', len({short}.collect()))"
    mine.run(f"import threading\nbackground = threading.Thread(target={done}); background.start()")
    theirs = threading.Thread(target=lambda: found.append(other.run(f"print(len({short}.collect()))")))
    found: list[Cell] = []
    theirs.start()
    cell, seconds = interrupted(mine, f"{LONG}.collect()", 2)
    assert seconds < 2
    assert cell.error.startswith("Cancelled on shared")
    assert active_tasks() > 0
    assert "rows 40" in mine.run("background.join()").stdout + cell.stdout
    theirs.join()
    assert found[0].stdout == "40\n"


@pytest.mark.all
def test_a_second_ctrl_c_breaks_nothing(mine: Kernel, active_tasks: Callable[[], int]) -> None:
    """Nor a third; the cell's one line stays one."""
    for pause in (0.01, 0.1, 0.3):
        threading.Timer(2 + pause, mine.interrupt).start()
        threading.Timer(2 + 2 * pause, mine.interrupt).start()
        cell, seconds = interrupted(mine, f"{LONG}.collect()", 2)
        assert seconds < 2
        assert re.fullmatch(r"Cancelled on shared after \d s\.", cell.error), cell.error
        wait_until("no active task", lambda: active_tasks() == 0, 3)
        time.sleep(1)  # the last of them comes when nothing runs
        assert mine.run("print(spark.range(3).count())").stdout == "3\n"


@pytest.mark.all
@pytest.mark.parametrize("code", [f"{LONG}.collect()", POOL, f"{LONG}.schema"], ids=["query", "pool", "analysis"])
def test_ctrl_c_is_not_held_by_a_frozen_engine(place: Place, engine: str, mine: Kernel, code: str) -> None:
    """The cell ends within 2 s, and says that the engine has not heard; when it thaws the session is as it was."""
    driver = place.engine_process(engine)
    freeze = threading.Timer(1.5, driver.suspend)
    if "schema" in code:
        driver.suspend()
    else:
        freeze.start()
    try:
        cell, seconds = interrupted(mine, code, 3)
        assert seconds < 2
        assert len(cell.error.splitlines()) == 1
        assert re.match("Interrupted (after|on shared after) [234] s", cell.error), cell.error
    finally:
        freeze.cancel()
        driver.resume()
    assert mine.run("print(spark.table('kept').count())").stdout == "3\n"


@pytest.mark.all
def test_an_operation_cancelled_elsewhere_ends_its_cell_in_one_line(
    engine: str, mine: Kernel, rest: Callable[..., Any], active_tasks: Callable[[], int]
) -> None:
    """By REST, while the kernel is busy; the operation carries the cell's number."""
    mine.run("get_ipython().run_cell('spark.range(1).count();', store_history=False)")
    number = int(mine.run("print(len(In) - 1)").stdout) + 1  # In[number] is the next prompt
    cancelled: list[float] = []

    def cancel() -> None:
        found = wait_until("the operation", lambda: rest("GET", f"engines/{engine}/operations")["operations"], 20)
        assert [operation["cell"] for operation in found] == [number]
        assert re.fullmatch(rf"rucat:cell={number}:[0-9a-f]{{8}}", found[0]["tags"][-1])
        assert "mine" in found[0]["tags"]
        cancelled.append(time.monotonic())
        rest("POST", f"engines/{engine}/operations/{found[0]['id']}/cancel")

    timer = threading.Timer(2, cancel)
    timer.start()
    cell = mine.run(f"spark.addTag('mine'); {LONG}.collect()", may_fail=True)
    timer.join()
    assert time.monotonic() - cancelled[0] < 2
    assert re.fullmatch(r"Cancelled on shared after \d+ s\.", cell.error), cell.error
    wait_until("no active task", lambda: active_tasks() == 0, 3)
    assert mine.run("print(spark.getTags()); spark.clearTags()").stdout == "{'mine'}\n"


@pytest.mark.all
@pytest.mark.parametrize("how", ["interrupt", "rest"])
def test_a_cancel_before_the_job_is_not_lost(
    engine: str,
    mine: Kernel,
    notebook: Callable[..., Kernel],
    rest: Callable[..., Any],
    spark_ui: Callable[[str], Any],
    active_tasks: Callable[[], int],
    how: str,
) -> None:
    """A job that begins although its operation was cancelled has no task 3 s after that; a neighbour's runs on."""
    neighbour = notebook("neighbour")
    neighbour.run(f"%rucat attach {ENGINE}")
    alone = LONG.replace("40, 1, 40", "1, 1, 1").replace("3000L", "15000L")
    end_of_theirs = neighbour.run_aside(f"print(len({alone}.collect()))")
    wait_until("their task", lambda: active_tasks() == 1, 20)
    last_job = max(job["jobId"] for job in spark_ui("jobs"))
    end_of_mine = mine.run_aside(DEAF)
    time.sleep(INTERRUPT_AFTER_S)  # it is planned all that time
    found = [
        op
        for op in rest("GET", f"engines/{engine}/operations")["operations"]
        if op["notebook"].endswith("running.ipynb")
    ]
    assert len(found) == 1, found
    begun = time.monotonic()
    if how == "interrupt":
        mine.interrupt()
    else:
        rest("POST", f"engines/{engine}/operations/{found[0]['id']}/cancel")
        assert time.monotonic() - begun < 1
    cell = end_of_mine()
    assert time.monotonic() - begun < 2
    assert LINE.fullmatch(cell.error), cell.error
    wait_until("a late job", lambda: max(job["jobId"] for job in spark_ui("jobs")) > last_job, 5)
    wait_until("no task but theirs", lambda: active_tasks() == 1, 3 - (time.monotonic() - begun))
    wait_until("no job but theirs", lambda: len(spark_ui("jobs?status=running")) == 1, 3 - (time.monotonic() - begun))
    assert mine.run("print(spark.table('kept').count())").stdout == "3\n"
    assert end_of_theirs().stdout == "1\n"


def test_the_bar_moves_and_never_goes_back(mine: Kernel) -> None:
    """It appears after a second, counts tasks, and leaves what was done; several queries share the one bar."""
    cell = mine.run(f"{MOVING}.collect()\n{MOVING}.collect();")
    lines = [*cell.updates]
    percents = [int(found[1]) for line in lines if (found := re.search(r"(\d+) %   ", line))]
    assert len(set(percents)) >= 3, lines
    assert percents == sorted(percents)
    assert any(re.search(r"stage \d of \d · \d+/\d+ tasks · 0:\d\d$", line) for line in lines), lines
    assert re.fullmatch(r"done in 0:\d\d · 2 queries · \d stages · \d+ tasks", lines[-1]), lines
    assert len(cell.shown) == 1


def test_a_failed_query_leaves_a_failed_bar(mine: Kernel) -> None:
    """And its error does not change."""
    cell = mine.run(
        f'spark.range(0, 4, 1, 4).selectExpr("{SLEEP.format(2500)}", "raise_error(\'no\')").collect()', may_fail=True
    )
    assert cell.error
    assert any(line.startswith("failed after 0:0") for line in (*cell.updates, *cell.shown.values())), cell


def test_quick_cells_show_no_bar(mine: Kernel) -> None:
    """Nor do slow ones without an engine, nor any when bars are switched off."""
    assert not mine.run("spark.range(3).count();").shown
    assert not mine.run("import time; time.sleep(1.5); spark.range(3).count();").shown
    slow = f"{LONG.replace('40, 1, 40', '2, 1, 2').replace('3000L', '2000L')}.collect();"
    mine.run("import rucat_jupyter; rucat_jupyter.progress = False")
    assert not mine.run(slow).shown
    mine.run("%config RucatMagics.progress = True\n%config RucatMagics.progress = False")
    assert not mine.run(slow).shown
    mine.run("%config RucatMagics.progress = True")
    assert not mine.run(f"%%capture\n{slow}").shown
    assert mine.run(slow).shown


@pytest.mark.all
def test_a_widgets_bar_leaves_plain_html(engine: str, notebook: Callable[..., Kernel]) -> None:
    """While it runs it is a widget, whose updates are no outputs."""
    widgets = notebook("bars")
    widgets.run(f"%rucat attach {ENGINE}")
    cell = widgets.run(f"{MOVING}.collect();")
    assert [re.sub(r"\d+", "N", line) for line in cell.updates] == ["done in N:N · N stages · N tasks"]
    assert not cell.stderr


@pytest.mark.all
def test_batch_runs_leave_one_line(place: Place, engine: str) -> None:
    """As nbconvert and papermill run notebooks: nothing while it runs, plain text at the end."""
    with kernel(place.env, place.root, None, allow_stdin=False) as batch:
        batch.run("%load_ext rucat_jupyter")
        batch.run(f"%rucat attach {ENGINE}")
        cell = batch.run(f"{MOVING}.collect();")
        assert not cell.updates
        assert [re.sub(r"\d+", "N", line) for line in cell.shown.values()] == ["done in N:N · N stages · N tasks"]


@pytest.fixture(autouse=True)
def _quiet_engine(engine: str, rest: Callable[..., Any]) -> Iterator[None]:
    """No test leaves an operation to the next."""
    yield
    left: list[object] = []

    def is_quiet() -> bool:
        left[:] = rest("GET", f"engines/{engine}/operations")["operations"]
        return not left

    with suppress(AssertionError):
        wait_until("a quiet engine", is_quiet, 30)
    assert left == []

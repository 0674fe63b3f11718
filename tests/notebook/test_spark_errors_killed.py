"""An engine that is killed in the middle of anything: its failure is what every cell shows, and work can go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.notebook import Cell, Kernel, kernel
from support.place import Place, wait_until

pytestmark = pytest.mark.engine

ENGINE = "killed"
SLEEP = "java_method('java.lang.Thread', 'sleep', 60000L + id)"
RUNNING = {
    "query": f'spark.range(3).selectExpr("{SLEEP}").collect()',
    "show": f'spark.range(3).selectExpr("{SLEEP}").show()',
    "Python function": '@F.udf("int")\ndef slow(n):\n    import time\n    time.sleep(60)\n'
    'spark.range(3).select(slow("id")).collect()',
    "write": f'spark.range(3).selectExpr("{SLEEP} as s").write.mode("overwrite").parquet("never")',
    "DDL": f'spark.sql("create table never using parquet as select {SLEEP} as s from range(3)")',
    "toPandas": f'spark.range(3).selectExpr("{SLEEP}").toPandas()',
    "rows one by one": "for row in spark.range(0, 4000, 1, 2).selectExpr("
    "\"java_method('java.lang.Thread', 'sleep', 30L + id)\").toLocalIterator():\n    pass",
    "streaming query": 'q = spark.readStream.format("rate").load().writeStream.format("noop").start()\n'
    "q.awaitTermination()",
    "foreach": f'spark.range(3).selectExpr("{SLEEP} as s").foreach(print)',
    "SQL cell": f"%%rucat sql\nselect {SLEEP} from range(3)",
}
LATER = {
    "schema": "known.schema",
    "columns": "known.columns",
    "show": "known.show()",
    "conf": 'spark.conf.get("spark.sql.shuffle.partitions")',
    "catalog": "spark.catalog.listTables()",
    "createDataFrame": 'spark.createDataFrame([(1,)], "a int").count()',
    "table": 'spark.table("x").columns',
    "register": 'spark.udf.register("f", lambda x: x)',
    "artifact": 'spark.addArtifact("a.txt", file=True)',
}


@pytest.fixture(scope="module")
def attached(place: Place) -> Iterator[Kernel]:
    """One kernel for all."""
    (place.root / "a.txt").write_text("x")
    with kernel(place.env, place.root, place.root / "killed.ipynb") as found:
        found.run("%load_ext rucat_jupyter")
        found.run(f"%rucat create {ENGINE}\nfrom pyspark.sql import functions as F", timeout_s=200)
        yield found
        found.run(f"%rucat delete {ENGINE} --yes")


@pytest.fixture
def alive(attached: Kernel) -> Kernel:
    """The kernel, its engine brought back."""
    attached.run(f"%rucat create {ENGINE}", timeout_s=200)
    attached.run("spark.range(1).collect()")
    return attached


@pytest.mark.all
@pytest.mark.parametrize("what", RUNNING)
def test_what_runs_ends_with_the_engines_failure(
    place: Place, rest: Callable[..., Any], alive: Kernel, what: str
) -> None:
    """In three lines, within seconds of the kill."""
    killed: list[float] = []

    def kill() -> None:
        engine = rest("GET", f"engines/{ENGINE}")["id"]
        wait_until("an operation", lambda: rest("GET", f"engines/{engine}/operations")["operations"], 60)
        place.engine_process(engine).kill()
        killed.append(time.monotonic())

    thread = threading.Thread(target=kill)
    thread.start()
    cell = alive.run(RUNNING[what], may_fail=True, timeout_s=150)
    ended = time.monotonic()
    thread.join()
    _assert_failure(cell)
    assert ended - killed[0] < 8
    assert "guard.py" in alive.run("%rucat error --verbose").stdout


@pytest.mark.all
def test_every_request_to_a_dead_engine_raises_its_failure(
    place: Place, rest: Callable[..., Any], alive: Kernel
) -> None:
    """Also what pyspark asks by itself to show a result; after the restart the same variables work."""
    alive.run("known = spark.range(3).selectExpr('id as x')")
    place.engine_process(rest("GET", f"engines/{ENGINE}")["id"]).kill()
    for what, code in LATER.items():
        cell = alive.run(code, may_fail=True)
        assert cell.seconds < 8, what
        _assert_failure(cell)
    for code in ("known", "display(known)", "print(known)"):  # a look at a variable is never an error
        cell = alive.run(code)
        assert "killed failed: " in (cell.stdout or cell.bundles[0]["text/plain"]), code
    alive.run(f"%rucat restart {ENGINE}", timeout_s=200)
    assert alive.run("print(known.count())").stdout.startswith("3\n")


def test_an_engine_that_had_no_memory_says_so(alive: Kernel) -> None:
    """The reason, and the remedy with a command."""
    cell = alive.run(
        'spark.range(2000).selectExpr("collect_list(repeat(cast(id as string), 1000000))").collect()',
        may_fail=True,
        timeout_s=250,
    )
    _assert_failure(cell)
    assert "OutOfMemory" in cell.error.splitlines()[0]
    assert "driver-memory" in cell.error


def _assert_failure(cell: Cell) -> None:
    lines = cell.error.removeprefix("rucat: ").splitlines()
    assert lines, cell
    assert len(lines) <= 3, cell.error
    assert lines[0].startswith(f"✕ {ENGINE} failed: ")
    assert f"%rucat restart {ENGINE}" in lines[-1]
    assert cell.ename == "EngineFailed"
    assert "Traceback" not in cell.stderr

"""Real kernels on a real engine: create, attach, restart, two notebooks, and what happens when things die."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.notebook import Cell, Kernel, kernel
from support.place import Place

from .conftest import ENGINE, wait_for_status

pytestmark = pytest.mark.engine

SLOW = "spark.sql(\"select java_method('java.lang.Thread', 'sleep', {}L)\").collect()"
LIGHT = {"fastapi", "uvicorn", "surrealdb", "kubernetes", "pyspark", "httpx", "pydantic", "grpc"}


def test_loading_adds_nothing_of_the_server_side(place: Place) -> None:
    """Neither in plain Python nor in a kernel."""
    check = f"import sys; print(sorted({LIGHT!r} & {{m.split('.')[0] for m in sys.modules}}))"
    assert place.run_python(f"import rucat_jupyter; {check}").stdout == "[]\n"
    with kernel(place.env, place.root) as bare:
        bare.run("import sys; before = {m.split('.')[0] for m in sys.modules}")
        bare.run("%load_ext rucat_jupyter")
        added = f"print(sorted({LIGHT!r} & {{m.split('.')[0] for m in sys.modules}} - before))"
        assert bare.run(added).stdout == "[]\n"


def test_create_shows_the_phase_attaches_and_spark_works(
    place: Place, engine: str, notebook: Callable[..., Kernel]
) -> None:
    """A second create finds it; functions, relative paths and Python UDFs work."""
    (place.root / "data.csv").write_text("n\n1\n2\n")
    mine = notebook()
    cell = mine.run(f"%rucat create {ENGINE} --driver-memory 3g")
    assert f"● {ENGINE}  Running on this machine · Spark" in cell.text
    assert "Not applied: driver.memory 3g (it has 1g)" in cell.text
    assert "spark is attached.  Look: %rucat status" in cell.text
    assert not cell.stderr
    mine.run("from pyspark.sql import functions as F, SparkSession")
    assert mine.run("print(spark.range(5).agg(F.sum('id')).collect()[0][0])").stdout == "10\n"
    assert mine.run("print(spark.read.csv('data.csv', header=True).count())").stdout == "2\n"
    mine.run("import sys\n@F.udf('string')\ndef python(n):\n    import sys\n    return sys.executable")
    assert mine.run("print(spark.range(1).select(python('id')).collect()[0][0] == sys.executable)").stdout == "True\n"
    assert mine.run("print(SparkSession.builder.getOrCreate() is spark)").stdout == "True\n"
    assert "● shared" in mine.run("%rucat").text
    assert f"{place.root}/a.ipynb" in mine.run("%rucat status").text
    assert mine.run("%rucat logs --tail 2").text.strip().count("\n") == 1
    assert "running" in mine.run("%rucat history").text
    assert "has no flag --memroy" in mine.run("%rucat create --memroy 1g", may_fail=True).stderr


def test_a_restarted_kernel_gets_its_session_back(engine: str, notebook: Callable[..., Kernel]) -> None:
    """Temp views and runtime conf, in under two seconds; another notebook sees neither."""
    mine, other = notebook("mine"), notebook("other")
    mine.run(f"%rucat attach {ENGINE}")
    mine.run("spark.range(7).createOrReplaceTempView('mine'); spark.conf.set('spark.sql.shuffle.partitions', '3')")
    other.run(f"%rucat attach {ENGINE}")
    assert other.run("print(spark.catalog.tableExists('mine'))").stdout == "False\n"
    mine.restart()
    mine.run("%load_ext rucat_jupyter")
    mine.run("import pyspark.sql.connect.session")
    assert mine.run(f"%rucat attach {ENGINE}").seconds < 2
    cell = mine.run("print(spark.table('mine').count(), spark.conf.get('spark.sql.shuffle.partitions'))")
    assert cell.stdout == "7 3\n"


@pytest.mark.all
def test_a_notebook_that_was_moved_outside_of_jupyter_takes_over_its_session(
    place: Place, engine: str, notebook: Callable[..., Kernel]
) -> None:
    """One line names the old session and a command, which works as it is written, and lasts."""
    old, new = place.root / "it's old.ipynb", place.root / "sub" / "it's old.ipynb"
    new.parent.mkdir()
    old.touch()
    before = notebook(old.stem)
    before.run(f"%rucat attach {ENGINE}")
    before.run("spark.range(7).createOrReplaceTempView('kept')")
    before.end()
    old.rename(new)
    mine = notebook(f"sub/{old.stem}")
    said = mine.run(f"%rucat attach {ENGINE}").stderr
    assert said.count("\n") == 1
    command = said[said.index("%rucat") :].strip()
    assert str(old) in said
    assert "keeps running" not in mine.run(command).text
    assert mine.run("print(spark.table('kept').count())").stdout == "7\n"
    mine.restart()
    assert not mine.run(f"%load_ext rucat_jupyter\n%rucat attach {ENGINE}").stderr
    assert mine.run("print(spark.table('kept').count())").stdout == "7\n"
    assert str(old) not in mine.run("%rucat status").text


def test_detach_keeps_the_session_and_a_stopped_one_is_replaced(engine: str, notebook: Callable[..., Kernel]) -> None:
    """Detach and attach: the same views. ``spark.stop()``: a new session before the next cell, said once."""
    mine = notebook("stopping")
    mine.run(f"%rucat attach {ENGINE}")
    mine.run("spark.range(7).createOrReplaceTempView('v')")
    assert "spark is unbound" in mine.run("%rucat detach").text
    assert "NameError" in mine.run("spark", may_fail=True).error
    mine.run(f"%rucat attach {ENGINE}")
    assert mine.run("print(spark.table('v').count())").stdout == "7\n"
    mine.run("spark.stop()")
    cell = mine.run("print(spark.catalog.tableExists('v'), spark.range(3).count())")
    assert cell.stdout == "False 3\n"
    assert cell.stderr.count("spark was stopped: it is now a new session on shared") == 1


@pytest.mark.all
def test_a_session_that_the_engine_forgot_is_replaced(engine: str, notebook: Callable[..., Kernel]) -> None:
    """As after an hour idle: the cell works, one line says that views and conf are gone."""
    mine = notebook("forgotten")
    mine.run(f"%rucat attach {ENGINE}")
    mine.run("spark.range(7).createOrReplaceTempView('v')")
    mine.run("import rucat_jupyter.client.session.session as s; spark._client.release_session()")
    cell = mine.run("print(spark.range(3).count(), spark.catalog.tableExists('v'))")
    assert cell.stdout == "3 False\n"
    assert cell.stderr.count("spark uses a new one now; temp views and runtime conf are gone") == 1
    assert mine.run("print(spark.range(4).count())").stderr == ""


def test_a_killed_engine_ends_the_cell_in_seconds(
    place: Place, engine: str, notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """In three lines, again at the next use, and the same variable works after restart."""
    mine = notebook("killed")
    mine.run(f"%rucat attach {ENGINE}")
    mine.run("spark.range(1).collect()")
    driver = place.engine_process(engine)
    killed_at = _later(2, driver.kill)
    cell = mine.run(SLOW.format(60_000), may_fail=True)
    assert cell.seconds - killed_at < 5
    assert cell.error.splitlines()[0].startswith("✕ shared failed:")
    assert len(cell.error.splitlines()) <= 5
    assert "%rucat restart shared" in cell.error
    assert "✕ shared failed:" in mine.run("spark.range(1).collect()", may_fail=True).error
    restarted = mine.run("%rucat restart").text
    assert f"● {ENGINE}  Running on this machine" in restarted
    assert restarted.lower().count("temp views") == 1
    cell = mine.run("print(spark.range(2).count())")
    assert (cell.stdout, cell.stderr) == ("2\n", "")


@pytest.mark.all
def test_a_frozen_engine_does_not_hold_the_end_of_a_kernel(
    place: Place, engine: str, notebook: Callable[..., Kernel]
) -> None:
    """With a query that never came back; a script on a killed engine is in test_batch."""
    with kernel(place.env, place.root, place.root / "exit.ipynb") as mine:
        mine.run(f"%load_ext rucat_jupyter\n%rucat attach {ENGINE}")
        mine.run("spark.range(1).collect()")
        driver = place.engine_process(engine)
        driver.suspend()
        try:
            mine.run("import threading; threading.Thread(target=spark.range(1).collect, daemon=True).start()")
            # From the moment when the interpreter begins to end; before that a kernel takes what it takes.
            mine.run("import pathlib, time; begin = lambda: pathlib.Path('began').write_text(str(time.time()))")
            mine.run("threading._register_atexit(begin)")
            ended_at = mine.end()
            assert ended_at - float((place.root / "began").read_text()) < 2
        finally:
            driver.resume()


@pytest.mark.all
def test_a_stopped_engine_is_named_and_starts_again_by_create(engine: str, notebook: Callable[..., Kernel]) -> None:
    """Stop closes the client first: the next use says how to start it again."""
    mine = notebook("stopped")
    mine.run(f"%rucat attach {ENGINE}")
    assert "○ shared  Stopped" in mine.run("%rucat stop").text
    cell = mine.run("spark.range(1).collect()", may_fail=True)
    assert "○ shared is Stopped" in cell.error
    assert "Start it again: %rucat restart shared" in cell.error
    assert cell.seconds < 2
    cell = mine.run(f"%rucat create {ENGINE}")
    assert f"● {ENGINE}  Running on this machine" in cell.text
    assert mine.run("print(spark.range(2).count())").stdout == "2\n"


def test_ctrl_c_ends_the_waiting_not_the_engine(notebook: Callable[..., Kernel], rest: Callable[..., Any]) -> None:
    """Within a second, with the next commands; the rest of Run All does not run."""
    mine = notebook("interrupted")
    mine.run("%rucat list")  # a gateway is there, and asking it is quick
    interrupted_at: list[float] = []

    def interrupt_once(so_far: Cell) -> None:
        """When the cell shows the engine: a start may take less time than any that a test would wait."""
        if not interrupted_at and "slow  Pending" in so_far.text:
            interrupted_at.append(time.time())
            mine.interrupt()

    cell = mine.run("%rucat create slow", may_fail=True, on_output=interrupt_once)
    assert cell.ended_at - interrupted_at[0] < 1
    assert cell.error == ("rucat: slow is still starting. Wait again: %rucat create slow   Stop it: %rucat stop slow")
    wait_for_status(rest, "slow", "Pending", "Running")
    said = mine.run("%rucat delete slow --yes").text
    assert said.startswith("slow is deleted.\n")


def test_the_death_of_the_gateway_is_not_noticed(place: Place, engine: str, notebook: Callable[..., Kernel]) -> None:
    """Neither by a running query nor by the next verb."""
    mine = notebook("gateway")
    mine.run(f"%rucat attach {ENGINE}")
    pid = place.gateway_pid
    assert pid is not None
    _later(1, lambda: os.kill(pid, signal.SIGKILL))
    mine.run(SLOW.format(3_000))
    assert "● shared" in mine.run("%rucat list").text
    assert place.gateway_pid != pid


@pytest.mark.all
def test_delete_asks_in_a_kernel(engine: str, notebook: Callable[..., Kernel]) -> None:
    """The answer no keeps the engine."""
    mine = notebook("asking")
    assert f"{ENGINE} is kept." in mine.run(f"%rucat delete {ENGINE}").text
    silent = notebook("silent", allow_stdin=False)
    assert "To delete: %rucat delete shared --yes" in silent.run(f"%rucat delete {ENGINE}", may_fail=True).stderr


@pytest.mark.all
def test_an_external_engine_is_attached_by_its_address(
    engine: str, notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """Its record is created once, and its token is never shown."""
    remote = rest("GET", f"engines/{engine}/connection")["remote"]
    mine = notebook("external")
    said = mine.run(f"%rucat attach '{remote}'").text
    assert mine.run("print(spark.range(3).count())").stdout == "3\n"
    token = rest("GET", f"engines/{engine}/connection")["token"]
    assert token not in said + mine.run("%rucat list").text + mine.run("%rucat status").text
    name = next(found["name"] for found in rest("GET", "engines")["engines"] if found["platform"] == "external")
    mine.run(f"%rucat attach '{remote}'")
    assert mine.run(f"%rucat delete {name} --yes").text.startswith(f"{name} is deleted.\n")


def _later(seconds: float, act: Callable[[], object]) -> float:
    """Do it after that many seconds; returns them."""
    threading.Timer(seconds, act).start()
    return seconds


def _at(seconds: float, act: Callable[[], object]) -> list[float]:
    """Do it after that many seconds; the time when it was begun comes into the list."""
    at: list[float] = []
    threading.Timer(seconds, lambda: (at.append(time.time()), act())).start()
    return at


@pytest.mark.all
@pytest.mark.slow
def test_a_frozen_engine_is_shown_in_the_cell(
    place: Place, engine: str, notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """Within 35 s a line says so; it thaws, a line says so, and the query ends normally."""
    mine = notebook("frozen")
    mine.run(f"%rucat attach {ENGINE}")
    driver = place.engine_process(engine)
    frozen_at = _at(1, driver.suspend)
    thaw = threading.Thread(
        target=lambda: (wait_for_status(rest, ENGINE, "Unresponsive"), time.sleep(3), driver.resume())
    )
    thaw.start()
    cell = mine.run(SLOW.format(30_000))
    thaw.join()
    shown_at = next(at for at, words in cell.written if "◐ shared does not answer now" in words)
    assert shown_at - frozen_at[0] < 35
    assert "● shared answers again." in cell.stderr

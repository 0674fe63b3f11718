"""What runs on a real engine is seen and cancelled by others while the kernel that runs it is busy."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from jupyter_core.utils import ensure_event_loop
from support.notebook import Cell, Kernel
from support.place import Place, wait_until

from rucat_jupyter.launch import launch, transport

pytestmark = pytest.mark.engine

LONG = "select count(*) as n from range(0, 400000000000, 1, 16) where id % 7 = (id * 3) % 11"
WORK = {
    "query": f"spark.sql({LONG!r}).collect()",
    "write": f"spark.sql({LONG!r}).write.mode('overwrite').parquet('written.parquet')",
    "table": f"spark.sql('create table made_of_it as ' + {LONG!r})",
    "dataframe": "spark.range(0, 400000000000, 1, 16).filter('id % 7 = (id * 3) % 11').groupBy().count().toPandas()",
}
CELL = """
try:
    {work}
except Exception as error:
    print(getattr(error, 'getCondition', lambda: '')() or str(error))
print("cell", len(In) - 1)
"""


PLAIN = f"""
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
spark.createDataFrame([(1,)]).createOrReplaceTempView("kept")
try:
    spark.sql({LONG!r}).collect()
except Exception as error:
    print(str(error).split(chr(10))[0])
print("usable", spark.table("kept").count())
"""


def run_cell(kernel: Kernel, code: str) -> Cell:
    """Run a cell in a thread of its own: jupyter_client makes a loop for each, and leaves it open."""
    try:
        return kernel.run(code)
    finally:
        ensure_event_loop().close()


class Asked:
    """The gateway, asked as curl would, with the seconds that each answer took."""

    def __init__(self, client: httpx.Client, engine: str) -> None:
        self._client, self._engine = client, engine
        self.took_s = 0.0

    def __call__(self, method: str, path: str) -> httpx.Response:
        begun = time.monotonic()
        answer = self._client.request(method, f"/rucat/engines/{self._engine}/{path}", timeout=30)
        self.took_s = time.monotonic() - begun
        return answer

    def the_one(self) -> dict[str, Any]:
        """The operation that runs; the one before it of the same cell may be listed for a moment longer."""
        found: list[dict[str, Any]] = []

        def is_one() -> bool:
            found[:] = self.running()
            return len(found) == 1

        wait_until("one operation", is_one, 5)
        return found[0]

    def running(self) -> list[dict[str, Any]]:
        """What runs now."""
        answer = self("GET", "operations")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["operations"]
        return found


@pytest.fixture
def ask(place: Place, engine: str) -> Iterator[Asked]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RUCAT_DATA_DIR", "JUPYTER_RUNTIME_DIR", "TMPDIR", "HOME"):
            patch.setenv(name, place.env[name])
        with transport.make_client(launch.ensure(place.data_dir)) as client:
            yield Asked(client, engine)


@pytest.fixture
def busy(notebook: Callable[..., Kernel], ask: Asked) -> Iterator[Callable[[str], concurrent.futures.Future[Cell]]]:
    """Run a cell of :data:`WORK` in the background, and wait until the engine shows its tasks."""
    kernel = notebook("busy")
    kernel.run("%rucat attach shared")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        def begin(work: str) -> concurrent.futures.Future[Cell]:
            cell = pool.submit(run_cell, kernel, CELL.format(work=WORK[work]))
            wait_until("its tasks", lambda: any(op["tasks"] for op in ask.running()), 60)
            return cell

        try:
            yield begin
        finally:
            for op in ask.running():
                ask("POST", f"operations/{op['id']}/cancel")


@pytest.mark.parametrize(
    "work", ["query", *(pytest.param(name, marks=pytest.mark.all) for name in WORK if name != "query")]
)
def test_it_is_listed_and_cancelled_while_the_kernel_is_busy(
    busy: Callable[[str], concurrent.futures.Future[Cell]],
    notebook: Callable[..., Kernel],
    ask: Asked,
    place: Place,
    work: str,
) -> None:
    """Listed within 1 s with notebook and cell; the cell ends within 2 s and says so."""
    cell = busy(work)
    operation = ask.the_one()
    assert ask.took_s < 1.0
    assert operation["notebook"] == str(place.root / "busy.ipynb")
    assert operation["session_key"]
    assert operation["status"] == "running"
    assert operation["tasks"] > operation["tasks_done"]
    assert operation["stages"] > operation["stages_done"]
    assert ("aggregate" if work == "dataframe" else "from range(0, 400000000000") in operation["text"]
    begun = time.monotonic()
    answer = ask("POST", f"operations/{operation['id']}/cancel")
    assert ask.took_s < 1.0
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    assert answer.json()["id"] == operation["id"]
    said = cell.result(timeout=30).stdout
    assert time.monotonic() - begun < 2.0
    assert "Cancelled on shared" in said
    assert said.splitlines()[-1] == f"cell {operation['cell']}"
    wait_until("nothing runs", lambda: not ask.running(), 3)
    again = wait_until(  # for as long as Spark says that its job runs, it can be cancelled again
        "its end", lambda: [a for a in [ask("POST", f"operations/{operation['id']}/cancel")] if a.status_code != 202], 5
    )
    assert (again[0].status_code, again[0].json()["code"]) == (404, "operation_not_found")


@pytest.mark.all
def test_the_session_is_usable_after_a_cancel(
    busy: Callable[[str], concurrent.futures.Future[Cell]], notebook: Callable[..., Kernel], ask: Asked
) -> None:
    """Its views and conf are there."""
    other = notebook("busy")  # the same notebook: the same session
    other.run("%rucat attach shared")
    other.run("spark.range(3).createOrReplaceTempView('kept'); spark.conf.set('spark.sql.shuffle.partitions', '7')")
    cell = busy("query")
    ask("POST", f"operations/{ask.the_one()['id']}/cancel")
    cell.result(timeout=30)
    found = other.run("print(spark.table('kept').count(), spark.conf.get('spark.sql.shuffle.partitions'))")
    assert found.stdout.strip().endswith("3 7")


def test_another_notebook_sees_and_cancels_it(
    busy: Callable[[str], concurrent.futures.Future[Cell]], notebook: Callable[..., Kernel], ask: Asked
) -> None:
    """With the Python API: a table, and cancel by an id of it."""
    other = notebook("other")
    cell = busy("query")
    ask.the_one()
    shown = other.run(
        "import rucat_jupyter\nengine = rucat_jupyter.get('shared')\nfound = engine.operations()\nfound"
    ).text
    assert "busy.ipynb" in shown
    assert "NOTEBOOK" in shown
    assert other.run("engine.cancel(found[0])").text.strip() == ""
    assert "Cancelled on shared" in cell.result(timeout=30).stdout
    said = other.run(
        "try: engine.cancel(found[0])\nexcept rucat_jupyter.core.errors.OperationNotFound as error: print(error)"
    )
    assert "no operation" in said.stdout
    assert other.run("print(engine.operations())").stdout.strip() == "Nothing runs."


@pytest.mark.all
def test_a_client_without_rucat(ask: Asked, place: Place) -> None:
    """It has no notebook; it gets OPERATION_CANCELED from Spark itself, and its session stays usable."""
    remote = ask("GET", "connection").json()["remote"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        client = pool.submit(place.run_python, PLAIN, remote)
        try:
            (operation,) = wait_until("its tasks", lambda: [op for op in ask.running() if op["tasks"]], 60)
            assert (operation["notebook"], operation["cell"], operation["session_key"]) == ("", None, None)
            assert operation["text"] == LONG
            assert ask("POST", f"operations/{operation['id']}/cancel").status_code == 202
        finally:
            for op in ask.running():
                ask("POST", f"operations/{op['id']}/cancel")
        done = client.result(timeout=60)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert "OPERATION_CANCELED" in first
    assert last == "usable 1"


@pytest.mark.parametrize("ref", ["x", "00000000-0000-4000-8000-000000000000", "%00", "a'b", "%2e%2e", "x" * 3000, "😀"])
def test_hostile_operation_ids(ask: Asked, ref: str) -> None:
    """404 in the error form; the engine's sessions are not touched."""
    answer = ask("POST", f"operations/{ref}/cancel")
    assert answer.status_code == 404
    assert answer.json()["code"] in ("operation_not_found", "no_such_route")


@pytest.mark.all
def test_status_requests_are_not_activity(ask: Asked, rest: Callable[..., Any]) -> None:
    """Any number of requests; the engine does not change."""
    before = rest("GET", "engines/shared")
    for _ in range(20):
        ask.running()
    after = rest("GET", "engines/shared")
    assert (after["last_used_at"], after["revision"]) == (before["last_used_at"], before["revision"])


@pytest.mark.all
def test_the_ui_link_fits_the_front_end(notebook: Callable[..., Kernel], ask: Asked) -> None:
    """Without a Jupyter server it is the driver's own address, and it answers there."""
    shown = notebook("other").run("%rucat ui shared").text.strip()
    assert shown.startswith("http://127.0.0.1:")
    assert httpx.get(shown, follow_redirects=True, trust_env=False).status_code == 200
    assert httpx.get(f"{shown}api/v1/applications", trust_env=False).json()[0]["name"] == "shared"


@pytest.mark.all
def test_an_engine_without_a_ui(notebook: Callable[..., Kernel], ask: Asked, rest: Callable[..., Any]) -> None:
    """The sessions that Rucat knows are asked: ids alone, which is enough to cancel; the UI is one line."""
    kernel = notebook("plain")
    kernel.run("%rucat create plain --conf spark.ui.enabled=false", timeout_s=180)
    look = Asked(ask._client, "plain")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        try:
            assert look.running() == []
            cell = pool.submit(run_cell, kernel, CELL.format(work=WORK["query"]))
            (operation,) = wait_until("it runs", look.running, 60)
            assert operation["notebook"].endswith("plain.ipynb")
            assert [operation[name] for name in ("text", "cell", "started_at", "tasks")] == ["", None, None, None]
            assert look("POST", f"operations/{operation['id']}/cancel").status_code == 202
            assert "Cancelled on plain" in cell.result(timeout=30).stdout
            by_id = Asked(ask._client, rest("GET", "engines/plain")["id"])("GET", "ui/jobs/")
            assert (by_id.status_code, by_id.json()["code"]) == (409, "not_possible")
            assert "has no Spark UI" in kernel.run("%rucat ui", may_fail=True).error
        finally:
            kernel.run("%rucat delete plain --yes", timeout_s=60)

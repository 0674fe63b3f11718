"""An API server that is away for a minute fails no engine, and a cell that runs outside waits for it (F5)."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster import TestCluster
from support.kube_place import create, give_rights, view_of, wait_for
from support.notebook import kernel
from support.place import Place, place_in

pytestmark = pytest.mark.cluster

AWAY_S = 60.0
ATTACH = "%load_ext rucat_jupyter\n%rucat attach {name} --as {name}"
LONG = """
import time
from pyspark.sql.functions import udf

@udf("long")
def slow(x):
    import time
    time.sleep(10)
    return x + 1

begun = time.time()
print("begun")
answer = a.range(0, 4, 1, 1).select(slow("id").alias("x")).agg({"x": "sum"}).collect()[0][0]
print("answer", answer, time.time())
"""


@pytest.fixture
def place(cluster: TestCluster, restricted_namespace: str, tmp_path: Path) -> Iterator[Place]:
    """A laptop: a private home outside the cluster, with the shipped rights in one namespace."""
    if cluster.own is None:
        pytest.skip("the API server of a cluster that is not ours is not stopped (RUCAT_TEST_CLUSTER names ours)")
    kubeconfig = give_rights(cluster, restricted_namespace, tmp_path)
    with place_in(tmp_path / "p", KUBECONFIG=str(kubeconfig)) as made:
        yield made


def test_an_api_server_that_is_away_for_a_minute(cluster: TestCluster, restricted_namespace: str, place: Place) -> None:
    """Two engines stay Running, one comes up; a cell that ran has its right answer within 10 s; ports stay."""
    assert cluster.own is not None
    with kernel(place.env, place.root, place.root / "n.ipynb") as notebook:
        for name in ("a", "b"):
            create(notebook, cluster, restricted_namespace, name, wait=True)
            notebook.run(ATTACH.format(name=name))
            assert notebook.run(f"print({name}.range(1000).count())", timeout_s=200).stdout == "1000\n"
        before = {name: view_of(place, name) for name in ("a", "b")}
        create(notebook, cluster, restricted_namespace, "c", wait=False)
        cell = notebook.run_aside(LONG, begins_with="stream")
        time.sleep(3)
        cluster.own.stop_api_server(signal.SIGKILL)
        time.sleep(AWAY_S)
        assert {view_of(place, name)["status"] for name in ("a", "b")} <= {"Running", "Unresponsive"}
        assert view_of(place, "c")["status"] == "Pending"
        cluster.own.start_api_server()
        back = time.time()
        done = cell()
        word, answer, at = done.stdout.split()[-3:]
        assert (word, answer) == ("answer", "10"), done.text
        print(f"the cell ended {float(at) - back:.1f} s after the API server was ready")
        assert float(at) - back < 10
        begun = time.monotonic()
        assert notebook.run("print(b.range(2000).count())").stdout == "2000\n"
        print(f"a new cell on the other engine took {time.monotonic() - begun:.1f} s")
        for name in ("a", "b"):
            after = wait_for(place, name, "Running", 10)
            assert (after["run"], after["failure"]) == (1, None)
            assert after["endpoint"] == before[name]["endpoint"]
        print(f"all is Running {time.time() - back:.1f} s after")
        wait_for(place, "c", "Running", 180)
        restarted = notebook.run(
            "import rucat_jupyter\nrucat_jupyter.get('b').restart()\nprint(b.range(3000).count())", timeout_s=240
        )
        assert restarted.stdout.splitlines()[-1] == "3000"
        assert view_of(place, "b")["endpoint"] == before["b"]["endpoint"]
        for name in ("a", "b", "c"):
            done_ = place.rucat("delete", name, "--yes", timeout_s=90)
            assert done_.returncode == 0, done_.stderr

"""An API server that is away for a minute fails no engine (F5): a cell outside waits for it, one inside goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.cluster import TestCluster
from support.kube_place import create, give_rights, view_of, wait_for
from support.notebook import kernel
from support.place import Place, place_in
from support.pod_kernel import pod_kernel

pytestmark = [pytest.mark.cluster, pytest.mark.all, pytest.mark.timing]

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

INSIDE = """
import time
longest, count, until = 0.0, 0, time.time() + {seconds}
while time.time() < until:
    begun = time.time()
    assert d.range(10).count() == 10
    longest, count = max(longest, time.time() - begun), count + 1
    time.sleep(0.5)
print("queries", count, longest)
"""


@pytest.fixture
def place(cluster: TestCluster, restricted_namespace: str, home: str, tmp_path: Path) -> Iterator[Place]:
    """A laptop: a private home outside the cluster, with the shipped rights in one namespace."""
    if cluster.own is None:
        pytest.skip("this test stops the API server only of its own cluster (RUCAT_TEST_CLUSTER)")
    inside = f"system:serviceaccount:{home}:default"
    kubeconfig = give_rights(cluster, restricted_namespace, tmp_path, users=(inside,))
    with place_in(tmp_path / "p", KUBECONFIG=str(kubeconfig)) as made:
        yield made


@pytest.fixture
def home(new_namespace: Callable[..., str]) -> str:
    """The namespace of a notebook in the cluster, whose account has the rights too."""
    return new_namespace()


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_an_api_server_that_is_away_for_a_minute(
    cluster: TestCluster, restricted_namespace: str, home: str, place: Place
) -> None:
    """Two engines stay Running, one comes up; a cell that ran has its right answer within 10 s; ports stay.

    A notebook in a pod has an engine of its own there, and notices nothing.
    """
    assert cluster.own is not None
    with (
        pod_kernel(cluster, home) as inside,
        kernel(place.env, place.root, place.root / "n.ipynb") as notebook,
    ):
        for book, name in ((notebook, "a"), (notebook, "b"), (inside, "d")):
            create(book, cluster, restricted_namespace, name, wait=True)
            book.run(ATTACH.format(name=name))
            assert book.run(f"print({name}.range(1000).count())", timeout_s=200).stdout == "1000\n"
        before = {name: view_of(place, name) for name in ("a", "b")}
        create(notebook, cluster, restricted_namespace, "c", wait=False)
        cell = notebook.run_aside(LONG, begins_with="stream")
        cell_inside = inside.run_aside(INSIDE.format(seconds=AWAY_S + 15))
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
        noticed = cell_inside()
        word, count, longest = noticed.stdout.split()
        print(f"inside: {count} queries, the longest took {float(longest):.1f} s")
        assert (word, noticed.stderr) == ("queries", "")
        assert [said for said in noticed.shown.values() if "answer" in said] == []  # its bar alone
        assert float(longest) < 5
        wait_for(place, "c", "Running", 180)
        restarted = notebook.run(
            "import rucat_jupyter\nrucat_jupyter.get('b').restart()\nprint(b.range(3000).count())", timeout_s=240
        )
        assert restarted.stdout.splitlines()[-1] == "3000"
        assert view_of(place, "b")["endpoint"] == before["b"]["endpoint"]
        inside.run("%rucat delete d --yes", timeout_s=90)
        for name in ("a", "b", "c"):
            done_ = place.rucat("delete", name, "--yes", timeout_s=90)
            assert done_.returncode == 0, done_.stderr

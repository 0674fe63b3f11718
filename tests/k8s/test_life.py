"""The life of an engine as users see it in a notebook, from outside the cluster and from a pod in it, 4.1 and 4.3.

Namespaces are restricted, and Rucat has the Roles that it ships and no more. From outside with 4.3 it is
test_notebook's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.cluster import NO_41, RESTRICTED, TestCluster
from support.kube_place import give_rights
from support.notebook import Kernel, kernel
from support.place import place_in
from support.pod_kernel import pod_kernel

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.timeout(900)]

GONE_S = 60.0
CREATE = "%load_ext rucat_jupyter\n%rucat create life --profile k8s-small --namespace {namespace} --image {image}"
ID = "import rucat_jupyter\nprint(rucat_jupyter.get('life').id)"
SUM = """
from pyspark.sql import functions as F
rows = spark.range(10_000_000).withColumn("group", F.col("id") % 100)
print(rows.groupBy("group").agg(F.sum("id").alias("sum")).agg(F.count("*"), F.sum("sum")).collect()[0])
"""
WHERE = """
import socket
import time
from pyspark.sql.types import StringType

@F.udf(StringType())
def where(number):
    time.sleep(1)
    return socket.gethostname()

print(sorted({row.pod for row in spark.range(0, 8, 1, 8).select(where("id").alias("pod")).collect()}))
"""


@pytest.fixture
def engines(new_namespace: Callable[..., str]) -> str:
    """The restricted namespace of the engines."""
    return new_namespace(**RESTRICTED)


def live(notebook: Kernel, cluster: TestCluster, namespace: str, image: str, version: str) -> None:
    """Create, compute on two executors, look, stop, restart, delete; each leaves the namespace as it has to be."""
    before = cluster.inventory(namespace)
    created = notebook.run(CREATE.format(namespace=namespace, image=image), timeout_s=300)
    assert "Running" in created.text, created
    engine_id = notebook.run(ID).stdout
    assert notebook.run("print(spark.version)").stdout.startswith(version)
    assert "Row(count(1)=100, sum(sum)=49999995000000)" in notebook.run(SUM, timeout_s=300).stdout
    hosts = notebook.run(WHERE, timeout_s=300).stdout
    assert [f"-exec-{number}'" in hosts for number in (1, 2)] == [True, True], hosts
    assert "2 of 2 running" in notebook.run("%rucat status").text
    assert "Stopped" in notebook.run("%rucat stop life").text
    cluster.wait(lambda: cluster.inventory(namespace) == before, "nothing is left of it", GONE_S)
    notebook.run("%rucat restart life", timeout_s=300)
    assert notebook.run("print(spark.range(1_000_000).count())", timeout_s=120).stdout.endswith("1000000\n")
    assert notebook.run(ID).stdout == engine_id
    assert "is deleted" in notebook.run("%rucat delete life --yes", timeout_s=120).text
    cluster.wait(lambda: cluster.inventory(namespace) == before, "nothing is left of it", GONE_S)


@pytest.mark.all
def test_from_outside_with_spark_4_1(cluster: TestCluster, engines: str, tmp_path: Path) -> None:
    """A laptop's notebook, through the API server, on the older Spark."""
    if cluster.image_41 is None:
        pytest.skip(NO_41)
    kubeconfig = give_rights(cluster, engines, tmp_path)
    with (
        place_in(tmp_path / "p", KUBECONFIG=str(kubeconfig)) as place,
        kernel(place.env, place.root, place.root / "n.ipynb") as notebook,
    ):
        live(notebook, cluster, engines, cluster.image_41, "4.1")


@pytest.mark.all
@pytest.mark.parametrize("version", ["4.3", "4.1"])
def test_from_a_pod_inside(
    cluster: TestCluster, engines: str, new_namespace: Callable[..., str], tmp_path: Path, version: str
) -> None:
    """A notebook in a pod of another namespace, whose service account got Rucat's Role where the engines are."""
    if cluster.own is None:
        pytest.skip("the named cluster does not see this machine's folders")
    image = cluster.image if version == "4.3" else cluster.image_41
    if image is None:
        pytest.skip(NO_41)
    home = new_namespace()
    give_rights(cluster, engines, tmp_path, users=(f"system:serviceaccount:{home}:default",))
    with pod_kernel(cluster, home) as notebook:
        live(notebook, cluster, engines, image, version)

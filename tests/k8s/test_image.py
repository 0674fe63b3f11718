"""The image of docs/engine-image, built as its Dockerfile says: functions have pandas, drivers start by its archive."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import documented, up, versions
from support.cluster import BUILD_ALL, TestCluster
from support.kube_place import give_rights
from support.place import place_in

from rucat_jupyter.spark.command import CDS_ARCHIVE

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.all, pytest.mark.timeout(900)]

SCRIPT = """
import json
import sys
from collections.abc import Callable, Iterator
import time

import pandas
import rucat_jupyter

namespace, image, class_path = sys.argv[1:]
small = {"request_cores": "100m"}
began = time.monotonic()
engine = rucat_jupyter.create(
    "imaged", profile="k8s-small", image=image, conf={"spark.driver.extraClassPath": class_path} if class_path else {},
    kubernetes={"namespace": namespace}, driver=small, executors={"instances": 1, **small}, timeout_s=300,
)
spark = engine.connect()
assert spark.sql("select 1").collect()[0][0] == 1
took_s = time.monotonic() - began
doubled = spark.range(3).mapInPandas(lambda parts: (2 * part for part in parts), "id long").toPandas()
print(json.dumps({"took_s": took_s, "sum": int(doubled["id"].sum()), "pod": f"rucat-{engine.id}-{engine.view['run']}"}))
sys.stdin.read()
engine.delete()
"""
UNFIT = f"/opt/spark/jars/spark-tags_2.13-{versions.SPARK[0]}.jar"
"""If it is first on the class path, the archive does not fit."""
MAPS = "cat /proc/[0-9]*/maps"


@pytest.fixture
def image(cluster: TestCluster) -> str:
    """The image, on the cluster's node."""
    if cluster.own is None:
        pytest.skip("the named cluster has no containerd that this machine can reach")
    if reason := up.cache.not_built(documented.archive):
        pytest.skip(f"{reason}: {BUILD_ALL}")
    cluster.own.load(documented.archive())
    return documented.TAG


@pytest.fixture
def start(
    cluster: TestCluster, restricted_namespace: str, image: str, tmp_path: Path
) -> Iterator[Callable[..., dict[str, Any]]]:
    """Creates an engine on the image, and says how long its first row takes, and if its JVM has the archive."""

    def is_mapped(pod: str) -> bool:
        words = [cluster.kubectl, "exec", "--namespace", restricted_namespace, pod, "--", "sh", "-c", MAPS]
        env = {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path)}
        return CDS_ARCHIVE in subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout

    def start(class_path: str = "") -> dict[str, Any]:
        command = [sys.executable, "-c", SCRIPT, restricted_namespace, image, class_path]
        with subprocess.Popen(
            command, env=place.env, cwd=place.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            found: dict[str, Any] = json.loads(process.stdout.readline())
            found["is_mapped"] = is_mapped(found["pod"])
            process.stdin.close()
        assert process.returncode == 0
        return found

    kubeconfig = give_rights(cluster, restricted_namespace, tmp_path)
    with place_in(tmp_path / "p", KUBECONFIG=str(kubeconfig)) as place:
        yield start


@pytest.mark.parametrize(("class_path", "is_mapped"), [("", True), (UNFIT, False)])
def test_drivers_use_the_archive_where_it_fits(
    start: Callable[..., dict[str, Any]], class_path: str, is_mapped: bool
) -> None:
    """And start without it where it does not; Python functions have pandas in both."""
    seen = start(class_path)
    assert (seen["is_mapped"], seen["sum"]) == (is_mapped, 6)


@pytest.mark.timing
def test_the_archive_nearly_halves_the_time_to_the_first_row(start: Callable[..., dict[str, Any]]) -> None:
    """From the create, against the same image with an archive that does not fit."""
    start()  # fills file caches
    without_s, having_s = start(UNFIT)["took_s"], start()["took_s"]
    print(f"create to first row: {having_s:.2f} s with the archive, {without_s:.2f} s without")
    assert having_s <= 0.6 * without_s

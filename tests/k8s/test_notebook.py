"""The notebook of Kubernetes as people run it, from outside the cluster, with a kubeconfig of the shipped Role."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cluster import TestCluster
from support.kube_place import give_rights
from support.place import Place, place_in

pytestmark = [pytest.mark.cluster, pytest.mark.engine]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "03_kubernetes.ipynb"
PROMISED = {
    "%rucat plan": "Dry run: the API server would accept all objects.",
    "%rucat create": "● wide  Running on kubernetes/",
    "from pyspark": "Row(count(1)=100, sum(sum)=49999995000000)",
    "import socket": "-exec-",
    "%rucat status": "2 of 2 running",
    "%rucat logs": "INFO",
    "%rucat stop": "○ wide  Stopped",
    "%rucat restart": "1 executor × 1 core 1 GB · restarted (run 2) with --executors 1",
    "spark.range(1_000_000)": "1000000",
    "%rucat delete": "wide is deleted.",
    "%rucat list": "No engines yet",
}
"""How a cell begins -> what it shows; the sum is that of the numbers below ten million."""


@pytest.fixture
def place(cluster: TestCluster, restricted_namespace: str, tmp_path: Path) -> Iterator[Place]:
    """A private home whose kubeconfig is that of a user with Rucat's Role in a restricted namespace."""
    kubeconfig = give_rights(cluster, restricted_namespace, tmp_path)
    with place_in(tmp_path, KUBECONFIG=str(kubeconfig)) as place:
        shutil.copy(NOTEBOOK, place.root)
        yield place


def cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found if cell["cell_type"] == "code"]


def shown(cell: dict[str, Any]) -> str:
    """Everything that a cell shows, as text."""
    outputs = cell["outputs"]
    return "\n".join("".join(o.get("text", "") or o.get("data", {}).get("text/plain", "")) for o in outputs)


@pytest.mark.timeout(900)
def test_it_runs_from_top_to_bottom_and_leaves_nothing(
    cluster: TestCluster, restricted_namespace: str, place: Place
) -> None:
    """Every cell shows what the text above it promises, and the namespace is at the end what it was before."""
    before = cluster.inventory(restricted_namespace)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", NOTEBOOK.name]
    done = subprocess.run(
        command, env=place.env, cwd=place.root, capture_output=True, text=True, timeout=800, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [(cell["source"], shown(cell)) for cell in cells(place.root / NOTEBOOK.name)]
    for start, words in PROMISED.items():
        assert words in next(text for source, text in found if source.startswith(start)), (start, words)
    cluster.wait(lambda: cluster.inventory(restricted_namespace) == before, "the namespace is as before")

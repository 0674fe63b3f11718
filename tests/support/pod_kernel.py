"""A real kernel in a pod of the cluster, with this checkout: cells are sent to it by sockets in a shared folder.

For clusters that run on this machine alone, as `inside.client_pod` is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from .cluster import TestCluster
from .inside import client_pod
from .notebook import Kernel

START_S = 90.0


class PodKernel(Kernel):
    """One kernel of which only the sockets are here; its gateway is in its pod."""

    def __init__(self, connection_file: Path) -> None:
        self._allow_stdin = False
        self._client = BlockingKernelClient(connection_file=str(connection_file))
        self._client.load_connection_file()
        self._client.start_channels(hb=False)  # a kernel that starts on a busy machine misses beats
        self._client.wait_for_ready(timeout=START_S)

    def end(self) -> float:
        """Release the kernel: it ends with its pod."""
        self._client.stop_channels()
        return 0.0


@contextmanager
def pod_kernel(cluster: TestCluster, namespace: str, name: str = "notebook") -> Iterator[Kernel]:
    """A kernel in a pod of a namespace that is not restricted, as that namespace's default service account."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        shared = Path(folder)
        file, _ = write_connection_file(str(shared / "k.json"), transport="ipc", ip=str(shared / "k"))
        described = client_pod(cluster, name, "-m", "ipykernel", "-f", file, "--log-level=ERROR")
        spec, container = described["spec"], described["spec"]["containers"][0]
        spec["volumes"].append({"name": "shared", "hostPath": {"path": folder}})
        spec["terminationGracePeriodSeconds"] = 1
        container["volumeMounts"].append({"name": "shared", "mountPath": folder})
        container["workingDir"] = "/tmp/home"
        container["env"].append({"name": "PYTHONPATH", "value": str(Path(__file__).parents[2])})
        cluster.core.create_namespaced_pod(namespace, described, _request_timeout=10)
        try:
            cluster.wait(lambda: _has_started(cluster, namespace, name), f"pod {name} runs", START_S)
            kernel = PodKernel(shared / "k.json")
            yield kernel
            kernel.end()
        finally:
            cluster.core.delete_namespaced_pod(name, namespace, _request_timeout=10)
            cluster.wait(lambda: not _phase(cluster, namespace, name), f"pod {name} is gone")


def _has_started(cluster: TestCluster, namespace: str, name: str) -> bool:
    phase = _phase(cluster, namespace, name)
    assert phase in {"Pending", "Running"}, phase
    return phase == "Running"


def _phase(cluster: TestCluster, namespace: str, name: str) -> str:
    found = {"field_selector": f"metadata.name={name}", "_request_timeout": 10}
    pods = cluster.core.list_namespaced_pod(namespace, **found).items
    return str(pods[0].status.phase) if pods else ""

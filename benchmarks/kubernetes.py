"""The environment of the benchmarks on Kubernetes: the tests' cluster or a given one, and a namespace in it.

It also has the raw baselines: create and remove the objects of an engine by plain API calls, and poll a port.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rucat_jupyter.core.engine import Credential, Engine
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.platforms.kubernetes.objects import manifests, names
from rucat_jupyter.platforms.kubernetes.platform import KubernetesPlatform

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))
from cluster.node import ADDRESS  # noqa: E402  (the tests' cluster)
from support.cluster import TestCluster, a_cluster, pretended_node, why_none  # noqa: E402
from support.inside import client_pod  # noqa: E402
from support.kube_place import give_rights  # noqa: E402

__all__ = ["ADDRESS", "SMALL", "Ground", "Poller", "Raw", "client_pod", "ground", "pretended_node", "wait_for"]

LIMIT_S = 300.0
INSTALLATION = "0" * 16
SMALL = {"cores": 1, "memory": "1g", "request_cores": "250m"}  # as in the profile k8s-small
POLL = """
import socket, sys, time
for line in sys.stdin:
    address, port = line.split()
    while True:
        try:
            socket.create_connection((address, int(port)), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    print("open", flush=True)
"""


@dataclass(frozen=True)
class Ground:
    """A cluster, and a namespace in it with the rights that Rucat ships."""

    cluster: TestCluster
    namespace: str

    def left(self, wanted: str = f"{names.MANAGED_BY}={names.RUCAT}") -> list[str]:
        """List the objects of engines in the namespace."""
        core, found = self.cluster.core, []
        for kind in ("pod", "config_map", "secret", "service"):
            items = getattr(core, f"list_namespaced_{kind}")(self.namespace, label_selector=wanted).items
            found += [f"{kind} {item.metadata.name}" for item in items]
        return found

    def wait_until_empty(self) -> None:
        """Wait until nothing is left; check ten times a second."""
        wait_for(lambda: not self.left(), "nothing is left in the namespace")

    def pods(self) -> list[Any]:
        """List the pods of engines."""
        wanted = f"{names.MANAGED_BY}={names.RUCAT}"
        return list(self.cluster.core.list_namespaced_pod(self.namespace, label_selector=wanted).items)


def wait_for(asked: Callable[[], object], what: str, pause_s: float = 0.1) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + LIMIT_S
    while not asked():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {LIMIT_S:.0f} s")
        time.sleep(pause_s)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """A fresh namespace; gateways that this process starts find it through KUBECONFIG."""
    if reason := why_none():
        raise SystemExit(reason)
    with a_cluster(folder) as cluster:
        name = f"rucat-bench-{secrets.token_hex(4)}"
        cluster.core.create_namespace({"metadata": {"name": name}})
        try:
            cluster.wait(lambda: cluster.core.list_namespaced_service_account(name).items, "its service account")
            os.environ["KUBECONFIG"] = str(give_rights(cluster, name, folder))
            yield Ground(cluster, name)
        finally:
            cluster.core.delete_namespace(name)


class Raw:
    """The objects of engines by plain calls: the same that Rucat creates for this spec."""

    def __init__(self, on: Ground, folder: Path, **spec: Any) -> None:
        self._core, self._namespace = on.cluster.core, on.namespace
        asked = {"image": on.cluster.image, "driver": SMALL, "executors": {**SMALL, "instances": 2}, **spec}
        asked["kubernetes"] = {"namespace": on.namespace, **spec.get("kubernetes", {})}
        self._spec = asyncio.run(_pinned(EngineSpec.model_validate(asked), folder / "raw"))
        self._context = manifests.Context(on.namespace, INSTALLATION, "raw")

    def describe(self) -> tuple[manifests.Objects, str]:
        """Return the objects of one more engine and their name, without creating them."""
        engine = Engine(
            id=secrets.token_hex(8),
            name="raw",
            owner="ada",
            platform="kubernetes",
            profile="",
            site="",
            spec=self._spec,
            run=1,
            state_run=1,
            created_at=datetime.now(timezone.utc),
        )
        return manifests.objects(engine, Credential(token=secrets.token_hex(16)), self._context), engine.run_name

    def create(self) -> str:
        """POST the objects of one more engine, one after the other; return their name."""
        made, name = self.describe()
        self.post(made)
        return name

    def post(self, made: manifests.Objects) -> None:
        """POST objects, one after the other."""
        core, at = self._core, self._namespace
        root = core.create_namespaced_config_map(at, made.root)
        made = manifests.owned_by(made, root.metadata.uid)
        core.create_namespaced_secret(at, made.secret)
        core.create_namespaced_service(at, made.service)
        core.create_namespaced_pod(at, made.pod)

    def remove(self, name: str) -> None:
        """DELETE the driver's pod and the object that owns all others; the cluster removes the rest."""
        self._core.delete_namespaced_pod(name, self._namespace)
        self._core.delete_namespaced_config_map(name, self._namespace, propagation_policy="Background")

    def address(self, name: str) -> str:
        """Wait for the address of the pod; check ten times a second."""
        found: list[str] = []

        def has_one() -> bool:
            status = self._core.read_namespaced_pod(name, self._namespace).status
            found[:] = [status.pod_ip] if status.pod_ip else []
            return bool(found)

        wait_for(has_one, f"{name} has an address")
        return found[0]


class Poller:
    """Tries to connect to a pod ten times a second, from the network of the cluster."""

    def __init__(self, on: Ground) -> None:
        own = on.cluster.own
        inside = ["nsenter", "--net", "--target", str(own.pid)] if own else []
        self._process = subprocess.Popen(
            [*inside, sys.executable, "-S", "-c", POLL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Poller:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def until_open(self, address: str, port: int) -> None:
        """Wait until something listens on the port."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{address} {port}\n")
        stdin.flush()
        stdout.readline()


async def _pinned(spec: EngineSpec, folder: Path) -> EngineSpec:
    platform = KubernetesPlatform(folder)
    await platform.open(INSTALLATION)
    try:
        return (await platform.pin(spec)).spec
    finally:
        await platform.close()

"""A real Kubernetes cluster for tests: a given one, or one that this run starts.

* ``RUCAT_TEST_KUBECONFIG`` and ``RUCAT_TEST_IMAGE`` name a cluster and an engine image that its nodes have or can pull;
  ``RUCAT_TEST_IMAGE_41`` one with Spark 4.1; ``RUCAT_TEST_CLUSTER`` the folder of one that ``make cluster`` started.
* Else one is started from what ``make cluster-build`` has built, as root, and ends with the run.
* Else the tests that need it are skipped with one line, or fail with it where ``RUCAT_TEST_REQUIRE=1``.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from cluster import binaries, cache, image, spaces, surreal, up
from cluster.layout import Layout

NAMESPACE_LIMIT_S = 120.0
LOOK_S = 0.1
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
NUMBERS = range(10, 250)  # the lower ones are for `make cluster`
BUILD = "make cluster-build"
BUILD_ALL = "PYTHONPATH=tests python -m cluster build --all"
NO_41 = f"no image with Spark 4.1: {BUILD_ALL}, or name one by RUCAT_TEST_IMAGE_41"
NODE_ANNOTATION = {"kwok.x-k8s.io/node": "fake"}
PRETENDED = {"cpu": "1000", "memory": "4000Gi", "pods": "5000"}


@dataclass(frozen=True)
class TestCluster:
    """A cluster and what tests need to know of it. ``own`` is there when this machine runs it."""

    __test__ = False

    kubeconfig: Path
    image: str
    image_41: str | None
    own: up.Cluster | None
    temp: Path
    """Where the kubernetes library may leave the certificates that it takes out of the kubeconfig."""

    @cached_property
    def client(self) -> Any:
        """The kubernetes library's client, as administrator."""
        from kubernetes import client, config

        configuration = client.Configuration()
        path, temp = str(self.kubeconfig), str(self.temp)
        config.load_kube_config(path, client_configuration=configuration, temp_file_path=temp)
        return client.ApiClient(configuration)

    @cached_property
    def core(self) -> Any:
        """Pods, services and all that is in the core API."""
        from kubernetes import client

        return client.CoreV1Api(self.client)

    def wait(self, asked: Callable[[], Any], what: str, limit_s: float = 60.0) -> Any:
        """Ask until the answer is true; give it."""
        until = time.monotonic() + limit_s
        while not (answer := asked()):
            assert time.monotonic() < until, f"{what}: not within {limit_s} s"
            time.sleep(LOOK_S)
        return answer

    def inventory(self, namespace: str) -> set[str]:
        """List what there is in a namespace, by kind and name; for `nothing is left` before and after."""
        kinds = ("pod", "service", "secret", "config_map", "persistent_volume_claim", "service_account", "endpoints")
        found = set()
        for kind in kinds:
            items = getattr(self.core, f"list_namespaced_{kind}")(namespace, _request_timeout=10).items
            found |= {f"{kind} {item.metadata.name}" for item in items}
        return found

    def apply_rights(self, namespace: str, *flags: str) -> list[str]:
        """Do ``rucat kubernetes manifests --namespace … | kubectl apply -f -``; the lines that kubectl says."""
        words = [sys.executable, "-m", "rucat_jupyter", "kubernetes", "manifests", "--namespace", namespace, *flags]
        printed = subprocess.run(words, capture_output=True, check=True)
        env = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.temp)}
        words = [str(self.kubectl), "apply", "-f", "-"]
        applied = subprocess.run(words, input=printed.stdout, capture_output=True, env=env, timeout=60, check=False)
        assert (applied.returncode, applied.stderr) == (0, b""), applied.stderr.decode()
        return applied.stdout.decode().splitlines()

    @cached_property
    def kubectl(self) -> Path:
        """The program."""
        if found := shutil.which("kubectl"):
            return Path(found)
        if reason := cache.not_built(binaries.kubernetes):
            pytest.skip(f"no kubectl on PATH for the cluster of RUCAT_TEST_KUBECONFIG, and {reason}")
        return binaries.kubernetes() / "kubectl"


class ApiServer:
    """The API server of the run's own cluster, which tests stop and start."""

    def __init__(self, cluster: up.Cluster) -> None:
        self._cluster = cluster

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return "kube-apiserver" in self._cluster.running()

    def stop(self) -> None:
        """End it and wait for its end."""
        self._cluster.stop_api_server()

    def start(self, wait: bool = True) -> None:
        """Start it, and wait until it is ready."""
        self._cluster.start_api_server(wait)


def _named(temp: Path) -> TestCluster | None:
    kubeconfig, engine_image = (os.environ.get(f"RUCAT_TEST_{name}") for name in ("KUBECONFIG", "IMAGE"))
    if not kubeconfig or not engine_image:
        return None
    folder = os.environ.get("RUCAT_TEST_CLUSTER")
    own = up.Cluster.find(Path(folder)) if folder else None
    return TestCluster(Path(kubeconfig), engine_image, os.environ.get("RUCAT_TEST_IMAGE_41"), own, temp)


def _start() -> up.Cluster:
    """Start a cluster under the first number that is free on this machine."""
    folder = Path(tempfile.mkdtemp(prefix="k8s-"))
    for number in NUMBERS:
        layout = Layout(folder / "c", number)
        if not layout.is_taken:
            try:
                return up.start(layout, tied=True)
            except spaces.NumberTaken:  # by another run, at this moment
                continue
            except BaseException:
                shutil.rmtree(folder)
                raise
    raise cache.CannotBuild(f"the numbers {NUMBERS} are all taken by clusters on this machine")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """One cluster for the whole run."""
    if reason := why_none():
        pytest.skip(reason)
    with a_cluster(tmp_path_factory.mktemp("kubernetes")) as found:
        yield found


def why_none() -> str | None:
    """Say in one line why there can be no cluster here, or nothing."""
    if os.environ.get("RUCAT_TEST_KUBECONFIG") and os.environ.get("RUCAT_TEST_IMAGE"):
        return None
    reason = why_none_of_ours()
    return f"no Kubernetes cluster: {reason}; or set RUCAT_TEST_KUBECONFIG and RUCAT_TEST_IMAGE" if reason else None


def why_none_of_ours() -> str | None:
    """Say in one line why this machine can start no cluster, or nothing."""
    reason = up.missing() or up.not_built()
    return f"{reason} ({BUILD})" if reason and reason.endswith("built yet") else reason


@contextmanager
def a_cluster(temp: Path) -> Iterator[TestCluster]:
    """The cluster that the user names, which goes on, or one of our own, which ends."""
    if named := _named(temp):
        try:
            yield named
        finally:
            named.client.close()
        return
    with _own_cluster(temp) as own:
        yield own


@contextmanager
def _own_cluster(temp: Path) -> Iterator[TestCluster]:
    own = _start()
    try:
        newest, *older = map(image.tag, up.images())
        started = TestCluster(own.kubeconfig, newest, older[0] if older else None, own, temp)
        yield started
        started.client.close()
    finally:
        own.down()
        own.layout.folder.parent.rmdir()


@pytest.fixture(scope="session")
def new_namespace(cluster: TestCluster) -> Iterator[Callable[..., str]]:
    """Makes namespaces, with labels; all are gone at the end of the run."""
    made: list[str] = []

    def make(**labels: str) -> str:
        name = f"rucat-t-{secrets.token_hex(4)}"
        cluster.core.create_namespace({"metadata": {"name": name, "labels": labels}}, _request_timeout=10)
        made.append(name)
        accounts = cluster.core.list_namespaced_service_account
        cluster.wait(lambda: accounts(name, _request_timeout=10).items, "the namespace's default service account")
        return name

    yield make
    for name in made:
        _ask_to_delete(cluster, name)
    names = set(made)

    def are_gone() -> bool:
        left = {each.metadata.name for each in cluster.core.list_namespace(_request_timeout=10).items}
        return not names & left

    cluster.wait(are_gone, f"namespaces {made} are deleted", NAMESPACE_LIMIT_S)


@pytest.fixture
def namespace(cluster: TestCluster, new_namespace: Callable[..., str]) -> Iterator[str]:
    """Give each test a namespace of its own."""
    name = new_namespace()
    yield name
    _ask_to_delete(cluster, name)


@pytest.fixture
def restricted_namespace(cluster: TestCluster, new_namespace: Callable[..., str]) -> Iterator[str]:
    """Give a test a namespace that enforces the restricted Pod Security standard."""
    name = new_namespace(**RESTRICTED)
    yield name
    _ask_to_delete(cluster, name)


def _ask_to_delete(cluster: TestCluster, name: str) -> None:
    from kubernetes.client import ApiException

    try:
        cluster.core.delete_namespace(name, _request_timeout=10)
    except ApiException as exc:
        if exc.status not in (404, 409):  # gone, or going
            raise


@pytest.fixture
def api_server(cluster: TestCluster) -> Iterator[ApiServer]:
    """The API server, which runs again after the test."""
    if cluster.own is None:
        pytest.skip("only a cluster on this machine loses its API server (RUCAT_TEST_CLUSTER names its folder)")
    server = ApiServer(cluster.own)
    yield server
    if not server.runs:
        server.start()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[TestCluster]:
    """A cluster for one test alone, for what would disturb the others; it takes about half a minute."""
    if reason := why_none_of_ours():
        pytest.skip(f"no Kubernetes cluster on this machine: {reason}")
    with _own_cluster(tmp_path) as own:
        yield own


@pytest.fixture
def kwok_node(cluster: TestCluster) -> Iterator[str]:
    """The name of a node that kwok pretends, with room for thousands of pods, as `pretended_node` describes it."""
    if cluster.own is None:
        pytest.skip("pretended pods need a cluster on this machine (RUCAT_TEST_CLUSTER names its folder)")
    if reason := cache.not_built(binaries.kwok):
        pytest.skip(f"no pretended pods: {reason} ({BUILD_ALL})")
    cluster.own.start_kwok()
    with pretended_node(cluster) as name:
        yield name


@contextmanager
def pretended_node(cluster: TestCluster) -> Iterator[str]:
    """Add a node that is ready and has no kubelet: on one that kwok looks after pods run, on others they stay Pending.

    Pods get there by its label ``kubernetes.io/hostname=<name>``, and tolerate ``kwok.x-k8s.io/node=fake:NoSchedule``.
    It and its pods are removed at the end.
    """
    name = f"kwok-{secrets.token_hex(4)}"
    metadata = {"name": name, "annotations": NODE_ANNOTATION, "labels": {"kubernetes.io/hostname": name}}
    taint = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
    ready = {"type": "Ready", "status": "True", "reason": "Pretended"}
    status = {"capacity": PRETENDED, "allocatable": PRETENDED, "conditions": [ready]}
    node = {"metadata": metadata, "spec": {"taints": [taint]}, "status": status}
    cluster.core.create_node(node, _request_timeout=10)

    def is_ready() -> bool:
        return {each.key for each in cluster.core.read_node(name, _request_timeout=10).spec.taints} == {taint["key"]}

    try:
        cluster.wait(is_ready, f"node {name} is ready")
        yield name
    finally:
        delete_node(cluster, name)


def delete_node(cluster: TestCluster, name: str) -> None:
    """Remove a pretended node, if it is still there, and its pods without grace: no kubelet ends them."""
    from kubernetes.client import ApiException

    pods = cluster.core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={name}", _request_timeout=10).items
    for pod in pods:
        try:
            cluster.core.delete_namespaced_pod(
                pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0, _request_timeout=10
            )
        except ApiException as exc:
            if exc.status != 404:
                raise
    try:
        cluster.core.delete_node(name, _request_timeout=10)
    except ApiException as exc:
        if exc.status != 404:
            raise


@pytest.fixture(scope="session")
def real_surreal() -> Callable[..., surreal.Server]:
    """Makes real SurrealDB servers, not yet started; who makes one ends it."""
    if reason := surreal.missing() or surreal.not_built():
        pytest.skip(f"no real SurrealDB server: {reason} ({BUILD_ALL})")
    return surreal.Server

"""The test cluster itself: it starts, runs engine images, runs beside a second one, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.cluster import NO_41, ApiServer, TestCluster, delete_node, why_none_of_ours
from support.inside import client_pod

from cluster import cache, image, spaces, surreal, up, versions
from cluster.layout import GROUPS, Layout

pytestmark = pytest.mark.cluster

TESTS = Path(__file__).parents[1]
POD_LIMIT_S = 120.0
DOWN_LIMIT_S = 30.0


def pod(name: str, image: str, *command: str, **spec: object) -> dict[str, object]:
    container = {"name": "main", "image": image, "command": list(command), "resources": {"requests": {"cpu": "50m"}}}
    return {"metadata": {"name": name}, "spec": {"containers": [container], "restartPolicy": "Never", **spec}}


def end_of(cluster: TestCluster, namespace: str, name: str) -> str:
    """Wait for a pod's end; its phase and what it printed."""

    def phase() -> str:
        found = cluster.core.read_namespaced_pod(name, namespace, _request_timeout=10).status.phase
        return found if found in ("Succeeded", "Failed") else ""

    ended = cluster.wait(phase, f"pod {name} ends", POD_LIMIT_S)
    return f"{ended}: {cluster.core.read_namespaced_pod_log(name, namespace, _request_timeout=10)}"


def what_the_machine_has(layout: Layout) -> dict[str, set[str]]:
    """All that a cluster could leave behind; what belongs to others on this machine by its number is not looked at."""
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    links = {path.name for path in Path("/sys/class/net").iterdir()}
    groups = {path for path, _, _ in os.walk(GROUPS)}
    return {
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "links": {name for name in links if not name.startswith("rucat") or name == layout.link},
        "groups": {path for path in groups if f"/{layout.group}/" in f"{path}/"},  # others make some of their own
        "rules": set(listed.splitlines()),
    }


def processes_of(folder: Path) -> list[str]:
    """Tell which processes know a folder by their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words):
            found.append(" ".join(words)[:200])
    return found


def test_a_pod_has_python_for_udfs_and_reaches_the_api_by_its_service_address(
    cluster: TestCluster, namespace: str
) -> None:
    """An engine image's pod runs, imports pandas and pyarrow as user 185, and connects to the API server."""
    script = (
        "import os, socket, pandas, pyarrow;"
        "address = os.environ['KUBERNETES_SERVICE_HOST'], int(os.environ['KUBERNETES_SERVICE_PORT']);"
        "socket.create_connection(address, 10).close();"
        "print(os.getuid(), 'connected')"
    )
    cluster.core.create_namespaced_pod(namespace, pod("hello", cluster.image, "python3", "-c", script))
    assert end_of(cluster, namespace, "hello") == "Succeeded: 185 connected\n"


@pytest.mark.all
@pytest.mark.parametrize("which", ["4.3", "4.1"])
def test_each_image_has_the_spark_that_its_name_says(cluster: TestCluster, namespace: str, which: str) -> None:
    """The image for Spark 4.1 has 4.1, the other one 4.3, with the connect and kubernetes jars."""
    image = cluster.image if which == "4.3" else cluster.image_41
    if image is None:
        pytest.skip(NO_41)
    script = "import os; print(*sorted(name for name in os.listdir('/opt/spark/jars') if name.startswith('spark-')))"
    cluster.core.create_namespaced_pod(namespace, pod("jars", image, "python3", "-c", script))
    said = end_of(cluster, namespace, "jars")
    assert f"spark-connect_2.13-{which}." in said
    assert f"spark-kubernetes_2.13-{which}." in said


@pytest.mark.all
def test_a_restricted_namespace_refuses_what_is_not(cluster: TestCluster, restricted_namespace: str) -> None:
    """Pod Security is enforced: a pod that says nothing of its rights is refused, one that gives them up runs."""
    from kubernetes.client import ApiException

    with pytest.raises(ApiException, match="violates PodSecurity"):
        cluster.core.create_namespaced_pod(restricted_namespace, pod("loose", cluster.image, "true"))
    strict = pod(
        "strict",
        cluster.image,
        "true",
        securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    )
    strict["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    cluster.core.create_namespaced_pod(restricted_namespace, strict)
    assert end_of(cluster, restricted_namespace, "strict") == "Succeeded: "


@pytest.mark.all
def test_pods_on_a_simulated_node_run_immediately_and_vanish_when_deleted(
    cluster: TestCluster, namespace: str, kwok_node: str
) -> None:
    """Kwok says Running for 50 pods without starting any, and a node that is removed takes its pods along."""
    toleration = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
    for number in range(50):
        described = pod(f"p{number}", cluster.image, "true", nodeName=kwok_node, tolerations=[toleration])
        cluster.core.create_namespaced_pod(namespace, described)

    def phases() -> set[str]:
        return {each.status.phase for each in cluster.core.list_namespaced_pod(namespace).items}

    cluster.wait(lambda: phases() == {"Running"}, "50 pretended pods run")
    delete_node(cluster, kwok_node)
    cluster.wait(lambda: not phases(), "the pods are gone with their node")


@pytest.mark.all
def test_the_api_server_can_be_stopped_and_started_and_pods_keep_running(own_cluster: TestCluster) -> None:
    """A pod that runs while the API server is away is the same one after, with no restart."""
    assert own_cluster.own
    server = ApiServer(own_cluster.own)
    own_cluster.core.create_namespaced_pod("default", pod("stays", own_cluster.image, "sleep", "600"))

    def read() -> object:
        return own_cluster.core.read_namespaced_pod("stays", "default", _request_timeout=5)

    before = own_cluster.wait(lambda: (p := read()).status.phase == "Running" and p, "the pod runs")
    server.stop()
    with pytest.raises(Exception, match=r"refused|Max retries"):
        read()
    server.start()
    after = read()
    assert after.metadata.uid == before.metadata.uid
    assert after.status.container_statuses[0].restart_count == 0


@pytest.mark.all
def test_two_run_side_by_side_and_the_end_of_one_leaves_the_other_and_nothing_else(
    cluster: TestCluster, namespace: str, tmp_path: Path
) -> None:
    """A second cluster runs a pod beside the first; after its end the machine is as it was, and the first goes on."""
    if cluster.own is None:
        pytest.skip("the named cluster is not on this machine")
    folder = tmp_path / "second"
    layout = next(each for n in range(200, 249) if not (each := Layout(folder, n)).is_taken)
    before = what_the_machine_has(layout)
    command = [sys.executable, "-m", "cluster"]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(
        [*command, "up", folder, "--number", str(layout.number)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    second = TestCluster(folder / "kubeconfig", cluster.image, None, up.Cluster.find(folder), tmp_path)
    second.core.create_namespaced_pod("default", pod("there", cluster.image, "echo", "second"))
    assert end_of(second, "default", "there") == "Succeeded: second\n"
    second.core.create_namespaced_pod("default", pod("stays", cluster.image, "sleep", "600"))
    second.wait(
        lambda: second.core.read_namespaced_pod("stays", "default").status.phase == "Running", "the second's pod runs"
    )
    second.client.close()
    began = time.monotonic()
    done = subprocess.run([*command, "down", folder], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < DOWN_LIMIT_S
    assert not folder.exists()
    assert processes_of(folder) == []
    assert what_the_machine_has(layout) == before
    cluster.core.create_namespaced_pod(namespace, pod("here", cluster.image, "echo", "first"))
    assert end_of(cluster, namespace, "here") == "Succeeded: first\n"


@pytest.mark.all
def test_a_cluster_ends_with_the_run_that_started_it_even_by_kill_9(tmp_path: Path) -> None:
    """When the tests are killed, their cluster's processes, mounts, links and control groups go by themselves."""
    if reason := why_none_of_ours():
        pytest.skip(f"no Kubernetes cluster on this machine: {reason}")
    folder = tmp_path / "tied"
    layout = next(each for n in range(200, 249) if not (each := Layout(folder, n)).is_taken)
    before = what_the_machine_has(layout)
    script = (
        "import sys, time; from pathlib import Path; from cluster import up; from cluster.layout import Layout;"
        f"up.start(Layout(Path({str(folder)!r}), {layout.number}), tied=True); print('up', flush=True); time.sleep(600)"
    )
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "up\n"
        run.kill()
    until = time.monotonic() + DOWN_LIMIT_S
    while processes_of(folder) or what_the_machine_has(layout) != before:
        assert time.monotonic() < until, processes_of(folder)
        time.sleep(0.1)
    shutil.rmtree(folder)


@pytest.mark.all
def test_this_checkout_runs_in_a_pod_and_knows_that_it_is_inside(cluster: TestCluster, namespace: str) -> None:
    """A pod with the checkout mounted imports Rucat and pyspark, and finds the cluster by its service account."""
    if cluster.own is None:
        pytest.skip("the named cluster does not see this machine's folders")
    script = (
        "import pyspark.sql.connect.session, rucat_jupyter; from kubernetes import client, config;"
        "config.load_incluster_config(); print(client.VersionApi().get_code().git_version)"
    )
    cluster.core.create_namespaced_pod(namespace, client_pod(cluster, "inside", "-c", script))
    assert end_of(cluster, namespace, "inside") == f"Succeeded: {versions.KUBERNETES}\n"


@pytest.mark.all
def test_a_number_that_is_taken_is_refused_in_one_line(cluster: TestCluster, tmp_path: Path) -> None:
    """Starting a cluster under the number of a running one says so, and harms neither."""
    if cluster.own is None:
        pytest.skip("the named cluster is not on this machine")
    number = cluster.own.layout.number
    with pytest.raises(spaces.NumberTaken, match=f"has the number {number}"):
        up.start(Layout(tmp_path / "same", number))
    assert not (tmp_path / "same").exists()
    assert cluster.core.list_node(_request_timeout=10).items


@pytest.mark.all
def test_recipes_are_built_once_and_never_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe that fails leaves nothing under its name; one that succeeds is not run again."""
    monkeypatch.setenv("RUCAT_TEST_CACHE", str(tmp_path))
    calls = []

    def build(work: Path) -> None:
        (work / "half").write_text("x")
        calls.append(work)
        if len(calls) == 1:
            cache.run("false")

    with pytest.raises(cache.CannotBuild):
        cache.built("thing", ("1",), build)
    assert [path.name for path in (tmp_path / "rucat-tests").iterdir() if not path.name.endswith(".lock")] == []
    assert cache.built("thing", ("1",), build) == cache.built("thing", ("1",), build)
    assert len(calls) == 2


@pytest.mark.all
def test_a_recipe_that_mounts_and_takes_too_long_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mounts end with it, so that the removal of its folder never reaches this machine's own files."""
    monkeypatch.setenv("RUCAT_TEST_CACHE", str(tmp_path))

    def build(work: Path) -> None:
        (work / "proc").mkdir()
        mounts = 'mount -t proc proc "$1" && touch "$2" && sleep 60'
        try:
            cache.run(*image.ALONE, "sh", "-c", mounts, "-", work / "proc", work / "mounted", limit_s=3)
        finally:
            assert (work / "mounted").exists()
            assert str(work) not in Path("/proc/self/mountinfo").read_text()

    with pytest.raises(cache.CannotBuild, match="took over 3 s"):
        cache.built("thing", ("1",), build)
    assert [path.name for path in (tmp_path / "rucat-tests").iterdir() if not path.name.endswith(".lock")] == []
    end = time.monotonic() + 10
    while processes_of(tmp_path):
        assert time.monotonic() < end, processes_of(tmp_path)
        time.sleep(0.1)


@pytest.mark.all
def test_the_surreal_server_keeps_its_url_when_killed_and_started_again(
    real_surreal: Callable[..., surreal.Server], tmp_path: Path
) -> None:
    """A real SurrealDB server answers at the same address after kill -9."""
    server = real_surreal(f"surrealkv://{tmp_path / 'db'}")
    server.start()
    first = server.url
    server.kill()
    server.start()
    assert server.url == first
    server.stop()


@pytest.mark.all
def test_the_kubeconfig_is_only_for_its_owner(cluster: TestCluster) -> None:
    """The administrator's token is in a file that others cannot read."""
    if cluster.own is None:
        pytest.skip("the named cluster is not on this machine")
    assert cluster.kubeconfig.stat().st_mode & 0o077 == 0
    assert json.loads(cluster.kubeconfig.read_text())["users"][0]["user"]["token"]

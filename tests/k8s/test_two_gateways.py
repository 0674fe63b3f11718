"""Two gateways, one SurrealDB server, one cluster: each engine starts once, and either gateway can go (F1)."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cluster import surreal
from fakes.surreal_server import CannotInstall, SurrealServer, install
from support.cluster import TestCluster
from support.kube_place import ENGINE, give_rights, view_of, wait_for
from support.place import QUICK_JVM, Place, place_in, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.timeout(900)]

LOCAL = 'import rucat_jupyter; print(rucat_jupyter.create("mine", driver_memory="1g").id)'
QUERY = "import sys, rucat_jupyter; print(rucat_jupyter.get(sys.argv[1]).connect().range(1000).count())"
MANY = 50
MADE = """
import json, sys, rucat_jupyter
fields = json.loads(sys.argv[1])
for number in range(int(sys.argv[2])):
    rucat_jupyter.create(f"{sys.argv[3]}{number}", profile="k8s-small", wait=False, **fields)
"""
DELETE_ALL_BUT = """
import sys, rucat_jupyter
engines = [engine for engine in rucat_jupyter.engines() if engine.id != sys.argv[1]]
for wait in (False, True):
    for engine in engines:
        engine.delete(wait=wait)
"""
TAKEN_OVER_S = 20.0
SOON_S = 90.0  # on a busy machine


AnyServer = SurrealServer | surreal.Server


@pytest.fixture
def places(
    cluster: TestCluster, restricted_namespace: str, new_server: Callable[..., AnyServer], tmp_path: Path
) -> Iterator[tuple[Place, Place]]:
    """Two homes of one user, each with a gateway of its own, on one store."""
    server = new_server(needs_sign_in=True)
    server.start()
    kubeconfig = give_rights(cluster, restricted_namespace, tmp_path)
    env = {
        "KUBECONFIG": str(kubeconfig),
        "RUCAT_STORE_URL": server.url,
        "RUCAT_STORE_USER": surreal.USER,
        "RUCAT_STORE_PASSWORD": surreal.PASSWORD,
    }
    try:
        with place_in(tmp_path / "1", **env) as first, place_in(tmp_path / "2", **env) as second:
            yield first, second
    finally:
        server.kill()


def pretended(node: str) -> dict[str, Any]:
    """The fields that make the driver a simulated one: it runs immediately, and is never ready."""
    toleration = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}
    gate = {"spec": {"readinessGates": [{"conditionType": "rucat.test/never"}]}}
    return {"node_selector": {"kubernetes.io/hostname": node}, "tolerations": [toleration], "pod_patch": gate}


def drivers(cluster: TestCluster, namespace: str) -> dict[str, int]:
    """How many drivers each engine has."""
    wanted = "app.kubernetes.io/component=driver"
    pods = cluster.core.list_namespaced_pod(namespace, label_selector=wanted, _request_timeout=10).items
    found: dict[str, int] = {}
    for pod in pods:
        engine_id = pod.metadata.labels["rucat.io/engine"]
        found[engine_id] = found.get(engine_id, 0) + 1
    return found


def views_of(place: Place) -> list[dict[str, Any]]:
    """All engines as the command line lists them."""
    views: list[dict[str, Any]] = json.loads(place.rucat("list", "--json").stdout)["engines"]
    return views


def ok(place: Place, code: str, *args: str) -> str:
    """What a script prints."""
    done = place.run_python(code, *args, timeout_s=280)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def bridge_server() -> Callable[..., SurrealServer]:
    """Makes servers of the npm engine behind a bridge, not yet started."""
    try:
        return partial(SurrealServer, install())
    except CannotInstall as exc:
        pytest.skip(str(exc))


@pytest.fixture
def new_server(request: pytest.FixtureRequest) -> Callable[..., AnyServer]:
    """Makes servers of the kind that a parameter names."""
    found: Callable[..., AnyServer] = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("new_server", ["bridge_server"], indirect=True, ids=["npm-engine-behind-a-bridge"])
def test_one_gateway_goes_on_when_the_other_is_killed(
    cluster: TestCluster, restricted_namespace: str, places: tuple[Place, Place]
) -> None:
    """The other looks after all engines; what ran on the killed one's machine is not its business.

    Two are real, one of each gateway's, and each has one driver.
    """
    ids, mine = created(cluster, restricted_namespace, places, ("e0", "e1"))
    one_goes_the_other_takes_over(cluster, restricted_namespace, places, ids, mine, SOON_S)


@pytest.mark.all
@pytest.mark.timing
@pytest.mark.parametrize("new_server", ["real_surreal"], indirect=True, ids=["real-server"])
def test_one_gateway_takes_over_many_engines_within_20_s(
    cluster: TestCluster, restricted_namespace: str, places: tuple[Place, Place], kwok_node: str
) -> None:
    """Three are real, fifty pretended, each has one driver, and their ends are seen within 20 s of the kill."""
    ids, mine = created(cluster, restricted_namespace, places, ("e0", "e1", "e2"))
    at = {"namespace": restricted_namespace, **pretended(kwok_node)}
    for place, mark in zip(places, "mn", strict=True):
        fields = {"image": cluster.image, "kubernetes": at, "start_timeout_s": 3600}
        ok(place, MADE, json.dumps(fields), str(MANY // 2), mark)
    wait_until("drivers", lambda: len(drivers(cluster, restricted_namespace)) == MANY + len(ids), 60)
    one_goes_the_other_takes_over(cluster, restricted_namespace, places, ids, mine, TAKEN_OVER_S + 2)


def created(
    cluster: TestCluster, namespace: str, places: tuple[Place, Place], names: tuple[str, ...]
) -> tuple[dict[str, str], str]:
    """Make real engines by the gateways in turn, and one that runs beside the first gateway; their ids."""
    ids: dict[str, str] = {}
    for number, name in enumerate(names):
        fields: dict[str, Any] = {"executors": 1, "image": cluster.image, "namespace": namespace}
        fields["java"] = list(QUICK_JVM)
        ids[name] = ok(places[number % 2], ENGINE.format(name=name, wait=True, **fields)).split()[-1]
    return ids, ok(places[0], LOCAL).split()[-1]


def one_goes_the_other_takes_over(
    cluster: TestCluster,
    namespace: str,
    places: tuple[Place, Place],
    ids: dict[str, str],
    mine: str,
    within_s: float,
) -> None:
    """Kill the first gateway and delete all drivers: the second tells of each, and restarts one."""
    first, second = places
    counted = drivers(cluster, namespace)
    assert set(ids.values()) <= set(counted)
    assert set(counted.values()) == {1}
    assert {ok(place, QUERY, "e0") for place in places} == {"1000"}
    pid = first.gateway_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    for engine_id in counted:
        cluster.core.delete_namespaced_pod(
            f"rucat-{engine_id}-1", namespace, grace_period_seconds=0, _request_timeout=10
        )

    def all_failed() -> list[dict[str, Any]]:
        views = [view for view in views_of(second) if view["id"] != mine]
        return views if {view["status"] for view in views} == {"Failed"} else []

    ended = wait_until("the other gateway has seen all ends", all_failed, within_s, pause_s=0.2)
    print(f"all {len(ended)} ends were seen {time.monotonic() - killed:.1f} s after the kill")
    assert {view["id"] for view in ended} == set(counted)
    assert {(view["failure"]["reason"], view["run"]) for view in ended} == {("Deleted", 1)}
    # Those that are the second's own are seen sooner than the first's death.
    wait_until("the first gateway is known to be gone", lambda: "gateway" in view_of(second, mine)["message"], SOON_S)
    local = view_of(second, mine)
    assert (local["state"], local["failure"]) == ("Running", None)
    restarted = second.rucat("restart", "e1", timeout_s=240)
    assert restarted.returncode == 0, restarted.stderr
    wait_for(second, "e1", "Running", 60)
    assert ok(second, QUERY, "e1") == "1000"
    back = view_of(first, mine)  # which starts its gateway again
    assert back["failure"] is None
    assert wait_for(first, mine, "Running", SOON_S)["run"] == 1
    assert drivers(cluster, namespace) == {ids["e1"]: 1}
    ok(second, DELETE_ALL_BUT, mine)
    assert drivers(cluster, namespace) == {}
    assert [view["id"] for view in views_of(second)] == [mine]

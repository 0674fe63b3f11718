"""F1 on Kubernetes: a gateway that is killed at any step of a start or of a stop leaves one driver or none, as wanted.

Every call of the API (before it is sent, and when it has been answered) and of the store is such a step. The walk is
made once to count them, then once for each; the next gateway comes on the same data directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from fakes.kube_api import KubeApi
from fakes.world import Wire
from support.cluster import TestCluster
from support.kube_world import KubeWorld, Namespace

from rucat_jupyter.core.engine import Status, Verb
from rucat_jupyter.core.spec import EngineSpec

STEPS = ("GET", "POST", "DELETE", "store.update", "store.remove")
"""Points by the beginning of their names; a process that dies between two reads of the store is nothing new."""
POINTS = ("POST configmaps has ended", "POST pods has ended", "DELETE configmaps has ended", "DELETE pods begins")


class Played:
    """The tests' own API server."""

    def __init__(self, api: KubeApi, spec: EngineSpec) -> None:
        self.api, self.spec = api, spec

    async def inventory(self) -> set[str]:
        return {" ".join(key) for key in self.api.objects if key[0] != "events"}

    async def drivers(self) -> list[str]:
        return self.api.named("pods")


class Real:
    """A namespace of a real cluster."""

    def __init__(self, cluster: TestCluster, name: str, spec: EngineSpec) -> None:
        self.cluster, self.name, self.spec = cluster, name, spec

    async def inventory(self) -> set[str]:
        return await asyncio.to_thread(self.cluster.inventory, self.name)

    async def drivers(self) -> list[str]:
        wanted = "app.kubernetes.io/component=driver"
        pods = await asyncio.to_thread(self.cluster.core.list_namespaced_pod, self.name, label_selector=wanted)
        return [pod.metadata.name for pod in pods.items if pod.metadata.deletion_timestamp is None]


@pytest.fixture
async def played(tmp_path: Path) -> AsyncIterator[Namespace]:
    """A namespace of the played API server."""
    api = KubeApi()
    await api.start()
    config = {"kubernetes": {"kubeconfig": str(api.kubeconfig(tmp_path))}}
    yield Played(api, EngineSpec.model_validate({"spark_version": "4.3.0", **config}))
    await api.stop()


async def walk(world: KubeWorld) -> None:
    """Create, stop, restart and delete one engine; after each, what is there is what is wanted."""
    before = await world.namespace.inventory()
    engine_id = await world.create()
    await world.until(engine_id, Status.RUNNING)
    assert await world.namespace.drivers() == [f"rucat-{engine_id}-1"]
    await world.ask(engine_id, Verb.STOP)
    await world.until(engine_id, Status.STOPPED)
    await world.empty(before)
    await world.ask(engine_id, Verb.RESTART)
    await world.until(engine_id, Status.RUNNING)
    assert await world.namespace.drivers() == [f"rucat-{engine_id}-2"]
    await world.ask(engine_id, Verb.DELETE)
    await world.until(engine_id, None)
    await world.empty(before)
    assert world.doubled == []


async def one_walk(
    namespace: Namespace,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int | None = None,
    points: Sequence[str] = (),
) -> list[str]:
    """Walk once, with a gateway that is killed at the point of that number, or each in turn at the next of `points`.

    Another follows immediately. Returns the names of the first one's points.
    """
    world = KubeWorld(namespace, folder / "data", monkeypatch)
    left, later = [*points], list[asyncio.Task[None]]()

    def watched() -> Wire:
        wire = Wire()

        async def hook(name: str) -> None:
            if left[:1] == [name] or (wire is first and len(wire.names) == number):
                del left[:1]
                wire.cut()
                later.append(asyncio.ensure_future(world.begin(watched())))

        wire.hook = hook
        return wire

    first = watched()
    await world.prepare()
    await world.begin(first)
    try:
        await walk(world)
    finally:
        await asyncio.gather(*later)
        await world.close()
    assert left == []
    return first.names


async def every_walk(
    namespace: Namespace, folder: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...]
) -> None:
    """One walk for each point whose name begins so; tell at which it went wrong."""
    names = await one_walk(namespace, folder / "0", monkeypatch)
    for number, name in enumerate(names, 1):
        if not name.startswith(steps):
            continue
        try:
            await one_walk(namespace, folder / str(number), monkeypatch, number)
        except AssertionError as exc:
            raise AssertionError(f"killed at point {number}, {name}: {exc}") from exc


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Namespace:
    """The one that a parameter names."""
    found: Namespace = request.getfixturevalue(request.param)
    return found


@pytest.mark.all
async def test_a_kill_of_the_gateway_at_any_step_is_recovered(
    played: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each call of the API and of the store in turn: one driver or none, as wanted, and nothing is left."""
    await every_walk(played, tmp_path, monkeypatch, STEPS)


@pytest.fixture
async def real(cluster: TestCluster, restricted_namespace: str) -> Namespace:
    """A namespace of a real cluster."""
    asked = {"kubeconfig": str(cluster.kubeconfig), "namespace": restricted_namespace}
    account = {"metadata": {"name": "rucat-driver"}}
    await asyncio.to_thread(cluster.core.create_namespaced_service_account, restricted_namespace, account)
    sizes = {"driver": {"memory": "512m", "request_cores": "50m"}, "executors": {"request_cores": "50m"}}
    at_once = {
        "spark.log.level": "WARN"
    }  # of Spark's start nothing is waited for: the world's prober hears it immediately
    spec = EngineSpec.model_validate({"image": cluster.image, "kubernetes": asked, "conf": at_once, **sizes})
    return Real(cluster, restricted_namespace, spec)


@pytest.mark.parametrize(
    "namespace", ["played", pytest.param("real", marks=[pytest.mark.cluster, pytest.mark.timeout(600)])], indirect=True
)
async def test_kills_of_four_gateways_in_turn_are_recovered(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each where it hurts most: the cluster has what was asked for, or lacks it, and the store does not know yet."""
    await one_walk(namespace, tmp_path, monkeypatch, points=POINTS)


@pytest.mark.cluster
@pytest.mark.all
@pytest.mark.timeout(1800)
async def test_a_kill_of_the_gateway_at_any_step_is_recovered_on_a_cluster(
    real: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on a real API server, with real pods, at each call of the API that changes something."""
    await every_walk(real, tmp_path, monkeypatch, ("POST", "DELETE"))

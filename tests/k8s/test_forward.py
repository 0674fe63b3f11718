"""Port-forwards through a real API server, kubelet and container runtime: the same promises as on the played one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient
from support.cluster import ApiServer, TestCluster
from support.forwards import (
    PORT,
    PROMISES,
    Place,
    bytes_arrive_as_sent,
    nothing_is_left_after_close,
    the_port_stays_when_the_pod_is_another,
)

from rucat_jupyter.platforms.kubernetes.api.access import connect, find
from rucat_jupyter.platforms.kubernetes.portforward.dialer import Pace
from rucat_jupyter.platforms.kubernetes.portforward.forwards import Forwards, Pod

pytestmark = pytest.mark.cluster

PROGRAM = Path(__file__).parents[1] / "fakes" / "pod_program.py"
PODS = ("one", "two")


@pytest.fixture(scope="module")
def pods(cluster: TestCluster, new_namespace: Callable[..., str]) -> str:
    """A namespace with two pods that run the program."""
    namespace = new_namespace()
    for name in PODS:
        container: dict[str, Any] = {
            "name": "program",
            "image": cluster.image,
            "command": ["python3", "-c", PROGRAM.read_text(), str(PORT)],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        }
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
        cluster.core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec}, _request_timeout=10)

    def are_ready() -> bool:
        read = [cluster.core.read_namespaced_pod(name, namespace, _request_timeout=10).status for name in PODS]
        return all(each.container_statuses and each.container_statuses[0].ready for each in read)

    cluster.wait(are_ready, "the pods are ready")
    return namespace


@pytest.fixture
async def client(cluster: TestCluster, pods: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    """The administrator's client."""
    made = (await connect(find(str(cluster.kubeconfig), None, pods, {}), tmp_path)).client
    yield made
    await made.close()


@pytest.fixture
async def place(pods: str, client: ApiClient, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Forwards into the cluster."""
    loop = asyncio.get_running_loop()

    async def of_now() -> ApiClient:
        return client

    with ThreadPoolExecutor(1, "cluster") as thread:

        async def stop() -> None:
            await loop.run_in_executor(thread, server().stop)

        async def start() -> None:
            await loop.run_in_executor(thread, server().start)

        def server() -> ApiServer:
            found: ApiServer = request.getfixturevalue("api_server")
            return found

        made = Place(Forwards(of_now, Pace(linger_s=3.0)), Pod(pods, "one"), Pod(pods, "two"), stop, start)
        yield made
        await made.close()


IN_BRIEF = (bytes_arrive_as_sent, the_port_stays_when_the_pod_is_another, nothing_is_left_after_close)


@pytest.mark.parametrize(
    "promise",
    [pytest.param(each, marks=[] if each in IN_BRIEF else pytest.mark.all, id=each.__name__) for each in PROMISES],
)
async def test_promise(promise: Callable[[Place], Awaitable[None]], place: Place) -> None:
    """Each promise of the forwards is kept on a real cluster."""
    await promise(place)


@pytest.mark.all
async def test_a_quiet_connection_stays(place: Place) -> None:
    """The real other end answers pings: a connection without data for longer than the limit is not cut."""
    lasting = Place(
        Forwards(place.forwards._dialler._api, Pace(ping_s=0.3, dead_s=1.0)),
        place.pod,
        place.other,
        place.stop_api,
        place.start_api,
    )
    reader, writer = await lasting.dial("echo")
    for word in (b"one\n", b"two\n"):
        writer.write(word)
        assert await reader.readline() == word
        await asyncio.sleep(3)
    await lasting.close()


@pytest.mark.all
@pytest.mark.timing
async def test_speed(place: Place, record_property: Callable[[str, object], None]) -> None:
    """Bulk data goes through at tens of MB a second, a round trip in milliseconds; the figures are recorded."""
    size = 128 << 20
    reader, _ = await place.dial(f"send {size}")
    began, got = time.monotonic(), 0
    while data := await reader.read(1 << 20):
        got += len(data)
    down_mb_s = size / (time.monotonic() - began) / 1e6
    assert got == size
    reader, writer = await place.dial(f"count {size}")
    began = time.monotonic()
    for _ in range(size >> 20):
        writer.write(bytes(1 << 20))
        await writer.drain()
    await reader.readline()
    up_mb_s = size / (time.monotonic() - began) / 1e6
    reader, writer = await place.dial("echo")
    times = []
    for _ in range(200):
        began = time.monotonic()
        writer.write(b"x\n")
        await reader.readline()
        times.append(time.monotonic() - began)
    round_trip_ms = sorted(times)[100] * 1000
    began = time.monotonic()
    for _ in range(20):
        reader, writer = await place.dial("echo")
        writer.write(b"x\n")
        await reader.readline()
        writer.close()
    dial_ms = (time.monotonic() - began) / 20 * 1000
    figures = {"down_mb_s": down_mb_s, "up_mb_s": up_mb_s, "round_trip_ms": round_trip_ms, "dial_ms": dial_ms}
    for name, value in figures.items():
        record_property(name, round(value, 2))
    print({name: round(value, 2) for name, value in figures.items()})
    assert min(down_mb_s, up_mb_s) > 3
    assert round_trip_ms < 100

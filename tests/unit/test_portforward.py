"""Port-forwards on a played API server; the promises in ``support/forwards.py`` are kept on a real cluster too."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from fakes.port_forward import PlayedApi
from kubernetes.aio.client import ApiClient
from support.forwards import ENGINE, PORT, PROMISES, Place, descriptors, is_reset

from rucat_jupyter.client.session.session import CHANNEL_OPTIONS
from rucat_jupyter.core.errors import PlatformUnavailable
from rucat_jupyter.platforms.kubernetes.portforward.dialer import Pace
from rucat_jupyter.platforms.kubernetes.portforward.forwards import Forwards, Pod, direct

PROGRAM = Path(__file__).parents[1] / "fakes" / "pod_program.py"
PACE = Pace(patience_s=8.0, ping_s=0.3, dead_s=0.4, linger_s=1.0)


@pytest.fixture(scope="module")
def program() -> Iterator[int]:
    """The port on which the pods' program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(port)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def api(program: int) -> AsyncIterator[PlayedApi]:
    """An API server that is up, with two pods."""
    played = PlayedApi()
    played.pods = {"one": {PORT: program}, "two": {PORT: program}}
    await played.start()
    yield played
    await played.stop()


async def make_place(api: PlayedApi, pace: Pace = PACE) -> tuple[Place, ApiClient]:
    client = api.client()

    async def of_now() -> ApiClient:
        return client

    place = Place(Forwards(of_now, pace), Pod("n", "one"), Pod("n", "two"), api.stop, api.start)
    return place, client


@pytest.fixture
async def place(api: PlayedApi) -> AsyncIterator[Place]:
    """Forwards into the played cluster."""
    made, client = await make_place(api)
    yield made
    await made.close()
    await client.close()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_promise(promise: Callable[[Place], Awaitable[None]], place: Place) -> None:
    """Each promise of the forwards is kept on the played API server."""
    await promise(place)


async def test_waiting_clients_cost_one_attempt_a_second(place: Place, api: PlayedApi) -> None:
    """Fifty held connections and one look as often at a server that says 503, as one would."""
    await place.dial("echo")
    api.status = 503
    api.asked.clear()
    for _ in range(50):
        await place.dial("echo")
    await asyncio.sleep(4)
    assert len(api.asked) < 50 + 12  # each tries once for itself
    api.status = None


async def test_a_server_that_puts_off_connections_is_not_dialled_meanwhile(place: Place, api: PlayedApi) -> None:
    """A Retry-After holds for all connections, also for new ones; after it they are made."""
    await place.port()
    api.status, api.headers = 429, {"Retry-After": "2"}
    held = [await place.dial("echo")]
    await asyncio.sleep(0.5)
    held += [await place.dial("echo") for _ in range(10)]
    await asyncio.sleep(1)
    assert len(api.asked) == 1
    assert place.forwards.problem(ENGINE).endswith("the API server answered 429")
    api.status = None
    for reader, writer in held:
        writer.write(b"one\n")
        assert await asyncio.wait_for(reader.readline(), 5) == b"one\n"


async def test_patience_ends(api: PlayedApi) -> None:
    """A connection is held for a bounded time, then cut."""
    place, client = await make_place(api, replace(PACE, patience_s=1.0))
    await place.port()
    await api.stop()
    began = time.monotonic()
    reader, _ = await place.dial("echo")
    assert await is_reset(reader, 5)
    assert 0.5 < time.monotonic() - began < 3
    await place.close()
    await client.close()


async def test_a_client_that_leaves_while_it_is_held_is_forgotten(place: Place, api: PlayedApi) -> None:
    """Nothing is dialled for it when the API server is back."""
    await place.port()
    await api.stop()
    held = [await place.dial("echo") for _ in range(10)]
    await asyncio.sleep(0.3)
    for _, writer in held:
        writer.close()
    await asyncio.sleep(2.5)
    api.asked.clear()
    await api.start()
    await asyncio.sleep(2)
    assert api.asked == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_missing_right_is_reported_immediately(status: int, place: Place, api: PlayedApi) -> None:
    """It is cut immediately, and the problem names what the role needs; with the right it is gone."""
    api.status = status
    reader, _ = await place.dial("echo")
    assert await is_reset(reader, 2)
    problem = place.forwards.problem(ENGINE)
    words = {401: "it does not accept the credentials", 403: "the role needs "}[status]
    assert problem.startswith(f"port-forward to pod n/one: the API server answered {status}; {words}")
    api.status = None
    reader, writer = await place.dial("echo")
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    assert place.forwards.problem(ENGINE) == ""


async def test_a_problem_of_one_pod_delays_no_other(place: Place, api: PlayedApi) -> None:
    """A node whose kubelet does not answer (500) is tried again for its own engine; the API server is not to blame."""
    api.status = 500
    reader, writer = await place.dial("echo")
    writer.write(b"one\n")
    await asyncio.sleep(0.3)
    api.status = None
    other, second = await asyncio.open_connection("127.0.0.1", await place.port(place.other, "b" * 16))
    second.write(b"echo\ntwo\n")
    assert await asyncio.wait_for(other.readline(), 1) == b"two\n"
    assert await asyncio.wait_for(reader.readline(), 3) == b"one\n"
    second.close()


async def test_a_dead_network_is_noticed(place: Place, api: PlayedApi) -> None:
    """A connection whose other end owes a sign of life is cut, and one that is merely quiet is not."""
    quiet, writer = await place.dial("echo")
    writer.write(b"one\n")
    assert await quiet.readline() == b"one\n"
    await asyncio.sleep(2)
    writer.write(b"two\n")
    assert await quiet.readline() == b"two\n"
    api.is_mute = True
    writer.write(b"three\n")
    assert await is_reset(quiet, 5)


async def test_a_stalled_pod_is_no_dead_network(place: Place) -> None:
    """A pod that reads nothing for longer than the limit keeps its connection."""
    reader, writer = await place.dial("stall")
    assert await reader.readline() == b"ok\n"
    writer.write(bytes(32 << 20))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(), 3)


async def test_a_half_without_an_answer_ends(place: Place) -> None:
    """A client that ended its half, of a pod that says nothing, is not kept endlessly."""
    reader, writer = await place.dial("silent")
    writer.write_eof()
    began = time.monotonic()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    assert time.monotonic() - began > 0.9


async def test_a_client_that_cannot_be_had_is_waited_for(api: PlayedApi) -> None:
    """Credentials that cannot be read now are as good as an API server that is away."""
    client, is_there = api.client(), False

    async def of_now() -> ApiClient:
        if not is_there:
            raise PlatformUnavailable("the kubeconfig cannot be read")
        return client

    place = Place(Forwards(of_now, PACE), Pod("n", "one"), Pod("n", "two"), api.stop, api.start)
    reader, writer = await place.dial("echo")
    writer.write(b"one\n")
    await asyncio.sleep(0.3)
    assert place.forwards.problem(ENGINE) == "the kubeconfig cannot be read"
    is_there = True
    assert await asyncio.wait_for(reader.readline(), 2) == b"one\n"
    await place.close()
    await client.close()


async def test_a_notebooks_channel_waits_for_the_api_server(api: PlayedApi) -> None:
    """A call that begins while the API server is away ends well when it is back, at its first attempt."""
    server = grpc.server(ThreadPoolExecutor(1, "grpc"))
    server.add_generic_rpc_handlers((Answers(),))
    api.pods["one"][PORT] = server.add_insecure_port("127.0.0.1:0")
    server.start()
    place, client = await make_place(api)
    port = await place.port()
    await api.stop()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS) as channel:
        call = asyncio.get_running_loop().run_in_executor(
            None, lambda: channel.unary_unary("/engine/Ask")(b"", timeout=20)
        )
        await asyncio.sleep(2.5)
        assert not call.done()
        await api.start()
        assert await asyncio.wait_for(call, 3) == b"answer"
    server.stop(None).wait()
    await place.close()
    await client.close()


class Answers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every call."""

    def service(self, handler_call_details: object) -> object:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"answer")


async def test_a_dropped_engine_leaves_nothing(place: Place) -> None:
    """Its port is free, its connections are cut, others go on; dropping it twice is fine."""
    other = await place.port(engine_id="b" * 16)
    before = descriptors()
    port = await place.port()
    reader, writer = await place.dial("echo")
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    await place.forwards.drop(ENGINE)
    await place.forwards.drop(ENGINE)
    assert await is_reset(reader, 2)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(1.5)  # the played server's own end, as containerd's, takes a second
    assert descriptors() <= before
    assert await place.port(engine_id="b" * 16) == other


async def test_the_port_is_the_same_after_the_gateways_restart(api: PlayedApi) -> None:
    """Nothing is stored, and yet clients of the old gateway find the engine; a taken port is no obstacle."""
    first, client = await make_place(api)
    port = await first.port()
    beside, client_2 = await make_place(api)
    assert await beside.port() != port
    await first.close()
    again, client_3 = await make_place(api)
    assert await again.port() == port
    for place in (beside, again):
        await place.close()
    for each in (client, client_2, client_3):
        await each.close()


async def test_a_flood_of_connections_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One client cannot use up the gateway's descriptors: what is too much is refused, what was there goes on."""
    monkeypatch.setattr("rucat_jupyter.platforms.kubernetes.portforward.forwards.MOST_CONNECTIONS", 3)
    first = [await place.dial("echo") for _ in range(3)]
    await asyncio.sleep(0.1)
    reader, _ = await place.dial("echo")
    assert await is_reset(reader, 2)
    for reader, writer in first:
        writer.write(b"one\n")
        assert await reader.readline() == b"one\n"


def test_inside_the_cluster_the_pod_itself_is_the_endpoint() -> None:
    """IPv4 and IPv6, with and without a UI."""
    assert direct("10.244.0.7", 15002, 4040).ui_url == "http://10.244.0.7:4040"
    assert direct("fd00::7", 15002).url == "sc://[fd00::7]:15002"

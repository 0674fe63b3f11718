"""Promises of the port-forwards, as functions of a place: kept on a played API server and on a real cluster."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import psutil

from rucat_jupyter.platforms.kubernetes.portforward.forwards import Forwards, Pod

PORT = 15002
UI_PORT = 4040
ENGINE = secrets.token_hex(8)
"""Its own port in each process: tests that run beside this one forward engines, too."""
SMALL = 256 << 10


@dataclass
class Place:
    """Forwards into a cluster in which two pods run the program, and what can be done to that cluster."""

    forwards: Forwards
    pod: Pod
    other: Pod
    stop_api: Callable[[], Awaitable[None]]
    start_api: Callable[[], Awaitable[None]]
    large: int = 20 << 20
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def port(self, pod: Pod | None = None, engine_id: str = ENGINE) -> int:
        """The loopback port of an engine whose driver is that pod."""
        return (await self.forwards.endpoint(engine_id, pod or self.pod, PORT)).port

    async def dial(self, line: str = "", pod: Pod | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection, whose first line is said."""
        reader, writer = await asyncio.open_connection("127.0.0.1", await self.port(pod))
        self.opened.append(writer)
        if line:
            writer.write(line.encode() + b"\n")
        return reader, writer

    async def close(self) -> None:
        """Close clients and forwards."""
        for writer in self.opened:
            writer.transport.abort()
        await self.forwards.close()
        await asyncio.sleep(0)


def descriptors() -> int:
    """How many this process has open."""
    return psutil.Process().num_fds()


async def is_reset(reader: asyncio.StreamReader, within_s: float) -> bool:
    """Whether the connection is cut, so that what came cannot be taken for all."""
    try:
        await asyncio.wait_for(reader.read(), within_s)
    except ConnectionResetError:
        return True
    return False


async def bytes_arrive_as_sent(place: Place) -> None:
    """Both ways, in order, complete, with an end that is one."""
    data = os.urandom(place.large)
    reader, writer = await place.dial(f"count {len(data)}")
    writer.write(data)
    assert await reader.readline() == hashlib.sha256(data).hexdigest().encode() + b"\n"
    writer.close()
    reader, _ = await place.dial(f"send {place.large}")
    answer = await reader.read()
    assert len(answer) == place.large
    assert answer[:SMALL] == (bytes(range(256)) * 1024)[:SMALL]


async def many_at_once(place: Place, count: int = 100) -> None:
    """A hundred concurrent connections, none in the way of another, a stalled one least of all."""
    stalled, writer = await place.dial("stall")
    assert await stalled.readline() == b"ok\n"
    writer.write(bytes(8 << 20))

    async def talk(number: int) -> None:
        reader, writer = await place.dial("echo")
        for part in range(3):
            words = f"{number}.{part}\n".encode() * 500
            writer.write(words)
            assert await reader.readexactly(len(words)) == words
        writer.close()

    await asyncio.gather(*(talk(number) for number in range(count)))


async def a_client_that_takes_nothing_makes_the_pod_wait(place: Place) -> None:
    """What is held for it is bounded, and comes complete when it goes on."""
    size = 64 << 20
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", await place.port()))
    await loop.sock_sendall(raw, f"send {size}\n".encode())
    before = _memory_kb()
    await asyncio.sleep(1.5)
    assert _memory_kb() - before < 16 << 10
    got = 0
    while data := await loop.sock_recv(raw, 1 << 20):
        got += len(data)
    raw.close()
    assert got == size


async def a_pod_that_takes_nothing_makes_the_client_wait(place: Place) -> None:
    """What it sends is not piled up here."""
    reader, writer = await place.dial("stall")
    assert await reader.readline() == b"ok\n"
    before, sent = _memory_kb(), 0
    try:
        while sent < 256 << 20:
            writer.write(bytes(1 << 20))
            await asyncio.wait_for(writer.drain(), 2)
            sent += 1 << 20
    except asyncio.TimeoutError:
        pass
    assert sent < 128 << 20  # the buffers of the sockets on the way
    assert _memory_kb() - before < 16 << 10


async def a_client_that_ended_its_half_still_gets_the_answer(place: Place) -> None:
    """All that the pod sends arrives after the client has said its last word."""
    reader, writer = await place.dial(f"send {place.large}")
    writer.write_eof()
    assert len(await reader.read()) == place.large


async def a_cut_is_seen_as_one(place: Place) -> None:
    """A port where nothing listens, and a pod that is not there, are immediate resets, no end of an answer."""
    nobody = await place.forwards.endpoint(ENGINE, place.pod, PORT, UI_PORT)
    assert nobody.ui_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", int(nobody.ui_url.rsplit(":")[-1]))
    assert await is_reset(reader, 5)
    writer.close()
    reader, writer = await place.dial("echo", Pod(place.pod.namespace, "nobody"))
    assert await is_reset(reader, 5)
    writer.close()
    assert place.forwards.problem(ENGINE) == ""


async def the_port_stays_when_the_pod_is_another(place: Place) -> None:
    """A restarted engine is behind the same port, and its clients find it there."""
    reader, writer = await place.dial("echo")
    port = await place.port()
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    assert await place.port(place.other) == port
    again, second = await place.dial("echo", place.other)
    second.write(b"two\n")
    assert await again.readline() == b"two\n"
    assert await place.port(engine_id="b" * 16) != port


async def a_connection_is_held_while_the_api_is_away(place: Place, away_s: float = 3.0) -> None:
    """What is open is cut immediately; what comes waits, and is served within 2 s after the API server is back."""
    reader, writer = await place.dial("echo")
    port = await place.port()
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    await place.stop_api()
    assert await is_reset(reader, 10)
    held = [await place.dial("echo") for _ in range(20)]
    for _, writer in held:
        writer.write(b"two\n")
    await asyncio.sleep(away_s)
    assert not any(reader.at_eof() for reader, _ in held)
    assert "does not answer" in place.forwards.problem(ENGINE)
    await place.start_api()
    for reader, _ in held:
        assert await asyncio.wait_for(reader.readline(), 2) == b"two\n"
    assert place.forwards.problem(ENGINE) == ""
    assert await place.port() == port


async def nothing_is_left_after_close(place: Place) -> None:
    """No task, descriptor or thread, whatever was under way: talking, held, refused, cut by its client."""
    threads, before, tasks = _threads(), descriptors(), len(asyncio.all_tasks())
    reader, writer = await place.dial("echo")
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    for _ in range(5):
        raw = socket.create_connection(("127.0.0.1", await place.port()))
        raw.sendall(b"send 10000000\n")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
    await place.dial("stall")
    await place.stop_api()
    for _ in range(3):
        await place.dial("echo")
    await asyncio.sleep(0.2)
    await place.close()
    for _ in range(100):
        if (len(asyncio.all_tasks()), descriptors()) <= (tasks, before):
            break
        await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == tasks, asyncio.all_tasks()
    assert _threads() == threads
    assert descriptors() <= before
    await place.start_api()


PROMISES = (
    bytes_arrive_as_sent,
    many_at_once,
    a_client_that_takes_nothing_makes_the_pod_wait,
    a_pod_that_takes_nothing_makes_the_client_wait,
    a_client_that_ended_its_half_still_gets_the_answer,
    a_cut_is_seen_as_one,
    the_port_stays_when_the_pod_is_another,
    a_connection_is_held_while_the_api_is_away,
    nothing_is_left_after_close,
)


def _memory_kb() -> int:
    """Resident memory of this process now."""
    return psutil.Process().memory_info().rss // 1024


def _threads() -> int:
    """How many threads there are, without those in which a test handles its cluster."""
    return sum(not thread.name.startswith("cluster") for thread in threading.enumerate())

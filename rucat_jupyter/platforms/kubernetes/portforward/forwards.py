"""Port-forwards into one cluster, each behind a loopback address that stays the same while the gateway lives.

For gateways outside the cluster; inside it clients dial the pod itself (:func:`direct`). A platform makes one
:class:`Forwards` for each cluster that it talks to, and for every engine that may live asks :meth:`Forwards.endpoint`:

* It needs no call of the API: it opens the listeners when the engine is first asked for, and from then on only takes
  note of the pod of the present life. So it answers while the API server is away, and a restarted engine (another
  pod) is behind the same port.
* Each connection of a client is one WebSocket to the API server (:mod:`.websocket`), dialled when it comes.
* While the API server does not answer, a new connection is held, not refused, until it does or patience ends: clients
  wait instead of failing. What breaks is cut on the client's side too; Spark Connect's clients then reattach.
* :meth:`Forwards.problem` says what stands between this gateway and an engine's pod now. For as long as it says
  something the engine's silence says nothing: platforms hand it on as ``Observation.blocked``.
* :meth:`Forwards.drop` when the engine is deleted (not when it is stopped: its port is to stay).
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field

from kubernetes.aio.client import ApiClient

from ....core.errors import PlatformUnavailable
from ....core.ports.platform import Endpoint
from ....host.free_ports import RANGE
from .dialer import Dialer, Pace, Problem
from .pipe import Client, Pipe
from .websocket import Dialler, Pod, Wire, WireError

__all__ = ["Forwards", "Pod", "direct"]

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 512
"""Of one engine's port: a client that opens ever more must not use up the gateway's descriptors."""
CANDIDATES = 16


def direct(ip: str, port: int, ui_port: int | None = None) -> Endpoint:
    """The endpoint of a pod for a gateway in the cluster: its own address, which needs neither DNS nor kube-proxy."""
    host = f"[{ip}]" if ipaddress.ip_address(ip).version == 6 else ip
    return Endpoint(host, port, f"http://{host}:{ui_port}" if ui_port is not None else None, is_its_own=True)


@dataclass
class _Listener:
    """One stable loopback port, and the connections that came by it."""

    server: asyncio.Server
    port: int
    pipes: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass
class _Engine:
    """What is forwarded for one engine."""

    pod: Pod
    problem: Problem = field(default_factory=Problem)
    listeners: dict[int, _Listener] = field(default_factory=dict)  # by the pod's port


class Forwards:
    """All forwards of this gateway into one cluster.

    ``api`` gives the client of now (address, TLS, proxy, credentials; its own connections are not used); it may raise
    PlatformUnavailable, which is waited out like an API server that is away. ``renew`` is called with a client whose
    credentials the API server does not accept. ``dial`` stands in for the API in tests.
    """

    def __init__(
        self,
        api: Callable[[], Awaitable[ApiClient]],
        pace: Pace | None = None,
        dial: Callable[[Pod, int], Awaitable[Wire]] | None = None,
        renew: Callable[[ApiClient], Awaitable[None]] | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._dialler = Dialler(api, self._pace.dial_s, renew)
        self._way = Dialer(dial or self._dialler.dial, self._pace)
        self._engines: dict[str, _Engine] = {}
        self._opening = asyncio.Lock()

    async def endpoint(self, engine_id: str, pod: Pod, port: int, ui_port: int | None = None) -> Endpoint:
        """Where clients on this machine reach the engine: the same for every pod that it ever has."""
        async with self._opening:
            engine = self._engines.setdefault(engine_id, _Engine(pod))
            engine.pod = pod
            connect = await self._listen(engine_id, engine, port)
            ui = await self._listen(engine_id, engine, ui_port) if ui_port is not None else None
        ui_url = f"http://{LOOPBACK}:{ui}" if ui is not None else None
        return Endpoint(LOOPBACK, connect, ui_url, is_its_own=True, is_forwarded=True)

    def problem(self, engine_id: str) -> str:
        """Why this gateway cannot reach the engine's pod, by the last connection; empty if it can."""
        engine = self._engines.get(engine_id)
        return engine.problem.words if engine else ""

    def is_refused(self, engine_id: str) -> bool:
        """Whether the problem is that this gateway may not do it."""
        engine = self._engines.get(engine_id)
        return engine is not None and engine.problem.is_refused

    async def drop(self, engine_id: str) -> None:
        """Release a deleted engine: its ports and their connections."""
        engine = self._engines.pop(engine_id, None)
        if engine:
            await _close(engine.listeners.values())

    async def close(self) -> None:
        """Close everything; returns when no task or socket is left."""
        engines, self._engines = self._engines, {}
        await asyncio.gather(*(_close(engine.listeners.values()) for engine in engines.values()))
        await self._dialler.close()

    async def _listen(self, engine_id: str, engine: _Engine, port: int) -> int:
        """The loopback port for the pod's port, opened when it is first asked for."""
        listener = engine.listeners.get(port)
        if listener is None:
            pipes: set[asyncio.Task[None]] = set()
            server = await _open(
                lambda: Client(lambda client: self._accept(engine_id, engine, port, pipes, client)),
                f"{engine_id}:{port}",
            )
            listener = engine.listeners[port] = _Listener(server, server.sockets[0].getsockname()[1], pipes)
        return listener.port

    def _accept(
        self, engine_id: str, engine: _Engine, port: int, pipes: set[asyncio.Task[None]], client: Client
    ) -> None:
        if len(pipes) >= MOST_CONNECTIONS:
            log.warning("%s has %d connections on port %d: another one was rejected", engine_id, len(pipes), port)
            client.abort()
            return
        pipe = Pipe(client, self._pace)
        task = asyncio.ensure_future(pipe.run(lambda: self._way.open(engine.pod, port, engine.problem)))
        pipes.add(task)
        task.add_done_callback(lambda task: _ended(engine_id, pipes, task))


def _candidates(key: str) -> Iterator[int]:
    """Ports that this engine would like: the same again after the gateway's restart, so that its clients find it."""
    for number in range(CANDIDATES):
        digest = hashlib.sha256(f"{key} {number}".encode()).digest()
        yield RANGE[int.from_bytes(digest[:8], "big") % len(RANGE)]
    yield 0


async def _open(factory: Callable[[], Client], key: str) -> asyncio.Server:
    """A server on the first of the candidates that can be had."""
    loop, problem = asyncio.get_running_loop(), None
    for port in _candidates(key):
        try:
            return await loop.create_server(factory, LOOPBACK, port, backlog=MOST_CONNECTIONS)
        except OSError as exc:
            problem = exc
    raise PlatformUnavailable(f"no loopback port is available to reach an engine: {problem}") from problem


def _ended(engine_id: str, pipes: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    """Note why a connection was cut off; whatever is not foreseen must be heard of."""
    pipes.discard(task)
    if task.cancelled() or (exc := task.exception()) is None:
        return
    if isinstance(exc, WireError):
        log.info("%s a connection was cut off: %s", engine_id, exc)
    else:
        log.error("%s internal error in a connection", engine_id, exc_info=exc)


async def _close(listeners: Iterable[_Listener]) -> None:
    listeners = list(listeners)
    for listener in listeners:
        listener.server.close()
    pipes = [pipe for listener in listeners for pipe in listener.pipes]
    for pipe in pipes:
        pipe.cancel()
    await asyncio.gather(*pipes, return_exceptions=True)
    await asyncio.gather(*(listener.server.wait_closed() for listener in listeners))

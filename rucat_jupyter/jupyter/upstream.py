"""HTTP calls to the gateway of a data directory, on the event loop of the Jupyter server.

A call that a gateway did not accept (connection refused, or 503 while it closes) goes to the next one, which
:mod:`rucat_jupyter.launch.launch` finds or starts in a thread. A call that broke is repeated only if it is idempotent.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tornado.httputil import HTTPHeaders

from ..core.errors import GatewayUnavailable
from ..launch import launch

if TYPE_CHECKING:
    import aiohttp

CONNECT_S = 5.0
WATCH_S = 4.0
"""A call that takes longer makes us look whether the gateway is frozen."""
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})


@dataclass(frozen=True)
class Request:
    """A call: ``target`` is the encoded path and query; ``read_s`` the longest silence, None: no limit."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    read_s: float | None = 30.0

    @property
    def name(self) -> str:
        """Name in messages, without the query."""
        return f"{self.method} {self.target.partition('?')[0]}"


class Sink(Protocol):
    """Receives a streamed response."""

    def begin(self, status: int, headers: HTTPHeaders) -> None:
        """Receive status and headers; called once, first."""
        ...

    async def take(self, piece: bytes) -> None:
        """Receive a piece of the body; the next one is read when this returns."""
        ...


class Broken(Exception):
    """The gateway ended during the call. ``has_begun``: a part of the response went to the sink."""

    def __init__(self, *, has_begun: bool) -> None:
        super().__init__()
        self.has_begun = has_begun


class Silent(Exception):
    """The gateway sent nothing for too long."""


@dataclass
class Collected:
    """A sink that keeps the whole response."""

    status: int = 0
    body: bytes = b""

    def begin(self, status: int, headers: HTTPHeaders) -> None:
        """Keep the status."""
        self.status = status

    async def take(self, piece: bytes) -> None:
        """Keep the piece."""
        self.body += piece


class Upstream:
    """Calls to the gateway of one data directory.

    Parameters
    ----------
    find
        Finds or starts the gateway; called in a thread.
    on_contact
        Called with each gateway that was found.
    wait_s
        How long to retry a call when gateways are closing.
    check
        Raises GatewayUnavailable if the gateway is frozen; called in a thread while a call takes long.
    """

    def __init__(
        self,
        find: Callable[[], launch.Address],
        on_contact: Callable[[launch.Address], None],
        wait_s: float,
        check: Callable[[], None] = lambda: launch.check(waited_s=WATCH_S),
    ) -> None:
        self._find = find
        self._check = check
        self._on_contact = on_contact
        self._wait_s = wait_s
        self._address: launch.Address | None = None
        self._finding: asyncio.Task[launch.Address] | None = None
        self._sessions: dict[str, aiohttp.ClientSession] = {}  # by socket: a gateway and its successor share one

    async def send(self, request: Request, sink: Sink) -> None:
        """Send a call to the gateway or its successor, and the response to the sink.

        Raises GatewayUnavailable (no gateway starts, or it is unknown whether the call was done), and Broken after a
        part of the response went to the sink.
        """
        deadline = time.monotonic() + self._wait_s
        while True:
            address = self._address or await self._search()
            try:
                call = self._try(address.socket, request, sink, has_next=time.monotonic() <= deadline)
                if await (self._watched(call) if request.read_s else call):
                    return
            except Broken as exc:
                if exc.has_begun:
                    raise
                if request.method not in _REPEATABLE:
                    raise GatewayUnavailable(
                        f"the gateway ended during {request.name}: check whether it was done before you try again"
                    ) from None
            except Silent:
                raise GatewayUnavailable(
                    f"the gateway did not answer {request.name} within {request.read_s:g} s; if this persists, "
                    "replace it: `rucat serve --replace` in a terminal"
                ) from None
            if self._address is address:
                self._address = None

    async def close(self) -> None:
        """Close the connections."""
        if self._finding is not None:
            self._finding.cancel()
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def _try(self, socket: str, request: Request, sink: Sink, *, has_next: bool) -> bool:
        """Make the call once; on a kept connection, which may be closed by now, only if it can be repeated."""
        if request.method not in _REPEATABLE:
            async with open_session(socket) as fresh:
                return await exchange(fresh, request, sink, has_next=has_next)
        if socket not in self._sessions:
            self._sessions[socket] = open_session(socket)
        return await exchange(self._sessions[socket], request, sink, has_next=has_next)

    async def _watched(self, call: Awaitable[bool]) -> bool:
        """Make the call; raises GatewayUnavailable as soon as the gateway is found to be frozen."""
        task = asyncio.ensure_future(call)
        try:
            while not (await asyncio.wait({task}, timeout=WATCH_S))[0]:
                await asyncio.to_thread(self._check)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _search(self) -> launch.Address:
        """Find the gateway: all callers share one search, which goes on if one of them is cancelled."""
        if self._finding is None:
            self._finding = asyncio.create_task(self._look())
        return await asyncio.shield(self._finding)

    async def _look(self) -> launch.Address:
        try:
            self._address = await asyncio.to_thread(self._find)
        finally:
            self._finding = None
        self._on_contact(self._address)
        return self._address


def open_session(socket: str) -> aiohttp.ClientSession:
    """Open a pool of connections to a Unix socket; the caller closes it."""
    import aiohttp  # noqa: PLC0415 - here: heavy, 70 ms and 8 MB of a server's start

    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(socket, limit=0),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        middlewares=(_send_once,),
    )


async def exchange(session: aiohttp.ClientSession, request: Request, sink: Sink, *, has_next: bool = False) -> bool:
    """Make one call; False if the gateway did not accept it. Raises Broken and Silent.

    ``has_next``: the call can go to another gateway, so the 503 of a closing one does not go to the sink.
    """
    import aiohttp  # noqa: PLC0415 - here: heavy
    from yarl import URL  # noqa: PLC0415 - heavy

    has_begun = False
    try:
        async with session.request(
            request.method,
            URL(f"http://rucat{request.target}", encoded=True),
            headers=request.headers,
            data=io.BytesIO(request.body) if request.body else None,
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S, sock_read=request.read_s),
            allow_redirects=False,
        ) as answer:
            held = b""
            if has_next and answer.status == GatewayUnavailable.http_status:
                held = await answer.read()
                if _is_closing(held):
                    answer.close()
                    return False
            has_begun = True
            headers = HTTPHeaders()
            for name, value in answer.raw_headers:
                headers.add(name.decode("latin-1"), value.decode("latin-1"))
            sink.begin(answer.status, headers)
            if held:
                await sink.take(held)
            async for piece in answer.content.iter_any():
                await sink.take(piece)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        return False
    except aiohttp.ServerTimeoutError:
        raise Silent from None
    except aiohttp.ClientError:
        raise Broken(has_begun=has_begun) from None
    return True


async def _send_once(call: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a call once: aiohttp itself would repeat a broken one, even DELETE."""
    import aiohttp  # noqa: PLC0415 - here: heavy

    try:
        return await send(call)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise Broken(has_begun=False) from None


def _is_closing(body: bytes) -> bool:
    """Whether the body of a 503 says that the gateway is closing and did nothing."""
    try:
        return bool(json.loads(body)["code"] == GatewayUnavailable.code)
    except (ValueError, KeyError, TypeError):
        return False

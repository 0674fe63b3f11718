"""One connection to one port of a pod: the API server's port-forward protocol on a WebSocket.

The protocol is ``v4.channel.k8s.io``: one WebSocket a connection, each message begins with its channel (0: data,
1: error), and the first two bytes of each channel repeat the port. Every API server and kubelet in use speaks it.

Why not the newer one (``SPDY/3.1+portforward.k8s.io``, what kubectl does): SPDY's multiplexing has one slow client
block all others, for its Go implementation has no flow control between streams; what it has more, the half-close, the
container runtime ends after a second anyway. Why not ``kubernetes.stream.portforward``: two threads a connection, no
bound on what it buffers, and ``select``, which fails beyond 1,024 descriptors.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from multidict import CIMultiDict

from ....core.errors import PlatformUnavailable
from ....core.timeouts import within
from .. import troubles
from ..api import proxies
from ..api.pauses import retry_after_s

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
PORT_BYTES = 2
LARGEST_MESSAGE = 8 << 20
LARGEST_FRAME = 128 << 10
"""Size of a message: the other end keeps a whole message in memory."""
CLOSE_S = 1.0
TRANSIENT = frozenset({408, 429})
OF_THE_POD = frozenset({400, 404, 409})
"""Statuses that say that the pod is not there, or does not run (yet)."""
UNAUTHORIZED, FORBIDDEN = 401, 403
NEED = "the role needs get and create on pods/portforward"


@dataclass(frozen=True)
class Pod:
    """Where an engine's driver is."""

    namespace: str
    name: str


class WireError(Exception):
    """A connection that cannot be had, or has broken, in words."""


class OutOfReach(WireError):
    """The API server, or something behind it, does not respond; retry later, and not before ``after_s``."""

    def __init__(self, words: str, *, is_cluster: bool, after_s: float = 0.0) -> None:
        super().__init__(words)
        self.is_cluster = is_cluster
        self.after_s = after_s


class Refused(WireError):
    """The API server said no. ``is_ours``: to this gateway, whatever the pod does; ``is_right``: a right is missing."""

    def __init__(self, words: str, *, is_ours: bool = False, is_right: bool = False) -> None:
        super().__init__(words)
        self.is_ours = is_ours or is_right
        self.is_right = is_right


class _Rejected(Refused):
    """The API server does not accept the credentials."""


class Wire:
    """An open connection; one task may send while another receives."""

    def __init__(self, opened: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._socket = opened
        self._raw = opened.get_extra_info("socket")
        self._to_skip = {DATA: PORT_BYTES, ERROR: PORT_BYTES}
        self._sending = False
        self._pinged_at: float | None = None
        self._data_at = time.monotonic()

    @property
    def quiet_s(self) -> float:
        """For how long no data has come from the pod."""
        return time.monotonic() - self._data_at

    async def send(self, data: bytes) -> None:
        """Send to the pod; waits while the way there is full. Raises WireError when the connection has broken."""
        self._sending = True
        try:
            for start in range(0, len(data), LARGEST_FRAME):
                await self._socket.send_bytes(b"\x00" + data[start : start + LARGEST_FRAME])
        except (aiohttp.ClientError, ConnectionError) as exc:
            raise WireError(f"the connection broke: {exc}") from exc
        finally:
            self._sending = False

    async def receive(self) -> bytes:
        """Wait for what the pod sends; empty when it has ended the connection. Raises WireError when it broke."""
        while True:
            message = await self._socket.receive()
            self._pinged_at = None
            if message.type is aiohttp.WSMsgType.BINARY:
                self._data_at = time.monotonic()
                if data := self._taken(message.data):
                    return data
            elif message.type is aiohttp.WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.CLOSE and message.data == aiohttp.WSCloseCode.OK:
                return b""
            elif message.type is not aiohttp.WSMsgType.PONG:
                raise WireError(f"the connection broke ({message.type.name} {message.data or ''})".rstrip())

    def _taken(self, message: bytes) -> bytes:
        channel, skip = message[0] if message else DATA, 0
        if channel in self._to_skip:
            skip = min(self._to_skip[channel], len(message) - 1)
            self._to_skip[channel] -= skip
        data = message[1 + skip :]
        if channel == ERROR and data:
            raise WireError(" ".join(data.decode("utf-8", "replace").split())[:500])
        return data if channel == DATA else b""

    async def is_dead(self, dead_s: float, *, is_read: bool) -> bool:
        """Ask the other end for a sign of life; True when it has owed one for ``dead_s``.

        A full way is no silence: the other end answers nothing while the pod takes nothing, and while our client
        takes nothing (``is_read`` False) we would not read the answer.
        """
        if self._sending or not is_read:
            self._pinged_at = None
        elif self._pinged_at is not None:
            return time.monotonic() - self._pinged_at > dead_s
        else:
            self._pinged_at = time.monotonic()
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, asyncio.TimeoutError):  # receive() tells
                await within(CLOSE_S, self._socket.ping())
        return False

    async def close(self) -> None:
        """Close the WebSocket, with a short timeout."""
        raw = self._raw
        with contextlib.suppress(asyncio.TimeoutError):
            await within(CLOSE_S, self._socket.close())
        if raw is None:
            return
        with contextlib.suppress(OSError):  # else TLS waits for the other end's goodbye, for up to 30 s
            raw.shutdown(socket.SHUT_RDWR)
        for _ in range(100):
            if raw.fileno() == -1:
                return
            await asyncio.sleep(CLOSE_S / 100)


class Dialler:
    """Opens wires; ``api`` gives the cluster's client of now, whose address, TLS, proxy and credentials are used.

    ``renew`` is called with one whose credentials the API server does not accept.
    """

    def __init__(
        self,
        api: Callable[[], Awaitable[ApiClient]],
        dial_s: float,
        renew: Callable[[ApiClient], Awaitable[None]] | None = None,
    ) -> None:
        self._api = api
        self._renew = renew
        self._dial_s = dial_s
        self._sessions: dict[tuple[str, str], aiohttp.ClientSession] = {}  # by SOCKS proxy and server name, or empty

    async def dial(self, pod: Pod, port: int) -> Wire:
        """Open a connection, or raise OutOfReach or Refused; tries twice where the credentials are rejected."""
        try:
            api = await self._api()
            try:
                return await self._open(api, pod, port)
            except _Rejected:
                if self._renew is None:
                    raise
                await self._renew(api)
            return await self._open(await self._api(), pod, port)
        except PlatformUnavailable as exc:
            raise OutOfReach(exc.message, is_cluster=True) from exc

    async def _open(self, api: ApiClient, pod: Pod, port: int) -> Wire:
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/portforward"
        own: dict[str, str] = {}
        await api.update_params_for_auth(own, [], ["BearerToken"], path, "GET", None)
        as_others = (api.configuration.client_session_kwargs or {}).get("headers", ())
        headers = CIMultiDict([("User-Agent", api.user_agent), *own.items(), *as_others])
        rest, config = api.rest_client, api.configuration
        url, way = (
            f"{config.host}{path}?ports={port}",
            {
                "headers": headers,
                "ssl": rest.ssl_context,
                "server_hostname": config.tls_server_name or None,
                "proxy": rest.proxy,
                "proxy_headers": rest.proxy_headers,
            },
        )
        try:
            opened = await self._connections(config).ws_connect(
                url,
                **way,
                protocols=(PROTOCOL,),
                autoping=False,
                max_msg_size=LARGEST_MESSAGE,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )
        except aiohttp.WSServerHandshakeError as exc:
            raise _said_no(exc, pod, await self._words(config, url, way) if _has_words(exc) else "") from exc
        except asyncio.TimeoutError as exc:
            words = f"the API server {config.host} does not answer: no answer within {self._dial_s:.0f} s"
            raise OutOfReach(words, is_cluster=True) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise OutOfReach(troubles.words(exc, f"the API server {config.host}"), is_cluster=True) from exc
        return Wire(opened)

    async def _words(self, config: Configuration, url: str, way: Mapping[str, Any]) -> str:
        """The API server's own words about a missing right, which a refused WebSocket does not carry."""
        try:
            async with self._connections(config).get(url, **way) as answer:
                said = await answer.json() if answer.status == FORBIDDEN else {}
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError):
            return ""
        return str(said.get("message") or "") if isinstance(said, dict) else ""

    async def close(self) -> None:
        """Close the session; the owners of wires close them."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _connections(self, config: Configuration) -> aiohttp.ClientSession:
        """A session apart from the client's own, whose pool open forwards would use up."""
        is_socks = proxies.is_socks(config.proxy)
        key = (config.proxy or "", config.tls_server_name or "") if is_socks else ("", "")
        if key not in self._sessions:
            self._sessions[key] = aiohttp.ClientSession(
                connector=_socks(*key) if is_socks else aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._dial_s),
            )
        return self._sessions[key]


def _socks(proxy: str, server_name: str) -> aiohttp.TCPConnector:
    from ..api.socks import SocksConnector  # noqa: PLC0415 - seldom needed

    return SocksConnector(proxy, server_name)


def _has_words(exc: aiohttp.WSServerHandshakeError) -> bool:
    """Whether the API server itself said no to this user, not something on the way to it."""
    return exc.status == FORBIDDEN and exc.headers is not None and "Audit-Id" in exc.headers


def _said_no(exc: aiohttp.WSServerHandshakeError, pod: Pod, said: str) -> WireError:
    """What the API server means by refusing the upgrade."""
    what = f"port-forward to pod {pod.namespace}/{pod.name}: the API server answered {exc.status}"
    if exc.status == UNAUTHORIZED:
        words = "it does not accept the credentials: log in again, or renew them in the kubeconfig"
        return _Rejected(f"{what}; {words}", is_ours=True)
    if exc.status == FORBIDDEN:
        is_denied = bool(said) and " cannot " not in said  # by a policy or a webhook, to whoever it is
        need = "" if is_denied else f"; {NEED}"
        return Refused(f"{what}{need}{f': {said}' if said else ''}", is_right=True)
    if exc.status >= 500 or exc.status in TRANSIENT:
        after_s = retry_after_s(exc.headers.get("Retry-After") if exc.headers else None) or 0.0
        return OutOfReach(what, is_cluster=exc.status in {429, 503}, after_s=after_s)
    return Refused(what, is_ours=exc.status not in OF_THE_POD)

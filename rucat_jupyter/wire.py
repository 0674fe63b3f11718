"""HTTP on the gateway's socket that survives a change of gateway, for kernels (sync) and Jupyter servers (async).

A gateway may end at any time: by itself, by ``--replace``, by a kill. A call that it did not take (connection refused,
or 503 while it closes) goes to the next gateway, which :func:`rucat_jupyter.launch.ensure` finds or starts. A call that
broke half-way is made again only where that cannot do anything twice.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable

import httpx

from . import launch

BASE_URL = "http://rucat"
CODE = "gateway_unavailable"
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})


def make_client(address: launch.Address, timeout_s: float) -> httpx.Client:
    """Make a sync client.

    It raises GatewayUnavailable when no gateway can be had, and httpx' own error for a call that broke half-way and
    must not be made twice without looking.
    """
    return httpx.Client(base_url=BASE_URL, transport=Transport(address), timeout=timeout_s, trust_env=False)


class Transport(httpx.BaseTransport):
    """Sync transport to the gateway of one data directory, whichever process that is."""

    def __init__(self, address: launch.Address) -> None:
        self._lock = threading.Lock()
        self._use(address)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the gateway, or to its successor."""
        deadline = time.monotonic() + launch.WAIT_S
        while True:
            inner = self._inner
            try:
                response = inner.handle_request(request)
            except httpx.TransportError as exc:
                if not _is_repeatable(request, exc):
                    raise
            else:
                if response.status_code != 503:
                    return response
                response.read()
                if not is_closing(response.content):
                    return response
            self._renew(inner, deadline)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _renew(self, old: httpx.HTTPTransport, deadline: float) -> None:
        with self._lock:
            if self._inner is old:
                address = launch.ensure(self._address.data_dir, max(0.1, deadline - time.monotonic()))
                old.close()
                self._use(address)

    def _use(self, address: launch.Address) -> None:
        self._address = address
        self._inner = httpx.HTTPTransport(uds=address.socket, verify=no_tls())


class AsyncTransport(httpx.AsyncBaseTransport):
    """Async transport; the gateway is looked for and started (by ``find``) in a thread, never on the loop.

    ``on_contact`` is called with each gateway that it comes to; closing ones are asked for ``wait_s`` at most.
    """

    def __init__(
        self, find: Callable[[], launch.Address], on_contact: Callable[[launch.Address], None], wait_s: float
    ) -> None:
        self._find = find
        self._wait_s = wait_s
        self._on_contact = on_contact
        self._inner: httpx.AsyncHTTPTransport | None = None
        self._retired: list[httpx.AsyncHTTPTransport] = []
        self._finding: asyncio.Task[httpx.AsyncHTTPTransport] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the gateway, or to its successor."""
        deadline = time.monotonic() + self._wait_s
        while True:
            inner = self._inner or await self._connect()
            try:
                response = await inner.handle_async_request(request)
            except httpx.TransportError as exc:
                if not _is_repeatable(request, exc):
                    raise
            else:
                if response.status_code != 503:
                    return response
                await response.aread()
                if not is_closing(response.content) or time.monotonic() > deadline:
                    return response
            if self._inner is inner:
                self._inner = None
                self._retired.append(inner)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._finding is not None:
            self._finding.cancel()
        if self._inner is not None:
            self._retired.append(self._inner)
            self._inner = None
        await self._close_retired()

    async def _connect(self) -> httpx.AsyncHTTPTransport:
        """Find the gateway: one search for all who wait, which outlives any one of them."""
        if self._finding is None:
            self._finding = asyncio.create_task(self._search())
        return await asyncio.shield(self._finding)

    async def _search(self) -> httpx.AsyncHTTPTransport:
        try:
            address = await asyncio.to_thread(self._find)
            self._inner = httpx.AsyncHTTPTransport(uds=address.socket, verify=no_tls(), limits=_LIMITS)
        finally:
            self._finding = None
        await self._close_retired()  # their gateway has gone: this one has its lock
        self._on_contact(address)
        return self._inner

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().aclose()


def is_closing(body: bytes) -> bool:
    """Whether a 503's body says that the gateway took nothing, because it closes."""
    try:
        return bool(json.loads(body)["code"] == CODE)
    except (ValueError, KeyError, TypeError):
        return False


def _is_repeatable(request: httpx.Request, exc: httpx.TransportError) -> bool:
    """Whether the request did not arrive, or may arrive twice."""
    return isinstance(exc, httpx.ConnectError) or (isinstance(exc, _BROKEN) and request.method in _REPEATABLE)


def no_tls() -> ssl.SSLContext:
    """Make a context that loads no certificates (30 ms): there is no TLS on a Unix socket."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=4.0)

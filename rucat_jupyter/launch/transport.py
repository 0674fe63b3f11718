"""HTTP on the gateway's socket, which also works across a change of gateway; for kernels and scripts.

A gateway may exit at any time: by itself, by ``--replace``, by a kill. A call that it did not accept (connection
refused, or 503 while it closes) goes to the next gateway, which :func:`.launch.launch.ensure` finds or starts. A call
that broke half-way is repeated only if that is safe.
"""

from __future__ import annotations

import json
import ssl
import threading
import time

import httpx

from . import launch

BASE_URL = "http://rucat"
CODE = "gateway_unavailable"
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})


def make_client(address: launch.Address, timeout_s: float = 30.0) -> httpx.Client:
    """Make a client.

    It raises GatewayUnavailable if no gateway is available, and httpx' own error for a call that broke half-way and
    must not be repeated blindly.
    """
    return httpx.Client(base_url=BASE_URL, transport=Transport(address), timeout=timeout_s, trust_env=False)


def make_single_client(address: launch.Address) -> httpx.Client:
    """Make a client of this gateway process only."""
    transport = httpx.HTTPTransport(uds=address.socket, verify=_no_tls())
    return httpx.Client(base_url=BASE_URL, transport=transport, trust_env=False)


def leave(client: httpx.Client) -> None:
    """Let a client end with its open call, which the caller no longer waits for."""
    if isinstance(client._transport, Transport):
        client._transport.is_left = True


class Transport(httpx.BaseTransport):
    """Transport to the current gateway of one data directory."""

    def __init__(self, address: launch.Address) -> None:
        self._lock = threading.Lock()
        self.is_left = False
        """Whether the caller no longer waits: then a call that breaks does not go to, or start, another gateway."""
        self._use(address)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the gateway, or to its successor."""
        deadline = time.monotonic() + launch.WAIT_S
        while True:
            inner = self._inner
            try:
                response = inner.handle_request(request)
            except httpx.TransportError as exc:
                if self.is_left or not _is_repeatable(request, exc):
                    raise
            else:
                if response.status_code != 503:
                    return response
                response.read()
                if not _is_closing(response.content):
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
        self._inner = httpx.HTTPTransport(uds=address.socket, verify=_no_tls())


def _is_closing(body: bytes) -> bool:
    """Whether the body of a 503 says that the gateway did nothing, because it is closing."""
    try:
        return bool(json.loads(body)["code"] == CODE)
    except (ValueError, KeyError, TypeError):
        return False


def _is_repeatable(request: httpx.Request, exc: httpx.TransportError) -> bool:
    """Whether the request did not arrive, or is safe to repeat."""
    return isinstance(exc, httpx.ConnectError) or (isinstance(exc, _BROKEN) and request.method in _REPEATABLE)


def _no_tls() -> ssl.SSLContext:
    """Make a context that loads no certificates (30 ms): there is no TLS on a Unix socket."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

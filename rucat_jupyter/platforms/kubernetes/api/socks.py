"""Connections to API servers through a SOCKS5 proxy, for calls and port-forwards; the library behind it is small."""

from __future__ import annotations

import asyncio
import ssl as tls
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp_socks import ProxyConnector, ProxyType
from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

from .proxies import PORTS


class SocksConnector(ProxyConnector):
    """Has the proxy resolve the server's name, as kubectl does; obeys ``server_name`` (``tls-server-name``)."""

    def __init__(self, url: str, server_name: str | None, ssl: tls.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        context = {"ssl": ssl} if ssl else {}  # else each request has its own
        super().__init__(
            parts.hostname or "",
            parts.port or PORTS["socks5"],
            ProxyType.SOCKS5,
            unquote(parts.username or "") or None,
            unquote(parts.password or "") or None,
            rdns=True,
            limit=0,
            **context,
        )
        self._server_name = server_name

    async def _connect_via_proxy(
        self, host: str, port: int, ssl: tls.SSLContext | None = None, timeout: float | None = None
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        proxy = Proxy(
            self._proxy_type, self._proxy_host, self._proxy_port, self._proxy_username, self._proxy_password, rdns=True
        )
        try:
            sock = await proxy.connect(host, port, timeout=timeout)
        except (ProxyError, OSError) as exc:  # ProxyTimeoutError and ProxyConnectionError are OSErrors
            at = ConnectionKey(self._proxy_host, self._proxy_port, False, True, None, None, None)
            raise aiohttp.ClientProxyConnectionError(at, OSError(getattr(exc, "errno", None) or 0, str(exc))) from exc
        try:
            return await self._loop.create_connection(
                lambda: ResponseHandler(self._loop),
                sock=sock,
                ssl=ssl,
                server_hostname=(self._server_name or host) if ssl else None,
            )
        except tls.CertificateError as exc:
            at = ConnectionKey(host, port, True, True, None, None, None)
            raise aiohttp.ClientConnectorCertificateError(at, exc) from exc
        except tls.SSLError as exc:
            at = ConnectionKey(host, port, True, True, None, None, None)
            raise aiohttp.ClientConnectorSSLError(at, exc) from exc

"""Streams pages of an engine's Spark UI, unchanged, for the proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import httpx

from ...core.errors import EngineUnavailable

CONNECT_S = 3.0
READ_S = 30.0
"""Read timeout: a busy driver takes seconds for a page of many stages."""


@dataclass(frozen=True)
class UiPage:
    """An open response; ``pieces`` are its bytes as sent, compressed or not."""

    status: int
    headers: Mapping[str, str]  # by lower-case name
    pieces: AsyncIterator[bytes]
    response: httpx.Response

    async def close(self) -> None:
        """Close the connection, also in the middle of the response."""
        await self.response.aclose()


class UiPages:
    """Pages of any engine's Spark UI; no proxy, no cookies, no redirects."""

    @cached_property
    def _transport(self) -> httpx.AsyncHTTPTransport:  # lazy: it reads the machine's certificates
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def open(self, ui_url: str, method: str, target: bytes, headers: Mapping[str, str]) -> UiPage:
        """Request ``target`` (path and query, as raw bytes); raises EngineUnavailable if there is no response.

        Host and port are always those of ``ui_url``.
        """
        url = httpx.URL(ui_url).copy_with(raw_path=target)
        times = {"connect": CONNECT_S, "read": READ_S, "write": READ_S, "pool": CONNECT_S}
        request = httpx.Request(method, url, headers=headers, extensions={"timeout": times})
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError as exc:
            raise EngineUnavailable(f"the Spark UI does not answer ({type(exc).__name__}); try again") from exc
        found = {name.lower(): value for name, value in response.headers.items()}
        return UiPage(response.status_code, found, _pieces(response), response)

    async def close(self) -> None:
        """Close all connections."""
        if "_transport" in vars(self):
            await self._transport.aclose()


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body; raises EngineUnavailable if the connection breaks."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # of an async transport
    try:
        async for piece in response.stream:
            yield piece
    except httpx.TransportError as exc:
        raise EngineUnavailable(f"the connection to the Spark UI broke ({type(exc).__name__}); try again") from exc

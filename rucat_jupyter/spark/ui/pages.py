"""Fetches pages of an engine's Spark UI as they are, piece by piece: what the proxy passes on, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import httpx

from ...core.errors import EngineUnavailable

CONNECT_S = 3.0
READ_S = 30.0
"""The longest silence: a busy driver takes seconds for a page of many stages."""


@dataclass(frozen=True)
class UiPage:
    """An answer that has begun; ``pieces`` are its bytes as they were sent, compressed or not."""

    status: int
    headers: Mapping[str, str]  # by lower-case name
    pieces: AsyncIterator[bytes]
    response: httpx.Response

    async def close(self) -> None:
        """Let go of the connection, also in the middle of the answer."""
        await self.response.aclose()


class UiPages:
    """Pages of any engine's Spark UI; no proxy, no cookies, no redirects are followed."""

    @cached_property
    def _transport(self) -> httpx.AsyncHTTPTransport:  # made when first needed: it reads the machine's certificates
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def open(self, ui_url: str, method: str, target: bytes, headers: Mapping[str, str]) -> UiPage:
        """Ask for ``target`` (path and query as bytes of the wire); raises EngineUnavailable without an answer.

        Host and port are those of ``ui_url``, whatever the target is.
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
        """Let go of all connections."""
        if "_transport" in vars(self):
            await self._transport.aclose()


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body; raises EngineUnavailable when it breaks off."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # of an async transport
    try:
        async for piece in response.stream:
            yield piece
    except httpx.TransportError as exc:
        raise EngineUnavailable(f"the Spark UI broke off ({type(exc).__name__}); try again") from exc

"""Stream lines of text until they end or the client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ....core.errors import RucatError
from .polls import cancel, while_heard

FIRST_S = 0.5
"""Time for the first line: an error within it becomes a status; a later one can only end the text."""
BLOCK_BYTES = 64 * 1024
TEXT = "text/plain; charset=utf-8"


class Lines(Response):
    """A streamed response of text lines."""

    def __init__(self, lines: AsyncIterator[str], first: asyncio.Future[str | None], *, unbuffered: bool) -> None:
        super().__init__(None, 200, {"Content-Type": TEXT, "X-Content-Type-Options": "nosniff"})
        del self.headers["content-length"]
        self._lines = lines
        self._first = first
        self._block_bytes = 0 if unbuffered else BLOCK_BYTES

    @classmethod
    async def begin(cls, lines: AsyncIterator[str], *, unbuffered: bool) -> Lines:
        """Read the first line, so that an early error becomes an error response.

        ``unbuffered`` sends each line by itself, else they are collected into larger blocks.
        """
        first = asyncio.ensure_future(_next(lines))
        try:
            await asyncio.wait({first}, timeout=FIRST_S)
            if first.done():
                first.result()
        except BaseException:
            await _close(lines, first)
            raise
        return cls(lines, first, unbuffered=unbuffered)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the lines end or the client disconnects."""
        try:
            await while_heard(self._send(send), Request(scope, receive))
        finally:
            await _close(self._lines, self._first)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        block = bytearray()
        async for line in self._all():
            block += line.encode(errors="replace") + b"\n"
            if len(block) > self._block_bytes:
                await send({"type": "http.response.body", "body": bytes(block), "more_body": True})
                block.clear()
        await send({"type": "http.response.body", "body": bytes(block), "more_body": False})

    async def _all(self) -> AsyncIterator[str]:
        try:
            line = await self._first
            while line is not None:
                yield line
                line = await _next(self._lines)
        except RucatError as exc:
            yield f"rucat: the log ends here with an error: {exc.message}"


async def _next(lines: AsyncIterator[str]) -> str | None:
    return await anext(lines, None)


async def _close(lines: AsyncIterator[str], first: asyncio.Future[str | None]) -> None:
    """Close what the lines hold open (a file, a connection), also before their end."""
    await cancel(first)
    if isinstance(lines, AsyncGenerator):
        await lines.aclose()

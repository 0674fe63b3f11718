"""Sends lines of text as they come, and ends when the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ....core.errors import RucatError
from .polls import cancel, while_heard

FIRST_S = 0.5
"""How long an error of the first line may take to become a status; later it can only end the text."""
BLOCK_BYTES = 64 * 1024
TEXT = "text/plain; charset=utf-8"


class Lines(Response):
    """A streamed answer of text lines."""

    def __init__(self, lines: AsyncIterator[str], first: asyncio.Future[str | None], *, at_once: bool) -> None:
        super().__init__(None, 200, {"Content-Type": TEXT, "X-Content-Type-Options": "nosniff"})
        del self.headers["content-length"]
        self._lines = lines
        self._first = first
        self._block_bytes = 0 if at_once else BLOCK_BYTES

    @classmethod
    async def begin(cls, lines: AsyncIterator[str], *, at_once: bool) -> Lines:
        """Ask for the first line, so that what is wrong now is an error and not half an answer.

        ``at_once`` sends each line by itself, else they are gathered into larger blocks.
        """
        first = asyncio.ensure_future(_next(lines))
        try:
            await asyncio.wait({first}, timeout=FIRST_S)
            if first.done():
                first.result()
        except BaseException:
            await _close(lines, first)
            raise
        return cls(lines, first, at_once=at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the lines end or the client has gone."""
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
            yield f"rucat: the log breaks off here: {exc.message}"


async def _next(lines: AsyncIterator[str]) -> str | None:
    return await anext(lines, None)


async def _close(lines: AsyncIterator[str], first: asyncio.Future[str | None]) -> None:
    """End what the lines hold open (a file, a connection), also when nobody read to the end."""
    await cancel(first)
    if isinstance(lines, AsyncGenerator):
        await lines.aclose()

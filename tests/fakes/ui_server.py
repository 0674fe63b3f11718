"""A web server in the place of a Spark UI: keeps what it was asked, answers what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fakes.streams import listening


@dataclass
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class UiServer:
    """``answer`` is sent as it is, then ``rest``, once ``may_go_on`` is set; then the connection is closed."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"
    rest: bytes = b""
    asked: list[Asked] = field(default_factory=list)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[UiServer]:
        async with listening(self._serve) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            self.asked.append(Asked(method, target, headers))
            writer.write(self.answer)
            await writer.drain()
            if self.rest:
                left = asyncio.ensure_future(reader.read())
                go_on = asyncio.ensure_future(self.may_go_on.wait())
                await asyncio.wait({left, go_on}, return_when=asyncio.FIRST_COMPLETED)
                if left.done():
                    self.gone.set()
                left.cancel()
                go_on.cancel()
                await asyncio.gather(left, go_on, return_exceptions=True)
                writer.write(self.rest)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()


def http(status: str, *headers: str, body: str = "") -> bytes:
    """An answer of a server."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", body]).encode()

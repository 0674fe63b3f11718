"""One client's connection to a pod: bytes both ways, bounded memory, an end that the other side can tell from a cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from .dialer import Pace
from .websocket import Wire, WireError

HELD_BYTES = 256 << 10
"""What is held of a client, and for it, before the other side is made to wait."""
RESET = struct.pack("ii", 1, 0)
HALF_CLOSED_AT_ONCE_S = 2.0
"""A client that ended its half sooner than this is still served; one that does so while it is held has left."""


class Client(asyncio.Protocol):
    """The client's side, on loopback; the listener makes it, and ``on_open`` is called with it."""

    def __init__(self, on_open: Callable[[Client], None]) -> None:
        self._on_open = on_open
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._is_paused = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when the client sends no more."""
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when the connection is gone."""

    # --- called by asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a TCP server
        self._transport = transport
        transport.set_write_buffer_limits(high=HELD_BYTES)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Hold it until it is taken; read no more while too much is held."""
        self._chunks.append(data)
        self._held += len(data)
        self._readable.set()
        if self._held > HELD_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Keep the other half open."""
        _done(self.ended)
        self._readable.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake waiting tasks."""
        _done(self.ended)
        _done(self.lost)
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """Make the pod wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let the pod go on."""
        self._writable.set()

    # --- what the pipe does --------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether the client does not take what is sent to it."""
        return not self._writable.is_set()

    async def take(self) -> bytes:
        """Wait for what the client sends; empty when it sends no more."""
        while not self._chunks:
            if self.ended.done():
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        if self._is_paused and not self.lost.done():
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def put(self, data: bytes) -> None:
        """Send to the client; waits while it does not take it. What is sent to one that has left is dropped."""
        self._transport.write(data)
        await self._writable.wait()

    async def end(self, within_s: float) -> None:
        """End the connection after what has been sent; a client that does not take it in time is cut off."""
        self._transport.close()
        await asyncio.wait({self.lost}, timeout=within_s)
        if not self.lost.done():
            self.abort()

    def abort(self) -> None:
        """Cut the connection so that the client sees a reset, never a complete answer."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self.lost.done():
            with contextlib.suppress(OSError):  # it has just been closed
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()


class Pipe:
    """Carries one client's connection from its dial to its end."""

    def __init__(self, client: Client, pace: Pace) -> None:
        self._client = client
        self._pace = pace

    async def run(self, dial: Callable[[], Awaitable[Wire]]) -> None:
        """Dial, carry, and close both sides, whatever happens. Raises WireError with why the client was cut off."""
        is_whole = False
        try:
            wire = await self._opened(dial)
            if wire is not None:
                try:
                    is_whole = await self._carry(wire)
                finally:
                    await wire.close()
            if is_whole:
                await self._client.end(self._pace.flush_s)
        finally:
            self._client.abort()  # nothing is left to cut where all went well

    async def _opened(self, dial: Callable[[], Awaitable[Wire]]) -> Wire | None:
        """The wire, or None when the client left meanwhile."""
        opening = asyncio.ensure_future(dial())
        try:
            left: set[asyncio.Future[Any]] = {opening, self._client.lost}
            await asyncio.wait(left, timeout=HALF_CLOSED_AT_ONCE_S, return_when=_FIRST)
            if not opening.done():
                left = {opening, self._client.ended}
                await asyncio.wait(left, return_when=_FIRST)
            if opening.done():
                return opening.result()
            return None
        finally:
            if not opening.done():
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)

    async def _carry(self, wire: Wire) -> bool:
        """Carry until one side ends; whether all that the pod sent has gone to the client."""
        up, down = asyncio.ensure_future(self._up(wire)), asyncio.ensure_future(self._down(wire))
        waited: set[asyncio.Future[None]] = {up, down, self._client.lost}
        try:
            while True:
                done, _ = await asyncio.wait(waited, timeout=self._pace.ping_s, return_when=_FIRST)
                if down.done():
                    down.result()
                    return True
                if self._client.lost in done:
                    return False
                if up in done:
                    waited.discard(up)
                if not done:
                    await self._look_after(wire, is_half=up.done())
        except _Quiet:
            return True
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _look_after(self, wire: Wire, *, is_half: bool) -> None:
        """After a quiet time check that both ends are still there."""
        if is_half and not self._client.is_full and wire.quiet_s > self._pace.linger_s:
            raise _Quiet
        if await wire.is_dead(self._pace.dead_s, is_read=not self._client.is_full):
            raise WireError(f"no response from the pod's node for {self._pace.dead_s:.0f} s")

    async def _up(self, wire: Wire) -> None:
        while data := await self._client.take():
            await wire.send(data)

    async def _down(self, wire: Wire) -> None:
        while data := await wire.receive():
            await self._client.put(data)


class _Quiet(Exception):
    """The client has ended its half, and the pod has nothing to say."""


_FIRST = asyncio.FIRST_COMPLETED


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

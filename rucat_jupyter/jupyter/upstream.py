"""Calls to the gateway of a data directory, whichever process that is, on the server's own loop.

A call that a gateway did not take (connection refused, or 503 while it closes) goes to the next one, which
:mod:`rucat_jupyter.launch` finds or starts in a thread. A call that broke half-way is made again only where that cannot
do anything twice.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream

from .. import launch
from ..errors import GatewayUnavailable
from .exchange import Broken, Request, Silent, Sink, connect, exchange, is_quiet

MAX_IDLE = 20
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})


class Upstream:
    """Calls to the gateway of one data directory, whichever process that is.

    Parameters
    ----------
    find
        Finds or starts the gateway; called in a thread.
    on_contact
        Called with every gateway that is found.
    wait_s
        How long a call goes from one closing gateway to the next.
    """

    def __init__(
        self, find: Callable[[], launch.Address], on_contact: Callable[[launch.Address], None], wait_s: float
    ) -> None:
        self._find = find
        self._on_contact = on_contact
        self._wait_s = wait_s
        self._address: launch.Address | None = None
        self._finding: asyncio.Task[launch.Address] | None = None
        self._idle: list[IOStream] = []

    async def send(self, request: Request, sink: Sink) -> None:
        """Send a call to the gateway or its successor, and its answer to the sink.

        Raises GatewayUnavailable (none can be had, or it is not known whether the call was done), and Broken once a
        part of the answer went to the sink.
        """
        deadline = time.monotonic() + self._wait_s
        while True:
            address = self._address or await self._search()
            try:
                if await self._try(address, request, sink, is_last=time.monotonic() > deadline):
                    return
            except Broken as exc:
                if exc.has_begun:
                    raise
                if request.method not in _REPEATABLE:
                    raise GatewayUnavailable(
                        f"the gateway ended during {request.name}: look whether that was done before you ask again"
                    ) from None
            except Silent:
                raise GatewayUnavailable(
                    f"the gateway did not answer {request.name} within {request.read_s:g} s; if that stays so, "
                    "`rucat serve --replace` puts another in its place"
                ) from None
            if self._address is address:
                self._forget()

    def close(self) -> None:
        """Let go of the connections."""
        if self._finding is not None:
            self._finding.cancel()
        self._forget()

    async def _try(self, address: launch.Address, request: Request, sink: Sink, *, is_last: bool) -> bool:
        """Make the call once; False when this gateway did not take it."""
        try:
            stream = self._pop_idle() or await connect(address.socket)
        except OSError:
            return False
        held = Held(sink)
        is_reusable = await exchange(stream, request, held)
        if is_reusable and self._address is address and len(self._idle) < MAX_IDLE:
            stream.set_close_callback(lambda: self._drop(stream))
            self._idle.append(stream)
        else:
            stream.close()
        if held.is_closing and not is_last:
            return False
        await held.release()
        return True

    def _pop_idle(self) -> IOStream | None:
        while self._idle:
            stream = self._idle.pop()
            if is_quiet(stream):
                return stream
            stream.close()
        return None

    def _drop(self, stream: IOStream) -> None:
        if stream in self._idle:
            self._idle.remove(stream)

    def _forget(self) -> None:
        self._address = None
        idle, self._idle = self._idle, []
        for stream in idle:
            stream.close()

    async def _search(self) -> launch.Address:
        """Find the gateway: one search for all who wait, which outlives any one of them."""
        if self._finding is None:
            self._finding = asyncio.create_task(self._look())
        return await asyncio.shield(self._finding)

    async def _look(self) -> launch.Address:
        try:
            self._address = await asyncio.to_thread(self._find)
        finally:
            self._finding = None
        self._on_contact(self._address)
        return self._address


class Held:
    """Keeps a 503 back until it is known whether the gateway closes; everything else goes on at once."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._head: HTTPHeaders | None = None
        self._body = b""

    @property
    def is_closing(self) -> bool:
        """Whether the gateway took nothing of the call, because it closes."""
        try:
            return self._head is not None and json.loads(self._body)["code"] == GatewayUnavailable.code
        except (ValueError, KeyError, TypeError):
            return False

    def begin(self, status: int, headers: HTTPHeaders) -> None:
        """Hold a 503."""
        if status == GatewayUnavailable.http_status:
            self._head = headers
        else:
            self._sink.begin(status, headers)

    def take(self, piece: bytes) -> Awaitable[None] | None:
        """Hold a 503's body."""
        if self._head is None:
            return self._sink.take(piece)
        self._body += piece
        return None

    async def release(self) -> None:
        """Send what was held."""
        if self._head is not None:
            self._sink.begin(GatewayUnavailable.http_status, self._head)
            if (taken := self._sink.take(self._body)) is not None:
                await taken

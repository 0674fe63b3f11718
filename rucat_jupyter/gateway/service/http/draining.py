"""Connection draining (ASGI): open calls, the time of the last call, and a 503 while the gateway closes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]  # names of the ASGI specification
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FOLLOWER = b"x-rucat-follower"
"""Header of the Jupyter server extension's own long poll, which does not count as use of the gateway."""
RETRY_AFTER_S = 1
GRACE_S = 0.2  # closing: how long a long poll may take to respond after its wait is cancelled
_REFUSAL = json.dumps(
    {
        "message": "this gateway is closing and did nothing for this request: try again, another one takes over",
        "code": "gateway_unavailable",
        "details": {},
    }
).encode()


@dataclass
class Call:
    """An open call."""

    reads: bool
    follows: bool
    has_begun: bool = False


class Draining:
    """Wraps the application and tracks all open calls."""

    def __init__(self, app: App, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._calls: dict[asyncio.Task[None], Call] = {}
        self._last = clock()
        self._is_closed = False
        self._takes_work = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call, or refuse it with 503 ``gateway_unavailable``."""
        reads = scope.get("method") in ("GET", "HEAD")
        if self._is_closed or not (reads or self._takes_work):
            await _refuse(send)
            return
        call = Call(reads, any(name == FOLLOWER for name, _ in scope["headers"]))
        task = asyncio.ensure_future(self._pass_on(call, scope, receive, send))
        self._calls[task] = call
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            del self._calls[task]
            if not call.follows:
                self._last = self._clock()
        if not task.cancelled():
            task.result()
        elif not call.has_begun:
            await _refuse(send)

    def idle_s(self) -> float:
        """Seconds since the last open call; a follower's does not count."""
        return 0.0 if any(not c.follows for c in self._calls.values()) else self._clock() - self._last

    def has_work(self) -> bool:
        """Whether an open call would lose data: one that writes, or sends a stream."""
        return any(not c.follows and (c.has_begun or not c.reads) for c in self._calls.values())

    def refuse_work(self) -> None:
        """From now on accept only calls that read."""
        self._takes_work = False

    async def close(self, patience_s: float) -> None:
        """Refuse new calls; after a short grace cancel open ones that only read, and after ``patience_s`` all."""
        self._is_closed = True
        await self._drain(min(GRACE_S, patience_s), lambda call: call.reads)
        await self._drain(patience_s, lambda call: True)

    async def _drain(self, patience_s: float, is_ended: Callable[[Call], bool]) -> None:
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=patience_s)
        for task, call in self._calls.items():
            if is_ended(call):
                task.cancel()

    async def _pass_on(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        async def note_begin(message: Message) -> None:
            call.has_begun = True
            await send(message)

        await self._app(scope, receive, note_begin)


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_REFUSAL)).encode()),
        (b"retry-after", str(RETRY_AFTER_S).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSAL})

"""Connections into one cluster: callers wait while the API server is unreachable, and are connected when it is back.

During an outage one caller dials after each pause, for all of them: with a thousand waiting clients it costs one
attempt per second, and all of them see its end immediately.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ....core.timeouts import within
from .websocket import OutOfReach, Pod, Refused, Wire, WireError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """The forwards' numbers, in seconds."""

    patience_s: float = 30.0
    """For how long a new connection is held; gRPC gives one up after 20 s by itself."""
    dial_s: float = 10.0
    retry_s: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.0)
    ping_s: float = 15.0
    """Below the idle limits of proxies on the way (often 60 s)."""
    dead_s: float = 20.0
    """For how long the other end may owe the answer to a ping; looked at every ``ping_s``."""
    linger_s: float = 15.0
    """For how long, after the client has ended its half, the pod may be quiet; the protocol cannot tell the pod."""
    flush_s: float = 30.0


class Problem:
    """What stands between this gateway and one engine's pod, as the last attempt found it."""

    def __init__(self) -> None:
        self.words = ""
        self.is_refused = False

    def note(self, exc: WireError | None) -> None:
        """Note the result of an attempt; a rejection by the pod itself is not a problem of the connection."""
        self.is_refused = isinstance(exc, Refused) and exc.is_right
        is_way = isinstance(exc, OutOfReach) or (isinstance(exc, Refused) and exc.is_ours)
        words = str(exc) if is_way else ""
        if words != self.words:
            log.info("%s", words or "the connection works again")
        self.words = words


class Dialer:
    """Dials for all engines of one cluster."""

    def __init__(self, dial: Callable[[Pod, int], Awaitable[Wire]], pace: Pace) -> None:
        self._dial = dial
        self._pace = pace
        self._turns = asyncio.Semaphore(64)
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._next_at = 0.0  # while it is not free: when the next of those who wait may dial
        self._tries = 0
        self._put_off = (0.0, "")  # by the API server: until when nothing may be dialled, and its words

    async def open(self, pod: Pod, port: int, problem: Problem) -> Wire:
        """Open a connection; retry until it is rejected or patience ends, then raise WireError."""
        now = asyncio.get_running_loop().time
        until, tries = now() + self._pace.patience_s, 0
        while True:
            try:
                wire = await self._attempt(pod, port)
            except WireError as exc:
                problem.note(exc)
                if not isinstance(exc, OutOfReach):
                    raise
                pause = max(self._pause(tries), exc.after_s)
                if now() + pause > until:
                    raise
                tries += 1
                if exc.is_cluster:
                    await self._turn(until, exc)
                else:  # a problem of this pod says nothing about others
                    await asyncio.sleep(pause)
            else:
                problem.note(None)
                return wire

    async def _attempt(self, pod: Pod, port: int) -> Wire:
        left = self._put_off[0] - asyncio.get_running_loop().time()
        if left > 0:
            raise OutOfReach(self._put_off[1], is_cluster=True, after_s=left)
        try:
            async with self._turns:
                wire = await self._dial(pod, port)
        except OutOfReach as exc:
            if exc.is_cluster:
                self._block(exc)
            raise
        except Refused:
            self._free()
            raise
        self._free()
        return wire

    async def _turn(self, until: float, last: OutOfReach) -> None:
        """Wait until the way is free, or this one may look whether it is; raises ``last`` when patience ends."""
        loop = asyncio.get_running_loop()
        while not self._is_free.is_set():
            at = self._next_at
            if loop.time() >= at:
                self._next_at = loop.time() + self._pause(self._tries)
                self._tries += 1
                return
            if at > until:
                raise last
            with contextlib.suppress(asyncio.TimeoutError):
                await within(at - loop.time(), self._is_free.wait())

    def _block(self, exc: OutOfReach) -> None:
        now = asyncio.get_running_loop().time()
        if self._is_free.is_set():
            self._is_free.clear()
            self._next_at, self._tries = now + self._pause(0), 1
        if exc.after_s:
            self._put_off = (now + exc.after_s, str(exc))
            self._next_at = max(self._next_at, self._put_off[0])

    def _free(self) -> None:
        self._is_free.set()
        self._put_off = (0.0, "")

    def _pause(self, tries: int) -> float:
        return self._pace.retry_s[min(tries, len(self._pace.retry_s) - 1)] * random.uniform(0.9, 1.1)  # noqa: S311

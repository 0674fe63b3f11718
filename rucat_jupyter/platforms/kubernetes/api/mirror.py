"""Keep a copy of one list of the API up to date: list, watch, and list again in doubt.

A watch may end, drop events or hang, and a copy may be old: :meth:`Mirror.fresh` lists again unless the server has sent
something within a few seconds, and callers must confirm by a direct read that an object is gone.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from ....core.errors import PlatformUnavailable, RucatError
from ....core.timeouts import within
from .client import Api, ApiFault

log = logging.getLogger(__name__)
Json = dict[str, Any]

FRESH_S = 8.0
"""So long after the last word of the server its silence may be that of a broken connection."""
WATCH_S = 300
PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 5.0)
LIST_S = 25.0


class Mirror:
    """A copy of the objects of one list, by name. ``on_change(old, new)`` hears of every difference, None for none."""

    def __init__(
        self,
        api: Api,
        at: str,
        query: dict[str, object],
        on_change: Callable[[Json | None, Json | None], None],
        *,
        trim: Callable[[Json], Json] = lambda item: item,
    ) -> None:
        self.items: dict[str, Json] = {}
        self._api, self._at, self._query, self._on_change, self._trim = api, at, query, on_change, trim
        self.problem = ""  # why there is no copy now
        self._version = ""
        self._heard_at = float("-inf")
        self._wanted = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start to watch until closed; does nothing if started already."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._answer(PlatformUnavailable("the gateway is shutting down"))

    async def fresh(self, within_s: float = FRESH_S) -> None:
        """Return when the copy is no older than that; PlatformUnavailable where the server does not say."""
        if asyncio.get_running_loop().time() - self._heard_at <= within_s:
            return
        self.begin()
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._wanted.set()
        try:
            await within(LIST_S, waiter)
        except asyncio.TimeoutError:
            raise PlatformUnavailable(
                f"the API server of {self._api.way} did not return a list within {LIST_S:.0f} s"
            ) from None

    # --- private --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._list()
                while not self._wanted.is_set():
                    await self._follow()
                    failures = 0
            except RucatError as exc:
                is_old = isinstance(exc, ApiFault) and exc.is_expired
                if not is_old:
                    self.problem = exc.message
                    self._heard_at = float("-inf")
                    self._answer(_unavailable(exc, self._api))
                    level = logging.WARNING if failures == 0 else logging.DEBUG
                    log.log(level, "%s: cannot watch %s, will try again: %s", self._api.way, self._at, exc)
                pause = PAUSES_S[min(failures, len(PAUSES_S) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311
                failures += 1
                await self._pause(0.0 if is_old and failures == 1 else pause)

    async def _pause(self, seconds: float) -> None:
        """Wait; less if a caller needs a fresh copy, but long enough to prevent a storm of calls."""
        await asyncio.sleep(min(seconds, PAUSES_S[0]))
        if seconds > PAUSES_S[0] and not self._waiters:
            self._wanted.clear()
            try:
                await within(seconds - PAUSES_S[0], self._wanted.wait())
            except asyncio.TimeoutError:
                return

    async def _list(self) -> None:
        self._wanted.clear()
        items, self._version = await self._api.list(self._at, **self._query)
        found = {item["metadata"]["name"]: self._trim(item) for item in items}
        self._heard_at = asyncio.get_running_loop().time()
        self.problem = ""
        for name in self.items.keys() - found.keys():
            self._set(name, None)
        for name, item in found.items():
            if self.items.get(name) != item:
                self._set(name, item)
        self._answer(None)

    async def _follow(self) -> None:
        """Read one watch until it ends, or a list is wanted."""
        reading = asyncio.ensure_future(self._read())
        asking = asyncio.ensure_future(self._wanted.wait())
        try:
            await asyncio.wait({reading, asking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            is_done = reading.done()
            reading.cancel()
            await asyncio.gather(asking, reading, return_exceptions=True)
        if is_done:
            reading.result()

    async def _read(self) -> None:
        query = {**self._query, "resourceVersion": self._version, "timeoutSeconds": WATCH_S}
        async with aclosing(self._api.watch(self._at, **query)) as events:
            async for event in events:
                self._take(event)

    def _take(self, event: Json) -> None:
        item = event["object"]
        self._version = item["metadata"].get("resourceVersion", self._version)
        self._heard_at = asyncio.get_running_loop().time()
        if event["type"] == "DELETED":
            self._set(item["metadata"]["name"], None, self._trim(item))
        elif event["type"] in {"ADDED", "MODIFIED"}:
            self._set(item["metadata"]["name"], self._trim(item))

    def _set(self, name: str, item: Json | None, last: Json | None = None) -> None:
        """Take over a difference; ``last`` is the final state of what has gone."""
        old = self.items.get(name)
        if item is None:
            self.items.pop(name, None)
        else:
            self.items[name] = item
        self._on_change(last or old, item)

    def _answer(self, error: RucatError | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


def _unavailable(exc: RucatError, api: Api) -> RucatError:
    if isinstance(exc, PlatformUnavailable):
        return exc
    return PlatformUnavailable(f"the API server of {api.way} rejects a list: {exc.message}")

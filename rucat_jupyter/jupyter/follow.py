"""Follow the gateway's list of engines, and send changed engines to Jupyter's event bus: a hint to read them again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ..core.errors import GatewayUnavailable
from ..core.timeouts import within
from ..launch import launch
from .upstream import Broken, Collected, Request, Silent, exchange, open_session

logger = logging.getLogger(__name__)

SCHEMA_ID = "urn:rucat:engines"
SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Engines changed",
    "description": "A hint to read again: engines with a new revision, and removed engines.",
    "personal-data": False,
    "type": "object",
    "required": ["changed", "removed"],
    "additionalProperties": False,
    "properties": {
        "changed": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "revision"],
                "additionalProperties": False,
                "properties": {"id": {"type": "string"}, "revision": {"type": "integer"}},
            },
        },
        "removed": {"type": "array", "items": {"type": "string"}},
    },
}

OWNER_HEADER = "X-Rucat-Owner"
"""Owner of the request, in percent-encoded UTF-8; the gateway trusts it on its Unix socket."""
WAIT_S = 50  # the longest long poll
MARGIN_S = 15.0
PAUSE_S = 2.0
"""Seconds between two searches for a gateway while none runs: each reads one small file."""


Emit = Callable[[Mapping[str, Any]], None]
"""Sends the data of an event of :data:`SCHEMA`; called on the event loop."""


class Followers:
    """One follower for each owner with requests to this server; None is the operating-system user."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._running: dict[str | None, tuple[Follower, asyncio.Task[None]]] = {}

    def follow(self, owner: str | None) -> None:
        """Start to follow that owner's engines, if no follower does yet."""
        if owner not in self._running:
            follower = Follower(self._emit, owner)
            task = asyncio.create_task(follower.run())
            task.add_done_callback(_report)
            self._running[owner] = follower, task

    def owners(self) -> list[str | None]:
        """The followed owners."""
        return list(self._running)

    def look_now(self) -> None:
        """Search for the gateway now: a request has just found it."""
        for follower, _ in self._running.values():
            follower.look_now()

    async def close(self) -> None:
        """End all followers."""
        running, self._running = self._running, {}
        for _, task in running.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in running.values()), return_exceptions=True)


class Follower:
    """One long poll after the other; never starts a gateway, and does not count as use of it.

    ``owner`` is the encoded value of the header, None: no header.
    """

    def __init__(self, emit: Emit, owner: str | None = None) -> None:
        self._emit = emit
        self._headers = {"X-Rucat-Follower": "1", **({OWNER_HEADER: owner} if owner is not None else {})}
        self._found = asyncio.Event()
        self._known: dict[str, int] = {}

    def look_now(self) -> None:
        """Search for the gateway now."""
        self._found.set()

    async def run(self) -> None:
        """Follow, until cancelled."""
        while True:
            self._found.clear()
            with contextlib.suppress(GatewayUnavailable):  # the gateway is on another machine: nothing to follow
                if address := await asyncio.to_thread(launch.find):
                    await self._follow(address)
            with contextlib.suppress(asyncio.TimeoutError):
                await within(PAUSE_S, self._found.wait())

    async def _follow(self, address: launch.Address) -> None:
        """Follow one gateway until it ends or refuses."""
        target = "/rucat/engines"
        try:
            async with open_session(address.socket) as session:
                while await exchange(session, self._request(target), answer := Collected()):
                    if answer.status != 200:
                        logger.debug("cannot follow the gateway: %d %r", answer.status, answer.body[:200])
                        return
                    listing = json.loads(answer.body)
                    target = f"/rucat/engines?since={quote(listing['token'])}&wait={WAIT_S}"
                    self._compare({engine["id"]: engine["revision"] for engine in listing["engines"]})
        except (Broken, Silent):
            logger.debug("the gateway has ended")

    def _request(self, target: str) -> Request:
        return Request("GET", target, self._headers, read_s=WAIT_S + MARGIN_S)

    def _compare(self, now: dict[str, int]) -> None:
        changed = [{"id": key, "revision": rev} for key, rev in now.items() if self._known.get(key) != rev]
        removed = [key for key in self._known if key not in now]
        self._known = now
        if changed or removed:
            self._emit({"changed": changed, "removed": removed})


def _report(task: asyncio.Task[None]) -> None:
    """Log the error of a follower: normally it only ends when cancelled; after an error there are no more hints."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("internal error: no more events about engines on Jupyter's event bus", exc_info=error)

"""Follows the gateway's list of engines, and tells Jupyter's event bus which have changed: a hint to look again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from .. import launch
from ..errors import GatewayUnavailable
from .exchange import Broken, Collected, Request, Silent, connect, exchange

logger = logging.getLogger(__name__)

SCHEMA_ID = "urn:rucat:engines"
SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Engines changed",
    "description": "A hint to look again: engines whose revision has moved, and engines that are gone.",
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

WAIT_S = 50  # the longest long poll
MARGIN_S = 15.0
PAUSE_S = 2.0
"""Between two looks for a gateway where there is none: one read of a small file."""


class Follower:
    """One long poll after the other; never starts a gateway, and keeps none alive.

    ``emit`` gets the data of an event of :data:`SCHEMA`, on the loop.
    """

    def __init__(self, emit: Callable[[Mapping[str, Any]], None]) -> None:
        self._emit = emit
        self._found = asyncio.Event()
        self._known: dict[str, int] = {}

    def look_now(self) -> None:
        """Somebody here has come to a gateway: do not wait to see that."""
        self._found.set()

    async def run(self) -> None:
        """Follow, until cancelled."""
        while True:
            self._found.clear()
            with contextlib.suppress(GatewayUnavailable):  # on another machine: nothing to follow
                if address := await asyncio.to_thread(launch.find):
                    await self._follow(address)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._found.wait(), PAUSE_S)

    async def _follow(self, address: launch.Address) -> None:
        """Follow one gateway until it ends or says no."""
        try:
            stream = await connect(address.socket)
        except OSError:
            return
        target = "/rucat/engines"
        try:
            while True:
                answer = Collected()
                await exchange(
                    stream, Request("GET", target, {"X-Rucat-Follower": "1"}, read_s=WAIT_S + MARGIN_S), answer
                )
                if answer.status != 200:
                    logger.debug("cannot follow the gateway: %d %r", answer.status, answer.body[:200])
                    return
                listing = json.loads(answer.body)
                target = f"/rucat/engines?since={quote(listing['token'])}&wait={WAIT_S}"
                self._compare({engine["id"]: engine["revision"] for engine in listing["engines"]})
        except (Broken, Silent):
            logger.debug("the gateway has ended")
        finally:
            stream.close()

    def _compare(self, now: dict[str, int]) -> None:
        changed = [{"id": key, "revision": rev} for key, rev in now.items() if self._known.get(key) != rev]
        removed = [key for key in self._known if key not in now]
        self._known = now
        if changed or removed:
            self._emit({"changed": changed, "removed": removed})

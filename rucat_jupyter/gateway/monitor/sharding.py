"""Which gateway manages which engine: heartbeat rows and rendezvous hashing.

Safety does not depend on it (compare-and-set and object names ensure that): it only prevents that several gateways on
one store do the same work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ...core.ports.store import Beat, Store


def winner(engine_id: str, gateway_ids: Iterable[str]) -> str | None:
    """The gateway among these that manages an engine, or None if there is none.

    Highest random weight: when a gateway comes or goes, only its own engines move.
    """
    return max(gateway_ids, key=lambda gateway_id: _weight(engine_id, gateway_id), default=None)


def _weight(engine_id: str, gateway_id: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{gateway_id}\0{engine_id}".encode()).digest(), gateway_id


class Sharding:
    """The live gateways as last read, always including this one."""

    def __init__(self, store: Store, gateway_id: str, host: str, lost_s: float) -> None:
        self._store = store
        self._gateway_id = gateway_id
        self._host = host
        self._lost_s = lost_s
        self._live: dict[str, frozenset[str]] = {}

    @property
    def is_alone(self) -> bool:
        """Whether no other gateway is alive."""
        return len(self._live) <= 1

    async def beat(self, sites: Sequence[str]) -> bool:
        """Write this gateway's heartbeat, read the others'; True if the distribution of engines changes."""
        await self._store.beat(Beat(self._gateway_id, self._host, tuple(sites)))
        beats = await self._store.beats()
        live = {beat.gateway_id: frozenset(beat.sites) for beat in beats if beat.age_s < self._lost_s}
        live[self._gateway_id] = frozenset(sites)
        is_new, self._live = live != self._live, live
        return is_new

    async def end(self) -> None:
        """Remove this gateway's heartbeat, so that others take over immediately."""
        await self._store.unbeat(self._gateway_id)

    def is_mine(self, engine_id: str, site: str) -> bool:
        """Whether this gateway, which serves the site, manages the engine."""
        serving = {gateway_id for gateway_id, sites in self._live.items() if site in sites}
        return winner(engine_id, serving | {self._gateway_id}) == self._gateway_id

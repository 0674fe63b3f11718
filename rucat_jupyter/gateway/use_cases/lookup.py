"""Find an owner's engine by id or name, and its sessions, with few reads of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...core.engine import Engine, Session
from ...core.errors import EngineNotFound
from ...core.ports.store import Store
from ...core.spec import ID_PATTERN, check_name

MOST_KNOWN = 10_000
"""Size of each cache, in engines; one takes about a kilobyte."""


class Lookup:
    """Reads each engine from the store, and caches only what cannot become wrong unnoticed.

    The id of a name: an engine keeps its name, and after its deletion the name is looked up again. The sessions of an
    engine: each change of them increments the engine's revision.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids: dict[tuple[str, str], str] = {}
        self._sessions: dict[str, tuple[int, list[Session]]] = {}

    async def get(self, owner: str, ref: str) -> Engine:
        """The owner's engine with that id or name; EngineNotFound also for engines of other owners."""
        try:
            engine = await (self._store.get(ref) if ID_PATTERN.fullmatch(ref) else self._find(owner, check_name(ref)))
        except (EngineNotFound, ValueError):
            raise not_found(ref) from None
        if engine.owner != owner:
            raise not_found(ref)
        return engine

    async def sessions(self, engines: Sequence[Engine]) -> Mapping[str, list[Session]]:
        """Sessions by engine id; an empty list if there are none."""
        found = {e.id: known[1] for e in engines if (known := self._sessions.get(e.id)) and known[0] == e.revision}
        unknown = {engine.id: engine.revision for engine in engines if engine.id not in found}
        if unknown:
            found |= {engine_id: [] for engine_id in unknown}
            for session in await self._store.sessions(list(unknown)):
                found[session.engine_id].append(session)
            _make_room(self._sessions)
            self._sessions |= {engine_id: (revision, found[engine_id]) for engine_id, revision in unknown.items()}
        return found

    async def _find(self, owner: str, name: str) -> Engine:
        """By primary key if the id is known: twice as fast as the index."""
        known = self._ids.get((owner, name))
        if known is not None:
            try:
                return await self._store.get(known)
            except EngineNotFound:
                self._ids.pop((owner, name), None)
        engine = await self._store.find(owner, name)
        _make_room(self._ids)
        self._ids[owner, name] = engine.id
        return engine


def not_found(ref: str) -> EngineNotFound:
    """Same message for an engine that does not exist and for one of another owner."""
    return EngineNotFound(f"you have no engine {ref[:80]!r}")


def _make_room(known: dict[tuple[str, str], str] | dict[str, tuple[int, list[Session]]]) -> None:
    if len(known) >= MOST_KNOWN:
        known.clear()

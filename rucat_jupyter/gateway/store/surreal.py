"""The store in SurrealDB: embedded for one gateway, a server for many; the URL decides.

Every write is one block statement, which is one transaction in both: it takes effect with its history line, or not at
all. Values are bound, never formatted into a statement; only names of our models' fields are.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from surrealdb import RecordID
from surrealdb.data.types.range import BoundExcluded, BoundIncluded, Range

from ...core.engine import Credential, Engine, Event, Session
from ...core.errors import Conflict, EngineNotFound, NameTaken
from ...core.lifecycle import Changes, check_transition
from ...core.ports.store import STORE_NOW, Beat, Note
from . import rows
from .connection import Address, AlreadyThere, EmbeddedLink, Link
from .schema import guarded, migrate
from .server import ServerLink

_PAGE = 100  # rows per read: each takes about 0.15 ms, in which nothing else runs in this process
_SET_CREDENTIAL = """
    UPDATE $credential_id SET token = $credential.token, conf = $credential.conf, env = $credential.env RETURN NONE;"""
_AFTER_ALL_TEXTS = BoundExcluded([])  # in SurrealDB's order of record ids arrays come after texts

_LINKS: dict[str, type[EmbeddedLink] | type[ServerLink]] = {
    "surrealkv": EmbeddedLink,
    "mem": EmbeddedLink,
    "ws": ServerLink,
    "wss": ServerLink,
}


class SurrealStore:
    """Implements :class:`rucat_jupyter.core.ports.store.Store`.

    Parameters
    ----------
    url
        ``surrealkv://<folder>``, ``mem://``, ``ws://host:port`` or ``wss://host:port``. Only one process at a time may
        open a folder; the caller must ensure that, the engine takes no lock.
    namespace, database
        Names in SurrealDB.
    user, password
        For a server, at the level of database, namespace or root.
    time_limit_s
        Time limit of a call in seconds; after it the call raises StoreUnavailable.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "rucat",
        database: str = "rucat",
        user: str | None = None,
        password: str | None = None,
        time_limit_s: float = 10.0,
    ) -> None:
        self._link = _link(Address(url, namespace, database, user, password), time_limit_s)
        self._installation = ""
        self._known: dict[str, Engine] = {}
        self._known_at: int | None = None

    async def open(self) -> None:
        """Connect, migrate, create the installation id if there is none."""
        await self._link.open()
        try:
            self._installation = await migrate(self._link)
        except BaseException:
            await self._link.close()
            raise

    async def close(self) -> None:
        """Close the database; safe to call twice."""
        await self._link.close()

    async def check(self) -> None:
        """Return if the database answers now, from its storage and not only from memory."""
        await self._link.read("SELECT VALUE schema FROM ONLY meta:store")

    @property
    def installation(self) -> str:
        """The random id of this store, known after :meth:`open`."""
        return self._installation

    async def now(self) -> datetime:
        """The store's time."""
        now: datetime = await self._link.read("RETURN time::now()")
        return now

    async def create(self, engine: Engine, credential: Credential, note: Note) -> Engine:
        """Insert engine, credential and first history line in one transaction."""
        check_transition(None, engine.state)
        values = rows.engine_values(engine)
        line = rows.Line(note.line(engine), engine.revision)
        statement = f"""
            LET $created = (CREATE ONLY $id SET {rows.assign(values)}, created_at = time::now() RETURN AFTER);
            CREATE $credential_id SET token = $credential.token, conf = $credential.conf, env = $credential.env;
            {line.statement} RETURN $created;"""
        bound = {**rows.bind(values), "credential": rows.credential_values(credential), **line.values}
        try:
            row = await self._write(
                statement, id=_engine(engine.id), credential_id=RecordID("credential", engine.id), **bound
            )
        except AlreadyThere as exc:
            raise await self._taken(engine) from exc
        return rows.engine_of(row)

    async def get(self, engine_id: str) -> Engine:
        """Read one engine by id; from a cache until the next write, if no other process can write."""
        mark = self._link.mark
        if mark is None or mark != self._known_at:
            self._known, self._known_at = {}, mark
        elif engine_id in self._known:
            return self._known[engine_id]
        row = await self._link.read("SELECT * FROM ONLY $id", id=_engine(engine_id))
        if not row:
            raise EngineNotFound(f"no engine has the id {engine_id!r}; look at the list of engines")
        engine = rows.engine_of(row)
        if mark is not None and mark == self._link.mark == self._known_at:
            self._known[engine_id] = engine
        return engine

    async def find(self, owner: str, name: str) -> Engine:
        """Read one engine by owner and name."""
        found = await self._link.read(
            "SELECT * FROM engine WHERE owner = $owner AND name = $name",
            owner=rows.text(owner),
            name=rows.text(name),
        )
        if not found:
            raise EngineNotFound(f"no engine is named {name!r}; look at the list of engines")
        return rows.engine_of(found[0])

    async def engines(self, owner: str | None = None) -> list[Engine]:
        """All engines (of one owner), oldest first."""
        condition = "" if owner is None else "WHERE owner = $owner"
        found: list[Engine] = []
        after: BoundIncluded | BoundExcluded = BoundIncluded("")
        while True:
            page = await self._link.read(
                f"SELECT * FROM $range {condition} LIMIT {_PAGE}",  # noqa: S608 - constants
                range=RecordID("engine", Range(after, _AFTER_ALL_TEXTS)),
                owner=rows.text(owner or ""),
            )
            found += [rows.engine_of(row) for row in page]
            if len(page) < _PAGE:
                return sorted(found, key=lambda engine: engine.created_at)
            after = BoundExcluded(page[-1]["id"].id)

    async def some(self, engine_ids: Sequence[str]) -> list[Engine]:
        """Those of these engines that exist."""
        found: list[Engine] = []
        wanted = [_engine(engine_id) for engine_id in dict.fromkeys(engine_ids)]
        for begin in range(0, len(wanted), _PAGE):
            found += map(rows.engine_of, await self._link.read("SELECT * FROM $ids", ids=wanted[begin : begin + _PAGE]))
        return found

    async def update(
        self, engine: Engine, changes: Changes, note: Note | None, credential: Credential | None = None
    ) -> Engine:
        """Compare-and-set on ``engine.revision``."""
        values = rows.change_values(changes)
        known = {name: value for name, value in changes.items() if value is not STORE_NOW}
        after = engine.model_copy(update={**known, "revision": engine.revision + 1})
        check_transition(engine.state, after.state)
        line = rows.Line(note.line(after, after.run if "run" in changes else None), after.revision) if note else None
        values["revision"] = after.revision
        statement = f"""
            LET $changed = (UPDATE $id SET {rows.assign(values)} WHERE revision = $seen RETURN AFTER);
            IF array::len($changed) > 0 {{ {line.statement if line else ""} {_SET_CREDENTIAL if credential else ""} }};
            RETURN $changed;"""  # noqa: S608 - names of our model's fields only
        bound = {**rows.bind(values), **(line.values if line else {})}
        if credential:
            bound |= {
                "credential_id": RecordID("credential", engine.id),
                "credential": rows.credential_values(credential),
            }
        return rows.engine_of(await self._compare_and_set(engine, statement, id=_engine(engine.id), **bound))

    async def remove(self, engine: Engine, note: Note) -> None:
        """Compare-and-set delete of row, credential and sessions, with a last line in history."""
        after = engine.model_copy(update={"revision": engine.revision + 1})
        line = rows.Line(note.line(after), after.revision, is_tombstone=True)
        statement = f"""
            LET $gone = (DELETE $id WHERE revision = $seen RETURN BEFORE);
            IF array::len($gone) > 0 {{
                DELETE $credential_id;
                DELETE session WHERE engine_id = $engine_id;
                {line.statement}
            }};
            RETURN $gone;"""
        await self._compare_and_set(
            engine,
            statement,
            id=_engine(engine.id),
            credential_id=RecordID("credential", engine.id),
            engine_id=engine.id,
            **line.values,
        )

    async def credential(self, engine_id: str) -> Credential:
        """The secrets of an engine."""
        row = await self._link.read("SELECT * FROM ONLY $id", id=RecordID("credential", rows.text(engine_id)))
        if not row:
            raise EngineNotFound(f"no engine has the id {engine_id!r}; look at the list of engines")
        return rows.credential_of(row)

    async def touch(self, engine_id: str, used_at: datetime) -> None:
        """Move ``last_used_at`` forward."""
        await self._write(
            "UPDATE $id SET last_used_at = $at WHERE last_used_at = NONE OR last_used_at < $at RETURN NONE;",
            id=_engine(engine_id),
            at=used_at,
        )

    async def history(self, engine_id: str) -> list[Event]:
        """Events of an engine, oldest first."""
        found = await self._link.read("SELECT * FROM history WHERE engine_id = $id", id=rows.text(engine_id))
        events = [rows.event_of(row) for row in found]
        return sorted(events, key=lambda event: (event.at, event.revision))

    async def record(self, engine: Engine, note: Note) -> None:
        """Append a history line that changes nothing else."""
        line = rows.Line(note.line(engine), engine.revision, nonce=secrets.token_hex(8))
        await self._write(line.statement, **line.values)

    async def prune_history(self, keep_days: float) -> None:
        """Delete the history of engines that were removed more than ``keep_days`` ago."""
        await self._write(
            """LET $old = (SELECT VALUE engine_id FROM history WHERE is_tombstone = true AND at < $limit);
                DELETE history WHERE engine_id IN $old RETURN NONE;""",
            limit=await self.now() - timedelta(days=keep_days),
        )

    async def put_session(self, session: Session) -> Session:
        """Insert or replace the session of (engine, key)."""
        row = await self._write(
            """LET $engine = (UPDATE $owner SET revision += 1 RETURN AFTER);
               IF array::len($engine) = 0 { RETURN NONE };
               RETURN (UPSERT ONLY $id SET engine_id = $engine_id, key = $key, path = $path, user_id = $user_id,
                   session_id = $session_id, process = $process, is_attached = $is_attached,
                   created_at = time::now() RETURN AFTER);""",
            owner=_engine(session.engine_id),
            id=_session(session.engine_id, session.key),
            **rows.session_values(session),
        )
        if not row:
            raise EngineNotFound(f"no engine has the id {session.engine_id!r}; look at the list of engines")
        return rows.session_of(row)

    async def detach_session(self, session: Session) -> None:
        """Note that a session is not attached, unless it was attached again."""
        await self._write(
            """LET $found = (UPDATE $id SET is_attached = false WHERE is_attached != false
                   AND session_id = $session_id AND (process ?? '') = $process RETURN AFTER);
                IF array::len($found) > 0 { UPDATE $owner SET revision += 1 RETURN NONE };""",
            id=_session(session.engine_id, session.key),
            owner=_engine(session.engine_id),
            **{name: rows.session_values(session)[name] for name in ("session_id", "process")},
        )

    async def drop_session(self, engine_id: str, key: str) -> None:
        """Remove a session if it is there."""
        await self._write(
            """LET $gone = (DELETE $id RETURN BEFORE);
                IF array::len($gone) > 0 { UPDATE $engine_id SET revision += 1 RETURN NONE };""",
            id=_session(engine_id, key),
            engine_id=_engine(engine_id),
        )

    async def sessions(self, engine_ids: Sequence[str] | None = None) -> list[Session]:
        """Sessions of these engines (None: of all), oldest first."""
        condition = "" if engine_ids is None else "WHERE engine_id IN $ids"
        found = await self._link.read(
            f"SELECT * FROM session {condition}",  # noqa: S608 - one of two constants
            ids=[rows.text(engine_id) for engine_id in engine_ids or ()],
        )
        return sorted(map(rows.session_of, found), key=lambda session: (session.created_at, session.key))

    async def beat(self, beat: Beat) -> None:
        """Write this gateway's heartbeat with the store's time."""
        await self._write(
            """UPSERT $id SET gateway_id = $gateway_id, host = $host, sites = $sites, at = time::now()
               RETURN NONE;""",
            id=RecordID("gateway", rows.text(beat.gateway_id)),
            gateway_id=rows.text(beat.gateway_id),
            host=rows.text(beat.host),
            sites=[rows.text(site) for site in beat.sites],
        )

    async def unbeat(self, gateway_id: str) -> None:
        """Remove a gateway's heartbeat."""
        await self._write("DELETE $id RETURN NONE;", id=RecordID("gateway", rows.text(gateway_id)))

    async def beats(self) -> list[Beat]:
        """All heartbeats with their age."""
        return [rows.beat_of(row) for row in await self._link.read("SELECT *, time::now() AS now FROM gateway")]

    async def _write(self, body: str, **values: object) -> Any:
        """Run the statements of ``body`` as one transaction; StoreTooNew after a newer Rucat's migration."""
        return await self._link.write(guarded(body), **values)

    async def _compare_and_set(self, engine: Engine, body: str, **values: object) -> Any:
        """Run a write on the revision that was read, ``$seen``; return the changed row."""
        lost = f"engine {engine.id} is no longer at revision {engine.revision}: another writer changed it"
        try:
            changed = await self._write(body, seen=engine.revision, **values)
        except AlreadyThere as exc:  # the history line of that revision: its writer was first
            raise Conflict(lost) from exc
        if not changed:
            raise Conflict(lost)
        return changed[0]

    async def _taken(self, engine: Engine) -> Exception:
        """The error of a create: the name is taken, or else the id."""
        try:
            other = await self.find(engine.owner, engine.name)
        except EngineNotFound:
            return Conflict(f"cannot create {engine.name!r}: the conflicting engine is gone; try again")
        return NameTaken(
            f"cannot create {engine.name!r}: you have an engine with that name; use it, delete it, or use another name",
            id=other.id,
        )


def _link(address: Address, time_limit_s: float) -> Link:
    scheme = address.url.partition("://")[0]
    if scheme not in _LINKS:
        raise ValueError(f"the URL of a store must begin with one of {', '.join(_LINKS)}, not with {scheme!r}")
    return _LINKS[scheme](address, time_limit_s)


def _engine(engine_id: str) -> RecordID:
    return RecordID("engine", rows.text(engine_id))


def _session(engine_id: str, key: str) -> RecordID:
    return RecordID("session", [rows.text(engine_id), rows.text(key)])

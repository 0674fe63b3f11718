"""The connection to SurrealDB: every call has a time limit, its results are checked, its errors become Rucat's.

This module has the base class and the embedded engine. That engine (core 2.0) does not isolate concurrent writes (two
compare-and-sets on one revision both win), so its writes go one at a time. The connection to a server is in
:mod:`.server`.

Each call runs in a task of its own, which a cancelled caller does not cancel: a write under the lock always ends by
itself, so the lock is always released and no later write overtakes one in progress.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surrealdb import AsyncEmbeddedSurrealConnection, SurrealError

from ...core.errors import Conflict, StoreTooNew, StoreUnavailable

TOO_NEW = "rucat: the schema is newer"
"""Error of a guarded write on a store that a newer Rucat has migrated."""

_CLOSE_GRACE_S = 0.2  # without it the interpreter aborted at exit in 9 of 40 runs (SDK 2.0.0, embedded engine)
_NOT_RUN = "The query was not executed due to a failed transaction"
_BROKEN = ("IO error", "Log error")  # after one of these surrealkv does not answer until it is opened again
ATTEMPTS = 12
"""Tries of a transaction that loses against others; at most 1.5 s in total."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """URL and credentials of a database."""

    url: str
    namespace: str
    database: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def is_conflict(words: str) -> bool:
    """Whether the error says that a transaction lost against another, and can be retried."""
    return any(sign in words for sign in ("can be retried", "Transaction conflict", "read or write conflict"))


async def part(attempt: int) -> None:
    """Wait for a random, growing time, so that losers of one round do not collide again in the next."""
    await asyncio.sleep(random.uniform(0, 0.001 * 2 ** min(attempt, 8)))  # noqa: S311 - no secret


class AlreadyThere(Exception):
    """A unique index or a record id is already taken; the message is from the database."""


class Link:
    """A connection to one database."""

    def __init__(self, shown: str, time_limit_s: float) -> None:
        self._shown = shown  # name of the store in messages, without a password
        self._time_limit_s = time_limit_s
        self._calls: set[asyncio.Task[Any]] = set()
        self._is_open = False

    @property
    def mark(self) -> int | None:
        """Version of the whole database: it changes with each write; None while it is not known."""
        return None

    async def open(self) -> None:
        """Connect, or raise StoreUnavailable."""
        self._is_open = True
        try:
            await self._limited(self._connect)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Wait for open calls, then disconnect; safe to call twice."""
        if not self._is_open:
            return
        self._is_open = False
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._time_limit_s)
        for call in self._calls:
            call.cancel()
        await self._disconnect()

    async def read(self, statement: str, **values: object) -> Any:
        """Run one read-only statement and return its result."""
        return (await self._limited(lambda: self._query(statement, values)))[-1]

    async def write(self, statement: str, **values: object) -> Any:
        """Run a statement as one transaction and return its result (of several, the last one).

        Raises AlreadyThere, StoreTooNew, and Conflict if it still loses against other transactions after
        :data:`ATTEMPTS`: a lost transaction has no effect, so a retry is safe for any write.
        """
        attempt = 1
        while True:
            try:
                return (await self._limited(lambda: self._write(statement, values)))[-1]
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
            await part(attempt)
            attempt += 1

    async def _limited(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if not self._is_open:
            raise StoreUnavailable(f"the store {self._shown} is not open")
        task = asyncio.ensure_future(call())
        self._calls.add(task)
        task.add_done_callback(self._forget)
        done, _ = await asyncio.wait({task}, timeout=self._time_limit_s)
        if not done:
            self._on_timeout(task)
            raise self._unavailable(f"no answer within {self._time_limit_s:g} s")
        if task.cancelled():  # the SDK cancels the calls of a broken connection
            raise self._unavailable("the connection was lost")
        return task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # mark it as retrieved: the caller may be gone

    def _unavailable(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"the store {self._shown} does not answer: {why}; Rucat tries again")

    def _results(self, answer: dict[str, Any]) -> list[Any]:
        """The result of every statement, or the first one's error."""
        if error := answer.get("error"):  # an object from a server, a text from the embedded engine
            raise self._refused(str(error.get("message", error)) if isinstance(error, dict) else str(error))
        failed = [str(result["result"]) for result in answer["result"] if result["status"] != "OK"]
        if failed:  # a failed transaction fails each of its statements, most of them without the cause
            raise self._refused(next((words for words in failed if words.rstrip(".") != _NOT_RUN), failed[0]))
        return [result["result"] for result in answer["result"]]

    def _refused(self, words: str) -> Exception:
        """Convert the database's error message to Rucat's error."""
        if TOO_NEW in words:
            return StoreTooNew(
                f"a newer Rucat has migrated the store {self._shown}: this version can only read it; update Rucat"
            )
        if is_conflict(words):
            return Conflict("another writer changed the store at the same time")
        if "already contains" in words or "already exists" in words:
            return AlreadyThere(words)
        return self._unavailable(" ".join(words.split())[:300])

    async def _connect(self) -> None:
        raise NotImplementedError

    async def _disconnect(self) -> None:
        raise NotImplementedError

    async def _query(self, statement: str, values: dict[str, Any]) -> list[Any]:
        raise NotImplementedError

    async def _write(self, statement: str, values: dict[str, Any]) -> list[Any]:
        return await self._query(statement, values)

    def _on_timeout(self, task: asyncio.Task[Any]) -> None:
        """Handle a call that exceeds its time limit."""


class EmbeddedLink(Link):
    """The embedded engine, one writer at a time."""

    def __init__(self, address: Address, time_limit_s: float) -> None:
        is_memory = address.url.startswith("mem:")
        self._folder = None if is_memory else Path(address.url.partition("://")[2])
        super().__init__("in memory" if is_memory else f"in {self._folder}", time_limit_s)
        self._address = address
        self._lock = asyncio.Lock()
        self._db: AsyncEmbeddedSurrealConnection | None = None
        self._is_broken = False
        self._writes = 0

    @property
    def mark(self) -> int | None:
        """Count of writes; None while one is in progress, or the database is broken or not open."""
        return self._writes if self._is_open and not self._is_broken and not self._lock.locked() else None

    async def _connect(self) -> None:
        try:
            if self._folder:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            db = AsyncEmbeddedSurrealConnection(self._address.url)
            await db.connect()
            await db.use(self._address.namespace, self._address.database)
        except (OSError, RuntimeError, SurrealError) as exc:
            raise self._unavailable(f"{exc}; is the folder writable, and is there space?") from exc
        self._db = db

    async def _disconnect(self) -> None:
        if self._db:
            await self._let_go(self._db)
            await asyncio.sleep(_CLOSE_GRACE_S)

    async def _query(self, statement: str, values: dict[str, Any]) -> list[Any]:
        if self._is_broken:
            async with self._lock:
                await self._mend()
        return await self._run(statement, values)

    async def _write(self, statement: str, values: dict[str, Any]) -> list[Any]:
        async with self._lock:
            self._writes += 1
            await self._mend()
            return await self._run(statement, values)

    async def _run(self, statement: str, values: dict[str, Any]) -> list[Any]:
        db = self._db
        if db is None:
            raise self._unavailable("it failed and cannot be opened again")
        try:
            return self._results(await self._ask(db, statement, values))
        except StoreUnavailable as exc:
            if db is self._db and any(sign in str(exc) for sign in _BROKEN):
                self._is_broken = True
            raise

    async def _ask(self, db: AsyncEmbeddedSurrealConnection, statement: str, values: dict[str, Any]) -> dict[str, Any]:
        try:
            return await db.query_raw(statement, values)
        except RuntimeError as exc:  # the extension raises it for any error of the engine
            raise self._refused(str(exc)) from exc

    async def _mend(self) -> None:
        """Open the database again after a failure (a full disk): acknowledged writes are still there."""
        if self._is_broken:
            if self._db:
                await self._let_go(self._db)  # first: two open ones would corrupt each other
            await self._connect()
            self._is_broken = False
            _log.warning("reopened the store %s", self._shown)

    async def _let_go(self, db: AsyncEmbeddedSurrealConnection) -> None:
        self._db = None
        try:
            await db.close()
        except RuntimeError as exc:  # a full disk also prevents its last writes
            _log.warning("cannot close the store %s cleanly: %s", self._shown, exc)

"""The connection to a SurrealDB server: connects when needed, reconnects after a loss, and signs in each time.

The SDK (2.0.0) does not reconnect: a broken connection stays and fails every call. A server isolates concurrent writes
by itself; the losers get an error, and :class:`.connection.Link` tries them again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from typing import Any
from urllib.parse import unquote, urlsplit

import websockets
from surrealdb import AsyncWsSurrealConnection, SurrealError

from ...core.errors import StoreUnavailable
from ...core.timeouts import within
from .connection import ATTEMPTS, Address, Link, is_conflict, part

_CONNECT_LIMIT_S = 5.0
_GOODBYE_LIMIT_S = 1.0
# KeyError: the SDK raises it when the connection breaks during a call (it clears a table first).
_LOST = (OSError, asyncio.TimeoutError, websockets.WebSocketException, KeyError)

_log = logging.getLogger(__name__)


class ServerLink(Link):
    """A SurrealDB server: connects when needed, reconnects after a loss, and signs in each time."""

    def __init__(self, address: Address, time_limit_s: float) -> None:
        parts = urlsplit(address.url)
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        super().__init__(f"at {where}", time_limit_s)
        self._url = where + parts.path.rstrip("/")
        self._address = address
        self._user = address.user or (unquote(parts.username) if parts.username else None)
        self._password = address.password or (unquote(parts.password) if parts.password else None)
        self._connecting = asyncio.Lock()
        self._db: _Connection | None = None
        self._failed_at = float("-inf")
        self._failure = ""

    async def _connect(self) -> None:
        await self._connection()

    async def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db:
            await db.hang_up()

    async def _query(self, statement: str, values: dict[str, Any]) -> list[Any]:
        answer = await self._ask(statement, values)
        if _is_about_rights(answer) and self._user and _has_done_nothing(answer):
            answer = await self._ask(statement, values)  # on a new connection, which has signed in
        if _is_about_rights(answer) and not self._user:  # a new connection would be refused too
            raise self._turned_away(" ".join(filter(None, _words(answer)))[:300])
        return self._results(answer)

    async def _ask(self, statement: str, values: dict[str, Any]) -> dict[str, Any]:
        db = await self._connection()
        db.calls += 1
        try:
            answer = await db.query_raw(statement, values)
        except asyncio.CancelledError:  # the time is over: the connection may be dead without an error, for minutes
            self._drop(db)
            raise
        except _LOST as exc:
            self._drop(db)
            raise self._unavailable("the connection was lost") from exc
        finally:
            db.calls -= 1
            if db is not self._db and not db.calls:
                db.abort()
        if _is_about_rights(answer):  # the sign-in has expired, or the server has lost it
            self._retire(db)
        return answer

    def _on_timeout(self, task: asyncio.Task[Any]) -> None:
        task.cancel()

    def _retire(self, db: _Connection) -> None:
        """Let the next call open a connection; calls that are open on this one keep it until they have their answer."""
        if self._db is db:
            self._db = None
            if not db.calls:
                db.abort()

    def _drop(self, db: _Connection) -> None:
        db.abort()
        if self._db is db:
            self._db = None

    async def _connection(self) -> _Connection:
        asked_at = time.monotonic()
        async with self._connecting:
            if self._db and self._db.is_alive:
                return self._db
            if self._db:
                self._drop(self._db)
            if self._failed_at >= asked_at:  # a call that waited for an attempt gets its error, and does not try again
                raise StoreUnavailable(self._failure)
            try:
                self._db = await self._new_connection()
            except StoreUnavailable as exc:
                self._failed_at, self._failure = time.monotonic(), exc.message
                raise
            return self._db

    async def _new_connection(self) -> _Connection:
        db = _Connection(self._url)
        try:
            await within(_CONNECT_LIMIT_S, db.connect())
            await self._sign_in(db)
            await self._use(db)
        except _LOST as exc:
            db.abort()
            raise self._unavailable(str(exc) or type(exc).__name__) from exc
        except SurrealError as exc:
            db.abort()
            raise self._turned_away(str(exc)) from exc
        except BaseException:
            db.abort()
            raise
        _log.info("connected to the store %s", self._shown)
        return db

    def _turned_away(self, words: str) -> StoreUnavailable:
        who = f"user {self._user!r}" if self._user else "a caller without a user"
        return self._unavailable(f"it refused {who} ({words}); check user and password")

    async def _use(self, db: _Connection) -> None:
        """Select the database. A server creates a new one in a transaction: of concurrent ones only one succeeds."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await db.use(self._address.namespace, self._address.database)
                return
            except SurrealError as exc:
                if attempt == ATTEMPTS or not is_conflict(str(exc)):
                    raise
            await part(attempt)

    async def _sign_in(self, db: _Connection) -> None:
        """Sign in as a user of the database, the namespace or the server: the first that has the name."""
        if not self._user:
            return
        namespace, database = self._address.namespace, self._address.database
        who = {"username": self._user, "password": self._password or ""}
        levels: list[dict[str, Any]] = [
            {"namespace": namespace, "database": database, **who},
            {"namespace": namespace, **who},
            who,
        ]
        for level in levels:
            try:
                await db.signin(level)
                return
            except SurrealError:
                if level is who:
                    raise


class _Connection(AsyncWsSurrealConnection):
    """The SDK's connection, plus: no proxy for loopback, whether it is alive, its open calls, and an immediate end."""

    calls = 0

    @property
    def is_alive(self) -> bool:
        """Whether a task still reads the server's messages; the SDK keeps a dead connection."""
        return self.recv_task is not None and not self.recv_task.done()

    async def connect(self, url: str | None = None) -> None:
        """Connect as the SDK does, but without the environment's proxies if the server is on this machine."""
        if self.socket:
            return
        self.socket = await websockets.connect(
            self.raw_url,
            max_size=None,
            compression=None,
            subprotocols=[websockets.Subprotocol("cbor")],
            proxy=None if _is_loopback(self.host) else True,
            close_timeout=_GOODBYE_LIMIT_S,
        )
        self.loop = asyncio.get_running_loop()
        self.recv_task = asyncio.create_task(self._recv_task())

    async def hang_up(self) -> None:
        """Close the connection with a closing handshake, and wait until it is closed."""
        await self.close()

    def abort(self) -> None:
        """Break the connection now: its open calls fail immediately."""
        if self.socket:
            self.socket.transport.abort()


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_about_rights(answer: dict[str, Any]) -> bool:
    signs = ("IAM error", "session has expired", "token has expired", "Not enough permissions")
    return any(sign in word for word in _words(answer) for sign in signs)


def _has_done_nothing(answer: dict[str, Any]) -> bool:
    """Whether no statement was executed, so that all of them can be sent again."""
    return all(result["status"] != "OK" for result in answer.get("result", ()))


def _words(answer: dict[str, Any]) -> list[str]:
    """All error messages of a response; its own, an object from servers, first."""
    error = answer.get("error", "")
    said = str(error.get("message", error) if isinstance(error, dict) else error)
    return [said, *(str(result["result"]) for result in answer.get("result", ()) if result["status"] != "OK")]

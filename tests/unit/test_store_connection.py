"""The connection to SurrealDB: time limits, the one-writer lock, cancelled callers, and Rucat's errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from surrealdb import SurrealError

from rucat_jupyter.core.errors import Conflict, StoreTooNew, StoreUnavailable
from rucat_jupyter.gateway.store import connection, server
from rucat_jupyter.gateway.store.connection import Address, AlreadyThere, EmbeddedLink, Link
from rucat_jupyter.gateway.store.schema import TOO_NEW
from rucat_jupyter.gateway.store.server import ServerLink
from rucat_jupyter.gateway.store.surreal import SurrealStore

NOT_RUN = "The query was not executed due to a failed transaction"


def ok(result: object) -> dict[str, Any]:
    return {"status": "OK", "result": result}


def err(words: str) -> dict[str, Any]:
    return {"status": "ERR", "result": words}


class DatabaseThatWaits:
    """Plays the SDK's connection: each query waits until the test releases it, and answers from a list."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.gate = asyncio.Event()
        self.answers: list[Any] = []
        self.closed = 0

    async def query_raw(self, statement: str, values: dict[str, Any]) -> dict[str, Any]:
        self.begun.append(statement)
        await self.gate.wait()
        self.ended.append(statement)
        answer = self.answers.pop(0) if self.answers else [ok(statement)]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, dict) else {"result": answer}

    async def close(self) -> None:
        self.closed += 1


class LinkToIt(EmbeddedLink):
    """The real link, but for the database it opens."""

    def __init__(self, time_limit_s: float = 5.0) -> None:
        super().__init__(Address("mem://", "n", "d"), time_limit_s)
        self.databases: list[DatabaseThatWaits] = []

    async def _connect(self) -> None:
        self.databases.append(DatabaseThatWaits())
        self._db = self.databases[-1]  # type: ignore[assignment]  # plays it

    @property
    def database(self) -> DatabaseThatWaits:
        return self.databases[-1]


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real engine is closed here."""
    monkeypatch.setattr(connection, "_CLOSE_GRACE_S", 0.0)


@pytest.fixture
async def link() -> LinkToIt:
    """Open a link whose database holds every query back."""
    link = LinkToIt()
    await link.open()
    return link


async def turns(count: int = 10) -> None:
    """Let every task that can run do so."""
    for _ in range(count):
        await asyncio.sleep(0)


# --- one writer at a time, whatever becomes of the callers ------------------------------------------------


async def test_a_second_write_begins_when_the_first_has_ended(link: LinkToIt) -> None:
    """Writes go one at a time; reads do not wait for them."""
    writes = [asyncio.create_task(link.write(name)) for name in "ab"]
    read = asyncio.create_task(link.read("r"))
    await turns()
    assert link.database.begun == ["a", "r"]
    link.database.gate.set()
    assert await asyncio.gather(*writes, read) == ["a", "b", "r"]


async def test_the_mark_moves_with_each_write_and_is_gone_meanwhile(link: LinkToIt) -> None:
    """What was read under a mark is still so while the mark is there; a line to a server has none."""
    assert link.mark == 0
    writes = [asyncio.create_task(link.write(name)) for name in "ab"]
    read = asyncio.create_task(link.read("r"))
    await turns()
    assert link.mark is None
    link.database.gate.set()
    await asyncio.gather(*writes, read)
    assert link.mark == 2
    link.database.answers = [RuntimeError("IO error: no space")]
    with pytest.raises(StoreUnavailable):
        await link.write("c")
    assert link.mark is None
    assert Link("a server", 1.0).mark is None


async def test_a_cancelled_writer_keeps_the_lock_until_its_write_has_ended(link: LinkToIt) -> None:
    """The engine is still at work on it: the next write must not overtake, and must not wait without end."""
    first = asyncio.create_task(link.write("first"))
    await turns()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(link.write("second"))
    await turns()
    assert link.database.begun == ["first"]
    link.database.gate.set()
    assert await second == "second"
    assert link.database.ended == ["first", "second"]


async def test_a_writer_cancelled_while_it_waits_for_the_lock_blocks_no_other(link: LinkToIt) -> None:
    """However many callers give up, the lock is released."""
    writers = [asyncio.create_task(link.write(str(number))) for number in range(5)]
    await turns()
    for writer in writers:
        writer.cancel()
    await asyncio.gather(*writers, return_exceptions=True)
    link.database.gate.set()
    assert await link.write("last") == "last"


async def test_a_write_that_takes_too_long_is_unavailable_and_blocks_only_while_it_lasts() -> None:
    """Callers get an error after the time limit; when the engine finally answers, writes go on."""
    link = LinkToIt(time_limit_s=0.05)
    await link.open()
    for name in ("slow", "waits"):
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.05 s"):
            await link.write(name)
    with pytest.raises(StoreUnavailable):
        await link.read("r")
    link.database.gate.set()
    assert await link.write("next") == "next"
    assert link.database.ended == ["slow", "r", "waits", "next"]


async def test_close_waits_for_the_write_under_way(link: LinkToIt) -> None:
    """An acknowledged end leaves nothing half written, also when the writer has gone."""
    writer = asyncio.create_task(link.write("a"))
    await turns()
    writer.cancel()
    closing = asyncio.create_task(link.close())
    await turns()
    assert link.database.closed == 0
    link.database.gate.set()
    await closing
    assert (link.database.ended, link.database.closed) == (["a"], 1)
    await link.close()
    with pytest.raises(StoreUnavailable, match="is not open"):
        await link.write("b")


# --- what the database says -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ([ok(1), err("Database index `x` already contains ['me', 'n'], with record `engine:y`")], AlreadyThere, "`x`"),
        ([err("Database record `engine:x` already exists")], AlreadyThere, "engine:x"),
        ([err(f"An error occurred: {TOO_NEW}")], StoreTooNew, "newer Rucat"),
        ([err(NOT_RUN), err("Something\nodd  happened")], StoreUnavailable, "Something odd happened"),
        ([err(NOT_RUN)], StoreUnavailable, "failed transaction"),
        ([ok(1), err("late"), ok(3)], StoreUnavailable, "late"),
        ({"error": {"code": -32000, "message": "sent as an object"}}, StoreUnavailable, "sent as an object"),
        ({"error": "sent as a text"}, StoreUnavailable, "sent as a text"),
        (RuntimeError("raised by the extension"), StoreUnavailable, "raised by the extension"),
    ],
)
async def test_every_refusal_has_its_own_error(
    link: LinkToIt, answer: object, error: type[Exception], words: str
) -> None:
    """No failed statement is overlooked, wherever it stands, and the text is one line."""
    link.database.gate.set()
    link.database.answers = [answer]
    with pytest.raises(error, match=words) as caught:
        await link.write("w")
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


async def test_a_write_that_lost_against_another_transaction_is_tried_again(link: LinkToIt) -> None:
    """A lost transaction had no effect: the next attempt decides."""
    link.database.gate.set()
    lost = [err("Transaction conflict: Write conflict. This transaction can be retried")]
    link.database.answers = [lost, lost, [ok("won")]]
    assert await link.write("w") == "won"
    assert link.database.begun == ["w"] * 3


async def test_a_write_that_always_loses_is_a_conflict(link: LinkToIt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying again has an end."""
    monkeypatch.setattr(connection, "ATTEMPTS", 3)
    link.database.gate.set()
    link.database.answers = [[err("This transaction can be retried")] for _ in range(3)]
    with pytest.raises(Conflict):
        await link.write("w")
    assert len(link.database.begun) == 3


# --- a database that broke --------------------------------------------------------------------------------


async def test_after_an_io_error_the_database_is_reopened_once(link: LinkToIt) -> None:
    """The old one is closed before the new one is opened, and only one caller does it."""
    first = link.database
    first.gate.set()
    first.answers = [[err(f"{NOT_RUN}. There was a problem: Log error: IO error: message=No space left on device")]]
    with pytest.raises(StoreUnavailable, match="No space left"):
        await link.write("w")
    calls = [asyncio.create_task(link.read("r1")), asyncio.create_task(link.write("w1"))]
    await turns()
    link.database.gate.set()
    assert await asyncio.gather(*calls) == ["r1", "w1"]
    assert len(link.databases) == 2
    assert (first.closed, link.database.closed) == (1, 0)


async def test_a_database_that_cannot_be_closed_is_reopened_all_the_same(
    link: LinkToIt, caplog: pytest.LogCaptureFixture
) -> None:
    """The full disk also breaks the old one's last words; that is logged."""
    first = link.database
    first.gate.set()
    first.answers = [RuntimeError("Log error: fsync failed")]

    async def close() -> None:
        raise RuntimeError("fsync failed")

    first.close = close  # type: ignore[method-assign]  # plays a failure
    with pytest.raises(StoreUnavailable):
        await link.write("w")
    again = asyncio.create_task(link.write("again"))
    await turns()
    link.database.gate.set()
    assert await again == "again"
    assert "cleanly: fsync failed" in caplog.text


# --- addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "rocksdb:///x", "http://host:8000", "/some/path", "memory"])
def test_an_unknown_kind_of_url_is_refused_with_the_kinds_there_are(url: str) -> None:
    """A typing error in the setting is one line that says what would be right."""
    with pytest.raises(ValueError, match="surrealkv, mem, ws, wss"):
        SurrealStore(url)


def test_an_address_never_shows_its_password() -> None:
    """Not even in a traceback's values."""
    assert "hush" not in repr(Address("ws://h", "n", "d", "u", "hush"))


async def test_a_database_that_many_create_is_selected_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server creates a new database at its first selection; of concurrent ones it refuses all but one."""
    answers = [SurrealError("Transaction conflict: Write conflict, retry. This transaction can be retried")] * 3
    asked: list[tuple[str, str]] = []

    async def connect(self: object) -> None:
        """Connect to nothing."""

    async def use(self: object, namespace: str, database: str) -> None:
        asked.append((namespace, database))
        if answers:
            raise answers.pop()

    monkeypatch.setattr(server._Connection, "connect", connect)
    monkeypatch.setattr(server._Connection, "use", use)
    link = ServerLink(Address("ws://127.0.0.1:1", "n", "d"), 5.0)
    await link.open()
    assert asked == [("n", "d")] * 4
    await link.close()


async def test_an_error_that_is_no_conflict_is_raised_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trying again does not change is not tried again."""
    asked: list[str] = []

    async def connect(self: object) -> None:
        """Connect to nothing."""

    async def use(self: object, namespace: str, database: str) -> None:
        asked.append(database)
        raise SurrealError("IAM error: Not enough permissions")

    monkeypatch.setattr(server._Connection, "connect", connect)
    monkeypatch.setattr(server._Connection, "use", use)
    with pytest.raises(StoreUnavailable, match="check user and password"):
        await ServerLink(Address("ws://127.0.0.1:1", "n", "d"), 5.0).open()
    assert asked == ["d"]

"""Long polls really wait, hear every change, and hold nothing for a client that has gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from fakes.office import OWNER, Office, open_office
from fakes.rest_app import app_of, client_of, error_of

from rucat_jupyter.core.engine import Status
from rucat_jupyter.core.ports.store import Note

DEADLINE_S = 20.0


@pytest.fixture
async def office() -> Office:
    return await open_office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


async def waits(office: Office, count: int = 1) -> None:
    """Return once that many polls wait for the notifier."""
    await until(lambda: len(office.notifier._next._waiters) == count)


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


Get = Callable[..., Awaitable[httpx.Response]]


def poll(client: httpx.AsyncClient, path: str, **params: object) -> asyncio.Task[httpx.Response]:
    return asyncio.ensure_future(client.get(path, params=params))  # type: ignore[arg-type]


async def token_of(client: httpx.AsyncClient, **params: str) -> str:
    return str((await client.get("/rucat/engines", params=params)).json()["token"])


async def test_a_settled_engines_poll_waits_until_the_end(office: Office, client: httpx.AsyncClient) -> None:
    """Nothing happens, so the answer comes after S seconds, and is what it was."""
    engine = await office.engine(Status.STOPPED)
    token = await token_of(client)
    began = time.monotonic()
    one, many = await asyncio.gather(
        poll(client, "/rucat/engines/etl", since=engine.revision, wait=0.5),
        poll(client, "/rucat/engines", since=token, wait="0.5"),
    )
    assert time.monotonic() - began >= 0.5
    assert (one.json()["revision"], many.json()["token"]) == (engine.revision, token)


async def test_a_change_ends_every_poll_immediately(office: Office, client: httpx.AsyncClient) -> None:
    """Twenty on the engine and twenty on the list, long before their time is over."""
    engine = await office.engine(Status.RUNNING)
    token = await token_of(client)
    ones = [poll(client, "/rucat/engines/etl", since=engine.revision, wait=50) for _ in range(20)]
    lists = [poll(client, "/rucat/engines", since=token, wait=50) for _ in range(20)]
    await waits(office, 40)
    await client.post("/rucat/engines/etl/stop")
    answers = await asyncio.wait_for(asyncio.gather(*ones), DEADLINE_S)
    assert {answer.json()["status"] for answer in answers} == {"Stopping"}
    answers = await asyncio.wait_for(asyncio.gather(*lists), DEADLINE_S)
    assert token not in {answer.json()["token"] for answer in answers}


@pytest.mark.parametrize(
    "path",
    [
        "/rucat/engines/etl?since=999&wait=50",
        "/rucat/engines/etl?since=1",
        "/rucat/engines/etl?wait=50",
        "/rucat/engines/etl?since=1&wait=0",
        "/rucat/engines?wait=50",
        "/rucat/engines?since=unknown&wait=50",
        "/rucat/engines?since=&wait=50",
        "/rucat/engines?since=TOKEN",
        "/rucat/engines?since=TOKEN&wait=0",
    ],
)
async def test_polls_without_a_wait_respond_immediately(office: Office, client: httpx.AsyncClient, path: str) -> None:
    """An unknown token or revision, one without ``wait``, and ``wait`` alone."""
    await office.engine()
    path = path.replace("TOKEN", await token_of(client))
    answer = await asyncio.wait_for(client.get(path), 5)
    assert answer.status_code == 200


async def test_an_engine_that_is_deleted_meanwhile_is_404(office: Office, client: httpx.AsyncClient) -> None:
    """By name too, and also when another one has taken the name."""
    engine = await office.engine()
    polls = [poll(client, f"/rucat/engines/{ref}", since=engine.revision, wait=50) for ref in ("etl", engine.id)]
    await waits(office, 2)
    await office.store.remove(engine, Note("monitor", "deleted"))
    await office.engine()
    for answer in await asyncio.wait_for(asyncio.gather(*polls), DEADLINE_S):
        assert error_of(answer) == (404, "not_found")


async def test_a_token_is_of_its_filter(office: Office, client: httpx.AsyncClient) -> None:
    """What the filter does not show ends no poll; what it shows does, on whatever page."""
    await office.engine(Status.RUNNING, "a")
    other = await office.engine(Status.STOPPED, "b")
    token = await token_of(client, status="Running")
    wait = poll(client, "/rucat/engines", status="Running", since=token, wait=50, limit=1)
    await waits(office)
    await office.store.update(other, {"message": "x"}, None)
    office.notifier.notify()
    await waits(office)
    assert not wait.done()
    await office.engine(Status.RUNNING, "c")
    office.notifier.notify()
    body = (await asyncio.wait_for(wait, DEADLINE_S)).json()
    assert ([engine["name"] for engine in body["engines"]], body["next_page"]) == (["a"], 2)


async def test_use_moves_neither_revision_nor_token(office: Office, client: httpx.AsyncClient) -> None:
    """``last_used_at`` is shown, and wakes no poll."""
    engine = await office.engine()
    token = await token_of(client)
    wait = poll(client, "/rucat/engines/etl", since=engine.revision, wait="0.3")
    await waits(office)
    await office.store.touch(engine.id, office.clock[0] + timedelta(seconds=5))
    office.notifier.notify()
    answer = (await asyncio.wait_for(wait, DEADLINE_S)).json()
    assert (answer["revision"], answer["last_used_at"]) == (engine.revision, "2026-01-01T00:00:05Z")
    assert await token_of(client) == token


async def test_another_gateways_writes_are_noticed(office: Office) -> None:
    """If others write the same store, a poll reads it periodically; else it does not."""
    engine = await office.engine()
    async with client_of(office, look_every_s=0.1) as client:
        wait = poll(client, "/rucat/engines/etl", since=engine.revision, wait=50)
        await waits(office)
        await office.store.update(engine, {"message": "from elsewhere"}, None)
        assert (await asyncio.wait_for(wait, DEADLINE_S)).json()["message"] == "from elsewhere"


async def test_a_poll_that_hears_nothing_reads_twice(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once to begin with and once at the end: waiting costs nothing."""
    engine = await office.engine()
    reads = count_reads(office, monkeypatch)
    await client.get("/rucat/engines/etl", params={"since": engine.revision, "wait": 0.3})
    assert reads == [engine.id] * 3  # by name, then the two


async def test_many_rings_are_few_reads(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand engines that start together do not make each poll read a thousand times."""
    engine = await office.engine()
    reads = count_reads(office, monkeypatch)
    wait = poll(client, "/rucat/engines/etl", since=engine.revision, wait=1)
    while not wait.done():
        office.notifier.notify()
        await asyncio.sleep(0.001)
    assert (await wait).status_code == 200
    assert len(reads) < 25


def count_reads(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reads: list[str] = []
    get = office.store.get

    async def counted(engine_id: str) -> object:
        reads.append(engine_id)
        return await get(engine_id)

    async def found(owner: str, name: str) -> object:
        engine = next(e for e in await office.store.engines(owner) if e.name == name)
        return await counted(engine.id)

    monkeypatch.setattr(office.store, "get", counted)
    monkeypatch.setattr(office.store, "find", found)
    return reads


async def test_a_closed_notifier_ends_polls(office: Office, client: httpx.AsyncClient) -> None:
    """A gateway that ends answers all open polls."""
    engine = await office.engine()
    wait = poll(client, "/rucat/engines/etl", since=engine.revision, wait=50)
    await waits(office)
    office.notifier.close()
    assert (await asyncio.wait_for(wait, DEADLINE_S)).json()["revision"] == engine.revision
    again = await asyncio.wait_for(poll(client, "/rucat/engines/etl", since=engine.revision, wait=50), 5)
    assert again.status_code == 200


async def test_a_store_that_breaks_meanwhile_is_an_error(office: Office, client: httpx.AsyncClient) -> None:
    """503, not a poll that hangs."""
    engine = await office.engine()
    wait = poll(client, "/rucat/engines/etl", since=engine.revision, wait=50)
    await waits(office)
    office.store.is_down = True
    office.notifier.notify()
    assert error_of(await asyncio.wait_for(wait, DEADLINE_S)) == (503, "store_unavailable")


async def test_a_client_that_goes_away_leaves_nothing(office: Office) -> None:
    """Its poll ends immediately, and nothing of it stays."""
    engine = await office.engine()
    gone = asyncio.Event()
    sent: list[dict[str, object]] = []
    first = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, object]:
        message = next(first, None)
        if message is None:
            await gone.wait()
            return {"type": "http.disconnect"}
        return message

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/rucat/engines/{engine.id}",
        "query_string": f"since={engine.revision}&wait=50".encode(),
        "headers": [],
    }
    before = asyncio.all_tasks()
    call = asyncio.ensure_future(app_of(office)(scope, receive, send))
    await waits(office)
    gone.set()
    await asyncio.wait_for(call, DEADLINE_S)
    assert sent[0]["status"] == 499
    assert not office.notifier._next._waiters
    assert asyncio.all_tasks() - before <= {call}


async def test_a_poll_is_cancelled_with_its_call(office: Office) -> None:
    """Cancelling the call of a poll, as draining does at the end, cancels all of it."""
    engine = await office.engine()
    before = asyncio.all_tasks()
    async with client_of(office) as client:
        wait = poll(client, "/rucat/engines/etl", since=engine.revision, wait=50)
        await waits(office)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
    assert not office.notifier._next._waiters
    assert asyncio.all_tasks() == before


async def test_each_owner_waits_for_its_own(office: Office, client: httpx.AsyncClient) -> None:
    """Another owner's engines end no poll."""
    token = await token_of(client)
    wait = poll(client, "/rucat/engines", since=token, wait="0.3")
    await waits(office)
    await office.engine(owner="bob")
    assert (await asyncio.wait_for(wait, DEADLINE_S)).json() == {"engines": [], "token": token, "next_page": None}
    assert OWNER != "bob"

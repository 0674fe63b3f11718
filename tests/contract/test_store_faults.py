"""What becomes of a store when the machine below it fails: kill -9, a full disk, a server that goes away (F7)."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import pytest
from cluster import surreal
from fakes.surreal_server import PASSWORD, USER, SurrealServer

from rucat_jupyter.core.engine import Credential, Engine
from rucat_jupyter.core.errors import Conflict, StoreUnavailable
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.store import server as surreal_server
from rucat_jupyter.gateway.store.surreal import SurrealStore

AnyServer = SurrealServer | surreal.Server
TESTS = Path(__file__).parent.parent
WRITER = [sys.executable, "-m", "fakes.busy_writer"]
QUICKLY_S = 2.0
BACK_S = 10.0


async def create(store: SurrealStore, name: str) -> Engine:
    """Create an engine of that name; its id is derived from it."""
    engine = Engine(
        id=f"id-{name}",
        name=name,
        owner="alice",
        platform="local",
        profile="local",
        site="here",
        spec=EngineSpec(),
        created_at=datetime.now(timezone.utc),
    )
    return await store.create(engine, Credential(token="t"), Note("alice", "create"))


async def until_it_answers(store: SurrealStore) -> float:
    """Seconds until the store answers again."""
    began = time.monotonic()
    while True:
        try:
            await store.check()
        except StoreUnavailable:
            assert time.monotonic() - began < BACK_S
            await asyncio.sleep(0.05)
        else:
            return time.monotonic() - began


# --- the embedded engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 40, 150])
async def test_acknowledged_writes_outlive_kill_9(tmp_path: Path, lines: int) -> None:
    """Whatever was acknowledged before the blow is there after it, whole, with its history."""
    writer = subprocess.Popen([*WRITER, tmp_path / "db"], cwd=TESTS, stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    try:
        acknowledged = [writer.stdout.readline().strip() for _ in range(lines)]
    finally:
        writer.kill()
        rest, _ = writer.communicate()
    acknowledged += rest.split("\n")[:-1]  # what it said before it died; a cut last line was not said
    store = SurrealStore(f"surrealkv://{tmp_path / 'db'}")
    await store.open()
    try:
        for engine_id in acknowledged:
            engine = await store.get(engine_id)
            assert (engine.message, engine.revision) == ("acknowledged", 2)
            assert [e.kind for e in await store.history(engine_id)] == ["create", "update"]
            assert (await store.credential(engine_id)).token == "t"
        assert len(await store.engines()) in (len(acknowledged), len(acknowledged) + 1)
        await create(store, "after")
    finally:
        await store.close()


async def test_store_is_the_same_when_opened_again(tmp_path: Path) -> None:
    """Installation, engines and their order survive a clean end."""
    url = f"surrealkv://{tmp_path / 'with blank and ünïcode' / 'db'}"
    store = SurrealStore(url)
    await store.open()
    engines = [await create(store, name) for name in "cab"]
    await store.close()
    again = SurrealStore(url)
    await again.open()
    try:
        assert again.installation == store.installation
        assert await again.engines() == engines
    finally:
        await again.close()


def test_full_disk_loses_nothing_and_heals_by_itself(tmp_path: Path) -> None:
    """While no file can grow writes are refused with the cause and reads go on; after it all is well."""
    done = subprocess.run(
        [*WRITER, tmp_path / "db", "full"], cwd=TESTS, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stdout
    assert done.stdout.count("\n") == 1


async def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A data directory that cannot be written is said in one line that names it."""
    (tmp_path / "file").touch()
    store = SurrealStore(f"surrealkv://{tmp_path / 'file' / 'db'}")
    with pytest.raises(StoreUnavailable) as caught:
        await store.open()
    assert str(tmp_path / "file" / "db") in str(caught.value)
    assert "\n" not in str(caught.value)
    await store.close()


async def test_database_folder_is_private(tmp_path: Path) -> None:
    """No other user of the machine can read the tokens."""
    store = SurrealStore(f"surrealkv://{tmp_path / 'a' / 'db'}")
    await store.open()
    await store.close()
    assert (tmp_path / "a" / "db").stat().st_mode & 0o777 == 0o700


# --- a server ---------------------------------------------------------------------------------------------


@pytest.fixture(
    params=["npm-engine-behind-a-bridge", pytest.param("real", marks=[pytest.mark.cluster, pytest.mark.all])]
)
def new_server(request: pytest.FixtureRequest) -> Callable[..., AnyServer]:
    """Makes servers of each kind, not yet started; who makes one ends it."""
    if request.param == "real":
        return request.getfixturevalue("real_surreal")  # type: ignore[no-any-return]
    return partial(SurrealServer, request.getfixturevalue("surreal_modules"))


@pytest.fixture
def server(new_server: Callable[..., AnyServer], tmp_path: Path) -> Iterator[AnyServer]:
    """Start a server of this test's own, on a disk, for the npm engine behind a bridge."""
    server = new_server(f"surrealkv://{tmp_path / 'server'}")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def store(server: AnyServer) -> AsyncIterator[SurrealStore]:
    """Open a store on that server."""
    store = SurrealStore(server.url, time_limit_s=5)
    await store.open()
    yield store
    await store.close()


async def test_server_killed_and_restarted_loses_nothing(server: AnyServer, store: SurrealStore) -> None:
    """Writers go on through a kill -9: every acknowledged write is there, a lost one is an error, none is doubled."""
    acknowledged: list[Engine] = []
    told = 0
    is_over = False

    async def writer(number: int) -> None:
        nonlocal told
        count = 0
        while not is_over:
            count += 1
            try:
                engine = await create(store, f"{number}-{count}")
                acknowledged.append(await store.update(engine, {"message": "x"}, Note("w", "x")))
            except (StoreUnavailable, Conflict):
                told += 1
                await asyncio.sleep(0.02)

    async def at_least(count: int) -> None:
        while len(acknowledged) < count:
            await asyncio.sleep(0.01)

    writers = [asyncio.create_task(writer(number)) for number in range(5)]
    await asyncio.wait_for(at_least(20), BACK_S)
    server.kill()
    await _says_unavailable(store.engines)
    before = len(acknowledged)
    server.start()
    await asyncio.wait_for(at_least(before + 20), BACK_S)
    is_over = True
    await asyncio.gather(*writers)
    assert told >= 5
    stored = {engine.id: engine for engine in await store.engines()}
    for engine in acknowledged:
        assert stored[engine.id] == engine
        assert len(await store.history(engine.id)) == 2
    for engine in stored.values():
        assert len(await store.history(engine.id)) == engine.revision


async def _says_unavailable(call: Callable[[], Awaitable[object]]) -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await call()
    assert time.monotonic() - began < QUICKLY_S
    assert "\n" not in str(caught.value)


async def test_every_call_says_unavailable_quickly_while_the_server_is_down(
    server: AnyServer, store: SurrealStore
) -> None:
    """No call hangs or shows an error of the database's library; the first call after a restart works."""
    engine = await create(store, "one")
    server.kill()
    for _ in range(3):
        await _says_unavailable(store.check)
        await _says_unavailable(lambda: store.get(engine.id))
        await _says_unavailable(lambda: store.update(engine, {"message": "x"}, None))
        await _says_unavailable(lambda: create(store, "two"))
        await _says_unavailable(store.beats)
    server.start()
    assert await until_it_answers(store) < BACK_S
    assert await store.engines() == [engine]


async def test_server_that_went_away_between_calls_is_found_again(server: AnyServer, store: SurrealStore) -> None:
    """An idle store notices nothing of a server's restart."""
    engine = await create(store, "one")
    server.kill()
    server.start()
    assert await until_it_answers(store) < BACK_S
    assert await store.get(engine.id) == engine


async def test_frozen_server_is_unavailable_within_the_time_limit(server: AnyServer) -> None:
    """A server that says nothing costs a call its time limit and no more; once it speaks again all is well."""
    store = SurrealStore(server.url, time_limit_s=0.5)
    await store.open()
    try:
        engine = await create(store, "one")
        server.signal(signal.SIGSTOP)
        await _says_unavailable(store.engines)
        outcomes = await asyncio.gather(
            *(store.update(engine, {"message": str(i)}, None) for i in range(10)), return_exceptions=True
        )
        assert {type(one) for one in outcomes} == {StoreUnavailable}
        server.signal(signal.SIGCONT)
        assert await until_it_answers(store) < BACK_S
        assert (await store.get(engine.id)).name == "one"
    finally:
        server.signal(signal.SIGCONT)
        await store.close()


async def test_a_new_connection_is_signed_in_again(new_server: Callable[..., AnyServer], tmp_path: Path) -> None:
    """User and password go with every connection, not only with the first."""
    server = new_server(f"surrealkv://{tmp_path / 'server'}", needs_sign_in=True)
    server.start()
    store = SurrealStore(server.url, user=USER, password=PASSWORD)
    try:
        await store.open()
        engine = await create(store, "one")
        server.kill()
        server.start()
        assert await until_it_answers(store) < BACK_S
        assert await store.engines() == [engine]
    finally:
        await store.close()
        server.kill()


async def test_a_session_that_ends_costs_no_request(new_server: Callable[..., AnyServer]) -> None:
    """``DURATION FOR SESSION``: what the server refuses is signed in and sent again, also for concurrent requests."""
    server = new_server(needs_sign_in=True)
    server.start()
    root = SurrealStore(server.url, user=USER, password=PASSWORD)
    store = SurrealStore(server.url, user="brief", password="pw")
    try:
        await root.open()
        await root._link.write(
            "DEFINE USER brief ON ROOT PASSWORD 'pw' ROLES OWNER DURATION FOR TOKEN 1s, FOR SESSION 1s"
        )
        await store.open()
        first = store._link._db  # type: ignore[attr-defined]
        for number in range(3):
            while store._link._db is first:  # type: ignore[attr-defined]  # until a session has ended
                made = await asyncio.gather(*(create(store, f"{number}-{time.monotonic_ns()}-{n}") for n in range(4)))
                found = {engine.id for engine in await store.engines()}
                assert {engine.id for engine in made} <= found
            first = store._link._db  # type: ignore[attr-defined]
    finally:
        await store.close()
        await root.close()
        server.kill()


@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD), (None, None)])
async def test_refused_sign_in_says_so_without_the_password(
    new_server: Callable[..., AnyServer], user: str | None, password: str | None
) -> None:
    """A wrong user, password or none at all is one line that says what to check."""
    server = new_server(needs_sign_in=True)
    server.start()
    store = SurrealStore(server.url, user=user, password=password)
    try:
        with pytest.raises(StoreUnavailable, match="check user and password") as caught:
            await store.open()
        assert "\n" not in str(caught.value)
        assert password is None or password not in str(caught.value)
    finally:
        await store.close()
        server.kill()


async def test_server_that_is_not_there_yet_can_be_opened_later(new_server: Callable[..., AnyServer]) -> None:
    """Opening fails in one line while the server is down, and succeeds once it is up."""
    server = new_server()
    server.start()
    server.kill()
    store = SurrealStore(server.url)
    try:
        await _says_unavailable(store.open)
        server.start()
        await store.open()
        await store.check()
    finally:
        await store.close()
        server.kill()


async def test_callers_of_a_server_that_says_nothing_share_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where connections are taken and never answered, all who wait get the error after one time limit, not one each."""
    monkeypatch.setattr(surreal_server, "_CONNECT_LIMIT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = SurrealStore(f"ws://127.0.0.1:{silent.getsockname()[1]}")
        store._link._is_open = True  # as after a good start
        began = time.monotonic()
        seen = await asyncio.gather(*(store.check() for _ in range(10)), return_exceptions=True)
        assert {type(one) for one in seen} == {StoreUnavailable}
        assert time.monotonic() - began < QUICKLY_S
        await store.close()


async def test_proxies_of_the_environment_are_not_used_on_this_machine(
    server: AnyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that is set, and cannot be reached, disturbs no call."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "WS_PROXY", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    store = SurrealStore(server.url)
    await store.open()
    await store.close()


async def test_credentials_in_the_url_work_and_are_never_shown(new_server: Callable[..., AnyServer]) -> None:
    """``ws://user:password@host`` signs in; no message has the password."""
    server = new_server(needs_sign_in=True)
    server.start()
    url = server.url.replace("ws://", f"ws://{USER}:{PASSWORD.replace(' ', '%20')}@")
    store = SurrealStore(url)
    try:
        await store.open()
        server.kill()
        with pytest.raises(StoreUnavailable) as caught:
            await store.check()
        assert server.url in str(caught.value)
        assert "password" not in str(caught.value)
    finally:
        await store.close()
        server.kill()

"""The stores of the contract suite: the fake, the embedded engine in memory and in a folder, and a server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from cluster import surreal, versions
from fakes.store_flavours import (
    NAMED_SERVER,
    Fake,
    Flavour,
    InFolder,
    InMemory,
    OnServer,
    on_bridge,
    on_named_server,
)
from fakes.surreal_server import CannotInstall, SurrealServer, install

from rucat_jupyter.core.ports.store import Store
from rucat_jupyter.gateway.store import connection

SERVER = f"ws-server-of-{NAMED_SERVER}" if on_named_server() else "ws-npm-engine-behind-a-bridge"
REAL_SERVER = f"ws-server-{versions.SURREAL}"
BUILT_ALONE = [pytest.mark.cluster, pytest.mark.all]  # it takes a Rust compiler half an hour


@pytest.fixture(scope="session")
def surreal_modules() -> Path:
    """The npm engine, installed the first time; a skip with one line where that is impossible."""
    try:
        return install()
    except CannotInstall as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def surreal_server(surreal_modules: Path) -> Iterator[SurrealServer]:
    """One server for all tests that leave it running; each has a database of its own."""
    server = SurrealServer(surreal_modules)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def real_surreal_url(real_surreal: Callable[..., surreal.Server]) -> Iterator[str]:
    """One real server, in memory, for all tests that leave it running."""
    server = real_surreal()
    server.start()
    yield server.url
    server.kill()


@pytest.fixture(params=["fake", "mem", "surrealkv", SERVER, pytest.param(REAL_SERVER, marks=BUILT_ALONE)])
async def flavour(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Flavour]:
    """Each kind of store in turn, on a fresh database."""
    if request.param == "fake":
        yield Fake()
    elif request.param == "mem":
        yield InMemory()
    elif request.param == "surrealkv":
        yield InFolder(tmp_path / "db")
    elif request.param == REAL_SERVER:
        yield OnServer(request.getfixturevalue("real_surreal_url"))
    elif named := on_named_server():
        yield named
        await named.remove()
    else:
        yield on_bridge(request.getfixturevalue("surreal_server"))


@pytest.fixture
async def store(flavour: Flavour) -> AsyncIterator[Store]:
    """One open store."""
    store = flavour.store()
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def stores(flavour: Flavour) -> AsyncIterator[list[Store]]:
    """As many open stores on one database as the flavour allows: what several gateways have."""
    stores = [flavour.store() for _ in range(flavour.stores_at_once)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


@pytest.fixture(scope="session", autouse=True)
def one_grace_for_all() -> Iterator[None]:
    """Wait once at the end, not after each of some 200 stores: the engine needs its grace before the process ends."""
    grace_s = connection._CLOSE_GRACE_S  # what the adapter waits after each close
    connection._CLOSE_GRACE_S = 0.0
    yield
    connection._CLOSE_GRACE_S = grace_s
    time.sleep(grace_s)

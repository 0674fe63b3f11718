"""The kinds of store that the contract suite runs on, each with what a test needs beside the port itself."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from fakes.memory_store import MemoryDatabase, MemoryStore
from fakes.surreal_server import SurrealServer

from rucat_jupyter.core.ports.store import Store
from rucat_jupyter.gateway.store.surreal import SurrealStore

NAMED_SERVER = "RUCAT_TEST_SURREAL_URL"
"""Variable with the URL of a SurrealDB server to use; ``…_USER`` and ``…_PASSWORD`` go with it."""


class Flavour:
    """One kind of store on one fresh database. The test must close every store that it makes."""

    stores_at_once = 1
    """How many stores may be open on the database, as several gateways are on a server."""

    def store(self) -> Store:
        """Make a store on the database, not yet opened."""
        raise NotImplementedError

    async def make_newer(self, store: Store) -> None:
        """Do to the open store's database what a newer Rucat's migration does, unknown fields in rows included."""
        assert isinstance(store, SurrealStore)
        link = store._link  # no port has a verb for it
        await link.write("UPDATE meta:store SET schema = 999; DEFINE FIELD colour ON engine TYPE option<string>")
        for row in await link.read("SELECT * FROM engine"):
            spec = json.loads(row["spec"])
            spec = {**spec, "future": {"deep": 1}, "driver": {**spec.get("driver", {}), "gpus": 2}}
            await link.write("UPDATE $id SET colour = 'red', spec = $spec", id=row["id"], spec=json.dumps(spec))


class Fake(Flavour):
    stores_at_once = 4

    def __init__(self) -> None:
        self._database = MemoryDatabase()
        self._stores: list[MemoryStore] = []

    def store(self) -> Store:
        self._stores.append(MemoryStore(database=self._database))
        return self._stores[-1]

    async def make_newer(self, store: Store) -> None:
        for each in self._stores:
            each.is_newer = True


class InMemory(Flavour):
    def store(self) -> Store:
        return SurrealStore("mem://")


class InFolder(Flavour):
    def __init__(self, folder: Path) -> None:
        self.url = f"surrealkv://{folder}"

    def store(self) -> Store:
        return SurrealStore(self.url)


class OnServer(Flavour):
    stores_at_once = 4

    def __init__(self, url: str, user: str | None = None, password: str | None = None) -> None:
        self._url = url
        self._user = user
        self._password = password
        self._database = f"test_{secrets.token_hex(8)}"

    def store(self) -> Store:
        return SurrealStore(
            self._url, namespace="rucat_test", database=self._database, user=self._user, password=self._password
        )

    async def remove(self) -> None:
        """Drop the database of this test from a server that the tests did not start."""
        store = self.store()
        assert isinstance(store, SurrealStore)
        await store.open()
        try:
            await store._link.write(f"REMOVE DATABASE {self._database}")
        finally:
            await store.close()


def on_named_server() -> OnServer | None:
    """The server that the user names, if any."""
    url = os.environ.get(NAMED_SERVER)
    if not url:
        return None
    return OnServer(url, os.environ.get(f"{NAMED_SERVER}_USER"), os.environ.get(f"{NAMED_SERVER}_PASSWORD"))


def on_bridge(server: SurrealServer) -> OnServer:
    """A fresh database on the npm engine."""
    return OnServer(server.url)

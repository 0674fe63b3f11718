"""A process that writes engines into a surrealkv store and tells each one that was acknowledged, until it is killed.

``python -m fakes.busy_writer FOLDER`` prints the id of each engine once it is created and updated.
``python -m fakes.busy_writer FOLDER full`` lets no file grow after a while, as a full disk does, and checks that
reads go on meanwhile and writes after it.
"""

from __future__ import annotations

import asyncio
import resource
import secrets
import signal
import sys
from datetime import datetime, timezone

from rucat_jupyter.core.engine import Credential, Engine
from rucat_jupyter.core.errors import StoreUnavailable
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.store.surreal import SurrealStore

FILE_LIMIT_BYTES = 200_000


async def write(store: SurrealStore, size: int = 10) -> Engine:
    engine_id = secrets.token_hex(8)
    engine = Engine(
        id=engine_id,
        name=engine_id,
        owner="writer",
        platform="local",
        profile="local",
        site="here",
        spec=EngineSpec(conf={"k": "v" * size}),
        created_at=datetime.now(timezone.utc),
    )
    engine = await store.create(engine, Credential(token="t"), Note("writer", "create"))
    return await store.update(engine, {"message": "acknowledged"}, Note("writer", "update"))


async def endless(store: SurrealStore) -> None:
    while True:
        print((await write(store)).id, flush=True)


async def full(store: SurrealStore) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    engines = [await write(store) for _ in range(20)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, resource.RLIM_INFINITY))
    refusals = []
    while len(refusals) < 3:
        try:
            await write(store, size=40_000)
        except StoreUnavailable as exc:
            refusals.append(str(exc))
        known = {engine.id for engine in await store.engines()}
        assert {engine.id for engine in engines} <= known, (
            "an acknowledged engine cannot be read while the disk is full"
        )
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    engines.append(await write(store))
    await store.check()
    assert await store.get(engines[0].id) == engines[0]
    print(refusals[0])


async def main(folder: str, mode: str = "endless") -> None:
    store = SurrealStore(f"surrealkv://{folder}")
    await store.open()
    await {"endless": endless, "full": full}[mode](store)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

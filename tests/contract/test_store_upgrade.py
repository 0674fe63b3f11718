"""Stores that an older Rucat has filled: each migration keeps what is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fakes.store_flavours import Flavour, InFolder, on_bridge, on_named_server

from rucat_jupyter.core.engine import Credential, Engine, Executors
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.store import rows, schema
from rucat_jupyter.gateway.store.surreal import SurrealStore

ENGINE = Engine(
    id="0123456789abcdef",
    name="etl",
    owner="ada",
    platform="local",
    profile="local",
    site="here",
    spec=EngineSpec(conf={"a": "b"}),
    created_at=datetime.now(timezone.utc),
)
NEWER_FIELDS = {"executors"}
"""Fields of an engine that schema 1 did not have."""


@pytest.fixture(params=["surrealkv", "ws"])
async def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Flavour]:
    """A database that outlives its connections."""
    if request.param == "surrealkv":
        yield InFolder(tmp_path / "db")
    elif named := on_named_server():
        yield named
        await named.remove()
    else:
        yield on_bridge(request.getfixturevalue("surreal_server"))


async def test_a_store_of_schema_1_is_upgraded_with_all_that_is_in_it(
    lasting: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines, secrets, history and installation are what they were, and the new fields can be written."""
    old = lasting.store()
    assert isinstance(old, SurrealStore)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", 1)
        await old.open()
    link = old._link
    values = {name: value for name, value in rows.engine_values(ENGINE).items() if name not in NEWER_FIELDS}
    line = rows.Line(Note("ada", "create").line(ENGINE), 1)
    await link.write(
        f"CREATE $id SET {rows.assign(values)}, created_at = time::now();"
        f"CREATE $credential_id SET token = 't', conf = '{{}}', env = '{{}}'; {line.statement}",
        id=rows.RecordID("engine", ENGINE.id),
        credential_id=rows.RecordID("credential", ENGINE.id),
        **rows.bind(values),
        **line.values,
    )
    assert await link.read("SELECT VALUE schema FROM ONLY meta:store") == 1
    await old.close()

    new = lasting.store()
    assert isinstance(new, SurrealStore)
    await new.open()
    try:
        assert await new._link.read("SELECT VALUE schema FROM ONLY meta:store") == schema.VERSION
        assert new.installation == old.installation
        engine = await new.get(ENGINE.id)
        assert engine == ENGINE.model_copy(update={"created_at": engine.created_at})
        assert await new.credential(ENGINE.id) == Credential(token="t")
        assert [event.kind for event in await new.history(ENGINE.id)] == ["create"]
        count = Executors(wanted=2, running=1, pending=1, reasons=("pulling",))
        await new.update(engine, {"executors": count}, None)
        assert (await new.get(ENGINE.id)).executors == count
    finally:
        await new.close()

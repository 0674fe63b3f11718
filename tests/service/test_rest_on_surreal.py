"""The real store behind the real routes: races have one winner, and no text is ever taken for SurrealQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fakes.office import Office, open_office
from fakes.rest_app import client_of, error_of

from rucat_jupyter.core.config.resolve import Profiles
from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.gateway.store.surreal import SurrealStore
from rucat_jupyter.gateway.use_cases.engines import Gateway

SURREALQL = [
    "'; REMOVE TABLE engine; --",
    "\\'; DELETE engine; --",
    "`engine`",
    "$owner",
    "⟨engine⟩",
    "engine:0001000000000000",
    "type::thing('engine', '1')",
    "{ a: 1 }",
    "<datetime> '2020-01-01'",
    "time::now()",
    "r'engine:1'",
    "/* */ RETURN 1;",
    'u"x"',
    "function() { return 1 }",
]
TEXT_FIELDS: list[tuple[str, Callable[[str], Any], Callable[[Any], str]]] = [
    ("conf", lambda text: {"conf": {"spark.x": text}}, lambda spec: spec["conf"]["spark.x"]),
    ("conf key", lambda text: {"conf": {f"spark.{text}": "v"}}, lambda spec: next(iter(spec["conf"]))[6:]),
    ("env", lambda text: {"env": {"X": text}}, lambda spec: spec["env"]["X"]),
    ("env key", lambda text: {"env": {text: "v"}}, lambda spec: next(iter(spec["env"]))),
    ("image", lambda text: {"image": text}, lambda spec: spec["image"]),
    ("java_options", lambda text: {"java_options": [text]}, lambda spec: spec["java_options"][0]),
    ("local.directory", lambda text: {"local": {"directory": text}}, lambda spec: spec["local"]["directory"]),
    ("local.python", lambda text: {"local": {"python": text}}, lambda spec: spec["local"]["python"]),
]


@pytest.fixture(params=["mem", "surrealkv"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    """A gateway on the embedded database."""
    url = "mem://" if request.param == "mem" else f"surrealkv://{tmp_path / 'db'}"
    store = SurrealStore(url)
    await store.open()
    office = await open_office()
    ids = iter(range(1, 10_000))
    gateway = Gateway(
        store,
        office.gateway.platforms,
        Profiles(),
        office.notifier,
        lambda: f"{next(ids):016x}",
        lambda: "t" * 32,
        office.woken.append,
    )
    yield Office(store, gateway, office.local, office.external, office.notifier, office.clock)  # type: ignore[arg-type]
    await store.close()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


async def test_fifty_posts_of_one_name(client: httpx.AsyncClient) -> None:
    """One 201, 49 × 409 with its id, on the embedded engine too."""
    answers = await asyncio.gather(*(client.post("/rucat/engines", json={"name": "one"}) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
    made = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
    assert {a.json()["details"]["id"] for a in answers if a.status_code == 409} == {made}


async def test_sixteen_writers(client: httpx.AsyncClient) -> None:
    """No lost update, no error shown, history without a gap."""
    engine = (await client.post("/rucat/engines", json={"name": "many"})).json()
    path = f"/rucat/engines/{engine['id']}"
    answers = await asyncio.gather(
        *(client.post(f"{path}/{verb}") for verb in ("stop", "restart") * 4),
        *(client.put(f"{path}/sessions/{key_of(str(i))}", json={"path": str(i)}) for i in range(8)),
    )
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len((await client.get(path)).json()["sessions"]) == 8
    events = (await client.get(f"{path}/history")).json()["events"]
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len(events) == 1 + len(accepted)


async def test_times_are_utc(client: httpx.AsyncClient) -> None:
    """As RFC 3339 with Z, from the database too."""
    engine = (await client.post("/rucat/engines", json={})).json()
    assert engine["created_at"].endswith("Z")
    events = (await client.get(f"/rucat/engines/{engine['id']}/history")).json()["events"]
    assert events[0]["at"].endswith("Z")


async def test_no_text_is_surrealql(client: httpx.AsyncClient) -> None:
    """In every field that takes text it comes back exactly, and nothing else changes."""
    for text in SURREALQL:
        for field, put, get in TEXT_FIELDS:
            made = await client.post("/rucat/engines", json=put(text))
            assert made.status_code == 201, (field, made.text)
            path = f"/rucat/engines/{made.json()['id']}"
            assert get((await client.get(path)).json()["spec"]) == text
        assert (await client.post("/rucat/engines", json={"name": text})).status_code == 400
    assert len((await client.get("/rucat/engines")).json()["engines"]) == len(TEXT_FIELDS) * len(SURREALQL)


async def test_no_address_is_surrealql(client: httpx.AsyncClient) -> None:
    """As owner, name in the path, session key, path of a notebook, filter and token."""
    await client.post("/rucat/engines", json={})
    mine = (await client.get("/rucat/engines")).json()
    for text in SURREALQL:
        owner = {"X-Rucat-Owner": quote(text)}
        made = (await client.post("/rucat/engines", json={}, headers=owner)).json()
        assert made["owner"] == text
        assert [e["id"] for e in (await client.get("/rucat/engines", headers=owner)).json()["engines"]] == [made["id"]]
        inside = quote(text, safe="")
        assert (await client.get(f"/rucat/engines/{inside}")).status_code == 404
        put = f"/rucat/engines/{made['id']}/sessions/{key_of(text)}"
        assert (await client.put(put, json={"path": text}, headers=owner)).json()["path"] == text
        wrong = f"/rucat/engines/{made['id']}/sessions/{inside}"
        assert error_of(await client.put(wrong, json={"path": "/n"}, headers=owner))[0] in (400, 404)
        assert (await client.get("/rucat/engines", params={"name": text})).json()["engines"] == []
        assert (await client.get("/rucat/engines", params={"since": text})).json() == mine

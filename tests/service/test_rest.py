"""Every route answers as the design's table says, and every error has one form."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote

import httpx
import pytest
from fakes.office import FAILURE, OWNER, START, TOKEN, Office, OfficePlatform, open_office
from fakes.rest_app import PATH, ROUTES, UI, MonitorOf, app_of, client_of, error_of, fields_of, fill

from rucat_jupyter.core.config.resolve import Layer, Profiles
from rucat_jupyter.core.engine import Status
from rucat_jupyter.core.ports.planning import Finding
from rucat_jupyter.core.ports.platform import Endpoint, Problem
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.monitor import Problem as Trouble
from rucat_jupyter.gateway.service.http.app import os_user
from rucat_jupyter.host import spark_confs

KEY = key_of("/n.ipynb")
SESSION = f"/rucat/engines/etl/sessions/{KEY}"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ENGINE = [
    "id",
    "name",
    "owner",
    "platform",
    "profile",
    "spec",
    "state",
    "target",
    "run",
    "status",
    "message",
    "failure",
    "endpoint",
    "site",
    "spark_version",
    "python_version",
    "verbs",
    "executors",
    "sessions",
    "created_at",
    "started_at",
    "stopped_at",
    "last_used_at",
    "revision",
]


@pytest.fixture
async def office() -> Office:
    return await open_office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


# --- engines ------------------------------------------------------------------------------------------------


async def test_post_creates_an_engine(client: httpx.AsyncClient) -> None:
    """201, the engine, and where it is."""
    answer = await client.post("/rucat/engines", json={"name": "etl", "conf": {"spark.x": "ü\n"}})
    engine = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/rucat/engines/{engine['id']}"
    assert (engine["name"], engine["status"], engine["spec"]["conf"]) == ("etl", "Pending", {"spark.x": "ü\n"})
    assert (await client.get(answer.headers["location"])).json() == engine


async def test_location_is_below_a_root_path(office: Office) -> None:
    """Where a server says that the application is mounted below a path, Location says so, too."""
    transport = httpx.ASGITransport(app_of(office), root_path="/hub/x")
    async with httpx.AsyncClient(transport=transport, base_url="http://rucat") as client:
        answer = await client.post("/hub/x/rucat/engines", json={})
    assert answer.headers["location"] == f"/hub/x/rucat/engines/{answer.json()['id']}"


async def test_an_engine_has_exactly_these_fields(office: Office, client: httpx.AsyncClient) -> None:
    """Times are RFC 3339 UTC, a failure has its hint, and secrets are masked."""
    body = {"name": "etl", "conf": {"spark.my.secret": TOKEN}, "secret_env": {"AWS_REGION": TOKEN}}
    engine = await office.gateway.create(OWNER, body)
    changes = {"failure": FAILURE, "last_used_at": office.clock[0]}
    await office.store.update(engine, changes, None)
    answer = await client.get("/rucat/engines/etl")
    found = answer.json()
    assert list(found) == ENGINE
    assert found["failure"]["hint"]
    assert all(RFC3339.fullmatch(found[name]) for name in ("created_at", "last_used_at"))
    assert RFC3339.fullmatch(found["failure"]["at"])
    assert found["spec"]["conf"] == {"spark.my.secret": "***"}
    assert found["spec"]["secret_env"] == {"AWS_REGION": "***"}
    assert found["executors"] == {"wanted": 0, "running": 0, "pending": 0, "failed": 0, "reasons": []}
    assert TOKEN not in answer.text
    again = await client.post("/rucat/engines", json={"conf": found["spec"]["conf"]})
    assert fields_of(again) == ["conf.spark.my.secret"]


async def test_an_engines_endpoint_is_shown_while_there_is_one(office: Office, client: httpx.AsyncClient) -> None:
    """Without the token; the UI is relative to the base."""
    engine = await office.engine(Status.RUNNING)
    office.local.endpoints[engine.id] = Endpoint("127.0.0.1", 15002, "http://127.0.0.1:4040")
    found = (await client.get("/rucat/engines/etl")).json()
    assert found["endpoint"] == {"url": "sc://127.0.0.1:15002", "ui_url": f"rucat/engines/{engine.id}/ui/"}
    await client.post("/rucat/engines/etl/stop")
    assert (await client.get("/rucat/engines/etl")).json()["endpoint"] is None


@pytest.mark.parametrize("name", ["my engine", "Motor-ü", "данные", "エンジン", "a.b_c-1", "مثال", "é", "１２"])
async def test_names_of_any_script_are_found_in_the_path(client: httpx.AsyncClient, name: str) -> None:
    """Stored and shown as given, percent-encoded in the path."""
    assert (await client.post("/rucat/engines", json={"name": name})).status_code == 201
    assert (await client.get(f"/rucat/engines/{quote(name)}")).json()["name"] == name
    assert [e["name"] for e in (await client.get("/rucat/engines", params={"name": name})).json()["engines"]] == [name]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 64,
        "..",
        "-x",
        "--help",
        "😀",
        "\u202eabc",
        "a\0b",
        "a\nb",
        "a ",
        " a",
        "'; REMOVE TABLE engine; --",
        "<img onerror=x>",
        "%s",
        "\x1b[31m",
        "0123456789abcdef",
        "proxy",
        "history",
        "a/b",
    ],
)
async def test_what_is_no_name_is_refused(client: httpx.AsyncClient, name: str) -> None:
    """With the rule, and nothing is there under it."""
    answer = await client.post("/rucat/engines", json={"name": name})
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == ["name"]
    assert "a name has 1-63 letters" in answer.json()["message"]
    if name not in ("", ".."):  # those are other paths
        assert (await client.get(f"/rucat/engines/{quote(name, safe='')}")).status_code == 404


async def test_post_names_what_is_there(client: httpx.AsyncClient) -> None:
    """409 with the id of the engine that has the name."""
    first = (await client.post("/rucat/engines", json={"name": "etl"})).json()
    answer = await client.post("/rucat/engines", json={"name": "etl"})
    assert error_of(answer) == (409, "name_taken")
    assert answer.json()["details"]["id"] == first["id"]


async def test_fifty_posts_of_one_name(client: httpx.AsyncClient) -> None:
    """One 201, 49 × 409."""
    answers = await asyncio.gather(*(client.post("/rucat/engines", json={"name": "one"}) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49


async def test_post_refusals(office: Office, client: httpx.AsyncClient) -> None:
    """400 with every field, 403 for denied confs, and what the platform cannot honour is 400, not ignored."""
    answer = await client.post("/rucat/engines", json={"platform": "mars", "driver": {"cores": "2"}, "foo": None})
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == ["platform", "foo", "driver.cores"]
    assert "external, local" in answer.json()["message"]
    answer = await client.post("/rucat/engines", json={"conf": {"spark.master": "local", "spark.driver.host": "x"}})
    assert error_of(answer) == (403, "conf_denied")
    assert answer.json()["details"] == {"keys": ["spark.master", "spark.driver.host"]}
    office.local.problems = (Problem("executors.instances", "there are none here"),)
    assert fields_of(await client.post("/rucat/engines", json={})) == ["executors.instances"]


async def test_limits_are_403() -> None:
    """More than an administrator allows."""
    layers = [Layer("admin", {"limits": {"max_driver_cores": 1}}, is_admin=True)]
    async with client_of(await open_office(Profiles(layers))) as client:
        answer = await client.post("/rucat/engines", json={"driver": {"cores": 2}})
    assert error_of(answer) == (403, "forbidden")
    assert fields_of(answer) == ["driver.cores"]


# --- lists --------------------------------------------------------------------------------------------------


async def test_a_list_has_pages_and_one_token(office: Office, client: httpx.AsyncClient) -> None:
    """The token is of the whole filtered list, whatever the page."""
    for name in "abcde":
        await office.engine(name=name)
    await office.engine(name="f", owner="bob")

    async def page(**params: object) -> tuple[str, int | None, str]:
        body = (await client.get("/rucat/engines", params=params)).json()  # type: ignore[arg-type]
        return "".join(engine["name"] for engine in body["engines"]), body["next_page"], body["token"]

    everything = await page()
    token = everything[2]
    assert everything == ("abcde", None, token)
    assert await page(limit=2) == ("ab", 2, token)
    assert await page(limit=2, page=2) == ("cd", 3, token)
    assert await page(limit=2, page=3) == ("e", None, token)
    assert await page(limit=5) == ("abcde", None, token)
    assert await page(limit=2, page=4) == ("", None, token)
    assert await page(page=2) == ("", None, token)
    await client.post("/rucat/engines/b/stop")
    assert (await page())[2] != token
    assert (await page(status="Stopped", name="b", limit=1))[0] == ""
    assert (await page(status="Stopping"))[0] == "b"
    assert (await page(name="c"))[0] == "c"


async def test_an_empty_list_has_a_token_too(client: httpx.AsyncClient) -> None:
    """Nothing is a list like any other."""
    body = (await client.get("/rucat/engines")).json()
    assert (body["engines"], body["next_page"]) == ([], None)
    assert body["token"]


QUERIES = [
    ("limit=0", "limit"),
    ("limit=1001", "limit"),
    ("limit=", "limit"),
    ("limit=1_0", "limit"),
    ("limit=%201", "limit"),
    ("limit=1.5", "limit"),
    ("limit=nan", "limit"),
    ("limit=" + "9" * 5000, "limit"),
    ("limit=1&limit=2", "limit"),
    ("page=0", "page"),
    ("page=x", "page"),
    ("wait=51", "wait"),
    ("wait=-1", "wait"),
    ("wait=NaN", "wait"),
    ("wait=inf", "wait"),
    ("wait=1e99", "wait"),
    ("wait=1e999", "wait"),
    ("wait=", "wait"),
    ("status=running", "status"),
    ("status=", "status"),
    ("status=Running&status=Stopped", "status"),
    ("Status=Running", "Status"),
    ("x=1", "x"),
    ("%FF=1", "\ufffd"),
    ("=", "="),
]


@pytest.mark.parametrize(("query", "field"), QUERIES, ids=[query[:20] for query, _ in QUERIES])
async def test_wrong_parameters_of_a_list(client: httpx.AsyncClient, query: str, field: str) -> None:
    """Each is 400 and named."""
    answer = await client.get(f"/rucat/engines?{query}")
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == [field.strip("=")]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("?since=x", "since"),
        ("?since=-1", "since"),
        ("?since=1.0", "since"),
        ("?wait=60", "wait"),
        ("/logs?tail=-1", "tail"),
        ("/logs?tail=100001", "tail"),
        ("/logs?follow=maybe", "follow"),
        ("/logs?follow=", "follow"),
    ],
)
async def test_wrong_parameters_of_an_engine(client: httpx.AsyncClient, path: str, field: str) -> None:
    """Each is 400 and named, before the engine is looked for."""
    answer = await client.get(f"/rucat/engines/etl{path}")
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == [field]


@pytest.mark.parametrize(("query", "field"), [("context=a%00b", "context"), ("namespace=", "namespace")])
async def test_wrong_parameters_of_a_checkup(client: httpx.AsyncClient, query: str, field: str) -> None:
    """Each is 400 and named: a name with NUL is no name of a context."""
    answer = await client.get(f"/rucat/checkup?{query}")
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == [field]


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "/ui" not in route[1]])
async def test_an_unknown_parameter_is_refused_everywhere(client: httpx.AsyncClient, method: str, path: str) -> None:
    """On every route of the table, but for the Spark UI's pages, whose parameters are their own."""
    path = fill(path, "etl")
    answer = await client.request(method, f"{path}?nonsense=1")
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == ["nonsense"]


# --- verbs --------------------------------------------------------------------------------------------------

CELLS = {
    ("POST", "/stop"): (202, 202, 202, 200, 200, 200, 409),
    ("POST", "/restart"): (200, 202, 202, 202, 202, 202, 409),
    ("DELETE", ""): (202, 202, 202, 202, 202, 202, 200),
}
COLUMNS = ("Pending", "Running", "Unresponsive", "Stopping", "Stopped", "Failed", "Deleting")
TABLE = [(verb, Status(s), code) for verb, row in CELLS.items() for s, code in zip(COLUMNS, row, strict=True)]


@pytest.mark.parametrize(("verb", "status", "code"), TABLE)
async def test_each_cell_of_the_verb_table(
    office: Office, client: httpx.AsyncClient, verb: tuple[str, str], status: Status, code: int
) -> None:
    """202 or 200 with the engine, or 409 naming what it is."""
    engine = await office.engine(status)
    assert (await client.get("/rucat/engines/etl")).json()["status"] == status.value
    answer = await client.request(verb[0], f"/rucat/engines/etl{verb[1]}")
    assert answer.status_code == code
    if code == 409:
        assert error_of(answer) == (409, "not_possible")
        assert answer.json()["details"] == {"status": status.value, "verbs": []}
        assert answer.json()["message"].endswith(f"it is {status.value}; no verb is possible now")
    else:
        assert answer.json()["id"] == engine.id
        assert (answer.json()["revision"] > engine.revision) is (code == 202)


@pytest.mark.parametrize("status", list(Status))
async def test_the_verbs_that_are_shown_are_those_that_are_accepted(
    office: Office, client: httpx.AsyncClient, status: Status
) -> None:
    """A button that is offered works."""
    await office.engine(status)
    shown = (await client.get("/rucat/engines/etl")).json()["verbs"]
    column = COLUMNS.index(status.value)
    accepted = [v for v, row in zip(("stop", "restart", "delete"), CELLS.values(), strict=True) if row[column] == 202]
    assert shown == accepted


async def test_external_engines_are_not_managed(client: httpx.AsyncClient) -> None:
    """409 for stop and restart, delete forgets; the UI is never offered."""
    body = {"name": "far", "platform": "external", "external": {"url": "sc://far:1/;token=x"}}
    engine = (await client.post("/rucat/engines", json=body)).json()
    assert (engine["profile"], engine["verbs"], engine["spec"]["external"]["token"]) == (None, ["delete"], "***")
    for verb in ("stop", "restart"):
        assert error_of(await client.post(f"/rucat/engines/far/{verb}")) == (409, "not_managed")
    assert (await client.delete("/rucat/engines/far?force=true")).status_code == 202


async def test_force(office: Office, client: httpx.AsyncClient) -> None:
    """409 telling why, or 200 naming what may be left."""
    await office.engine(Status.RUNNING)
    answer = await client.delete("/rucat/engines/etl?force=true")
    assert error_of(answer) == (409, "not_possible")
    assert "reachable" in answer.json()["message"]
    office.local.is_down = True
    assert "try again in 60 s" in (await client.delete("/rucat/engines/etl?force=1")).json()["message"]
    office.pass_time(60)
    answer = await client.delete("/rucat/engines/etl?force=true")
    assert (answer.status_code, answer.json()["status"]) == (200, "Deleting")
    assert "may be left" in answer.json()["message"]
    assert (await client.get("/rucat/engines/etl")).status_code == 404


async def test_sixteen_writers_see_no_error(office: Office, client: httpx.AsyncClient) -> None:
    """Concurrent stops, restarts and sessions are all 2xx."""
    await office.engine(Status.RUNNING)
    answers = await asyncio.gather(
        *(client.post(f"/rucat/engines/etl/{verb}") for verb in ("stop", "restart") * 4),
        *(client.put(f"/rucat/engines/etl/sessions/{key_of(str(i))}", json={"path": str(i)}) for i in range(8)),
    )
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len((await client.get("/rucat/engines/etl")).json()["sessions"]) == 8


# --- parts of an engine -------------------------------------------------------------------------------------


async def test_connection(office: Office, client: httpx.AsyncClient) -> None:
    """The one body with the token, which no cache may keep; 409 while it does not run."""
    await office.engine()
    answer = await client.get("/rucat/engines/etl/connection")
    assert error_of(answer) == (409, "not_possible")
    assert answer.json()["details"] == {"status": "Pending", "verbs": ["stop", "delete"]}
    await office.engine(Status.RUNNING, "run")
    answer = await client.get("/rucat/engines/run/connection")
    assert list(answer.json()) == ["url", "token", "remote", "ui_url"]
    assert answer.json()["token"] == TOKEN
    assert answer.headers["cache-control"] == "no-store"
    office.local.is_down = True
    answer = await client.get("/rucat/engines/run/connection")
    assert error_of(answer) == (503, "platform_unavailable")
    assert answer.headers["retry-after"] == "2"


async def test_history(office: Office, client: httpx.AsyncClient) -> None:
    """Oldest first; by id for a deleted engine, and never for someone else."""
    engine = await office.engine()
    await client.post("/rucat/engines/etl/stop")
    events = (await client.get("/rucat/engines/etl/history")).json()["events"]
    assert [event["kind"] for event in events] == ["create", "stop"]
    assert list(events[0]) == ["at", "actor", "kind", "reason", "status", "run", "revision", "name"]
    await office.store.remove(await office.store.get(engine.id), Note("monitor", "deleted"))
    assert (await client.get("/rucat/engines/etl/history")).status_code == 404
    events = (await client.get(f"/rucat/engines/{engine.id}/history")).json()["events"]
    assert [event["kind"] for event in events] == ["create", "stop", "deleted"]
    answer = await client.get(f"/rucat/engines/{engine.id}/history", headers={"X-Rucat-Owner": "bob"})
    assert error_of(answer) == (404, "not_found")


async def test_sessions(office: Office, client: httpx.AsyncClient) -> None:
    """A notebook gets its session back; a given id takes its place; gone is gone."""
    await office.engine()
    first = await client.put(SESSION, json={"path": "/n.ipynb"})
    assert first.status_code == 200
    assert list(first.json()) == ["key", "path", "user_id", "session_id"]
    assert (first.json()["key"], first.json()["user_id"]) == (KEY, OWNER)
    assert (await client.put(SESSION, json={"path": "/n.ipynb", "session_id": None})).json() == first.json()
    new_id = "8f0f7b3e-5b1c-4f7c-9d0a-2f6f0e6d1c11"
    assert (await client.put(SESSION, json={"path": "/n.ipynb", "session_id": new_id})).json()["session_id"] == new_id
    shown = (await client.get("/rucat/engines/etl")).json()
    assert [session["session_id"] for session in shown["sessions"]] == [new_id]
    assert shown["last_used_at"]
    assert [session["is_attached"] for session in shown["sessions"]] == [True]
    assert [(await client.post(f"{SESSION}/detach")).status_code for _ in range(2)] == [204, 204]
    shown = (await client.get("/rucat/engines/etl")).json()
    assert [(one["session_id"], one["is_attached"]) for one in shown["sessions"]] == [(new_id, False)]
    process = {"pid": 7, "mark": "1", "boot": "b", "machine": "m"}
    await client.put(SESSION, json={"path": "/n.ipynb", "process": process})
    shown = (await client.get("/rucat/engines/etl")).json()
    assert [(one["session_id"], one["is_attached"]) for one in shown["sessions"]] == [(new_id, True)]
    assert [(await client.delete(SESSION)).status_code for _ in range(2)] == [204, 204]
    assert (await client.get("/rucat/engines/etl")).json()["sessions"] == []


@pytest.mark.parametrize(
    ("key", "body", "wrong"),
    [
        (KEY, {}, ["path"]),
        (KEY, {"path": 1, "session_id": "x"}, ["path", "session_id"]),
        (KEY, {"path": "/n.ipynb", "user_id": "bob"}, ["user_id"]),
        (KEY, {"path": "/m.ipynb"}, ["key"]),
        (KEY, {"path": "/n.ipynb", "process": {"pid": 0, "mark": "1"}}, ["process"]),
        (KEY, {"path": "/n.ipynb", "process": "me"}, ["process"]),
        ("nokey", {"path": "/n"}, ["key"]),
        (KEY.upper(), {"path": "/n"}, ["key"]),
    ],
)
async def test_wrong_sessions(
    office: Office, client: httpx.AsyncClient, key: str, body: dict[str, object], wrong: list[str]
) -> None:
    """400 with every wrong field."""
    await office.engine()
    answer = await client.put(f"/rucat/engines/etl/sessions/{key}", json=body)
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == wrong
    if key != KEY:
        assert (await client.delete(f"/rucat/engines/etl/sessions/{key}")).status_code == 400
        assert (await client.post(f"/rucat/engines/etl/sessions/{key}/detach")).status_code == 400


async def test_moved_sessions(office: Office, client: httpx.AsyncClient) -> None:
    """A renamed notebook or folder keeps its sessions; a new one under the old name gets another; null removes."""
    await office.engine()

    async def put(path: str) -> str:
        at = f"/rucat/engines/etl/sessions/{key_of(path)}"
        return str((await client.put(at, json={"path": path})).json()["session_id"])

    async def move(old: str, new: str | None) -> int:
        answer = await client.post("/rucat/sessions/move", json={"from": old, "to": new})
        assert answer.status_code == 200
        return int(answer.json()["moved"])

    first, other, near = await put("/w/a.ipynb"), await put("/w/sub/b.ipynb"), await put("/w/sub2/b.ipynb")
    assert await move("/w/a.ipynb", "/w/sub/a.ipynb") == 1
    assert await put("/w/a.ipynb") not in (first, other, near)
    assert await move("/w/sub", "/w/moved") == 2
    assert (await put("/w/moved/a.ipynb"), await put("/w/moved/b.ipynb")) == (first, other)
    assert await put("/w/sub2/b.ipynb") == near
    assert await move("/w/moved/b.ipynb", "/w/sub2/b.ipynb") == 1  # over one that is there
    assert await put("/w/sub2/b.ipynb") == other
    assert await move("/w/sub2/b.ipynb", "/w/sub2/b.ipynb") == 0
    assert await move("/w/sub2", None) == 1
    assert await put("/w/sub2/b.ipynb") not in (first, other, near)
    bob = {"X-Rucat-Owner": "bob"}
    asked = {"from": "/w", "to": "/x"}
    assert (await client.post("/rucat/sessions/move", json=asked, headers=bob)).json() == {"moved": 0}


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["to"]),
        ({"from": "/a"}, ["to"]),
        ({"from": "", "to": "/a\n"}, ["from", "to"]),
        ({"from": 1, "to": 2, "x": 3}, ["x"]),
    ],
)
async def test_wrong_moves(client: httpx.AsyncClient, body: dict[str, object], wrong: list[str]) -> None:
    """400 with every wrong field: a forgotten one must not remove a session."""
    answer = await client.post("/rucat/sessions/move", json=body)
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == wrong


# --- the gateway --------------------------------------------------------------------------------------------


async def test_profiles(client: httpx.AsyncClient) -> None:
    """What there is, what may be set, and which of them this gateway can serve."""
    body = (await client.get("/rucat/profiles")).json()
    assert {p["name"]: p["available"] for p in body["profiles"]} == {"local": True, "k8s-small": False}
    assert (body["default"], body["platforms"], body["errors"]) == ("local", ["external", "local"], [])
    assert "driver" in body["fields"]["properties"]
    small = body["profiles"][0]
    assert small["spec"]["executors"] == {"instances": 2, "cores": 1, "request_cores": "250m", "memory": "1g"}


async def test_a_profiles_secrets_are_masked_and_its_errors_shown() -> None:
    """Looking at profiles works whatever is in the files; using a broken one is 400 naming file and key."""
    layer = Layer(
        "/etc/rucat.toml",
        {
            "profiles": {
                "s3": {"platform": "local", "conf": {"spark.hadoop.fs.s3a.secret.key": TOKEN}},
                "bad": {"platform": "local", "driver": {"memory": 4}},
            }
        },
    )
    async with client_of(await open_office(Profiles([layer]))) as client:
        answer = await client.get("/rucat/profiles")
        made = await client.post("/rucat/engines", json={"profile": "s3"})
        bad = await client.post("/rucat/engines", json={"profile": "bad"})
    assert TOKEN not in answer.text
    assert answer.json()["errors"] == ["/etc/rucat.toml: profiles.bad.driver.memory: must be a string"]
    assert made.json()["name"] == "s3"
    assert error_of(bad) == (400, "invalid_request")
    assert "/etc/rucat.toml: profiles.bad.driver.memory" in bad.json()["message"]


async def test_sparks_own_settings(office: Office) -> None:
    """With what Spark says of them, for forms."""
    async with client_of(office) as client:
        confs = (await client.get("/rucat/confs")).json()["confs"]
    assert confs == [setting._asdict() for setting in spark_confs.load().values()]
    assert {"spark.sql.shuffle.partitions", "spark.driver.memory"} <= {conf["key"] for conf in confs}


async def test_profiles_are_refreshed_before_they_are_used(office: Office) -> None:
    """A file that was just saved counts."""
    calls = 0

    async def refresh() -> None:
        nonlocal calls
        calls += 1

    async with client_of(office, refresh_profiles=refresh) as client:
        await client.get("/rucat/profiles")
        await client.post("/rucat/engines", json={})
    assert calls == 2


async def test_health(office: Office, client: httpx.AsyncClient) -> None:
    """It answers whatever is broken, and says what that is."""
    body = (await client.get("/rucat/health")).json()
    assert (body["status"], body["api"], body["store"]["ok"]) == ("ok", 1, True)
    assert set(body["platforms"]) == {"local", "external"}
    office.store.is_down = True
    body = (await client.get("/rucat/health")).json()
    assert (body["status"], body["store"]["ok"]) == ("degraded", False)
    assert body["store"]["message"]


async def test_health_shows_what_the_monitor_knows(office: Office) -> None:
    """Of itself and of each platform: a line, and since when; one broken part degrades the whole."""
    monitor = MonitorOf()
    well = {"ok": True, "message": "", "since": None}
    async with client_of(office, monitor=monitor) as client:
        monitor.problem = Trouble("the store did not answer within 60 s", START)
        body = (await client.get("/rucat/health")).json()
        ill = {"ok": False, "message": "the store did not answer within 60 s", "since": "2026-01-01T00:00:00Z"}
        assert (body["status"], body["monitor"], body["platforms"]["local"]) == ("degraded", ill, well)
        monitor.problem, monitor.platform_problems = None, {"local": Trouble("it does not answer", START)}
        body = (await client.get("/rucat/health")).json()
        ill["message"] = "it does not answer"
        assert (body["status"], body["monitor"]) == ("degraded", well)
        assert body["platforms"] == {"local": ill, "external": well}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_its_store_every_route_is_503_or_needs_none(
    office: Office, client: httpx.AsyncClient, method: str, path: str
) -> None:
    """In the error form, with Retry-After."""
    office.store.is_down = True
    path = fill(path, "etl")
    body = {"path": PATH} if method == "PUT" else {} if path == "/rucat/engines" else None
    body = {"from": PATH, "to": None} if path == "/rucat/sessions/move" else body
    answer = await client.request(method, path, json=body if method in ("PUT", "POST") else None)
    if path in ("/rucat/profiles", "/rucat/confs", "/rucat/health", "/rucat/openapi.json"):
        assert answer.status_code == 200
    else:
        assert error_of(answer) == (503, "store_unavailable")
        assert answer.headers["retry-after"] == "2"


async def test_a_store_of_a_newer_rucat_is_only_read(office: Office, client: httpx.AsyncClient) -> None:
    """Reading works, writing is 409."""
    await office.engine()
    office.store.is_newer = True
    assert (await client.get("/rucat/engines/etl")).status_code == 200
    for method, path in (("POST", "/rucat/engines"), ("POST", "/rucat/engines/etl/stop"), ("DELETE", SESSION)):
        answer = await client.request(method, path, json={} if path == "/rucat/engines" else None)
        assert error_of(answer) == (409, "store_too_new")


# --- errors of any route ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/rucat"),
        ("GET", "/rucat/"),
        ("GET", "/rucat/engines/"),
        ("GET", "/rucat/nothing"),
        ("GET", "/rucat/engines/etl/nothing"),
        ("POST", "/rucat/engines/etl/start"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/rucat/engines/a%2Fb"),
    ],
)
async def test_unknown_paths(client: httpx.AsyncClient, method: str, path: str) -> None:
    """404 in the error form, and not the code of an engine that is not there."""
    assert error_of(await client.request(method, path)) == (404, "no_such_route")


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
async def test_wrong_methods(client: httpx.AsyncClient, path: str) -> None:
    """405 in the error form, with every method that is right."""
    allowed = sorted([method for method, known in ROUTES if known == path] + ["HEAD"] * (path == UI))
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO"} - {*allowed}:
        answer = await client.request(method, fill(path, "etl"))
        assert answer.headers["allow"] == ", ".join(allowed), method
        if method == "HEAD":
            assert answer.status_code == 405
        else:
            assert error_of(answer) == (405, "wrong_method"), method
            assert answer.json()["details"] == {"allowed": allowed}


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{id}" in route[1]])
async def test_no_engine_of_mine_is_404_everywhere(
    office: Office, client: httpx.AsyncClient, method: str, path: str
) -> None:
    """What is not there, what is no name, and what is someone else's."""
    engine = await office.engine(Status.RUNNING, "bobs", "bob")
    body = {"path": PATH} if method == "PUT" else None
    for ref in (engine.id, "nobody", "f" * 16, "bobs", "%00", "%FF", "a%0A", "%F0%9F%98%80", "x" * 3000):
        answer = await client.request(method, fill(path, ref), json=body)
        assert error_of(answer) == (404, "not_found"), ref


# --- who asks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "owner"), [("bob", "bob"), ("%C3%BCnal", "ünal"), ("a%25b", "a%b"), ("a b", "a b")])
async def test_the_header_names_the_owner(client: httpx.AsyncClient, sent: str, owner: str) -> None:
    """Percent-encoded UTF-8; without it the gateway's own user asks."""
    made = (await client.post("/rucat/engines", json={"name": "x"}, headers={"X-Rucat-Owner": sent})).json()
    assert made["owner"] == owner
    assert (await client.get("/rucat/engines/x")).status_code == 404
    assert (await client.get("/rucat/engines/x", headers={"X-Rucat-Owner": sent})).status_code == 200


@pytest.mark.parametrize("sent", ["", "%FF", "a%00", "a%0Ab", "x" * 256, b"\xff"])
async def test_a_header_without_a_valid_name_is_refused(client: httpx.AsyncClient, sent: str | bytes) -> None:
    """Never taken for another user."""
    answer = await client.get(
        "/rucat/engines", headers=[(b"X-Rucat-Owner", sent if isinstance(sent, bytes) else sent.encode())]
    )
    assert error_of(answer) == (400, "invalid_request")
    assert fields_of(answer) == ["X-Rucat-Owner"]


async def test_two_headers_are_refused(client: httpx.AsyncClient) -> None:
    """A second name is refused."""
    answer = await client.get("/rucat/engines", headers=[("X-Rucat-Owner", "bob"), ("X-Rucat-Owner", "eve")])
    assert error_of(answer) == (400, "invalid_request")


async def test_a_header_that_is_not_believed_changes_nothing(office: Office) -> None:
    """On TCP the header is only a claim."""
    async with client_of(office, trusts_owner_header=False) as client:
        made = (await client.post("/rucat/engines", json={}, headers={"X-Rucat-Owner": "bob"})).json()
    assert made["owner"] == OWNER


def test_a_user_without_an_entry_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under any user id."""

    def no_entry(uid: int) -> object:
        raise KeyError(uid)

    assert os_user() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    assert os_user() == f"uid-{os.getuid()}"


async def test_a_defect_has_the_error_form_too(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tells nothing of what it was about."""

    async def broken(owner: str) -> object:
        raise ZeroDivisionError(TOKEN)

    monkeypatch.setattr(office.store, "engines", broken)
    transport = httpx.ASGITransport(app_of(office), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://rucat") as client:
        answer = await client.get("/rucat/engines")
    assert error_of(answer) == (500, "internal")
    assert TOKEN not in answer.text


# --- plans, profiles, restarts with settings ----------------------------------------------------------------


async def test_the_kubeconfig_of_the_jupyter_server_is_a_default(office: Office, client: httpx.AsyncClient) -> None:
    """For plans, creates and checkups, percent-encoded; the request's own wins."""
    seen = ExaminedOffice("kubernetes")
    office.gateway.platforms = {"kubernetes": seen}
    mine = {"X-Rucat-Kubeconfig": "/my%20%C3%A9:/b"}
    body = {"platform": "kubernetes"}
    for path, code in (("/rucat/engines?dry_run=true", 200), ("/rucat/engines", 201)):
        answer = await client.post(path, json=body, headers=mine)
        assert answer.status_code == code
        assert answer.json()["spec"]["kubernetes"]["kubeconfig"] == "/my é:/b"
    await client.get("/rucat/checkup", headers=mine)
    await client.get("/rucat/checkup?kubeconfig=/theirs", headers=mine)
    assert seen.examined == ["/my é:/b", "/theirs"]
    nul = await client.post("/rucat/engines", json=body, headers={"X-Rucat-Kubeconfig": "a%00"})
    assert fields_of(nul) == ["X-Rucat-Kubeconfig"]


class ExaminedOffice(OfficePlatform):
    """A platform that notes the kubeconfigs that it is to examine."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.examined: list[str | None] = []

    async def examine(self, specs: Sequence[EngineSpec]) -> list[Finding]:
        self.examined += [spec.kubernetes.kubeconfig for spec in specs[-1:]]
        return []


async def test_a_dry_run_answers_a_plan(office: Office, client: httpx.AsyncClient) -> None:
    """200, no engine, no secret; wrong settings are what they are at a create."""
    body = {"name": "etl", "conf": {"spark.my.token": TOKEN}, "driver": {"memory": "2g"}}
    answer = await client.post("/rucat/engines?dry_run=true", json=body)
    plan = answer.json()
    assert answer.status_code == 200
    assert TOKEN not in answer.text
    assert (plan["name"], plan["platform"], plan["profile"], plan["exists"]) == ("etl", "local", "local", None)
    assert plan["spec"]["driver"] == {"memory": "2g"}
    assert {"key": "driver.memory", "value": "2g", "source": "given", "profile": "", "note": ""} in plan["values"]
    assert await office.store.engines() == []
    made = (await client.post("/rucat/engines?dry_run=false", json=body)).json()
    assert (await client.post("/rucat/engines?dry_run=true", json=body)).json()["exists"] == made
    assert error_of(await client.post("/rucat/engines?dry_run=true", json={"foo": 1})) == (400, "invalid_request")
    assert fields_of(await client.post("/rucat/engines?dry_run=maybe", json={})) == ["dry_run"]


async def test_profiles_have_chain_places_and_limits() -> None:
    """Beside what they set: which they extend, where and how large, each value's file, and what limits make of it."""
    layer = Layer(
        "/etc/rucat.toml",
        {"profiles": {"big": {"extends": "k8s-small", "driver": {"memory": "8g"}}}, "limits": {"max_executors": 2}},
        is_admin=True,
    )
    async with client_of(await open_office(Profiles([layer]))) as client:
        body = (await client.get("/rucat/profiles")).json()
    big = next(profile for profile in body["profiles"] if profile["name"] == "big")
    assert (big["chain"], big["sources"]) == (["k8s-small", "big"], ["built in", "/etc/rucat.toml"])
    size = "driver 1 core 8 GB, 2 executors × 1 core 1 GB"
    assert (big["where"], big["size"], big["available"]) == ("kubernetes", size, False)
    memory = {"key": "driver.memory", "value": "8g", "source": "/etc/rucat.toml", "profile": "big", "note": ""}
    assert memory in big["values"]
    about = "Largest executors.instances and executors.max."
    assert body["limits"] == [{"name": "max_executors", "value": 2, "source": "/etc/rucat.toml", "description": about}]


async def test_health_names_broken_profile_files() -> None:
    """Degraded, with file and key; engines do not depend on them."""
    layer = Layer("/home/rucat.toml", {"profiles": {"a": {"extends": "b"}}})
    async with client_of(await open_office(Profiles([layer]))) as client:
        body = (await client.get("/rucat/health")).json()
    assert (body["status"], body["profiles"]["ok"], body["store"]["ok"]) == ("degraded", False, True)
    assert body["profiles"]["message"].startswith("/home/rucat.toml: profiles.a.extends: there is no profile 'b'")


async def test_restart_takes_settings(office: Office, client: httpx.AsyncClient) -> None:
    """202 and stored; all wrong fields in one error; no body, an empty one and {} are a plain restart."""
    await office.engine(Status.RUNNING)
    url = "/rucat/engines/etl/restart"
    answer = await client.post(url, json={"driver": {"memory": "4 GB"}, "executors": 2, "foo": 1})
    assert error_of(answer) == (400, "invalid_request")
    assert sorted(fields_of(answer)) == ["driver.memory", "executors", "foo"]
    assert error_of(await client.post(url, json={"conf": {"spark.master": "x"}})) == (403, "conf_denied")
    assert error_of(await client.post(url, content="{}", headers={"Content-Type": "text/plain"}))[0] == 415
    assert error_of(await client.post(url, content="x", headers={"Content-Type": "application/json"}))[0] == 400
    assert error_of(await client.post(url, json=[]))[0] == 400
    answer = await client.post(url, json={"driver": {"memory": "4g"}})
    assert (answer.status_code, answer.json()["run"], answer.json()["spec"]["driver"]["memory"]) == (202, 2, "4g")
    answer = await client.post(url, json={"driver": {"memory": "5g"}})
    assert error_of(answer) == (409, "not_possible")
    assert "wait until it runs, or stop it" in answer.json()["message"]
    for options in ({}, {"content": b""}, {"json": {}}):
        assert (await client.post(url, **options)).status_code == 200  # type: ignore[arg-type]
    assert error_of(await client.post("/rucat/engines/none/restart", json={"driver": {}}))[0] == 404
    external = {"name": "far", "platform": "external", "external": {"url": "sc://far:1"}}
    await client.post("/rucat/engines", json=external)
    answer = await client.post("/rucat/engines/far/restart", json={"driver": {"cores": 1}})
    assert error_of(answer) == (409, "not_managed")

"""REST of what runs on an engine: operations and cancelling, and the Spark UI that lets no secret through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from fakes.office import LIVES, START, TOKEN, Office, open_office
from fakes.rest_app import OPERATION, app_of, client_of, error_of
from fakes.served import served
from fakes.ui_server import UiServer, http

from rucat_jupyter.core.engine import Engine, Status
from rucat_jupyter.core.errors import EngineUnavailable
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Operation
from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.gateway.service.http import ui as ui_routes

KEY = key_of("/home/me/a.ipynb")
URL = "sc://127.0.0.1:15002"
LIVE = (Status.RUNNING, Status.UNRESPONSIVE)
FULL = Operation(
    OPERATION,
    "eve",
    "11111111-0000-4000-8000-000000000000",
    text="select 1",
    started_at=START,
    stages=5,
    stages_done=2,
    tasks=200,
    tasks_done=86,
    tags=("x", "rucat:cell=7:deadbeef"),
)


@pytest.fixture
async def office() -> Office:
    return await open_office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


@pytest.fixture
async def ui() -> AsyncIterator[UiServer]:
    async with UiServer().serving() as server:
        yield server


@pytest.fixture
async def engine(office: Office, ui: UiServer) -> Engine:
    """A Running engine with a UI."""
    engine = await office.engine(Status.RUNNING)
    office.local.endpoints[engine.id] = Endpoint("127.0.0.1", 15002, ui.url)
    return engine


# --- operations ---------------------------------------------------------------------------------------------


async def test_an_operation_has_notebook_and_cell(office: Office, client: httpx.AsyncClient, engine: Engine) -> None:
    """From the stored sessions; an operation of another client has neither."""
    put = await client.put(f"/rucat/engines/etl/sessions/{KEY}", json={"path": "/home/me/a.ipynb"})
    mine = replace(FULL, user_id=put.json()["user_id"], session_id=put.json()["session_id"])
    office.operations.at[URL] = [mine, replace(FULL, tags=(), is_ending=True)]
    answer = await client.get("/rucat/engines/etl/operations")
    assert answer.json() == {
        "operations": [
            {
                "id": OPERATION,
                "session_key": KEY,
                "notebook": "/home/me/a.ipynb",
                "cell": 7,
                "user_id": mine.user_id,
                "session_id": mine.session_id,
                "text": "select 1",
                "status": "running",
                "started_at": "2026-01-01T00:00:00Z",
                "stages": 5,
                "stages_done": 2,
                "tasks": 200,
                "tasks_done": 86,
                "tags": ["x", "rucat:cell=7:deadbeef"],
            },
            {
                **answer.json()["operations"][1],
                "session_key": None,
                "notebook": "",
                "cell": None,
                "status": "cancelling",
                "tags": [],
            },
        ]
    }
    assert office.operations.asked == [(URL, TOKEN)]


async def test_cancel_is_accepted_once(office: Office, client: httpx.AsyncClient, engine: Engine) -> None:
    """202 with the operation; after that there is none of that id."""
    office.operations.at[URL] = [FULL]
    path = f"/rucat/engines/etl/operations/{OPERATION}/cancel"
    answer = await client.post(path)
    assert answer.status_code == 202
    assert (answer.json()["id"], answer.json()["status"]) == (OPERATION, "cancelling")
    assert office.operations.cancelled == [OPERATION]
    assert error_of(await client.post(path)) == (404, "operation_not_found")


async def test_what_a_notebook_has_cancelled_itself(office: Office, client: httpx.AsyncClient, engine: Engine) -> None:
    """202 for a session that is known, whether the operation is seen or not; the engine is not asked again."""
    put = await client.put(f"/rucat/engines/etl/sessions/{KEY}", json={"path": "/home/me/a.ipynb"})
    path = f"/rucat/engines/etl/operations/{OPERATION}/cancel"
    answer = await client.post(path, params={"session_id": put.json()["session_id"]})
    assert answer.status_code == 202
    assert [answer.json()[name] for name in ("id", "status", "session_key")] == [OPERATION, "cancelling", KEY]
    (swept,) = office.operations.ended_jobs_of
    assert (swept.id, swept.user_id, swept.session_id) == (OPERATION, put.json()["user_id"], put.json()["session_id"])
    assert office.operations.asked == []
    for ref, session in ((OPERATION, FULL.session_id), ("x", swept.session_id)):
        answer = await client.post(f"/rucat/engines/etl/operations/{ref}/cancel", params={"session_id": session})
        assert error_of(answer) == (404, "operation_not_found")
    assert office.operations.ended_jobs_of == [swept]


@pytest.mark.parametrize("ref", ["x", OPERATION.upper() + "x", f"{OPERATION}%0A", "'; drop", "%00", "9" * 3000])
async def test_no_operation_has_such_an_id(office: Office, client: httpx.AsyncClient, engine: Engine, ref: str) -> None:
    """404, and the engine hears nothing of it."""
    answer = await client.post(f"/rucat/engines/etl/operations/{ref}/cancel")
    assert error_of(answer) == (404, "operation_not_found")
    assert len(answer.json()["message"]) < 300
    assert office.operations.asked == []


@pytest.mark.parametrize("status", [status for status in Status if status not in LIVE])
async def test_an_engine_that_is_not_live(office: Office, client: httpx.AsyncClient, status: Status) -> None:
    """409 for all of it, and no engine is called."""
    engine = await office.engine(status)
    for method, path in (
        ("GET", "operations"),
        ("POST", f"operations/{OPERATION}/cancel"),
        ("GET", "ui/"),
        ("HEAD", "ui/jobs/"),
    ):
        answer = await client.request(method, f"/rucat/engines/{engine.id}/{path}")
        if method == "HEAD":
            assert answer.status_code == 409
        else:
            assert error_of(answer) == (409, "not_possible")
            possible = (await client.get(f"/rucat/engines/{engine.id}")).json()["verbs"]
            assert answer.json()["details"] == {"status": status.value, "verbs": possible}
    assert office.operations.asked == []


async def test_an_engine_that_does_not_answer(office: Office, client: httpx.AsyncClient, engine: Engine) -> None:
    """503 and when to try again, rather than an empty list."""
    office.operations.is_silent = True
    answer = await client.get("/rucat/engines/etl/operations")
    assert error_of(answer) == (503, EngineUnavailable.code)
    assert answer.headers["retry-after"] == "2"


async def test_an_engine_that_cannot_tell(office: Office, client: httpx.AsyncClient, engine: Engine) -> None:
    """An old Spark without a UI: 409, not an empty list."""
    office.operations.cannot_tell = True
    answer = await client.get("/rucat/engines/etl/operations")
    assert error_of(answer) == (409, "not_possible")
    assert answer.json()["details"] == {"status": "Running", "verbs": ["stop", "restart", "delete"]}
    assert answer.json()["message"].endswith("; possible now: stop, restart, delete")


async def test_looking_and_cancelling_are_no_use(office: Office, client: httpx.AsyncClient, engine: Engine) -> None:
    """Neither time of use nor revision moves."""
    before = (await client.get("/rucat/engines/etl")).json()
    office.pass_time(timedelta(hours=1).total_seconds())
    office.operations.at[URL] = [FULL]
    await client.get("/rucat/engines/etl/operations")
    await client.post(f"/rucat/engines/etl/operations/{OPERATION}/cancel")
    await client.get(f"/rucat/engines/{engine.id}/ui/jobs/")
    assert (await client.get("/rucat/engines/etl")).json() == before


# --- the Spark UI: what goes in -----------------------------------------------------------------------------


async def test_a_page_is_asked_for_as_it_was_written(client: httpx.AsyncClient, engine: Engine, ui: UiServer) -> None:
    """Path and query byte for byte, parameters twice and with escaped slashes included."""
    for target in ("", "jobs/", "SQL/execution/?id=0&id=1&a=%2F", "a%2Fb//c/..%2f", "@evil.example/", "/evil.example/"):
        answer = await client.get(f"/rucat/engines/{engine.id}/ui/{target}")
        assert (answer.status_code, answer.text) == (200, "hello")
        assert ui.asked[-1].target == f"/{target}"
        assert ui.asked[-1].headers["host"] == f"127.0.0.1:{ui.port}"


async def test_no_secret_of_the_caller_reaches_the_engine(
    client: httpx.AsyncClient, engine: Engine, ui: UiServer
) -> None:
    """Cookies, tokens, forwarding headers of any caller: only what a page needs goes on."""
    secret = {
        "Cookie": "a=b",
        "Authorization": "token x",
        "Proxy-Authorization": "x",
        "X-XSRFToken": "x",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Context": "/evil",
        "Forwarded": "for=x",
        "Referer": "http://x/?token=y",
        "Origin": "http://x",
        "X-Rucat-Owner": "ada",
        "X-Anything": "x",
        "Connection": "keep-alive, x-anything",
        "Upgrade": "websocket",
    }
    wanted = {"Accept": "text/html", "Accept-Language": "de", "If-None-Match": '"x"', "Accept-Encoding": "gzip"}
    await client.get(f"/rucat/engines/{engine.id}/ui/jobs/", headers=secret | wanted)
    assert ui.asked[0].headers == {
        **{name.lower(): value for name, value in wanted.items()},
        "host": f"127.0.0.1:{ui.port}",
        "x-forwarded-context": f"/rucat/engines/{engine.id}/ui",
    }


@pytest.mark.parametrize("base", ["/", "/user/x/", "/user/a%40b/", "/rucat/"])
async def test_links_are_made_for_the_readers_base(
    client: httpx.AsyncClient, engine: Engine, ui: UiServer, base: str
) -> None:
    """The Jupyter server says where it is."""
    await client.get(f"/rucat/engines/{engine.id}/ui/", headers={"X-Rucat-Base": base})
    assert ui.asked[0].headers["x-forwarded-context"] == f"{base}rucat/engines/{engine.id}/ui"


@pytest.mark.parametrize("base", ["", "x", "/a", "/a'/", "/<script>/", "/a b/", "//", "/a%0Ab/", "http://x/", '/"/'])
async def test_a_base_that_is_no_path_is_refused(
    client: httpx.AsyncClient, engine: Engine, ui: UiServer, base: str
) -> None:
    """Spark writes it into its pages: nothing but a path may come so far."""
    answer = await client.get(f"/rucat/engines/{engine.id}/ui/", headers={"X-Rucat-Base": base})
    assert error_of(answer) == (400, "invalid_request")
    assert ui.asked == []


async def test_on_tcp_the_base_is_only_a_claim(office: Office, engine: Engine, ui: UiServer) -> None:
    """Believed where the owner's header is, and nowhere else."""
    async with client_of(office, trusts_owner_header=False) as client:
        await client.get(f"/rucat/engines/{engine.id}/ui/", headers={"X-Rucat-Base": "/evil/"})
    assert ui.asked[0].headers["x-forwarded-context"] == f"/rucat/engines/{engine.id}/ui"


@pytest.mark.parametrize("target", ["jobs/job/kill/?id=1", "stages/stage/kill/", "SQL/execution/kill", "jobs/%6Bill/"])
async def test_a_look_ends_nothing(client: httpx.AsyncClient, engine: Engine, ui: UiServer, target: str) -> None:
    """Spark's kill links answer to a GET in some releases: a user who may only read must not end anything."""
    answer = await client.get(f"/rucat/engines/{engine.id}/ui/{target}")
    assert error_of(answer) == (403, "forbidden")
    assert ui.asked == []


# --- the Spark UI: what comes back --------------------------------------------------------------------------


async def test_only_a_pages_headers_come_back(client: httpx.AsyncClient, engine: Engine, ui: UiServer) -> None:
    """No cookie of the engine, nothing hop by hop; its own policy stays, beside Rucat's, which sandboxes the page."""
    ui.answer = http(
        "200 OK",
        *("Content-Type: text/html", "Set-Cookie: a=b", "Connection: close, x-odd", "X-Odd: 1", "Keep-Alive: 5"),
        *("Server: Jetty", "Access-Control-Allow-Origin: *", "Content-Security-Policy: default-src 'none'"),
        body="page",
    )
    answer = await client.get(f"/rucat/engines/{engine.id}/ui/")
    policy = answer.headers.pop("content-security-policy")
    assert policy.startswith("default-src 'none', sandbox allow-scripts ")
    assert "allow-same-origin" not in policy
    assert dict(answer.headers) == {
        "content-type": "text/html",
        "content-length": "4",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    ui.answer = http("404 Not Found", body="no")
    answer = await client.get(f"/rucat/engines/{engine.id}/ui/")
    assert (answer.status_code, answer.text) == (404, "no")
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("location", "proxied"),
    [
        ("http://127.0.0.1:{port}/jobs/", "{root}/jobs/"),
        ("http://127.0.0.1:{port}/jobs/?a=1", "{root}/jobs/?a=1"),
        ("/stages/", "{root}/stages/"),
        ("/user/x{root}/stages/", "{root}/stages/"),
        ("next/", "next/"),
        ("//evil.example/", None),
        ("http://evil.example/", None),
        ("http://127.0.0.1:1/", None),
        ("javascript:alert(1)", None),
    ],
)
async def test_a_redirect_stays_within_the_ui(
    client: httpx.AsyncClient, engine: Engine, ui: UiServer, location: str, proxied: str | None
) -> None:
    """To where the same page is here; one that leads elsewhere is not passed on."""
    root = f"/rucat/engines/{engine.id}/ui"
    ui.answer = http("302 Found", f"Location: {location.format(port=ui.port, root=root)}")
    answer = await client.get(f"{root}/", headers={"X-Rucat-Base": "/user/x/"})
    assert answer.status_code == 302
    assert answer.headers.get("location") == (proxied and proxied.format(root=root))


async def test_a_name_leads_to_the_id(client: httpx.AsyncClient, engine: Engine, ui: UiServer) -> None:
    """With path and query: a name may have characters that break Spark's links."""
    answer = await client.get("/rucat/engines/etl/ui/SQL/execution/?id=0&a=%2F")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"/rucat/engines/{engine.id}/ui/SQL/execution/?id=0&a=%2F"
    for ref in ("etl", engine.id):
        answer = await client.get(f"/rucat/engines/{ref}/ui")
        assert (answer.status_code, answer.headers["location"]) == (307, f"/rucat/engines/{engine.id}/ui/")
    assert ui.asked == []


async def test_a_head_is_passed_on_as_one(client: httpx.AsyncClient, engine: Engine, ui: UiServer) -> None:
    """Without a body."""
    ui.answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n"
    answer = await client.head(f"/rucat/engines/{engine.id}/ui/jobs/")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "5")
    assert ui.asked[0].method == "HEAD"


async def test_an_external_engines_ui_is_never_offered(office: Office, client: httpx.AsyncClient, ui: UiServer) -> None:
    """Even where its platform tells of one."""
    engine = await office.gateway.create("ada", {"name": "ext", "platform": "external"})
    for changes in LIVES[Status.RUNNING]:
        engine = await office.store.update(engine, changes, None)
    office.external.endpoints[engine.id] = Endpoint("127.0.0.1", 15002, ui.url)
    answer = await client.get(f"/rucat/engines/{engine.id}/ui/")
    assert error_of(answer) == (409, "not_managed")
    assert ui.asked == []


async def test_an_engine_without_a_ui(office: Office, client: httpx.AsyncClient) -> None:
    """409 while there is none; 503 when it is there and does not answer."""
    engine = await office.engine(Status.RUNNING)
    path = f"/rucat/engines/{engine.id}/ui/"
    assert error_of(await client.get(path)) == (409, "not_possible")
    office.local.endpoints[engine.id] = Endpoint("127.0.0.1", 15002, "http://127.0.0.1:1")
    assert error_of(await client.get(path)) == (503, EngineUnavailable.code)


async def test_a_page_goes_on_as_it_comes(office: Office, engine: Engine, ui: UiServer) -> None:
    """Its beginning is there before its end; what the client leaves is not read on."""
    ui.answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nbegin"
    ui.rest = b"end"
    async with AsyncExitStack() as stack:
        url = stack.enter_context(served(app_of(office)))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        path = f"{url}/rucat/engines/{engine.id}/ui/"
        async with client.stream("GET", path) as answer:
            pieces = answer.aiter_bytes()
            assert await anext(pieces) == b"begin"
            ui.may_go_on.set()
            assert b"".join([piece async for piece in pieces]) == b"end"
        ui.may_go_on.clear()
        async with client.stream("GET", path) as answer:
            assert await anext(answer.aiter_bytes()) == b"begin"
        await asyncio.wait_for(ui.gone.wait(), 5)


@pytest.mark.parametrize("reason", ["it breaks off", "it takes too long"])
async def test_half_a_page_is_not_taken_for_the_whole(
    office: Office, engine: Engine, ui: UiServer, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks, as the engine's did."""
    monkeypatch.setattr(ui_routes, "PAGE_S", 0.5)
    ui.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n"
    ui.rest = b"x" if reason == "it breaks off" else b"0\r\n\r\n"
    if reason == "it breaks off":
        ui.may_go_on.set()
    async with AsyncExitStack() as stack:
        url = stack.enter_context(served(app_of(office)))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"{url}/rucat/engines/{engine.id}/ui/")

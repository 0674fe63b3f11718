"""Every route through Jupyter: who may, what is passed on, what comes back."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from jupyter_server.auth.authorizer import Authorizer

from rucat_jupyter.jupyter.forward import MAX_BODY_BYTES, METHODS, ROUTES

from .conftest import FakeGateway, Jupyter, Known

ENGINE = "0123456789abcdef"
KEY = "0" * 32


class DenyAll(Authorizer):
    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return False


class Readers(Authorizer):
    """Lets everybody read, and notes what was asked."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012  # the server makes the instance

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return action == "read"


def calls() -> list[tuple[str, str]]:
    """Every method and path of the URL table."""
    paths = {
        pattern: pattern.replace("sessions/[^/]+", f"sessions/{KEY}").replace("[^/]+", ENGINE).replace(".*", "jobs/")
        for pattern, _ in ROUTES
    }
    return [(method, paths[pattern].replace("\\", "").lstrip("/")) for pattern, methods in ROUTES for method in methods]


def body_of(method: str) -> dict[str, str] | None:
    return {} if method in ("POST", "PUT") else None


@pytest.mark.parametrize("named", ["a:none:b é", "none", ""])
def test_requests_carry_the_kubeconfig_of_the_server(jupyter, gateway, tmp_path, monkeypatch, named) -> None:
    """Its files as they are at that time, with absolute paths; what a browser says is dropped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a", "b é"):
        Path(name).touch()
    monkeypatch.setenv("KUBECONFIG", named)
    mine = jupyter.token | {"Content-Type": "application/json", "X-Rucat-Kubeconfig": "/of/a/browser"}
    assert jupyter.fetch("POST", "rucat/engines", {}, mine).code == 200
    found = f"{tmp_path}/a:{tmp_path}/b é" if "a" in named else ""
    assert unquote(gateway.seen[-1].headers.get("x-rucat-kubeconfig", "")) == found


# --- who may ------------------------------------------------------------------------------------------------


def test_a_token_is_required(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Each route, each method, also those that do not exist: 403, and the gateway hears nothing."""
    for method, path in [*calls(), *((method, "rucat/nothing") for method in METHODS)]:
        for headers in ({}, {"Authorization": "token wrong"}):
            answer = jupyter.fetch(method, path, body_of(method), headers)
            assert answer.code in (401, 403), (method, path)
            if method != "HEAD":
                assert json.loads(answer.body).keys() == {"message", "code", "details"}, (method, path)
                assert json.loads(answer.body)["code"] == "forbidden"
                assert json.loads(answer.body)["message"] == "your login has expired: log in to Jupyter again"
                assert json.loads(answer.body)["details"] == {"is_logged_in": False}
    assert gateway.seen == []


def test_a_browser_without_a_login_gets_pages(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """The Spark UI in a tab leads to the login page and back; a frame shows what to do, not JSON."""
    page, browser = "rucat/engines/0123456789abcdef/ui/jobs/", {"Accept": "text/html,*/*", "Sec-Fetch-Dest": "document"}
    led = jupyter.fetch("GET", page, headers=browser)
    assert led.code == 302
    assert led.headers["Location"] == f"{jupyter.base_url}login?next={quote(jupyter.base_url + page, safe='')}"
    framed = jupyter.fetch("GET", page, headers=browser | {"Sec-Fetch-Dest": "iframe"})
    assert framed.code == 403
    assert framed.headers["Content-Type"].startswith("text/html")
    assert b"<p>your login has expired: log in to Jupyter again.</p>" in framed.body
    assert gateway.seen == []


class TestDenied:
    @pytest.fixture
    def server_config(self) -> dict[str, Any]:
        return {"ServerApp": {"authorizer_class": DenyAll}}

    def test_the_authorizer_can_deny_every_route(self, jupyter: Jupyter, gateway: FakeGateway) -> None:
        """Each route: 403, and the gateway hears nothing."""
        for method, path in calls():
            answer = jupyter.fetch(method, path, body_of(method))
            assert answer.code == 403, (method, path)
            assert method == "HEAD" or json.loads(answer.body)["code"] == "forbidden"
            assert method == "HEAD" or json.loads(answer.body)["details"] == {}
            assert method == "HEAD" or "Forbidden" not in json.loads(answer.body)["message"]
        assert gateway.seen == []


class TestReaders:
    @pytest.fixture
    def server_config(self) -> dict[str, Any]:
        return {"ServerApp": {"authorizer_class": Readers}}

    def test_actions_are_as_jupyter_maps_methods(self, jupyter: Jupyter, gateway: FakeGateway) -> None:
        """GET and HEAD read, everything else writes, the resource is rucat, whatever was asked before."""
        for method, path in [*calls(), *reversed(calls())]:
            Readers.asked.clear()
            answer = jupyter.fetch(method, path, body_of(method))
            action = "read" if method in ("GET", "HEAD") else "write"
            assert Readers.asked == [(action, "rucat")], (method, path)
            assert answer.code == (200 if action == "read" else 403), (method, path)


def test_authorized_requests_reach_the_gateway(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Each route, method and path as they were."""
    for method, path in calls():
        assert jupyter.fetch(method, path, body_of(method)).code == 200
    assert [(seen.method, seen.target) for seen in gateway.seen] == [(m, f"/{path}") for m, path in calls()]


def test_a_cookie_needs_the_xsrf_token(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """As Jupyter does it: cookie alone 403 (GET may), cookie with _xsrf passes, a token needs none."""
    page = jupyter.fetch("GET", "login", headers={})
    login = jupyter.fetch("GET", f"login?token={jupyter.app.identity_provider.token}", headers={})
    cookies = [text.partition(";")[0] for answer in (page, login) for text in answer.headers.get_list("Set-Cookie")]
    xsrf = next(cookie.partition("=")[2] for cookie in cookies if cookie.startswith("_xsrf="))
    browser = {"Cookie": "; ".join(cookies)}
    refused = jupyter.fetch("POST", "rucat/engines", {}, browser)
    assert (refused.code, json.loads(refused.body)["code"]) == (403, "forbidden")
    assert json.loads(refused.body)["details"] == {"is_cookie_renewed": True}
    assert "xsrf" not in json.loads(refused.body)["message"].lower()
    lost = {"Cookie": browser["Cookie"].replace(f"_xsrf={xsrf}", "a=b")}
    refused = jupyter.fetch("POST", "rucat/engines", {}, lost)
    assert any(text.startswith("_xsrf=") for text in refused.headers.get_list("Set-Cookie"))
    expired = {"Cookie": f"_xsrf={xsrf}; username-127-0-0-1=no-such-login"}
    for headers in (expired, expired | {"X-XSRFToken": xsrf}):
        answer = jupyter.fetch("POST", "rucat/engines", {}, headers)
        assert json.loads(answer.body)["details"] == {"is_logged_in": False}
    assert gateway.seen == []
    assert jupyter.fetch("GET", "rucat/engines", None, browser).code == 200
    assert jupyter.fetch("POST", "rucat/engines", {}, browser | {"X-XSRFToken": xsrf}).code == 200
    assert jupyter.fetch("POST", f"rucat/engines?_xsrf={xsrf}", {}, browser).code == 200
    assert jupyter.fetch("POST", "rucat/engines", {}).code == 200
    assert all(xsrf not in f"{seen}" for seen in gateway.seen)


# --- what is passed on --------------------------------------------------------------------------------------


def test_only_what_the_gateway_needs_is_passed_on(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """No cookie, token, XSRF token, hop-by-hop header, and no owner that a browser claims."""
    headers = jupyter.token | {
        "Cookie": "a=CANARY",
        "X-XSRFToken": "CANARY",
        "X-Rucat-Owner": "CANARY",
        "X-Rucat-Follower": "CANARY",
        "X-Forwarded-For": "CANARY",
        "Proxy-Authorization": "CANARY",
        "TE": "CANARY",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
    assert jupyter.fetch("POST", "rucat/engines", {"name": "x"}, headers).code == 200
    (seen,) = gateway.seen
    assert seen.body == b'{"name": "x"}'
    assert (seen.headers["accept"], seen.headers["content-type"]) == ("application/json", "application/json")
    assert "CANARY" not in f"{seen}"
    assert jupyter.app.identity_provider.token not in f"{seen}"


def test_a_page_of_the_spark_ui_is_asked_for_under_this_base(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """What a page needs goes on, and where its links must lead; no secret, and no base that a browser claims."""
    secret = ("Cookie", "X-XSRFToken", "X-Rucat-Base", "X-Rucat-Owner", "X-Forwarded-Context", "Referer", "Origin")
    wanted = {"Accept-Language": "de", "If-Modified-Since": "x", "Range": "bytes=0-1"}
    headers = jupyter.token | dict.fromkeys(secret, "CANARY") | wanted
    path = f"rucat/engines/{ENGINE}/ui/SQL/execution/?id=0&id=1"
    assert jupyter.fetch("GET", f"{path}&token={jupyter.app.identity_provider.token}", None, headers).code == 200
    (seen,) = gateway.seen
    assert seen.target == f"/{path}"
    assert {name: seen.headers[name.lower()] for name in wanted} == wanted
    assert seen.headers["accept-encoding"] == "gzip"  # what the client of the test asks for
    assert seen.headers["x-rucat-base"] == jupyter.base_url
    assert "CANARY" not in f"{seen}"
    assert jupyter.app.identity_provider.token not in f"{seen}"


def test_a_page_of_the_spark_ui_keeps_its_policy_and_place(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Jupyter's policy for its own API would blank it; a redirect leads below this server's base."""
    gateway.status = 302
    policy = b"default-src 'self'; frame-ancestors 'self'"
    gateway.headers = [
        (b"content-type", b"text/html;charset=utf-8"),
        (b"content-security-policy", policy),
        (b"location", f"/rucat/engines/{ENGINE}/ui/jobs/?a=1".encode()),
        (b"set-cookie", b"a=CANARY"),
    ]
    answer = jupyter.fetch("GET", f"rucat/engines/{ENGINE}/ui/")
    assert answer.code == 302
    assert answer.headers["Location"] == f"{jupyter.base_url}rucat/engines/{ENGINE}/ui/jobs/?a=1"
    assert answer.headers["Content-Security-Policy"] == policy.decode()
    assert answer.headers["Content-Type"] == "text/html;charset=utf-8"
    assert "CANARY" not in str(answer.headers.get_list("Set-Cookie"))


def test_the_query_is_passed_on_without_jupyters_own(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """The gateway refuses unknown parameters: the token, XSRF, and JupyterLab's time stamp are not for it."""
    token = jupyter.app.identity_provider.token
    for own in (f"token={token}", f"%74oken={token}", "1712345678901", "_xsrf=1", "no_track_activity=1"):
        query = f"name=a%20b&{own}&since=x%26y&wait=1"
        assert jupyter.fetch("GET", f"rucat/engines?{query}", headers=jupyter.token).code == 200
    assert {seen.target for seen in gateway.seen} == {"/rucat/engines?name=a%20b&since=x%26y&wait=1"}


@pytest.mark.parametrize("name", ["a%20b", "%C3%A9t%C3%A9", "a%2Fb", "..%2f", "a.b-c_d", "%252F", "%00"])
def test_a_name_is_passed_on_as_it_was_written(jupyter: Jupyter, gateway: FakeGateway, name: str) -> None:
    """Neither decoded nor encoded again: what it means is the gateway's business."""
    assert jupyter.fetch("GET", f"rucat/engines/{name}/logs").code == 200
    assert [seen.target for seen in gateway.seen] == [f"/rucat/engines/{name}/logs"]


def test_raw_bytes_of_a_name_are_passed_on_as_a_url_has_them(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """What curl sends of a name that was typed: UTF-8, not encoded."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", jupyter.client.get_http_port())
        path = f"{jupyter.base_url}rucat/engines/größe?name=é"
        token = jupyter.token["Authorization"]
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
        return answer

    assert b" 200 " in jupyter.run(ask()).partition(b"\r\n")[0]
    assert [seen.target for seen in gateway.seen] == ["/rucat/engines/gr%C3%B6%C3%9Fe?name=%C3%A9"]


def test_a_body_has_a_limit(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """8 MB pass, one byte more is 413 in the design's form."""
    most = b" " * MAX_BODY_BYTES
    assert jupyter.fetch("POST", "rucat/engines", most).code == 200
    assert len(gateway.seen[0].body) == MAX_BODY_BYTES
    answer = jupyter.fetch("POST", "rucat/engines", most + b" ")
    assert (answer.code, json.loads(answer.body)["code"]) == (413, "body_too_large")
    assert len(gateway.seen) == 1


class TestOwners:
    @pytest.fixture
    def server_config(self) -> dict[str, Any]:
        return {
            "ServerApp": {"identity_provider_class": Known},
            "IdentityProvider": {"token": "x"},
            "RucatExtension": {"owner_from_identity": True},
        }

    def test_a_configured_identity_is_the_owner(self, jupyter: Jupyter, gateway: FakeGateway) -> None:
        """Percent-encoded UTF-8, whatever the browser claims."""
        for name in ("ada", "Ren%C3%A9e"):
            jupyter.fetch("GET", "rucat/engines", headers={"X-Test-User": name, "X-Rucat-Owner": "eve"})
        assert [seen.headers["x-rucat-owner"] for seen in gateway.seen] == ["ada", "Ren%25C3%25A9e"]


def test_an_invented_identity_is_never_an_owner(jp_configurable_serverapp: Any) -> None:
    """Jupyter's own provider makes a new name for each visitor: refused, in one line."""
    config = {
        "ServerApp": {"jpserver_extensions": {"rucat_jupyter": True}, "reraise_server_extension_failures": True},
        "RucatExtension": {"owner_from_identity": True},
    }
    with pytest.raises(ValueError, match="identity provider with real user names"):
        jp_configurable_serverapp(config=config)


# --- what comes back ----------------------------------------------------------------------------------------


def test_an_answer_comes_back_as_it_is(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Status, body and headers; the address of what was made is that under Jupyter's base URL; no cookie is set."""
    gateway.status, gateway.body = 201, '{"é": 1}'.encode()
    gateway.headers = [(b"location", b"/rucat/engines/1"), (b"content-type", b"application/json"), (b"x-a", b"b")]
    gateway.headers += [(b"set-cookie", b"a=b"), (b"keep-alive", b"1"), (b"server", b"gateway")]
    answer = jupyter.fetch("POST", "rucat/engines", {})
    assert (answer.code, answer.body) == (201, gateway.body)
    assert answer.headers["Location"] == f"{jupyter.base_url}rucat/engines/1"
    assert (answer.headers["Content-Type"], answer.headers["X-A"]) == ("application/json", "b")
    assert not {"Keep-Alive", "Etag"} & set(answer.headers)
    assert not any(cookie.startswith("a=") for cookie in answer.headers.get_list("Set-Cookie"))
    assert answer.headers["Server"] != "gateway"


@pytest.mark.parametrize("status", [204, 304, 400, 404, 409, 500, 503])
def test_every_status_comes_back(jupyter: Jupyter, gateway: FakeGateway, status: int) -> None:
    """Empty ones and errors, with Retry-After."""
    gateway.status, gateway.body = status, b"" if status in (204, 304) else b'{"code": "store_unavailable"}'
    gateway.headers = [(b"retry-after", b"7")]
    answer = jupyter.fetch("GET", "rucat/engines")
    assert (answer.code, answer.body, answer.headers["Retry-After"]) == (status, gateway.body, "7")


def test_a_stream_flows(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Each line of a followed log is there before the next one is written."""
    pieces: list[bytes] = []
    more = asyncio.Event()

    async def lines(send: Any) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        await send(start)
        for number in range(3):
            await send({"type": "http.response.body", "body": b"line %d\n" % number, "more_body": True})
            await asyncio.wait_for(more.wait(), 10)
            more.clear()
        await send({"type": "http.response.body", "body": b""})

    def take(piece: bytes) -> None:
        pieces.append(piece)
        more.set()

    gateway.stream = lines
    answer = jupyter.fetch("GET", f"rucat/engines/{ENGINE}/logs?follow=true", streaming_callback=take)
    assert (answer.code, answer.headers["Content-Type"]) == (200, "text/plain")
    assert pieces == [b"line 0\n", b"line 1\n", b"line 2\n"]


def test_a_client_that_leaves_ends_the_call(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """The gateway does not go on with it."""

    async def forever(send: Any) -> None:
        await asyncio.Event().wait()

    async def knock_and_leave() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", jupyter.client.get_http_port())
        path = f"{jupyter.base_url}rucat/engines?since=x&wait=50"
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {jupyter.token['Authorization']}\r\n\r\n"
        writer.write(head.encode())
        await _until(lambda: gateway.seen)
        writer.close()
        await writer.wait_closed()
        await _until(lambda: gateway.gone)

    gateway.stream = forever
    jupyter.run(knock_and_leave())


def test_a_client_that_leaves_a_stream_ends_the_call(
    jupyter: Jupyter, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """It leaves while more is written than it takes; that is no error."""

    async def flood(send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await asyncio.sleep(0)  # uvicorn takes what comes after the end without a pause

    async def read_and_leave() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", jupyter.client.get_http_port())
        path = f"{jupyter.base_url}rucat/engines/{ENGINE}/logs?follow=true"
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {jupyter.token['Authorization']}\r\n\r\n"
        writer.write(head.encode())
        await reader.readexactly(200_000)
        writer.transport.abort()
        await _until(lambda: gateway.gone)

    gateway.stream = flood
    jupyter.run(read_and_leave())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _until(look: Any) -> None:
    end = asyncio.get_running_loop().time() + 10
    while not look():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.01)


def test_what_is_not_there_says_so(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """404 for other paths, 405 with Allow for other methods, in the design's form; the gateway hears nothing."""
    for path in ("rucat", "rucat/nothing", f"rucat/engines/{ENGINE}/nothing", "rucat/engines/a/b/c/d"):
        answer = jupyter.fetch("GET", path)
        assert (answer.code, json.loads(answer.body)["code"]) == (404, "no_such_route")
    answer = jupyter.fetch("PATCH", "rucat/engines", {})
    assert (answer.code, json.loads(answer.body)["code"]) == (405, "wrong_method")
    assert answer.headers["Allow"] == "GET, POST"
    assert gateway.seen == []


def test_a_gateway_that_cannot_be_started_is_503(
    jupyter: Jupyter, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason, and when to try again."""
    from rucat_jupyter.core.errors import GatewayUnavailable
    from rucat_jupyter.launch import launch

    def cannot(directory: Any = None, wait_s: float = 0) -> Any:
        raise GatewayUnavailable("the home is full")

    monkeypatch.setattr(launch, "ensure", cannot)
    answer = jupyter.fetch("GET", "rucat/engines")
    assert answer.code == 503
    assert json.loads(answer.body) == {"message": "the home is full", "code": "gateway_unavailable", "details": {}}
    assert int(answer.headers["Retry-After"]) >= 1


# --- what it costs ------------------------------------------------------------------------------------------


def test_loading_it_loads_nothing_heavy() -> None:
    """A Jupyter server that never uses Rucat pays for a few small modules."""
    code = """
import jupyter_server.serverapp, sys
before = set(sys.modules)
import rucat_jupyter
rucat_jupyter._jupyter_server_extension_points()
new = {name.partition(".")[0] for name in set(sys.modules) - before}
heavy = {"aiohttp", "httpx", "fastapi", "uvicorn", "surrealdb", "grpc", "pyspark", "kubernetes", "pydantic"}
print(sorted(new & heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestOff:
    @pytest.fixture
    def server_config(self) -> dict[str, Any]:
        return {"ServerApp": {"jpserver_extensions": {"rucat_jupyter": False}}}

    def test_off_is_clean(self, jupyter: Jupyter) -> None:
        """Switched off, there is no route and no event."""
        assert jupyter.fetch("GET", "rucat/engines").code == 404
        assert "urn:rucat:engines" not in jupyter.app.event_logger.schemas.schema_ids

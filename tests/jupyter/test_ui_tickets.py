"""Pages of the Spark UI below a ticket: who gets one, what it opens, and what the gateway hears of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rucat_jupyter.jupyter.tickets import LIFE_S, MOST, Tickets

from .conftest import FakeGateway, Jupyter, Known

ENGINE = "0123456789abcdef"
PAGE = f"rucat/engines/{ENGINE}/ui/executors/"
BROWSER = {"Accept": "text/html,*/*;q=0.8", "User-Agent": "Firefox"}
JQUERY = "static/jquery.min.js"


def ticketed(jupyter: Jupyter, page: str = PAGE, **headers: str) -> str:
    """The path to which a browser's look at the page leads, below the base URL."""
    answer = jupyter.fetch("GET", page, None, jupyter.token | BROWSER | headers)
    assert answer.code == 303
    assert answer.headers["Cache-Control"] == "no-store"
    location = answer.headers["Location"]
    assert location.startswith(f"{jupyter.base_url}rucat/ui/")
    return str(location.removeprefix(jupyter.base_url))


def test_a_browser_is_led_to_the_page_below_a_ticket(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """With its query, without Jupyter's token; the gateway makes links below it and hears no secret."""
    token = jupyter.app.identity_provider.token
    path = ticketed(jupyter, f"{PAGE}?id=0&token={token}")
    assert path.endswith(f"/{PAGE}?id=0")
    assert gateway.seen == []
    secrets = dict.fromkeys(("Cookie", "Referer", "X-Rucat-Base", "X-XSRFToken"), "CANARY")
    answer = jupyter.fetch("GET", path, None, {"User-Agent": "Firefox"} | secrets)
    assert answer.code == 200
    (seen,) = gateway.seen
    assert seen.target == f"/{PAGE}?id=0"
    assert seen.headers["x-rucat-base"] == jupyter.base_url + path.removesuffix(f"{PAGE}?id=0")
    assert "CANARY" not in f"{seen}"
    assert token not in f"{seen}"


def test_programs_get_the_page_itself(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Without a ticket; and a name always redirects to its id first."""
    assert jupyter.fetch("GET", PAGE, None, jupyter.token | {"Accept": "*/*"}).code == 200
    assert jupyter.fetch("GET", "rucat/engines/etl/ui/", None, jupyter.token | BROWSER).code == 200
    assert [seen.target for seen in gateway.seen] == [f"/{PAGE}", "/rucat/engines/etl/ui/"]


def test_a_ticket_needs_authentication(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Neither without a cookie or token, nor with a wrong one."""
    for headers in ({}, {"Authorization": "token wrong"}):
        assert jupyter.fetch("GET", PAGE, None, BROWSER | headers).code == 403
    assert gateway.seen == []


def test_a_ticket_opens_one_engine_in_one_browser(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Another engine, another browser, another word: 403; and as a page of its own it needs the cookie too."""
    path = ticketed(jupyter)
    word = path.split("/")[2]
    other = "f" * 16
    for wrong, headers in (
        (path.replace(ENGINE, other), {"User-Agent": "Firefox"}),
        (path, {"User-Agent": "curl"}),
        (path.replace(word, "x" * 32), {"User-Agent": "Firefox"}),
        (path, {"User-Agent": "Firefox", "Sec-Fetch-Dest": "document"}),
    ):
        answer = jupyter.fetch("GET", wrong, None, headers)
        assert (answer.code, json.loads(answer.body)["code"]) == (403, "forbidden")
    assert gateway.seen == []
    own_tab = jupyter.token | {"User-Agent": "Firefox", "Sec-Fetch-Dest": "document"}
    assert jupyter.fetch("GET", path, None, own_tab).code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_ticket_is_for_looking(jupyter: Jupyter, gateway: FakeGateway, method: str) -> None:
    """No other method comes through, nor any other route."""
    path = ticketed(jupyter)
    assert jupyter.fetch(method, path, {}, {"User-Agent": "Firefox"}).code in (403, 405)
    for other in ("connection", "logs", "stop", ""):
        wrong = path.replace("/ui/executors/", f"/{other}")
        assert jupyter.fetch("GET", wrong, None, {"User-Agent": "Firefox"}).code == 403
    assert gateway.seen == []


def test_a_pages_own_scripts_may_ask(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """A sandboxed page has the origin "null"; a page of another site has its own, and gets nothing."""
    path = ticketed(jupyter)
    asked = {"User-Agent": "Firefox", "Origin": "null"}
    before = jupyter.fetch("OPTIONS", path, None, asked | {"Access-Control-Request-Headers": "x-requested-with"})
    assert (before.code, before.headers["Access-Control-Allow-Origin"]) == (204, "null")
    assert before.headers["Access-Control-Allow-Headers"] == "X-Requested-With"
    answer = jupyter.fetch("GET", path, None, asked)
    assert (answer.code, answer.headers["Access-Control-Allow-Origin"]) == (200, "null")
    assert jupyter.fetch("GET", path, None, asked | {"Origin": "http://evil.example"}).code == 404


def test_sparks_first_script_comes_with_a_storage(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """Its scripts break off where a page has none; every other file, and an answer of 304, is as it was."""
    gateway.headers = [(b"content-type", b"application/javascript"), (b"content-encoding", b"identity")]
    gateway.body = b"jquery();"
    path = ticketed(jupyter)
    script = path.replace("executors/", JQUERY)
    got = jupyter.fetch("GET", script, None, {"User-Agent": "Firefox", "Range": "bytes=0-3"})
    assert b"localStorage" in got.body
    assert got.body.endswith(b"jquery();")
    assert int(got.headers["Content-Length"]) == len(got.body)
    assert not {"accept-encoding", "range"} & gateway.seen[-1].headers.keys()
    other = jupyter.fetch("GET", path.replace("executors/", "static/webui.js"), None, {"User-Agent": "Firefox"})
    assert other.body == b"jquery();"


def test_redirects_stay_below_the_ticket(jupyter: Jupyter, gateway: FakeGateway) -> None:
    """What the gateway calls its own path is one below the ticket."""
    path = ticketed(jupyter)
    gateway.status, gateway.headers = 302, [(b"location", f"/rucat/engines/{ENGINE}/ui/jobs/".encode())]
    answer = jupyter.fetch("GET", path, None, {"User-Agent": "Firefox"})
    assert answer.headers["Location"] == jupyter.base_url + path.replace("executors/", "jobs/")


class TestOwners:
    @pytest.fixture
    def server_config(self) -> dict[str, Any]:
        return {"ServerApp": {"identity_provider_class": Known}, "RucatExtension": {"owner_from_identity": True}}

    def test_a_ticket_speaks_for_whom_it_was_made(self, jupyter: Jupyter, gateway: FakeGateway) -> None:
        """The gateway hears the owner, though the request has no cookie; another user gets another ticket."""
        mine = ticketed(jupyter, **{"X-Test-User": "ada"})
        assert mine != ticketed(jupyter, **{"X-Test-User": "bob"})
        assert jupyter.fetch("GET", mine, None, {"User-Agent": "Firefox"}).code == 200
        assert gateway.seen[-1].headers["x-rucat-owner"] == "ada"


@pytest.fixture
def clock() -> Callable[[], float]:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    return Clock()


def test_a_ticket_ends(clock: Any) -> None:
    """After its life; one that has lasted for half of it is no longer given out."""
    tickets = Tickets(clock)
    word = tickets.of(ENGINE, "ada", "Firefox")
    assert tickets.of(ENGINE, "ada", "Firefox") == word
    clock.now = LIFE_S / 2
    assert tickets.of(ENGINE, "ada", "Firefox") != word
    assert tickets.find(word, ENGINE, "Firefox") is not None
    clock.now = LIFE_S
    assert tickets.find(word, ENGINE, "Firefox") is None


def test_there_are_not_more_and_more_of_them(clock: Any) -> None:
    """The oldest goes first."""
    tickets = Tickets(clock)
    words = [tickets.of(ENGINE, f"user {n}", "Firefox") for n in range(MOST + 1)]
    assert tickets.find(words[0], ENGINE, "Firefox") is None
    assert tickets.find(words[1], ENGINE, "Firefox") is not None

"""The extension with a real gateway: events, a gateway that dies, several servers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.gateways import gateways, pid_of, python, raw, start
from support.place import Place

from rucat_jupyter.jupyter import follow
from rucat_jupyter.jupyter.follow import SCHEMA_ID
from rucat_jupyter.launch import datadir, launch

from .conftest import Jupyter, Known

JSON = {"Content-Type": "application/json"}

EXTERNAL = {"platform": "external", "external": {"url": "sc://127.0.0.1:9"}}  # an engine that needs no process


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RUCAT_STORE_URL", "mem://")
    monkeypatch.setattr(follow, "PAUSE_S", 0.1)
    with gateways() as directory:
        yield directory


@pytest.fixture
def events(jupyter: Jupyter) -> list[dict[str, Any]]:
    """What the event bus hears."""
    heard: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(data)

    jupyter.app.event_logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
    return heard


async def until(look: Any, deadline_s: float = 20) -> None:
    end = asyncio.get_running_loop().time() + deadline_s
    while not look():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.02)


def test_a_change_is_heard_on_the_event_bus(directory: Path, jupyter: Jupyter, events: list[dict[str, Any]]) -> None:
    """Create and delete by another client: id and revision, then removed; also after the gateway was killed."""
    with raw(start()) as other:
        made = other.post("/rucat/engines", json=EXTERNAL | {"name": "one"}).json()
        jupyter.run(until(lambda: any(c["id"] == made["id"] for e in events for c in e["changed"])))
        assert all(set(change) == {"id", "revision"} for event in events for change in event["changed"])
        other.delete("/rucat/engines/one")
        jupyter.run(until(lambda: any(made["id"] in event["removed"] for event in events)))
        psutil.Process(pid_of(directory)).kill()
    with raw(start()) as other:
        made = other.post("/rucat/engines", json=EXTERNAL | {"name": "two"}).json()
        jupyter.run(until(lambda: any(c["id"] == made["id"] for e in events for c in e["changed"])))


class TestOwners:
    @pytest.fixture
    def server_config(self) -> dict[str, Any]:
        return {
            "ServerApp": {"identity_provider_class": Known, "disable_check_xsrf": True},
            "RucatExtension": {"owner_from_identity": True},
        }

    def test_each_known_user_is_followed(self, directory: Path, jupyter: Jupyter, events: list[dict[str, Any]]) -> None:
        """With owners from identities: events of each known user's engines arrive, and no user sees another's."""
        body = EXTERNAL | {"name": "mine"}
        made = [
            json.loads(jupyter.fetch("POST", "rucat/engines", body, {"X-Test-User": name, **JSON}).body)["id"]
            for name in ("ada", "Zo\u00eb".encode().decode("latin-1"))
        ]
        jupyter.run(until(lambda: {c["id"] for e in events for c in e["changed"]} == set(made)))
        seen = json.loads(jupyter.fetch("GET", "rucat/engines", headers={"X-Test-User": "ada"}).body)["engines"]
        assert [(engine["id"], engine["owner"]) for engine in seen] == [(made[0], "ada")]
        assert jupyter.fetch("GET", f"rucat/engines/{made[1]}", headers={"X-Test-User": "ada"}).code == 404


def test_following_starts_no_gateway_and_keeps_none(
    directory: Path, jupyter: Jupyter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following starts no gateway; an idle one ends in spite of its follower."""
    monkeypatch.setenv("RUCAT_SELF_END_S", "2")
    jupyter.run(asyncio.sleep(0.5))  # several of the follower's looks
    assert not directory.exists()
    pid = start().pid
    jupyter.run(until(lambda: not datadir.process_start(pid), 15))
    jupyter.run(asyncio.sleep(0.5))
    assert launch.find(directory) is None


def test_a_route_starts_the_gateway_and_the_next_after_a_kill(directory: Path, jupyter: Jupyter) -> None:
    """Whole life through Jupyter: first call, kill -9, SIGTERM, and a long poll that is broken by it."""
    made = jupyter.fetch("POST", "rucat/engines", EXTERNAL | {"name": "one"})
    assert (made.code, made.headers["Location"][: len(jupyter.base_url)]) == (201, jupyter.base_url)
    first = pid_of(directory)
    psutil.Process(first).kill()
    assert json.loads(jupyter.fetch("GET", "rucat/engines").body)["engines"] == []  # the store was in memory
    second = pid_of(directory)
    assert second not in (None, first)
    token = json.loads(jupyter.fetch("GET", "rucat/engines").body)["token"]

    async def poll_and_kill() -> int:
        poll = asyncio.ensure_future(jupyter.start("GET", f"rucat/engines?since={token}&wait=1"))
        health = await jupyter.start("GET", "rucat/health")
        assert health.code == 200
        psutil.Process(second).kill()
        return int((await poll).code)

    assert jupyter.run(poll_and_kill()) == 200
    psutil.Process(pid_of(directory)).terminate()
    answer = jupyter.fetch("POST", "rucat/engines", EXTERNAL)
    if answer.code == 503:  # it came at the moment of the end: whether it was done is not known, and is said
        assert "check whether it was done before you try again" in json.loads(answer.body)["message"]
        answer = jupyter.fetch("POST", "rucat/engines", EXTERNAL)
    assert answer.code == 201


def test_what_a_real_gateway_refuses_comes_back_in_form(directory: Path, jupyter: Jupyter) -> None:
    """Wrong bodies, unknown engines and parameters: the gateway's own words."""
    cases = [
        ("POST", "rucat/engines", b"{", 400, "invalid_request"),
        ("POST", "rucat/engines", {"nonsense": 1}, 400, "invalid_request"),
        ("GET", "rucat/engines?nonsense=1", None, 400, "invalid_request"),
        ("GET", "rucat/engines/nobody", None, 404, "not_found"),
        ("GET", "rucat/engines/a%2Fb", None, 404, None),
        ("GET", "rucat/engines/%FF", None, 404, None),
        ("GET", "rucat/engines/%00", None, 404, None),
    ]
    for method, path, body, code, word in cases:
        headers = jupyter.token | {"Content-Type": "application/json"}
        answer = jupyter.fetch(method, path, body, headers)
        error = json.loads(answer.body)
        assert (answer.code, error.keys()) == (code, {"message", "code", "details"}), (path, error)
        assert word in (None, error["code"])
    openapi = json.loads(jupyter.fetch("GET", "rucat/openapi.json").body)
    assert "/rucat/engines" in openapi["paths"]


def test_the_url_table_is_the_gateways(directory: Path, jupyter: Jupyter) -> None:
    """Every route of OpenAPI passes through Jupyter, and no other."""
    import re

    from rucat_jupyter.jupyter.forward import ROUTES

    openapi = json.loads(jupyter.fetch("GET", "rucat/openapi.json").body)
    theirs = {
        (method.upper(), re.sub(r"\{[^}]*\}", "x", path)) for path, item in openapi["paths"].items() for method in item
    }
    ours = {
        (method, pattern.replace("[^/]+", "x").replace(".*", "x").replace("\\", ""))
        for pattern, methods in ROUTES
        for method in methods
    }
    assert ours == theirs | {("GET", "/rucat/openapi.json"), ("HEAD", "/rucat/engines/x/ui/x")}


def test_two_servers_and_a_script_start_one_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F17: concurrent starts on one data directory: one process, and all see the same engine."""
    place = Place(tmp_path, RUCAT_STORE_URL="mem://")
    try:
        servers = [place.jupyter(), place.jupyter(base_url="/user/x/")]
        script = python("from rucat_jupyter.launch import launch; print(launch.ensure(wait_s=60).pid)", **place.env)
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda server: server.http.get("rucat/health", timeout=60).status_code, servers))
        assert answers == [200, 200]
        assert script.communicate(timeout=60)[0].strip() == str(place.gateway_pid)
        servers[0].create(**EXTERNAL, name="seen")
        assert servers[1].engine("seen")["platform"] == "external"
        servers[0].kill()
        assert servers[1].engine("seen")["name"] == "seen"
        assert os.getpgid(place.gateway_pid or 0) != os.getpgid(servers[1].process.pid)
    finally:
        place.end()

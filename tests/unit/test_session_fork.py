"""What a forked child does with the sessions and connections of its parent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from rucat_jupyter.client import api as api_module
from rucat_jupyter.client.api import Api
from rucat_jupyter.client.session import builder, session


class Client:
    """Pyspark's client, without what it does at exit."""


class Client41(Client):
    """That of pyspark 4.1."""

    def _cleanup_ml_cache(self) -> None: ...


class Client43(Client41):
    """That of pyspark 4.3."""

    def _on_exit(self) -> None: ...


@pytest.mark.parametrize("client", [Client(), Client41(), Client43()])
def test_a_forked_child_leaves_the_sessions_of_each_pyspark(monkeypatch: pytest.MonkeyPatch, client: Any) -> None:
    """What pyspark does at exit is its parent's, and its functions are as without an engine."""
    done: list[object] = []
    attachment: Any = SimpleNamespace(
        guard=SimpleNamespace(leave=lambda: done.append("left")), spark=SimpleNamespace(_client=client)
    )
    monkeypatch.setattr(session, "_attachments", [attachment])
    monkeypatch.setattr(session, "_inherited", [])
    monkeypatch.setattr(session.atexit, "unregister", lambda function: done.append(function.__name__))
    monkeypatch.setattr(builder, "unshare", lambda: done.append("unshared"))
    session._leave()
    at_exit = [name for name in ("_on_exit", "_cleanup_ml_cache") if hasattr(client, name)]
    assert done == ["left", *at_exit, "unshared"]
    assert session.attachments() == []


def test_a_forked_child_opens_its_own_connection_to_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """On its parent's it could read an answer to its parent, whose thread may also hold the lock."""
    opened: list[httpx.Client] = []

    def open_client() -> httpx.Client:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
        opened.append(httpx.Client(base_url="http://rucat", transport=transport))
        return opened[-1]

    api = Api(open_client)
    for _ in range(2):
        api.call("GET", "health")
    assert len(opened) == 1
    assert api._lock.acquire(timeout=1)
    monkeypatch.setattr(api_module.os, "getpid", lambda: 0)
    api.call("GET", "health")
    assert len(opened) == 2
    for client in opened:
        client.close()

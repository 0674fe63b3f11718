"""A gateway's REST in memory, for tests of the notebook side: real requests, scripted lives.

``on_poll`` has what happens next: each long poll that would wait runs one step, so no test waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx

from rucat_jupyter.client.api import Api

View = dict[str, Any]
TIME = "2026-01-02T03:04:05Z"


def make_view(**changes: Any) -> View:
    """An engine as REST shows it: Running on this machine, unless said otherwise."""
    view = {
        "id": "0123456789abcdef",
        "name": "etl",
        "owner": "me",
        "platform": "local",
        "profile": "local",
        "spec": {
            "driver": {"cores": 2, "memory": "1g"},
            "executors": {"instances": None},
            "conf": {},
            "local": {"python": "/py", "directory": "/home/me"},
            "idle_timeout_s": 3600,
        },
        "state": "Running",
        "target": "Running",
        "run": 1,
        "status": "Running",
        "message": "",
        "failure": None,
        "endpoint": {"url": "sc://127.0.0.1:1", "ui_url": None},
        "site": "here",
        "spark_version": "4.3.0",
        "python_version": None,
        "verbs": ["stop", "restart", "delete"],
        "executors": {"wanted": 0, "running": 0, "pending": 0, "failed": 0, "reasons": []},
        "sessions": [],
        "created_at": TIME,
        "started_at": TIME,
        "stopped_at": None,
        "last_used_at": None,
        "revision": 1,
    }
    return {**view, **changes}


FAILURE = {
    "reason": "OutOfMemory",
    "message": "The driver used all of its 2 GB.",
    "hint": "Give the driver more memory (driver.memory); then restart.",
    "at": TIME,
}


class FakeGateway:
    """Answers like a gateway; what was asked is in ``asked`` as (method, path, body)."""

    def __init__(self, *views: View) -> None:
        self.engines = {view["id"]: view for view in views}
        self.asked: list[tuple[str, str, Any]] = []
        self.on_poll: list[Callable[[], None]] = []
        self.events: list[dict[str, Any]] = []
        self.log = "one\ntwo\n"
        self.sessions: dict[str, dict[str, str]] = {}
        self.connection: dict[str, Any] = {"url": "sc://127.0.0.1:1", "token": "t", "remote": ""}
        self.profiles: list[dict[str, Any]] = [
            {"name": "local", "platform": "local"},
            {"name": "k8s-small", "platform": "kubernetes"},
        ]
        self.breaks: list[Exception] = []
        self.plan: dict[str, Any] = {}  # the answer to a dry run

    def api(self) -> Api:
        """A connection to it."""
        return Api(lambda: httpx.Client(transport=httpx.MockTransport(self._answer), base_url="http://rucat"))

    def change(self, ref: str = "0123456789abcdef", **changes: Any) -> None:
        """Write an engine, as the monitor does."""
        view = self.engines[ref]
        self.engines[ref] = {**view, **changes, "revision": view["revision"] + 1}

    def paths(self, method: str) -> list[str]:
        """The paths that were asked with a method."""
        return [path for asked, path, _ in self.asked if asked == method]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.raw_path.decode().split("?")[0]).removeprefix("/rucat/")
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, path, body))
        if self.breaks:
            raise self.breaks.pop(0)
        words = path.split("/")
        if path == "profiles":
            return httpx.Response(200, json={"profiles": self.profiles, "default": "local"})
        if path == "engines" and "dry_run" in request.url.params:
            return httpx.Response(200, json=self.plan)
        if path == "engines":
            return self._create(body) if request.method == "POST" else self._list()
        if words[2:] == ["history"]:
            return httpx.Response(200, json={"events": self.events})
        view = self._find(words[1])
        if view is None:
            return _error(404, "not_found", f"there is no engine {words[1]!r}")
        params = dict(request.url.params)
        if request.method == "GET" and len(words) == 2:
            return self._show(view, params)
        return self._verb(view, request.method, words[2:], body)

    def _show(self, view: View, params: dict[str, str]) -> httpx.Response:
        waits = float(params.get("wait", 0)) > 0
        if waits and params.get("since") == str(view["revision"]) and self.on_poll:
            self.on_poll.pop(0)()
            view = self._find(view["id"]) or view
            if view["id"] not in self.engines:
                return _error(404, "not_found", "gone")
        return httpx.Response(200, json=view)

    def _verb(self, view: View, method: str, words: list[str], body: Any) -> httpx.Response:
        if words[:1] == ["sessions"]:
            known = self.sessions.get(words[1]) or {
                "user_id": "me",
                "session_id": "00000000-0000-4000-8000-000000000000",
            }
            self.sessions[words[1]] = {**known, **({"session_id": body["session_id"]} if "session_id" in body else {})}
            return httpx.Response(200, json={"key": words[1], "path": body["path"], **self.sessions[words[1]]})
        if words == ["connection"]:
            return httpx.Response(200, json=self.connection)
        if words == ["lease"]:
            return httpx.Response(200, json={"is_needed": False})
        if words == ["logs"]:
            return httpx.Response(200, text=self.log)
        if view["status"] == "Deleting" and words != []:
            return _error(409, "not_possible", "it is Deleting")
        if method == "DELETE":
            self.change(view["id"], status="Deleting", target="Deleted")
        elif words == ["stop"]:
            self.change(view["id"], status="Stopping", target="Stopped")
        elif words == ["restart"]:
            self.change(view["id"], status="Pending", target="Running", run=view["run"] + 1, failure=None)
        return httpx.Response(202, json=self.engines[view["id"]])

    def _create(self, body: View) -> httpx.Response:
        if taken := self._find(body["name"]):
            return _error(409, "name_taken", "the name is taken", id=taken["id"])
        spec = {key: value for key, value in body.items() if key not in ("name", "platform", "profile")}
        view = make_view(
            id=f"{len(self.engines):016x}", name=body["name"], spec={**make_view()["spec"], **spec}, status="Pending"
        )
        self.engines[view["id"]] = view
        return httpx.Response(201, json=view)

    def _list(self) -> httpx.Response:
        return httpx.Response(200, json={"engines": list(self.engines.values()), "token": "x", "next_page": None})

    def _find(self, ref: str) -> View | None:
        return next((view for view in self.engines.values() if ref in (view["id"], view["name"])), None)


def _error(status: int, code: str, message: str, **details: Any) -> httpx.Response:
    return httpx.Response(status, json={"message": message, "code": code, "details": details})

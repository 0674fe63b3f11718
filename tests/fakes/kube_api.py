"""A Kubernetes API server of our own on loopback: objects, watches, owners, and a kubelet that plays its part.

It passes the same contract suite as the real one; a test may let it refuse, fall silent or be a pod's bad luck.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aiohttp import web

Json = dict[str, Any]
LISTENS = "INFO SparkConnectServer: Spark Connect server started at: 0.0.0.0:15002"
KINDS = ("configmaps", "secrets", "services", "pods", "events")
CONFIG = """apiVersion: v1
kind: Config
current-context: played
clusters: [{{name: played, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: canary-of-the-kubeconfig}}}}]
contexts: [{{name: played, context: {{cluster: played, user: me, namespace: team-a}}}}]
"""


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.headers = status, reason, message, headers or {}


class KubeApi:
    """One cluster with one namespace, ``team-a``.

    Attributes
    ----------
    refuse
        Called with verb, kind and body of each call; may raise :class:`Refusal`.
    play
        What the kubelet makes of a new pod: called with it, changes its status.
    is_quick
        Whether a new driver's log immediately says that it listens.
    calls
        ``"GET pods/x"`` for every call.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.uid = "0f0f0f0f-0000-0000-0000-000000000001"
        self.is_quick = True
        self.calls: list[str] = []
        self.logs: dict[str, list[str]] = {}
        self.refuse: Callable[[str, str, Json], None] = lambda verb, kind, body: None
        self.play: Callable[[Json], None] = run_at_once
        self.port = 0
        self.is_slow_to_go = False  # a deleted pod only begins to terminate; `drop` ends it
        self.oldest = 0  # versions before it are forgotten
        self._versions = itertools.count(10)
        self._version = 10
        self._changes: list[tuple[int, str, str, Json]] = []
        self._changed = asyncio.Condition()  # notified of every difference
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Serve, on the same port as before."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Be away: connections break, new ones are refused; objects stay."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig for it."""
        path = folder / "kubeconfig"
        path.write_text(CONFIG.format(port=self.port))
        return path

    def named(self, kind: str) -> list[str]:
        """Names of all objects of a kind."""
        return sorted(name for of_kind, name in self.objects if of_kind == kind)

    async def change(self, kind: str, name: str, change: Callable[[Json], None]) -> None:
        """Let something happen to an object."""
        found = json.loads(json.dumps(self.objects[kind, name]))
        change(found)
        await self._put("MODIFIED", kind, name, found)

    async def put(self, kind: str, item: Json) -> None:
        """Add an object, as another client would."""
        item["metadata"].setdefault("uid", f"uid-{next(self._versions)}")
        await self._put("ADDED", kind, item["metadata"]["name"], item)

    async def drop(self, kind: str, name: str) -> None:
        """Let an object be gone, and what it owns."""
        gone = self.objects.pop((kind, name), None)
        if gone is None:
            return
        await self._tell("DELETED", kind, gone)
        for of_kind, other in list(self.objects):
            owners = self.objects.get((of_kind, other), {}).get("metadata", {}).get("ownerReferences", [])
            if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners):
                await self._delete(of_kind, other)

    # --- private ------------------------------------------------------------------------------------------------

    async def _delete(self, kind: str, name: str) -> None:
        if kind == "pods" and self.is_slow_to_go:
            await self.change(kind, name, lambda pod: pod["metadata"].update(deletionTimestamp=now()))
        else:
            await self.drop(kind, name)

    async def _put(self, what: str, kind: str, name: str, item: Json) -> None:
        self.objects[kind, name] = item
        await self._tell(what, kind, item)

    async def _tell(self, what: str, kind: str, item: Json) -> None:
        self._version = next(self._versions)
        item["metadata"]["resourceVersion"] = str(self._version)
        async with self._changed:
            self._changes.append((self._version, what, kind, json.loads(json.dumps(item))))
            self._changed.notify_all()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")[3:]  # api v1 namespaces
        namespace, kind, name, tail = (*parts, "", "", "", "")[:4]
        self.calls.append(f"{request.method} {'/'.join(part for part in (kind, name, tail) if part)}")
        try:
            if request.headers.get("Authorization") != "Bearer canary-of-the-kubeconfig":
                raise Refusal(401, "Unauthorized", "Unauthorized")
            text = await request.text()
            body = json.loads(text) if text else {}
            self.refuse(request.method, kind, body)
            if tail:
                self.refuse(request.method, f"{kind}/{tail}", body)
            if namespace != "team-a":
                raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
            if not kind:
                return web.json_response({"metadata": {"name": namespace, "uid": self.uid}})
            if tail == "log":
                return await self._log(request, name)
            if request.method == "GET" and not name:
                return await self._list(request, kind)
            return web.json_response(await self._one(request.method, kind, name, body))
        except Refusal as exc:
            status = {"kind": "Status", "reason": exc.reason, "message": exc.message, "code": exc.status}
            return web.json_response(status, status=exc.status, headers={"Audit-Id": "1", **exc.headers})

    async def _one(self, method: str, kind: str, name: str, body: Json) -> Json:
        if method == "POST":
            name = body["metadata"]["name"]
            if (kind, name) in self.objects:
                raise Refusal(409, "AlreadyExists", f'{kind} "{name}" already exists')
            body["metadata"] |= {"uid": f"uid-{next(self._versions)}", "creationTimestamp": now()}
            if kind == "pods":
                self.play(body)
                self.logs.setdefault(name, ["it begins", LISTENS] if self.is_quick else ["it begins"])
            await self._put("ADDED", kind, name, body)
            return body
        found = self.objects.get((kind, name))
        if found is None:
            raise Refusal(404, "NotFound", f'{kind} "{name}" not found')
        if method == "DELETE":
            uid = (body.get("preconditions") or {}).get("uid")
            if uid not in {None, found["metadata"]["uid"]}:
                raise Refusal(409, "Conflict", "the UID in the precondition does not match")
            await self._delete(kind, name)
        return found

    async def _list(self, request: web.Request, kind: str) -> web.StreamResponse:
        wanted = dict(pair.split("=") for pair in request.query.get("labelSelector", "").split(",") if pair)
        if request.query.get("watch") == "true":
            return await self._watch(request, kind, wanted)
        found = [item for (of_kind, _), item in self.objects.items() if of_kind == kind and _has(item, wanted)]
        return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": found})

    async def _watch(self, request: web.Request, kind: str, wanted: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        seen = int(request.query.get("resourceVersion", "0"))
        if seen < self.oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await response.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
            return response
        while not _is_gone(request):
            async with self._changed:
                while self._version <= seen:
                    await self._changed.wait()
                news = [change for change in self._changes if change[0] > seen]
                seen = self._version
            for _, what, of_kind, item in news:
                if of_kind == kind and _has(item, wanted):
                    with contextlib.suppress(ConnectionError):  # a client that was killed
                        await response.write(json.dumps({"type": what, "object": item}).encode() + b"\n")
        return response

    async def _log(self, request: web.Request, name: str) -> web.StreamResponse:
        if ("pods", name) not in self.objects:
            raise Refusal(404, "NotFound", f'pods "{name}" not found')
        lines = self.logs[name][-int(request.query["tailLines"]) :] if "tailLines" in request.query else self.logs[name]
        stamp = "2026-01-01T00:00:00.1Z " if request.query.get("timestamps") == "true" else ""
        response = web.StreamResponse()
        await response.prepare(request)
        written_now = "".join(f"{stamp}{line}\n" for line in lines).encode()
        await response.write(written_now[: int(request.query.get("limitBytes", len(written_now)))])
        written = len(self.logs[name])
        while request.query.get("follow") == "true" and self._runs(name) and not _is_gone(request):
            async with self._changed:
                await self._changed.wait()
            news, written = self.logs[name][written:], len(self.logs[name])
            with contextlib.suppress(ConnectionError):  # a client that was killed
                await response.write("".join(f"{stamp}{line}\n" for line in news).encode())
        return response

    async def say(self, name: str, line: str) -> None:
        """Add a line to a pod's log."""
        self.logs[name].append(line)
        async with self._changed:
            self._changed.notify_all()

    def _runs(self, name: str) -> bool:
        pod = self.objects.get(("pods", name))
        return pod is not None and pod["status"]["phase"] == "Running"


def _is_gone(request: web.Request) -> bool:
    """Whether the client is there no more."""
    return request.transport is None or request.transport.is_closing()


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def conditions(**states: str) -> list[Json]:
    """Conditions of a pod by type and status."""
    return [{"type": kind, "status": status} for kind, status in states.items()]


def run_at_once(pod: Json) -> None:
    """A pod that is scheduled, pulled, run and ready in no time."""
    pod["spec"]["nodeName"] = "node-1"
    pod["status"] = {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "conditions": conditions(PodScheduled="True", ContainersReady="True", Ready="True"),
        "containerStatuses": [{"name": "spark", "state": {"running": {}}}],
    }


def pending(pod: Json) -> None:
    """A new pod that is not scheduled yet."""
    pod["status"] = {"phase": "Pending"}


def exit_with(code: int, reason: str = "Error") -> Callable[[Json], None]:
    """The container of a pod ends."""

    def change(pod: Json) -> None:
        state = {"terminated": {"exitCode": code, "reason": reason}}
        pod["status"] |= {"phase": "Failed", "containerStatuses": [{"name": "spark", "state": state}]}

    return change


def _has(item: Json, wanted: dict[str, str]) -> bool:
    labels = item["metadata"].get("labels", {})
    return all(labels.get(re.sub(r"=$", "", key)) == value for key, value in wanted.items())

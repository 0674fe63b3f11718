"""An engine as who looks at its operations sees it: Spark's status as page or JSON, and the calls GetStatus, Interrupt.

Like Spark it makes a session that Interrupt names and that is not there; a test looks for that in ``sessions``.
"""

from __future__ import annotations

import asyncio
import html
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timezone
from email.utils import format_datetime
from urllib.parse import parse_qsl

import grpc
import grpc.aio
import pyspark.sql.connect.proto as pb
from fakes.streams import listening

from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Operation, SessionId
from rucat_jupyter.spark.connect.messages import GET_STATUS, INTERRUPT

APP = "local-1"
TOKEN = "right"
RUNNING, SUCCEEDED = 2, 4


@dataclass
class OperatedEngine(grpc.GenericRpcHandler):
    """What runs is in ``running``; ``spark`` says which release it plays, ``has_ui`` whether its UI is on."""

    running: list[Operation] = field(default_factory=list)
    ended: list[Operation] = field(default_factory=list)
    sessions: set[SessionId] = field(default_factory=set)
    states: dict[str, int] = field(default_factory=dict)
    """Of operations in ``running`` that are in another state, by id."""
    spark: str = "4.3"
    has_ui: bool = True
    statement: str = 'sql {\n  query: "select 1"\n}\n'
    jobs: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    tags_of: dict[int, list[str]] = field(default_factory=dict)
    """The jobs that run, with their tags, whatever operations there are."""
    killed: list[int] = field(default_factory=list)
    may_kill: bool = True
    form_token: str = field(default_factory=lambda: secrets.token_hex(16))
    stuck: list[Operation] = field(default_factory=list)
    """Have ended, and are listed as running forever: of ``ended``, too."""
    junk: bytes | None = None
    """Answers every call, where it is set."""
    is_hidden: bool = False
    """What is new is not in the UI yet."""
    port: int = 0
    ui_port: int = 0

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port, f"http://127.0.0.1:{self.ui_port}" if self.has_ui else None)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[OperatedEngine]:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((self,))
        self.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with listening(self._serve) as self.ui_port:
                yield self
        finally:
            await server.stop(None)

    def begin(self, operation: Operation) -> None:
        """Let an operation run, in a session that is there."""
        self.running.append(operation)
        self.sessions.add((operation.user_id, operation.session_id))

    # --- gRPC ---------------------------------------------------------------------------------------------

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        calls = {INTERRUPT: self._interrupt, **({GET_STATUS: self._status} if self.spark >= "4.2" else {})}
        found = calls.get(details.method) if self.junk is None else self._garble
        return None if found is None else grpc.unary_unary_rpc_method_handler(found)

    async def _garble(self, message: bytes, context: grpc.aio.ServicerContext) -> bytes | None:
        return self.junk

    async def _status(self, message: bytes, context: grpc.aio.ServicerContext) -> bytes:
        request = pb.GetStatusRequest.FromString(message)
        assert request.HasField("operation_status")
        await self._check("status", context)
        session = (request.user_context.user_id, request.session_id)
        if session not in self.sessions:
            await context.abort(grpc.StatusCode.INTERNAL, "[INVALID_HANDLE.SESSION_NOT_FOUND] Session not found.")
        answer = pb.GetStatusResponse(session_id=request.session_id, server_side_session_id="x")
        for state, operations in ((RUNNING, self.running), (SUCCEEDED, self.ended)):
            for op in operations:
                if (op.user_id, op.session_id) == session:
                    answer.operation_statuses.add(operation_id=op.id, state=self.states.get(op.id, state))  # type: ignore[arg-type]
        return answer.SerializeToString()

    async def _interrupt(self, message: bytes, context: grpc.aio.ServicerContext) -> bytes:
        request = pb.InterruptRequest.FromString(message)
        assert request.interrupt_type == pb.InterruptRequest.INTERRUPT_TYPE_OPERATION_ID
        await self._check("interrupt", context)
        session = (request.user_context.user_id, request.session_id)
        self.sessions.add(session)
        found = [op for op in self.running if op.id == request.operation_id and (op.user_id, op.session_id) == session]
        for op in found:
            self.running.remove(op)
            self.ended.append(op)
        return pb.InterruptResponse(
            session_id=request.session_id, interrupted_ids=[op.id for op in found]
        ).SerializeToString()

    async def _check(self, call: str, context: grpc.aio.ServicerContext) -> None:
        self.calls.append(call)
        if dict(context.invocation_metadata() or ()).get("authorization") != f"Bearer {TOKEN}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid authentication token")

    # --- the UI -------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path = head.split(" ")[:2]
        if method == "GET":
            body = self._body(path)
        else:
            length = int(head.partition("Content-Length: ")[2].split("\r\n")[0])
            body = self._kill(path, dict(parse_qsl((await reader.readexactly(length)).decode())))
        status = "200 OK" if body is not None else "404 Not Found" if method == "GET" else "403 Forbidden"
        times = [op.started_at for op in self.running if op.started_at]
        date = f"Date: {format_datetime(times[0].astimezone(timezone.utc), usegmt=True)}\r\n" if times else ""
        writer.write(f"HTTP/1.1 {status}\r\n{date}Content-Length: {len(body or b'')}\r\n\r\n".encode() + (body or b""))
        await writer.drain()

    def _kill(self, path: str, form: dict[str, str]) -> bytes | None:
        """End a job, as the form on the page of jobs does; 403 without that page's token, as Spark 4.3 answers."""
        if path != "/jobs/job/kill/" or form.get("csrfToken") != self.form_token:
            return None
        self.killed.append(int(form["id"]))
        if self.may_kill:
            self.tags_of.pop(int(form["id"]), None)
        return b""

    def _body(self, path: str) -> bytes | None:
        rest = f"/api/v1/applications/{APP}"
        shown = [] if self.is_hidden else self.running + self.stuck
        if path == "/api/v1/applications":
            return json.dumps([{"id": APP}]).encode()
        if path == f"{rest}/connect/operations" and self.spark >= "4.3":
            listed = [self._json(op, "READY") for op in shown] + [self._json(op, "CLOSED") for op in self.ended]
            return json.dumps(listed).encode()
        if path.startswith("/connect/?") and self.spark < "4.3":
            rows = [self._row(op, "RUNNING") for op in shown] + [self._row(op, "FINISHED") for op in self.ended]
            return f"<html><tr><th>User</th></tr>{''.join(rows)}</html>".encode()
        if path == "/jobs/":
            return f'<form><input type="hidden" name="csrfToken" value="{self.form_token}"/></form>'.encode()
        if path == f"{rest}/jobs?status=running":
            return json.dumps([{"jobId": job, "jobTags": tags} for job, tags in self.tags_of.items()]).encode()
        jobs = [job for found in self.jobs.values() for job in found]
        if path == f"{rest}/jobs":
            return json.dumps(jobs).encode()
        known = {f"{rest}/jobs/{job['jobId']}": job for job in jobs}
        return json.dumps(known[path]).encode() if path in known else None

    def _json(self, op: Operation, state: str) -> dict[str, object]:
        return {
            "operationId": op.id,
            "userId": op.user_id,
            "sessionId": op.session_id,
            "statement": self.statement,
            "state": state,
            "startTimestamp": int(op.started_at.timestamp() * 1000) if op.started_at else 0,
            "sparkSessionTags": list(op.tags),
            "jobIds": [str(job["jobId"]) for job in self.jobs.get(op.id, ())],
        }

    def _row(self, op: Operation, state: str) -> str:
        links = "".join(f'<a href="/jobs/job/?id={j["jobId"]}">[{j["jobId"]}]</a>' for j in self.jobs.get(op.id, ()))
        session = f'<a href="/connect/session/?id={op.session_id}">{op.session_id}</a>'
        cells = [op.user_id, links, "", session, "2026/11/23 18:58:52", "", "", "1 s", "1 minute 5 seconds 70 ms"]
        cells += [f"<span>{html.escape(self.statement)}</span>", state, op.id, "tag", ", ".join(op.tags), ""]
        return "<tr>\n" + "".join(f"<td>\n {cell} </td>\n" for cell in cells) + "</tr>"


def job(number: int, **counts: int) -> dict[str, object]:
    """A job as Spark's REST has it: 2 stages of 8 tasks unless said otherwise."""
    known = {"numTasks": 8, "numCompletedTasks": 0, "numSkippedTasks": 0}
    return {
        "jobId": number,
        "stageIds": [2 * number, 2 * number + 1],
        **known,
        "numCompletedStages": 0,
        "numSkippedStages": 0,
        **counts,
    }


def later(operation: Operation, operation_id: str, **changes: object) -> Operation:
    """Another operation like it."""
    return replace(operation, id=operation_id, **changes)  # type: ignore[arg-type]

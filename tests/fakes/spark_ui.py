"""The parts of a Spark UI that tell who uses an engine, as Spark 4.3 (JSON) or 4.1 (a page) has them."""

from __future__ import annotations

import asyncio
import html
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime

APP = "local-1795448775551"


@dataclass
class Operation:
    """One Connect operation; times are epoch seconds by the engine's clock, 0 for not yet."""

    session: str
    user: str = "alice"
    state: str = "CLOSED"
    statement: str = "common {\n  plan_id: 0\n}\n"
    began: float = 0.0
    ended: float = 0.0
    closed: float = 0.0
    is_counted: bool = True


@dataclass
class FakeUi:
    """Serves what is set on it; ``is_old`` plays Spark 4.1; ``clock`` is the engine's, in epoch seconds."""

    operations: list[Operation] = field(default_factory=list)
    streams: int | None = None  # None: the page is not there yet
    jobs: int = 0
    clock: float = 1_800_000_000.0
    is_old: bool = False
    broken: bytes | None = None  # served instead of everything
    asked: list[str] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> FakeUi:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while head := await _head(reader):
                method, path, _ = head.splitlines()[0].split(" ")
                assert method == "GET"
                self.asked.append(path)
                writer.write(self._answer(path) if self.broken is None else self.broken)
                await writer.drain()
                if self.broken is not None:
                    return
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def _answer(self, path: str) -> bytes:
        body = self._body(path)
        if body is None:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        date = format_datetime(datetime.fromtimestamp(int(self.clock), timezone.utc), usegmt=True)
        return f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def _body(self, path: str) -> bytes | None:
        rest = f"/api/v1/applications/{APP}"
        if path == "/api/v1/applications":
            return json.dumps([{"id": APP}]).encode()
        if path == f"{rest}/jobs?status=running":
            return json.dumps([{"jobId": n} for n in range(self.jobs)]).encode()
        if path == "/StreamingQuery/" and self.streams is not None:
            return f"<a>Active Streaming Queries ({self.streams})</a><a>Completed Streaming Queries (7)</a>".encode()
        if self.is_old:
            return self._page().encode() if path.startswith("/connect/?") else None
        return {f"{rest}/connect/sessions": self._sessions, f"{rest}/connect/operations": self._operations}.get(
            path, lambda: None
        )()

    def _counts(self) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for op in self.operations:
            counts[op.user, op.session] = counts.get((op.user, op.session), 0) + op.is_counted
        return counts

    def _sessions(self) -> bytes:
        return json.dumps(
            [{"sessionId": s, "userId": u, "totalExecution": n} for (u, s), n in self._counts().items()]
        ).encode()

    def _operations(self) -> bytes:
        return json.dumps(
            [
                {
                    "sessionId": op.session,
                    "userId": op.user,
                    "operationId": "id",
                    "statement": op.statement,
                    "state": op.state,
                    "startTimestamp": int(op.began * 1000),
                    "finishTimestamp": int(op.ended * 1000),
                    "closeTimestamp": int(op.closed * 1000),
                }
                for op in self.operations
            ]
        ).encode()

    def _page(self) -> str:
        def row(*cells: str) -> str:
            return "<tr>\n" + "".join(f"<td> {html.escape(cell)} </td>\n" for cell in cells) + "</tr>"

        head = "<tr><th>\n<a href='/connect/?x'>\nUser\n</a></th></tr>"
        link = '<tr>\n<td> {user} </td>\n<td> <a href="/connect/session/?id={id}"> {id} </a> </td>\n'
        sessions = "".join(
            link.format(user=u, id=s) + "".join(f"<td> {c} </td>\n" for c in ("2026/11/23", "", "1 s", n)) + "</tr>"
            for (u, s), n in self._counts().items()
        )
        operations = "".join(
            row(
                op.user,
                "[1]",
                "[2]",
                op.session,
                "2026",
                "",
                "",
                "1 s",
                "2 s",
                op.statement,
                op.state,
                "id",
                "",
                "",
                "",
            )
            for op in self.operations
        )
        return f"<html><h4>{len(self._counts())} session(s) are online</h4>{head}{sessions}{head}{operations}</html>"


async def _head(reader: asyncio.StreamReader) -> str:
    """Read the next call's head, nothing when the connection is closed."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""

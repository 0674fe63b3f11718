"""A gRPC server that answers the probes as a test says, and a TCP relay that can cut connections to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import grpc
import grpc.aio
import pyspark.sql.connect.proto as pb

from rucat_jupyter.spark.connect.messages import ANALYZE, EXECUTE, RELEASE, Answer

OK = Answer("OK")
REFUSED = Answer("UNAUTHENTICATED", "No authentication token provided")
WRONG_TOKEN = Answer("UNAUTHENTICATED", "Invalid authentication token")
NO_SESSION = Answer("INTERNAL", "[INVALID_HANDLE.SESSION_NOT_FOUND] The handle  is invalid. Session not found.")
STOPPED = Answer("INTERNAL", "Cannot call methods on a stopped SparkContext.\nThis stopped SparkContext was …")
HANDLER_FAILED = Answer("UNKNOWN", "Application error processing RPC")


class ProbedServer(grpc.GenericRpcHandler):
    """Spark Connect as the probes know it, healthy by default; in the event loop of the test.

    ``refuse``, ``identify`` and ``query`` are the answers to the three calls, read for each; ``query`` may be a
    function of the session id. While ``running`` is not set every call hangs, while ``querying`` is not set queries
    do.
    """

    def __init__(self, token: str = "right") -> None:
        self.token = token
        self.refuse = REFUSED
        self.identify = NO_SESSION
        self.query: Answer | Callable[[str], Answer] = OK
        self.running, self.querying = asyncio.Event(), asyncio.Event()
        self.running.set()
        self.querying.set()
        self.calls: list[str] = []
        self.sessions: list[str] = []
        self.port = 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Die: connections break immediately."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def __aenter__(self) -> ProbedServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Find who answers a method."""
        if details.method == EXECUTE:
            return grpc.unary_stream_rpc_method_handler(self._execute)
        answer = {ANALYZE: self._analyze, RELEASE: self._release}[details.method]
        return grpc.unary_unary_rpc_method_handler(answer)

    async def _analyze(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.calls.append("analyze")
        assert request == b""
        assert "authorization" not in dict(context.invocation_metadata())
        await self.running.wait()
        return await _end(context, self.refuse)

    async def _release(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.calls.append("release")
        assert request == b""
        await self.running.wait()
        return await _end(context, self.identify if self._is_ours(context) else WRONG_TOKEN)

    async def _execute(self, request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        plan = pb.ExecutePlanRequest.FromString(request)
        assert plan.plan.root.sql.query == "VALUES (1)"
        self.calls.append("execute")
        self.sessions.append(plan.session_id)
        await self.running.wait()
        await self.querying.wait()
        answer = self.query(plan.session_id) if callable(self.query) else self.query
        yield b"a first message"
        yield await _end(context, answer if self._is_ours(context) else WRONG_TOKEN)

    def _is_ours(self, context: grpc.aio.ServicerContext) -> bool:
        return dict(context.invocation_metadata()).get("authorization") == f"Bearer {self.token}"


class Relay:
    """Carries TCP connections to a port, and cuts those that are open on request."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Break every connection that is open; new ones are carried."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        ends = [writer]
        try:
            with suppress(asyncio.CancelledError, ConnectionError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
                ends.append(far_writer)
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            self._open.discard(task)
            for end in ends:
                end.close()
            await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()


async def _end(context: grpc.aio.ServicerContext, answer: Answer) -> bytes:
    if answer.code != "OK":
        await context.abort(grpc.StatusCode[answer.code], answer.text)
    return b""

"""A Spark Connect server whose answers are scripted, for tests of what a client makes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pyspark.sql.connect.proto as pb
from pyspark.sql.connect.proto.base_pb2_grpc import (
    SparkConnectServiceServicer,
    add_SparkConnectServiceServicer_to_server,
)


class ScriptedServer(SparkConnectServiceServicer):
    """Answers Config, AnalyzePlan, Interrupt, ExecutePlan and ReattachExecute; ``on_call`` may refuse or hang first."""

    def __init__(self, port: int = 0) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.metadata: list[dict[str, str]] = []
        self.on_call: Callable[[str, Any, grpc.ServicerContext], None] = lambda method, request, context: None
        self.hang = threading.Event()
        self._pool = ThreadPoolExecutor(8)
        self._server = grpc.server(self._pool)
        add_SparkConnectServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self) -> None:
        """Die: whatever is under way breaks off."""
        stopped = self._server.stop(None)
        self.hang.set()
        stopped.wait()
        self._pool.shutdown()

    def Config(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._note("Config", request, context)
        return pb.ConfigResponse(session_id=request.session_id)

    def AnalyzePlan(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._note("AnalyzePlan", request, context)
        return pb.AnalyzePlanResponse(session_id=request.session_id)

    def Interrupt(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._note("Interrupt", request, context)
        return pb.InterruptResponse(session_id=request.session_id)

    def ReleaseExecute(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._note("ReleaseExecute", request, context)
        return pb.ReleaseExecuteResponse(session_id=request.session_id)

    def ExecutePlan(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for number in range(2):
            self._note("ExecutePlan" if number == 0 else "more", request, context)
            yield pb.ExecutePlanResponse(session_id=request.session_id, response_id=str(number))

    def ReattachExecute(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self._note("ReattachExecute", request, context)
        yield pb.ExecutePlanResponse(session_id=request.session_id)

    def _note(self, method: str, request: Any, context: grpc.ServicerContext) -> None:
        self.calls.append((method, request))
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
        self.on_call(method, request, context)


def refuse(context: grpc.ServicerContext, message: str) -> None:
    """Fail as Spark does: INTERNAL, with its words in the status details."""
    from google.rpc import status_pb2
    from grpc_status import rpc_status

    context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=13, message=message)))


def fake_spark(session_id: str) -> Any:
    """What the guard knows of pyspark's session object."""

    class Spark(SimpleNamespace):
        __hash__ = object.__hash__

    artifacts = SimpleNamespace(_session_id=session_id)
    client = SimpleNamespace(_session_id=session_id, _server_session_id="old", _artifact_manager=artifacts)
    return Spark(_session_id=session_id, _client=client)

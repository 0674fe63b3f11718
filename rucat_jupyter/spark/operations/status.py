"""Asks an engine's sessions for the status of their operations (GetStatus, Spark 4.2 and later).

Neither of Spark's two lists of running operations is reliable alone (4.3.0): an operation that was interrupted during
planning stays RUNNING in the UI permanently, and one that was interrupted later may stay RUNNING for GetStatus. An
operation runs if both say so.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from ...core.errors import EngineUnavailable, NotPossible, RucatError
from ...core.ports.platform import Endpoint
from ...core.ports.probes import SessionId
from ..connect.channel import open_channel
from ..connect.connect_pb2 import GetStatusResponse
from ..connect.messages import GET_STATUS, INTERRUPT, interrupt_request, status_request

log = logging.getLogger(__name__)

CALL_S = 5.0
Status = GetStatusResponse.OperationStatus
"""The result of GetStatus for one operation."""

_ENDED = {Status.OPERATION_STATE_SUCCEEDED, Status.OPERATION_STATE_FAILED, Status.OPERATION_STATE_CANCELLED}
_NO_SESSION = re.compile(r"INVALID_HANDLE\.SESSION_")

Call = Callable[[str, bytes], Awaitable[bytes]]
"""Calls a method with the bytes of a request, and returns those of the response; raises gRPC's errors."""


async def find_over(endpoint: Endpoint, token: str, operations: Sequence[tuple[SessionId, str]]) -> set[str]:
    """Those of these operations (session and id) that have ended although the UI lists them; none if unknown."""
    if not operations:
        return set()
    sessions = list(dict.fromkeys(session for session, _ in operations))
    try:
        async with caller(endpoint, token) as call:
            answers = dict(zip(sessions, await asyncio.gather(*(ask(call, *s) for s in sessions)), strict=True))
    except (RucatError, ValueError) as exc:
        log.debug("%s: using the list of its UI alone: %s", endpoint.url, exc)
        return set()
    over = {
        session: {op.operation_id for op in found or () if op.state in _ENDED} for session, found in answers.items()
    }
    return {op_id for session, op_id in operations if answers[session] is None or op_id in over[session]}


async def touch(endpoint: Endpoint, token: str, sessions: Collection[SessionId]) -> None:
    """Make the engine take these sessions for used; they exist. Not reached is not an error: the next look does it."""
    try:
        async with caller(endpoint, token) as call:
            await asyncio.gather(*(_touch(call, *session) for session in sessions))
    except (RucatError, ValueError) as exc:
        log.debug("%s: sessions in use were not touched: %s", endpoint.url, exc)


async def _touch(call: Call, user_id: str, session_id: str) -> None:
    """Ask for its status, or before Spark 4.2 interrupt an operation that does not exist."""
    try:
        await ask(call, user_id, session_id)
    except grpc.aio.AioRpcError as exc:
        if exc.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise
        await call(INTERRUPT, interrupt_request(user_id, session_id, str(uuid.uuid4())))


async def ask(call: Call, user_id: str, session_id: str) -> list[Status] | None:
    """The status of a session's operations; None if the session does not exist."""
    try:
        answer = await call(GET_STATUS, status_request(user_id, session_id))
    except grpc.aio.AioRpcError as exc:
        if _NO_SESSION.search(exc.details() or ""):
            return None
        raise
    return list(GetStatusResponse.FromString(answer).operation_statuses)


@asynccontextmanager
async def caller(endpoint: Endpoint, token: str) -> AsyncIterator[Call]:
    """A connection for a few calls; translates their errors, and responses that cannot be read."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    channel = open_channel(endpoint)

    async def call(method: str, request: bytes) -> bytes:
        answer: bytes = await channel.unary_unary(method)(request, timeout=CALL_S, metadata=metadata)
        return answer

    try:
        yield call
    except grpc.aio.AioRpcError as exc:
        raise _said(endpoint, exc) from exc
    except DecodeError as exc:
        raise EngineUnavailable(f"{endpoint.url} does not respond like Spark Connect ({exc}); try again") from exc
    finally:
        await channel.close()


def _said(endpoint: Endpoint, exc: grpc.aio.AioRpcError) -> RucatError:
    code, details = str(exc.code().name), (exc.details() or "")[:200]
    if code == "UNIMPLEMENTED":
        return NotPossible(
            f"{endpoint.url} cannot list its operations: this needs Spark 4.2 or later, or a Spark UI for Rucat"
        )
    return EngineUnavailable(f"{endpoint.url} does not list its operations ({code}: {details}); try again")

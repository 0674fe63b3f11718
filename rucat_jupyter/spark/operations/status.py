"""Asks an engine's sessions for the status of their operations (GetStatus, Spark 4.2 and later).

Neither of Spark's two accounts of what runs can be believed alone (4.3.0): an operation that was interrupted while it
was planned stays RUNNING in the UI for ever, and one that was interrupted otherwise may stay RUNNING for GetStatus.
What runs is what both say.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from ...core.errors import EngineUnavailable, NotPossible, RucatError
from ...core.ports.platform import Endpoint
from ...core.ports.probes import SessionId
from ..connect.channel import open_channel
from ..connect.connect_pb2 import GetStatusResponse
from ..connect.messages import GET_STATUS, status_request

log = logging.getLogger(__name__)

CALL_S = 5.0
Status = GetStatusResponse.OperationStatus
"""What GetStatus says of one operation."""

_ENDED = {Status.OPERATION_STATE_SUCCEEDED, Status.OPERATION_STATE_FAILED, Status.OPERATION_STATE_CANCELLED}
_NO_SESSION = re.compile(r"INVALID_HANDLE\.SESSION_")

Call = Callable[[str, bytes], Awaitable[bytes]]
"""Calls a method with a request's bytes, and returns the answer's; raises what gRPC raises."""


async def find_over(endpoint: Endpoint, token: str, operations: Sequence[tuple[SessionId, str]]) -> set[str]:
    """Those operations, seen as running by session and id, that have ended all the same; none where nobody tells."""
    if not operations:
        return set()
    sessions = list(dict.fromkeys(session for session, _ in operations))
    try:
        async with caller(endpoint, token) as call:
            answers = dict(zip(sessions, await asyncio.gather(*(ask(call, *s) for s in sessions)), strict=True))
    except (RucatError, ValueError) as exc:
        log.debug("%s: taking what its UI lists for what runs: %s", endpoint.url, exc)
        return set()
    over = {
        session: {op.operation_id for op in found or () if op.state in _ENDED} for session, found in answers.items()
    }
    return {op_id for session, op_id in operations if answers[session] is None or op_id in over[session]}


async def ask(call: Call, user_id: str, session_id: str) -> list[Status] | None:
    """The status of a session's operations; None for a session that is not there."""
    try:
        answer = await call(GET_STATUS, status_request(user_id, session_id))
    except grpc.aio.AioRpcError as exc:
        if _NO_SESSION.search(exc.details() or ""):
            return None
        raise
    return list(GetStatusResponse.FromString(answer).operation_statuses)


@asynccontextmanager
async def caller(endpoint: Endpoint, token: str) -> AsyncIterator[Call]:
    """A connection for a few calls; what they raise, or an answer that cannot be read, is said in our words."""
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
        raise EngineUnavailable(f"{endpoint.url} does not answer as Spark Connect does ({exc}); try again") from exc
    finally:
        await channel.close()


def _said(endpoint: Endpoint, exc: grpc.aio.AioRpcError) -> RucatError:
    code, details = str(exc.code().name), (exc.details() or "")[:200]
    if code == "UNIMPLEMENTED":
        return NotPossible(
            f"{endpoint.url} does not tell what runs: that takes Spark 4.2 or later, or a Spark UI that Rucat may read"
        )
    return EngineUnavailable(f"{endpoint.url} does not tell what runs ({code}: {details}); try again")

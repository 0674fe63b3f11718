"""Looks at, and cancels, the operations of an engine's sessions without being one of their clients.

What runs is read from Spark's own status (:mod:`~.operations_ui`: every session, with texts and progress), or, where
there is no UI, asked of each session that is known (GetStatus, Spark 4.2 and later: ids alone). Cancelling is Interrupt
by operation id, as the operation's own user and in its own session, which was seen to be there: a session that is not
would be made by it. After it, and for what was interrupted by its own client, jobs that begin nevertheless are ended
(:mod:`~.operations_sweep`).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import grpc
import grpc.aio

from ..deadline import within
from ..errors import EngineUnavailable, NotPossible, RucatError
from ..ports import Endpoint, Operation, SessionId
from .connect_line import open_channel
from .connect_pace import utc_now
from .operations_sweep import JobSweeper, find_by_jobs
from .operations_ui import UiReader
from .operations_wire import (
    GET_STATUS,
    INTERRUPT,
    OperationState,
    interrupt_request,
    interrupted,
    status_request,
    unfinished,
)
from .plain_http import HttpError

log = logging.getLogger(__name__)

CALL_S = 5.0
LOOK_S = 8.0
"""The longest look: a driver in a garbage collection of some seconds still answers."""
_NO_SESSION = re.compile(r"INVALID_HANDLE\.SESSION_")

Call = Callable[[str, bytes], Awaitable[bytes]]
"""Calls a method with a request's bytes, and returns the answer's; raises what gRPC raises."""


class ConnectOperations:
    """Implements :class:`rucat_jupyter.ports.Operations` on Spark Connect; ``now`` for the times of operations."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._ui = UiReader()
        self._sweeper = JobSweeper()

    async def close(self) -> None:
        """Look for no more jobs."""
        await self._sweeper.close()

    async def running(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        """Operations that run now, oldest first."""
        return await self._look(endpoint, token, sessions, has_progress=True)

    async def _look(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], *, has_progress: bool
    ) -> list[Operation]:
        """Look, and raise EngineUnavailable when that takes too long."""
        try:
            return await within(LOOK_S, self._running(endpoint, token, sessions, has_progress=has_progress))
        except asyncio.TimeoutError as exc:
            raise EngineUnavailable(f"{endpoint.url} did not tell within {LOOK_S:g} s what runs; try again") from exc

    async def _running(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], *, has_progress: bool
    ) -> list[Operation]:
        if endpoint.ui_url is not None:
            try:
                return await self._ui.read(endpoint.ui_url, self._now(), has_progress=has_progress)
            except HttpError as exc:
                log.info("the UI of %s does not tell what runs, asking its sessions: %s", endpoint.url, exc)
        return await self._by_status(endpoint, token, sessions)

    async def cancel(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        """Cancel one operation, also one that is so new that the UI does not list it yet; its progress is not told."""
        found = await self._find(endpoint, token, sessions, operation_id)
        if found is None:
            found = await _find_ended(endpoint, operation_id)
        else:
            request = interrupt_request(found.user_id, found.session_id, operation_id)
            async with _caller(endpoint, token) as call:
                if operation_id not in interrupted(await call(INTERRUPT, request)):
                    found = await _find_ended(endpoint, operation_id)
        if found is not None:
            self.end_jobs(endpoint, found)
        return found

    def end_jobs(self, endpoint: Endpoint, operation: Operation) -> None:
        """End jobs that a cancelled operation has or begins, in the background; without a UI that is not possible."""
        if endpoint.ui_url is None:
            log.info("%s has no UI: jobs that cancelled operation %s may begin go on", endpoint.url, operation.id)
        else:
            self._sweeper.begin(endpoint.ui_url, operation)

    async def _find(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        found = {op.id: op for op in await self._look(endpoint, token, sessions, has_progress=False)}
        if operation_id not in found and endpoint.ui_url is not None:
            try:
                found = {op.id: op for op in await self._by_status(endpoint, token, sessions)}
            except NotPossible:  # an older Spark: then the UI has the last word
                return None
        return found.get(operation_id)

    async def _by_status(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        """Ask each known session; one that is not there has nothing that runs."""
        if not sessions:
            return []
        async with _caller(endpoint, token) as call:
            answers = await asyncio.gather(*(_ask(call, *session) for session in sessions))
        return [
            Operation(operation_id, user_id, session_id, is_ending=state is OperationState.TERMINATING)
            for (user_id, session_id), answer in zip(sessions, answers, strict=True)
            for operation_id, state in unfinished(answer)
        ]


async def _find_ended(endpoint: Endpoint, operation_id: str) -> Operation | None:
    """An operation that was cancelled before, and whose jobs run all the same."""
    if endpoint.ui_url is None:
        return None
    try:
        return await find_by_jobs(endpoint.ui_url, operation_id)
    except HttpError as exc:
        log.info("the UI of %s does not tell what jobs run: %s", endpoint.url, exc)
        return None


async def _ask(call: Call, user_id: str, session_id: str) -> bytes:
    """The status of a session's operations; nothing for a session that is not there."""
    try:
        return await call(GET_STATUS, status_request(user_id, session_id))
    except grpc.aio.AioRpcError as exc:
        if _NO_SESSION.search(exc.details() or ""):
            return b""
        raise


@asynccontextmanager
async def _caller(endpoint: Endpoint, token: str) -> AsyncIterator[Call]:
    """A connection for a few calls; what they raise is said in our words."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    channel = open_channel(endpoint)

    async def call(method: str, request: bytes) -> bytes:
        answer: bytes = await channel.unary_unary(method)(request, timeout=CALL_S, metadata=metadata)
        return answer

    try:
        yield call
    except grpc.aio.AioRpcError as exc:
        raise _said(endpoint, exc) from exc
    finally:
        await channel.close()


def _said(endpoint: Endpoint, exc: grpc.aio.AioRpcError) -> RucatError:
    code, details = str(exc.code().name), (exc.details() or "")[:200]
    if code == "UNIMPLEMENTED":
        return NotPossible(
            f"{endpoint.url} does not tell what runs: that takes Spark 4.2 or later, or a Spark UI that Rucat may read"
        )
    return EngineUnavailable(f"{endpoint.url} does not tell what runs ({code}: {details}); try again")

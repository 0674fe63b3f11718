"""Lists and cancels the operations of an engine's sessions, although the gateway is not their client.

Running operations are read from Spark's UI (:mod:`~.page`: every session, with texts and progress, without those that
have ended although the UI lists them, :mod:`~.status`), or without a UI from each known session (GetStatus, Spark 4.2
and later, only ids). To cancel we send Interrupt with the operation id, as the operation's own user and in its own
session, after we have seen that it exists: Interrupt would create a missing session. After it, and after an interrupt
by the operation's own client, we kill jobs that begin nevertheless (:mod:`~.sweep`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from ...core.errors import EngineUnavailable, NotPossible
from ...core.ports.platform import Endpoint
from ...core.ports.probes import Operation, SessionId
from ...core.timeouts import within
from ..connect.connect_pb2 import InterruptResponse
from ..connect.messages import INTERRUPT, interrupt_request
from ..connect.pace import utc_now
from ..ui.http import HttpError
from .page import UiReader
from .status import Status, ask, caller, find_over
from .sweep import JobSweeper, find_by_jobs

log = logging.getLogger(__name__)

LOOK_S = 8.0
"""Timeout of a look: a driver in a garbage collection of some seconds still responds."""


class ConnectOperations:
    """Implements :class:`.core.ports.probes.Operations` on Spark Connect; ``now`` for the times of operations."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._ui = UiReader()
        self._sweeper = JobSweeper()

    async def close(self) -> None:
        """Stop looking for jobs."""
        await self._sweeper.close()

    async def running(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        """Running operations, oldest first."""
        return await self._look(endpoint, token, sessions, has_progress=True)

    async def _look(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], *, has_progress: bool
    ) -> list[Operation]:
        """Look, or raise EngineUnavailable if that takes too long."""
        try:
            return await within(LOOK_S, self._running(endpoint, token, sessions, has_progress=has_progress))
        except asyncio.TimeoutError as exc:
            raise EngineUnavailable(
                f"{endpoint.url} did not list its operations within {LOOK_S:g} s; try again"
            ) from exc

    async def _running(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], *, has_progress: bool
    ) -> list[Operation]:
        if endpoint.ui_url is not None:
            try:
                found = await self._ui.read(endpoint.ui_url, self._now(), has_progress=has_progress)
            except HttpError as exc:
                log.info("the UI of %s does not list operations, asking its sessions: %s", endpoint.url, exc)
            else:
                over = await find_over(endpoint, token, [((op.user_id, op.session_id), op.id) for op in found])
                return [op for op in found if op.id not in over]
        return await self._by_status(endpoint, token, sessions)

    async def cancel(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        """Cancel one operation, also one that the UI does not list yet; returned without progress."""
        found = await self._find(endpoint, token, sessions, operation_id)
        if found is None:
            found = await _find_ended(endpoint, operation_id)
        else:
            request = interrupt_request(found.user_id, found.session_id, operation_id)
            async with caller(endpoint, token) as call:
                answer = InterruptResponse.FromString(await call(INTERRUPT, request))
                if operation_id not in answer.interrupted_ids:
                    found = await _find_ended(endpoint, operation_id)
        if found is not None:
            self.end_jobs(endpoint, found)
        return found

    def end_jobs(self, endpoint: Endpoint, operation: Operation) -> None:
        """Kill jobs that a cancelled operation has or begins, in the background; needs a UI."""
        if endpoint.ui_url is None:
            log.info(
                "%s has no UI: jobs that the cancelled operation %s may begin will continue", endpoint.url, operation.id
            )
        else:
            self._sweeper.begin(endpoint.ui_url, operation)

    async def _find(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        found = {op.id: op for op in await self._look(endpoint, token, sessions, has_progress=False)}
        if operation_id not in found and endpoint.ui_url is not None:
            try:
                found = {op.id: op for op in await self._by_status(endpoint, token, sessions)}
            except NotPossible:  # an older Spark: then the UI decides
                return None
        return found.get(operation_id)

    async def _by_status(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        """Ask each known session; a missing session has no operations."""
        if not sessions:
            return []
        async with caller(endpoint, token) as call:
            answers = await asyncio.gather(*(ask(call, *session) for session in sessions))
        return [
            Operation(op.operation_id, user_id, session_id, is_ending=op.state == Status.OPERATION_STATE_TERMINATING)
            for (user_id, session_id), statuses in zip(sessions, answers, strict=True)
            for op in statuses or ()
            if op.state in {Status.OPERATION_STATE_RUNNING, Status.OPERATION_STATE_TERMINATING}
        ]


async def _find_ended(endpoint: Endpoint, operation_id: str) -> Operation | None:
    """An operation that was cancelled before, but whose jobs still run."""
    if endpoint.ui_url is None:
        return None
    try:
        return await find_by_jobs(endpoint.ui_url, operation_id)
    except HttpError as exc:
        log.info("the UI of %s does not list jobs: %s", endpoint.url, exc)
        return None

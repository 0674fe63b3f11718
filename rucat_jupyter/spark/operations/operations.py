"""Looks at, and cancels, the operations of an engine's sessions without being one of their clients.

What runs is read from Spark's own status (:mod:`~.operations_ui`: every session, with texts and progress; what only
seems to run is left out, :mod:`~.operations_status`), or, where there is no UI, asked of each session that is known
(GetStatus, Spark 4.2 and later: ids alone). Cancelling is Interrupt
by operation id, as the operation's own user and in its own session, which was seen to be there: a session that is not
would be made by it. After it, and for what was interrupted by its own client, jobs that begin nevertheless are ended
(:mod:`~.operations_sweep`).
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
"""The longest look: a driver in a garbage collection of some seconds still answers."""


class ConnectOperations:
    """Implements :class:`.core.ports.probes.Operations` on Spark Connect; ``now`` for the times of operations."""

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
                found = await self._ui.read(endpoint.ui_url, self._now(), has_progress=has_progress)
            except HttpError as exc:
                log.info("the UI of %s does not tell what runs, asking its sessions: %s", endpoint.url, exc)
            else:
                over = await find_over(endpoint, token, [((op.user_id, op.session_id), op.id) for op in found])
                return [op for op in found if op.id not in over]
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
            async with caller(endpoint, token) as call:
                answer = InterruptResponse.FromString(await call(INTERRUPT, request))
                if operation_id not in answer.interrupted_ids:
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
        async with caller(endpoint, token) as call:
            answers = await asyncio.gather(*(ask(call, *session) for session in sessions))
        return [
            Operation(op.operation_id, user_id, session_id, is_ending=op.state == Status.OPERATION_STATE_TERMINATING)
            for (user_id, session_id), statuses in zip(sessions, answers, strict=True)
            for op in statuses or ()
            if op.state in {Status.OPERATION_STATE_RUNNING, Status.OPERATION_STATE_TERMINATING}
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

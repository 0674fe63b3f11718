"""Operations that run where a test says; implements :class:`rucat_jupyter.core.ports.probes.Operations`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rucat_jupyter.core.errors import EngineUnavailable, NotPossible
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Operation, SessionId


@dataclass
class FakeOperations:
    """What runs, by the engine's address; ``cancelled`` has what was ended.

    ``lists_sessions`` False plays an engine without a UI: only the sessions that are known are asked.
    """

    at: dict[str, list[Operation]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    ended_jobs_of: list[Operation] = field(default_factory=list)
    is_closed: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    lists_sessions: bool = True
    is_silent: bool = False
    cannot_tell: bool = False

    async def running(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        self.asked.append((endpoint.url, token))
        if self.is_silent:
            raise EngineUnavailable(f"{endpoint.url} does not tell what runs")
        if self.cannot_tell:
            raise NotPossible(f"{endpoint.url} does not tell what runs")
        found = self.at.get(endpoint.url, [])
        return [op for op in found if self.lists_sessions or (op.user_id, op.session_id) in sessions]

    async def cancel(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        found = {op.id: op for op in await self.running(endpoint, token, sessions)}.get(operation_id)
        if found is not None:
            self.at[endpoint.url].remove(found)
            self.cancelled.append(operation_id)
        return found

    def end_jobs(self, endpoint: Endpoint, operation: Operation) -> None:
        self.ended_jobs_of.append(operation)

    async def close(self) -> None:
        self.is_closed = True

"""List and cancel the operations on an owner's engine, with their notebook and cell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import Field

from ...core.engine import Engine, Session
from ...core.errors import NotPossible, OperationNotFound
from ...core.lifecycle import refused
from ...core.ports.platform import Endpoint
from ...core.ports.probes import Operation, Operations
from ...core.spec import Model

OPERATION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A UUID in the form that Spark Connect uses."""
CELL_TAG = re.compile(r"rucat:cell=([0-9]{1,9}):[0-9a-f]{8}")
"""Tag of a notebook on all operations of one run of a cell: the cell's number, and a random id of the run."""


class OperationView(Model):
    """A running operation; null: the engine does not report it."""

    id: str
    session_key: str | None = Field(
        description="Key of the notebook's session; null: a session that Rucat does not manage."
    )
    notebook: str = Field(description="Path of the notebook; empty if there is none.")
    cell: int | None = Field(description="Execution count of the cell.")
    user_id: str
    session_id: str
    text: str = Field(description="The SQL text, or else the kind of operation; at most 1,000 characters.")
    status: Literal["running", "cancelling"]
    started_at: datetime | None
    stages: int | None
    stages_done: int | None
    tasks: int | None
    tasks_done: int | None
    tags: list[str]


@dataclass(frozen=True)
class Reached:
    """A live engine, and how to reach it."""

    engine: Engine
    endpoint: Endpoint
    token: str

    def __repr__(self) -> str:
        return f"Reached({self.engine.id}, {self.endpoint.url}, token=…)"


class RunningOperations:
    """Lists and cancels operations.

    Parameters
    ----------
    operations
        Client of the engine.
    reach
        Finds an owner's engine by id or name: EngineNotFound, or NotPossible while it is not live. Its third argument
        is the action, for the error message.
    sessions
        Sessions of notebooks on an engine.
    """

    def __init__(
        self,
        operations: Operations,
        reach: Callable[[str, str, str], Awaitable[Reached]],
        sessions: Callable[[Engine], Awaitable[Sequence[Session]]],
    ) -> None:
        self._operations = operations
        self._reach = reach
        self._sessions = sessions

    async def running(self, owner: str, ref: str) -> list[OperationView]:
        """Running operations of all sessions, oldest first. Does not count as activity for the idle timeout."""
        at = await self._reach(owner, ref, "list the operations of")
        sessions = _by_id(await self._sessions(at.engine))
        with _with_verbs(at.engine):
            found = await self._operations.running(at.endpoint, at.token, list(sessions))
        return [_view(operation, sessions) for operation in found]

    async def cancel(self, owner: str, ref: str, operation_id: str, session_id: str | None = None) -> OperationView:
        """Ask the engine to cancel an operation; its session stays. OperationNotFound if it does not run any more.

        A session id means that the notebook has already asked the engine to cancel: we do not ask again, but end jobs
        that the operation starts after that. OperationNotFound if no notebook has that session.
        """
        at = await self._reach(owner, ref, "cancel an operation of")
        sessions = _by_id(await self._sessions(at.engine))
        found = None
        if not OPERATION_ID.fullmatch(operation_id):
            pass
        elif session_id is not None:
            found = _of_session(operation_id, session_id, sessions)
            if found is not None:
                self._operations.end_jobs(at.endpoint, found)
        else:
            with _with_verbs(at.engine):
                found = await self._operations.cancel(at.endpoint, at.token, list(sessions), operation_id)
        if found is None:
            raise OperationNotFound(f"no operation {operation_id[:80]!r} runs on {at.engine.name!r}: it may have ended")
        return _view(found, sessions).model_copy(update={"status": "cancelling"})


@contextlib.contextmanager
def _with_verbs(engine: Engine) -> Iterator[None]:
    """Add the verbs that are possible now to the error of an engine that cannot list its operations."""
    try:
        yield
    except NotPossible as exc:
        raise refused(engine, exc.message, NotPossible) from exc


def cell_of(tags: Sequence[str]) -> int | None:
    """The cell number in an operation's tags."""
    found = next((match for tag in tags if (match := CELL_TAG.fullmatch(tag))), None)
    return int(found[1]) if found else None


def _by_id(sessions: Sequence[Session]) -> Mapping[tuple[str, str], Session]:
    return {(session.user_id, session.session_id): session for session in sessions}


def _of_session(operation_id: str, session_id: str, sessions: Mapping[tuple[str, str], Session]) -> Operation | None:
    """The operation, if a notebook has that session."""
    user_id = next((session.user_id for session in sessions.values() if session.session_id == session_id), None)
    return None if user_id is None else Operation(operation_id, user_id, session_id, is_ending=True)


def _view(operation: Operation, sessions: Mapping[tuple[str, str], Session]) -> OperationView:
    session = sessions.get((operation.user_id, operation.session_id))
    return OperationView(
        id=operation.id,
        session_key=session.key if session else None,
        notebook=session.path if session else "",
        cell=cell_of(operation.tags),
        user_id=operation.user_id,
        session_id=operation.session_id,
        text=operation.text,
        status="cancelling" if operation.is_ending else "running",
        started_at=operation.started_at,
        stages=operation.stages,
        stages_done=operation.stages_done,
        tasks=operation.tasks,
        tasks_done=operation.tasks_done,
        tags=list(operation.tags),
    )

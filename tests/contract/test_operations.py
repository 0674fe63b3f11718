"""What all that look at operations may rely on: the fake of the tests and the real one on a played engine alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timezone

import pytest
from fakes.operated import TOKEN, OperatedEngine, later
from fakes.operations import FakeOperations

from rucat_jupyter.core.errors import EngineUnavailable
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Operation, Operations, SessionId
from rucat_jupyter.spark.operations.operations import ConnectOperations

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=timezone.utc)
SESSION = ("ada", "00000000-0000-4000-8000-000000000001")
OTHER = ("bob", "00000000-0000-4000-8000-000000000002")
FIRST = Operation(
    id="00000000-0000-4000-8000-00000000000a",
    user_id=SESSION[0],
    session_id=SESSION[1],
    started_at=NOW,
    tags=("rucat:cell=7:deadbeef",),
)
SECOND = later(FIRST, "00000000-0000-4000-8000-00000000000b", user_id=OTHER[0], session_id=OTHER[1])


@dataclass
class Stage:
    """An engine where something runs, and who looks at it."""

    operations: Operations
    endpoint: Endpoint
    begin: Callable[[Operation], None]
    die: Callable[[], object]
    sessions: Sequence[SessionId] = (SESSION, OTHER)

    async def running(self) -> list[Operation]:
        return await self.operations.running(self.endpoint, TOKEN, self.sessions)

    async def cancel(self, operation_id: str) -> Operation | None:
        return await self.operations.cancel(self.endpoint, TOKEN, self.sessions, operation_id)


@pytest.fixture(params=["fake", "Spark 4.3", "Spark 4.2", "Spark 4.1", "Spark 4.3 without UI"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "fake":
        fake, endpoint = FakeOperations(), Endpoint("127.0.0.1", 1)
        fake.at[endpoint.url] = []
        yield Stage(fake, endpoint, fake.at[endpoint.url].append, lambda: setattr(fake, "is_silent", True))
        return
    words = request.param.split()
    async with AsyncExitStack() as stack:
        engine = OperatedEngine(spark=words[1], has_ui=len(words) == 2)
        await stack.enter_async_context(engine.serving())
        real = ConnectOperations(lambda: NOW)
        stack.push_async_callback(real.close)
        stage = Stage(real, engine.endpoint, engine.begin, lambda: None)

        def die() -> None:
            stage.endpoint = Endpoint("127.0.0.1", 1, "http://127.0.0.1:1")

        stage.die = die
        yield stage


async def test_nothing_runs(stage: Stage) -> None:
    """An engine without operations is an empty list, and no session has to be there."""
    assert await stage.running() == []


async def test_running_operations_have_their_session(stage: Stage) -> None:
    """Of every session, each with the ids by which it can be cancelled."""
    stage.begin(FIRST)
    stage.begin(SECOND)
    found = await stage.running()
    assert [(op.id, op.user_id, op.session_id) for op in found] == [
        (op.id, op.user_id, op.session_id) for op in (FIRST, SECOND)
    ]
    assert not any(op.is_ending for op in found)


async def test_one_is_cancelled_and_the_other_runs_on(stage: Stage) -> None:
    """The answer is the operation; after that it is not listed."""
    stage.begin(FIRST)
    stage.begin(SECOND)
    cancelled = await stage.cancel(FIRST.id)
    assert cancelled is not None
    assert cancelled.id == FIRST.id
    assert [op.id for op in await stage.running()] == [SECOND.id]


async def test_what_does_not_run_cannot_be_cancelled(stage: Stage) -> None:
    """An unknown one, a finished one: None, as often as it is asked."""
    assert await stage.cancel(FIRST.id) is None
    stage.begin(FIRST)
    assert await stage.cancel(SECOND.id) is None
    assert await stage.cancel(FIRST.id) is not None
    assert await stage.cancel(FIRST.id) is None


async def test_jobs_of_an_operation_that_is_no_more(stage: Stage) -> None:
    """That is no error, with or without a UI; closing ends what goes on for it, and may be repeated."""
    stage.begin(SECOND)
    stage.operations.end_jobs(stage.endpoint, FIRST)
    stage.operations.end_jobs(stage.endpoint, FIRST)
    assert [op.id for op in await stage.running()] == [SECOND.id]
    await stage.operations.close()
    await stage.operations.close()


async def test_an_engine_that_does_not_answer_is_unavailable(stage: Stage) -> None:
    """Never an empty list: nothing is known."""
    stage.begin(FIRST)
    stage.die()
    with pytest.raises(EngineUnavailable):
        await stage.running()
    with pytest.raises(EngineUnavailable):
        await stage.cancel(FIRST.id)

"""Ending the jobs that cancelled operations begin all the same."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from fakes.operated import TOKEN, OperatedEngine, later

from rucat_jupyter.core.ports.probes import Operation
from rucat_jupyter.spark.operations import sweep
from rucat_jupyter.spark.operations.operations import ConnectOperations
from rucat_jupyter.spark.operations.sweep import tag_of

SESSION = ("ada, the 1st_Session_x", "00000000-0000-4000-8000-000000000001")
ONE = Operation("00000000-0000-4000-8000-00000000000a", *SESSION, started_at=datetime.now(timezone.utc))
TWO = later(ONE, "00000000-0000-4000-8000-00000000000b")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become tenths."""
    for name in ("WATCH_S", "AFTER_JOB_S", "LONGEST_S", "QUICK_S"):
        monkeypatch.setattr(sweep, name, getattr(sweep, name) / 20)
    monkeypatch.setattr(sweep, "PAUSES_S", (0.02, 0.05))


@pytest.fixture
async def engine() -> AsyncIterator[OperatedEngine]:
    async with OperatedEngine().serving() as engine:
        yield engine


@pytest.fixture
async def operations() -> AsyncIterator[ConnectOperations]:
    operations = ConnectOperations()
    yield operations
    await operations.close()


async def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_a_job_that_begins_after_the_cancel(engine: OperatedEngine, operations: ConnectOperations) -> None:
    """It is ended, and each that follows it; no other one is, nor is the engine asked again."""
    engine.begin(ONE)
    engine.tags_of[1] = [tag_of(TWO), "mine"]
    assert await operations.cancel(engine.endpoint, TOKEN, [], ONE.id) is not None
    for job in (2, 3):
        await asyncio.sleep(0.1)
        engine.tags_of[job] = ["mine", tag_of(ONE)]
        await until(lambda job=job: job not in engine.tags_of)  # type: ignore[misc]
    assert set(engine.killed) == {2, 3}
    assert list(engine.tags_of) == [1]
    assert engine.calls.count("interrupt") == 1


async def test_one_that_was_cancelled_by_its_own_client(engine: OperatedEngine, operations: ConnectOperations) -> None:
    """Nothing of it is seen but its jobs: they are ended without a word to the engine's service."""
    operations.end_jobs(engine.endpoint, ONE)
    operations.end_jobs(engine.endpoint, TWO)
    engine.tags_of |= {1: [tag_of(ONE)], 2: [tag_of(TWO)], 3: [tag_of(replace(ONE, user_id="eve"))]}
    await until(lambda: list(engine.tags_of) == [3])
    assert engine.calls == []


async def test_what_has_ended_but_for_its_jobs_can_be_cancelled(
    engine: OperatedEngine, operations: ConnectOperations
) -> None:
    """The operation is the one that the job's tag names."""
    engine.tags_of |= {1: [tag_of(ONE)], 2: [tag_of(TWO)]}
    found = await operations.cancel(engine.endpoint, TOKEN, [], ONE.id)
    assert found == replace(ONE, is_ending=True, started_at=None)
    await until(lambda: list(engine.tags_of) == [2])
    assert await operations.cancel(engine.endpoint, TOKEN, [], ONE.id) is None


async def test_it_is_over_after_a_while(engine: OperatedEngine, operations: ConnectOperations) -> None:
    """Then jobs run that have the same tag, and no task is left."""
    operations.end_jobs(engine.endpoint, ONE)
    assert len(operations._sweeper._watches) == 1
    await until(lambda: not operations._sweeper._watches)
    engine.tags_of[1] = [tag_of(ONE)]
    await asyncio.sleep(0.2)
    assert engine.killed == []


async def test_jobs_that_cannot_be_killed_are_logged(
    engine: OperatedEngine, operations: ConnectOperations, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the UI ends none: once, after the longest time."""
    engine.may_kill = False
    engine.tags_of[1] = [tag_of(ONE)]
    operations.end_jobs(engine.endpoint, ONE)
    await until(lambda: not operations._sweeper._watches)
    assert [r.levelno for r in caplog.records if "killEnabled" in r.message] == [logging.WARNING]


async def test_a_ui_that_does_not_answer(
    engine: OperatedEngine, operations: ConnectOperations, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and tried again until the time is over; another life at the address is found."""
    body = engine._body
    engine._body = lambda path: b"<html>"  # type: ignore[method-assign]
    engine.tags_of[1] = [tag_of(ONE)]
    operations.end_jobs(engine.endpoint, ONE)
    await until(lambda: "cannot list" in caplog.text)
    await asyncio.sleep(0.1)
    engine._body = body  # type: ignore[method-assign]
    await until(lambda: engine.killed == [1])
    assert caplog.text.count("cannot list") == 1


async def test_closing_ends_it(engine: OperatedEngine, operations: ConnectOperations) -> None:
    """No task is left, and no job is ended any more."""
    operations.end_jobs(engine.endpoint, ONE)
    await operations.close()
    assert not operations._sweeper._watches
    assert {task for task in asyncio.all_tasks() if "JobSweeper" in repr(task)} == set()


async def test_without_a_ui_nothing_can_be_done(
    operations: ConnectOperations, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says so, and no task begins."""
    caplog.set_level(logging.INFO)
    async with OperatedEngine(has_ui=False).serving() as engine:
        engine.begin(ONE)
        assert await operations.cancel(engine.endpoint, TOKEN, [SESSION], ONE.id) is not None
    assert "has no UI" in caplog.text
    assert not operations._sweeper._watches

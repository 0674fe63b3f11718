"""Looking at operations: words, wire, progress, and what is asked of which Spark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pyspark.sql.connect.proto as pb
import pytest
from fakes import operated
from fakes.operated import TOKEN, OperatedEngine, job, later
from hypothesis import example, given
from hypothesis import strategies as st

from rucat_jupyter.core.errors import EngineUnavailable, NotPossible
from rucat_jupyter.core.ports.probes import Operation
from rucat_jupyter.gateway.use_cases.operations import cell_of
from rucat_jupyter.spark.operations import operations
from rucat_jupyter.spark.operations.operations import ConnectOperations
from rucat_jupyter.spark.operations.page import LONGEST, words_of
from rucat_jupyter.spark.operations.status import touch

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=timezone.utc)
SESSION = ("ada", "00000000-0000-4000-8000-000000000001")
ONE = Operation("00000000-0000-4000-8000-00000000000a", *SESSION, started_at=NOW, tags=("mine",))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(params=["4.3", "4.2", "4.1"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[OperatedEngine]:
    async with OperatedEngine(spark=request.param).serving() as engine:
        yield engine


async def read(engine: OperatedEngine, *sessions: tuple[str, str]) -> list[Operation]:
    return await ConnectOperations(lambda: NOW).running(engine.endpoint, TOKEN, sessions)


async def cancel(engine: OperatedEngine, operation_id: str, *sessions: tuple[str, str]) -> Operation | None:
    return await ConnectOperations(lambda: NOW).cancel(engine.endpoint, TOKEN, sessions, operation_id)


# --- what is listed -----------------------------------------------------------------------------------------


async def test_text_tags_time_and_progress(engine: OperatedEngine) -> None:
    """The sums of an operation's jobs; a stage that was skipped counts nowhere; sessions need not be known."""
    engine.begin(ONE)
    engine.jobs[ONE.id] = [
        job(1, numCompletedTasks=8, numCompletedStages=2),
        job(2, numTasks=10, numCompletedTasks=3, numSkippedTasks=4, numSkippedStages=1),
    ]
    (found,) = await read(engine)
    assert (found.text, found.tags) == ("select 1", ("mine",))
    assert (found.stages, found.stages_done, found.tasks, found.tasks_done) == (3, 2, 14, 11)
    began = NOW if engine.spark == "4.3" else NOW - timedelta(seconds=65.07)
    assert found.started_at == began


async def test_many_jobs_are_one_call(engine: OperatedEngine) -> None:
    """Thousands of jobs of one operation are not thousands of calls; jobs that Spark has forgotten count nowhere."""
    engine.begin(ONE)
    engine.jobs[ONE.id] = [job(number, numCompletedTasks=8) for number in range(40)]
    (found,) = await read(engine)
    assert (found.tasks, found.tasks_done, found.stages) == (320, 320, 80)


async def test_another_life_at_the_same_address(engine: OperatedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restarted engine is another application to Spark."""
    engine.begin(ONE)
    looking = ConnectOperations(lambda: NOW)
    assert len(await looking.running(engine.endpoint, TOKEN, [])) == 1
    monkeypatch.setattr(operated, "APP", "local-2")
    engine.jobs[ONE.id] = [job(1)]
    (found,) = await looking.running(engine.endpoint, TOKEN, [])
    assert found.tasks == 8


async def test_the_probes_own_are_not_listed(engine: OperatedEngine) -> None:
    """They are Rucat's, and end by themselves."""
    engine.begin(later(ONE, ONE.id, user_id="rucat-probe"))
    assert await read(engine) == []


@pytest.mark.parametrize("statement", ["write_stream_operation_start {\n}", "streaming_query_listener_bus_command {\n"])
async def test_commands_that_never_end_are_not_listed(engine: OperatedEngine, statement: str) -> None:
    """Spark lists the start of a stream as running forever."""
    engine.statement = statement
    engine.begin(ONE)
    assert await read(engine) == []


async def test_an_engine_with_a_wrong_clock(engine: OperatedEngine) -> None:
    """Times are ours, whatever the engine's clock says."""
    engine.begin(later(ONE, ONE.id, started_at=NOW - timedelta(hours=3)))
    (found,) = await read(engine)
    assert found.started_at is not None
    assert abs(found.started_at - NOW) < timedelta(seconds=70)


# --- who is asked -------------------------------------------------------------------------------------------


async def test_looking_at_nothing_is_no_call(engine: OperatedEngine) -> None:
    """A look keeps no session from expiring in which nothing runs."""
    engine.ended.append(ONE)
    engine.begin(later(ONE, "00000000-0000-4000-8000-00000000000b", user_id="rucat-probe"))
    assert await read(engine, SESSION) == []
    assert engine.calls == []


async def test_what_only_seems_to_run_is_not_listed(engine: OperatedEngine) -> None:
    """Cancelled while it was planned, it runs endlessly in the UI; before 4.2 there is no other source."""
    engine.stuck.append(ONE)
    engine.ended.append(ONE)
    engine.begin(later(ONE, "00000000-0000-4000-8000-00000000000b"))
    found = [op.id[-1] for op in await read(engine)]
    assert found == (["b"] if engine.spark >= "4.2" else ["b", "a"])
    engine.sessions.clear()  # forgotten with all that it ran
    assert len(await read(engine)) == (0 if engine.spark >= "4.2" else 2)


async def test_no_session_is_ever_made(engine: OperatedEngine) -> None:
    """Interrupt goes to a session that was seen, and to none for an operation that was never seen."""
    assert await cancel(engine, ONE.id, SESSION) is None
    engine.begin(ONE)
    engine.ended.append(later(ONE, "00000000-0000-4000-8000-00000000000c"))
    assert await cancel(engine, "00000000-0000-4000-8000-00000000000c", SESSION, ("eve", "x")) is None
    assert "interrupt" not in engine.calls
    assert await cancel(engine, ONE.id) is not None
    assert engine.sessions == {SESSION}


async def test_what_is_too_new_for_the_ui_is_found_by_its_session() -> None:
    """From Spark 4.2 on the engine itself is asked; before that the UI has the last word."""
    for spark, expected in (("4.3", ONE.id), ("4.2", ONE.id), ("4.1", None)):
        async with OperatedEngine(spark=spark, is_hidden=True).serving() as engine:
            engine.begin(ONE)
            found = await cancel(engine, ONE.id, SESSION)
            assert (found and found.id) == expected


async def test_without_a_ui_only_known_sessions_are_asked() -> None:
    """Ids alone; text, time and progress are not known, and a session that is not there has nothing that runs."""
    async with OperatedEngine(has_ui=False).serving() as engine:
        engine.begin(ONE)
        engine.begin(later(ONE, "00000000-0000-4000-8000-00000000000b", session_id="unknown to Rucat"))
        assert await read(engine, SESSION, ("gone", "x")) == [Operation(ONE.id, *SESSION)]
        assert ("gone", "x") not in engine.sessions


async def test_an_old_spark_without_a_ui_says_so() -> None:
    """Rather than an empty list."""
    async with OperatedEngine(has_ui=False, spark="4.1").serving() as engine:
        with pytest.raises(NotPossible, match=r"Spark 4\.2 or later"):
            await read(engine, SESSION)


async def test_a_ui_that_is_no_spark_ui_is_passed_over() -> None:
    """The sessions are asked instead."""
    async with OperatedEngine(spark="4.2").serving() as engine:
        engine.begin(ONE)
        engine._body = lambda path: b"<html>no JSON"  # type: ignore[method-assign]
        assert [op.id for op in await read(engine, SESSION)] == [ONE.id]


async def test_a_frozen_engine_blocks_no_call_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its UI nor its service answers: one limit for the whole look."""
    monkeypatch.setattr(operations, "LOOK_S", 0.3)
    async with OperatedEngine().serving() as engine:
        hanging = asyncio.Event()

        async def hang(*_: object, **__: object) -> None:
            await hanging.wait()

        monkeypatch.setattr(operations.UiReader, "read", hang)
        with pytest.raises(EngineUnavailable, match=r"0\.3 s"):
            await read(engine, SESSION)


async def test_a_wrong_token_is_an_error() -> None:
    """Without the token in it."""
    async with OperatedEngine(has_ui=False).serving() as engine:
        with pytest.raises(EngineUnavailable, match="UNAUTHENTICATED") as caught:
            await ConnectOperations().running(engine.endpoint, "a wrong secret", [SESSION])
        assert "a wrong secret" not in caught.value.message


# --- what Spark answers -------------------------------------------------------------------------------------


async def test_what_has_ended_is_not_listed() -> None:
    """Of all states that Spark knows, two are of an operation that runs."""
    async with OperatedEngine(has_ui=False).serving() as engine:
        for name, state in pb.GetStatusResponse.OperationStatus.OperationState.items():
            engine.begin(later(ONE, name))
            engine.states[name] = state
        found = [(op.id, op.is_ending) for op in await read(engine, SESSION)]
    assert found == [("OPERATION_STATE_RUNNING", False), ("OPERATION_STATE_TERMINATING", True)]


@pytest.mark.parametrize("junk", [b"\xff", b"\x1a\x05ab", b"\x0b", b"\x80" * 12, b"\x12\x01\xff\x1a\x03\n\x01\xff"])
async def test_an_answer_that_is_no_message_is_an_error(junk: bytes) -> None:
    """Cut off, an unknown wire type, a number without an end, an id that is no text; what the UI lists then counts."""
    async with OperatedEngine(junk=junk).serving() as engine:
        engine.begin(ONE)
        with pytest.raises(EngineUnavailable, match="not respond like Spark Connect"):
            await read(replace(engine, has_ui=False), SESSION)
        assert [op.id for op in await read(engine)] == [ONE.id]
        with pytest.raises(EngineUnavailable, match="not respond like Spark Connect"):
            await cancel(engine, ONE.id)


# --- words --------------------------------------------------------------------------------------------------


def test_sql_is_shown_as_it_was_written() -> None:
    """Quotes, lines and letters of any script: Spark escapes them as bytes."""
    plan = 'sql_command {\n input {\n sql {\n query: "select \\"\\303\\244\\"\\n, \'\\\\n\' as `x`"\n }\n }\n}\n'
    assert words_of(plan) == "select \"ä\"\n, '\\n' as `x`"


def test_a_write_names_its_target() -> None:
    """Before the SQL of what is written."""
    plan = 'write_operation {\n  input {\n    sql {\n      query: "select 1"\n    }\n  }\n  path: "/tmp/x"\n}\n'
    assert words_of(plan) == "write (/tmp/x): select 1"


def test_a_plan_without_sql_is_its_relations() -> None:
    """Outermost first, with the table that is read."""
    plan = """aggregate {
  input {
    filter {
      input {
        read {
          named_table {
            unparsed_identifier: "sales"
          }
        }
      }
      condition {
        expression_string {
          expression: "x > 1"
        }
      }
    }
  }
}
"""
    assert words_of(plan) == "aggregate ← filter ← read (sales)"


@example(r"\8")
@given(st.text(max_size=3000))
def test_any_text_is_taken(plan: str) -> None:
    """What is no plan has few words, and never more than fit."""
    assert len(words_of(plan)) <= LONGEST
    assert len(words_of(f'sql {{\n  query: "{plan}"\n}}')) <= LONGEST


@pytest.mark.parametrize(
    ("tags", "cell"),
    [
        ((), None),
        (("mine", "rucat:cell=7:deadbeef"), 7),
        (("rucat:cell=x:deadbeef",), None),
        (("rucat:cell=7",), None),
        (("rucat:cell=7:deadbeef0",), None),
        (("a rucat:cell=7:deadbeef",), None),
        (("rucat:cell=99999999999:deadbeef",), None),
    ],
)
def test_the_cell_is_in_the_tag(tags: tuple[str, ...], cell: int | None) -> None:
    """In the one form that notebooks write, and in nothing that looks like it."""
    assert cell_of(tags) == cell


async def test_a_session_in_use_is_touched(engine: OperatedEngine) -> None:
    """By a call that every release has and that changes nothing; no answer is no error."""
    engine.begin(ONE)
    await touch(engine.endpoint, TOKEN, [SESSION])
    assert engine.calls == (["status"] if engine.spark >= "4.2" else ["interrupt"])
    assert engine.running == [ONE]
    await touch(engine.endpoint, "wrong", [SESSION])
    await touch(replace(engine.endpoint, port=1), TOKEN, [SESSION])
    assert engine.sessions == {SESSION}

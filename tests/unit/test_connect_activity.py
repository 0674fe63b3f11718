"""Signs of use of an engine: what counts, what does not, and what is not known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from fakes.probed_server import ProbedServer
from fakes.spark_ui import FakeUi, Operation
from fakes.streams import listening

from rucat_jupyter.core.engine import Engine
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Activity, SessionId
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.spark.connect.pace import SESSION_TIMEOUT, Pace, session_timeout_s
from rucat_jupyter.spark.probes.prober import ConnectProber
from rucat_jupyter.spark.ui import http
from rucat_jupyter.spark.ui.activity import ActivityReader, Seen
from rucat_jupyter.spark.ui.http import HttpError, get

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)
LATER = NOW + timedelta(seconds=20)
IDLE = Activity(0, None)


@pytest.fixture(params=[False, True], ids=["Spark 4.3", "Spark 4.1"])
async def ui(request: pytest.FixtureRequest) -> AsyncIterator[FakeUi]:
    async with FakeUi(is_old=request.param) as running:
        yield running


@pytest.fixture
async def new_ui() -> AsyncIterator[FakeUi]:
    async with FakeUi() as running:
        yield running


async def test_an_unused_engine_shows_no_use(ui: FakeUi) -> None:
    """Nothing ever ran: idle, and never used."""
    reader = ActivityReader(ui.url)
    assert await reader.read(NOW) == IDLE
    assert await reader.read(LATER) == IDLE


async def test_probes_are_no_use(ui: FakeUi) -> None:
    """Our own session does not count, running or not."""
    ui.operations = [Operation("p", user="rucat-probe", began=ui.clock, state="STARTED")]
    reader = ActivityReader(ui.url)
    assert await reader.read(NOW) == IDLE
    ui.operations.append(Operation("p", user="rucat-probe", began=ui.clock))
    assert await reader.read(LATER) == IDLE


@pytest.mark.parametrize("state", ["STARTED", "COMPILED", "READY", "RUNNING"])
async def test_an_operation_that_runs_is_use_now(ui: FakeUi, state: str) -> None:
    """As long as it runs, each look finds it, and the time of use is that of the look."""
    ui.operations = [Operation("a", state=state, began=ui.clock - 3600)]
    reader = ActivityReader(ui.url)
    assert await reader.read(NOW) == Activity(1, NOW)
    assert await reader.read(LATER) == Activity(1, LATER)
    ui.operations = [Operation("a", state="FINISHED", began=ui.clock - 3600, ended=ui.clock)]
    found = await reader.read(LATER + timedelta(seconds=20))
    assert found is not None
    assert found.running == 0
    assert found.used_at is not None
    assert found.used_at >= LATER


async def test_what_only_seems_to_run_is_no_use(ui: FakeUi) -> None:
    """An operation that Spark lists as running although it is cancelled keeps no engine from its idle stop."""
    asked: list[Seen] = []

    async def find_over(seen: Seen) -> set[str]:
        asked.append(seen)
        return {"id"}

    ui.operations = [Operation("a", state="RUNNING", began=ui.clock - 3600)]
    reader = ActivityReader(ui.url, find_over)
    for at in (NOW, LATER):
        found = await reader.read(at)
        assert found is not None
        assert found.running == 0
        assert found.used_at != LATER
    assert asked == [[(("alice", "a"), "id")]]


async def test_an_operation_that_began_and_ended_between_looks_is_use(ui: FakeUi) -> None:
    """Also one without a job, which only the session's count shows."""
    reader = ActivityReader(ui.url)
    assert await reader.read(NOW) == IDLE
    ui.operations = [Operation("a", began=ui.clock - 1, ended=ui.clock, closed=ui.clock)]
    assert await reader.read(LATER) == Activity(0, LATER)
    ui.clock += 20
    assert await reader.read(LATER + timedelta(seconds=20)) == Activity(0, LATER)


async def test_an_operation_that_is_counted_before_it_is_listed_is_use(new_ui: FakeUi) -> None:
    """Spark's count moves a moment before its list has the operation's times: the use must not be lost."""
    new_ui.operations = [Operation("a", began=new_ui.clock - 3600, ended=new_ui.clock - 3600)]
    reader = ActivityReader(new_ui.url)
    await reader.read(NOW)
    new_ui.operations.append(Operation("a"))
    assert await reader.read(LATER) == Activity(0, LATER)


async def test_a_new_session_whose_operations_are_not_counted_is_use(ui: FakeUi) -> None:
    """Spark never counts what ends within 100 ms of its session's beginning; the session shows that it was."""
    reader = ActivityReader(ui.url)
    assert await reader.read(NOW) == IDLE
    ui.operations = [Operation("a", began=ui.clock - 1, ended=ui.clock, closed=ui.clock, is_counted=False)]
    assert await reader.read(LATER) == Activity(0, LATER)
    assert await reader.read(LATER + timedelta(seconds=20)) == Activity(0, LATER)


async def test_what_finished_is_not_running(ui: FakeUi) -> None:
    """A client that was killed leaves its operation finished and not closed for minutes: that is no use."""
    ui.operations = [Operation("a", state="FINISHED", began=1, ended=2)]
    found = await ActivityReader(ui.url).read(NOW)
    assert found is not None
    assert found.running == 0


async def test_the_farewell_of_a_client_does_not_run(ui: FakeUi) -> None:
    """What pyspark sends at exit stays "started" for minutes when it does not wait for the answer."""
    farewell = "ml_command {\n  clean_cache {\n  }\n}\n"
    ui.operations = [Operation("a", state="STARTED", statement=farewell, began=1)]
    found = await ActivityReader(ui.url).read(NOW)
    assert found is not None
    assert found.running == 0


async def test_a_stream_is_use_as_long_as_it_is_active(ui: FakeUi) -> None:
    """The command that starts a stream is never seen to end; the stream itself is, and counts between its jobs."""
    ui.operations = [Operation("a", state="STARTED", statement="write_stream_operation_start {\n  input {")]
    ui.streams = 2
    reader = ActivityReader(ui.url)
    assert await reader.read(NOW) == Activity(2, NOW)
    ui.streams = 0
    assert await reader.read(LATER) == Activity(0, NOW)


async def test_a_job_outside_any_operation_is_use(ui: FakeUi) -> None:
    """Whatever works in the engine, it is not idle."""
    ui.jobs = 1
    assert await ActivityReader(ui.url).read(NOW) == Activity(1, NOW)


async def test_a_forgotten_session_is_no_use(ui: FakeUi) -> None:
    """Spark drops old sessions from its lists; that is not something that anybody did."""
    ui.operations = [Operation("a", began=5, ended=6), Operation("b", began=5, ended=6)]
    reader = ActivityReader(ui.url)
    first = await reader.read(NOW)
    ui.operations.pop()
    assert await reader.read(LATER) == first


async def test_the_engine_s_clock_may_be_wrong(new_ui: FakeUi) -> None:
    """Times are taken relative to the engine's own clock, and never lie in the future."""
    new_ui.clock -= 7 * 365 * 86400
    new_ui.operations = [Operation("a", began=new_ui.clock - 600, ended=new_ui.clock - 590)]
    found = await ActivityReader(new_ui.url).read(NOW)
    assert found == Activity(0, NOW - timedelta(seconds=590))
    new_ui.operations = [Operation("a", ended=new_ui.clock + 600)]
    assert await ActivityReader(new_ui.url).read(NOW) == Activity(0, NOW)


async def test_an_idle_engine_is_asked_little(ui: FakeUi) -> None:
    """The long list of operations is read only when something has moved."""
    ui.operations = [Operation("a", began=1, ended=2)]
    reader = ActivityReader(ui.url)
    await reader.read(NOW)
    ui.asked.clear()
    await reader.read(LATER)
    assert not [path for path in ui.asked if path.endswith(("operations", "?sqlstat.pageSize=1000"))]
    assert len(ui.asked) <= 4


async def test_statements_are_text(ui: FakeUi) -> None:
    """What a user writes into a query cannot pass for a row of the page."""
    ui.operations = [Operation("a", statement="</td></tr><tr><td>x</td><td>y</td>" * 3 + "<td>" * 5000)]
    reader = ActivityReader(ui.url)
    await reader.read(NOW)
    began = time.process_time()
    found = await reader.read(LATER)
    assert time.process_time() - began < 0.5
    assert found is not None
    assert found.running == 0


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 500 Oops\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nnot json",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\n\r\n[{"id": null}]',
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]",
        b"HTTP/1.1 x OK\r\n\r\n[]",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"\x00" * 100_000,
    ],
)
async def test_what_is_no_spark_ui_tells_nothing(ui: FakeUi, broken: bytes) -> None:
    """Another program on the UI's port, or a UI that fails, is "not known"; once it tells again, it is."""
    reader = ActivityReader(ui.url)
    assert await reader.read(NOW) == IDLE
    ui.broken = broken
    assert await ActivityReader(ui.url).read(NOW) is None
    ui.broken = None
    assert await reader.read(LATER) == IDLE


async def test_no_ui_tells_nothing(ui: FakeUi) -> None:
    """A UI that is switched off is "not known"."""
    url = ui.url
    await ui.__aexit__()
    assert await ActivityReader(url).read(NOW) is None


async def test_busyness_wakes_the_monitor(new_ui: FakeUi) -> None:
    """A pulse wakes it when the engine is known to become busy or idle, and not for each sign of use."""
    woken: list[Activity | None] = []
    engine = Engine(
        id="0123456789abcdef",
        name="x",
        owner="me",
        platform="local",
        profile="local",
        site="here",
        spec=EngineSpec(),
        state_run=1,
        created_at=NOW,
    )
    async with ProbedServer() as server:
        prober = ConnectProber({"local": replace(Pace(), activity_s=0.02, warm_up_s=0.0)})
        endpoint = Endpoint("127.0.0.1", server.port, new_ui.url)
        pulse = prober.watch(engine, endpoint, "right", lambda engine_id: woken.append(pulse.activity))

        async def until(running: int) -> None:
            end = time.monotonic() + 10
            while pulse.activity is None or pulse.activity.running != running:
                assert time.monotonic() < end
                await asyncio.sleep(0.005)

        await until(0)
        for session in ("a", "b"):
            new_ui.operations = [Operation(session, state="STARTED")]
            await until(1)
            new_ui.operations = [Operation(session, state="CLOSED")]
            await until(0)
        await prober.close()
    assert [activity and activity.running for activity in woken] == [None, 0, 1, 0, 1, 0]


# --- HTTP ---


async def test_an_answer_has_status_headers_and_body(new_ui: FakeUi) -> None:
    """Plain HTTP, read to the end of the connection."""
    answer = await get(new_ui.url, "/api/v1/applications", 5.0)
    assert (answer.status, answer.body[:1], "date" in answer.headers) == (200, b"[", True)
    assert (await get(new_ui.url, "/nothing", 5.0)).status == 404


async def test_an_answer_that_does_not_come_is_an_error() -> None:
    """The time limit holds for the whole of it."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with listening(hold) as port:
        with pytest.raises(HttpError, match=r"no answer from .* within 0.1 s"):
            await get(f"http://127.0.0.1:{port}", "/", 0.1)
    with pytest.raises(HttpError):
        await get(f"http://127.0.0.1:{port}", "/", 1.0)


async def test_an_endless_answer_is_an_error(new_ui: FakeUi, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server can fill our memory."""
    monkeypatch.setattr(http, "_MAX_BYTES", 1000)
    new_ui.broken = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000
    with pytest.raises(HttpError, match="more than 1000 bytes"):
        await get(new_ui.url, "/", 5.0)


STREAM = "write_stream_operation_start {\n  input {\n  }\n}\n"


async def test_sessions_in_use_are_touched(ui: FakeUi) -> None:
    """Those with running operations or streams, at each look; no others, and none when nothing runs."""
    touched: list[set[SessionId]] = []

    async def touch(sessions: Collection[SessionId]) -> None:
        touched.append(set(sessions))

    began = {"began": ui.clock - 90, "ended": ui.clock - 80, "closed": ui.clock - 80}
    ui.operations = [
        Operation("streams", statement=STREAM, state="FINISHED", began=ui.clock - 100),
        Operation("works", state="RUNNING", began=ui.clock - 90),
        Operation("rests", **began),
        Operation("p", user="rucat-probe", **began),
    ]
    ui.streams = 1
    reader = ActivityReader(ui.url, touch=touch)
    for at in (NOW, LATER):
        await reader.read(at)
        assert touched.pop() == {("alice", "streams"), ("alice", "works")}
    ui.operations[1] = Operation("works", **began)
    await reader.read(LATER)
    assert touched.pop() == {("alice", "streams")}
    ui.streams = 0
    await reader.read(LATER)
    await reader.read(LATER)
    assert touched == []


async def test_the_sessions_of_unknown_streams_are_all(ui: FakeUi) -> None:
    """Spark lists only the last operations: which session began the stream is not known any more."""
    touched: list[set[SessionId]] = []

    async def touch(sessions: Collection[SessionId]) -> None:
        touched.append(set(sessions))

    ui.operations = [Operation(name, began=1, ended=2, closed=2) for name in "ab"]
    ui.streams = 2
    await ActivityReader(ui.url, touch=touch).read(NOW)
    assert touched == [{("alice", "a"), ("alice", "b")}]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("60s", 60), ("90000", 90), ("2m", 120), ("2 MIN", 120), ("500ms", 0.5), ("1h", 3600)),
        *(("0", None), ("-1", None), ("", None), ("x", None), ("5 parsecs", None)),
    ],
)
def test_the_session_timeout_is_read_as_spark_reads_it(text: str, seconds: float | None) -> None:
    """A number without a unit is milliseconds."""
    assert session_timeout_s({SESSION_TIMEOUT: text}) == seconds

"""The prober against a server that answers as each test says: what is health, silence, a zombie, and what is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from fakes.probed_server import HANDLER_FAILED, NO_SESSION, REFUSED, STOPPED, ProbedServer, Relay
from fakes.spark_ui import FakeUi
from fakes.streams import listening

from rucat_jupyter.core.engine import Engine
from rucat_jupyter.core.lifecycle import Health
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.spark.connect.channel import Line
from rucat_jupyter.spark.connect.messages import Answer
from rucat_jupyter.spark.connect.pace import PACES, REMOTE_PACE, Pace, Rhythm
from rucat_jupyter.spark.probes.prober import ConnectProber, ConnectPulse
from rucat_jupyter.spark.probes.service_probe import ServiceTier

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
READY = Health(ready=True)
QUICK = Pace(
    service_s=0.1,
    query_s=0.2,
    activity_s=0.1,
    deadline_s=0.6,
    warm_up_s=0.0,
    first_query_s=5.0,
    hard_deadline_s=5.0,
    eager_s=0.02,
    confirm_s=0.05,
    prompt_s=0.3,
)
"""The everyday pace with shorter waits; what it means does not depend on them."""


def engine(engine_id: str = "0123456789abcdef", platform: str = "local") -> Engine:
    """An engine in its first life."""
    return Engine(
        id=engine_id,
        name="x",
        owner="me",
        platform=platform,
        profile="local",
        site="here",
        spec=EngineSpec(),
        state_run=1,
        created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )


class Watch:
    """A pulse with everything it said, in order."""

    def __init__(self, pulse: ConnectPulse, said: list[Health]) -> None:
        self.pulse = pulse
        self.said = said

    @property
    def health(self) -> Health:
        return self.pulse.health

    async def until(self, is_so: Callable[[Health], bool], deadline_s: float = 10.0) -> Health:
        """The first health that is so, or a failure that shows what was said instead."""
        end = time.monotonic() + deadline_s
        while not is_so(self.health):
            assert time.monotonic() < end, self.said
            await asyncio.sleep(0.005)
        return self.health


@asynccontextmanager
async def watching(
    port: int,
    *,
    pace: Pace = QUICK,
    platform: str = "local",
    token: str = "right",
    host: str = "127.0.0.1",
    is_its_own: bool = False,
) -> AsyncIterator[Watch]:
    prober = ConnectProber({platform: pace})
    said: list[Health] = []
    watched = engine(platform=platform)

    def wake(engine_id: str) -> None:
        assert engine_id == watched.id
        said.append(pulse.health)

    pulse = prober.watch(watched, Endpoint(host, port, is_its_own=is_its_own), token, wake)
    try:
        yield Watch(pulse, said)
    finally:
        await prober.close()


@pytest.fixture
async def server() -> AsyncIterator[ProbedServer]:
    async with ProbedServer() as running:
        yield running


async def called(server: ProbedServer, method: str, number: int) -> None:
    """Wait until a method has been called so many times in all."""
    await calls(server, method, number - server.calls.count(method))


async def calls(server: ProbedServer, method: str, number: int) -> None:
    """Wait until a method has been called so many times more."""
    target = server.calls.count(method) + number
    end = time.monotonic() + 10
    while server.calls.count(method) < target:
        assert time.monotonic() < end, server.calls
        await asyncio.sleep(0.005)


# --- ready ---


async def test_ready_needs_no_query(server: ProbedServer) -> None:
    """An engine is ready when its service has refused a call without the token, and taken ours; once, with one wake."""
    server.querying.clear()
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await calls(server, "analyze", 3)
        assert watch.said == [READY]
        assert "release" in server.calls


async def test_a_server_that_comes_up_is_seen_immediately(server: ProbedServer) -> None:
    """While an engine starts it is looked at all the time, though the pace is slow."""
    await server.stop()
    async with watching(server.port, pace=replace(QUICK, service_s=60.0)) as watch:
        health = await watch.until(lambda h: h.silent_since is not None)
        assert health.message == f"nothing listens on 127.0.0.1:{server.port}"
        await server.start()
        began = time.monotonic()
        await watch.until(lambda h: h == READY)
        assert time.monotonic() - began < 1.0


async def test_a_first_query_may_take_long(server: ProbedServer) -> None:
    """The first query of a life has its own long deadline: a busy machine is no zombie."""
    server.querying.clear()
    async with watching(server.port) as watch:
        await calls(server, "analyze", 15)
        assert watch.health == READY
        server.querying.set()
        await calls(server, "execute", 1)
        assert watch.health == READY


async def test_another_engine_on_the_port_is_another_server(server: ProbedServer) -> None:
    """A Spark Connect server that refuses our token is never ready, and is named for what it is."""
    async with watching(server.port, token="wrong") as watch:
        health = await watch.until(lambda h: h.silent_since is not None)
        assert "another Spark Connect server" in health.message
        await calls(server, "analyze", 5)
        assert not watch.health.ready
        assert "execute" not in server.calls


async def test_a_pod_is_not_asked_who_it_is(server: ProbedServer) -> None:
    """One call less before it is ready, and no error in the engine's log; a query that is refused is believed."""
    async with watching(server.port, is_its_own=True) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        assert "release" not in server.calls
        server.token = "another engine's"
        health = await watch.until(lambda h: h.silent_since is not None)
        assert "another Spark Connect server" in health.message
        await calls(server, "analyze", 5)
        assert watch.health.silent_since is not None


@pytest.mark.parametrize("answer", [Answer("OK"), Answer("UNIMPLEMENTED", "what?"), NO_SESSION])
async def test_a_server_that_does_not_reject_is_another_server(server: ProbedServer, answer: Answer) -> None:
    """Our engines always refuse a call without their token; a server that answers otherwise is another one."""
    server.refuse = answer
    async with watching(server.port) as watch:
        health = await watch.until(lambda h: h.silent_since is not None)
        assert "is another server, not this engine" in health.message
        assert not health.ready


async def test_an_http_server_on_the_port_is_another_server() -> None:
    """A port that another program has taken does not count as ready."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()

    async with listening(serve) as port, watching(port) as watch:
        health = await watch.until(lambda h: h.silent_since is not None)
        assert "does not speak HTTP/2" in health.message
        assert not health.ready


async def test_a_port_that_takes_connections_and_says_nothing_is_not_ready() -> None:
    """An open port alone proves nothing."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(hold) as port, watching(port) as watch:
        health = await watch.until(lambda h: h.silent_since is not None)
        assert not health.ready


# --- silence ---


async def test_a_killed_server_is_silent_immediately(server: ProbedServer) -> None:
    """A broken connection is a reason to look now, whatever the pace."""
    async with watching(server.port, pace=replace(QUICK, service_s=60.0, query_s=60.0)) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        began = time.monotonic()
        await server.stop()
        health = await watch.until(lambda h: h.silent_since is not None)
        assert time.monotonic() - began < 2.0
        assert health.ready
        assert not health.is_zombie
        assert "nothing listens" in health.message or "failed" in health.message


async def test_a_server_that_comes_back_is_seen_immediately(server: ProbedServer) -> None:
    """An answer clears the silence, and the connection's backoff does not delay it."""
    async with watching(server.port, pace=replace(QUICK, service_s=60.0)) as watch:
        await watch.until(lambda h: h.ready)
        await server.stop()
        await watch.until(lambda h: h.silent_since is not None)
        await asyncio.sleep(0.5)
        await server.start()
        began = time.monotonic()
        await watch.until(lambda h: h == READY)
        assert time.monotonic() - began < 1.0


async def test_only_the_first_miss_gives_the_time(server: ProbedServer) -> None:
    """``silent_since`` is when the silence began, however long it lasts."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await server.stop()
        first = await watch.until(lambda h: h.silent_since is not None)
        await asyncio.sleep(0.3)
        assert first.silent_since == watch.health.silent_since
        assert datetime.now(timezone.utc) > first.silent_since


async def test_a_cut_connection_is_no_miss(server: ProbedServer) -> None:
    """A connection may break while its engine is well: a fresh one is asked before anything is said."""
    async with Relay(server.port) as relay, watching(relay.port) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        for _ in range(5):
            await relay.cut()
            await calls(server, "analyze", 2)
        assert watch.said == [READY]


async def test_a_pause_shorter_than_the_deadline_is_no_miss(server: ProbedServer) -> None:
    """A garbage collection delays every answer, and is never reported."""
    async with watching(server.port, pace=replace(QUICK, deadline_s=2.0)) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        for _ in range(2):
            server.running.clear()
            await asyncio.sleep(1.0)
            server.running.set()
            await calls(server, "execute", 1)
        assert watch.said == [READY]


async def test_a_long_pause_is_silence_and_no_zombie(server: ProbedServer) -> None:
    """A frozen process is silent after the deadline, and answers as soon as it goes on, without a word of zombies."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        server.running.clear()
        health = await watch.until(lambda h: h.silent_since is not None)
        assert health.message == "no answer within 0.6 s"
        await asyncio.sleep(1.5)
        server.running.set()
        began = time.monotonic()
        await watch.until(lambda h: h == READY)
        assert time.monotonic() - began < 0.5
        await calls(server, "execute", 2)
        assert watch.health == READY
        assert not any(health.is_zombie for health in watch.said)


async def test_the_port_of_a_dead_engine_may_be_another_s(server: ProbedServer) -> None:
    """After a silence the server is asked again who it is."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await server.stop()
        await watch.until(lambda h: h.silent_since is not None)
        server.token = "another engine's"
        await server.start()
        health = await watch.until(lambda h: "another" in h.message)
        assert health.silent_since is not None


async def test_a_query_that_meets_another_server_finds_out(server: ProbedServer) -> None:
    """A server changed behind our back is not taken for a zombie of ours."""
    async with watching(server.port, pace=replace(QUICK, service_s=60.0)) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        server.token = "another engine's"
        await watch.until(lambda h: "another Spark Connect server" in h.message)
        assert not any(health.is_zombie for health in watch.said)


# --- queries ---


async def test_one_failed_query_is_nothing(server: ProbedServer) -> None:
    """What is not confirmed a moment later is forgotten."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        answers = iter([HANDLER_FAILED])
        server.query = lambda session: next(answers, Answer("OK"))
        await calls(server, "execute", 4)
        assert watch.said == [READY]


async def test_a_server_whose_queries_fail_is_a_zombie(server: ProbedServer) -> None:
    """Failing queries are silence of a zombie while the service answers; a query that runs again clears it."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        server.query = Answer("INTERNAL", "java.lang.NullPointerException: broken")
        health = await watch.until(lambda h: h.silent_since is not None)
        assert health.is_zombie
        assert not health.context_stopped
        assert health.message == (
            "the service responds, but a query failed (INTERNAL: java.lang.NullPointerException: broken)"
        )
        server.query = Answer("OK")
        await watch.until(lambda h: h == READY)


async def test_a_server_whose_queries_hang_is_a_zombie(server: ProbedServer) -> None:
    """No answer within the deadline, though the service answers: a zombie; the late answer still clears it."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await calls(server, "execute", 2)
        server.querying.clear()
        health = await watch.until(lambda h: h.silent_since is not None)
        assert health.is_zombie
        assert "did not finish within 0.6 s" in health.message
        number = server.calls.count("execute")
        server.querying.set()
        await watch.until(lambda h: h == READY)
        assert number <= server.calls.count("execute") <= number + 2


async def test_a_query_that_hangs_for_good_hides_no_stopped_context(server: ProbedServer) -> None:
    """One that ran when the context was stopped gets no answer ever: another one is asked, and its words count."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await calls(server, "execute", 2)
        server.querying = asyncio.Event()
        await calls(server, "execute", 1)
        server.querying = asyncio.Event()
        server.querying.set()
        server.query = STOPPED
        began = asyncio.get_running_loop().time()
        assert (await watch.until(lambda h: h.context_stopped)).is_zombie
        assert asyncio.get_running_loop().time() - began < QUICK.hard_deadline_s


async def test_a_stopped_context_is_believed_the_second_time(server: ProbedServer) -> None:
    """An engine that says twice that its SparkContext is stopped is past help."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        number = server.calls.count("execute")
        server.query = STOPPED
        health = await watch.until(lambda h: h.context_stopped)
        assert health.is_zombie
        assert health.silent_since is not None
        assert server.calls.count("execute") >= number + 2


async def test_a_stopped_context_is_found_without_words(server: ProbedServer) -> None:
    """Spark 4.3 says it once in words; from then on its error handler fails on every call, and that counts too."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        server.identify = HANDLER_FAILED
        answers = iter([STOPPED])
        server.query = lambda session: next(answers, HANDLER_FAILED)
        assert (await watch.until(lambda h: h.context_stopped)).is_zombie


async def test_a_failing_handler_alone_is_no_stopped_context(server: ProbedServer) -> None:
    """Queries that fail without words, while other calls are answered, are a zombie with its time of grace."""
    server.query = HANDLER_FAILED
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.is_zombie)
        await calls(server, "execute", 3)
        assert not watch.health.context_stopped


async def test_a_closed_session_is_no_miss(server: ProbedServer) -> None:
    """Another client closed the probe session: the next one is taken, for good."""
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.ready)
        await called(server, "execute", 1)
        first = server.sessions[-1]
        server.query = lambda session: NO_SESSION if session == first else Answer("OK")
        await calls(server, "execute", 4)
        assert watch.said == [READY]
        assert len(set(server.sessions)) == 2
        assert len(set(server.sessions[-2:])) == 1


async def test_an_engine_that_keeps_no_session_is_a_zombie(server: ProbedServer) -> None:
    """Losing every session is a fault of the engine."""
    server.query = NO_SESSION
    async with watching(server.port) as watch:
        await watch.until(lambda h: h.is_zombie)


async def test_an_engine_that_says_no_has_answered(server: ProbedServer) -> None:
    """A query refused by a limit or cancelled by a user is an answer."""
    server.query = Answer("RESOURCE_EXHAUSTED", "too many sessions")
    async with watching(server.port) as watch:
        await calls(server, "execute", 4)
        assert watch.said == [READY]


async def test_probes_use_one_session(server: ProbedServer) -> None:
    """Each new session stays in the engine's heap for an hour: a life has one, for every gateway that probes it."""
    async with watching(server.port):
        await calls(server, "execute", 3)
    async with watching(server.port):
        await calls(server, "execute", 3)
    assert len(set(server.sessions)) == 1


# --- external engines ---


@pytest.mark.parametrize("answer", [Answer("OK"), REFUSED, Answer("UNIMPLEMENTED", "?"), Answer("INTERNAL", "[X] no")])
async def test_an_external_engine_is_alive_by_any_answer(server: ProbedServer, answer: Answer) -> None:
    """Nothing is known of its ways: any gRPC status will do, its token is not tried, and no query is run."""
    server.refuse = answer
    async with watching(server.port, platform="external", token="") as watch:
        await watch.until(lambda h: h.ready)
        await calls(server, "analyze", 3)
        assert {"analyze"} == set(server.calls)
        assert watch.said == [READY]


async def test_an_external_engine_comes_back_by_itself(server: ProbedServer) -> None:
    """It is silent while nothing answers, and never a zombie."""
    async with watching(server.port, platform="external", host="localhost") as watch:
        await watch.until(lambda h: h.ready)
        await server.stop()
        health = await watch.until(lambda h: h.silent_since is not None)
        assert not health.is_zombie
        await server.start()
        await watch.until(lambda h: h == READY)


async def test_a_name_that_does_not_resolve_is_silence() -> None:
    """The error names an unknown host."""
    async with watching(1, platform="external", host="no-such-host.invalid") as watch:
        health = await watch.until(lambda h: h.silent_since is not None)
        assert "no-such-host.invalid" in health.message


# --- many, and the end ---


async def test_a_frozen_engine_delays_no_other(server: ProbedServer) -> None:
    """Each life has its own probes: one that hangs is nothing to its neighbour."""
    async with ProbedServer() as frozen, watching(frozen.port) as hanging, watching(server.port) as watch:
        await hanging.until(lambda h: h.ready)
        frozen.running.clear()
        number = server.calls.count("analyze")
        await hanging.until(lambda h: h.silent_since is not None)
        assert server.calls.count("analyze") >= number + 3
        assert watch.said == [READY]


async def test_a_closed_pulse_is_quiet_and_leaves_nothing(server: ProbedServer) -> None:
    """Closing ends every task and connection within moments, though calls hang, and no task is woken after it."""
    before = asyncio.all_tasks()
    prober, said = ConnectProber({"local": QUICK}), []
    pulses = [
        prober.watch(engine(f"{n:016x}"), Endpoint("127.0.0.1", server.port), "right", said.append) for n in range(5)
    ]
    await called(server, "execute", 5)
    server.running.clear()
    await calls(server, "analyze", 1)
    began = time.monotonic()
    await pulses[0].close()
    await pulses[0].close()
    await prober.close()
    assert time.monotonic() - began < 0.5
    said.clear()
    server.running.set()
    await server.stop()
    await asyncio.sleep(0.3)
    assert said == []
    ours = {task for task in asyncio.all_tasks() - before if "rucat_jupyter" in str(task)}
    assert ours == set()


async def test_a_pulse_can_be_closed_at_any_moment(server: ProbedServer) -> None:
    """No cancellation is swallowed, wherever it hits (before Python 3.12 ``asyncio.wait_for`` does that)."""
    hasty = replace(QUICK, service_s=0.001, query_s=0.001, activity_s=0.001, eager_s=0.001)
    async with FakeUi() as ui, ProbedServer() as dead:
        await dead.stop()
        for step in range(150):
            prober = ConnectProber({"local": hasty})
            for number, port in enumerate((server.port, dead.port)):
                watched = engine(f"{number:016x}")
                prober.watch(watched, Endpoint("127.0.0.1", port, ui.url), "right", lambda engine_id: None)
            for _ in range(step):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0001 * step)
            closing = asyncio.create_task(prober.close())
            assert (await asyncio.wait({closing}, timeout=5))[0], f"close hangs after {step} steps"


async def test_a_pause_of_this_process_is_no_miss() -> None:
    """A deadline that passed while this process was stopped says nothing: the engine is asked again."""
    tier = ServiceTier(
        Endpoint("127.0.0.1", 1),
        "right",
        is_managed=False,
        rhythm=Rhythm(replace(QUICK, deadline_s=0.05, prompt_s=0.05)),
        on_news=lambda: None,
    )
    answers = [Answer("DEADLINE_EXCEEDED"), Answer("UNAUTHENTICATED")]

    async def ask(deadline_s: float) -> Answer:
        if len(answers) == 2:
            time.sleep(0.2)  # the whole process stands still
        return answers.pop(0)

    tier.line = SimpleNamespace(ask=ask)  # type: ignore[assignment]
    assert await tier.is_prompt()
    assert answers == []


async def test_a_probe_that_breaks_is_logged(server: ProbedServer, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake of ours does not end in silence: it is logged with the engine's id."""
    prober = ConnectProber({"local": QUICK})
    pulse = prober.watch(engine(), Endpoint("127.0.0.1", server.port), "right", lambda engine_id: 1 / 0)
    await calls(server, "analyze", 1)
    end = time.monotonic() + 5
    while "0123456789abcdef internal error: a probe" not in caplog.text:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    await pulse.close()


def test_the_everyday_pace_is_that_of_the_design() -> None:
    """Every 5 and 15 s here, 15 and 30 s elsewhere, each with a deadline of 12 s; silence within 30 s."""
    local = PACES["local"]
    assert (local.service_s, local.query_s, local.deadline_s) == (5.0, 15.0, 12.0)
    assert (REMOTE_PACE.service_s, REMOTE_PACE.query_s, REMOTE_PACE.deadline_s) == (15.0, 30.0, 12.0)
    assert 1.1 * local.service_s + local.deadline_s < 30
    assert 1.1 * local.query_s + local.deadline_s + local.prompt_s < 31


def test_what_is_silent_is_looked_at_less_and_less() -> None:
    """All the time for a minute, then each second, and after ten minutes at the usual pace."""
    rhythm = Rhythm(Pace(), spread=lambda: 0.5)
    assert (rhythm.eager(0), rhythm.eager(60), rhythm.eager(600)) == (0.2, 1.0, 5.0)


async def test_a_long_error_of_the_probe_query_is_read_whole() -> None:
    """Cut by the transport it has no error class, and a healthy engine would count as broken."""
    said = "[UNSUPPORTED_CATALOG] " + "\u8868" * 2026
    async with ProbedServer() as server:
        server.query = Answer("INTERNAL", said)
        line = Line(Endpoint("127.0.0.1", server.port), "right", lambda: None)
        try:
            assert await line.query("0d9f0f0e-8f5c-5d0a-9e42-7a8a3f6f1d52", 5.0) == Answer("INTERNAL", said)
        finally:
            await line.close()

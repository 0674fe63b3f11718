"""Health probes and signs of use of a real engine: alive, busy, frozen, a zombie, dead, and back again.

One engine serves them all: each test finds it running, and starts its next run where the one before has ended it.
They probe faster than every day, with the deadlines of every day where no accusation is what is promised. The slow
tests at the end do the same at the everyday pace.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import grpc
import pyspark.sql.connect.proto as pb
import pytest
import pytest_asyncio
from fakes.stop_context import CALL, make_jar
from support.local import TOKEN, driver, machine, new_engine, next_run

from rucat_jupyter.core.engine import Engine
from rucat_jupyter.core.lifecycle import Health
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Activity
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.core.timeouts import within
from rucat_jupyter.platforms.local.platform import LocalPlatform
from rucat_jupyter.spark.connect.messages import PROBE_USER, SERVICE, probe_session
from rucat_jupyter.spark.connect.pace import Pace
from rucat_jupyter.spark.probes.prober import ConnectProber, ConnectPulse

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

READY = Health(ready=True)
EVERYDAY = Pace()
QUICK = replace(EVERYDAY, service_s=0.5, query_s=1.0, activity_s=0.5)
"""More probes, and the default deadlines."""

SQL = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
for statement in sys.argv[2:]:
    print(spark.sql(statement).collect(), flush=True)
"""
BUSY = """
import sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
work = "sum(conv(substr(sha2(cast(id as string), 512), 1, 8), 16, 10))"
end = time.monotonic() + float(sys.argv[2])
print("busy", flush=True)
while time.monotonic() < end:
    spark.range(0, 3_000_000, 1, 16).selectExpr(work).collect()
print("done", flush=True)
"""


@dataclass
class Life:
    """A real engine, and all reports of its probes."""

    folder: Path
    platform: LocalPlatform
    engine: Engine
    started: float = 0.0
    said: list[Health] = field(default_factory=list)
    prober: ConnectProber | None = None
    pulse: ConnectPulse | None = None
    looks: int = 0
    is_usable: bool = False

    async def start(self) -> None:
        """Start the engine, or the next run of one that a test has ended."""
        if self.started:
            await self.platform.stop(self.engine)
            await self.platform.clean(self.engine)
            self.engine = next_run(self.engine)
        self.started = time.monotonic()
        await self.platform.start(self.engine, TOKEN)
        self.is_usable = True

    async def use(self) -> None:
        """Have it running, and answering queries."""
        if self.is_usable:
            return
        await self.start()
        async with self.watched():
            await self.until(lambda h: h == READY, 120)
            await self.sql("VALUES (1)")

    def _draw(self) -> float:
        """Called by each probe at the end of each look."""
        self.looks += 1
        return 0.5

    async def endpoint(self) -> Endpoint:
        endpoint = await self.platform.endpoint(self.engine)
        assert endpoint is not None
        return endpoint

    @asynccontextmanager
    async def watched(self, pace: Pace = QUICK, token: str = TOKEN.token) -> AsyncIterator[ConnectPulse]:
        self.said.clear()
        self.prober = ConnectProber({"local": pace}, spread=self._draw)

        def wake(engine_id: str) -> None:
            if self.said[-1:] != [pulse.health]:  # else it is busyness that has changed
                self.said.append(pulse.health)

        self.pulse = pulse = self.prober.watch(self.engine, await self.endpoint(), token, wake)
        try:
            yield pulse
        finally:
            await self.prober.close()

    async def look_on(self, looks: int) -> None:
        """Wait until the probes have looked so often again, in which a wrong word would have been said."""
        seen, end = self.looks, time.monotonic() + 60
        while self.looks < seen + looks:
            assert time.monotonic() < end, f"{self.looks - seen} looks of {looks}"
            await asyncio.sleep(0.02)

    async def settled(self, pulse: ConnectPulse) -> Activity | None:
        """Wait until Spark's listeners have caught up: they run behind its responses."""
        end, before = time.monotonic() + 60, None
        while before is None or before != pulse.activity:
            assert time.monotonic() < end, pulse.activity
            before = pulse.activity
            await self.look_on(10)
        return before

    async def until(self, is_so: Callable[[Health], bool], within_s: float) -> float:
        """Wait until the health is so, and return the seconds that it took."""
        assert self.pulse is not None
        began = time.monotonic()
        while not is_so(self.pulse.health):
            assert time.monotonic() - began < within_s, self.said
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    def send(self, number: signal.Signals) -> None:
        os.kill(driver(self.folder, self.engine).pid, number)

    async def remote(self) -> str:
        endpoint = await self.endpoint()
        return f"sc://{endpoint.host}:{endpoint.port}/;authorization=Bearer%20{TOKEN.token};user_id=alice"

    async def sql(self, *statements: str) -> str:
        """Run statements by a client of its own, and return what it prints."""
        out, code = await self._client(*statements)
        assert code == 0
        return out

    async def stop_context(self, folder: Path) -> None:
        """Make a zombie of it. The query that does it ends by an error, when the context is gone before its end."""
        self.is_usable = False
        await self._client(f"ADD JAR '{make_jar(folder)}'", CALL)

    async def _client(self, *statements: str) -> tuple[str, int | None]:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SQL, await self.remote(), *statements, stdout=subprocess.PIPE
        )
        out, _ = await within(60, client.communicate())
        return out.decode(), client.returncode

    @asynccontextmanager
    async def busy(self, seconds: float) -> AsyncIterator[asyncio.subprocess.Process]:
        """All cores at work, by a client of its own."""
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", BUSY, await self.remote(), str(seconds), stdout=subprocess.PIPE
        )
        assert client.stdout is not None
        try:
            assert await within(60, client.stdout.readline()) == b"busy\n"
            yield client
            assert await within(seconds + 60, client.stdout.readline()) == b"done\n"
            assert await within(60, client.wait()) == 0
        finally:
            with suppress(ProcessLookupError):
                client.kill()
            await client.wait()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def new_life(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Life]:
    """An engine that is not started yet, or the one of the previous test."""
    folder = tmp_path_factory.mktemp("health")
    async with machine(folder) as platform:
        engine = await new_engine(platform, EngineSpec())
        yield Life(folder, platform, engine)


@pytest_asyncio.fixture(loop_scope="module")
async def life(new_life: Life) -> Life:
    """An engine that runs."""
    await new_life.use()
    return new_life


async def frozen_after(life: Life, seconds: float) -> None:
    """Freeze the engine for some seconds, then continue it."""
    life.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        life.send(signal.SIGCONT)


async def test_running_is_seen_immediately(new_life: Life) -> None:
    """The pulse that waits for a starting engine is ready within moments of its port, and queries run."""
    life = new_life
    await life.start()
    async with life.watched() as pulse:
        endpoint = await life.endpoint()
        while not await _listens(endpoint):
            assert time.monotonic() - life.started < 120
            await asyncio.sleep(0.02)
        lag_s = await life.until(lambda h: h.ready, 10)
        print(f"ready {time.monotonic() - life.started:.2f} s after the start, {lag_s:.2f} s after the port")
        assert lag_s < 2.0
        await _until_activity(pulse, lambda a: not a.running)
        await life.sql("VALUES (1)")
        assert life.said[-1] == READY
        assert pulse.health == READY


async def test_use_is_seen_and_probes_are_not_use(life: Life) -> None:
    """A query without a job is use, a running one is use now; minutes of probes are not."""
    async with life.watched() as pulse:
        await _until_activity(pulse, lambda a: not a.running)
        quiet = await life.settled(pulse)
        await life.look_on(15)
        assert pulse.activity == quiet
        before = datetime.now(timezone.utc)
        await life.sql("VALUES (1), (2)")
        used_at = (await _until_activity(pulse, lambda a: not a.running and a != quiet)).used_at
        assert used_at is not None
        assert before - timedelta(seconds=2) < used_at <= datetime.now(timezone.utc)
        async with life.busy(2):
            await _until_activity(pulse, lambda a: a.running > 0)
        await _until_activity(pulse, lambda a: a.running == 0)


@pytest.mark.all
async def test_a_busy_engine_stays_healthy(life: Life) -> None:
    """Ten seconds of work on every core: each probe is answered in time."""
    async with life.watched():
        await life.until(lambda h: h.ready, 10)
        async with life.busy(10):
            pass
        assert life.said == [READY]


@pytest.mark.all
async def test_a_closed_probe_session_is_replaced(life: Life) -> None:
    """The probe session is released: the next one is used, and no miss is reported."""
    endpoint = await life.endpoint()
    request = pb.ReleaseSessionRequest(session_id=probe_session(life.engine.run_name, 0))
    request.user_context.user_id = PROBE_USER
    async with life.watched():
        await life.until(lambda h: h.ready, 10)
        async with grpc.aio.insecure_channel(f"{endpoint.host}:{endpoint.port}") as channel:
            release = channel.unary_unary(SERVICE + "ReleaseSession")
            metadata = (("authorization", f"Bearer {TOKEN.token}"),)
            await release(request.SerializeToString(), metadata=metadata, timeout=10)
        await life.look_on(20)
        assert life.said == [READY]


@pytest.mark.all
async def test_a_stranger_s_token_is_refused(life: Life) -> None:
    """Another engine's pulse, on what was its port: not ready, and the message says why."""
    async with life.watched(token="another") as pulse:
        await life.until(lambda h: "another Spark Connect server" in h.message, 10)
        assert not pulse.health.ready


@pytest.mark.all
async def test_a_short_pause_is_not_reported(life: Life) -> None:
    """A pause of three seconds is within the deadline."""
    async with life.watched():
        await life.until(lambda h: h.ready, 10)
        await frozen_after(life, 3)
        await life.look_on(5)
        assert life.said == [READY]


@pytest.mark.all
async def test_a_frozen_engine_is_silent_until_it_continues(life: Life) -> None:
    """Silent after the deadline, without a fault of Spark; heard again as soon as it continues."""
    async with life.watched(replace(QUICK, deadline_s=2.0)):
        await life.until(lambda h: h.ready, 10)
        life.send(signal.SIGSTOP)
        try:
            silent_s = await life.until(lambda h: h.silent_since is not None, 6)
            await asyncio.sleep(2)
        finally:
            life.send(signal.SIGCONT)
        heard_s = await life.until(lambda h: h == READY, 6)
        print(f"silent {silent_s:.2f} s after SIGSTOP (deadline 2 s), heard {heard_s:.2f} s after SIGCONT")
        assert heard_s < 1.0
        await life.look_on(10)
        assert life.said[-1] == READY
        assert not any(health.is_zombie for health in life.said)


async def test_a_stopped_context_is_found(life: Life, tmp_path: Path) -> None:
    """A SparkContext stopped in a live process, whose service still answers: found, and past help."""
    async with life.watched() as pulse:
        await life.until(lambda h: h.ready, 10)
        await life.stop_context(tmp_path)
        found_s = await life.until(lambda h: h.context_stopped, 30)
        print(f"stopped context found after {found_s:.2f} s (query every 1 s): {pulse.health.message}")
        assert pulse.health.is_zombie
        assert pulse.health.silent_since is not None


async def test_a_killed_engine_is_silent_immediately(life: Life) -> None:
    """The connection breaks with the process: no interval has to pass."""
    async with life.watched(replace(EVERYDAY, service_s=60.0)) as pulse:
        await life.until(lambda h: h.ready, 10)
        life.is_usable = False
        life.send(signal.SIGKILL)
        silent_s = await life.until(lambda h: not h.is_zombie and h.silent_since is not None, 10)
        print(f"silent {silent_s:.2f} s after SIGKILL: {pulse.health.message}")
        assert silent_s < 2.0


# --- at the everyday pace ---


@pytest.mark.all
@pytest.mark.slow
async def test_the_next_run_is_heard_on_the_same_port(life: Life) -> None:
    """A pulse that saw the engine die hears it again when it is back."""
    port = (await life.endpoint()).port
    async with life.watched():
        await life.until(lambda h: h == READY, 10)
        await life.start()
        await life.until(lambda h: h.silent_since is not None, 10)
        await life.until(lambda h: h == READY, 120)
        assert (await life.endpoint()).port == port


@pytest.mark.all
@pytest.mark.slow
async def test_a_long_garbage_collection_raises_no_alarm(life: Life) -> None:
    """A pause of ten seconds, with the default intervals: no report."""
    async with life.watched(EVERYDAY):
        await life.until(lambda h: h.ready, 10)
        for _ in range(3):
            await frozen_after(life, 10)
            await life.look_on(2)
        assert life.said == [READY]


@pytest.mark.all
@pytest.mark.slow
async def test_a_frozen_engine_is_reported_within_30_s(life: Life) -> None:
    """SIGSTOP is reported within 30 s and SIGCONT within 6 s, with the default intervals."""
    async with life.watched(EVERYDAY):
        await life.until(lambda h: h.ready, 10)
        life.send(signal.SIGSTOP)
        try:
            silent_s = await life.until(lambda h: h.silent_since is not None, 30)
            await asyncio.sleep(20)
        finally:
            life.send(signal.SIGCONT)
        heard_s = await life.until(lambda h: h == READY, 6)
        print(f"silent {silent_s:.1f} s after SIGSTOP, heard {heard_s:.2f} s after SIGCONT")
        await life.look_on(5)
        assert life.said[-1] == READY
        assert not any(health.is_zombie for health in life.said)


@pytest.mark.all
@pytest.mark.slow
async def test_a_zombie_is_found_within_30_s(life: Life, tmp_path: Path) -> None:
    """A stopped SparkContext is found within 30 s, with the default intervals."""
    async with life.watched(EVERYDAY):
        await life.until(lambda h: h.ready, 10)
        await life.stop_context(tmp_path)
        print(f"found after {await life.until(lambda h: h.context_stopped, 30):.1f} s")


async def _listens(endpoint: Endpoint) -> bool:
    try:
        _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def _until_activity(pulse: ConnectPulse, is_so: Callable[[Activity], bool], within_s: float = 30) -> Activity:
    end = time.monotonic() + within_s
    while pulse.activity is None or not is_so(pulse.activity):
        assert time.monotonic() < end, pulse.activity
        await asyncio.sleep(0.02)
    return pulse.activity

"""Lives of local engines: begun once, found again, seen to end, ended whole. With a Java that plays its part."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import stat
from functools import partial
from pathlib import Path

import pytest
from fakes.java import make_java
from fakes.streams import listening
from support.local import TOKEN, deleted, driver, look, machine, new_engine, next_run, opened, running, until

from rucat_jupyter.core.engine import Credential, Engine, Reason, State, Target
from rucat_jupyter.core.errors import PlatformError
from rucat_jupyter.core.lifecycle import Presence
from rucat_jupyter.core.ports.platform import Leftover
from rucat_jupyter.core.spec import EngineSpec, LocalSpec
from rucat_jupyter.host import free_ports, logfile
from rucat_jupyter.host import machine as machine_module
from rucat_jupyter.host.machine import Room
from rucat_jupyter.host.processes import start_mark
from rucat_jupyter.platforms.local import lives
from rucat_jupyter.platforms.local.platform import LocalPlatform
from rucat_jupyter.platforms.local.processes import Process, find_engines, find_family
from rucat_jupyter.platforms.local.run_folder import RunFolder


@pytest.fixture
def java(tmp_path: Path) -> Path:
    return make_java(tmp_path / "java")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data é %"


@pytest.fixture
def spec(java: Path, tmp_path: Path):
    def make(mode: str = "serve", **fields: object) -> EngineSpec:
        env = {"JAVA_HOME": str(java), "FAKE_JAVA": mode}
        return EngineSpec(env=env, local=LocalSpec(directory=str(tmp_path)), **fields)

    return make


class GatewayDied(BaseException):
    pass


async def started(platform: LocalPlatform, spec: EngineSpec, credential: Credential = TOKEN) -> Engine:
    engine = await new_engine(platform, spec)
    await platform.start(engine, credential)
    return engine


async def came_up(platform: LocalPlatform, engine: Engine) -> None:
    async def is_up():
        seen = await look(platform, engine)
        assert seen.presence is Presence.ALIVE, seen
        return seen.message == ""

    await until("its server listens", is_up)


async def last_line(platform: LocalPlatform, engine: Engine) -> str:
    (line,) = [line async for line in platform.logs(engine, 1, False)]
    return line


async def ended(platform: LocalPlatform, engine: Engine):
    async def end():
        seen = await look(platform, engine)
        return seen.end if seen.presence is Presence.ENDED else None

    return await until("it has ended", end)


async def test_start_looks_alive_and_stop_leaves_only_log_and_record(data, spec):
    """A life begins, is seen, ends in order, and leaves its log and its record."""
    async with machine(data) as platform:
        engine = await started(platform, spec())
        await came_up(platform, engine)
        await platform.stop(engine)
        seen = await look(platform, engine)
        assert (seen.presence, seen.end.reason, seen.end.message) == (Presence.ENDED, None, "stopped")
        await platform.clean(engine)
        assert (await look(platform, engine)).presence is Presence.ABSENT
        left = sorted(str(p.relative_to(data / "runs" / engine.run_name)) for p in (data / "runs").rglob("*"))[1:]
        assert left == ["log", "log/engine.log", "run.json"]
        assert "stop() from shutdown hook" in (await last_line(platform, engine))


async def test_stop_clean_and_remove_of_nothing_are_quiet(data, spec):
    """What is not there has ended, is clean, and is removed."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec())
        await platform.stop(engine)
        await platform.clean(engine)
        await platform.clean(deleted(engine))
        await platform.remove(Leftover(engine.id, 1))
        assert (await look(platform, engine)).presence is Presence.ABSENT
        assert await platform.endpoint(engine) is None
        assert [line async for line in platform.logs(engine, None, True)] == []


async def test_files_are_their_owners_alone(data, spec):
    """Files of a run are 0600 and folders 0700, and the token is in none of them."""
    async with machine(data) as platform:
        secret = Credential(token="canary-token", conf={"spark.x.password": "canary-conf"})
        engine = await started(platform, spec(conf={"spark.x.password": "***"}), secret)
        await came_up(platform, engine)
        folder = data / "runs" / engine.run_name
        for path in (folder, *folder.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        texts = {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}
        assert [name for name, text in texts.items() if "canary-token" in text] == []
        assert [name for name, text in texts.items() if "canary-conf" in text] == ["java.args"]


async def test_twenty_concurrent_starts_make_one_process(data, spec):
    """However often and concurrently a run is started, it is one process."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec())
        await asyncio.gather(*(platform.start(engine, TOKEN) for _ in range(20)))
        assert [*find_engines(data.resolve() / "runs")] == [engine.run_name]
        pid = driver(data, engine).pid
        await platform.start(engine, TOKEN)
        assert driver(data, engine).pid == pid


async def test_a_life_that_ended_never_begins_again(data, spec):
    """A start that comes late finds that its life is over, before and after the clean-up."""
    async with machine(data) as platform:
        engine = await started(platform, spec())
        await platform.stop(engine)
        for _ in range(2):
            with pytest.raises(PlatformError, match="has already ended"):
                await platform.start(engine, TOKEN)
            assert find_engines(data.resolve() / "runs") == {}
            await platform.clean(engine)


async def test_cancelled_start_is_finished_and_found(data, spec):
    """A start whose caller gave up is one life all the same."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec())
        task = asyncio.create_task(platform.start(engine, TOKEN))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await platform.start(engine, TOKEN)
        await came_up(platform, engine)
        assert [*find_engines(data.resolve() / "runs")] == [engine.run_name]


async def test_stop_right_after_a_cancelled_start_wins(data, spec):
    """A stop that meets a start in flight waits for it and ends it."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec())
        task = asyncio.create_task(platform.start(engine, TOKEN))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await platform.stop(engine)
        assert (await look(platform, engine)).presence is not Presence.ALIVE
        assert find_engines(data.resolve() / "runs") == {}


@pytest.mark.parametrize("is_adopted", [False, True])
@pytest.mark.parametrize("by_pidfd", [True, False])
async def test_kill_is_seen_immediately(data, spec, monkeypatch, is_adopted, by_pidfd):
    """The end of an engine rings in a fraction of a second, of an adopted one too, with and without pidfds."""
    if not by_pidfd:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    async with machine(data) as first, opened(data) as second:
        engine = await started(first, spec())
        await came_up(first, engine)
        platform = second if is_adopted else first
        if is_adopted:
            await came_up(second, engine)
            await first.close()
        ringing = asyncio.create_task(anext(platform.changes()))
        await asyncio.sleep(0)
        os.kill(driver(data, engine).pid, signal.SIGKILL)
        assert await asyncio.wait_for(ringing, 1.0) == engine.id
        seen = await look(platform, running(engine))
        assert (seen.presence, seen.end.reason) == (Presence.ENDED, Reason.EXITED)
        assert "signal 9" in seen.end.message  # in this test the adopted process is a child of ours as well


async def test_an_engine_that_ended_unseen_is_lost(data, spec):
    """An engine that ended while no gateway was there is Lost, with the last lines of its log."""
    async with machine(data) as platform:
        engine = await started(platform, spec("say:the last word"))
        await came_up(platform, engine)
        await platform.close()
        process = driver(data, engine)
        os.kill(process.pid, signal.SIGKILL)
        os.waitpid(process.pid, 0)
        async with opened(data) as later:
            seen = await look(later, running(engine))
            assert (seen.presence, seen.end.reason) == (Presence.ENDED, Reason.LOST)
            assert "the last word" in seen.end.message


async def test_after_a_reboot_it_is_stopped_and_not_failed(data, spec):
    """With another boot id the process of before is gone, whatever has its pid now, and that is no failure."""
    async with machine(data, boot_id="one") as platform:
        engine = await started(platform, spec())
        process = driver(data, engine)
        await platform.close()
        os.kill(process.pid, signal.SIGKILL)
        os.waitpid(process.pid, 0)
        async with opened(data, boot_id="two") as later:
            seen = await look(later, running(engine))
            assert (seen.presence, seen.end.reason) == (Presence.ENDED, None)
            assert seen.end.message == "machine restarted"
            assert await later.endpoint(engine) is None


async def test_a_spawn_that_was_not_recorded_is_found(data, spec, monkeypatch):
    """A gateway that dies between spawn and record leaves no unknown process: the next one adopts it."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec())
        change = RunFolder.change

        def dies(folder, **changes):
            if "pid" in changes:
                raise GatewayDied
            return change(folder, **changes)

        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "change", dies)
            patch.setattr(lives, "take_back", lambda folder: None)  # a dead gateway cleans nothing up
            with pytest.raises(GatewayDied):
                await asyncio.wait_for(platform._lives._start(engine, TOKEN), 5)
        async with opened(data) as later:
            await came_up(later, engine)
            pid = driver(data, engine).pid
            await later.start(engine, TOKEN)
            assert driver(data, engine).pid == pid
            await later.stop(engine)
            assert find_engines(data.resolve() / "runs") == {}


async def test_a_folder_without_a_process_may_still_begin(data, spec):
    """A gateway that dies before the spawn has begun nothing: a wanted life begins, an unwanted one is removed."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec())
        (data / "runs" / engine.run_name).mkdir(mode=0o700)
        assert (await look(platform, engine)).presence is Presence.ABSENT
        unwanted = engine.model_copy(update={"target": Target.STOPPED})
        assert (await look(platform, unwanted)).presence is Presence.ENDED
        await platform.start(engine, TOKEN)
        await came_up(platform, engine)


async def test_a_recycled_pid_is_never_touched(data, spec):
    """A foreign process that has an engine's pid is not the engine, and a stop leaves it alone."""
    async with machine(data) as platform:
        engine = await started(platform, spec())
        await platform.stop(engine)
        folder = RunFolder(data.resolve() / "runs" / engine.run_name)
        folder.change(pid=os.getpid(), mark="1", has_ended=False, was_stopped=False)
        async with opened(data) as later:
            assert (await look(later, running(engine))).presence is Presence.ENDED
            await later.stop(engine)
            await later.clean(engine)
        assert Process(os.getpid(), start_mark(os.getpid())).is_alive


async def test_stop_ends_everything_that_the_engine_started(data, spec):
    """Workers go with their engine, also those in a session of their own, in order and after a kill -9."""
    async with machine(data) as platform:
        for kill in (False, True):
            engine = await started(platform, spec("children"))
            await came_up(platform, engine)
            assert len(find_family(engine.run_name)) == 2
            if kill:
                os.kill(driver(data, engine).pid, signal.SIGKILL)
                await ended(platform, engine)
                await platform.clean(engine)
            else:
                await platform.stop(engine)
            assert find_family(engine.run_name) == []


@pytest.mark.parametrize("mode", ["deaf", "serve"])
async def test_stop_forces_what_does_not_obey(data, spec, mode):
    """SIGTERM ignored: killed after the grace. Stopped by SIGSTOP: continued, and ended in order."""
    async with machine(data, stop_grace_s=0.3 if mode == "deaf" else 5.0) as platform:
        engine = await started(platform, spec(mode))
        await came_up(platform, engine)
        if mode == "serve":
            os.kill(driver(data, engine).pid, signal.SIGSTOP)
        await platform.stop(engine)
        assert find_family(engine.run_name) == []
        last = await last_line(platform, engine)
        assert ("shutdown hook" in last) is (mode == "serve")


async def test_the_port_stays_across_runs_while_it_is_free(data, spec):
    """The next run has the ports of the last one, also after a start that failed; others when they are taken."""
    async with machine(data) as platform:
        engine = await started(platform, spec())
        first = await platform.endpoint(engine)
        await platform.stop(engine)
        await platform.clean(engine)
        assert await platform.endpoint(engine) is None

        second = next_run(engine)
        wrong = second.model_copy(update={"spark_version": None, "python_version": "2.7.1"})
        with pytest.raises(PlatformError, match="created with Python"):
            await platform.start(wrong, TOKEN)
        assert (await look(platform, second)).presence is Presence.ABSENT

        third = next_run(second)
        await platform.start(third, TOKEN)
        assert await platform.endpoint(third) == first
        await platform.stop(third)
        await platform.clean(third)

        fourth = next_run(third)
        assert free_ports.is_free(first.port)

        async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            pass

        async with listening(leave, first.port):
            await platform.start(fourth, TOKEN)
            other = await platform.endpoint(fourth)
            assert other.port != first.port
            assert other.ui_url == first.ui_url


async def test_a_port_lost_while_starting_is_replaced(data, spec):
    """Another process takes the port before the bind: twice it is tried with another, then it is a failure."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec("port:2"))
        await platform.start(engine, TOKEN)
        before = await platform.endpoint(engine)
        await came_up(platform, engine)
        assert (await platform.endpoint(engine)).port != before.port
        await platform.stop(engine)

        (data / "runs" / "lost-ports").unlink()
        unlucky = await started(platform, spec("port:9"))
        end = await ended(platform, unlucky)
        assert end.reason is Reason.PORT_IN_USE
        assert "Address already in use" in end.message
        assert len((data / "runs" / "lost-ports").read_text()) == lives.PORT_ATTEMPTS


@pytest.mark.parametrize(
    ("mode", "reason", "text"),
    [
        ("crash:1:Exception in thread main: boom", Reason.CRASH_ON_START, "boom"),
        ("crash:3:Terminating due to java.lang.OutOfMemoryError: Java heap space", Reason.OUT_OF_MEMORY, "heap"),
        ("crash:52:", Reason.OUT_OF_MEMORY, "heap"),
        ("crash:1:java.io.IOException: No space left on device", Reason.NO_SPACE, "No space left"),
        ("crash:1:Unrecognized VM option 'UseZGC'", Reason.CONFIG_INVALID, "UseZGC"),
        ("crash:0:", Reason.CRASH_ON_START, "exit code 0"),
    ],
)
async def test_the_end_has_its_reason(data, spec, mode, reason, text):
    """Why an engine ended is read from its exit code and its last words."""
    async with machine(data) as platform:
        engine = await started(platform, spec(mode))
        end = await ended(platform, engine)
        assert (end.reason, text in end.message) == (reason, True), end


async def test_deleted_leaves_nothing_of_any_run(data, spec):
    """After delete no folder, table or process of any run is there; another engine's stay."""
    async with machine(data) as platform:
        engine = await started(platform, spec())
        other = await started(platform, spec())
        await platform.stop(engine)
        second = next_run(engine)
        await platform.start(second, TOKEN)
        for run in (engine, second, other):
            table = data / "warehouse" / run.run_name / "t"
            table.mkdir(parents=True)
        await platform.stop(second)
        await platform.clean(second)
        assert sorted(p.name for p in (data / "warehouse").iterdir()) == sorted(
            [engine.run_name, second.run_name, other.run_name]
        )
        await platform.clean(deleted(second))
        assert [p.name for p in (data / "runs").iterdir()] == [other.run_name]
        assert [p.name for p in (data / "warehouse").iterdir()] == [other.run_name]
        assert [(left.engine_id, left.run) for left in await platform.leftovers()] == [(other.id, 1)]
        assert (await look(platform, other)).presence is Presence.ALIVE


async def test_leftovers_are_found_and_removed(data, spec):
    """A live engine and a kept log are found by what is there alone, and removing them is whole."""
    async with machine(data) as platform:
        living, logged = await started(platform, spec("children")), await started(platform, spec())
        await platform.stop(logged)
        await platform.clean(logged)
        await platform.close()
        async with opened(data) as later:
            found = {(left.engine_id, left.run): left for left in await later.leftovers()}
            assert found.keys() == {(living.id, 1), (logged.id, 1)}
            for leftover in found.values():
                await later.remove(leftover)
            assert await later.leftovers() == []
            assert find_family(living.run_name) == []


async def test_a_running_engine_whose_folder_was_deleted_is_still_known(data, spec):
    """A user deletes the run folder of a live engine: it is alive, a leftover, and can be stopped."""
    async with machine(data) as platform:
        engine = await started(platform, spec())
        await came_up(platform, engine)
        await platform.close()
        RunFolder(data.resolve() / "runs" / engine.run_name).remove()
        async with opened(data) as later:
            assert (await look(later, running(engine))).presence is Presence.ALIVE
            assert [left.engine_id for left in await later.leftovers()] == [engine.id]
            await later.stop(engine)
            assert (await look(later, engine)).presence is Presence.ABSENT


async def test_nothing_is_deleted_through_a_link(data, spec, tmp_path):
    """Links in a run folder, or in place of one, go themselves; what they point to stays."""
    precious = tmp_path / "precious"
    (precious / "deep").mkdir(parents=True)
    async with machine(data) as platform:
        engine = await started(platform, spec())
        folder = data / "runs" / engine.run_name
        (folder / "tmp" / "link").symlink_to(precious)
        (folder / "tmp" / "closed").mkdir(mode=0)
        await platform.stop(engine)
        await platform.clean(engine)
        assert not (folder / "tmp").exists()
        (data / "runs" / f"rucat-{engine.id}-7").symlink_to(precious)
        (data / "warehouse").mkdir(exist_ok=True)
        (data / "warehouse" / f"rucat-{engine.id}-1").symlink_to(precious)
        await platform.clean(deleted(engine))
        await platform.remove(Leftover(engine.id, 7))
    assert (precious / "deep").is_dir()


async def test_looking_at_many_engines_is_cheap_and_whole(data, spec):
    """One answer for each of 1,000 engines, one live among them, without a search of the process table."""
    async with machine(data) as platform:
        engine = await started(platform, spec())
        others = [
            engine.model_copy(update={"id": f"{n:016x}", "state": State.STOPPED, "target": Target.STOPPED})
            for n in range(1000)
        ]
        seen = await platform.observe([engine, *others])
        assert len(seen) == 1001
        assert seen[engine.id].presence is Presence.ALIVE
        assert {seen[other.id].presence for other in others} == {Presence.ABSENT}


async def test_a_start_that_cannot_be_is_refused_with_the_reason(data, spec, monkeypatch):
    """Too little memory, no Java, a full disk: the reason and the numbers, and nothing is left but the ports."""
    async with machine(data) as platform:
        engine = await new_engine(platform, spec(driver={"memory": "9000g"}))
        with pytest.raises(PlatformError, match=r"a heap of 9000\.0 GB needs 9900\.0 GB") as refused:
            await platform.start(engine, TOKEN)
        assert refused.value.details["reason"] == "NoMemory"

        engine = await new_engine(platform, spec())
        bare = engine.spec.model_copy(update={"env": {"JAVA_HOME": "/nonexistent"}})
        with pytest.raises(PlatformError, match="no Java") as refused:
            await platform.start(engine.model_copy(update={"spec": bare}), TOKEN)
        assert refused.value.details["reason"] == "JavaMissing"

        engine = await new_engine(platform, spec())
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "make", lambda folder: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space")))
            with pytest.raises(PlatformError) as refused:
                await platform.start(engine, TOKEN)
        assert refused.value.details["reason"] == "NoSpace"
        assert (await look(platform, engine)).presence is Presence.ABSENT
        assert find_engines(data.resolve() / "runs") == {}
        assert {path.name for path in (data / "runs").rglob("*") if path.is_file()} == {"run.json"}


async def test_concurrent_starts_share_the_available_memory(data, spec, monkeypatch):
    """Ten concurrent starts never promise more than the machine has."""
    monkeypatch.setattr(machine_module, "memory", lambda: Room(total_mb=4000, available_mb=4000))
    async with machine(data) as platform:
        engines = [await new_engine(platform, spec(driver={"memory": "1g"})) for _ in range(10)]
        outcomes = await asyncio.gather(*(platform.start(e, TOKEN) for e in engines), return_exceptions=True)
        refused = [o for o in outcomes if isinstance(o, PlatformError)]
        assert {o.details["reason"] for o in refused} == {"NoMemory"}
        assert 1 <= 10 - len(refused) <= 2


async def test_a_log_that_grows_without_end_is_kept_within_bounds(data, spec, monkeypatch):
    """What an engine prints is rotated while it lives, and the log is read across that."""
    monkeypatch.setattr(logfile, "rotate", partial(logfile.rotate, max_bytes=2000))
    monkeypatch.setattr(lives, "TEND_S", 0.05)
    async with machine(data) as platform:
        engine = await started(platform, spec("say:" + "x" * 3000))
        await came_up(platform, engine)
        log = data / "runs" / engine.run_name / "log" / "engine.log"

        async def is_rotated():
            return log.stat().st_size == 0

        await until("it is rotated", is_rotated)
        assert await last_line(platform, engine) == "x" * 3000

"""One machine, one database, and gateways that come, crash and go: the ground of the monitor's own tests.

Everything runs in virtual time. A gateway's ports are wired through a :class:`Wire`: each IO step of the process
passes there twice, before its effect and after, and the test may end the process, or do something else, at any of
these points.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rucat_jupyter.core.config.resolve import Profiles
from rucat_jupyter.core.engine import Credential, Engine, State, Status, Target, Verb
from rucat_jupyter.core.errors import EngineNotFound, RucatError
from rucat_jupyter.core.lifecycle import Health, Outcome, Timing, is_settled, status_of
from rucat_jupyter.core.ports.platform import Endpoint
from rucat_jupyter.core.ports.probes import Wake
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.monitor import Monitor, Pace
from rucat_jupyter.gateway.use_cases.engines import Gateway
from rucat_jupyter.gateway.use_cases.notifier import Notifier

from .clock import FakeClock
from .memory_store import MemoryDatabase, MemoryStore
from .platform import SITE, FakeLife, FakeMachine, FakePlatform, Key
from .prober import FakeProber, FakePulse

OWNER = "ada"
RESTING = (Status.RUNNING, Status.STOPPED, Status.FAILED)
Hook = Callable[[str], Awaitable[None]]


async def let_pass(name: str) -> None:
    """Let the process go on."""


def _let_sleep(engine_id: str) -> None:
    """Wake no monitor."""


class Wire:
    """The points that one gateway passes; ``hook`` is called at each with its name, and may call :meth:`cut`."""

    def __init__(self, hook: Hook = let_pass) -> None:
        self.hook = hook
        self.is_cut = False
        self.names: list[str] = []
        self.on_cut: Callable[[], None] = lambda: None

    async def pass_point(self, name: str) -> None:
        """One point: a process that is no more does not come any further."""
        if not self.is_cut:
            self.names.append(name)
            await self.hook(name)
        if self.is_cut:
            raise asyncio.CancelledError

    def cut(self) -> None:
        """End the process here and now, as kill -9 does."""
        self.is_cut = True
        self.on_cut()


class Wired:
    """A port behind a wire."""

    def __init__(self, port: object, wire: Wire, name: str) -> None:
        self._port, self._wire, self._name = port, wire, name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._port, attribute)
        if not inspect.iscoroutinefunction(value):
            return value

        async def call(*args: object, **kwargs: object) -> object:
            name = f"{self._name}.{attribute}"
            await self._wire.pass_point(f"{name} begins")
            answer = await value(*args, **kwargs)
            await self._wire.pass_point(f"{name} has ended")
            return answer

        return call


class MachineProber(FakeProber):
    """Probes that find the machine's state immediately."""

    def __init__(self, machine: FakeMachine, clock: FakeClock) -> None:
        super().__init__()
        self.is_blind = False  # finds nothing at all
        self._machine = machine
        self._clock = clock
        machine.listeners.append(self.probe)

    def watch(self, engine: Engine, endpoint: Endpoint, token: str, wake: Wake) -> FakePulse:
        pulse = super().watch(engine, endpoint, token, wake)
        self.probe(engine.id)
        return pulse

    def probe(self, engine_id: str) -> None:
        """Look at the machine."""
        pulse = self.pulse(engine_id)
        if pulse is None or self.is_blind:
            return
        life = self._machine.lives.get((engine_id, pulse.engine.state_run))
        pulse.find(self._health(life, pulse.health))
        pulse.use(life.running if life else 0, life.used_at if life else None)

    def _health(self, life: FakeLife | None, before: Health) -> Health:
        silent_since = before.silent_since or self._clock.now()
        if life is None or not life.is_alive or life.is_frozen:
            return Health(before.ready, silent_since, "no answer within 12 s")
        if life.is_zombie:
            return Health(True, silent_since, "the SparkContext is stopped", is_zombie=True, context_stopped=True)
        return Health(ready=True) if life.answers else Health()

    async def close(self) -> None:
        self._machine.listeners.remove(self.probe)
        await super().close()


@dataclass
class Process:
    """One gateway process: its monitor, its use cases, and how it ends."""

    world: World
    gateway_id: str
    platform: FakePlatform
    wire: Wire = field(default_factory=Wire)
    clock_off_s: float = 0.0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.clock = FakeClock(self.clock_off_s)
        self.own_store = MemoryStore(self.world.clock.now, self.world.database)
        self.store: Any = Wired(self.own_store, self.wire, "store")
        self.prober = MachineProber(self.world.machine, self.clock)
        self.notifier = Notifier()
        self.platform.point = self.wire.pass_point
        platforms: dict[str, Any] = {self.platform.name: Wired(self.platform, self.wire, "platform")}
        ids = iter(range(10**6))
        self.gateway = Gateway(
            self.store, platforms, Profiles(), self.notifier, lambda: f"{next(ids):016x}", lambda: "token", self.wake
        )
        self.monitor = Monitor(
            self.store,
            platforms,
            self.prober,
            self.gateway.ask_as_monitor,
            self.clock,
            self.world.timing,
            gateway_id=self.gateway_id,
            host="host",
            on_change=self.notifier.notify,
            pace=self.pace,
        )
        self.task: asyncio.Task[None] | None = None

    def wake(self, engine_id: str) -> None:
        self.monitor.wake(engine_id)

    async def begin(self) -> None:
        """Start the monitor; when the wire is cut, it is gone."""
        await self.own_store.open()
        self.task = asyncio.ensure_future(self.monitor.run())
        self.wire.on_cut = self.task.cancel

    async def kill(self) -> None:
        """End it without an event."""
        self.wire.cut()
        await self.gone()

    async def gone(self) -> None:
        """Wait until a killed process is gone, and its connections with it."""
        assert self.task is not None
        await asyncio.gather(self.task, return_exceptions=True)
        await self.prober.close()
        self.platform.break_events()

    async def close(self) -> None:
        """End it in order."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        with suppress(asyncio.CancelledError):  # it may be killed while it ends
            await self.monitor.close()
            assert self.prober.open == []
        await self.prober.close()


class World:
    """The machine, the database, the gateways on them, and what must hold of them."""

    def __init__(
        self,
        platform: type[FakePlatform] = FakePlatform,
        timing: Timing | None = None,
        pace: Pace | None = None,
        platform_name: str = "local",
    ) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase()
        self.machine = FakeMachine(before_stop=self._check_stop)
        self.timing = timing or Timing()
        self.pace = pace or Pace()
        self.store = MemoryStore(self.clock.now, self.database)
        self.processes: list[Process] = []
        self.harmed: set[str] = set()  # engines that may fail: something was done to them
        self.asked: dict[str, Verb] = {}  # the last verb of each engine that was acknowledged
        self.may_double_s = -1.0  # never
        self.broken: list[str] = []  # what must not have happened, and did
        self.platform_name = platform_name
        self._platform = platform
        self._later: list[asyncio.Task[None]] = []

    async def process(
        self,
        wire: Wire | None = None,
        *,
        gateway_id: str | None = None,
        clock_off_s: float = 0.0,
        sites: Sequence[str] = (SITE,),
    ) -> Process:
        """A gateway process that has begun."""
        await self.store.open()
        process = Process(
            self,
            gateway_id or f"g{len(self.processes)}",
            self._platform(self.machine, name=self.platform_name, sites=sites),
            wire or Wire(),
            clock_off_s,
            self.pace,
        )
        self.processes.append(process)
        await process.begin()
        return process

    @property
    def live(self) -> list[Process]:
        """Processes that run."""
        return [p for p in self.processes if p.task and not p.task.done() and not p.wire.is_cut]

    def later(self, seconds: float, work: Coroutine[Any, Any, Any]) -> None:
        """Do something after a while; :meth:`close` waits for it."""

        async def wait_and_work() -> None:
            await asyncio.sleep(seconds)
            await work

        self._later.append(asyncio.ensure_future(wait_and_work()))

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*self._later)
        for process in self.live:
            await process.close()

    # --- what people do ----------------------------------------------------------------------------------

    async def create(self, name: str = "etl", **fields: Any) -> str:
        """Record a new engine, and wake the running monitors."""
        spec = EngineSpec(**fields.pop("spec", {}))
        engine_id = fields.pop("id", f"{len(self.database.lines):016x}")
        engine = Engine(
            id=engine_id,
            name=name,
            owner=OWNER,
            profile="local",
            spec=spec,
            created_at=self.clock.now(),
            **{"platform": self.platform_name, "site": SITE, **fields},
        )
        await self.store.create(engine, Credential(token="token"), Note(OWNER, "create"))
        self.wake(engine_id)
        return engine_id

    async def ask(self, engine_id: str, verb: Verb, *, wakes: bool = True) -> Outcome | None:
        """Ask a verb as its owner, by no gateway in particular; None when it is refused or the engine is gone."""
        wake = self.wake if wakes else _let_sleep
        gateway = Gateway(self.store, {}, Profiles(), Notifier(), str, str, wake)
        try:
            outcome, _ = await gateway.ask(OWNER, engine_id, verb)
        except RucatError:
            return None
        self.asked[engine_id] = verb
        return outcome

    def wake(self, engine_id: str) -> None:
        """Tell every gateway that runs."""
        for process in self.live:
            process.wake(engine_id)

    async def get(self, engine_id: str) -> Engine | None:
        """The record, if there is one."""
        try:
            return await self.store.get(engine_id)
        except EngineNotFound:
            return None

    async def status(self, engine_id: str) -> Status | None:
        """What people see; None when the engine is gone."""
        engine = await self.get(engine_id)
        return status_of(engine) if engine else None

    async def until(self, engine_id: str, *statuses: Status | None, within_s: float = 120.0) -> None:
        """Wait until people see one of these."""
        end = self.clock.now().timestamp() + within_s
        while (status := await self.status(engine_id)) not in statuses:
            assert self.clock.now().timestamp() < end, f"{status} after {within_s} s, not {statuses}"
            await asyncio.sleep(0.1)

    # --- what must hold -------------------------------------------------------------------------------------

    def check(self) -> None:
        """I1 to I6 of an undisturbed system that has been left alone for a minute."""
        engines = self.database.engines
        assert self.broken == []
        for engine in engines.values():
            key = engine.id, engine.state_run
            life = self.machine.lives.get(key)
            assert status_of(engine) in RESTING, f"{engine.id} still is {status_of(engine)}"
            alive = self.machine.alive(engine.id)
            assert alive == ([] if is_settled(engine) else [key]), "I1, I3, I5"
            assert self.asked.get(engine.id) is not Verb.STOP or is_settled(engine), "I5: it came back"
            assert engine.failure is None or engine.id in self.harmed, f"I6: {engine.failure}"
            assert life is None or life.is_alive or not life.has_rest, "I2: files of a settled life"
        assert not [e for e, verb in self.asked.items() if verb is Verb.DELETE and e in engines], "I5: not gone"
        records = {(engine.id, engine.state_run) for engine in engines.values()}
        assert [key for key in self.machine.lives if key not in records] == [], "I2: without a record"
        for engine_id, for_s in self.machine.doubled_s.items():
            assert for_s <= self.may_double_s, f"I1: two drivers of {engine_id} for {for_s} s"
        self.check_history()

    def check_history(self) -> None:
        """I4: revisions only grow."""
        revisions: dict[str, int] = {}
        for event, _ in self.database.lines:
            assert event.revision >= revisions.get(event.engine_id, 0)
            revisions[event.engine_id] = event.revision

    def _check_stop(self, key: Key) -> None:
        """I6: no living driver is ended that is wanted."""
        engine = self.database.engines.get(key[0])
        is_wanted = (
            engine is not None
            and engine.target is Target.RUNNING
            and engine.state is not State.STOPPED
            and engine.failure is None
            and (engine.run, engine.state_run) == (key[1], key[1])
        )
        if is_wanted:
            self.broken.append(f"I6: {key} was ended though it is wanted")

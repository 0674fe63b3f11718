"""F19: verbs, faults, crashes and lost races in any order; I1 to I6 hold whenever all is quiet again.

``RUCAT_TEST_STEPS`` is how many steps at least are taken (default 10,000; 50,000 takes minutes).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fakes.clock import virtual_loop
from fakes.world import Wire, World, let_pass
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from rucat_jupyter.core.engine import Reason, Verb
from rucat_jupyter.core.errors import PlatformError
from rucat_jupyter.core.lifecycle import Timing
from rucat_jupyter.gateway.monitor import Pace

STEPS = int(os.environ.get("RUCAT_TEST_STEPS", "10000"))
STEPS_EACH = 50
MOST_ENGINES = 3
MOST_PROCESSES = 2
which = st.integers(0, MOST_ENGINES - 1)


@pytest.fixture(autouse=True)
def _no_defect_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The monitor's guard catches defects too: none may hide there."""
    caplog.set_level(logging.ERROR, "rucat_jupyter")
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


class Life(RuleBasedStateMachine):
    """A machine, a database, up to two gateways, up to three engines, and everything that can happen to them."""

    taken = 0

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.loop = self._stack.enter_context(virtual_loop())
        self.names = 0
        with self._stack.pop_all() as stack:  # closed when the beginning fails: then teardown is not called
            self.run(self._begin())
            self._stack = stack.pop_all()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def _begin(self) -> None:
        timing = Timing(silence_grace_s=20, idle_timeout_s=600, restart_backoff_s=(2, 4))
        self.world = World(timing=timing, pace=Pace(beat_s=5, lost_s=12, look_s=20))
        await self.world.process()

    def engine(self, number: int) -> str | None:
        ids = list(self.world.database.engines)
        return ids[number % len(ids)] if ids else None

    @invariant()
    def count(self) -> None:
        Life.taken += 1

    # --- people -------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.database.engines) < MOST_ENGINES)
    @rule(comes_back=st.booleans(), start_s=st.sampled_from([0.0, 0.0, 3.0]))
    def create(self, comes_back: bool, start_s: float) -> None:
        self.names += 1
        spec = {"restart_policy": "on_failure"} if comes_back else {}
        for process in self.world.live:
            process.platform.start_s = start_s
        self.run(self.world.create(f"e{self.names}", id=f"{self.names:016x}", spec=spec))

    @rule(number=which, verb=st.sampled_from(Verb), wakes=st.booleans())
    def ask(self, number: int, verb: Verb, wakes: bool) -> None:
        engine_id = self.engine(number)
        if engine_id:
            self.run(self.world.ask(engine_id, verb, wakes=wakes))

    # --- the machine --------------------------------------------------------------------------------------

    @rule(number=which, how=st.sampled_from([Reason.EXITED, Reason.OUT_OF_MEMORY, None]))
    def die(self, number: int, how: Reason | None) -> None:
        self.harm(number, lambda engine_id: self.world.machine.die(engine_id, how))

    @rule(number=which)
    def vanish(self, number: int) -> None:
        self.harm(number, self.world.machine.vanish)

    @rule(number=which)
    def freeze(self, number: int) -> None:
        self.harm(number, lambda engine_id: self.world.machine.change(engine_id, is_frozen=True))

    @rule(number=which)
    def thaw(self, number: int) -> None:
        self.harm(number, lambda engine_id: self.world.machine.change(engine_id, is_frozen=False))

    @rule(number=which)
    def stop_context(self, number: int) -> None:
        self.harm(number, lambda engine_id: self.world.machine.change(engine_id, is_zombie=True))

    @rule(number=which, running=st.integers(0, 1))
    def use(self, number: int, running: int) -> None:
        engine_id = self.engine(number)

        async def use() -> None:
            if engine_id:
                self.world.machine.change(engine_id, running=running, used_at=self.world.clock.now())

        self.run(use())

    @rule(lose=st.booleans())
    def lose_events(self, lose: bool) -> None:
        self.world.machine.loses_events = lose

    def harm(self, number: int, act: Any) -> None:
        engine_id = self.engine(number)

        async def harm() -> None:
            if engine_id:
                self.world.harmed.add(engine_id)
                act(engine_id)

        self.run(harm())

    # --- gateways -----------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.live) < MOST_PROCESSES)
    @rule(dies_after=st.none() | st.integers(1, 60), clock_off_s=st.sampled_from([0.0, 300.0, -300.0]))
    def begin_gateway(self, dies_after: int | None, clock_off_s: float) -> None:
        """Another gateway, that may be killed at some IO step to come."""
        wire = Wire()

        async def die(name: str) -> None:
            if len(wire.names) == dies_after:
                wire.cut()

        wire.hook = die
        self.run(self.world.process(wire, clock_off_s=clock_off_s))

    @precondition(lambda self: self.world.live)
    @rule(number=st.integers(0, MOST_PROCESSES - 1))
    def kill_gateway(self, number: int) -> None:
        self.run(self.world.live[number % len(self.world.live)].kill())

    @precondition(lambda self: self.world.live)
    @rule(number=st.integers(0, MOST_PROCESSES - 1))
    def close_gateway(self, number: int) -> None:
        self.run(self.world.live[number % len(self.world.live)].close())

    @precondition(lambda self: self.world.live)
    @rule(number=st.integers(0, MOST_PROCESSES - 1), steps=st.integers(1, 10), for_s=st.sampled_from([1.0, 40.0]))
    def pause_gateway(self, number: int, steps: int, for_s: float) -> None:
        """It stands still at an IO step to come, and goes on: its writes lose their races."""
        wire = self.world.live[number % len(self.world.live)].wire
        before, at = wire.hook, len(wire.names) + steps

        async def pause(name: str) -> None:
            if len(wire.names) == at:
                await asyncio.sleep(for_s)
            await before(name)

        wire.hook = pause

    @precondition(lambda self: self.world.live)
    @rule(number=st.integers(0, MOST_PROCESSES - 1), gap_s=st.sampled_from([31.0, 3600.0]))
    def sleep_and_wake(self, number: int, gap_s: float) -> None:
        self.world.live[number % len(self.world.live)].clock.gap(gap_s)

    @precondition(lambda self: self.world.live)
    @rule(down=st.booleans(), number=st.integers(0, MOST_PROCESSES - 1))
    def platform_outage(self, down: bool, number: int) -> None:
        self.world.live[number % len(self.world.live)].platform.is_down = down

    @precondition(lambda self: self.world.live)
    @rule(refuses=st.booleans())
    def platform_refuses(self, refuses: bool) -> None:
        if refuses:
            self.world.harmed |= {f"{number:016x}" for number in range(1000)}
        for process in self.world.live:
            process.platform.refuses = PlatformError("no", reason=Reason.NO_MEMORY.value) if refuses else None

    @precondition(lambda self: self.world.live)
    @rule(down=st.booleans(), number=st.integers(0, MOST_PROCESSES - 1))
    def store_outage(self, down: bool, number: int) -> None:
        self.world.live[number % len(self.world.live)].own_store.is_down = down

    # --- time ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.5, 3.0, 15.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule()
    def heal_and_check(self) -> None:
        """Everything works again, one gateway runs: a quiet minute later all is as it must be."""
        self.run(self._heal_and_check())

    async def _heal_and_check(self) -> None:
        world = self.world
        for process in world.live:
            process.own_store.is_down = process.platform.is_down = False
            process.platform.refuses = None
            process.wire.hook = let_pass
        world.machine.loses_events = False
        if not world.live:
            await world.process()
        for engine_id in list(world.database.engines):
            world.machine.change(engine_id, is_frozen=False)
        await asyncio.sleep(40 + 15 + 60)  # a pause that was to come, a heartbeat that ages, and the quiet minute
        world.check()

    def teardown(self) -> None:
        try:
            self.run(self._heal_and_check())
            self.run(self.world.close())
        finally:
            self._stack.close()


@pytest.mark.timeout(900)  # Hypothesis shrinks a failure for five minutes, and must be able to show it
def test_everything_in_any_order() -> None:
    """The invariants hold after any sequence of verbs, faults, crashes, pauses and outages."""
    Life.taken = 0
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=STEPS // 40,
            stateful_step_count=STEPS_EACH,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{Life.taken} steps")
    assert Life.taken >= STEPS

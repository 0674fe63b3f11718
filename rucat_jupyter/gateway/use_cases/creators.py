"""Stops engines whose creators have ended: scripts, nbconvert, papermill and their kernels.

An orderly exit stops an engine without a name (the client does that). A kill is no orderly exit, so the engine's spec
names the processes that it ends with. Where this gateway cannot see them (another PID namespace, another machine) the
client renews a lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ...core.engine import Engine, Target, Verb
from ...core.errors import Conflict, EngineNotFound, NotPossible
from ...core.lifecycle import is_settled
from ...core.ports.clock import Clock
from ...core.ports.store import Store
from ...core.spec import ProcessSpec
from .engines import Gateway
from .notifier import News, Notifier, repeat

log = logging.getLogger(__name__)

LOOK_S = 3.0
LEASE_S = 60.0
"""The lease ends after this time without a renewal; clients renew it every 10 s."""


@dataclass(frozen=True)
class Here:
    """What this gateway can see: processes of this boot and PID namespace; the ids of the machine and of itself.

    All gateways of a data directory have the same id, one after another.
    """

    boot: str
    machine: str
    mark_of: Callable[[int], str | None]
    gateway: str = ""

    def sees(self, process: ProcessSpec) -> bool:
        """Whether the process is, or was, one of this boot and PID namespace."""
        return process.boot == self.boot

    def has_rebooted_since(self, process: ProcessSpec) -> bool:
        """Whether this machine has started again since the process: so it has ended."""
        return process.machine == self.machine and process.boot.split("/")[0] != self.boot.split("/")[0]


class Creators:
    """Looks after the creators of engines.

    Parameters
    ----------
    gateway, store, notifier, clock
        The use cases, the records, news of them, and the time.
    here
        What this gateway can see.
    """

    def __init__(self, gateway: Gateway, store: Store, notifier: Notifier, clock: Clock, here: Here) -> None:
        self._gateway, self._store, self._clock, self._here = gateway, store, clock, here
        self._renewed: dict[str, float] = {}  # engine -> when its lease was renewed, or this gateway began to wait
        self._leased: set[str] = set()
        self._engines: list[Engine] = []
        self._news = News(notifier, clock)
        self._begun = clock.now()
        self._looked_s = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        await repeat(self.look, self._clock, LOOK_S, "look after the creators of engines")

    async def look(self) -> None:
        """Stop the engines whose creators have ended."""
        looked_s, self._looked_s = self._looked_s, self._now_s()
        if self._looked_s - looked_s > LEASE_S / 2:
            self._renewed.clear()  # this process was stopped meanwhile: renewals may still wait to be read
        if self._news.is_due():
            with self._news.reading():
                self._engines = [e for e in await self._store.engines() if e.spec.ends_with]
            self._leased &= {e.id for e in self._engines}
            self._renewed = {i: at for i, at in self._renewed.items() if i in {e.id for e in self._engines}}
        for engine in self._engines:
            if _can_be_stopped(engine) and (why := self._why_over(engine)):
                try:
                    await self._gateway.ask_as_monitor(engine, Verb.STOP, why)
                except (Conflict, EngineNotFound, NotPossible) as exc:
                    log.debug("%s another writer was first: %s", engine.id, exc)
                self._news.again()

    async def renew(self, owner: str, ref: str) -> bool:
        """Renew the lease of an engine; returns whether it is needed: the creator cannot be seen from here."""
        known = (e for e in self._engines if (e.id, e.owner) == (ref, owner))  # renewals count while the store is away
        engine = next(known, None) or await self._gateway.get(owner, ref)
        unseen = [process for process in engine.spec.ends_with if not self._here.sees(process)]
        is_needed = bool(unseen) and engine.target is Target.RUNNING
        if is_needed:
            self._renewed[engine.id] = self._now_s()
            self._leased.add(engine.id)
        return is_needed

    def _why_over(self, engine: Engine) -> str:
        """Why the engine ends now; empty if it does not."""
        for process in engine.spec.ends_with:
            if self._here.sees(process):
                if self._here.mark_of(process.pid) != process.mark:
                    return f"the process that created it ({process.pid}) has ended"
            elif not self._is_reported_here(engine, process):
                continue
            elif self._here.has_rebooted_since(process):
                return f"the process that created it ({process.pid}) has ended with the machine"
            elif self._now_s() - self._renewed.setdefault(engine.id, self._now_s()) > LEASE_S:
                return f"the process that created it ({process.pid}) has not reported for {LEASE_S:.0f} s"
        return ""

    def _is_reported_here(self, engine: Engine, process: ProcessSpec) -> bool:
        """Whether the lease is renewed at this gateway; with a shared store it may be another one.

        The machine does not say: containers of one image may have the same id.
        """
        return engine.id in self._leased or process.gateway == self._here.gateway

    def _now_s(self) -> float:
        return (self._clock.now() - self._begun).total_seconds()


def _can_be_stopped(engine: Engine) -> bool:
    """Whether it runs or will: a failed engine does if the restart policy starts it again."""
    return engine.target is Target.RUNNING and (not is_settled(engine) or engine.spec.restart_policy == "on_failure")

"""Run engines as pods of a Kubernetes cluster: the platform ``kubernetes``."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from ...core.engine import Credential, Engine, Target
from ...core.errors import InvalidRequest, PlatformUnavailable, RucatError
from ...core.lifecycle import Observation, Presence
from ...core.ports.clock import Clock
from ...core.ports.planning import Blueprint, Finding
from ...core.ports.platform import Endpoint, Leftover, Pinned, Problem
from ...core.spec import EngineSpec
from . import examining, logs, planning
from .api.client import ApiFault
from .lives import Lives
from .logs import Archive
from .namespace import Namespace
from .namespaces import Namespaces
from .objects import manifests, names
from .objects.policy import PodRules
from .spec import spec as specs
from .status.end_reasons import has_ended
from .status.phases import PULL_GRACE_S

log = logging.getLogger(__name__)
T = TypeVar("T")

AT_ONCE = 32
"""Calls of the API under way for one :meth:`KubernetesPlatform.observe`."""


async def no_engines() -> Sequence[Engine]:
    """No engines, for a platform without a store."""
    return ()


class KubernetesPlatform:
    """Engines as pods; implements :class:`rucat_jupyter.core.ports.platform.Platform`.

    Parameters
    ----------
    data_dir
        The gateway's data directory: logs of ended lives and known namespaces are in its folder ``kubernetes``.
    clock
        The time of this process.
    engines
        The engines of the store: their namespaces are served again after a restart.
    store
        An id that differs between this store and a copy of it; an annotation of every object.
    lifetime_s
        Default of ``max_lifetime_s`` in seconds; 0 for no limit.
    pull_grace_s
        Seconds that the pull of a driver's image may fail before the start fails.
    rules
        Returns the current rules for pods of an administrator's limits.
    env
        The gateway's environment (default: the process's), for ``KUBECONFIG`` and where it runs.
    """

    name = "kubernetes"

    def __init__(
        self,
        data_dir: Path,
        *,
        clock: Clock,
        engines: Callable[[], Awaitable[Sequence[Engine]]] = no_engines,
        store: str = "",
        lifetime_s: float = manifests.DEFAULT_LIFETIME_S,
        pull_grace_s: float = PULL_GRACE_S,
        rules: Callable[[], PodRules] = PodRules,
        env: Mapping[str, str] | None = None,
    ) -> None:
        folder = Path(os.path.realpath(data_dir)) / "kubernetes"
        self._engines, self._store, self._lifetime_s, self._rules = engines, store, lifetime_s, rules
        self._folder = folder
        self._archive = Archive(folder / "runs")
        self._places = Namespaces(folder, os.environ if env is None else env, self._ring, clock, pull_grace_s)
        self._lives = Lives(self._archive, self._context)
        self._installation = ""
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._is_closed = False

    async def open(self, installation: str) -> None:
        """Read the namespaces of the store's engines, without a call to a cluster."""
        self._installation = installation
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._places.open(installation)
        await self._learn()

    async def close(self) -> None:
        """Release watches and connections; engines keep running."""
        self._is_closed = True
        for queue in self._listeners:
            queue.put_nowait(None)
        await self._places.close()

    # --- specs and sites --------------------------------------------------------------------------------------

    async def check(self, spec: EngineSpec) -> list[Problem]:
        """Everything that is wrong with a spec; the cluster checks it at the start."""
        return await asyncio.to_thread(specs.problems, spec, self._rules())

    async def pin(self, spec: EngineSpec) -> Pinned:
        """Fill in kubeconfig, context and namespace, image, release and sizes."""
        way = await self._places.find(spec)
        pinned = specs.pin(spec, metadata.version("pyspark"), way.namespace)
        at = {"kubeconfig": way.kubeconfig or None, "context": way.context}
        asked = pinned.spec.kubernetes.model_copy(update=at)
        return replace(pinned, spec=pinned.spec.model_copy(update={"kubernetes": asked}))

    async def site(self, spec: EngineSpec) -> str:
        """The UID of the spec's namespace."""
        return await self._places.uid_of(await self._places.find(spec))

    async def outline(self, spec: EngineSpec, name: str) -> Blueprint:
        """Dry run: the objects, and the checks of the namespace."""
        uid = await self._places.uid_of(await self._places.find(spec))
        site = await self._places.site(uid)
        return await planning.blueprint(site.api, spec, self._context(site), name)

    async def examine(self, specs: Sequence[EngineSpec]) -> Sequence[Finding]:
        """Check that the namespaces of these specs are reachable, and that Rucat has all rights."""
        return await examining.examine(specs, self._places, self._folder / "keys")

    def serves(self, site: str) -> bool:
        """Whether the gateway has credentials for that namespace."""
        return self._places.serves(site)

    def sites(self) -> Sequence[str]:
        """All namespaces that the gateway has credentials for."""
        return self._places.known

    # --- lives ------------------------------------------------------------------------------------------------

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Create the life's objects, or adopt what is there of them."""
        async with self._lives.lock(engine.id):
            await self._lives.start(await self._places.site(engine.site), engine, credential)

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        """Look at lives: by a fresh copy of each namespace's pods, and directly at what is not in it."""
        found = {engine.id: Observation(Presence.ABSENT) for engine in engines if self._lives.is_over(engine)}
        rest = [engine for engine in engines if engine.id not in found]
        by_site: dict[str, list[Engine]] = {}
        for engine in rest:
            by_site.setdefault(engine.site, []).append(engine)
        for seen in await asyncio.gather(*(self._observe(uid, some) for uid, some in by_site.items())):
            found.update(seen)
        return found

    async def _observe(self, uid: str, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        try:
            site = await self._places.site(uid)
            await site.fresh()
        except PlatformUnavailable as exc:
            return {engine.id: Observation(Presence.UNKNOWN, exc.message) for engine in engines}
        seen = await asyncio.gather(*(self._look(site, engine) for engine in engines))
        return {engine.id: observation for engine, observation in zip(engines, seen, strict=True)}

    async def _look(self, site: Namespace, engine: Engine) -> Observation:
        async with self._turns:
            try:
                return await self._lives.look(site, engine)
            except (PlatformUnavailable, ApiFault) as exc:
                return Observation(Presence.UNKNOWN, exc.message)

    async def stop(self, engine: Engine) -> None:
        """Keep the log, delete the life's objects; returns when its pod is gone."""
        if self._lives.is_over(engine):
            return
        async with self._lives.lock(engine.id):
            site = await self._places.site(engine.site)
            await _translated(self._lives.end(site, engine.run_name))

    async def clean(self, engine: Engine) -> None:
        """Delete what an ended life has left, and older runs; with target Deleted everything of every run."""
        async with self._lives.lock(engine.id):
            is_all = engine.target is Target.DELETED
            if not self._lives.is_over(engine) or is_all:
                await self._clean(engine, is_all=is_all)
            for name in self._lives.runs(engine.id) if is_all else ():
                await self._lives.remove(name)
            if is_all:
                await self._places.drop(engine.id)

    async def _clean(self, engine: Engine, *, is_all: bool) -> None:
        site = await self._places.site(engine.site)
        runs = {engine.run_name}
        if is_all or engine.state_run > 1:
            roots = await _translated(site.listed("configmaps", self._installation, engine.id))
            runs |= {
                root["name"]
                for root in roots
                if (life := names.life(root)) is not None and (is_all or life[1] < engine.state_run)
            }
        for name in sorted(runs):
            await _translated(self._lives.end(site, name))
            await self._lives.clean(name)
            site.forget(name)

    # --- leftovers --------------------------------------------------------------------------------------------

    async def leftovers(self) -> Sequence[Leftover]:
        """Runs of which this store has something in every known namespace, and what is kept of ended lives."""
        await self._learn()
        found: dict[tuple[str, int], Leftover] = {}
        for name in await asyncio.to_thread(self._archive.names):
            engine_id, run = _parsed(name)
            found[engine_id, run] = Leftover(engine_id, run)
        for uid in self._places.known:
            for engine_id, run in await self._there(uid):
                found[engine_id, run] = Leftover(engine_id, run, uid)
        return list(found.values())

    async def remove(self, leftover: Leftover) -> None:
        """Stop and remove a run without a record."""
        name = f"rucat-{leftover.engine_id}-{leftover.run}"
        async with self._lives.lock(leftover.engine_id):
            if leftover.where:
                site = await self._places.site(leftover.where)
                await _translated(self._lives.end(site, name))
                await _translated(self._lives.sweep(site, name))
            await self._lives.remove(name)

    async def _there(self, uid: str) -> set[tuple[str, int]]:
        """Runs that a namespace has something of."""
        try:
            site = await self._places.site(uid)
            await site.fresh()
            found = await site.listed("configmaps", self._installation)
            found += await site.listed("services", self._installation)  # what is left where a root went without it
        except (PlatformUnavailable, ApiFault) as exc:
            log.warning("cannot list leftovers in namespace %s, will try again: %s", uid, exc)
            return set()
        found += [pod["metadata"] for pod in site.pods.items.values()]
        own = [what for what in found if (what.get("annotations") or {}).get(names.STORE) == self._store]
        return {life for what in own if (life := names.life(what)) is not None}

    # --- reaching ---------------------------------------------------------------------------------------------

    async def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """Lines of the driver's log: from the API while its pod is there, else what is kept of it."""
        name = engine.run_name
        if not self._lives.is_over(engine):
            try:
                site = await self._places.site(engine.site)
                pod = await _translated(site.pod(name))
            except PlatformUnavailable:
                if self._archive.get(name) is None:
                    raise
                pod = None
            if pod is not None:

                async def is_alive() -> bool:
                    if not follow:
                        return False
                    try:
                        now = await site.pod(name)
                    except PlatformUnavailable:
                        return True  # nothing is known: go on when it is back
                    return now is not None and not has_ended(now)

                lines = logs.follow(site.api, site.way.namespace, name, tail, is_alive, is_once=not follow)
                async with aclosing(lines):
                    async for line in lines:
                        yield line
                return
        async for line in logs.kept_lines(self._archive, name, tail):
            yield line

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        """In the cluster the pod's address, else a port of this machine that leads there; None before it has one."""
        if self._archive.get(engine.run_name) is not None:
            return None
        site = await self._places.site(engine.site)
        has_ui = engine.spec.conf.get("spark.ui.enabled", "true").strip().lower() != "false"
        return await site.endpoint(engine, names.UI_PORT if has_ui else None)

    async def changes(self) -> AsyncIterator[str]:
        """Ids of engines of whose pods or executors something has changed, as it happens."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while not self._is_closed and (engine_id := await queue.get()) is not None:
                yield engine_id
        finally:
            self._listeners.discard(queue)

    # --- private ----------------------------------------------------------------------------------------------

    def _ring(self, engine_id: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(engine_id)

    def _context(self, site: Namespace) -> manifests.Context:
        return manifests.Context(
            namespace=site.way.namespace,
            installation=self._installation,
            store=self._store,
            lifetime_s=self._lifetime_s,
        )

    async def _learn(self) -> None:
        try:
            engines = await self._engines()
        except RucatError as exc:
            log.warning("cannot read the namespaces of the store's engines, will try again: %s", exc)
            return
        self._places.learn(engine for engine in engines if engine.platform == self.name)


async def _translated(call: Awaitable[T]) -> T:
    """Await a call; a rejection becomes PlatformUnavailable, because the state is unknown."""
    try:
        return await call
    except ApiFault as exc:
        raise PlatformUnavailable(f"the API server rejects the call: {exc.message}") from None


def _parsed(name: str) -> tuple[str, int]:
    engine_id, _, run = name.removeprefix("rucat-").rpartition("-")
    if not run.isdigit():
        raise InvalidRequest(f"{name!r} is not the name of a run")
    return engine_id, int(run)

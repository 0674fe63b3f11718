"""Connect the gateway's parts: store, platforms, probes, use cases, monitor, REST."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote

from ...core.config.resolve import Profiles
from ...core.engine import Engine, Target, Verb
from ...core.errors import Conflict, EngineNotFound, InvalidRequest, NotPossible, RucatError
from ...core.lifecycle import Timing, comes_back, is_settled
from ...core.ports.platform import Platform
from ...core.ports.store import Store
from ...host import machine
from ...host.private_files import remove
from ...host.processes import start_mark
from ...launch import datadir, moves
from ...platforms.external import ExternalPlatform
from ...platforms.kubernetes.platform import KubernetesPlatform
from ...platforms.kubernetes.spec.spec import rules_of
from ...platforms.local.platform import LocalPlatform
from ...spark.connect.pace import PACES
from ...spark.operations.operations import ConnectOperations
from ...spark.probes.prober import ConnectProber
from ...spark.ui.pages import UiPages
from ..monitor import Monitor, Pace
from ..store.surreal import SurrealStore
from ..use_cases.creators import Creators, Here
from ..use_cases.engines import Gateway
from ..use_cases.live_sessions import LiveSessions
from ..use_cases.notifier import Notifier
from .clock import SystemClock
from .http.app import make_app, os_user
from .http.draining import App
from .profile_files import ProfileFiles
from .settings import Settings

logger = logging.getLogger(__name__)

PLATFORMS = "rucat.platforms"
"""Entry points of third parties: callables that take the data directory and return a Platform."""
GATEWAY_ID = re.compile(r"[0-9a-f]{16}")


SHARED_LOOK_S = 1.0
"""How often a long poll reads a store that other gateways write too."""


@dataclass(frozen=True)
class Parts:
    """The running parts; :meth:`close` closes all of them, engines keep running."""

    app: App
    notifier: Notifier
    monitor: Monitor
    gateway: Gateway
    store: Store
    platforms: Mapping[str, Platform]
    stack: contextlib.AsyncExitStack

    async def close(self) -> None:
        """Close everything in reverse order."""
        await self.stack.aclose()

    async def is_needed(self) -> bool:
        """Whether an engine of this gateway is not settled, or will restart by itself; True if this is not known."""
        try:
            return any(self._is_mine(e) and not _is_at_rest(e) for e in await self.store.engines())
        except RucatError as exc:
            logger.warning("cannot find out whether an engine needs the gateway: %s", exc)
            return True

    async def stop_engines(self, reason: str) -> None:
        """Stop every engine of this gateway, and return when all have stopped."""
        while True:
            notified = self.notifier.notified
            left = [e for e in await self.store.engines() if self._is_mine(e) and not is_settled(e)]
            if not left:
                return
            for engine in left:
                if engine.target is Target.RUNNING:
                    with contextlib.suppress(Conflict, EngineNotFound, NotPossible):
                        await self.gateway.ask_as_monitor(engine, Verb.STOP, reason)
            await self.notifier.wait(1.0, notified)

    def _is_mine(self, engine: Engine) -> bool:
        platform = self.platforms.get(engine.platform)
        return engine.is_managed and platform is not None and platform.serves(engine.site)


async def build(settings: Settings, directory: Path, umask: int = -1) -> Parts:
    """Open store and platforms, and build all parts on them; after an error everything is closed again.

    ``umask`` is the user's; engines run with it.
    """
    async with contextlib.AsyncExitStack() as stack:
        password = settings.store_password.get_secret_value() if settings.store_password else None
        store = SurrealStore(settings.store, user=settings.store_user, password=password)
        stack.push_async_callback(store.close)
        await store.open()
        platforms = _platforms(settings, directory, umask)
        made: list[Gateway] = []
        clock, pace = SystemClock(), Pace(look_s=settings.look_s)
        platforms["kubernetes"] = KubernetesPlatform(
            directory,
            clock=clock,
            engines=store.engines,
            store=_store_mark(settings.store),
            lifetime_s=_timing(settings).max_lifetime_s["kubernetes"],
            pull_grace_s=settings.pull_grace_s,
            rules=lambda: rules_of(made[0].profiles.limits),
        )
        for platform in platforms.values():
            stack.push_async_callback(platform.close)
            await platform.open(store.installation)
        prober = _prober(settings)
        stack.push_async_callback(prober.close)
        operations = ConnectOperations()
        stack.push_async_callback(operations.close)
        ui_pages = UiPages()
        stack.push_async_callback(ui_pages.close)
        notifier = Notifier()
        watch: list[Monitor] = []
        gateway_id = _gateway_id(directory)
        gateway = Gateway(
            store,
            platforms,
            Profiles(),
            notifier,
            new_id=lambda: secrets.token_hex(8),
            new_token=lambda: secrets.token_urlsafe(32),
            out_of_reach_s=lambda engine_id: watch[0].out_of_reach_s(engine_id),  # noqa: PLW0108
            wake=lambda engine_id: watch[0].wake(engine_id),  # noqa: PLW0108  # the monitor comes later
            lost_s=pace.lost_s,
            gateway_id=gateway_id,
        )
        made.append(gateway)
        await take_moves(gateway, directory)
        monitor = Monitor(
            store,
            platforms,
            prober,
            ask=gateway.ask_as_monitor,
            clock=clock,
            timing=_timing(settings),
            gateway_id=gateway_id,
            host=datadir.hostname(),
            on_change=notifier.notify,
            pace=pace,
        )
        watch.append(monitor)
        stack.push_async_callback(monitor.close)
        pruning = asyncio.create_task(_prune(store, settings.history_days))
        stack.callback(pruning.cancel)
        here = Here(machine.boot_id(), machine.place_id(), start_mark, gateway_id)
        creators = Creators(gateway, store, notifier, clock, here)
        looking = asyncio.create_task(creators.run())
        stack.callback(looking.cancel)
        live_sessions = LiveSessions(store, notifier, clock, here, monitor.open_sessions)
        counting = asyncio.create_task(live_sessions.run())
        stack.callback(counting.cancel)
        app = make_app(
            gateway,
            monitor,
            store,
            notifier,
            creators=creators,
            operations=operations,
            ui_pages=ui_pages,
            look_every_s=SHARED_LOOK_S if settings.store.startswith("ws") else None,
            refresh_profiles=ProfileFiles(gateway, settings.default_profile, settings.idle_timeout_s).refresh,
        )
        return Parts(app, notifier, monitor, gateway, store, platforms, stack.pop_all())


async def take_moves(gateway: Gateway, directory: Path) -> None:
    """Move the sessions of notebooks that a Jupyter server moved while no gateway answered."""
    for move in moves.pending(directory):
        try:
            for owner in move.owners:
                await gateway.move_sessions(os_user() if owner is None else unquote(owner), move.old, move.new)
        except InvalidRequest as exc:
            logger.error("sessions of %s were not moved: %s", move.old, exc)
        except RucatError as exc:
            logger.warning("the Jupyter server has to send what moved: %s", exc)
            return
        if move.file is not None:
            remove(move.file)


def _gateway_id(directory: Path) -> str:
    """The id that all gateways of a data directory share; the first one creates it.

    Only one of them runs at a time, so the next one looks like its predecessor to other gateways, and takes over its
    engines immediately instead of waiting until the heartbeat expires.
    """
    path = directory / "gateway.id"
    path.touch(0o600)
    gateway_id = path.read_text(encoding="ascii", errors="replace")
    if GATEWAY_ID.fullmatch(gateway_id) is None:
        gateway_id = secrets.token_hex(8)
        path.write_text(gateway_id, encoding="ascii")
    return gateway_id


def _store_mark(url: str) -> str:
    """Distinguishes a store from a copy of it elsewhere: written to objects that outlive a gateway."""
    where = "" if url.startswith("ws") else machine.machine_id()
    return hashlib.sha256(f"{url}\0{where}".encode()).hexdigest()[:16]


def _platforms(settings: Settings, directory: Path, umask: int) -> dict[str, Platform]:
    local = LocalPlatform(directory, stop_grace_s=settings.stop_grace_local_s, umask=umask)
    platforms: dict[str, Platform] = {"local": local, "external": ExternalPlatform()}
    for point in metadata.entry_points(group=PLATFORMS):
        try:
            platforms.setdefault(point.name, point.load()(directory))
        except (ImportError, AttributeError, RucatError) as exc:
            logger.error("platform %s (%s) cannot be loaded: %s", point.name, point.value, exc)
    return platforms


def _timing(settings: Settings) -> Timing:
    return Timing(
        silence_grace_s=settings.silence_grace_s,
        start_timeout_s={"local": settings.start_timeout_local_s, "kubernetes": settings.start_timeout_s},
        idle_timeout_s=settings.idle_timeout_s,
    )


def _prober(settings: Settings) -> ConnectProber:
    asked = {"service_s": settings.probe_s, "query_s": settings.query_probe_s, "deadline_s": settings.probe_deadline_s}
    given = {name: value for name, value in asked.items() if value is not None}
    return ConnectProber({name: replace(pace, **given) for name, pace in PACES.items()})


def _is_at_rest(engine: Engine) -> bool:
    """Settled, and no restart policy will start it again."""
    return is_settled(engine) and not comes_back(engine, len(Timing().restart_backoff_s))


async def _prune(store: Store, keep_days: float) -> None:
    """Delete the history of engines that were deleted long ago, now and once a day."""
    while True:
        try:
            await store.prune_history(keep_days)
        except RucatError as exc:
            logger.warning("cannot prune the history, Rucat tries again tomorrow: %s", exc)
        await asyncio.sleep(86_400)

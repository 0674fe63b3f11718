"""The use cases: they record what is wanted of engines, and say what is; the monitor does the rest.

Every write is a compare-and-set on what was read. A lost one is read and decided anew, so any number of writers on
one engine lose no update and see no error.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from weakref import WeakValueDictionary

from ...core import lifecycle
from ...core.config.resolve import Profiles, Resolved
from ...core.engine import Engine, Event, Session, Status, Target, Verb
from ...core.errors import (
    Conflict,
    EngineNotFound,
    Forbidden,
    NameTaken,
    NotPossible,
    PlatformError,
    PlatformUnavailable,
)
from ...core.lifecycle import Outcome, Presence, status_of
from ...core.ports.platform import Endpoint, Platform
from ...core.ports.probes import Wake
from ...core.ports.store import LOST_S, Note, Store
from ...core.sessions import check_key, checked_session
from ...core.spec import ID_PATTERN, KubernetesSpec
from .creation import draft, respec, respec_as_stored
from .lookup import Lookup, not_found
from .namespace_checks import Found, examine
from .notifier import Notifier
from .operations import Reached
from .preview import Preview, plan
from .views import Connection, EngineView, remote_of, view_of

ATTEMPTS = 64
"""Tries of one write: each lost one means that another writer won, so this many writers at once are served."""
UNSERVED = "no gateway serves it now; this is what was last seen of it"
OUT_OF_REACH_S = 60.0
"""How long a platform must have been out of reach before an engine on it may be forgotten."""
USE_EVERY_S = 60.0
"""Signs of use closer than this are one: ``last_used_at`` is written at most once a minute."""
REACHABLE = (Status.RUNNING, Status.UNRESPONSIVE)
_UNSET = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Gateway:
    """What can be asked of engines, by their owners and by the monitor.

    Parameters
    ----------
    store, platforms, profiles
        What it works on. ``profiles`` may be replaced while it serves.
    notifier
        Rung after each write.
    new_id, new_token, new_session_id
        Makers of engine ids (16 hex digits), of tokens (at least 128 random bits) and of session ids (UUIDs).
    wake
        Tells the monitor that an engine deserves a look.
    out_of_reach_s
        For how many seconds the monitor has found an engine's platform out of reach (None: not at all). Without it
        the time counts from the first attempt to forget the engine.
    lost_s
        For how many seconds a gateway without a heartbeat counts as alive; the same as the monitor's.
    """

    def __init__(  # noqa: PLR0917 - the parts are few and always given by name or in this order
        self,
        store: Store,
        platforms: Mapping[str, Platform],
        profiles: Profiles,
        notifier: Notifier,
        new_id: Callable[[], str],
        new_token: Callable[[], str],
        wake: Wake,
        *,
        new_session_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        out_of_reach_s: Callable[[str], float | None] | None = None,
        lost_s: float = LOST_S,
    ) -> None:
        self.profiles = profiles
        self.platforms = platforms
        self._store = store
        self._lookup = Lookup(store)
        self._notifier = notifier
        self._new_id = new_id
        self._new_token = new_token
        self._new_session_id = new_session_id
        self._wake = wake
        self._out_of_reach_s = out_of_reach_s
        self._lost_s = lost_s
        self._first_missed: dict[str, datetime] = {}
        self._session_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._owner_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # --- making and finding -------------------------------------------------------------------------------

    async def create(self, owner: str, request: Mapping[str, object]) -> Engine:
        """Record a new engine that shall run.

        ``request`` has ``name``, ``platform``, ``profile`` (each optional) and any field of the spec.

        Raises
        ------
        InvalidRequest
            With every wrong field at once.
        ConfDenied, Forbidden
            It sets a conf that is denied, or wants more than an administrator allows.
        NameTaken
            The owner has an engine of that name; a name that was not asked for is chosen free.
        """
        made = await draft(self.profiles, self.platforms, request, self._new_token)
        engine = Engine(
            id=self._new_id(),
            name="",
            owner=owner,
            platform=made.asked.platform,
            profile=made.asked.profile,
            site=made.site,
            spec=made.pinned.spec,
            spark_version=made.pinned.spark_version,
            python_version=made.pinned.python_version,
            created_at=_UNSET,  # the store's time takes its place
        )
        names = [made.asked.name] if made.asked.name else await self._free_names(owner, made.asked, engine.id)
        *others, last = [engine.model_copy(update={"name": name}) for name in names]
        note = Note(owner, "create")
        async with self._room_for(engine):
            for candidate in others:
                try:
                    return self._changed(await self._store.create(candidate, made.credential, note))
                except NameTaken:
                    continue
            return self._changed(await self._store.create(last, made.credential, note))

    async def plan(self, owner: str, request: Mapping[str, object]) -> Preview:
        """What :meth:`create` would make of this request, and what would start; nothing is stored or started.

        Raises what create raises, but NameTaken: the plan has the engine of that name.
        """
        made = await draft(self.profiles, self.platforms, request, self._new_token)
        name = made.asked.name or (await self._free_names(owner, made.asked, ""))[0]
        exists = next(iter(await self.engines(owner, name=name)), None)
        found = await plan(made, self.platforms[made.asked.platform], name, exists)
        if made.asked.platform == "external" or (exists and not exists.is_managed):
            return found
        try:
            await self._check_room(owner, exists.id if exists else "")
            if exists and not _shall_run(exists):
                respec_as_stored(self.profiles, exists)
        except Forbidden as exc:
            found.warnings.insert(0, f"a create would be refused: {exc.message}")
        return found

    async def examine(self, owner: str, asked: KubernetesSpec) -> list[Found]:
        """What is found at the places that the owner's engines are or would be in; ``asked`` is the owner's own."""
        return await examine(self.platforms, self.profiles, await self._store.engines(owner), asked)

    async def get(self, owner: str, ref: str) -> Engine:
        """The owner's engine of that id or name; EngineNotFound for everybody else's, too."""
        return await self._lookup.get(owner, ref)

    async def engines(self, owner: str, status: Status | None = None, name: str | None = None) -> list[Engine]:
        """The owner's engines, oldest first, of that status and name."""
        return [
            engine
            for engine in await self._store.engines(owner)
            if (status is None or status_of(engine) is status) and (name is None or engine.name == name)
        ]

    # --- verbs --------------------------------------------------------------------------------------------

    async def ask(
        self, owner: str, ref: str, verb: Verb, *, force: bool = False, actor: str | None = None, reason: str = ""
    ) -> tuple[Outcome, Engine]:
        """Ask a verb of the owner's engine; idempotent.

        ``force`` with delete forgets an engine whose platform has been out of reach for :data:`OUT_OF_REACH_S`; the
        engine that is returned names in ``message`` what may be left.

        Raises
        ------
        EngineNotFound, NotPossible, NotManaged
            By the verb table, or because there is no ground for force.
        ConfDenied, Forbidden
            A restart is held to the limits of now, with stored settings as with others.
        """
        engine = await self.get(owner, ref)
        engine_id = engine.id
        for _ in range(ATTEMPTS):
            try:
                if force and verb is Verb.DELETE and engine.is_managed:
                    return await self._forget(engine, actor or owner)
                async with self._room_for(engine if verb is Verb.RESTART else None):
                    return await self._record(engine, verb, Note(actor or owner, verb.value, reason))
            except Conflict:
                engine = await self.get(owner, engine_id)
        raise _too_busy(engine)

    async def restart(self, owner: str, ref: str, settings: Mapping[str, object]) -> tuple[Outcome, Engine]:
        """Ask for a restart with these fields of the spec over the stored ones, from the next run on.

        Raises what :meth:`create` raises for the fields, what :meth:`ask` raises for the verb, and NotPossible where
        it would join a start that has other settings.
        """
        engine = await self.get(owner, ref)
        engine_id = engine.id
        for _ in range(ATTEMPTS):
            outcome, changes = lifecycle.ask(engine, Verb.RESTART)
            platform = self._platform_of(engine)
            if platform is None:
                raise PlatformUnavailable(f"cannot restart {engine.name!r}: no platform here serves {engine.site!r}")
            credential = await self._store.credential(engine.id)
            new = await respec(self.profiles, platform, engine, credential, settings)
            if outcome is Outcome.OK:
                if new.words:
                    raise _joins_another_start(engine)
                return outcome, engine
            try:
                async with self._room_for(engine):
                    note = Note(owner, Verb.RESTART.value, new.words)
                    row = {**changes, **new.changes}
                    return outcome, self._changed(await self._store.update(engine, row, note, new.credential))
            except Conflict:
                engine = await self.get(owner, engine_id)
        raise _too_busy(engine)

    async def ask_as_monitor(self, engine: Engine, verb: Verb, reason: str) -> tuple[Outcome, Engine]:
        """Ask a verb on the ground of what the monitor saw: Conflict when the engine has changed since."""
        return await self._record(engine, verb, Note("monitor", verb.value, reason), by_policy=verb is Verb.RESTART)

    # --- looking ------------------------------------------------------------------------------------------

    async def connection(self, owner: str, ref: str) -> Connection:
        """How the owner reaches the engine; NotPossible unless it is Running or Unresponsive."""
        at = await self.reach(owner, ref, "connect to")
        return Connection(at.endpoint.url, at.token, remote_of(at.endpoint, at.token), at.endpoint.ui_url)

    async def reach(self, owner: str, ref: str, doing: str) -> Reached:
        """Where a live engine of the owner is: for what this gateway itself asks of it, ``doing`` in the message."""
        engine = await self.get(owner, ref)
        status = status_of(engine).value
        if status_of(engine) not in REACHABLE:
            raise NotPossible(f"cannot {doing} {engine.name!r}: it is {status}", status=status)
        platform = self._platform_of(engine)
        endpoint = await platform.endpoint(engine) if platform else None
        if endpoint is None:
            where = "it has no address now" if platform else f"this gateway does not serve its site {engine.site!r}"
            raise NotPossible(f"cannot {doing} {engine.name!r}: {where}; try again", status=status)
        return Reached(engine, endpoint, (await self._store.credential(engine.id)).token)

    async def sessions(self, engine: Engine) -> Sequence[Session]:
        """The sessions of notebooks on an engine."""
        return (await self._lookup.sessions([engine]))[engine.id]

    async def logs(self, owner: str, ref: str, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """Lines of the engine's log: the last ``tail`` (None: all), and with ``follow`` each new one until it ends."""
        engine = await self.get(owner, ref)
        platform = self._platform_of(engine)
        if platform is None:
            raise PlatformUnavailable(
                f"cannot read the log of {engine.name!r}: no platform here serves {engine.site!r}"
            )
        return platform.logs(engine, tail, follow)

    async def history(self, owner: str, ref: str) -> list[Event]:
        """Events of an engine, oldest first; by its id also of a deleted one."""
        try:
            engine_id = (await self.get(owner, ref)).id
        except EngineNotFound:
            if not ID_PATTERN.fullmatch(ref):
                raise
            engine_id = ref
        events = await self._store.history(engine_id)
        if not events or events[0].owner != owner:
            raise not_found(ref)
        return events

    async def view(self, engines: Sequence[Engine]) -> list[EngineView]:
        """What is shown of these engines."""
        sessions = await self._lookup.sessions(engines)
        unserved = await self._unserved(engines)
        return [
            view_of(
                engine, sessions[engine.id], await self._endpoint(engine), UNSERVED if engine.id in unserved else ""
            )
            for engine in engines
        ]

    # --- sessions -----------------------------------------------------------------------------------------

    async def put_session(self, owner: str, ref: str, key: str, path: object, session_id: object = None) -> Session:
        """The session of a notebook on an engine: the one that is there, a new one, or ``session_id`` in its place.

        It counts as use of the engine. InvalidRequest where key, path or session id is none.
        """
        path, session_id = checked_session(key, path, session_id)
        engine = await self.get(owner, ref)
        await self._touch(engine)
        async with self._session_locks.setdefault(engine.id, asyncio.Lock()):
            there = next((s for s in await self._store.sessions([engine.id]) if s.key == key), None)
            if there and there.path == path and session_id in (None, there.session_id):
                return there
            session = await self._store.put_session(
                Session(
                    engine_id=engine.id,
                    key=key,
                    path=path,
                    user_id=owner,
                    session_id=session_id or (there.session_id if there else self._new_session_id()),
                )
            )
        self._notifier.notify()
        return session

    async def drop_session(self, owner: str, ref: str, key: str) -> None:
        """Forget the session of a notebook; nothing to do where there is none."""
        check_key(key)
        await self._store.drop_session((await self.get(owner, ref)).id, key)
        self._notifier.notify()

    # --- steps --------------------------------------------------------------------------------------------

    async def _record(
        self, engine: Engine, verb: Verb, note: Note, *, by_policy: bool = False
    ) -> tuple[Outcome, Engine]:
        """Write what a verb changes, once: Conflict when the engine is no longer the one that was read."""
        outcome, changes = lifecycle.ask(engine, verb, by_policy=by_policy)
        if verb is Verb.RESTART and outcome is Outcome.ACCEPTED and not by_policy:
            stored = respec_as_stored(self.profiles, engine)
            reason = "; ".join(filter(None, (note.reason, stored.words)))
            changes, note = {**changes, **stored.changes}, replace(note, reason=reason)
        if changes:
            engine = self._changed(await self._store.update(engine, changes, note))
        return outcome, engine

    @contextlib.asynccontextmanager
    async def _room_for(self, engine: Engine | None) -> AsyncIterator[None]:
        """Hold the place of one more engine of an owner that runs; Forbidden where limits leave none."""
        if engine is None or self.profiles.limits.max_engines is None or not engine.is_managed:
            yield
            return
        async with self._owner_locks.setdefault(engine.owner, asyncio.Lock()):  # this gateway's: others may add theirs
            await self._check_room(engine.owner, engine.id)
            yield

    async def _check_room(self, owner: str, engine_id: str) -> None:
        """Raise Forbidden where limits leave an owner no place for this engine, unless it has one already."""
        running = {engine.id for engine in await self._store.engines(owner) if _shall_run(engine)}
        if engine_id not in running:
            self.profiles.limits.check_engines(len(running))

    async def _forget(self, engine: Engine, actor: str) -> tuple[Outcome, Engine]:
        """Remove the record of an engine that nobody can reach, and nothing else."""
        why_not = await self._why_not_forget(engine)
        if why_not:
            raise NotPossible(f"cannot forget {engine.name!r}: {why_not}", status=status_of(engine).value)
        left = (
            f"forgotten; on {engine.site!r} may be left whatever is named rucat-{engine.id}-* (its {engine.run} runs)"
        )
        await self._store.remove(engine, Note(actor, "forget", left))
        self._changed(engine)
        return Outcome.OK, engine.model_copy(update={"target": Target.DELETED, "message": left})

    async def _why_not_forget(self, engine: Engine) -> str:
        platform = self._platform_of(engine)
        if platform is None:
            served = [beat for beat in await self._store.beats() if _serves(beat.sites, engine, beat.age_s)]
            return f"the gateway on {served[0].host} serves it; delete it without force" if served else ""
        seen = (await platform.observe([engine]))[engine.id]
        if seen.presence is not Presence.UNKNOWN:
            self._first_missed.pop(engine.id, None)
            return "its platform is in reach; delete it without force"
        for_s = await self._missed_s(engine.id)
        if for_s < OUT_OF_REACH_S:
            return f"its platform is out of reach for {for_s:.0f} s only; try again in {OUT_OF_REACH_S - for_s:.0f} s"
        return ""

    async def _missed_s(self, engine_id: str) -> float:
        """For how many seconds an engine's platform is out of reach, as far as anybody here knows."""
        if self._out_of_reach_s is not None:
            return self._out_of_reach_s(engine_id) or 0.0
        now = await self._store.now()
        return (now - self._first_missed.setdefault(engine_id, now)).total_seconds()

    async def _free_names(self, owner: str, asked: Resolved, engine_id: str) -> list[str]:
        """Names to try in turn: the profile's, the next free number, and two that nobody else will think of."""
        base = (asked.profile or asked.platform)[:40].rstrip()
        taken = {engine.name for engine in await self._store.engines(owner)}
        first = next(name for name in _numbered(base) if name not in taken)
        return [first, f"{base}-{engine_id[:4]}", f"{base}-{engine_id}"]

    def _changed(self, engine: Engine) -> Engine:
        self._wake(engine.id)
        self._notifier.notify()
        return engine

    async def _touch(self, engine: Engine) -> None:
        now = await self._store.now()
        if engine.last_used_at is None or now - engine.last_used_at >= timedelta(seconds=USE_EVERY_S):
            await self._store.touch(engine.id, now)

    def _platform_of(self, engine: Engine) -> Platform | None:
        """The platform of an engine, where this gateway serves the engine's site."""
        platform = self.platforms.get(engine.platform)
        return platform if platform and platform.serves(engine.site) else None

    async def _unserved(self, engines: Sequence[Engine]) -> set[str]:
        """The engines that neither this nor another gateway looks after."""
        elsewhere = [e for e in engines if e.is_managed and not lifecycle.is_settled(e) and not self._platform_of(e)]
        if not elsewhere:
            return set()
        served = {site for beat in await self._store.beats() if beat.age_s < self._lost_s for site in beat.sites}
        return {engine.id for engine in elsewhere if engine.site not in served}

    async def _endpoint(self, engine: Engine) -> Endpoint | None:
        platform = self._platform_of(engine) if status_of(engine) in REACHABLE else None
        try:
            return await platform.endpoint(engine) if platform else None
        except (PlatformError, PlatformUnavailable):
            return None  # no address now; one platform's trouble must not hide the other engines


def _serves(sites: Sequence[str], engine: Engine, age_s: float) -> bool:
    return engine.site in sites and age_s < OUT_OF_REACH_S


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _shall_run(engine: Engine) -> bool:
    return engine.is_managed and engine.target is Target.RUNNING and not lifecycle.is_settled(engine)


def _joins_another_start(engine: Engine) -> NotPossible:
    status = status_of(engine).value
    return NotPossible(
        f"cannot restart {engine.name!r} with other settings: it is {status}, starting with those that are stored; "
        "wait until it runs, or stop it, then ask again",
        status=status,
    )


def _too_busy(engine: Engine) -> Conflict:
    return Conflict(f"{engine.name!r} was written {ATTEMPTS} times by others meanwhile; try again")

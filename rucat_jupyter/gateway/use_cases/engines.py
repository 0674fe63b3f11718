"""The use cases: they record the wanted state of engines and report the actual one; the monitor does the rest.

Every write is a compare-and-set on what was read. After a conflict the engine is read and the change decided again, so
concurrent writers on one engine lose no update and see no error.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from weakref import WeakValueDictionary

from pydantic import ValidationError

from ...core import lifecycle
from ...core.config.resolve import Profiles, Resolved
from ...core.engine import Engine, Event, Session, Status, Target, Verb
from ...core.errors import (
    Conflict,
    EngineNotFound,
    Forbidden,
    InvalidRequest,
    NameTaken,
    NotPossible,
    PlatformError,
    PlatformUnavailable,
)
from ...core.lifecycle import Outcome, Presence, refused, status_of
from ...core.ports.platform import Endpoint, Platform
from ...core.ports.probes import Wake
from ...core.ports.store import LOST_S, Note, Store
from ...core.sessions import check_key, checked_move, checked_session, is_in, key_of, moved
from ...core.spec import ID_PATTERN, EngineSpec, KubernetesSpec, ProcessSpec
from .creation import draft, respec, respec_as_stored
from .lookup import Lookup, not_found
from .namespace_checks import PlatformFinding, examine
from .notifier import Notifier
from .operations import Reached
from .preview import Preview, plan
from .views import Connection, EngineView, remote_of, view_of

ATTEMPTS = 64
"""Tries of one write: a conflict means that another writer won, so this many concurrent writers all succeed."""
UNSERVED = "no gateway manages it at present; last known state shown"
OUT_OF_REACH_S = 60.0
"""How long a platform must be out of reach before a forced delete of an engine on it."""
USE_EVERY_S = 60.0
"""``last_used_at`` is written at most once in this time."""
REACHABLE = (Status.RUNNING, Status.UNRESPONSIVE)
_UNSET = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Gateway:
    """Operations on engines, for their owners and for the monitor.

    Parameters
    ----------
    store, platforms, profiles
        What it works on. ``profiles`` may be replaced while the gateway serves.
    notifier
        Notified after each write.
    new_id, new_token, new_session_id
        Factories of engine ids (16 hex digits), tokens (at least 128 random bits) and session ids (UUIDs).
    wake
        Makes the monitor check an engine now.
    out_of_reach_s
        For how many seconds an engine's platform has been out of reach, as the monitor knows (None: it is reachable).
        Without it the time counts from the first attempt of a forced delete.
    lost_s
        For how many seconds a gateway without a heartbeat counts as alive; same value as in the monitor.
    gateway_id
        The id of this gateway: the creators of engines report to it.
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
        gateway_id: str = "",
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
        self._gateway_id = gateway_id
        self._first_missed: dict[str, datetime] = {}
        self._session_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._owner_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # --- making and finding -------------------------------------------------------------------------------

    async def create(self, owner: str, request: Mapping[str, object], kubeconfig: str | None = None) -> Engine:
        """Record a new engine; the monitor starts it.

        ``request`` has ``name``, ``platform``, ``profile`` (each optional) and any field of the spec;
        ``kubeconfig`` is that of the caller, for an engine on Kubernetes without one.

        Raises
        ------
        InvalidRequest
            With all wrong fields.
        ConfDenied, Forbidden
            It sets a denied conf, or asks for more than an administrator allows.
        NameTaken
            The owner has an engine of that name. Without a name in the request, a free one is chosen.
        """
        made = await draft(self.profiles, self.platforms, request, self._new_token, kubeconfig)
        engine = Engine(
            id=self._new_id(),
            name="",
            owner=owner,
            platform=made.asked.platform,
            profile=made.asked.profile,
            site=made.site,
            spec=self._reported_here(made.pinned.spec),
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
            try:
                return self._changed(await self._store.create(last, made.credential, note))
            except NameTaken as taken:
                raise await self._with_verbs(taken, owner) from None

    async def plan(self, owner: str, request: Mapping[str, object], kubeconfig: str | None = None) -> Preview:
        """Dry run of :meth:`create`: nothing is stored or started.

        Raises what create raises, except NameTaken: the plan then contains the existing engine.
        """
        made = await draft(self.profiles, self.platforms, request, self._new_token, kubeconfig)
        name = made.asked.name or (await self._free_names(owner, made.asked, ""))[0]
        exists = next(iter(await self.engines(owner, name=name)), None)
        found = await plan(made, self.platforms[made.asked.platform], name, exists)
        if made.asked.platform == "external" or (exists and not exists.is_managed):
            return found
        try:
            await self._check_room(owner, exists.id if exists else "")
            if exists and not _is_to_run(exists):
                respec_as_stored(self.profiles, exists)
        except Forbidden as exc:
            found.warnings.insert(0, f"a create would be refused: {exc.message}")
        return found

    async def examine(self, owner: str, asked: KubernetesSpec) -> list[PlatformFinding]:
        """Check the places where the owner's engines run or would run; ``asked`` is the place in the request."""
        return await examine(self.platforms, self.profiles, await self._store.engines(owner), asked)

    async def get(self, owner: str, ref: str) -> Engine:
        """The owner's engine with that id or name; EngineNotFound also for engines of other owners."""
        return await self._lookup.get(owner, ref)

    async def engines(self, owner: str, status: Status | None = None, name: str | None = None) -> list[Engine]:
        """The owner's engines, oldest first, filtered by status and name."""
        return [
            engine
            for engine in await self._store.engines(owner)
            if (status is None or status_of(engine) is status) and (name is None or engine.name == name)
        ]

    # --- verbs --------------------------------------------------------------------------------------------

    async def ask(
        self, owner: str, ref: str, verb: Verb, *, force: bool = False, actor: str | None = None, reason: str = ""
    ) -> tuple[Outcome, Engine]:
        """Stop, restart or delete the owner's engine; idempotent.

        ``force`` with delete removes the record of an engine whose platform has been out of reach for
        :data:`OUT_OF_REACH_S`; ``message`` of the returned engine names what may be left there.

        Raises
        ------
        EngineNotFound, NotPossible, NotManaged
            By the verb table, or because force is not allowed: the platform is reachable.
        ConfDenied, Forbidden
            A restart must fit the present limits, with stored settings as with new ones.
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
        """Restart with these fields of the spec merged into the stored ones.

        Raises what :meth:`create` raises for the fields, what :meth:`ask` raises for the verb, and NotPossible while
        a start with other settings is in progress.
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
        """Record a verb for the monitor; Conflict if the engine has changed since the monitor read it."""
        return await self._record(engine, verb, Note("monitor", verb.value, reason), by_policy=verb is Verb.RESTART)

    # --- looking ------------------------------------------------------------------------------------------

    async def connection(self, owner: str, ref: str) -> Connection:
        """How to connect to the engine; NotPossible unless it is Running or Unresponsive."""
        at = await self.reach(owner, ref, "connect to")
        return Connection(at.endpoint.url, at.token, remote_of(at.endpoint, at.token), at.endpoint.ui_url)

    async def reach(self, owner: str, ref: str, doing: str) -> Reached:
        """Endpoint and token of a live engine, for requests of this gateway; ``doing`` is for the error message."""
        engine = await self.get(owner, ref)
        status = status_of(engine).value
        if status_of(engine) not in REACHABLE:
            raise refused(engine, f"cannot {doing} {engine.name!r}: it is {status}", NotPossible)
        platform = self._platform_of(engine)
        endpoint = await platform.endpoint(engine) if platform else None
        if endpoint is None:
            where = "it has no address yet" if platform else f"this gateway does not serve its site {engine.site!r}"
            raise refused(engine, f"cannot {doing} {engine.name!r}: {where}; try again", NotPossible)
        return Reached(engine, endpoint, (await self._store.credential(engine.id)).token)

    async def sessions(self, engine: Engine) -> Sequence[Session]:
        """Sessions of notebooks on an engine."""
        return (await self._lookup.sessions([engine]))[engine.id]

    async def logs(self, owner: str, ref: str, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """Lines of the engine's log: the last ``tail`` (None: all), then with ``follow`` new ones until it ends."""
        engine = await self.get(owner, ref)
        platform = self._platform_of(engine)
        if platform is None:
            raise PlatformUnavailable(
                f"cannot read the log of {engine.name!r}: no platform here serves {engine.site!r}"
            )
        return platform.logs(engine, tail, follow)

    async def history(self, owner: str, ref: str) -> list[Event]:
        """Events of an engine, oldest first; with its id also of a deleted one."""
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
        """These engines as REST shows them."""
        sessions = await self._lookup.sessions(engines)
        unserved = await self._unserved(engines)
        return [
            view_of(
                engine, sessions[engine.id], await self._endpoint(engine), UNSERVED if engine.id in unserved else ""
            )
            for engine in engines
        ]

    # --- sessions -----------------------------------------------------------------------------------------

    async def put_session(  # noqa: PLR0917 - the fields of the request
        self, owner: str, ref: str, key: str, path: object, session_id: object = None, process: object = None
    ) -> Session:
        """Get the session of a notebook on an engine, or create it; ``session_id`` replaces the present one.

        It is attached then, by ``process`` if that is known, and counts as use of the engine. Raises InvalidRequest
        for an invalid key, path, session id or process.
        """
        path, session_id = checked_session(key, path, session_id)
        process = _process_of(process)
        engine = await self.get(owner, ref)
        await self._touch(engine)
        async with self._session_locks.setdefault(engine.id, asyncio.Lock()):
            there = next((s for s in await self._store.sessions([engine.id]) if s.key == key), None)
            is_same = there and there.path == path and session_id in (None, there.session_id)
            if there and is_same and there.is_attached and there.process == process:
                return there
            session = await self._store.put_session(
                Session(
                    engine_id=engine.id,
                    key=key,
                    path=path,
                    user_id=owner,
                    session_id=session_id or (there.session_id if there else self._new_session_id()),
                    process=process,
                )
            )
        self._notifier.notify()
        return session

    async def detach_session(self, owner: str, ref: str, key: str) -> None:
        """Note that the session of a notebook is not attached any more; it stays, to be attached again."""
        check_key(key)
        engine = await self.get(owner, ref)
        for session in await self._store.sessions([engine.id]):
            if session.key == key:
                await self._store.detach_session(session)
                self._notifier.notify()

    async def drop_session(self, owner: str, ref: str, key: str) -> None:
        """Remove the session of a notebook, if there is one."""
        check_key(key)
        await self._store.drop_session((await self.get(owner, ref)).id, key)
        self._notifier.notify()

    async def move_sessions(self, owner: str, old: object, new: object) -> int:
        """Move the sessions of a notebook, or of all in a folder, to a new path; None: it was deleted, drop them.

        Returns how many there were. A session at the new path is replaced: its notebook no longer exists. Raises
        InvalidRequest for an invalid path.
        """
        old, new = checked_move(old, new)
        engine_ids = [engine.id for engine in await self._store.engines(owner)]
        found = [s for s in await self._store.sessions(engine_ids) if is_in(s.path, old)] if old != new else []
        for session in found:
            async with self._session_locks.setdefault(session.engine_id, asyncio.Lock()):
                if new is not None:
                    path = moved(session.path, old, new)
                    await self._store.put_session(session.model_copy(update={"key": key_of(path), "path": path}))
                await self._store.drop_session(session.engine_id, session.key)
        if found:
            self._notifier.notify()
        return len(found)

    # --- steps --------------------------------------------------------------------------------------------

    async def _record(
        self, engine: Engine, verb: Verb, note: Note, *, by_policy: bool = False
    ) -> tuple[Outcome, Engine]:
        """Write what a verb changes; one try, Conflict if the engine has changed since it was read."""
        outcome, changes = lifecycle.ask(engine, verb, by_policy=by_policy)
        if verb is Verb.RESTART and outcome is Outcome.ACCEPTED and not by_policy:
            stored = respec_as_stored(self.profiles, engine)
            reason = "; ".join(filter(None, (note.reason, stored.words)))
            changes, note = {**changes, **stored.changes}, replace(note, reason=reason)
        if changes:
            engine = self._changed(await self._store.update(engine, changes, note))
        return outcome, engine

    def _reported_here(self, spec: EngineSpec) -> EngineSpec:
        """The spec with this gateway as the one that its creators report to."""
        ends_with = [process.model_copy(update={"gateway": self._gateway_id}) for process in spec.ends_with]
        return spec.model_copy(update={"ends_with": ends_with})

    async def _with_verbs(self, taken: NameTaken, owner: str) -> NameTaken:
        """The error with the verbs of the engine that has the name."""
        try:
            engine = await self.get(owner, str(taken.details["id"]))
        except EngineNotFound:  # deleted in between
            return taken
        return refused(engine, taken.message, NameTaken, id=engine.id)

    @contextlib.asynccontextmanager
    async def _room_for(self, engine: Engine | None) -> AsyncIterator[None]:
        """Reserve a slot for one more running engine of an owner; Forbidden if the limit is reached."""
        if engine is None or self.profiles.limits.max_engines is None or not engine.is_managed:
            yield
            return
        async with self._owner_locks.setdefault(
            engine.owner, asyncio.Lock()
        ):  # in this gateway only: another one may add more
            await self._check_room(engine.owner, engine.id)
            yield

    async def _check_room(self, owner: str, engine_id: str) -> None:
        """Raise Forbidden if the limit of running engines is reached, unless this engine is one of them."""
        running = {engine.id for engine in await self._store.engines(owner) if _is_to_run(engine)}
        if engine_id not in running:
            self.profiles.limits.check_engines(len(running))

    async def _forget(self, engine: Engine, actor: str) -> tuple[Outcome, Engine]:
        """Remove only the record of an engine that is out of reach."""
        why_not = await self._why_not_forget(engine)
        if why_not:
            raise refused(engine, f"cannot force the delete of {engine.name!r}: {why_not}", NotPossible)
        left = f"record deleted; objects named rucat-{engine.id}-* ({engine.run} runs) may be left on {engine.site!r}"
        await self._store.remove(engine, Note(actor, "forget", left))
        self._changed(engine)
        return Outcome.OK, engine.model_copy(update={"target": Target.DELETED, "message": left})

    async def _why_not_forget(self, engine: Engine) -> str:
        platform = self._platform_of(engine)
        if platform is None:
            served = [beat for beat in await self._store.beats() if _serves(beat.sites, engine, beat.age_s)]
            return f"the gateway on {served[0].host} manages it; delete it without force" if served else ""
        seen = (await platform.observe([engine]))[engine.id]
        if seen.presence is not Presence.UNKNOWN:
            self._first_missed.pop(engine.id, None)
            return "its platform is reachable; delete it without force"
        for_s = await self._missed_s(engine.id)
        if for_s < OUT_OF_REACH_S:
            return f"its platform is unreachable for only {for_s:.0f} s; try again in {OUT_OF_REACH_S - for_s:.0f} s"
        return ""

    async def _missed_s(self, engine_id: str) -> float:
        """For how many seconds an engine's platform has been out of reach, as far as this gateway knows."""
        if self._out_of_reach_s is not None:
            return self._out_of_reach_s(engine_id) or 0.0
        now = await self._store.now()
        return (now - self._first_missed.setdefault(engine_id, now)).total_seconds()

    async def _free_names(self, owner: str, asked: Resolved, engine_id: str) -> list[str]:
        """Names to try in turn: the profile's with the next free number, then two with the engine's id."""
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
        """The platform of an engine, if this gateway serves the engine's site."""
        platform = self.platforms.get(engine.platform)
        return platform if platform and platform.serves(engine.site) else None

    async def _unserved(self, engines: Sequence[Engine]) -> set[str]:
        """The engines that no live gateway manages."""
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
            return None  # no address; a problem of one platform must not hide the other engines


def _process_of(sent: object) -> ProcessSpec | None:
    if isinstance(sent, dict) and isinstance(pid := sent.get("pid"), float) and pid.is_integer():
        sent = {**sent, "pid": int(pid)}  # 7.0 is an integer in JSON Schema
    try:
        return None if sent is None else ProcessSpec.model_validate(sent)
    except ValidationError:
        rule = "must be an object with pid, mark, boot and machine of a process"
        raise InvalidRequest.of([("process", rule)]) from None


def _serves(sites: Sequence[str], engine: Engine, age_s: float) -> bool:
    return engine.site in sites and age_s < OUT_OF_REACH_S


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _is_to_run(engine: Engine) -> bool:
    return engine.is_managed and engine.target is Target.RUNNING and not lifecycle.is_settled(engine)


def _joins_another_start(engine: Engine) -> NotPossible:
    status = status_of(engine).value
    why = f"it is {status} and starts with the stored ones; wait until it runs, or stop it, then try again"
    return refused(engine, f"cannot restart {engine.name!r} with other settings: {why}", NotPossible)


def _too_busy(engine: Engine) -> Conflict:
    return refused(engine, f"others changed {engine.name!r} {ATTEMPTS} times at the same time; try again", Conflict)

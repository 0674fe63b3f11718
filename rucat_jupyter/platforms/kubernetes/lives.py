"""Start, observe and stop one life in its namespace; after a crash between any two calls the next look recovers.

The root ConfigMap is made first and the driver's pod last; names carry engine and run. What of an ended life must
outlast its objects is in the :class:`.logs.Archive`, written before anything is deleted.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ...core.engine import Credential, Engine, Reason, State
from ...core.errors import PlatformError, PlatformUnavailable
from ...core.lifecycle import End, Observation, Presence, is_settled, is_wanted
from .api.client import ApiFault
from .logs import KEPT_LINES, Archive, Tail, follow, tail_of
from .namespace import Namespace
from .objects import manifests, names
from .status.end_reasons import end_of_pod, going, has_ended, hint_of, is_deleting, refusal
from .status.phases import STARTING, Phase, is_node_silent

log = logging.getLogger(__name__)
Json = dict[str, Any]

GONE_S = 45.0
"""How long a pod may take to go: its own grace, and time for the kubelet to say so."""
LOG_S = 10.0
LAST_WORDS_S = 2.0
"""How long the log of a pod that has gone may still come."""
STOPPED = End(None, "stopped")


class Lives:
    """Operations on lives; ``context`` makes the context of manifests for a namespace."""

    def __init__(self, archive: Archive, context: Callable[[Namespace], manifests.Context]) -> None:
        self._archive = archive
        self._context = context
        self._locks: dict[str, asyncio.Lock] = {}
        self._put_off: dict[str, str] = {}  # what the last start of a run that broke off was told
        self._absent: set[str] = set()  # settled lives of which nothing is there, nor will be

    def lock(self, engine_id: str) -> asyncio.Lock:
        """Held while a life of this engine is started, stopped or removed."""
        return self._locks.setdefault(engine_id, asyncio.Lock())

    # --- starting ---------------------------------------------------------------------------------------------

    async def start(self, site: Namespace, engine: Engine, credential: Credential) -> None:
        """Create the missing objects of the life, the root first; adopt the others. The caller holds the lock."""
        if self._archive.get(engine.run_name) is not None:
            raise PlatformError(f"run {engine.state_run} has already ended", reason=Reason.LOST.value)
        made = manifests.objects(engine, credential, self._context(site))
        try:
            root = await self._root(site, made.root)
        except ApiFault as exc:
            raise _refused(exc, site.way.namespace) from None
        try:
            await self._owned(site, manifests.owned_by(made, root["metadata"]["uid"]), root["metadata"]["uid"])
        except PlatformUnavailable as exc:
            self._put_off[engine.run_name] = exc.message
            raise
        except ApiFault as exc:
            await self._delete(site, engine.run_name)
            raise _refused(exc, site.way.namespace) from None
        self._put_off.pop(engine.run_name, None)

    async def _root(self, site: Namespace, wanted: Json) -> Json:
        name = wanted["metadata"]["name"]
        try:
            return await site.api.create(site.at("configmaps"), wanted)
        except ApiFault as exc:
            if not exc.is_conflict:
                raise
        found = await site.api.find(site.at("configmaps", name))
        if found is None or is_deleting(found):
            raise PlatformUnavailable(f"ConfigMap {name} of this run is being deleted; will try again")
        return found

    async def _owned(self, site: Namespace, made: manifests.Objects, root_uid: str) -> None:
        name = made.pod["metadata"]["name"]
        for wanted in made.owned:
            kind = f"{wanted['kind'].lower()}s"
            try:
                await site.api.create(site.at(kind), wanted)
                continue
            except ApiFault as exc:
                if not exc.is_conflict:
                    raise
            pod = await site.pod(name)
            if pod is not None and _owner(pod) == root_uid:
                return  # all others were made before it
            # Left by an incomplete start, perhaps of an earlier root: created again, because we cannot read Secrets.
            await site.api.delete(site.at(kind, wanted["metadata"]["name"]))
            try:
                await site.api.create(site.at(kind), wanted)
            except ApiFault as exc:
                if exc.is_conflict:
                    raise PlatformUnavailable(f"{wanted['kind']} {name} is being deleted; will try again") from None
                raise

    # --- looking ----------------------------------------------------------------------------------------------

    async def look(self, site: Namespace, engine: Engine) -> Observation:
        """Observe a life with a fresh copy; only a direct read proves that something is gone."""
        name = engine.run_name
        kept = self._archive.get(name)
        if self.is_over(engine):
            return Observation(Presence.ABSENT)
        pod = site.pods.items.get(name) or await site.pod(name)
        if pod is not None:
            return await self._look_at(site, engine, pod)
        root = await site.api.find(site.at("configmaps", name))
        if kept is not None:
            return Observation(Presence.ENDED, end=kept.end)
        last = site.last_seen(name)
        if last is not None:
            end = self._gone(engine, last)
        elif root is None:
            if is_settled(engine):
                self._absent.add(name)
            return Observation(Presence.ABSENT)
        elif is_wanted(engine) and engine.state is State.PENDING and not is_deleting(root):
            said = self._put_off.get(name, "")  # a start that broke off: it goes on
            hint = hint_of(said)
            return Observation(Presence.ABSENT, waits_for=refusal(500, said) if hint else None, hint=hint)
        elif is_wanted(engine):
            end = End(Reason.DELETED, f"someone deleted pod {name}")
        else:
            end = End(None, "stopped before it started")
        return Observation(Presence.ENDED, end=(await asyncio.to_thread(self._archive.put, name, end)).end)

    def is_over(self, engine: Engine) -> bool:
        """Whether it is known, without a look, that nothing of the life is in the cluster."""
        kept = self._archive.get(engine.run_name)
        return engine.state_run == 0 or (kept is not None and kept.is_cleaned) or engine.run_name in self._absent

    async def _look_at(self, site: Namespace, engine: Engine, pod: Json) -> Observation:
        if has_ended(pod):
            kept = self._archive.get(engine.run_name)
            if kept is None:
                text = await self._keep_log(site, engine.run_name)
                end = end_of_pod(pod, text, was_running=engine.state is State.RUNNING)
                kept = await asyncio.to_thread(self._archive.put, engine.run_name, end)
            return Observation(Presence.ENDED, end=kept.end)
        counted = site.count(engine) if is_wanted(engine) else None
        crashing = site.crash_loop(engine) if is_wanted(engine) else None
        blocked, leaving = site.blocked(engine.id), going(pod)
        if leaving is not None or crashing is not None:
            return Observation(Presence.ALIVE, end=leaving or crashing, executors=counted, blocked=blocked)
        phase = Phase() if engine.state is State.RUNNING else site.phase(pod, engine.id)
        message, reason = phase.message, phase.reason
        if message == STARTING and blocked:  # the only thing that a start waits for, and it may be the last
            message, reason = blocked, site.blocking(engine.id)
        elif message == STARTING and counted is not None and counted.reasons:
            message = f"{STARTING}; {counted.reasons[0]}"
        if is_node_silent(pod):
            node = (pod.get("spec") or {}).get("nodeName", "?")
            message, reason = f"node {node} does not report; the API says NotReady", Reason.NODE_LOST
        advised = site.advice(engine) if counted is not None else ""
        return Observation(Presence.ALIVE, message, phase.end, counted, blocked, reason, advised, phase.hint)

    def _gone(self, engine: Engine, last: Json) -> End:
        if has_ended(last):
            return end_of_pod(last, "", was_running=engine.state is State.RUNNING)
        return going(last) or End(Reason.DELETED, f"someone deleted pod {last['metadata']['name']}")

    # --- ending -----------------------------------------------------------------------------------------------

    async def end(self, site: Namespace, name: str) -> bool:
        """Keep the log, delete everything of a run and see its pod gone; False where nothing is there.

        The caller holds the lock. Raises PlatformUnavailable if the state is unknown.
        """
        pod = await site.pod(name)
        if pod is None and await site.api.find(site.at("configmaps", name)) is None:
            return False
        if pod is not None:
            await self._keep_log(site, name)
        await asyncio.to_thread(self._archive.put, name, STOPPED)
        if pod is None or has_ended(pod):
            await self._delete(site, name)
        else:
            async with self._last_words(site, name):
                await self._delete(site, name)
        return True

    async def sweep(self, site: Namespace, name: str) -> None:
        """Delete what has lost its owner of an ended life: the garbage collector only takes what has one."""
        for executor in site.executors(name):
            await site.api.delete(site.at("pods", executor))
        for number in itertools.count():
            if not await site.api.delete(site.at("secrets", names.secret(name, number))) and number > 0:
                break  # without the first there may be a second: of a sweep that was cut off
        await site.api.delete(site.at("services", name))  # the last: by it the run is found again

    async def clean(self, name: str) -> None:
        """Note that nothing is left of an ended life."""
        await asyncio.to_thread(self._archive.clean, name)

    async def remove(self, name: str) -> None:
        """Forget an ended life and its log."""
        await asyncio.to_thread(self._archive.remove, name)
        self._absent.discard(name)
        self._put_off.pop(name, None)

    def runs(self, engine_id: str) -> list[str]:
        """Run names of this engine that something is kept of."""
        return [name for name in self._archive.names() if name.startswith(f"rucat-{engine_id}-")]

    async def _delete(self, site: Namespace, name: str) -> None:
        """Delete root and pod, and wait until the pod is gone, if need be by force."""
        pod = await site.pod(name)
        uid = pod["metadata"]["uid"] if pod else None
        try:
            await site.api.delete(site.at("configmaps", name))
            if pod is None or uid is None:
                return
            is_dead = has_ended(pod) or is_node_silent(pod)
            await site.api.delete(site.at("pods", name), uid=uid, grace_s=0 if is_dead else None)
            if not await site.gone(name, uid, GONE_S):
                log.warning("%s: its pod did not terminate within %.0f s, deleting it by force", name, GONE_S)
                await site.api.delete(site.at("pods", name), uid=uid, grace_s=0)
        except ApiFault as exc:
            raise PlatformUnavailable(f"cannot delete {name} in {site.way}: {exc.message}") from None

    async def _keep_log(self, site: Namespace, name: str) -> str:
        """The last lines of the driver's log, kept; what cannot be had in time is left."""
        tail = await tail_of(site.api, site.way.namespace, name, LOG_S)
        await asyncio.to_thread(self._archive.keep_log, name, tail)
        return tail.text

    @asynccontextmanager
    async def _last_words(self, site: Namespace, name: str) -> AsyncIterator[None]:
        """Keep what the driver still logs while its pod is being deleted."""

        async def is_alive() -> bool:
            return (pod := await site.pod(name)) is not None and not has_ended(pod)

        tail = Tail()
        lines = follow(site.api, site.way.namespace, name, KEPT_LINES, is_alive)
        reading = asyncio.ensure_future(tail.read(lines))
        try:
            yield
            await asyncio.wait({reading}, timeout=LAST_WORDS_S)
            tail.is_whole = not reading.done() or tail.is_whole  # its pod is gone
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await asyncio.to_thread(self._archive.keep_log, name, tail)


def _owner(pod: Json) -> str:
    owners = (pod.get("metadata") or {}).get("ownerReferences") or []
    return str(owners[0]["uid"]) if owners else ""


def _refused(exc: ApiFault, namespace: str) -> PlatformError:
    """What the API server said no to, as a failure of the engine."""
    reason = refusal(exc.status, exc.message)
    has_no_account = "serviceaccount" in exc.said.lower() and exc.message == exc.said
    command = f"rucat kubernetes manifests --namespace {namespace} | kubectl apply -f -"
    make = f"; to create what Rucat needs, in a terminal: {command}"
    message = exc.message + (make if has_no_account else "")
    return PlatformError(message, reason=reason.value, hint=hint_of(exc.said))

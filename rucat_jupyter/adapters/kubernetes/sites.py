"""One namespace as this gateway sees it: its copy of our pods and their events, and what it remembers of those gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...deadline import within
from ...engine import Engine, State
from ...lifecycle import Executors
from ...ports import Endpoint
from . import executors, names
from .access import Way
from .api import Api, ApiFault, path
from .ends import has_ended, refusal_in
from .names import selector
from .phases import Phase, is_ready, phase_of, pull_fails
from .sizes import is_dynamic
from .watch import Mirror

if TYPE_CHECKING:
    from .forward import Forwards

Json = dict[str, Any]
REMEMBERED = 2000
"""Pods that have gone, and events, of which the last state is kept."""
REMEMBERED_OF_ONE = 200
TELLING = {"ALL", "TRACE", "DEBUG", "INFO"}
"""Levels of ``spark.log.level`` at which Spark logs that its service listens."""
LOOK_INTO_LOG_S = 8.0
LOOK_AGAIN_S = 2.0


class Site:
    """A namespace, its API, and the copy of what is ours in it. ``ring`` hears of engines that may have changed."""

    def __init__(self, uid: str, way: Way, temp: Path, installation: str, ring: Callable[[str], None]) -> None:
        self.uid, self.way, self.api = uid, way, Api(way, temp)
        self._ring = ring
        at: dict[str, object] = {"labelSelector": selector(installation)}
        self.pods = Mirror(self.api, path("pods", way.namespace), at, self._pod_changed, trim=_trim_pod)
        kind: dict[str, object] = {"fieldSelector": "involvedObject.kind=Pod"}
        self._events = Mirror(self.api, path("events", way.namespace), kind, self._event_changed, trim=_trim_event)
        self._executors: dict[str, set[str]] = {}  # by run name
        self._told: dict[str, list[Json]] = {}  # events by pod
        self._last: dict[str, Json] = {}  # final states of drivers' pods, by name
        self._ended: dict[str, dict[str, Json]] = {}  # last states of executors, by run name and pod
        self._failing: dict[str, datetime] = {}  # since when a pod's image cannot be pulled, by the pod's uid
        self._refused: dict[str, str] = {}  # why the API server refuses executors, by run name
        self._asked: dict[str, float] = {}  # when the driver's log was last looked into, by run name
        self._listens: dict[str, bool] = {}  # whether a starting driver can be dialled, by run name
        self._forwards: Forwards | None = None
        self._leaving: dict[str, asyncio.Event] = {}  # set when a pod's end is told
        self._alarms: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop following; what is in the cluster stays."""
        for alarm in self._alarms.values():
            alarm.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._forwards is not None:
            await self._forwards.close()
        await self.pods.close()
        await self._events.close()
        await self.api.close()

    def begin(self) -> None:
        """Start to follow pods and events."""
        self.pods.begin()
        self._events.begin()

    async def fresh(self) -> None:
        """Return when the copy is up to date; PlatformUnavailable where the API server does not say."""
        await self.pods.fresh()

    def at(self, kind: str, name: str = "", tail: str = "") -> str:
        """The API's path of something in this namespace."""
        return path(kind, self.way.namespace, name, tail=tail)

    # --- the way to an engine --------------------------------------------------------------------------------

    async def endpoint(self, engine: Engine, ui_port: int | None) -> Endpoint | None:
        """Where this gateway's clients reach an engine; None before its pod has an address, which it then keeps."""
        pod = self.pods.items.get(engine.run_name)
        address = ((pod or {}).get("status") or {}).get("podIP")
        if not address:
            return None
        forward = await asyncio.to_thread(_forward)
        if self.way.is_in_cluster:
            inside: Endpoint = forward.direct(address, names.CONNECT_PORT, ui_port)
            return inside
        if engine.state is State.PENDING and pod is not None and not (is_ready(pod) and self._may_listen(engine)):
            return None  # nobody listens: each try would be a WebSocket through the API server
        if self._forwards is None:
            self._forwards = forward.Forwards(self.api.client)
        at = forward.Pod(self.way.namespace, engine.run_name)
        return await self._forwards.endpoint(engine.id, at, names.CONNECT_PORT, ui_port)

    def _may_listen(self, engine: Engine) -> bool:
        """Whether a starting driver is worth a try: from when its log says that it listens; the engine is rung for."""
        if engine.spec.conf.get("spark.log.level", "INFO").upper() not in TELLING:
            return True
        if engine.run_name not in self._listens:
            self._listens[engine.run_name] = False
            _bound(self._listens)
            self._begin(self._await_listening(engine.id, engine.run_name))
        return self._listens.get(engine.run_name, True)

    async def _await_listening(self, engine_id: str, run: str) -> None:
        from .logs import until_it_listens

        await until_it_listens(self.api, self.way.namespace, run)
        self._listens[run] = True
        self._ring(engine_id)

    def blocked(self, engine_id: str) -> str:
        """What stands between this gateway and an engine's pod, as far as it is known; else empty."""
        return self._forwards.trouble(engine_id) if self._forwards else ""

    async def drop(self, engine_id: str) -> None:
        """Let go of the way to an engine that is no more."""
        if self._forwards is not None:
            await self._forwards.drop(engine_id)

    # --- drivers ----------------------------------------------------------------------------------------------

    async def pod(self, name: str) -> Json | None:
        """A driver's pod by a direct read; None where it is not there."""
        return await self.api.find(self.at("pods", name))

    async def gone(self, name: str, uid: str, limit_s: float) -> bool:
        """Wait until that very pod is gone, by a direct read; False when it has not gone in time."""
        end = asyncio.get_running_loop().time() + limit_s
        while asyncio.get_running_loop().time() < end:
            told = self._leaving.setdefault(name, asyncio.Event())
            pod = await self.pod(name)
            if pod is None or pod["metadata"]["uid"] != uid:
                self._leaving.pop(name, None)
                return True
            try:
                await within(LOOK_AGAIN_S, told.wait())
            except asyncio.TimeoutError:
                continue
        return False

    def last_seen(self, name: str) -> Json | None:
        """The final state of a driver's pod that has gone while this gateway looked."""
        return self._last.get(name)

    def phase(self, pod: Json, engine_id: str) -> Phase:
        """What a driver's pod waits for; the engine is rung for when time alone changes that."""
        uid = pod["metadata"].get("uid", "")
        now = datetime.now(timezone.utc)
        if pull_fails(pod):
            self._failing.setdefault(uid, now)
        phase = phase_of(pod, self._told.get(pod["metadata"]["name"], ()), self._failing.get(uid), now)
        if phase.until is not None:
            self._ring_at((phase.until - now).total_seconds() + 0.1, engine_id)
        return phase

    # --- executors --------------------------------------------------------------------------------------------

    def count(self, engine: Engine) -> Executors:
        """The executors of the engine's present life, by the copy."""
        run = engine.run_name
        pods = [self.pods.items[name] for name in sorted(self._executors.get(run, ())) if name in self.pods.items]
        may_go = is_dynamic(engine.spec)
        losses = (executors.loss(pod, may_go=may_go) for pod in self._ended.get(run, {}).values())
        lost = [why for why in losses if why is not None]
        found = executors.count(
            engine.spec, pods, self._told, lost, self._refused.get(run, ""), datetime.now(timezone.utc)
        )
        if found.running + found.pending < found.wanted:
            if engine.state is State.RUNNING:
                self._ask_log(engine)
        else:
            self._refused.pop(run, None)
        return found

    def _ask_log(self, engine: Engine) -> None:
        """Look into the driver's log for why executors are missing, now and then."""
        now, run = asyncio.get_running_loop().time(), engine.run_name
        if now - self._asked.get(run, float("-inf")) < LOOK_INTO_LOG_S:
            return
        self._asked[run] = now
        self._begin(self._look_into_log(engine.id, run))

    async def _look_into_log(self, engine_id: str, run: str) -> None:
        from .logs import tail_of

        await asyncio.sleep(2.0)  # Spark asks for executors a second after it has begun
        text = await tail_of(self.api, self.way.namespace, run, 300)
        refused = refusal_in(text or "")
        if refused != self._refused.get(run, ""):
            self._refused[run] = refused
        self._ring_at(LOOK_INTO_LOG_S, engine_id)
        self._ring(engine_id)

    # --- what is there ----------------------------------------------------------------------------------------

    async def listed(self, kind: str, installation: str, engine_id: str = "") -> list[Json]:
        """Metadata of the roots (``configmaps``) or ``services`` of this installation (of one engine), read now."""
        wanted = selector(installation) + (f",{names.ENGINE}={engine_id}" if engine_id else "")
        items, _ = await self.api.list(self.at(kind), labelSelector=wanted)
        return [item["metadata"] for item in items]

    def executors(self, run: str) -> list[str]:
        """Names of the executors' pods of a life, by the copy."""
        return [name for name in self._executors.get(run, ()) if name in self.pods.items]

    def forget(self, run: str) -> None:
        """Forget a life that is over."""
        self._last.pop(run, None)
        self._told.pop(run, None)
        self._ended.pop(run, None)
        self._refused.pop(run, None)
        self._asked.pop(run, None)
        self._listens.pop(run, None)
        self._executors.pop(run, None)

    # --- private ----------------------------------------------------------------------------------------------

    def _pod_changed(self, old: Json | None, new: Json | None) -> None:
        pod = new or old
        if pod is None:
            return
        labels, name = pod["metadata"]["labels"], pod["metadata"]["name"]
        engine_id, run = labels.get(names.ENGINE, ""), f"rucat-{labels.get(names.ENGINE)}-{labels.get(names.RUN)}"
        if labels.get(names.COMPONENT) == names.EXECUTOR:
            self._executor_changed(run, name, pod, is_gone=new is None)
        elif new is None:
            self._last[name] = pod
            self._leaving.pop(name, asyncio.Event()).set()
            _bound(self._last)
        if new is None:
            self._told.pop(name, None)
            self._failing.pop(pod["metadata"].get("uid", ""), None)
        if engine_id:
            self._ring(engine_id)

    def _executor_changed(self, run: str, name: str, pod: Json, *, is_gone: bool) -> None:
        if is_gone:
            self._executors.get(run, set()).discard(name)
        else:
            self._executors.setdefault(run, set()).add(name)
        if is_gone or has_ended(pod):
            self._ended.setdefault(run, {})[name] = pod
            _bound(self._ended[run], REMEMBERED_OF_ONE)
            _bound(self._ended)

    def _event_changed(self, old: Json | None, new: Json | None) -> None:
        if new is None:
            return
        name = (new.get("involvedObject") or {}).get("name", "")
        pod = self.pods.items.get(name)
        if pod is None and not name.startswith("rucat-"):
            return
        told = [event for event in self._told.get(name, []) if event["metadata"]["name"] != new["metadata"]["name"]]
        self._told[name] = sorted([*told, new], key=_event_time)[-20:]
        _bound(self._told)
        if pod is not None:
            self._ring(pod["metadata"]["labels"].get(names.ENGINE, ""))

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ring_at(self, seconds: float, engine_id: str) -> None:
        alarm = self._alarms.pop(engine_id, None)
        if alarm is not None:
            alarm.cancel()
        self._alarms[engine_id] = asyncio.get_running_loop().call_later(max(seconds, 0.1), self._alarm, engine_id)

    def _alarm(self, engine_id: str) -> None:
        self._alarms.pop(engine_id, None)
        self._ring(engine_id)


def _forward() -> ModuleType:
    """The forwards, whose library takes a while to load."""
    from . import forward

    return forward


def _trim_pod(pod: Json) -> Json:
    """Of a pod what is looked at: thousands are kept."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    kept = ("name", "namespace", "uid", "labels", "annotations", "creationTimestamp", "deletionTimestamp")
    containers = [
        {"name": container.get("name"), "resources": container.get("resources")}
        for container in spec.get("containers") or []
    ]
    return {
        "metadata": {"labels": {}, **{key: metadata[key] for key in kept if key in metadata}},
        "spec": {
            "containers": containers,
            **{key: spec[key] for key in ("nodeName", "readinessGates") if key in spec},
        },
        "status": pod.get("status") or {},
    }


def _trim_event(event: Json) -> Json:
    """Of an event what is looked at."""
    kept = ("involvedObject", "reason", "message", "firstTimestamp", "lastTimestamp", "eventTime", "type", "series")
    return {"metadata": {"name": event["metadata"]["name"]}, **{key: event.get(key) for key in kept}}


def _event_time(event: Json) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _bound(memory: dict[str, Any], most: int = REMEMBERED) -> None:
    while len(memory) > most:
        del memory[next(iter(memory))]


async def namespace_uid(api: Api) -> str:
    """The UID of the way's namespace: the same from everywhere. ApiFault where it cannot be read."""
    found = await api.get(path("", api.way.namespace))
    uid = (found.get("metadata") or {}).get("uid")
    if not uid:
        raise ApiFault(404, "NotFound", f"namespace {api.way.namespace!r} has no UID")
    return str(uid)

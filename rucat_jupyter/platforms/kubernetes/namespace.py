"""One namespace: a copy of our pods and their events, and records of pods that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...core.engine import Engine, Reason, State
from ...core.lifecycle import End, Executors
from ...core.ports.clock import Clock
from ...core.ports.platform import Endpoint
from ...core.timeouts import within
from .api.access import Way
from .api.client import Api, ApiFault, path
from .api.mirror import Mirror
from .api.remedies import GRANT, granting, remedy
from .logs import follow, until_it_listens
from .objects import names
from .objects.names import selector
from .objects.sizes import is_dynamic
from .rights import DRIVER
from .run_records import RunRecord
from .status import executors
from .status.end_reasons import advice, has_ended, refusal_in
from .status.phases import Phase, is_ready, phase_of

if TYPE_CHECKING:
    from .portforward.forwards import Forwards

Json = dict[str, Any]
REMEMBERED = 2000
"""Runs of which a record is kept after their pods have gone."""
TELLING = {"ALL", "TRACE", "DEBUG", "INFO"}
"""Levels of ``spark.log.level`` at which Spark logs that its service listens."""
FADES = timedelta(seconds=4)
"""Spark asks for missing executors each second: what it was refused is past when it is not refused again."""
REFUSALS_IN = 100
"""Lines of a driver's log in which a refusal is searched that came before this gateway."""
LOOK_AGAIN_S = 2.0


class Namespace:
    """A namespace, its API, and a copy of Rucat's objects in it.

    ``ring`` hears of engines that may have changed; a pull of the driver's image may fail for ``pull_grace_s``.
    """

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        uid: str,
        way: Way,
        temp: Path,
        installation: str,
        ring: Callable[[str], None],
        clock: Clock,
        pull_grace_s: float,
    ) -> None:
        self.uid, self.way, self.api = uid, way, Api(way, temp)
        self._ring, self._clock, self._pull_grace = ring, clock, timedelta(seconds=pull_grace_s)
        at: dict[str, object] = {"labelSelector": selector(installation)}
        self.pods = Mirror(self.api, path("pods", way.namespace), at, self._pod_changed, trim=_trim_pod)
        kind: dict[str, object] = {"fieldSelector": "involvedObject.kind=Pod"}
        self._events = Mirror(self.api, path("events", way.namespace), kind, self._event_changed, trim=_trim_event)
        self._runs: dict[str, RunRecord] = {}  # by run name
        self._forwards: Forwards | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop following; what is in the cluster stays."""
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
        """The address of an engine for this gateway's clients; None before its pod has an address, which it keeps."""
        pod = self.pods.items.get(engine.run_name)
        address = ((pod or {}).get("status") or {}).get("podIP")
        if not address:
            return None
        forward = await asyncio.to_thread(_forward)
        if self.way.is_in_cluster:
            inside: Endpoint = forward.direct(address, names.CONNECT_PORT, ui_port)
            return inside
        if engine.state is State.PENDING and pod is not None and not (is_ready(pod) and self._may_listen(engine)):
            return None  # nothing listens: each try would be a WebSocket through the API server
        if self._forwards is None:
            self._forwards = forward.Forwards(self.api.client, renew=self.api.renew)
        at = forward.Pod(self.way.namespace, engine.run_name)
        return await self._forwards.endpoint(engine.id, at, names.CONNECT_PORT, ui_port)

    def _may_listen(self, engine: Engine) -> bool:
        """Whether a starting driver is worth a try: from when its log says that it listens; the engine is rung for."""
        if engine.spec.conf.get("spark.log.level", "INFO").upper() not in TELLING:
            return True
        run = self._run(engine.run_name)
        if run.listens is None:
            run.listens = False
            self._begin(self._await_listening(engine, run))
        return run.listens

    async def _await_listening(self, engine: Engine, run: RunRecord) -> None:
        await until_it_listens(self.api, self.way.namespace, engine.run_name)
        run.listens = True
        self._ring(engine.id)

    def blocked(self, engine_id: str) -> str:
        """Why this gateway cannot reach an engine's pod; empty if unknown or reachable."""
        said = self._forwards.problem(engine_id) if self._forwards else ""
        granted = granting(self.way, said)
        if not granted and self.blocking(engine_id) and "the role needs" in said:
            granted = f". {GRANT}: {remedy(self.way)}"
        return said + granted

    def blocking(self, engine_id: str) -> Reason | None:
        """The reason of the failure of a start that :meth:`blocked` ends."""
        return Reason.FORBIDDEN if self._forwards and self._forwards.is_refused(engine_id) else None

    async def drop(self, engine_id: str) -> None:
        """Release the connection to a deleted engine."""
        if self._forwards is not None:
            await self._forwards.drop(engine_id)

    # --- drivers ----------------------------------------------------------------------------------------------

    async def pod(self, name: str) -> Json | None:
        """A driver's pod by a direct read; None where it is not there."""
        return await self.api.find(self.at("pods", name))

    async def gone(self, name: str, uid: str, limit_s: float) -> bool:
        """Wait until that very pod is gone, by a direct read; False when it has not gone in time."""
        end = self._clock.now() + timedelta(seconds=limit_s)
        while self._clock.now() < end:
            gone = self._run(name).gone
            pod = await self.pod(name)
            if pod is None or pod["metadata"]["uid"] != uid:
                return True
            try:
                await within(LOOK_AGAIN_S, gone.wait())
            except asyncio.TimeoutError:
                continue
        return False

    def last_seen(self, name: str) -> Json | None:
        """The final state of a driver's pod that has gone while this gateway looked."""
        return self._run(name).last

    def phase(self, pod: Json, engine_id: str) -> Phase:
        """What a driver's pod waits for; the engine is rung for when time alone changes that."""
        name = pod["metadata"]["name"]
        run = self._run(name)
        phase = phase_of(pod, run.events.get(name, ()))
        if phase.is_by_events and self._events.problem:
            phase = replace(phase, message=f"{phase.message} (more is unknown: {self._events.problem})")
        if phase.gives_up is None:
            return phase
        now = self._clock.now()
        run.failing_since = min(at for at in (run.failing_since, phase.since, now) if at)
        left = run.failing_since + self._pull_grace - now
        if left > timedelta():
            self._ring_after(left.total_seconds(), engine_id, run)
            return phase
        return replace(phase, end=phase.gives_up)

    # --- executors --------------------------------------------------------------------------------------------

    def count(self, engine: Engine) -> Executors:
        """The executors of the engine's present life, by the copy."""
        run = self._run(engine.run_name)
        pods = [pod for _, pod in sorted(run.executors.items())]
        may_go = is_dynamic(engine.spec)
        losses = (executors.loss(pod, may_go=may_go) for pod in run.lost.values())
        lost = [why for why in losses if why is not None]
        if run.refused_at is not None and self._clock.now() - run.refused_at >= FADES:
            run.refused, run.refused_at = "", None
        found = executors.count(engine.spec, pods, run.events, lost, run.refused)
        if not executors.may_lack(engine.spec, found.running + found.pending):
            run.refused = ""
            if run.following is not None:
                run.following.cancel()
        elif _has_begun(self.pods.items.get(engine.run_name)) and (run.following is None or run.following.done()):
            run.following = self._begin(self._follow_refusals(engine.id, engine.run_name, run))
        return found

    def advice(self, engine: Engine) -> str:
        """What to do about executors that the API server rejects; empty where it does not."""
        refused = self._run(engine.run_name).refused
        if f'"system:serviceaccount:{self.way.namespace}:{DRIVER}" cannot' in refused:
            return f"Grant {DRIVER} its rights, in a terminal: {remedy(self.way)}"
        return advice(refused)

    def crash_loop(self, engine: Engine) -> End | None:
        """The end of an engine whose executors crash again and again; None where they do not."""
        run = self._run(engine.run_name)
        lost = [why for pod in run.lost.values() if (why := executors.loss(pod, may_go=True)) is not None]
        return executors.crash_loop(engine.spec, run.crashes, lost, self._clock.now())

    async def _follow_refusals(self, engine_id: str, name: str, run: RunRecord) -> None:
        """Follow the driver's log for why the API server rejects executors: it is in no pod and no event."""

        async def is_alive() -> bool:
            return _has_begun(self.pods.items.get(name))

        try:
            async with aclosing(follow(self.api, self.way.namespace, name, REFUSALS_IN, is_alive)) as lines:
                async for line in lines:
                    if said := refusal_in(line):
                        is_news, run.refused, run.refused_at = said != run.refused, said, self._clock.now()
                        self._ring_after(FADES.total_seconds(), engine_id, run)
                        if is_news:
                            self._ring(engine_id)
        except ApiFault as exc:
            if exc.is_forbidden:
                run.refused = f"why executors are missing is unknown: {exc.message}"
                self._ring(engine_id)
            await self._clock.sleep(LOOK_AGAIN_S)

    # --- what is there ----------------------------------------------------------------------------------------

    async def listed(self, kind: str, installation: str, engine_id: str = "") -> list[Json]:
        """Metadata of the roots (``configmaps``) or ``services`` of this installation (of one engine), read now."""
        wanted = selector(installation) + (f",{names.ENGINE}={engine_id}" if engine_id else "")
        items, _ = await self.api.list(self.at(kind), labelSelector=wanted)
        return [item["metadata"] for item in items]

    def executors(self, run: str) -> list[str]:
        """Names of the executors' pods of a life, by the copy."""
        return list(self._run(run).executors)

    def forget(self, run: str) -> None:
        """Forget a life that is over."""
        self._runs.pop(run, None)

    # --- private ----------------------------------------------------------------------------------------------

    def _run(self, name: str) -> RunRecord:
        """The record of a run; beyond a number the oldest goes that has no pod."""
        if name not in self._runs:
            if len(self._runs) >= REMEMBERED:
                old = (run for run, it in self._runs.items() if run not in self.pods.items and not it.executors)
                self._runs.pop(next(old, ""), None)
            self._runs[name] = RunRecord()
        return self._runs[name]

    def _pod_changed(self, old: Json | None, new: Json | None) -> None:
        pod = new or old
        if pod is None:
            return
        labels, name = pod["metadata"]["labels"], pod["metadata"]["name"]
        engine_id = labels.get(names.ENGINE, "")
        run = self._run(f"rucat-{engine_id}-{labels.get(names.RUN)}")
        if labels.get(names.COMPONENT) == names.EXECUTOR:
            crashed_at = self._clock.now() if executors.has_crashed(pod) else None
            run.executor_changed(name, pod, is_gone=new is None, has_ended=has_ended(pod), crashed_at=crashed_at)
        elif new is None:
            run.driver_gone(pod)
        elif old is not None and old["metadata"].get("uid") != new["metadata"].get("uid"):
            run.failing_since = None  # another pod of that name
        if new is None:
            run.events.pop(name, None)
        if engine_id:
            self._ring(engine_id)

    def _event_changed(self, old: Json | None, new: Json | None) -> None:
        if new is None:
            return
        name = (new.get("involvedObject") or {}).get("name", "")
        run = names.run_of(name)
        if not run:
            return
        self._run(run).event_changed(name, new)
        pod = self.pods.items.get(name)
        if pod is not None:
            self._ring(pod["metadata"]["labels"].get(names.ENGINE, ""))

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _ring_after(self, seconds: float, engine_id: str, run: RunRecord) -> None:
        async def ring() -> None:
            await self._clock.sleep(seconds + 0.1)
            self._ring(engine_id)

        if run.alarm is not None:
            run.alarm.cancel()
        run.alarm = self._begin(ring())


def _has_begun(pod: Json | None) -> bool:
    """Whether a driver runs, so that it has a log."""
    return pod is not None and (pod.get("status") or {}).get("phase") == "Running" and not has_ended(pod)


def _forward() -> ModuleType:
    """The forwards, whose library takes a while to load."""
    from .portforward import forwards as forward  # noqa: PLC0415 - heavy: websockets and TLS

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


async def namespace_uid(api: Api) -> str:
    """The UID of the way's namespace: the same from everywhere. ApiFault where it cannot be read."""
    found = await api.get(path("", api.way.namespace))
    uid = (found.get("metadata") or {}).get("uid")
    if not uid:
        raise ApiFault(404, "NotFound", f"namespace {api.way.namespace!r} has no UID")
    return str(uid)

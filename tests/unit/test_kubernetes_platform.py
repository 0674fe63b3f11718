"""The platform ``kubernetes`` against an API server that refuses, falls silent, forgets, or holds what others made."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import run

import pytest
from fakes.kube_api import LISTENS, KubeApi, Refusal, conditions, exit_with, pending
from support.local import until
from support.platforms import INSTALLATION, PlayedKubernetes

from rucat_jupyter.core.engine import Credential, Engine, Reason, State, Target
from rucat_jupyter.core.errors import InvalidRequest, PlatformError, PlatformUnavailable
from rucat_jupyter.core.lifecycle import Observation, Presence
from rucat_jupyter.core.ports.platform import Leftover, Platform
from rucat_jupyter.core.spec import EngineSpec, ExecutorsSpec
from rucat_jupyter.gateway.service.clock import SystemClock
from rucat_jupyter.platforms.kubernetes import examining
from rucat_jupyter.platforms.kubernetes.api import access
from rucat_jupyter.platforms.kubernetes.api.client import Api, path
from rucat_jupyter.platforms.kubernetes.platform import KubernetesPlatform

TOKEN = Credential(token="canary-token")
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[PlayedKubernetes]:
    """A cluster that is the tests' own."""
    stage = PlayedKubernetes(tmp_path)
    await stage.begin()
    yield stage
    await stage.end()


@pytest.fixture
async def platform(stage: PlayedKubernetes) -> Platform:
    """A gateway's view of it."""
    return await stage.gateway()


@pytest.fixture
def api(stage: PlayedKubernetes) -> KubeApi:
    """The API server."""
    return stage.api


async def look(platform: Platform, engine: Engine) -> Observation:
    return (await platform.observe([engine]))[engine.id]


async def started(stage: PlayedKubernetes, platform: Platform) -> Engine:
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)
    assert (await look(platform, engine)).presence is Presence.ALIVE
    return engine


def refuse(verb: str, kind: str, refusal: Refusal, times: int = 1000):
    """Let the API server refuse some calls."""
    left = [times]

    def check(asked: str, of: str, body: object) -> None:
        if (asked, of) == (verb, kind) and left[0]:
            left[0] -= 1
            raise refusal

    return check


def test_a_gateway_without_kubernetes_does_not_load_its_library(tmp_path: Path):
    """Neither by importing the wiring nor by opening the platform without a site."""
    code = """
import asyncio, sys, pathlib
import rucat_jupyter.gateway.service.wiring
from rucat_jupyter.gateway.service.clock import SystemClock
from rucat_jupyter.platforms.kubernetes.platform import KubernetesPlatform
async def main():
    platform = KubernetesPlatform(pathlib.Path(sys.argv[1]), clock=SystemClock(), env={})
    await platform.open("0" * 16)
    assert list(await platform.leftovers()) == [] == list(platform.sites())
    await platform.close()
asyncio.run(main())
print(sorted({name.partition(".")[0] for name in sys.modules} & {"kubernetes", "yaml"}))
"""
    done = run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kubeconfig": "/nowhere/config"}, "kubernetes.kubeconfig"),
        ({"context": "other"}, "kubernetes.context"),
        ({"context": "in-cluster", "kubeconfig": None}, "kubernetes.context"),
        ({"namespace": "team-b"}, "kubernetes.namespace"),
    ],
)
async def test_a_place_that_is_none_is_named(stage, platform, asked, field):
    """A kubeconfig, context or namespace that is not there is the request's fault."""
    whole = stage.spec().kubernetes.model_dump(exclude_defaults=True) | asked
    spec = EngineSpec.model_validate({"spark_version": "4.3.0", "kubernetes": whole})
    with pytest.raises(InvalidRequest) as caught:
        await platform.site((await platform.pin(spec)).spec)
    assert [error["field"] for error in caught.value.details["errors"]] == [field]


async def test_who_has_no_right_at_all_is_given_the_command_that_gives_them(stage, platform, api):
    """Where the namespace itself may not be read, a create and its plan end with it; other refusals are no lack."""
    spec = (await platform.pin(stage.spec())).spec
    api.refuse = refuse("GET", "", Refusal(403, "Forbidden", 'namespaces "team-a" is forbidden: User "me" cannot get'))
    for asked in (platform.site(spec), platform.outline(spec, "etl")):
        with pytest.raises(PlatformError, match='User "me" cannot get') as caught:
            await asked
        assert caught.value.details["reason"] == "Forbidden"
        assert caught.value.message.endswith(
            "To grant them, in a terminal: "
            "rucat kubernetes manifests --namespace team-a | kubectl --context played apply -f -"
        )
    api.refuse = refuse("GET", "", Refusal(422, "Invalid", "what is that"))
    with pytest.raises(PlatformError, match=r"what is that$"):
        await platform.site(spec)


async def test_a_refused_pod_takes_back_what_was_made(stage, platform, api):
    """The failure has the API's own words and reason, and nothing is left."""
    engine = await stage.engine(platform)
    api.refuse = refuse("POST", "pods", Refusal(403, "Forbidden", 'pods "x" is forbidden: exceeded quota: q'))
    with pytest.raises(PlatformError, match="exceeded quota: q") as caught:
        await platform.start(engine, TOKEN)
    assert caught.value.details["reason"] == "QuotaExceeded"
    assert api.objects == {}


async def test_a_start_that_broke_off_goes_on(stage, platform, api):
    """What is there is adopted, a Secret of a root that no longer exists is created again."""
    engine = await stage.engine(platform)
    api.refuse = refuse("POST", "pods", Refusal(500, "InternalError", "etcd is slow"), 1)
    with pytest.raises(PlatformUnavailable):
        await platform.start(engine, TOKEN)
    assert (await look(platform, engine)).presence is Presence.ABSENT  # it may still begin
    owner = api.objects["configmaps", engine.run_name]["metadata"]["uid"]
    await api.change(
        "secrets", engine.run_name, lambda item: item["metadata"]["ownerReferences"][0].update(uid="of-another")
    )
    await platform.start(engine, TOKEN)
    assert await stage.drivers() == [engine.run_name]
    owners = {items[0]["uid"] for kind in ("secrets", "services", "pods") for items in [_owners(api, kind, engine)]}
    assert owners == {owner}


async def test_a_start_that_a_webhook_keeps_away_knows_the_remedy(stage, platform, api):
    """For the end of its time: a slow machine is not the reason, and the log says nothing."""
    engine = await stage.engine(platform)
    said = 'Internal error occurred: failed calling webhook "a.example": failed to call webhook: connection refused'
    api.refuse = refuse("POST", "pods", Refusal(500, "InternalError", said), 1)
    with pytest.raises(PlatformUnavailable, match="failed calling webhook"):
        await platform.start(engine, TOKEN)
    seen = await look(platform, engine)
    assert (seen.presence, seen.waits_for) == (Presence.ABSENT, Reason.FORBIDDEN)
    assert "cannot ask the admission webhook" in seen.hint
    await platform.start(engine, TOKEN)
    assert (await look(platform, engine)).hint == ""


def _owners(api: KubeApi, kind: str, engine: Engine) -> list[dict[str, str]]:
    return api.objects[kind, engine.run_name]["metadata"]["ownerReferences"]


async def test_too_many_requests_are_asked_again_when_the_server_says(stage, platform, api):
    """A Retry-After is obeyed within the call."""
    engine = await stage.engine(platform)
    api.refuse = refuse("POST", "configmaps", Refusal(429, "TooManyRequests", "busy", {"Retry-After": "1"}), 1)
    begun = asyncio.get_running_loop().time()
    await platform.start(engine, TOKEN)
    assert asyncio.get_running_loop().time() - begun >= 1


@pytest.mark.parametrize("status", [500, 503])
async def test_a_failing_server_is_asked_once_and_quoted(stage, platform, api, status):
    """The library tries nothing again by itself; the server's words come immediately, and its Retry-After is obeyed."""
    at, pods = await connected(stage)
    api.refuse = refuse("GET", "pods", Refusal(status, "InternalError", "etcd is slow"))
    begun = asyncio.get_running_loop().time()
    with pytest.raises(PlatformUnavailable, match=f"answers {status}: etcd is slow"):
        await at.get(pods)
    assert asyncio.get_running_loop().time() - begun < 1
    assert api.calls == ["GET pods"]
    api.refuse = refuse("GET", "pods", Refusal(status, "InternalError", "etcd is slow", {"Retry-After": "1"}), 1)
    await at.get(pods)
    assert asyncio.get_running_loop().time() - begun >= 1
    assert api.calls == ["GET pods"] * 3
    await at.close()


async def test_what_the_server_puts_off_is_not_asked_meanwhile(stage, platform, api, monkeypatch):
    """A long Retry-After holds for the next calls and watches of the same thing too, and for nothing else."""
    monkeypatch.setattr("rucat_jupyter.platforms.kubernetes.api.client.MAX_WAIT_S", 0.5)
    at, pods = await connected(stage)
    api.refuse = refuse("GET", "pods", Refusal(429, "TooManyRequests", "busy", {"Retry-After": "1"}))
    for _ in range(5):
        with pytest.raises(PlatformUnavailable, match="answers 429: busy"):
            await at.get(pods)
        with pytest.raises(PlatformUnavailable, match="answers 429: busy"):
            await anext(at.watch(pods))
    assert api.calls == ["GET pods"]
    await at.get(path("configmaps", "team-a"))
    api.refuse = lambda verb, kind, body: None
    await asyncio.sleep(0.6)
    await at.get(pods)
    assert api.calls == ["GET pods", "GET configmaps", "GET pods"]
    await at.close()


async def connected(stage: PlayedKubernetes) -> tuple[Api, str]:
    """A connection of the test's own, and the path of the pods."""
    found = Api(access.find(str(stage.api.kubeconfig(stage.folder)), None, None, {}), stage.folder / "keys")
    await found.get(path("", "team-a"))
    stage.api.calls.clear()
    return found, path("pods", "team-a")


async def test_options_of_the_library_mean_what_we_think(stage, platform):
    """What is set on a configuration is seen in what the library makes of it."""
    at, _ = await connected(stage)
    client = await at.client()
    rest = client.rest_client
    assert rest._effective_retry_options is None
    assert rest.retry_client is None
    assert rest.pool_manager.connector.limit == 0
    assert rest.pool_manager.trust_env is False
    assert client.default_headers["User-Agent"] == "rucat"
    await at.close()


async def test_a_server_that_is_away_says_nothing_of_engines(stage, platform, api):
    """Unknown while it is away, alive when it is back, and nothing was doubled."""
    engine = await started(stage, platform)
    await api.stop()
    await until("it is seen", lambda: _is(platform, engine, Presence.UNKNOWN), 20)
    assert "does not answer" in (await look(platform, engine)).message
    with pytest.raises(PlatformUnavailable):
        await platform.stop(engine)
    await api.start()
    await until("it is back", lambda: _is(platform, engine, Presence.ALIVE), 10)
    assert await stage.drivers() == [engine.run_name]


async def _is(platform: Platform, engine: Engine, presence: Presence) -> bool:
    return (await look(platform, engine)).presence is presence


async def test_a_forgotten_version_is_listed_again(stage, platform, api):
    """After a 410 the copy is right again."""
    engine = await started(stage, platform)
    api.oldest = 10**6
    await api.stop()
    await api.start()
    other = await stage.engine(platform)
    await platform.start(other, TOKEN)
    await until("both are seen", lambda: _both(platform, engine, other), 10)
    await api.drop("pods", engine.run_name)
    await until("the end is seen", lambda: _is(platform, engine, Presence.ENDED), 15)


async def _both(platform: Platform, *engines: Engine) -> bool:
    seen = await platform.observe(engines)
    return all(observation.presence is Presence.ALIVE for observation in seen.values())


async def test_a_pod_that_vanished_is_confirmed_and_its_reason_stays(stage, platform, api):
    """Deleted by someone; another gateway of the data directory knows it as well."""
    engine = (await started(stage, platform)).model_copy(update={"state": State.RUNNING})
    await api.drop("pods", engine.run_name)
    await until("the end is seen", lambda: _is(platform, engine, Presence.ENDED), 15)
    seen = await look(platform, engine)
    assert seen.end is not None
    assert (seen.end.reason, seen.end.message) == ("Deleted", f"someone deleted pod {engine.run_name}")
    await platform.close()
    assert (await look(await stage.gateway(), engine)).end == seen.end


async def test_a_pending_pod_tells_what_it_waits_for(stage, platform, api):
    """And a later event is shown."""
    api.play = pending
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)
    assert (await look(platform, engine)).message == "scheduling"
    about = {"kind": "Pod", "name": engine.run_name}
    told = {"metadata": {"name": "e1"}, "involvedObject": about, "reason": "FailedScheduling", "message": "no room"}
    await api.put("events", told)

    async def is_told() -> bool:
        return (await look(platform, engine)).message == "scheduling: no room"

    await until("the event is shown", is_told, 10)
    assert await platform.endpoint(engine) is None


class MovedClock(SystemClock):
    """A clock that a test moves on."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 20)


def pull_fails(pod):
    """Play a node that cannot pull the driver's image."""
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "no such host"}}
    pod["status"] = {"phase": "Pending", "conditions": conditions(PodScheduled="True")}
    pod["status"]["containerStatuses"] = [{"name": "spark", "state": state}]


async def test_a_failing_pull_is_given_up_after_its_grace(stage, api):
    """A minute after the first failure that was seen, also where it is tried again between; another pod has its own."""
    stage.clock = MovedClock()
    platform = await stage.gateway()
    api.play = pull_fails
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)
    assert (await look(platform, engine)).message == "image pull: no such host"
    stage.clock.ahead = timedelta(seconds=59)
    assert (await look(platform, engine)).end is None

    async def shows(message: str) -> bool:
        return (await look(platform, engine)).message == message

    await api.change("pods", engine.run_name, pending)
    await until("it is tried again", lambda: shows("scheduling"), 5)
    stage.clock.ahead = timedelta(seconds=61)
    await api.change("pods", engine.run_name, pull_fails)
    await until("it fails again", lambda: shows("image pull: no such host"), 5)
    end = (await look(platform, engine)).end
    assert end is not None
    assert (end.reason, end.message) == (Reason.IMAGE_PULL, "the image cannot be pulled: no such host")
    await api.change("pods", engine.run_name, lambda pod: pod["metadata"].update(uid="of-another"))

    async def has_its_own() -> bool:
        return (await look(platform, engine)).end is None

    await until("the other pod has its own grace", has_its_own, 5)


async def test_an_event_says_since_when_a_pull_fails(stage, platform, api):
    """It may have failed for long when this gateway begins to look."""
    api.play = pull_fails
    engine = await stage.engine(platform)
    about = {"kind": "Pod", "name": engine.run_name}
    said = {"reason": "Failed", "message": 'Failed to pull image "a:b": no such host', "firstTimestamp": LONG_AGO}
    await api.put("events", {"metadata": {"name": "e1"}, "involvedObject": about, **said})
    await platform.start(engine, TOKEN)

    async def is_given_up() -> bool:
        return (await look(platform, engine)).end is not None

    await until("it is given up", is_given_up, 5)


async def test_the_end_of_a_grace_is_reported(stage, api):
    """The engine is rung for when time alone ends its start."""
    platform = KubernetesPlatform(stage.folder / "data", clock=stage.clock, pull_grace_s=0.5, store="store", env={})
    await platform.open(INSTALLATION)
    stage.opened.append(platform)
    api.play = pull_fails
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)
    assert (await look(platform, engine)).end is None
    rung = platform.changes()

    async def is_rung_and_given_up() -> bool:
        assert await anext(rung) == engine.id
        return (await look(platform, engine)).end is not None

    await until("it is given up", is_rung_and_given_up, 5)
    await rung.aclose()


async def test_what_is_remembered_is_bounded_and_never_what_is_there(stage, platform, api, monkeypatch):
    """Events of runs that are no more push out one another, not an engine with its executors."""
    monkeypatch.setattr("rucat_jupyter.platforms.kubernetes.namespace.REMEMBERED", 2)
    engine = await started(stage, platform)
    pod = api.objects["pods", engine.run_name]
    labels = {**pod["metadata"]["labels"], "app.kubernetes.io/component": "executor"}
    name = f"{engine.run_name}-exec-1"
    await api.put("pods", {"metadata": {"name": name, "uid": "x", "labels": labels}, "status": {"phase": "Running"}})
    for number in range(5):
        about = {"kind": "Pod", "name": f"rucat-{number:016x}-1"}
        await api.put("events", {"metadata": {"name": f"e{number}"}, "involvedObject": about, "message": "old"})
    stuck = {"reason": "FailedScheduling", "message": "no room", "involvedObject": {"kind": "Pod", "name": name}}
    await api.put("events", {"metadata": {"name": "last"}, **stuck})

    async def is_counted() -> bool:
        return (await look(platform, engine)).executors.running == 1

    await until("the executor is counted", is_counted, 5)


async def test_executors_are_listed_with_their_end(stage, api):
    """Refused by the API server, as the driver's log has it; then there; then failed, of which the reason stays."""
    stage.clock = MovedClock()
    platform = await stage.gateway()
    engine = (await started(stage, platform)).model_copy(update={"state": State.RUNNING})
    pods = 'pods "e" is forbidden: exceeded quota: full'
    await api.say(engine.run_name, f"KubernetesClientException: Message: {pods}. Received status: Status(code=403)")

    async def shows(running: int, failed: int, *reasons: str) -> bool:
        seen = (await look(platform, engine)).executors
        return (seen.running, seen.failed, seen.reasons) == (running, failed, reasons)

    await until("the refusal", lambda: shows(0, 0, "executor pods are forbidden: exceeded quota: full"), 5)
    labels = {**api.objects["pods", engine.run_name]["metadata"]["labels"], "app.kubernetes.io/component": "executor"}
    names = [f"{engine.run_name}-exec-{number}" for number in (1, 2)]
    for name in names:
        metadata = {"name": name, "uid": name, "labels": {**labels, "spark-exec-id": name[-1]}}
        await api.put("pods", {"metadata": metadata, "status": {"phase": "Running"}})
    await until("both", lambda: shows(2, 0), 5)
    await api.change("pods", names[0], exit_with(137, "OOMKilled"))
    await api.drop("pods", names[0])
    await until("the loss", lambda: shows(1, 1, "executor 1: out of memory (exit code 137)"), 5)


async def test_a_starting_driver_is_dialled_when_its_log_says_that_it_listens(stage, platform, api):
    """Not before, for each try is a WebSocket through the API server; the engine is rung for then."""
    api.is_quick = False
    engine = await started(stage, platform)
    assert await platform.endpoint(engine) is None
    rung = platform.changes()
    try:
        await api.say(engine.run_name, "INFO SparkContext: Submitted application: Spark Connect server")
        assert await platform.endpoint(engine) is None
        news = asyncio.ensure_future(anext(rung))
        await api.say(engine.run_name, LISTENS)
        assert await asyncio.wait_for(news, 2) == engine.id
    finally:
        await rung.aclose()
    endpoint = await platform.endpoint(engine)
    assert endpoint is not None
    assert endpoint.is_forwarded
    assert api.calls.count(f"GET pods/{engine.run_name}/log") == 2  # the other looks for executors that are rejected


@pytest.mark.parametrize("is_refused", [True, False])
async def test_a_driver_whose_log_says_nothing_is_dialled_all_the_same(stage, platform, api, monkeypatch, is_refused):
    """Without the right to read logs immediately, with another log level after a few seconds."""
    monkeypatch.setattr("rucat_jupyter.platforms.kubernetes.logs.LISTENS_QUIET_S", 0.3)
    api.is_quick = False
    engine = await started(stage, platform)
    if is_refused:
        api.refuse = refuse("GET", "pods", Refusal(403, "Forbidden", "no logs for you"))
    assert await platform.endpoint(engine) is None

    async def is_dialled() -> bool:
        return await platform.endpoint(engine) is not None

    await until("it is dialled", is_dialled, 5)


async def test_what_others_made_is_never_touched(stage, platform, api):
    """Of another installation, or of a copy of this store elsewhere."""
    engine = await started(stage, platform)
    elsewhere = KubernetesPlatform(stage.folder / "data", clock=SystemClock(), store="a copy", env={})
    await elsewhere.open("0123456789abcdef")
    stranger = KubernetesPlatform(stage.folder / "data", clock=SystemClock(), store="store", env={})
    await stranger.open("fedcba9876543210")
    for other in (elsewhere, stranger):
        assert list(await other.leftovers()) == []
        await other.close()
    assert list(await platform.leftovers()) == [Leftover(engine.id, 1, api.uid)]


async def test_what_has_lost_its_owner_is_found_and_removed(stage, platform, api):
    """A root that was deleted without what it owns; objects whose labels say nothing do no harm."""
    engine = await started(stage, platform)
    for kind, name in list(api.objects):
        await api.change(kind, name, lambda item: item["metadata"].pop("ownerReferences", None))
    odd = {"metadata": {**api.objects["configmaps", engine.run_name]["metadata"], "name": "odd", "uid": "odd"}}
    odd["metadata"]["labels"] = {**odd["metadata"]["labels"], "rucat.io/run": "none"}
    await api.put("configmaps", odd)
    await api.drop("configmaps", engine.run_name)
    await api.drop("pods", engine.run_name)
    orphan = Leftover(engine.id, 1, api.uid)
    assert list(await platform.leftovers()) == [orphan]
    await platform.remove(orphan)
    assert [(kind, name) for kind, name in api.objects if kind != "events"] == [("configmaps", "odd")]
    assert list(await platform.leftovers()) == []


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING])
async def test_a_node_that_does_not_report_is_shown_immediately(stage, platform, api, state):
    """Whether Spark starts there or runs."""
    engine = (await started(stage, platform)).model_copy(update={"state": state})
    conditions = [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}]

    def lose(pod):
        pod["spec"]["nodeName"] = "n1"
        pod["status"]["conditions"] = conditions

    await api.change("pods", engine.run_name, lose)

    async def is_told() -> bool:
        seen = await look(platform, engine)
        assert seen.presence is Presence.ALIVE
        return (seen.message, seen.waits_for) == ("node n1 does not report; the API says NotReady", Reason.NODE_LOST)

    await until("the node is shown", is_told, 5)


async def test_credentials_that_no_header_can_have_are_reported(stage, platform, api):
    """A token's file ends with a line's end, which kubectl takes off."""
    engine = await stage.engine(platform)
    config = stage.folder / "kubeconfig"
    good = config.read_text()
    (stage.folder / "token").write_text("canary-of-the-kubeconfig\n")
    for user, seen in (
        (f"tokenFile: {stage.folder / 'token'}", Presence.ABSENT),
        ('token: "a\\nb"', Presence.UNKNOWN),
    ):
        config.write_text(good.replace("token: canary-of-the-kubeconfig", user))
        await platform.close()
        platform = await stage.gateway()
        assert (await look(platform, engine)).presence is seen


async def kept(platform: Platform, engine: Engine, *, follow: bool = False) -> list[str]:
    """The lines of an engine's log."""
    return [line async for line in platform.logs(engine, None, follow)]


async def test_the_last_words_of_a_driver_are_kept(stage, platform, api):
    """Those that it logs while its pod is being deleted, also when there are too many to keep all."""
    engine = await started(stage, platform)
    name = engine.run_name
    api.is_slow_to_go = True
    for number in range(6000):
        api.logs[name].append(f"before {number}")
    stopping = asyncio.ensure_future(platform.stop(engine))

    async def is_noted() -> bool:
        return "deletionTimestamp" in api.objects["pods", name]["metadata"]

    async def followed(times: int) -> bool:
        return api.calls.count(f"GET pods/{name}/log") >= times

    await until("the end is noted", is_noted, 10)
    following = asyncio.ensure_future(kept(platform, engine, follow=True))
    await until("it is followed", lambda: followed(4), 10)  # and by the gateway: for what it keeps, for executors
    for number in range(5000):
        api.logs[name].append(f"after {number}")
    await api.say(name, "the last word")
    await api.drop("pods", name)
    await stopping
    assert (await following)[-1] == "the last word"
    await api.stop()
    lines = await kept(platform, engine)
    assert lines[-3:] == ["after 4998", "after 4999", "the last word"]
    assert len(lines) == 5000


@pytest.mark.parametrize("line", ["x" * 1000, "漢" * 500])
async def test_of_a_log_that_is_too_large_the_end_is_kept(stage, platform, api, line):
    """By lines and by bytes, of a driver that ended by itself."""
    engine = await started(stage, platform)
    api.logs[engine.run_name] += [f"{number} {line}" for number in range(4000)]
    await api.change("pods", engine.run_name, exit_with(1))
    await until("the end is seen", lambda: _is(platform, engine, Presence.ENDED), 15)
    assert len(await kept(platform, engine)) == 4002  # its pod is still there
    await api.drop("pods", engine.run_name)
    lines = await kept(platform, engine)
    assert lines[-1] == f"3999 {line}"
    assert 1_900_000 < sum(len(line.encode()) + 1 for line in lines) <= 2_000_000
    assert all(each.endswith(line) for each in lines)


async def test_a_later_log_replaces_an_earlier_one_also_when_it_is_shorter(stage, platform, api):
    """As after a rotation by the node: the last words matter most."""
    engine = await started(stage, platform)
    api.logs[engine.run_name] += ["long ago"] * 100
    api.refuse = refuse("DELETE", "configmaps", Refusal(403, "Forbidden", "not now"), 1)
    with pytest.raises(PlatformUnavailable):
        await platform.stop(engine)
    api.logs[engine.run_name] = ["the last word"]
    await platform.stop(engine)
    assert await kept(platform, engine) == ["the last word"]


async def test_nothing_is_asked_for_what_is_long_settled(stage, platform, api):
    """A stopped engine costs the API server nothing."""
    engine = await started(stage, platform)
    engine = engine.model_copy(update={"target": Target.STOPPED, "state": State.STOPPED})
    await platform.stop(engine)
    await platform.clean(engine)
    api.calls.clear()
    assert (await look(platform, engine)).presence is Presence.ABSENT
    assert not [call for call in api.calls if engine.run_name in call]


async def test_credentials_are_read_again_when_they_are_rejected(stage, platform, api):
    """A token that was rotated in the kubeconfig is taken up."""
    engine = await stage.engine(platform)
    config = stage.folder / "kubeconfig"
    good = config.read_text()
    config.write_text(good.replace("canary-of-the-kubeconfig", "old"))
    await platform.close()
    other = await stage.gateway()
    assert (await look(other, engine)).presence is Presence.UNKNOWN
    assert "credentials" in (await look(other, engine)).message
    config.write_text(good)
    assert (await look(other, engine)).presence is Presence.ABSENT


async def test_no_secret_is_in_any_object_but_the_secret(stage, platform, api):
    """The token is in the Secret alone."""
    engine = await started(stage, platform)
    shown = str([item for (kind, _), item in api.objects.items() if kind != "secrets"])
    assert "canary" not in shown
    assert ("secrets", engine.run_name) in api.objects


@pytest.mark.parametrize("is_frozen", [False, True])
async def test_a_slow_cluster_is_not_called_silent(stage, platform, api, monkeypatch, is_frozen):
    """``doctor`` waits longer for a cluster that takes connections, but not without end."""
    frozen, answer = asyncio.Event(), api._answer

    async def answer_slowly(request):
        await (frozen.wait() if is_frozen else asyncio.sleep(1.2))
        return await answer(request)

    async def missing(api):
        return []

    monkeypatch.setattr(examining.reviews, "missing", missing)  # the simulated server knows no reviews
    monkeypatch.setattr(api, "_answer", answer_slowly)
    await api.stop()
    await api.start()
    monkeypatch.setattr(examining, "LOOK_S", 1.0)
    monkeypatch.setattr(examining, "SLOW_S", 2.0 if is_frozen else 60.0)
    found = await platform.examine([stage.spec()])
    frozen.set()
    assert found
    assert [symptom.found for symptom in found if "no answer" in symptom.found] == (
        ["no answer within 2 s"] if is_frozen else []
    )


REFUSED = 'KubernetesClientException: Message: pods "e" is forbidden: exceeded quota: full. Received status: Status('


async def test_refused_executors_are_said_while_spark_starts(stage, platform, api):
    """Not only when the start is over, and not after there is room."""
    engine = await started(stage, platform)

    async def says(message: str) -> bool:
        return (await look(platform, engine)).message == message

    assert await says("Spark is starting")
    await api.say(engine.run_name, REFUSED)
    await until("the refusal", lambda: says("Spark is starting; executor pods are forbidden: exceeded quota: full"), 5)


async def test_refused_executors_of_dynamic_allocation_are_said_until_there_is_room(stage, api):
    """Also while it has its minimum; what was refused is past when Spark is refused no more."""
    stage.clock = MovedClock()
    platform = await stage.gateway()
    engine = (await started(stage, platform)).model_copy(update={"state": State.RUNNING})
    spec = engine.spec.model_copy(update={"executors": ExecutorsSpec(min=0, max=3)})
    engine = engine.model_copy(update={"spec": spec})
    assert (await look(platform, engine)).advice == ""
    await api.say(engine.run_name, REFUSED)

    async def shows(word: str, *reasons: str) -> bool:
        seen = await look(platform, engine)
        return word in seen.advice and bool(seen.advice) is bool(word) and seen.executors.reasons == reasons

    await until("the refusal", lambda: shows("quota", "executor pods are forbidden: exceeded quota: full"), 5)
    stage.clock.ahead = timedelta(seconds=5)
    assert await shows("")


async def test_a_driver_without_its_rights_is_given_the_command(stage, platform, api):
    """It is the driver's account that lacks them, so ``doctor`` would not find it."""
    engine = (await started(stage, platform)).model_copy(update={"state": State.RUNNING})
    account = 'User "system:serviceaccount:team-a:rucat-driver" cannot create resource "pods" in API group ""'
    await api.say(engine.run_name, REFUSED.replace("exceeded quota: full", account))

    async def says() -> bool:
        command = "rucat kubernetes manifests --namespace team-a | kubectl --context played apply -f -"
        return (await look(platform, engine)).advice.endswith(f"in a terminal: {command}")

    await until("the command", says, 10)


async def test_who_may_not_read_logs_is_given_the_command(stage, platform, api):
    """For ``rucat logs``, and for why executors are missing."""
    engine = await started(stage, platform)
    said = 'pods "x" is forbidden: User "eve" cannot get resource "pods/log" in API group ""'
    api.refuse = refuse("GET", "pods/log", Refusal(403, "Forbidden", said))
    command = "rucat kubernetes manifests --namespace team-a --user eve | kubectl --context played apply -f -"
    with pytest.raises(PlatformError) as caught:
        _ = [line async for line in platform.logs(engine, 10, follow=False)]
    assert caught.value.message == f"{said}. To grant them, in a terminal: {command}"

    async def says() -> bool:
        return command in (await look(platform, engine)).message

    await until("the command", says, 10)


async def test_who_may_not_forward_is_given_the_command(stage, platform, api):
    """As the message of the start, and as the reason of its end; with the right it goes on."""
    engine = await started(stage, platform)
    said = 'pods "x" is forbidden: User "system:serviceaccount:team-a:rucat" cannot get resource "pods/portforward"'
    api.refuse = refuse("GET", "pods/portforward", Refusal(403, "Forbidden", said))

    async def has_endpoint() -> bool:
        return await platform.endpoint(engine) is not None

    await until("it is dialled", has_endpoint, 5)
    endpoint = await platform.endpoint(engine)
    assert endpoint is not None
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(reader.readexactly(1), 10)
    writer.close()
    seen = await look(platform, engine)
    assert said in seen.message
    command = "rucat kubernetes manifests --namespace team-a | kubectl --context played apply -f -"
    assert seen.message.endswith(f". To grant them, in a terminal: {command}")
    assert seen.waits_for is Reason.FORBIDDEN


async def test_executors_that_crash_end_the_engine(stage, platform, api):
    """Four of one, counted once each, however often their pods change."""
    engine = (await started(stage, platform)).model_copy(update={"state": State.RUNNING})
    spec = engine.spec.model_copy(update={"executors": ExecutorsSpec(instances=1)})
    engine = engine.model_copy(update={"spec": spec})
    labels = {**api.objects["pods", engine.run_name]["metadata"]["labels"], "app.kubernetes.io/component": "executor"}

    for number in range(1, 5):
        assert (await look(platform, engine)).end is None
        name = f"{engine.run_name}-exec-{number}"
        metadata = {"name": name, "uid": name, "labels": {**labels, "spark-exec-id": str(number)}}
        await api.put("pods", {"metadata": metadata, "status": {"phase": "Running"}})
        await api.change("pods", name, exit_with(1))
        await api.change("pods", name, lambda pod: pod["metadata"].update(annotations={}))
        await api.drop("pods", name)

    async def has_ended() -> bool:
        return (await look(platform, engine)).end is not None

    await until("the end", has_ended, 5)
    end = (await look(platform, engine)).end
    assert end is not None
    assert (end.reason, "executor 4: Error (exit code 1)" in end.message) == (Reason.EXITED, True)


async def test_who_may_not_read_events_is_given_the_command(stage, platform, api):
    """Only events say why a pod's container is not made, and else that they cannot be read is in the log alone."""
    said = 'events is forbidden: User "eve" cannot list resource "events" in API group ""'
    api.refuse = refuse("GET", "events", Refusal(403, "Forbidden", said))
    api.play = creating
    engine = await stage.engine(platform)
    await platform.start(engine, TOKEN)

    async def shows(*words: str) -> bool:
        message = (await look(platform, engine)).message
        return all(word in message for word in words)

    await until("the command", lambda: shows("being created", said, "manifests --namespace team-a --user eve"), 5)
    api.refuse = lambda verb, kind, body: None

    async def is_plain() -> bool:
        return (await look(platform, engine)).message == "the container is being created"

    await until("events are read", is_plain, 15)


def creating(pod):
    """A pod on a node that makes its container."""
    pod["status"] = {"phase": "Pending", "conditions": conditions(PodScheduled="True")}

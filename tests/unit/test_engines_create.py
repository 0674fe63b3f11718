"""Create: mine of that name, or a new one; safe to run again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.rest import FAILURE, FakeGateway, make_view
from support.place import wait_until

from rucat_jupyter.client import errors as failures
from rucat_jupyter.client import identity
from rucat_jupyter.client.api import TRIES
from rucat_jupyter.client.engines import create as creating
from rucat_jupyter.client.engines import engine as client
from rucat_jupyter.client.engines import settings as asked_module
from rucat_jupyter.client.engines.create import create, differences, find_or_create
from rucat_jupyter.client.errors import EngineFailed, StillWaiting, WaitInterrupted
from rucat_jupyter.client.words.phase import SilentPhase
from rucat_jupyter.core.errors import EngineNotFound, GatewayUnavailable, NotPossible
from rucat_jupyter.host import kubeconfig as kubeconfig_module
from rucat_jupyter.host import processes


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A gateway without engines that this process talks to."""
    gateway = FakeGateway()
    before = client.set_default_api(gateway.api())
    yield gateway
    client.set_default_api(before)


@pytest.fixture(autouse=True)
def no_exit_hooks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Collect what would be done at exit."""
    hooks: list[object] = []
    monkeypatch.setattr(creating.atexit, "register", hooks.append)
    return hooks


def test_a_new_engine_is_sent_what_belongs_to_it(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python, folder and the clouds' variables of this process go with the spec."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("OTHER", "x")
    monkeypatch.setenv("RUCAT_ENV_FROM_KERNEL", "AWS_SECRET_*")
    gateway.on_poll = [lambda: gateway.change("0" * 16, status="Running")]
    engine = create("etl", conf={"a": True}, executors=2, driver_memory="4g", env={"X": "y"})
    _, _, body = next(asked for asked in gateway.asked if asked[0] == "POST")
    assert body == {
        "name": "etl",
        "conf": {"a": "true"},
        "executors": {"instances": 2},
        "driver": {"memory": "4g"},
        "env": {"X": "y"},
        "local": {"python": sys.executable, "directory": str(Path.cwd())},
        "secret_env": {"AWS_SECRET_ACCESS_KEY": "canary"},
    }
    assert engine.status == "Running"


def test_what_is_no_text_is_the_gateways_to_refuse(gateway: FakeGateway) -> None:
    """A lone surrogate (a byte that is not UTF-8) is sent unchanged; no engine has a name with one."""
    gateway.breaks = [httpx.ReadError("stop here")] * TRIES
    with pytest.raises(GatewayUnavailable):
        gateway.api().call("POST", "engines", json={"conf": {"spark.a": "x\udcff"}})
    assert gateway.asked[0] == ("POST", "engines", {"conf": {"spark.a": "x\udcff"}})
    with pytest.raises(EngineNotFound, match="no engine"):
        client.get("\ud800")


def test_an_engine_elsewhere_is_not_sent_this_machines_fields(gateway: FakeGateway) -> None:
    """Kubernetes would refuse local fields; its default name is the profile's."""
    create(profile="k8s-small", wait=False)
    _, _, body = next(asked for asked in gateway.asked if asked[0] == "POST")
    assert "local" not in body
    assert "secret_env" not in body
    assert body["name"].startswith("k8s-small-")  # a script: with a suffix


KUBECONFIG = """
contexts:
- {name: dev, context: {cluster: c, user: u, namespace: team-a}}
- {name: prod, context: {cluster: c, user: u}}
"""


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig of this process, beside one that is not there."""
    file = tmp_path / "config"
    file.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{file}")
    return file


def sent(gateway: FakeGateway) -> dict[str, Any]:
    """The body of the create."""
    body = next(asked for asked in gateway.asked if asked[0] == "POST")[2]
    assert isinstance(body, dict)
    return body


def test_an_engine_on_kubernetes_is_sent_the_kernels_kubeconfig(gateway: FakeGateway, kubeconfig: Path) -> None:
    """The gateway has an environment of its own: the kernel names its files, by kubectl's rules, and what was typed."""
    spec = asked_module.from_flags(image="i", namespace="team-a", context="dev", executor_memory="2g", other=1)
    find_or_create("etl", creating.request("k8s-small", None, 3, None, spec), phase=SilentPhase())
    body = sent(gateway)
    assert body["kubernetes"] == {"kubeconfig": str(kubeconfig), "context": "dev", "namespace": "team-a"}
    assert (body["image"], body["executors"]) == ("i", {"memory": "2g", "instances": 3})
    assert list(kubeconfig_module.contexts()) == [("dev", "team-a"), ("prod", "")]


@pytest.mark.parametrize(
    ("profile", "asked"),
    [
        ({"kubernetes": {"kubeconfig": "/etc/theirs"}}, {}),
        ({}, {"kubernetes": {"context": "in-cluster"}}),
        ({}, {"kubernetes": {"kubeconfig": "/mine"}}),
    ],
)
def test_a_kubeconfig_that_is_chosen_already_stays(
    gateway: FakeGateway, kubeconfig: Path, profile: dict[str, Any], asked: dict[str, Any]
) -> None:
    """The profile's, the one that was given, and none at all in the gateway's own cluster."""
    gateway.profiles[1]["spec"] = profile
    create(profile="k8s-small", wait=False, **asked)
    assert sent(gateway).get("kubernetes", {}) == asked.get("kubernetes", {})


def test_a_kubeconfig_that_cannot_be_read_offers_nothing(kubeconfig: Path) -> None:
    """Tab has no words for it; the verb will."""
    for content in ("contexts: 3", "a: [", "\0"):
        kubeconfig.write_text(content)
        assert list(kubeconfig_module.contexts()) == []


def test_a_kubeconfig_that_cannot_be_looked_at_is_none() -> None:
    """As one in a folder of another user: requests of all platforms go on."""
    assert kubeconfig_module.files({"KUBECONFIG": "/" + "x" * 300}) == []


def test_another_place_is_no_matter_of_a_restart(gateway: FakeGateway) -> None:
    """A restart takes an image, and moves no engine: the advice is what works."""
    del gateway
    view = make_view(platform="kubernetes", spec={"image": "a", "kubernetes": {"namespace": "x"}, "executors": {}})
    assert "delete" in asked_module.remedy({"kubernetes": {"namespace": "y"}}, view)
    assert asked_module.remedy({"image": "b"}, view) == "rucat_jupyter.get('etl').restart(image='b')"
    found = asked_module.flags({"image": "b", "kubernetes": {"namespace": "y"}})
    assert found == "--image b --namespace y"


def test_a_running_engine_is_found_and_differences_are_named(gateway: FakeGateway) -> None:
    """Run All attaches to the engine that is there, and says what was not applied."""
    gateway.engines["0123456789abcdef"] = make_view()
    wanted = creating.request("k8s-small", {"x": "1"}, 2, "4g", {})
    made = find_or_create("etl", {**wanted, "platform": "local"}, phase=SilentPhase())
    assert made.how == "found"
    assert made.not_applied == [
        "profile k8s-small (it has local)",
        "conf.x 1 (it has none)",
        "executors.instances 2 (it has none)",
        "driver.memory 4g (it has 1g)",
    ]
    assert "Not applied: profile" in made.note
    assert gateway.paths("POST") == ["engines"]


def test_equal_and_secret_settings_are_no_difference() -> None:
    """What cannot be compared is not claimed to differ."""
    view = make_view(spec={**make_view()["spec"], "conf": {"my.password": "***", "a": "1"}})
    assert differences({"conf": {"my.password": "x", "a": "1"}, "local": {"python": "/other"}}, view) == []
    assert differences({"conf": {"other.token": "canary"}}, view) == ["conf.other.token (a secret)"]


@pytest.mark.parametrize("status", ["Stopped", "Failed", "Stopping"])
def test_a_settled_engine_is_restarted_with_its_stored_spec(gateway: FakeGateway, status: str) -> None:
    """A stopped or failed engine starts again under the same id."""
    gateway.engines["0123456789abcdef"] = make_view(status=status, failure=FAILURE if status == "Failed" else None)
    gateway.on_poll = [lambda: gateway.change(status="Running")]
    assert create("etl").id == "0123456789abcdef"
    assert gateway.paths("POST") == ["engines", "engines/0123456789abcdef/restart"]


def test_a_name_that_is_being_deleted_is_waited_for(gateway: FakeGateway) -> None:
    """Create waits until the name is free, then makes a new engine."""
    gateway.engines["0123456789abcdef"] = make_view(status="Deleting")
    gateway.on_poll = [lambda: gateway.change(message="cleaning"), gateway.engines.clear]
    made = find_or_create("etl", {}, phase=SilentPhase())
    assert made.how == "created"
    assert gateway.paths("POST") == ["engines", "engines"]


def test_waiting_for_a_name_has_the_time_limit(gateway: FakeGateway) -> None:
    """--timeout holds for this wait too."""
    gateway.engines["0123456789abcdef"] = make_view(status="Deleting")
    with pytest.raises(StillWaiting, match="still being deleted"):
        find_or_create("etl", {}, phase=SilentPhase(), timeout_s=0)


def test_two_callers_get_one_engine(gateway: FakeGateway) -> None:
    """The loser of the race for the name attaches to the winner's engine."""
    first = find_or_create("etl", {}, phase=SilentPhase())
    second = find_or_create("etl", {}, phase=SilentPhase())
    assert (first.how, second.how) == ("created", "found")
    assert first.engine.id == second.engine.id


def test_an_engine_that_fails_while_starting_raises_its_failure(gateway: FakeGateway) -> None:
    """The error has what, why, what to do."""
    gateway.on_poll = [lambda: gateway.change("0" * 16, status="Failed", failure=FAILURE)]
    with pytest.raises(EngineFailed, match="✕ etl failed: OutOfMemory") as caught:
        create("etl")
    assert len(str(caught.value).splitlines()) == 3
    assert "rucat_jupyter.get('etl').restart()" in str(caught.value)


def test_ctrl_c_ends_the_waiting_and_says_how_to_go_on(gateway: FakeGateway) -> None:
    """The engine goes on starting."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    gateway.on_poll = [interrupt]
    with pytest.raises(WaitInterrupted, match=r"etl is still starting. Wait again: .* Stop it: .*stop\(\)"):
        create("etl")
    assert "stop" not in " ".join(gateway.paths("POST"))


def test_a_time_limit_ends_the_waiting(gateway: FakeGateway) -> None:
    """--timeout S says that it still starts."""
    with pytest.raises(StillWaiting, match="etl is still starting after"):
        create("etl", timeout_s=0)


def test_a_gateway_that_dies_during_the_wait_is_asked_again(gateway: FakeGateway) -> None:
    """A broken request goes to the next gateway."""
    gateway.on_poll = [lambda: gateway.change("0" * 16, status="Running")]
    made = find_or_create("etl", {}, phase=SilentPhase())
    gateway.breaks = [httpx.ReadError("killed"), httpx.ConnectError("refused")]
    assert made.engine.wait().status == "Running"


def test_a_gateway_that_dies_again_and_again_is_an_error(gateway: FakeGateway) -> None:
    """In one line."""
    gateway.breaks = [httpx.ReadError("killed")] * 3
    with pytest.raises(GatewayUnavailable, match="ended 3 times"):
        client.engines()


def test_a_script_stops_its_unnamed_engine_at_exit(gateway: FakeGateway, no_exit_hooks: list[object]) -> None:
    """A random suffix keeps two scripts apart, and nothing runs on after them."""
    made = find_or_create(None, {}, phase=SilentPhase())
    expected = identity.default_local_name(str(Path.cwd()), sys.executable)
    assert made.engine.name.startswith(expected + "-")
    (stop,) = no_exit_hooks
    assert callable(stop)
    stop()
    assert f"engines/{made.engine.id}/stop" in gateway.paths("POST")  # a thread reports beside it


def test_a_forked_child_that_exits_stops_no_engine(
    gateway: FakeGateway, no_exit_hooks: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It inherits what its parent does at exit, but the engine ends with the parent."""
    find_or_create(None, {}, phase=SilentPhase())
    (stop,) = no_exit_hooks
    assert callable(stop)
    monkeypatch.setattr(creating.os, "getpid", lambda: 0)
    stop()
    assert not any(path.endswith("/stop") for path in gateway.paths("POST"))


def test_a_script_reports_as_long_as_it_runs(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to a gateway that sees it: the next one may run in another container."""
    monkeypatch.setattr(creating, "LEASE_EVERY_S", 0.01)
    before = threading.enumerate()
    made = find_or_create(None, {}, phase=SilentPhase())
    new = (thread for thread in threading.enumerate() if thread not in before)
    (lease,) = (thread for thread in new if thread.name == "rucat-lease")
    path = f"engines/{made.engine.id}/lease"
    wait_until("its third report", lambda: gateway.paths("POST").count(path) >= 3, 10)
    gateway.engines.clear()
    wait_until("its last report", lambda: not lease.is_alive(), 10)


@pytest.mark.parametrize("is_own", [True, False])
def test_a_restart_keeps_what_an_engine_of_this_process_ends_with(gateway: FakeGateway, is_own: bool) -> None:
    """A kill after a restart leaves no engine behind; a restart by another process releases it."""
    own = identity.own_process()
    process = {**own, "gateway": "g1"} if is_own else {**own, "pid": own["pid"] + 1, "gateway": "g1"}
    view = make_view(name="mine", status="Stopped")
    view["spec"]["ends_with"] = [process]
    gateway.engines[view["id"]] = view
    client.get("mine").restart(wait=False)
    (body,) = [body for verb, path, body in gateway.asked if verb == "POST" and path.endswith("/restart")]
    assert body == ({"ends_with": [process]} if is_own else None)


def test_without_its_own_proc_a_process_is_one_that_no_gateway_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """``unshare --pid`` without a mount of /proc: its pid there is that of another process, or of none."""
    assert processes.sees_itself()
    seen = identity.own_process()
    assert "/unknown" not in seen["boot"]
    monkeypatch.setattr(processes, "sees_itself", lambda: False)
    assert identity.own_processes() == [{**seen, "mark": "unknown", "boot": f"{seen['boot']}/unknown"}]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PID namespaces")
@pytest.mark.parametrize("pid", ["1", None])
def test_a_proc_of_another_namespace_is_noticed(tmp_path: Path, pid: str | None) -> None:
    """/proc/self names the process by its pid there; without a link there is no /proc."""
    if pid:
        (tmp_path / "self").symlink_to(pid)
    assert not processes.sees_itself(tmp_path)


def test_a_named_engine_outlives_its_script(gateway: FakeGateway, no_exit_hooks: list[object]) -> None:
    """A name says that it is meant to stay."""
    find_or_create("etl", {}, phase=SilentPhase())
    assert no_exit_hooks == []


def test_with_stops_the_engine_at_the_end(gateway: FakeGateway) -> None:
    """``with create(…) as engine`` leaves nothing running."""
    gateway.on_poll = [
        lambda: gateway.change("0" * 16, status="Running"),
        lambda: gateway.change("0" * 16, status="Stopped"),
    ]
    with create("etl") as engine:
        assert engine.status == "Running"
    assert engine.status == "Stopped"


def test_an_external_engine_is_recorded_once(gateway: FakeGateway) -> None:
    """The same address finds the same record; its token is no part of the place."""
    first = creating.external("sc://spark.example:15002/;token=abc")
    gateway.engines[first.id]["platform"] = "external"
    gateway.engines[first.id]["spec"]["external"]["url"] = "sc://spark.example:15002"
    again = creating.external("sc://spark.example/")
    assert (first.name, again.id) == ("spark.example-15002", first.id)


@pytest.mark.parametrize(("is_known", "error"), [(False, NotPossible), (True, StillWaiting)])
def test_an_external_engine_that_does_not_respond_is_refused(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch, is_known: bool, error: type[Exception]
) -> None:
    """After a limit, with why; a new record does not stay, and no advice names a stop."""
    monkeypatch.setattr(creating, "EXTERNAL_S", 0.3)
    monkeypatch.setitem(failures._voice, "words", "rucat")
    why = "nothing listens on far:15002"
    made = make_view(id="0" * 16, name="far", platform="external", status="Pending", message=why)
    made["spec"]["external"] = {"url": "sc://far:15002"}
    if is_known:
        gateway.engines = {made["id"]: made}
    monkeypatch.setattr(gateway, "_create", lambda body: _record(gateway, made))
    with pytest.raises(error, match=why) as caught:
        creating.attach_external("sc://far:15002", SilentPhase())
    assert ("DELETE" in [method for method, _, _ in gateway.asked]) is not is_known
    assert "stop" not in str(caught.value).lower()
    assert ("Remove it: rucat delete far" in str(caught.value)) is is_known


def test_an_interrupted_attach_leaves_no_record(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while an address does not respond."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    made = make_view(id="0" * 16, name="far", platform="external", status="Pending")
    made["spec"]["external"] = {"url": "sc://far:15002"}
    monkeypatch.setattr(gateway, "_create", lambda body: _record(gateway, made))
    gateway.on_poll = [interrupt]
    with pytest.raises(WaitInterrupted, match="interrupted: 127"):
        creating.attach_external("sc://far:15002", SilentPhase())
    assert gateway.paths("DELETE") == ["engines/" + "0" * 16]


def _record(gateway: FakeGateway, made: dict[str, Any]) -> httpx.Response:
    gateway.engines[made["id"]] = made
    return httpx.Response(201, json=made)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"driver": {"memory": "4g"}}, "%rucat restart etl --driver-memory 4g"),
        ({"executors": {"instances": 2}}, "%rucat restart etl --executors 2"),
        ({"conf": {"spark.x": "a b", "spark.y": "1"}}, "%rucat restart etl --conf 'spark.x=a b' --conf spark.y=1"),
        ({"conf": {"spark.my.token": "canary"}}, "%rucat restart etl --conf spark.my.token=…"),
        ({"conf": {"spark.x": "a\nb"}}, "rucat_jupyter.get('etl').restart(conf={'spark.x': 'a\\nb'})"),
        ({"driver": {"cores": 4}}, "rucat_jupyter.get('etl').restart(driver={'cores': 4})"),
        ({"env": {"MY_TOKEN": "canary"}}, "rucat_jupyter.get('etl').restart(env={'MY_TOKEN': '…'})"),
        ({"profile": "big", "driver": {"memory": "4g"}}, "%rucat delete etl --yes, then create it again"),
    ],
)
def test_what_was_not_applied_has_the_line_that_applies_it(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, object], line: str
) -> None:
    """Quoted as a shell wants it; the value of a secret is left to be typed."""
    monkeypatch.setattr(asked_module, "words", lambda: "%rucat")
    view = make_view()
    assert asked_module.remedy(asked, view).replace(chr(39) + "spark.my.token=…" + chr(39), "spark.my.token=…") == line


def test_messages_in_a_script_name_python_calls(gateway: FakeGateway) -> None:
    """Where nothing can be typed after a percent sign."""
    gateway.engines["0123456789abcdef"] = make_view()
    made = find_or_create("etl", {"driver": {"memory": "4g"}}, phase=SilentPhase())
    says = "To apply: rucat_jupyter.get('etl').restart(driver={'memory': '4g'})"
    assert made.note == f"Not applied: driver.memory 4g (it has 1g). {says}"


def test_restart_sends_what_changes(gateway: FakeGateway) -> None:
    """Fields as at create; None unsets; nothing given is no body at all."""
    gateway.engines["0123456789abcdef"] = make_view()
    engine = client.get("etl")
    engine.restart(wait=False)
    engine.restart(
        wait=False,
        driver_memory="4g",
        conf={"spark.x": None, "spark.y": True},
        idle_timeout_s=None,
        driver={"cores": 1},
    )
    bodies = [body for method, path, body in gateway.asked if path.endswith("/restart")]
    conf = {"spark.x": None, "spark.y": "true"}
    assert bodies == [None, {"idle_timeout_s": None, "driver": {"cores": 1, "memory": "4g"}, "conf": conf}]

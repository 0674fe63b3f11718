"""Look-ups of an engine: a Tab has a deadline, what a cell shows waits for an engine that answers at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pyspark.sql.connect.proto as pb
import pytest
from fakes.connect_server import ScriptedServer, fake_spark, refuse
from fakes.rest import FakeGateway, make_view
from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

from rucat_jupyter.client.errors import EngineFailed
from rucat_jupyter.client.session import guard as module
from rucat_jupyter.client.session import lookups
from rucat_jupyter.client.session.guard import SessionGuard
from rucat_jupyter.client.session.lookups import NoAnswer, lookup

SHORT_S = 0.2


class World:
    """An engine, its gateway, and a client."""

    def __init__(self) -> None:
        self.server = ScriptedServer()
        self.gateway = FakeGateway(make_view())
        self.gateway.connection = {"url": f"sc://127.0.0.1:{self.server.port}", "token": "t"}
        self.guard = SessionGuard(
            self.gateway.api(), make_view(), "/a.ipynb", lambda c: grpc.insecure_channel(c["url"][5:])
        )
        self.spark = fake_spark("s1")
        self.guard.bind(self.spark)
        self.stub = SparkConnectServiceStub(self.guard.channel)

    def analyze(self) -> Any:
        return self.stub.AnalyzePlan(pb.AnalyzePlanRequest(session_id="s1"))

    def hang(self, *methods: str) -> None:
        """Do not answer these methods."""
        self.server.on_call = lambda method, request, context: method in methods and self.server.hang.wait(10) and None

    def calls(self) -> list[str]:
        return [method for method, _ in self.server.calls]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "CHANGE_S", 0.05)
    monkeypatch.setattr(lookups, "TAB_S", SHORT_S)
    monkeypatch.setattr(lookups, "SHOW_S", SHORT_S)
    world = World()
    yield world
    world.guard.channel.close()
    world.server.stop()


def test_a_strict_look_up_has_one_deadline_for_all_its_calls(world: World) -> None:
    """The second call is not sent."""
    world.hang("AnalyzePlan")
    begun = time.monotonic()
    with lookup(SHORT_S):
        for _ in range(3):
            with pytest.raises(NoAnswer, match="does not answer now"):
                world.analyze()
    assert time.monotonic() - begun < 5
    assert world.calls() == ["AnalyzePlan"]


def test_what_a_cell_shows_waits_for_an_engine_that_answers(world: World) -> None:
    """Analysis may take longer than the deadline, as that of many files does; each is asked once."""

    def slow(method: str, request: Any, context: Any) -> None:
        if method == "AnalyzePlan":
            time.sleep(2 * SHORT_S)

    world.server.on_call = slow
    with lookup(SHORT_S, is_patient=True):
        world.analyze()
        world.analyze()
    assert world.calls()[0] == "Config"
    assert world.calls().count("AnalyzePlan") == 2


def test_an_engine_answers_if_it_refuses(world: World) -> None:
    """It is asked without the token, so that a busy one need not make a session first."""

    def check(method: str, request: Any, context: grpc.ServicerContext) -> None:
        if "authorization" not in dict(context.invocation_metadata()):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

    world.server.on_call = check
    with lookup(5, is_patient=True):
        world.analyze()
    assert world.calls() == ["Config", "AnalyzePlan"]


def test_a_tab_on_a_slow_frame_does_not_make_the_engine_silent(world: World) -> None:
    """What a cell shows next asks the engine itself."""
    world.hang("AnalyzePlan")
    with lookup(SHORT_S), pytest.raises(NoAnswer):
        world.analyze()
    world.server.on_call = lambda method, request, context: None
    with lookup(SHORT_S), pytest.raises(NoAnswer):  # other strict ones are not sent for a while
        world.analyze()
    with lookup(SHORT_S, is_patient=True):
        world.analyze()
    with lookup(SHORT_S):
        world.analyze()
    assert world.calls() == ["AnalyzePlan", "Config", "AnalyzePlan", "AnalyzePlan"]


def test_what_a_cell_shows_does_not_wait_for_a_frozen_engine(world: World) -> None:
    """Nor do the next ones, until it answers the user's own code again."""
    world.hang("Config", "AnalyzePlan")
    for _ in range(3):
        with lookup(SHORT_S, is_patient=True), pytest.raises(NoAnswer):
            world.analyze()
    assert world.calls() == ["Config"]
    world.server.on_call = lambda method, request, context: None
    world.analyze()
    with lookup(SHORT_S, is_patient=True):
        world.analyze()
    assert world.calls()[-2:] == ["Config", "AnalyzePlan"]


def test_a_query_that_is_answered_ends_the_silence(world: World) -> None:
    """The next Tab asks again."""
    world.hang("AnalyzePlan")
    with lookup(SHORT_S), pytest.raises(NoAnswer):
        world.analyze()
    world.server.on_call = lambda method, request, context: None
    list(world.stub.ExecutePlan(pb.ExecutePlanRequest(session_id="s1", operation_id="o1")))
    with lookup(SHORT_S):
        world.analyze()


def test_an_engine_that_freezes_after_its_first_answer_is_not_waited_for(world: World) -> None:
    """Nor is it asked for the same again."""
    frozen = threading.Event()

    def freeze(method: str, request: Any, context: Any) -> None:
        if frozen.is_set() or method == "AnalyzePlan":
            frozen.set()
            world.server.hang.wait(10)

    world.server.on_call = freeze
    with lookup(5, is_patient=True), pytest.raises(NoAnswer):
        world.analyze()
    assert world.calls() == ["Config", "AnalyzePlan", "Config"]


def test_a_session_that_ended_is_renewed_under_what_a_cell_shows(world: World) -> None:
    """The engine's refusal is an answer."""

    def closed(method: str, request: Any, context: Any) -> None:
        if request.session_id == "s1":
            refuse(context, "[INVALID_HANDLE.SESSION_CLOSED] The handle s1 is invalid.")

    world.server.on_call = closed
    with lookup(SHORT_S, is_patient=True):
        world.analyze()
    assert world.spark._session_id != "s1"


def test_what_a_cell_shows_says_that_the_engine_has_ended(world: World) -> None:
    """Not that it does not answer."""
    world.gateway.change(status="Failed", message="out of memory")
    world.server.stop()
    with lookup(5, is_patient=True), pytest.raises(EngineFailed, match="out of memory"):
        world.analyze()
    with lookup(5, is_patient=True), pytest.raises(EngineFailed, match="out of memory"):
        world.analyze()


def test_a_look_up_waits_for_no_engine_that_starts_again(world: World) -> None:
    """After a cut the user's own code waits until it is Running; a look-up does not."""
    world.guard.suspend()
    world.gateway.change(status="Starting")
    for is_patient in (False, True):
        with lookup(5, is_patient=is_patient), pytest.raises(NoAnswer):
            world.analyze()
    assert world.calls() == []


def test_a_strict_look_up_runs_no_query(world: World) -> None:
    """Even if the engine would answer."""
    with lookup(5), pytest.raises(NoAnswer, match="runs no query"):
        world.stub.ExecutePlan(pb.ExecutePlanRequest(session_id="s1"))
    assert world.calls() == []


@pytest.mark.parametrize("name", ["__wrapped__", "_ipython_canary_method_should_not_exist_", "_repr_png_"])
def test_names_by_which_tools_look_are_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With pyspark 4.1, which asks the engine for the columns before it says that there is no such one."""
    monkeypatch.setitem(lookups._plain, "__getattr__", lambda frame, name: world.analyze())
    world.hang("AnalyzePlan", "Config")
    with pytest.raises(AttributeError):
        lookups._getattr(None, name)


def test_one_look_up_inside_another_does_not_extend_it() -> None:
    """A Tab stays strict whatever it calls; a display inside a display shares its answer."""
    with lookup(1) as _:
        outer = lookups.current()
        with lookup(100, is_patient=True):
            assert lookups.current() is outer
        with lookup(100):
            assert outer is not None
            assert lookups.current() == outer
    with lookup(1, is_patient=True):
        outer = lookups.current()
        with lookup(2, is_patient=True):
            assert lookups.current() is outer
        with lookup(100):
            found = lookups.current()
            assert found is not None
            assert not found.is_patient
    assert lookups.current() is None


@pytest.mark.parametrize(
    ("kind", "content", "is_view"),
    [
        ("execute_request", {"silent": False, "store_history": True}, False),
        ("execute_request", {"silent": True, "store_history": True}, True),
        ("execute_request", {"silent": False, "store_history": False}, True),
        ("complete_request", {}, False),
        ("comm_msg", {}, False),
    ],
)
def test_code_that_is_kept_out_of_the_history_is_of_a_view(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str, content: dict[str, bool], is_view: bool
) -> None:
    """VS Code's variables and JupyterLab's extensions execute code; on the thread that executes requests only."""
    request = {"header": {"msg_type": kind}, "content": content}
    kernel = SimpleNamespace(get_parent=lambda channel: request)
    monkeypatch.setattr(lookups, "get_shell", lambda: SimpleNamespace(kernel=kernel))
    found = lookups.current()
    assert (found is not None and found.is_patient) == is_view
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lookups.current).result() is None
    if is_view:
        world.hang("Config", "AnalyzePlan")
        with pytest.raises(NoAnswer):
            world.analyze()


@pytest.mark.parametrize(
    ("more", "waits"),
    [
        ({"store_history": False}, True),
        ({"store_history": False, "stop_on_error": False}, False),
        ({"silent": True}, False),
    ],
)
def test_the_query_of_a_program_waits_also_if_it_keeps_out_of_the_history(
    world: World, monkeypatch: pytest.MonkeyPatch, more: dict[str, bool], waits: bool
) -> None:
    """An engine may collect garbage for long; views neither run queries nor stop what follows them."""
    request = {"header": {"msg_type": "execute_request"}, "content": {"silent": False, "stop_on_error": True, **more}}
    kernel = SimpleNamespace(get_parent=lambda channel: request)
    monkeypatch.setattr(lookups, "get_shell", lambda: SimpleNamespace(kernel=kernel))
    world.server.on_call = lambda method, request, context: world.server.hang.wait(4 * SHORT_S) and None
    ask = pb.ExecutePlanRequest(session_id="s1")
    if waits:
        assert [answer.response_id for answer in world.stub.ExecutePlan(ask)] == ["0", "1"]
    else:
        with pytest.raises(NoAnswer):
            world.stub.ExecutePlan(ask)


@pytest.mark.parametrize("name", ["Control", "pydevd.Reader"])
def test_threads_that_only_look_are_strict(name: str) -> None:
    """JupyterLab's variable view answers on the kernel's control thread."""
    found: list[lookups.Look | None] = []
    look: Callable[[], None] = lambda: found.append(lookups.current())  # noqa: E731 - a thread's target
    thread = threading.Thread(target=look, name=name)
    thread.start()
    thread.join()
    assert found[0] is not None
    assert not found[0].is_patient

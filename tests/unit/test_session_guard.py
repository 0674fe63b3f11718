"""What a failed call on an engine means."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pyspark.sql.connect.proto as pb
import pytest
from fakes.connect_server import ScriptedServer, fake_spark, refuse
from fakes.rest import FAILURE, FakeGateway, make_view
from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

from rucat_jupyter.client.cells.operations import cells
from rucat_jupyter.client.errors import EngineFailed
from rucat_jupyter.client.session import channel, watch
from rucat_jupyter.client.session import guard as module
from rucat_jupyter.client.session.channel import Released
from rucat_jupyter.client.session.guard import Detached, SessionGuard
from rucat_jupyter.client.session.session import open_channel
from rucat_jupyter.core.sessions import key_of

ID = "0123456789abcdef"


class World:
    """One engine, its gateway, and a client on it."""

    def __init__(self) -> None:
        self.server = ScriptedServer()
        self.gateway = FakeGateway(make_view())
        self.point_at(self.server.port)
        self.guard = SessionGuard(self.gateway.api(), make_view(), "/a.ipynb", self._open)
        self.spark = fake_spark("s1")
        self.guard.bind(self.spark)
        self.stub = SparkConnectServiceStub(self.guard.channel)

    def point_at(self, port: int) -> None:
        self.gateway.connection = {"url": f"sc://127.0.0.1:{port}", "token": f"token-{port}"}

    def restart(self) -> None:
        """The engine dies and comes back on another port."""
        self.gateway.change(run=2)
        self.server.stop()
        self.server = ScriptedServer()
        self.point_at(self.server.port)

    def freeze(self) -> None:
        """Calls are taken and never answered."""
        hang = self.server.hang
        self.server.on_call = lambda method, request, context: hang.wait(10) and None

    def config(self) -> Any:
        return self.stub.Config(pb.ConfigRequest(session_id=self.spark._session_id))

    def execute(self, operation_id: str = "") -> Any:
        return self.stub.ExecutePlan(
            pb.ExecutePlanRequest(session_id=self.spark._session_id, operation_id=operation_id)
        )

    def end(self) -> None:
        self.guard.channel.close()
        self.server.stop()

    @staticmethod
    def _open(connection: dict[str, Any]) -> grpc.Channel:
        options = [("grpc.max_reconnect_backoff_ms", 200), ("grpc.enable_http_proxy", 0)]
        return grpc.insecure_channel(connection["url"].removeprefix("sc://"), options=options)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in {"CHANGE_S": 0.05, "PATIENCE_S": 0.1}.items():
        monkeypatch.setattr(module, name, value)
    for name in ("TICK_S", "LONG_S", "PAUSE_S"):
        monkeypatch.setattr(watch, name, 0.05)
    world = World()
    yield world
    world.end()


def test_a_call_carries_the_token(world: World) -> None:
    """As metadata, never in the address."""
    assert world.config().session_id == "s1"
    assert world.server.metadata[0]["authorization"] == f"Bearer token-{world.server.port}"


def test_a_dead_engine_raises_its_failure(world: World) -> None:
    """The moment the gateway says Failed, a failing call is that failure."""
    world.config()
    world.server.stop()
    world.gateway.on_poll = [lambda: world.gateway.change(status="Failed", failure=FAILURE)]
    with pytest.raises(EngineFailed, match="✕ etl failed: OutOfMemory"):
        world.config()
    with pytest.raises(EngineFailed, match="✕ etl failed: OutOfMemory"):
        world.execute().__next__()


def test_after_a_failure_the_next_life_is_found(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The first call after the restart works, on a new connection."""
    world.config()
    world.server.stop()
    world.gateway.on_poll = [lambda: world.gateway.change(status="Failed", failure=FAILURE)]
    with pytest.raises(EngineFailed, match="✕ etl failed"):
        world.config()
    assert world.guard.is_cut
    world.gateway.change(status="Running", failure=None)
    world.restart()
    assert list(world.execute())
    assert capsys.readouterr().err.count("was restarted: temp views and runtime conf are gone") == 1


def test_a_restart_that_was_said_is_not_said_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """As after ``%rucat restart``, which says what is lost; the next restart by someone else is said."""
    world.config()
    world.guard.suspend()
    world.restart()
    world.guard.has_said(2)
    world.config()
    assert capsys.readouterr().err == ""
    world.guard.suspend()
    world.gateway.change(run=3)
    world.config()
    assert capsys.readouterr().err.count("was restarted: temp views and runtime conf are gone") == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [("Stopped", "○ etl is Stopped"), ("Stopping", "○ etl is Stopping"), ("Deleting", "was deleted")],
)
def test_an_engine_that_was_ended_raises_why(world: World, status: str, said: str) -> None:
    """A stop by someone else ends the cell too, with its reason from history."""
    world.server.stop()
    world.gateway.events = [{"reason": "idle for 1 h"}]
    world.gateway.change(status=status)
    with pytest.raises(EngineFailed, match=said) as caught:
        world.config()
    assert "idle for 1 h" in str(caught.value)


def test_an_engine_that_is_gone_raises_it(world: World) -> None:
    """No record: it was deleted."""
    world.server.stop()
    world.gateway.engines.clear()
    with pytest.raises(EngineFailed, match="etl was deleted"):
        world.config()


def test_while_the_gateway_says_alive_the_call_is_tried_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The error goes back to pyspark's retries; after a while a line says so, and the connection heals."""
    port = world.server.port
    world.server.stop()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        with pytest.raises(grpc.RpcError) as caught:
            world.config()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert capsys.readouterr().err.count("does not answer (the gateway says Running): still trying") == 1
    world.server = ScriptedServer(port)
    deadline = time.monotonic() + 5
    while True:
        try:
            assert world.config().session_id == "s1"
            break
        except grpc.RpcError:
            assert time.monotonic() < deadline


def test_a_gateway_that_cannot_be_asked_concludes_nothing(world: World) -> None:
    """Unknown is not dead."""
    world.server.stop()
    world.gateway.breaks = [httpx.ConnectError("no")] * 50
    with pytest.raises(grpc.RpcError):
        world.config()


@pytest.mark.parametrize("kind", ["unary", "stream"])
def test_a_frozen_engine_ends_the_call_when_it_is_given_up(
    world: World, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """A hanging call reports the silence, and ends with the failure though the server never answers."""
    world.freeze()
    world.gateway.on_poll = [
        lambda: world.gateway.change(status="Unresponsive", message="no answer for 9 s"),
        lambda: None,
        lambda: time.sleep(0.1),
        lambda: world.gateway.change(status="Failed", failure=FAILURE),
    ]
    begun = time.monotonic()
    with pytest.raises(EngineFailed, match="✕ etl failed"):
        next(world.execute()) if kind == "stream" else world.config()
    assert time.monotonic() - begun < 2
    assert "does not answer now (no answer for 9 s)" in capsys.readouterr().err


def test_a_silence_that_is_the_end_is_not_spoken_of(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The failure says more."""
    world.freeze()
    world.gateway.on_poll = [
        lambda: world.gateway.change(status="Unresponsive"),
        lambda: world.gateway.change(status="Failed", failure=FAILURE),
    ]
    with pytest.raises(EngineFailed):
        world.config()
    assert "does not answer" not in capsys.readouterr().err


def test_an_engine_that_thaws_is_reported_and_the_call_continues(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A silence that ends does no harm."""
    world.freeze()
    noticed = threading.Event()

    def thaw() -> None:
        world.gateway.change(status="Running", message="")
        noticed.set()

    world.gateway.on_poll = [lambda: world.gateway.change(status="Unresponsive"), lambda: None, thaw]
    threading.Thread(target=lambda: noticed.wait(5) and (time.sleep(0.2), world.server.hang.set())).start()
    assert world.config().session_id == "s1"
    said = capsys.readouterr().err
    assert "does not answer now" in said
    assert "● etl answers again." in said


def test_a_restart_while_idle_is_followed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The next call goes to the new life, wherever it is, and that is said once."""
    world.config()
    world.restart()
    assert world.config().session_id == "s1"
    assert list(world.execute())
    assert world.server.metadata[0]["authorization"] == f"Bearer token-{world.server.port}"
    assert world.spark._client._server_session_id is None
    assert capsys.readouterr().err.count("was restarted: temp views and runtime conf are gone") == 1


def test_a_restart_on_the_same_port_is_followed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The new life refuses the token of the old one, so it has not run the request."""
    world.config()

    def refuse_old(method: str, request: Any, context: grpc.ServicerContext) -> None:
        if ("authorization", "Bearer new") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid authentication token")

    world.server.on_call = refuse_old
    world.gateway.change(run=2)
    world.gateway.connection["token"] = "new"
    assert world.config().session_id == "s1"
    assert capsys.readouterr().err.count("was restarted: temp views and runtime conf are gone") == 1


def test_a_restart_under_a_running_call_is_an_error(world: World) -> None:
    """Nothing is run twice by itself."""
    hang = world.server.hang
    world.server.on_call = lambda method, request, context: hang.wait(10) and None if method == "more" else None
    answers = world.execute()
    next(answers)
    world.gateway.on_poll = [lambda: None]
    restart = threading.Thread(target=world.restart)
    restart.start()
    with pytest.raises(EngineFailed, match=r"was restarted \(run 2\)"):
        next(answers)
    restart.join()
    assert [method for method, _ in world.server.calls] == []


def test_a_reattach_never_reaches_another_life(world: World) -> None:
    """There pyspark would run the plan again."""
    world.restart()
    with pytest.raises(EngineFailed, match=r"was restarted \(run 2\)"):
        next(world.stub.ReattachExecute(pb.ReattachExecuteRequest(session_id="s1")))


def test_a_call_waits_while_the_engine_starts_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Pending is waited for, with a line."""
    world.guard.suspend()
    world.gateway.change(status="Pending", run=2)
    world.gateway.on_poll = [lambda: world.gateway.change(status="Running")]
    assert world.config().session_id == "s1"
    assert "◌ etl  Pending on this machine: waiting until it is Running" in capsys.readouterr().err


def test_a_suspended_session_says_that_the_engine_is_stopped(world: World) -> None:
    """After %rucat stop, spark says how to start it again."""
    world.guard.suspend()
    world.gateway.change(status="Stopped")
    with pytest.raises(EngineFailed, match="Start it again"):
        world.config()
    with pytest.raises(Released):
        world.stub.ReleaseExecute(pb.ReleaseExecuteRequest(session_id="s1"))


def test_answers_are_released_once_a_second_and_at_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one is how pyspark asks for it; what the engine lets go of by itself is spared."""

    def released(**until: Any) -> int:
        """How many releases the engine has heard of after this one."""
        assert world.stub.ReleaseExecute(pb.ReleaseExecuteRequest(operation_id="op", **until)) is not None
        return sum(1 for method, _ in world.server.calls if method == "ReleaseExecute")

    until = {"release_until": pb.ReleaseExecuteRequest.ReleaseUntil(response_id="0")}
    answers = world.execute("op")
    assert next(answers).response_id == "0"
    assert released(**until) == 0
    monkeypatch.setattr(channel, "RELEASE_EACH_S", 0.01)
    time.sleep(0.02)
    assert released(**until) == 1
    monkeypatch.setattr(channel, "RELEASE_EACH_S", 60.0)
    assert released(**until) == 1
    assert released(release_all=pb.ReleaseExecuteRequest.ReleaseAll()) == 2


def test_an_operation_leaves_no_work_to_the_garbage_collector(world: World) -> None:
    """A thousand small queries would have it run again and again."""
    cells.begin(1)
    gc.disable()
    try:
        answers = world.execute("op")
        was = weakref.ref(answers)
        assert len(list(answers)) == 2
        world.stub.ReleaseExecute(
            pb.ReleaseExecuteRequest(operation_id="op", release_all=pb.ReleaseExecuteRequest.ReleaseAll())
        )
        del answers
        assert was() is None
    finally:
        gc.enable()
        cells.end()


def test_a_suspend_ends_what_is_under_way(world: World) -> None:
    """Stopping from another thread does not leave the call hanging."""
    world.freeze()
    world.gateway.change(status="Stopping")
    threading.Timer(0.05, world.guard.suspend).start()
    with pytest.raises(EngineFailed, match="etl is Stopping"):
        world.config()


def test_a_session_that_the_engine_forgot_is_replaced_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A new id by PUT, the same call again in it, one line."""

    def forget(method: str, request: Any, context: grpc.ServicerContext) -> None:
        if request.session_id == "s1":
            refuse(context, "[INVALID_HANDLE.SESSION_CLOSED] The handle is invalid")

    world.server.on_call = forget
    new = world.config().session_id
    assert new != "s1"
    assert world.spark._session_id == world.spark._client._session_id == new
    assert world.spark._client._artifact_manager._session_id == new
    assert next(iter(world.execute())).session_id == new
    assert world.gateway.paths("PUT") == [f"engines/{ID}/sessions/{key_of('/a.ipynb')}"]
    assert capsys.readouterr().err.count("spark uses a new one now") == 1


def test_a_request_of_the_old_session_goes_on_in_the_new_one(world: World) -> None:
    """A second thread that asked with the old id gets no third session."""
    old = pb.ConfigRequest(session_id="s1", client_observed_server_side_session_id="old")
    world.server.on_call = lambda method, request, context: (
        refuse(context, "[INVALID_HANDLE.SESSION_NOT_FOUND] x") if request.session_id == "s1" else None
    )
    new = world.config().session_id
    assert world.stub.Config(old).session_id == new
    assert not old.client_observed_server_side_session_id
    assert len(world.gateway.paths("PUT")) == 1


def test_a_server_that_was_replaced_keeps_the_id(world: World) -> None:
    """SESSION_CHANGED: the engine is another process, the id is free there."""
    request = pb.ConfigRequest(session_id="s1", client_observed_server_side_session_id="old")
    world.server.on_call = lambda method, asked, context: (
        refuse(context, "[INVALID_HANDLE.SESSION_CHANGED] x") if asked.client_observed_server_side_session_id else None
    )
    assert world.stub.Config(request).session_id == "s1"
    assert world.gateway.paths("PUT") == []


def test_a_session_that_ends_under_a_running_call_is_an_error(world: World) -> None:
    """What had begun is lost, and said to be."""
    world.server.on_call = lambda method, request, context: (
        refuse(context, "[INVALID_HANDLE.SESSION_CLOSED] x") if method == "more" else None
    )
    answers = world.execute()
    next(answers)
    with pytest.raises(EngineFailed, match="the session of this notebook on it ended"):
        next(answers)


def test_words_of_the_user_end_no_session(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """An error that only mentions sessions is the user's own: nothing is renewed."""
    world.server.on_call = lambda method, request, context: refuse(
        context, "[USER_RAISED_EXCEPTION] INVALID_HANDLE.SESSION_CLOSED"
    )
    with pytest.raises(grpc.RpcError):
        world.config()
    assert world.spark._session_id == "s1"
    assert capsys.readouterr().err == ""


def test_a_request_that_is_rejected_twice_is_not_sent_again(world: World) -> None:
    """The second refusal goes to the user."""
    calls: list[str] = []

    def refuse_all(method: str, request: Any, context: Any) -> None:
        calls.append(request.session_id)
        refuse(context, "[INVALID_HANDLE.SESSION_CLOSED] x")

    world.server.on_call = refuse_all
    with pytest.raises(grpc.RpcError, match="SESSION_CLOSED"):
        world.config()
    assert len(calls) == 2
    assert calls[0] == "s1" != calls[1]


def test_an_error_of_sparks_own_passes_unchanged(world: World) -> None:
    """Wrong SQL sends no request to the gateway."""
    world.server.on_call = lambda method, request, context: refuse(context, "[TABLE_OR_VIEW_NOT_FOUND] x")
    asked = len(world.gateway.asked)
    with pytest.raises(grpc.RpcError):
        world.config()
    assert len(world.gateway.asked) == asked


def test_an_error_of_a_dying_context_waits_for_the_verdict(world: World) -> None:
    """The engine's failure says more than Spark's trace."""
    world.server.on_call = lambda method, request, context: refuse(
        context, "Job 0 cancelled: SparkContext was shut down"
    )
    world.gateway.on_poll = [lambda: None, lambda: world.gateway.change(status="Failed", failure=FAILURE)]
    with pytest.raises(EngineFailed, match="OutOfMemory"):
        world.config()


def test_ctrl_c_is_not_held_by_a_frozen_engine(world: World) -> None:
    """The engine is sent the interrupt, but nothing waits for it."""
    world.freeze()
    begun = time.monotonic()

    def press_ctrl_c() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            world.stub.Interrupt(pb.InterruptRequest(session_id="s1"))

    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()
    assert time.monotonic() - begun < 1.5
    assert world.server.calls[0][0] == "Interrupt"


def test_a_detached_session_sends_no_calls(world: World) -> None:
    """After detach, and at exit."""
    world.guard.channel.close()
    for call in (world.config, world.execute):
        with pytest.raises(Detached, match="was closed"):
            call()
    assert world.server.calls == []


def test_a_long_error_is_not_cut_by_the_transport(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark sends up to 2,048 characters as metadata; in Chinese that is more than gRPC accepts by default."""
    monkeypatch.setattr(world.guard, "_open_channel", open_channel)
    world.guard.channel.cut()
    said = "[TABLE_OR_VIEW_NOT_FOUND] " + "\u8868" * 2022
    world.server.on_call = lambda method, request, context: refuse(context, said)
    for call in (world.config, lambda: list(world.execute())):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.details() == said


def test_an_answer_that_the_transport_lost_is_not_silence(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine answered: a cell shows the error, without the words that it does not answer."""
    world.server.on_call = lambda method, request, context: context.abort(grpc.StatusCode.INTERNAL, "Stream removed")
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        with pytest.raises(grpc.RpcError, match="Stream removed"):
            world.config()
    assert "does not answer" not in capsys.readouterr().err

"""What is announced to the front end about the engines that a notebook uses."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import comm
import pytest

from rucat_jupyter.client.session import announce, session
from rucat_jupyter.client.session.announce import Announcer, Used
from rucat_jupyter.notebook.line import binding

if TYPE_CHECKING:
    from rucat_jupyter.client.engines.engine import Engine

SPARK = Used(id="1" * 16, variables=["spark"])
OTHER = Used(id="2" * 16, variables=["other"])


class FakeComm:
    """A comm that keeps what was sent."""

    def __init__(self, target_name: str, data: Any) -> None:
        self.target, self.sent = target_name, [data]

    def send(self, data: Any) -> None:
        """Keep it."""
        self.sent.append(data)

    def on_msg(self, callback: Callable[[Any], None]) -> None:
        """Keep who answers."""
        self.ask = callback

    def on_close(self, callback: Callable[[Any], None]) -> None:
        """Keep who hears of the end."""
        self.close = callback


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[FakeComm]:
    """The comms that are opened in a notebook of JupyterLab."""
    made: list[FakeComm] = []

    def create(target_name: str, data: Any) -> FakeComm:
        made.append(FakeComm(target_name, data))
        return made[-1]

    monkeypatch.setattr(comm, "create_comm", create)
    monkeypatch.setattr(announce, "shows_panels", lambda: True)
    return made


def test_each_change_is_announced_once_on_one_comm(opened: list[FakeComm]) -> None:
    """Attach, the same again, another, detach."""
    notebook = Announcer()
    notebook.bound([SPARK])
    notebook.bound([SPARK])
    notebook.bound([SPARK, OTHER])
    notebook.bound([])
    assert [line.target for line in opened] == ["rucat_jupyter.engines"]
    assert opened[0].sent == [{"engines": engines} for engines in ([SPARK], [SPARK, OTHER], [])]


def test_a_page_that_asks_is_answered(opened: list[FakeComm]) -> None:
    """It was loaded after the last change."""
    notebook = Announcer()
    notebook.bound([SPARK])
    opened[0].ask({})
    assert opened[0].sent == [{"engines": [SPARK]}] * 2


def test_a_closed_comm_is_opened_again(opened: list[FakeComm]) -> None:
    """A page without our panel closes what it does not know."""
    notebook = Announcer()
    notebook.bound([SPARK])
    opened[0].close({})
    notebook.bound([OTHER])
    assert [line.sent for line in opened] == [[{"engines": [SPARK]}], [{"engines": [OTHER]}]]


def test_sessions_of_the_users_own_come_before_the_attached_one(opened: list[FakeComm]) -> None:
    """``engine.connect()`` does not make it the notebook's engine while another is attached."""
    notebook = Announcer()
    notebook.bound([SPARK])
    notebook.connected(OTHER["id"])
    notebook.connected(SPARK["id"])
    assert opened[0].sent[-1] == {"engines": [{**OTHER, "variables": []}, SPARK]}


def test_nothing_is_announced_without_a_panel(opened: list[FakeComm], monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts, terminals, VS Code, nbconvert."""
    notebook = Announcer()
    monkeypatch.setattr(announce, "shows_panels", lambda: False)
    notebook.bound([SPARK])
    assert opened == []


def test_the_current_engine_is_announced_last(opened: list[FakeComm], monkeypatch: pytest.MonkeyPatch) -> None:
    """Binding: the variable bound last is the notebook's engine, whatever was bound before."""
    made: dict[str, Any] = {}

    def attach(engine: Any, key: str | None) -> Any:
        return made.setdefault(engine.id, SimpleNamespace(engine=engine, spark=SimpleNamespace(), is_open=True))

    monkeypatch.setattr(session, "attach", attach)
    monkeypatch.setattr(session, "detach", lambda attachment: None)
    monkeypatch.setattr(binding, "announcer", Announcer())
    bound = binding.Binding(SimpleNamespace(user_ns={}))
    etl, adhoc = (cast("Engine", SimpleNamespace(id=used["id"], name=used["id"])) for used in (SPARK, OTHER))
    bound.attach(etl, "spark", None)
    bound.attach(adhoc, "other", None)
    bound.attach(etl, "spark", None)
    assert opened[0].sent[-1] == {"engines": [OTHER, SPARK]}
    bound.release(made[SPARK["id"]])
    assert opened[0].sent[-1] == {"engines": [OTHER]}

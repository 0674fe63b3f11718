"""The output of %rucat, verb by verb, with a scripted gateway; nothing here starts an engine."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.rest import FAILURE, TIME, FakeGateway, make_view
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import rucat_jupyter
from rucat_jupyter.client.engines import engine as client
from rucat_jupyter.client.errors import EngineFailed, WaitInterrupted
from rucat_jupyter.client.words import text
from rucat_jupyter.core.errors import EngineNotFound, NotPossible
from rucat_jupyter.notebook.line import context
from rucat_jupyter.notebook.magics import magics

ID = "0123456789abcdef"


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A fake gateway for this process, with one running engine ``etl``."""
    gateway = FakeGateway(make_view())
    before = client.set_default_api(gateway.api())
    yield gateway
    client.set_default_api(before)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """IPython without a kernel or a terminal."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    magics.load_ipython_extension(shell)
    yield shell
    shell.user_ns.clear()
    InteractiveShell.clear_instance()
    atexit.unregister(shell.atexit_operations)


@pytest.fixture
def run(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run one line of %rucat and return its output."""

    def run_line(line: str) -> str:
        shell.run_line_magic("rucat", line)
        return capsys.readouterr().out

    return run_line


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Sessions without an engine: one fake attachment per engine; lists the detached ones."""
    from rucat_jupyter.client.session import session

    made: dict[str, Any] = {}
    gone: list[Any] = []

    def attach(engine: Any, key: str | None = None) -> Any:
        known = made.setdefault(engine.id, SimpleNamespace(engine=engine, spark=SimpleNamespace(), is_open=True))
        if not known.is_open:
            known.spark, known.is_open = SimpleNamespace(), True
        return known

    monkeypatch.setattr(session, "attach", attach)
    monkeypatch.setattr(session, "detach", gone.append)
    return gone


def test_the_bare_magic_shows_help_and_engines(gateway: FakeGateway, run: Any) -> None:
    """One screen: verbs, then the user's engines."""
    said = run("")
    assert "%rucat VERB" in said
    assert "● etl" in said


def test_no_engines_says_how_to_create_one(gateway: FakeGateway, run: Any) -> None:
    """An empty list is not an error."""
    gateway.engines.clear()
    assert run("list") == "No engines yet. Create one: %rucat create\n"
    assert run("status") == "No engines yet. Create one: %rucat create\n"


def test_bad_usage_is_one_line(gateway: FakeGateway, run: Any) -> None:
    """A UsageError, which IPython shows without a traceback."""
    with pytest.raises(UsageError, match=r"^rucat: create has no flag --memroy \(did you mean --driver-memory\?\)$"):
        run("create --memroy 4g")
    with pytest.raises(UsageError, match=r"^rucat: %rucat: no closing quotation"):
        run("create 'x")


def test_create_attaches_and_shows_the_next_commands(gateway: FakeGateway, run: Any, sessions: Any, shell: Any) -> None:
    """When it is found again, settings that were not applied are named."""
    said = run("create etl --driver-memory 4g")
    assert "● etl  Running on this machine · Spark 4.3.0 · driver 2 cores 1 GB · attached to the running engine" in said
    assert "Not applied: driver.memory 4g (it has 1g). To apply: %rucat restart etl --driver-memory 4g" in said
    assert "spark is attached.  Look: %rucat status   Logs: %rucat logs   Stop: %rucat stop" in said
    assert "spark" in shell.user_ns


def test_create_shows_each_phase_once_if_lines_cannot_be_replaced(
    gateway: FakeGateway, run: Any, sessions: Any
) -> None:
    """A pipe gets one line per phase."""
    new = f"{1:016x}"
    gateway.on_poll = [
        lambda: gateway.change(new, message="the JVM starts"),
        lambda: None,
        lambda: gateway.change(new, status="Running", message=""),
    ]
    said = run("create new")
    assert said.count("Pending on this machine") == 2
    assert said.count("the JVM starts") == 1
    assert "● new  Running on this machine" in said
    assert "started in 0 s" in said


def test_a_failed_start_shows_three_lines(gateway: FakeGateway, run: Any) -> None:
    """Failure, message and hint; IPython shows nothing else."""
    new = f"{1:016x}"
    gateway.on_poll = [lambda: gateway.change(new, status="Failed", failure=FAILURE)]
    with pytest.raises(EngineFailed) as caught:
        run("create new")
    shown = caught.value._render_traceback_()
    assert shown[0] == "rucat: ✕ new failed: OutOfMemory"
    assert "%rucat restart new" in shown[2]
    assert len(shown) == 3


def test_ctrl_c_says_how_to_wait_again_and_how_to_stop(gateway: FakeGateway, run: Any) -> None:
    """It stops only the waiting."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    gateway.on_poll = [interrupt]
    with pytest.raises(WaitInterrupted) as caught:
        run("create new")
    expected = "new is still starting. Wait again: %rucat create new   Stop it: %rucat stop new"
    assert str(caught.value) == expected


def test_no_wait_returns_immediately(gateway: FakeGateway, run: Any, shell: Any) -> None:
    """And attaches nothing."""
    assert "◌ new  Pending" in run("create new --no-wait")
    assert "spark" not in shell.user_ns


def test_a_variable_of_the_user_is_kept(gateway: FakeGateway, run: Any, sessions: Any, shell: Any) -> None:
    """Its value is kept under another name, with a message."""
    shell.user_ns["spark"] = mine = object()
    assert "spark was your own object: it is kept as old_spark" in run("attach etl")
    assert shell.user_ns["old_spark"] is mine
    assert "kept as" not in run("attach etl")


def test_another_engine_in_the_same_variable_releases_the_first(
    gateway: FakeGateway, run: Any, sessions: list[Any]
) -> None:
    """One variable, one session; another variable may hold a second one."""
    gateway.engines["b" * 16] = make_view(id="b" * 16, name="other")
    run("attach etl")
    run("attach other --as two")
    assert sessions == []
    assert "spark was attached to etl, which keeps running" in run("attach other")
    assert [a.engine.name for a in sessions] == ["etl"]


def test_attach_rejects_a_stopped_engine(gateway: FakeGateway, run: Any) -> None:
    """The message says how to start it."""
    gateway.change(status="Stopped")
    with pytest.raises(NotPossible, match=r"cannot attach 'etl': it is Stopped. Start it: %rucat create etl"):
        run("attach etl")


def test_detach_unbinds_the_variable(gateway: FakeGateway, run: Any, sessions: list[Any], shell: Any) -> None:
    """Engine and session keep running, and the message says how to attach again."""
    run("attach etl")
    said = run("detach")
    assert "Detached from etl: spark is unbound; engine and session keep running." in said
    assert "%rucat attach etl" in said
    assert "spark" not in shell.user_ns
    assert len(sessions) == 1
    assert run("detach") == "This notebook is not attached.\n"


def test_verbs_without_a_name_mean_the_attached_engine(gateway: FakeGateway, run: Any, sessions: Any) -> None:
    """Else the only one, else a line that lists them."""
    gateway.engines["b" * 16] = make_view(id="b" * 16, name="other one")
    with pytest.raises(UsageError, match=r"which engine.*: etl, 'other one'"):
        run("status")
    run("attach 'other one'")
    assert run("status").startswith("● other one  Running")
    del gateway.engines["b" * 16]
    assert run("status").startswith("● etl  Running")


def test_an_unknown_name_lists_the_known_ones(gateway: FakeGateway, run: Any) -> None:
    """One line, also for names that are not valid in a URL."""
    for name in ("x", "a/b", "..", "http://x"):
        with pytest.raises(EngineNotFound, match=rf"there is no engine '{name}'. Yours: etl"):
            run(f"stop {name}")


def test_stop_and_restart_show_the_result(gateway: FakeGateway, run: Any) -> None:
    """Both wait for it."""
    gateway.on_poll = [lambda: gateway.change(status="Stopped")]
    assert run("stop etl") == "○ etl  Stopped.  Start it again: %rucat create etl\n"
    gateway.on_poll = [lambda: gateway.change(status="Running")]
    assert "● etl  Running" in (said := run("restart etl"))
    assert "restarted (run 2)" in said


def test_ctrl_c_while_it_stops_does_not_propose_to_start_it(gateway: FakeGateway, run: Any) -> None:
    """The message proposes create only as a way to start it again."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    gateway.on_poll = [interrupt]
    with pytest.raises(KeyboardInterrupt) as caught:
        run("stop etl")
    expected = "etl is Stopping. Wait again: %rucat stop etl   Start it again: %rucat create etl"
    assert str(caught.value) == expected


def test_delete_asks_if_it_can_and_else_names_the_command(
    gateway: FakeGateway, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer it deletes nothing."""
    with pytest.raises(
        UsageError, match=r"delete needs a confirmation, which is not possible here. To delete: %rucat delete etl --yes"
    ):
        run("delete etl")
    monkeypatch.setattr(context, "can_ask", lambda shell: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert run("delete etl") == "etl is kept.\n"
    assert gateway.paths("DELETE") == []
    monkeypatch.setattr("builtins.input", lambda question: "y")
    gateway.on_poll = [gateway.engines.clear]
    assert run("delete etl") == "etl is deleted.\n"


def test_delete_with_yes_does_not_ask(gateway: FakeGateway, run: Any) -> None:
    """For Run All."""
    gateway.on_poll = [gateway.engines.clear]
    assert run("delete etl --yes") == "etl is deleted.\n"


def test_logs_are_text_only(gateway: FakeGateway, run: Any) -> None:
    """Terminal escapes are removed."""
    gateway.log = "one\n\x1b[31mtwo\x1b[0m\n"
    assert run("logs etl --tail 5") == "one\ntwo\n"


def test_a_long_log_shows_its_end_and_how_to_get_all(gateway: FakeGateway, run: Any) -> None:
    """A notebook keeps all that a cell shows; a followed log ends with the command that shows more."""
    gateway.log = "".join(f"line {number} {'x' * 90}\n" for number in range(20_000))
    first, *lines = run("logs etl --all").splitlines()
    assert (
        first == f"… {20_000 - len(lines):,} earlier lines are not shown. In a terminal, rucat logs etl --all shows all"
    )
    assert lines[-1].startswith("line 19999 ")
    assert 450_000 < sum(map(len, lines)) < text.MOST_SHOWN
    *lines, last = run("logs etl --all --follow").splitlines()
    assert lines[0].startswith("line 0 ")
    assert last == "… This cell has 500,000 characters. In a terminal, rucat logs etl --follow shows more"
    assert sum(map(len, lines)) < text.MOST_SHOWN


def test_long_lists_say_what_is_not_shown(gateway: FakeGateway, run: Any) -> None:
    """Of events the last ones, of engines and sessions the first."""
    event = {"at": TIME, "run": 1, "status": "Running", "kind": "start", "actor": "me", "reason": "why"}
    gateway.events = [{**event, "reason": f"event {number}"} for number in range(5000)]
    first, *lines = run("history etl").splitlines()
    assert first == "… 4,500 earlier events: rucat history in a terminal shows all"
    assert lines[-1].endswith("event 4999")
    assert len(lines) == 501
    gateway.change(sessions=[{"path": f"/n{number}.ipynb"} for number in range(5000)])
    page = run("status etl").splitlines()
    assert sum(".ipynb" in line for line in page) == 20
    assert any("… and 4,980 more: .sessions of the engine has all" in line for line in page)
    shown = repr(client.Engines([client.get(ID)] * 1200)).splitlines()
    assert len(shown) == 502
    assert shown[-1] == "… and 700 more: rucat list in a terminal shows all"


def test_a_long_error_is_cut_with_a_note(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In short its first lines; in full its begin and end, and what writes all."""
    monkeypatch.setattr(sys, "last_value", ValueError("\n".join(["z" * 50_000] * 40)), raising=False)
    lines = run("error").splitlines()
    assert max(map(len, lines)) == 2000
    assert lines[-2:] == ["… 10 more lines", "  Full trace: %rucat error --verbose"]
    shown = run("error --verbose")
    assert len(shown) < text.MOST_SHOWN + 200
    assert "characters are not shown; print(rucat_jupyter.error(verbose=True)) writes all …" in shown
    assert len(rucat_jupyter.error(verbose=True)) > 2_000_000


def test_a_long_text_as_a_last_value_shows_its_ends() -> None:
    """A plan, a log of Python: print() writes all."""
    found = client.Text("a" * 300_000 + "m" * 900_000 + "z" * 300_000)
    assert (
        repr(found) == f"{'a' * 249_900}\n… 1,000,200 characters are not shown; print(_) writes all …\n{'z' * 249_900}"
    )
    assert len(str(found)) == 1_500_000
    assert repr(client.Text("short")) == "short"


def test_history_is_a_table_also_of_a_deleted_engine(gateway: FakeGateway, run: Any) -> None:
    """Its id finds it."""
    gateway.events = [{"at": TIME, "run": 1, "status": "Running", "kind": "start", "actor": "me", "reason": ""}]
    assert "Running" in run("history")
    gateway.engines.clear()
    assert "Running" in run(f"history {ID}")
    gateway.events = []
    with pytest.raises(EngineNotFound, match="none in history"):
        run("history x")
    gateway.engines.clear()
    with pytest.raises(EngineNotFound, match="no engine yet"):
        run("history")


def test_a_session_that_its_user_stopped_is_replaced_before_the_next_cell(
    gateway: FakeGateway, run: Any, sessions: Any, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one notice; a variable that the user reassigned does not change."""
    run("attach etl")
    binding = shell.magics_manager.registry["RucatMagics"].binding
    old = shell.user_ns["spark"]
    binding.current().is_open = False
    shell.run_cell("x = 1")
    assert shell.user_ns["spark"] is not old
    assert capsys.readouterr().err.count("spark was stopped: it is now a new session on etl") == 1
    binding.current().is_open = False
    shell.user_ns["spark"] = "mine"
    shell.run_cell("x = 1")
    assert shell.user_ns["spark"] == "mine"


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "\x1b[31mx", "</pre><script>"])
def test_html_output_is_escaped(gateway: FakeGateway, name: str) -> None:
    """Names, messages and all other values of REST."""
    gateway.change(name=name, message=name)
    shown = client.engines()._repr_html_() + client.get(ID)._repr_mimebundle_()["text/html"]
    assert "<img" not in shown
    assert "<script" not in shown
    assert "\x1b" not in shown


def test_a_name_may_be_a_variable(run: Any, shell: InteractiveShell, gateway: FakeGateway) -> None:
    """If NAME is $variable or {variable}, its value is used."""
    shell.user_ns["mine"] = "etl"
    assert run("status $mine") == run("status {mine}") == run("status etl")


def test_values_are_not_changed(run: Any, shell: InteractiveShell, gateway: FakeGateway) -> None:
    """Braces and dollars in a conf stay: IPython's expansion is off."""
    shell.user_ns["mine"] = "etl"
    run("create other --no-attach --no-wait --conf 'spark.x={mine} $mine {{1+1}} ${HOME}'")
    posted = next(asked for asked in gateway.asked if asked[0] == "POST")
    assert posted[2]["conf"] == {"spark.x": "{mine} $mine {{1+1}} ${HOME}"}

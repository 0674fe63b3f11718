"""Cells, their operations and their threads."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from rucat_jupyter.client.cells import bars
from rucat_jupyter.client.cells import interrupts as ctrl_c
from rucat_jupyter.client.cells.operations import Cancelled, Cells, Interrupted, Operation
from rucat_jupyter.client.cells.progress import Progress


@dataclass
class Request:
    """A request to execute a plan."""

    operation_id: str
    session_id: str = "s"
    tags: list[str] = field(default_factory=list)


@dataclass
class Engine:
    """A session that records interrupts, and does not find ``late`` operations the first time."""

    late: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    swept: SimpleQueue[str] = field(default_factory=SimpleQueue)
    is_cut: bool = False
    waits: dict[int, float] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    view: dict[str, Any] = field(default_factory=lambda: {"name": "etl"})

    def interrupt(self, request: Request, timeout_s: float, **what: Any) -> list[str]:
        self.asked.append(what)
        found = [i for i in self.ids if i not in self.late]
        self.late.clear()
        return found

    def end_jobs(self, request: Request, timeout_s: float) -> None:
        assert timeout_s <= ctrl_c.SWEEP_S
        self.swept.put(request.operation_id)


class Line:
    """What an operation's answers come from."""

    was_cut = False

    def cut(self) -> None:
        self.was_cut = True


@pytest.fixture
def cells() -> Cells:
    return Cells()


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def start(cells: Cells, name: str = "1", engine: Engine | None = None) -> Operation | None:
    return cells.start(Request(name), engine or Engine())


def test_a_cells_operations_carry_its_tag(cells: Cells) -> None:
    """New for each run, beside the user's tags, once, and none outside of cells."""
    assert start(cells) is None
    run, request = cells.begin(5), Request("1", tags=["mine"])
    cells.start(request, Engine())
    cells.start(request, Engine())
    assert request.tags == ["mine", run.tag]
    assert re.fullmatch(r"rucat:cell=5:[0-9a-f]{8}", run.tag)
    assert run.count == 1
    cells.end()
    assert cells.begin(5).tag != run.tag


def test_threads_belong_to_the_cell_that_started_them(cells: Cells) -> None:
    """Also while a later cell runs."""
    first, go, found = cells.begin(1), threading.Event(), []
    thread = threading.Thread(target=lambda: (go.wait(5), found.append(cells.here())))  # type: ignore[func-returns-value]
    thread.start()
    cells.end()
    cells.begin(2)
    go.set()
    thread.join()
    assert found == [first]


def test_a_pools_worker_belongs_to_the_cell_that_gives_it_work(cells: Cells, worker: ThreadPoolExecutor) -> None:
    """Not to the one that made the pool; without a cell to none."""
    cells.begin(1)
    worker.submit(int).result()
    assert cells.end() is not None
    second = cells.begin(2)
    assert worker.submit(cells.here).result() is second
    cells.end()


def test_time_without_operations_does_not_count(cells: Cells) -> None:
    """A run's time is that of its operations; the bar's room is made when the last one ends."""
    run, paused = cells.begin(1), []
    run.on_pause = lambda: paused.append(1)
    assert run.elapsed_s() == 0
    one, two = start(cells, "1"), start(cells, "2")
    assert one is not None
    assert two is not None
    one.released()
    assert not paused
    two.released()
    assert paused
    elapsed_s = run.elapsed_s()
    threading.Event().wait(0.01)
    assert run.elapsed_s() == elapsed_s > 0


def test_what_a_cell_leaves_open_is_over_with_it(cells: Cells) -> None:
    """An iterator that was not read to its end must not keep the bar; the operations of its threads continue."""
    run = cells.begin(1)
    start(cells, "mine")
    thread = threading.Thread(target=start, args=(cells, "its"))
    thread.start()
    thread.join()
    cells.end()
    assert list(run.open) == ["its"]
    run.drop_dead()
    assert not run.open


def test_a_cancelled_cells_threads_start_nothing_more(cells: Cells, worker: ThreadPoolExecutor) -> None:
    """The cell itself may tidy up."""
    run = cells.begin(1)
    start(cells, "1")
    run.cancel = ctrl_c.Cancel(run)
    with pytest.raises(Cancelled, match="Cancelled on etl after 0 s"):
        worker.submit(start, cells, "2").result()
    assert start(cells, "3") is not None
    cells.end()


def test_operations_that_were_being_sent_are_interrupted_again(cells: Cells) -> None:
    """By tag first, then only by id: the cell may have begun others; what still waits is cut."""
    engine = Engine(late=["2"], ids=["1", "2"])
    run = cells.begin(1)
    operations = [start(cells, name, engine) for name in ("1", "2")]
    lines = [Line(), Line()]
    for operation, line in zip(operations, lines, strict=True):
        assert operation is not None
        operation.stream = line
    operations[0].released()  # type: ignore[union-attr]
    run.open["1"] = operations[0]  # type: ignore[assignment]
    cancel = ctrl_c.Cancel(run)
    operations[0].run.end(operations[0], "cancelled")  # type: ignore[union-attr, arg-type]
    ctrl_c._cancel(cancel)
    assert engine.asked == [{"tag": run.tag}, {"operation_id": "2"}]
    assert [line.was_cut for line in lines] == [False, True]
    assert cancel.answered.is_set()
    assert sorted(engine.swept.get(timeout=5) for _ in operations) == ["1", "2"]


@pytest.fixture
def interrupts(cells: Cells) -> Iterator[ctrl_c.Interrupts]:
    """The handler in a cell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    found = ctrl_c.Interrupts(cells)
    found.enter()
    yield found
    signal.signal(signal.SIGINT, before)


def test_a_ctrl_c_may_come_while_its_thread_holds_a_lock(
    cells: Cells, interrupts: ctrl_c.Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell's own, and the one of a thread that starts; a further one does nothing for a time."""
    monkeypatch.setattr(ctrl_c, "IGNORED_S", 60)
    run = cells.begin(1)
    start(cells)
    starting = threading._active_limbo_lock  # type: ignore[attr-defined]
    with run._lock, starting, pytest.raises(Interrupted, match="Cancelled on etl after 0 s"):
        signal.raise_signal(signal.SIGINT)
    assert run.cancel is not None
    signal.raise_signal(signal.SIGINT)
    interrupts.leave()
    assert signal.getsignal(signal.SIGINT) is interrupts
    interrupts.enter()  # the next cell
    interrupts.leave()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_ctrl_c_ends_a_call_that_is_no_operation(cells: Cells, interrupts: ctrl_c.Interrupts) -> None:
    """Of this thread: what waits in others is not ended."""
    cells.begin(1)
    engine = Engine(waits={-1: time.monotonic()})
    interrupts.sessions = (engine,)
    with pytest.raises(KeyboardInterrupt, check=lambda error: not isinstance(error, Interrupted)):
        signal.raise_signal(signal.SIGINT)
    engine.waits[threading.get_ident()] = time.monotonic()
    with pytest.raises(Interrupted, match="Interrupted on etl after 0 s"):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("module", ["ipykernel.ipkernel", "asyncio.runners", "mine"])
def test_a_ctrl_c_leaves_another_handler_its_way(
    cells: Cells, interrupts: ctrl_c.Interrupts, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """What the cell has on engines is cancelled; a kernel's handler of cells with ``await`` ends no call that waits."""
    monkeypatch.setattr(ctrl_c, "IGNORED_S", 0)
    seen: list[int] = []
    theirs = lambda number, frame: seen.append(number)  # noqa: E731
    theirs.__module__ = module
    signal.signal(signal.SIGINT, theirs)
    interrupts.enter()
    run = cells.begin(1)
    start(cells)
    signal.raise_signal(signal.SIGINT)
    assert seen == [signal.SIGINT]
    assert run.cancel is not None
    interrupts.sessions = (Engine(waits={threading.get_ident(): time.monotonic()}),)
    if module == "mine":
        signal.raise_signal(signal.SIGINT)
        assert seen == [signal.SIGINT, signal.SIGINT]
    else:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)


PLAIN = """
import os, signal, threading, time, traceback
from rucat_jupyter.client.cells.operations import Cells
from rucat_jupyter.client.cells.interrupts import Interrupts
interrupts = Interrupts(Cells())
interrupts.enter()
caught = []
for number in range(4):
    if number % 2 == 0:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        time.sleep(0.5)
    except KeyboardInterrupt as error:
        caught.append((number, [frame.name for frame in traceback.extract_tb(error.__traceback__)]))
interrupts.leave()
print(caught, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_one_ctrl_c_is_one_for_code_that_catches_it_and_goes_on() -> None:
    """Each is seen once, and no line of Rucat is in its traceback."""
    done = subprocess.run([sys.executable, "-c", PLAIN], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[(0, ['<module>']), (2, ['<module>'])] True\n", "")


def test_an_interrupted_cell_ends_with_one_line(cells: Cells) -> None:
    """It says whether the engine has answered."""
    cancel = ctrl_c.Cancel(cells.begin(1))
    cancel.answered.set()
    error = Interrupted(["etl"], 14.2, cancel)
    assert error._render_traceback_() == ["Cancelled on etl after 14 s."]
    cancel.silent.add("my etl")
    assert error._render_traceback_() == [
        "Interrupted after 14 s. my etl does not answer, so its operations "
        "may keep running. Check: %rucat status 'my etl'"
    ]
    assert str(Interrupted(["etl"], 3)) == "Interrupted on etl after 3 s."


class Sent:
    """A kernel's publisher and its messages."""

    pub_socket, topic = "socket", b"topic"

    def __init__(self) -> None:
        self.session = self
        self.kinds: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def send(self, socket: str, kind: str, content: dict[str, Any], *, parent: Any, ident: bytes) -> None:
        assert content["data"] == {}
        self.kinds.put((kind, parent))


def test_a_kernel_is_in_use_while_a_cells_query_runs(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that a server counts and a page ignores, without bars too; none when nothing runs."""
    publisher = Sent()
    monkeypatch.setattr(bars, "get_shell", lambda: SimpleNamespace(kernel=object(), display_pub=publisher))
    monkeypatch.setattr(bars, "ALIVE_S", 0.0)
    monkeypatch.setenv("RUCAT_PROGRESS", "off")
    cells.on_first = Progress().follow
    run = cells.begin(1, parent={"msg_id": "m"})
    operation = start(cells)
    assert operation is not None
    for _ in range(2):
        assert publisher.kinds.get(timeout=30) == ("update_display_data", {"msg_id": "m"})
    run.end(operation, "done")
    cells.end()
    time.sleep(0.6)  # longer than two ticks
    while not publisher.kinds.empty():
        publisher.kinds.get()
    time.sleep(0.6)
    assert publisher.kinds.empty()


def test_a_terminal_gets_no_sign_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no server that would end it; nor while ``%%capture`` takes what is shown."""
    monkeypatch.setattr(bars, "ALIVE_S", 0.0)
    for shell in (None, SimpleNamespace(display_pub=Sent()), SimpleNamespace(kernel=object(), display_pub=object())):
        monkeypatch.setattr(bars, "get_shell", lambda shell=shell: shell)
        bars.Alive().beat(None)
        if isinstance(getattr(shell, "display_pub", None), Sent):
            assert shell.display_pub.kinds.empty()

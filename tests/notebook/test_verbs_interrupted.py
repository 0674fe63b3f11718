"""Ctrl-C at any moment of any verb: the cell ends within a second in one line, and all is as REST says."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from support.notebook import Cell, Kernel
from support.place import Place

from .conftest import ENGINE

pytestmark = pytest.mark.engine

LIMIT_S = 1.0
BUSY_S = 1.0  # what a busy machine adds to a message to a kernel and back
MOMENTS = 20
LOOKS = ("list", f"status {ENGINE}", f"history {ENGINE}", f"logs {ENGINE}", f"logs {ENGINE} --follow")


@pytest.mark.all
def test_no_interrupt_of_a_waiting_cell_is_lost(notebook: Callable[..., Kernel]) -> None:
    """Forty times in a system call: it ends immediately each time, not when the call returns."""
    mine = notebook("waiting")
    mine.run("import select")
    for _ in range(2 * MOMENTS):
        cell = interrupted(mine, "select.select([], [], [], 5)", 0.07)
        assert "KeyboardInterrupt" in cell.error
        assert cell.seconds < LIMIT_S + BUSY_S


@pytest.mark.all
@pytest.mark.slow
def test_verbs_that_look_end_in_a_second(engine: str, notebook: Callable[..., Kernel]) -> None:
    """At random moments; the same verb works right after."""
    mine = notebook("looking")
    mine.run("%rucat list")
    rng = random.Random(1)
    for _ in range(2):
        for look in LOOKS:
            many = f"for _ in range(100):\n    %rucat {look}"
            cell = interrupted(mine, many if "--follow" not in look else f"%rucat {look}", rng.uniform(0.02, 0.8))
            assert_brief(cell, look)
    assert f"● {ENGINE}" in mine.run("%rucat list").text


@pytest.mark.slow
def test_create_stops_waiting_in_a_second_and_continues(
    place: Place, notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """From the first moment to the last: no variable is half bound, no second engine appears, create goes on."""
    mine = notebook("creating")
    mine.run("%rucat list")
    rng = random.Random(2)
    moments = [rng.uniform(0.01, 0.5) for _ in range(8)] + [rng.uniform(0.5, 6) for _ in range(4)]
    assert len(moments) >= 12
    for moment in moments:
        cell = interrupted(mine, "%rucat create often", moment)
        assert_brief(cell, "create", f"after {moment:.2f} s")
        bound = mine.run("print(type(globals().get('spark')).__name__, 'spark' in globals())").stdout
        assert bound in ("NoneType False\n", "SparkSession True\n")
        if "True" in bound:
            assert mine.run("print(spark.range(2).count())").stdout == "2\n"
            mine.run("%rucat detach")
        assert len([e for e in rest("GET", "engines")["engines"] if e["name"] == "often"]) <= 1
    mine.run("%rucat create often")
    assert mine.run("print(spark.range(2).count())").stdout == "2\n"
    mine.run("%rucat delete often --yes")
    listed = mine.run("%rucat list")  # what is now shown in place of the cards of create is no part of it
    own = [listed.stdout, *(text for text in listed.shown.values() if text not in listed.updates)]
    assert "often" not in "\n".join(own)
    assert "often" not in [e["name"] for e in rest("GET", "engines")["engines"]]


@pytest.mark.all
@pytest.mark.slow
def test_verbs_that_act_end_in_a_second_and_what_was_asked_happens(
    notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """Stop, restart, attach, delete: requested or not, never half; the next verb sees the current state."""
    mine = notebook("acting")
    mine.run("%rucat create acted")
    rng = random.Random(3)
    for _ in range(3):
        for verb in ("attach acted", "restart acted", "stop acted", "create acted"):
            cell = interrupted(mine, f"%rucat {verb}", rng.uniform(0.01, 1.5))
            assert_brief(cell, verb)
            said = mine.run("%rucat status acted").text
            assert "acted" in said
    mine.run("%rucat create acted")
    assert mine.run("print(spark.range(2).count())").stdout == "2\n"
    cell = interrupted(mine, "%rucat delete acted --yes", 0.1)
    assert_brief(cell, "delete")
    mine.run("%rucat delete acted --yes", may_fail=True)
    assert "acted" not in [e["name"] for e in rest("GET", "engines")["engines"]]
    assert (
        mine.run("print('spark' in globals())").stdout == "False\n"
        or "deleted" in mine.run("spark.range(2).count()", may_fail=True).error
    )


LOST = """
import signal, time, weakref
from rucat_jupyter.notebook.verbs import RUNS

class Thing: pass

def run(context, asked):
    thing = Thing()
    watched = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # as a signal that comes while a module is imported: what a callback raises goes nowhere
    time.sleep(20)

RUNS["list"] = run
"""


@pytest.mark.all
def test_an_interrupt_that_a_callback_swallows_is_not_lost(notebook: Callable[..., Kernel]) -> None:
    """A first verb loads libraries with callbacks: an interrupt that one swallows is raised again afterwards."""
    mine = notebook("lost")
    mine.run(LOST)
    began = time.monotonic()
    cell = mine.run("%rucat list", may_fail=True)
    assert time.monotonic() - began < 10
    assert "interrupted: list" in cell.error
    assert mine.run("import sys; print(sys.unraisablehook is sys.__unraisablehook__)").stdout == "True\n"


WHILE_LOADING = """
import signal, sys, threading

class AtEnd:
    def find_spec(self, name, *_):
        if name == "pandas._testing":
            sys.meta_path.remove(self)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

assert "pandas" not in sys.modules
sys.meta_path.insert(0, AtEnd())
"""


@pytest.mark.all
def test_an_interrupt_leaves_no_library_half_loaded(engine: str, notebook: Callable[..., Kernel]) -> None:
    """One as pandas cannot be imported again where its import was ended, and pyspark imports it."""
    mine = notebook("loading")
    mine.run(WHILE_LOADING)
    cell = mine.run(f"%rucat attach {ENGINE}", may_fail=True)
    assert f"interrupted: attach {ENGINE}" in cell.error
    assert mine.run("print('spark' in globals())").stdout == "False\n"
    mine.run(f"%rucat attach {ENGINE}")
    assert mine.run("print(spark.range(2).toPandas().id.tolist())").stdout == "[0, 1]\n"


@pytest.mark.all
def test_tab_can_be_interrupted(engine: str, notebook: Callable[..., Kernel]) -> None:
    """An interrupt while Tab waits harms nothing: the next Tab and the next cell work."""
    mine = notebook("tab")
    for delay in (0.0, 0.02, 0.1):
        timer = threading.Timer(delay, mine.interrupt)
        timer.start()
        with suppress(TimeoutError):  # ipykernel answers no request that is interrupted before its handler begins
            mine.complete("%rucat create --conf spark.sql.", timeout_s=3)
        timer.join()
        mine.run("pass", may_fail=True)  # takes an interrupt that came after a quick answer
        assert mine.run("print(1)").stdout == "1\n"
        assert mine.complete("%rucat create --conf spark.sql.")["matches"]


def interrupted(mine: Kernel, code: str, after_s: float) -> Cell:
    """Run a cell, interrupt it so many seconds after it began; its ``seconds`` are those from there to its end."""
    end = mine.run_aside(f"print('begun', flush=True)\n{code}", begins_with="stream")
    time.sleep(after_s)
    begun = time.monotonic()
    mine.interrupt()
    cell = end()
    cell.seconds = time.monotonic() - begun
    mine.run("pass", may_fail=True)  # takes an interrupt that came after the cell's end
    return cell


def assert_brief(cell: Cell, verb: str, when: str = "") -> None:
    """One line of Rucat, without a traceback, in time."""
    said = f"{verb} {when}: {cell.error or cell.stderr}"
    assert "Traceback" not in cell.error + cell.stderr, said
    assert "rucat_jupyter/" not in cell.error, said
    assert len(cell.error.splitlines()) <= 1, said
    if cell.error:
        assert cell.seconds < LIMIT_S + BUSY_S, f"{said} ({cell.seconds:.2f} s)"

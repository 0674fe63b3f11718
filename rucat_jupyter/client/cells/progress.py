"""One progress bar under each cell that waits for engines for more than a second; a thread updates it.

Switch it off with ``RUCAT_PROGRESS=off`` in the environment, ``%config RucatMagics.progress = False``, or
``rucat_jupyter.progress = False``; this is checked whenever a bar would appear.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from types import ModuleType

from .bars import Alive, Surface, surface
from .interrupts import cancel_cell
from .operations import DONE, WAS_CANCELLED, CellRun
from .totals import Gauge, Picture

SWITCH = "RUCAT_PROGRESS"
OFF = ("0", "off", "no", "false")
APPEARS_S = 1.0
TICK_S = 0.25
PAUSED_S = 0.5  # a cell that has no operations for this long is shown as done for now


def is_on() -> bool:
    """Whether bars are switched on."""
    return bool(getattr(_package(), "progress", True)) and os.environ.get(SWITCH, "").strip().lower() not in OFF


def switch(*, on: bool) -> None:
    """Set ``rucat_jupyter.progress``."""
    vars(_package())["progress"] = on


def _package() -> ModuleType:
    """The package itself; an import statement would count as one of the server extension, which it refers to."""
    return sys.modules[__name__.partition(".")[0]]


class Bar:
    """The bar of one cell: appears, is updated, and leaves its final state."""

    def __init__(self, run: CellRun) -> None:
        self._run = run
        self._gauge = Gauge()
        self._surface: Surface | None = None
        self._lock = threading.Lock()
        self.is_over = False

    def tick(self) -> None:
        """Update the bar; ends it after its cell, when the operations of the cell's threads have ended."""
        self._run.drop_dead()
        with self._lock:
            if self.is_over:
                return
            if self._surface is None and not self._appear():
                self.is_over = self._run.is_over and not self._run.open
                return
            if self._run.is_over and not self._run.open:
                self._end()
            elif self._surface is not None:
                self._surface.show(self._picture(is_paused=self._run.idle_s() > PAUSED_S))

    def close(self) -> None:
        """End the bar with its cell, before the next cell begins, unless threads still run operations."""
        if not self._run.open:
            with self._lock:
                if not self.is_over:
                    self._end()

    def pause(self) -> None:
        """Make room for the output of the cell."""
        if self._surface is not None:
            self._surface.pause()

    def _appear(self) -> bool:
        run = self._run
        if run.is_over or not run.open or run.elapsed_s() < APPEARS_S or not is_on():
            return False
        self._surface = surface(run.parent, lambda: cancel_cell(run))
        return self._surface is not None

    def _end(self) -> None:
        self.is_over = True
        if self._surface is not None:
            self._surface.end(self._picture(is_paused=True))

    def _picture(self, *, is_paused: bool) -> Picture:
        run = self._run
        totals = run.totals()
        fraction = self._gauge.update(totals.tasks_done, totals.tasks)
        outcome = (WAS_CANCELLED if run.cancel is not None else run.outcome or DONE) if is_paused else ""
        return Picture(totals, fraction, run.queries(), run.elapsed_s(), outcome)


class Progress:
    """The bars of this process and the thread that updates them."""

    def __init__(self) -> None:
        self._bars: dict[CellRun, Bar] = {}
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._has_started = False

    def follow(self, run: CellRun) -> None:
        """Add a bar for a cell that has begun its first operation."""
        bar = self._bars[run] = Bar(run)
        run.on_pause = bar.pause
        with self._lock:
            if not self._has_started:
                self._has_started = True
                threading.Thread(target=self._run, name="rucat-progress", daemon=True).start()
        self._work.set()

    def close(self, run: CellRun) -> None:
        """End the bar of a cell that has ended."""
        if (bar := self._bars.get(run)) is not None:
            bar.close()

    def _run(self) -> None:
        alive = Alive()
        while self._work.wait():
            time.sleep(TICK_S)
            for run, bar in list(self._bars.items()):
                bar.tick()
                if run.open:
                    alive.beat(run.parent)
                if bar.is_over:
                    del self._bars[run]
            if not self._bars:
                self._work.clear()
                if self._bars:  # one was added in between
                    self._work.set()

"""Tells the cells of IPython when they begin and end; the one place that joins cells, interrupts and progress."""

from __future__ import annotations

import threading
from typing import Any

from .cells import CellRun, cells
from .identity import get_shell
from .interrupts import Canceller, Interrupts
from .progress import Progress

canceller = Canceller()
interrupts = Interrupts(cells, canceller)
progress = Progress(canceller)


def install(shell: Any = None) -> None:
    """Follow the cells of the running IPython, from the present one on; nothing happens where there is none."""
    shell = shell if shell is not None else get_shell()
    if shell is None or shell in _followed:
        return
    _followed.append(shell)
    cells.on_first, cells.on_start = progress.follow, interrupts.enter_again
    canceller.start()
    shell.events.register("pre_run_cell", _begins)
    shell.events.register("post_run_cell", _ends)
    _begin(shell)


def remove(shell: Any) -> None:
    """Follow its cells no more; the one that asks for this ends here."""
    if shell not in _followed:
        return
    _followed.remove(shell)
    shell.events.unregister("pre_run_cell", _begins)
    shell.events.unregister("post_run_cell", _ends)
    _depth.pop(threading.get_ident(), None)
    _ends()


def _begins(info: Any = None) -> None:
    """A cell begins; one inside another (``get_ipython().run_cell``) is a part of it."""
    here = threading.get_ident()
    if here in _depth and _depth[here][0] == get_shell().execution_count:
        _depth[here][1] += 1
        return
    _begin(get_shell())
    _depth[here] = [get_shell().execution_count, 1]


def _ends(result: Any = None) -> None:
    here = threading.get_ident()
    if here in _depth:
        _depth[here][1] -= 1
        if _depth[here][1] > 0:
            return
        del _depth[here]
    interrupts.leave()
    run = cells.end()
    if run is not None:
        progress.close(run)


def _begin(shell: Any) -> CellRun:
    interrupts.enter()
    return cells.begin(shell.execution_count, getattr(shell.display_pub, "parent_header", None))


_followed: list[Any] = []
_depth: dict[int, list[int]] = {}  # thread -> [execution count, cells in each other]; none before the first is seen

"""Follows the cells of IPython; the only module that connects cells, interrupts and progress."""

from __future__ import annotations

import threading
from typing import Any

from ..identity import get_shell
from .interrupts import Interrupts
from .operations import cells
from .progress import Progress

interrupts = Interrupts(cells)
progress = Progress()


def install(shell: Any = None) -> None:
    """Follow the cells of the running IPython, from the current one on; without IPython do nothing."""
    shell = shell if shell is not None else get_shell()
    if shell is None or shell in _followed:
        return
    _followed.append(shell)
    cells.on_first = progress.follow
    shell.events.register("pre_run_cell", _begins)
    shell.events.register("post_run_cell", _ends)
    _begin(shell, len(shell.history_manager.input_hist_parsed) - 1)  # the current cell is in the history already


def remove(shell: Any) -> None:
    """Stop following the cells of this IPython; the current one counts as ended."""
    if shell not in _followed:
        return
    _followed.remove(shell)
    shell.events.unregister("pre_run_cell", _begins)
    shell.events.unregister("post_run_cell", _ends)
    _depth.pop(threading.get_ident(), None)
    _ends()


def _begins(info: Any = None) -> None:
    """Note that a cell begins; one inside another (``get_ipython().run_cell``) is a part of it."""
    del info
    shell, here = get_shell(), threading.get_ident()
    run = cells.of_thread()
    if run is not None and _depth.get(here) and run.parent == _parent(shell):
        _depth[here] += 1
        return
    _begin(shell, len(shell.history_manager.input_hist_parsed))
    _depth[here] = 1


def _ends(result: Any = None) -> None:
    del result
    here = threading.get_ident()
    _depth[here] = _depth.get(here, 1) - 1
    if _depth[here] > 0:
        return
    del _depth[here]
    interrupts.leave()
    run = cells.end()
    if run is not None:
        progress.close(run)


def _begin(shell: Any, number: int) -> None:
    """``number`` is the prompt's; releases of IPython differ in whether they count before or after a cell begins."""
    interrupts.enter()
    count = shell.execution_count
    cells.begin(number if number in (count, count - 1) else count, _parent(shell))


def _parent(shell: Any) -> Any:
    """The header of the request that runs the cell; None in a terminal."""
    return getattr(shell.display_pub, "parent_header", None)


_followed: list[Any] = []
_depth: dict[int, int] = {}  # thread -> cells in each other

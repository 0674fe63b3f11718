"""Which cell a thread belongs to: the one that started it, or, for a worker of a pool, the one that gives it work.

Threads are inspected only when cells begin and end, so nothing of Python is patched. A thread that another thread
started while a later cell ran counts as one of that cell.
"""

from __future__ import annotations

import sys
import threading
import weakref
from typing import Generic, TypeVar

Cell = TypeVar("Cell")
UNOWNED = ("subshell-", "rucat-")
"""Threads that answer clicks in the page, and those of Rucat."""
WAITING = {
    "concurrent.futures.thread",
    "ipykernel.ipkernel",
    "multiprocessing.pool",
    "queue",
    "threading",
}
"""A pool's worker that has nothing to do has only code of these modules on its stack."""


class Owners(Generic[Cell]):
    """Who owns the threads of this process."""

    def __init__(self) -> None:
        self._cells: weakref.WeakKeyDictionary[threading.Thread, Cell | None] = weakref.WeakKeyDictionary()

    def __bool__(self) -> bool:
        return bool(self._cells)

    def settle(self, cell: Cell | None) -> None:
        """Assign the threads that started since the last call to a cell; idle workers belong to none."""
        threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
        frames = sys._current_frames() if threads else {}
        for thread in threads:
            if thread is threading.current_thread() or thread.name.startswith(UNOWNED):
                continue
            if _is_waiting(frames.get(thread.ident or 0)):
                self._cells.pop(thread, None)
            elif thread not in self._cells:
                self._cells[thread] = cell

    def owner(self, current: Cell | None) -> Cell | None:
        """The owner of this thread; one that started since the cells last changed belongs to the current one."""
        thread = threading.current_thread()
        if thread is threading.main_thread() or thread.name.startswith(UNOWNED):
            return None
        return self._cells.get(thread, current)


def _is_waiting(frame: object) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") not in WAITING:  # type: ignore[attr-defined]
            return False
        frame = frame.f_back  # type: ignore[attr-defined]
    return True

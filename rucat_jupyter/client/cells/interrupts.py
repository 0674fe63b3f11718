"""Ctrl-C and Stop while a cell runs: cancel on the engines what the cell has started (docs/interrupts.md).

A signal can arrive at any moment in the main thread, so its handler takes only reentrant locks (Python's lock for
starting threads is one, since 3.10). It starts a thread for the work and raises. That thread interrupts the operations
on their engines, gives up engines that do not answer, and makes the gateway end jobs that begin later.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from .operations import Cancel, CellRun, Cells, Interrupted, Operation, Session

IGNORED_S = 2.0  # after a Ctrl-C that cancels, another one would only interrupt the cell's last line
CALL_S = 0.8  # one call to an engine
AGAIN_S = 0.3  # between calls, for operations that were being sent during the first one
OVER_S = 1.2  # all calls to one engine
SWEEP_S = 2.0  # one call to the gateway, and all of them together
END_S = 1.0  # after the calls, for threads that wait to end by themselves

Handler = Callable[[int, "FrameType | None"], Any]


def cancel_cell(run: CellRun) -> Cancel:
    """Cancel the operations of a cell; does not wait for it."""
    cancel = run.cancel = Cancel(run)
    _start(_cancel, cancel)
    return cancel


class Interrupts:
    """The handler of SIGINT while a cell runs; a signal that does not concern engines goes to the previous handler.

    Python calls a handler by looking up ``__call__`` in its class. This look-up makes the decision, and its value is
    the previous handler: so the traceback of a plain Ctrl-C ends in the user's cell. A method would be its last line
    (IPython shows the last line even if it is marked as hidden).
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._before: Handler = signal.default_int_handler
        self._ignores_until = 0.0
        self.sessions: tuple[Session, ...] = ()

    def enter(self) -> None:
        """Install the handler: a cell begins. Signals reach only the main thread."""
        if threading.current_thread() is threading.main_thread():
            self._ignores_until = 0.0
            there = signal.getsignal(signal.SIGINT)
            if there is not self and callable(there):
                self._before = there
                signal.signal(signal.SIGINT, self)

    def leave(self) -> None:
        """Restore the previous handler: the cell has ended. A handler that the user has set since then stays."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is self and not self._ignores:
            signal.signal(signal.SIGINT, self._before)

    @property
    def __call__(self) -> Handler:
        """What Ctrl-C does now: cancel and raise, or call the previous handler."""
        if self._ignores:
            return _ignore
        run, here = self._cells.current, threading.get_ident()
        waiting = [session for session in self.sessions if here in session.waits]
        if run is not None and run.open:
            self._ignores_until = time.monotonic() + IGNORED_S
            elapsed_s = run.elapsed_s()
            cancel = cancel_cell(run)
            error = Interrupted(sorted({operation.engine for operation in cancel.operations}), elapsed_s, cancel)
        elif waiting:
            error = Interrupted([str(waiting[0].view["name"])], time.monotonic() - waiting[0].waits[here])
        else:
            return self._before
        if self._before is signal.default_int_handler or (waiting and _is_kernels(self._before)):
            raise error
        return self._before

    @property
    def _ignores(self) -> bool:
        return time.monotonic() < self._ignores_until


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing."""


def _cancel(cancel: Cancel) -> None:
    """Interrupt on every engine at the same time, then cut what still waits."""
    sessions: dict[tuple[int, str], list[Operation]] = {}
    for operation in cancel.operations:
        operation.is_cancelled = True
        sessions.setdefault((id(operation.session), operation.request.session_id), []).append(operation)
    answered = [threading.Event() for _ in sessions]
    threads = [_start(_interrupt, cancel, *each) for each in zip(sessions.values(), answered, strict=True)]
    for event in answered:
        event.wait()
    cancel.answered.set()
    for thread in threads:
        thread.join()
    end = time.monotonic() + (0.0 if cancel.silent else END_S)
    while (left := [o for o in cancel.operations if o.id in o.run.open]) and time.monotonic() < end:
        time.sleep(0.05)
    for operation in left:
        operation.cut()


def _interrupt(cancel: Cancel, operations: list[Operation], answered: threading.Event) -> None:
    """Interrupt on one engine: all by tag, then by id those that were still being sent."""
    import grpc  # noqa: PLC0415 - heavy, and loaded already where there are operations

    session = operations[0].session
    end = time.monotonic() + OVER_S
    try:
        found = set() if session.is_cut else set(session.interrupt(operations[0].request, CALL_S, tag=cancel.run.tag))
        answered.set()
        _start(_end_jobs, operations)
        while missing := [o for o in operations if o.id not in found and not o.is_complete and not session.is_cut]:
            if time.monotonic() + AGAIN_S > end:
                return
            time.sleep(AGAIN_S)
            for operation in missing:
                found.update(session.interrupt(operation.request, CALL_S, operation_id=operation.id))
    except grpc.RpcError:
        if not session.is_cut:
            cancel.silent.add(operations[0].engine)
    finally:
        answered.set()


def _end_jobs(operations: list[Operation]) -> None:
    """Make the gateway end jobs that these operations may still start; the cell does not wait for it."""
    end = time.monotonic() + SWEEP_S
    for operation in operations:
        if (left_s := end - time.monotonic()) > 0 and not operation.session.is_cut:
            operation.session.end_jobs(operation.request, left_s)


def _start(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, name="rucat-cancel", daemon=True)
    thread.start()
    return thread


def _is_kernels(handler: Any) -> bool:
    """Whether it is the handler of a cell with ``await``, which does nothing while a call blocks the loop."""
    return str(getattr(getattr(handler, "func", handler), "__module__", "")).startswith(("ipykernel", "asyncio"))

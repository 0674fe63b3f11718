"""Ctrl-C and Stop while a cell runs: cancel on the engines what the cell has started (docs/interrupts.md).

A signal comes at any moment in the main thread, so its handler takes reentrant locks only (Python's lock for starting
threads is one, since 3.10). It hands the work to a thread and raises. That thread interrupts the operations on their
engines, lets go of engines that do not answer, and has the gateway end jobs that begin later.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from .operations import Cancel, CellRun, Cells, Interrupted, Operation, Session

IGNORED_S = 2.0  # after a Ctrl-C that cancels, a further one would only spoil the cell's last line
TELL_S = 0.8  # one call to an engine
AGAIN_S = 0.3  # between calls, for operations that were on their way when the first one came
OVER_S = 1.2  # all calls to one engine
SWEEP_S = 2.0  # one call to the gateway, and all of them together
END_S = 1.0  # after the calls, for what waits in threads to end by itself

Handler = Callable[[int, "FrameType | None"], Any]


def cancel_cell(run: CellRun) -> Cancel:
    """Cancel what a cell has on engines; does not wait for it."""
    cancel = run.cancel = Cancel(run)
    _start(_cancel, cancel)
    return cancel


class Interrupts:
    """The handler of SIGINT while a cell runs; what does not concern engines goes to the handler before it.

    Python calls a handler by looking up ``__call__`` in its class. That look-up decides here, and its value is the
    handler before this one: so the trace of a plain Ctrl-C ends in the user's cell. A method would be its last line
    (IPython shows the last one even where it is marked as hidden).
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._before: Handler = signal.default_int_handler
        self._ignores_until = 0.0
        self.sessions: tuple[Session, ...] = ()

    def enter(self) -> None:
        """A cell begins; signals reach the main thread alone."""
        if threading.current_thread() is threading.main_thread():
            self._ignores_until = 0.0
            there = signal.getsignal(signal.SIGINT)
            if there is not self and callable(there):
                self._before = there
                signal.signal(signal.SIGINT, self)

    def leave(self) -> None:
        """The cell has ended; what the user has put there meanwhile stays, and so does this while it ignores."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is self and not self._ignores:
            signal.signal(signal.SIGINT, self._before)

    @property
    def __call__(self) -> Handler:
        """What Ctrl-C does now: cancel and raise, or the handler before this one."""
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
    """Interrupt on every engine at the same time, then let go of what still waits."""
    sessions: dict[tuple[int, str], list[Operation]] = {}
    for operation in cancel.operations:
        operation.is_cancelled = True
        sessions.setdefault((id(operation.session), operation.request.session_id), []).append(operation)
    heard = [threading.Event() for _ in sessions]
    tellers = [_start(_tell, cancel, *each) for each in zip(sessions.values(), heard, strict=True)]
    for event in heard:
        event.wait()
    cancel.heard.set()
    for teller in tellers:
        teller.join()
    end = time.monotonic() + (0.0 if cancel.unheard else END_S)
    while (left := [o for o in cancel.operations if o.id in o.run.open]) and time.monotonic() < end:
        time.sleep(0.05)
    for operation in left:
        operation.cut()


def _tell(cancel: Cancel, operations: list[Operation], heard: threading.Event) -> None:
    """Interrupt on one engine: all by tag, then by id what was still on its way (its cell may have begun others)."""
    import grpc

    session = operations[0].session
    end = time.monotonic() + OVER_S
    try:
        found = set() if session.is_cut else set(session.interrupt(operations[0].request, TELL_S, tag=cancel.run.tag))
        heard.set()
        _start(_end_jobs, operations)
        while missing := [o for o in operations if o.id not in found and not o.is_complete and not session.is_cut]:
            if time.monotonic() + AGAIN_S > end:
                return
            time.sleep(AGAIN_S)
            for operation in missing:
                found.update(session.interrupt(operation.request, TELL_S, operation_id=operation.id))
    except grpc.RpcError:
        if not session.is_cut:
            cancel.unheard.add(operations[0].engine)
    finally:
        heard.set()


def _end_jobs(operations: list[Operation]) -> None:
    """Have the gateway end jobs that these operations may yet begin; the cell does not wait for it."""
    end = time.monotonic() + SWEEP_S
    for operation in operations:
        if (left_s := end - time.monotonic()) > 0 and not operation.session.is_cut:
            operation.session.end_jobs(operation.request, left_s)


def _start(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, name="rucat-cancel", daemon=True)
    thread.start()
    return thread


def _is_kernels(handler: Any) -> bool:
    """Whether it is the handler of a cell with ``await``, which ends nothing as long as a call holds the loop."""
    return str(getattr(getattr(handler, "func", handler), "__module__", "")).startswith(("ipykernel", "asyncio"))

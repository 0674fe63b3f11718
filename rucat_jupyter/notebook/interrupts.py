"""Ctrl-C and the Stop button while a cell waits for engines: what the cell started there is cancelled.

The signal comes at any moment in the main thread, so its handler takes no lock and calls nobody: it hands the work
to a thread and raises. That thread tells the engines, and lets go of those that do not answer. Then it has the gateway
end the jobs that begin nevertheless.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Protocol

from .cancelled import Interrupted
from .cells import Cancel, CellRun, Cells, Operation, Session

TELL_S = 0.8  # one call to an engine
AGAIN_S = 0.3  # between calls, for operations that were on their way when the first one came
OVER_S = 1.2  # engines have this long to hear of it
SWEEP_S = 2.0  # one call to the gateway, and all of them together
REPEATS_S = (0.4, 0.4)  # pauses after a signal that may not have been seen; on a busy machine it takes that long
END_S = 1.0  # and then this long to end what waits for them in threads

Handler = Callable[[int, "FrameType | None"], Any]


class Waiting(Protocol):
    """A session whose calls are known."""

    waits: dict[int, float]
    """Threads that wait for the engine, and since when."""

    @property
    def view(self) -> dict[str, Any]:
        """The engine as it was last seen."""
        ...


class Canceller:
    """Cancels on engines what cells have started, one thread a time of asking."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[Cancel | _Passed] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._has_started = False

    def start(self) -> None:
        """Be ready: a signal's handler must not start threads."""
        with self._lock:
            if not self._has_started:
                self._has_started = True
                threading.Thread(target=self._run, name="rucat-cancel", daemon=True).start()

    def ask(self, run: CellRun) -> Cancel:
        """Have what a cell has on engines cancelled; returns at once, and takes no lock."""
        cancel = run.cancel = Cancel(run)
        self._asked.put(cancel)
        return cancel

    def repeat_signal(self, passed: _Passed) -> None:
        """Have SIGINT sent to the main thread once more, when its handler has returned, until it is seen."""
        self._asked.put(passed)

    def _run(self) -> None:
        while True:
            cancel = self._asked.get()
            if isinstance(cancel, _Passed):
                _interrupt_main(cancel)
                continue
            threading.Thread(target=_cancel, args=(cancel,), name="rucat-cancel-cell", daemon=True).start()


class Interrupts:
    """The handler of SIGINT while a cell runs; everything that is none of its business goes to the one before it."""

    def __init__(self, cells: Cells, canceller: Canceller) -> None:
        self._cells, self._canceller = cells, canceller
        self._before: Any = None
        self._last: Cancel | None = None
        self._has_passed = False
        self._handler: Handler = self._on_signal
        self.sessions: tuple[Waiting, ...] = ()

    def enter(self) -> None:
        """A cell begins; signals reach the main thread alone."""
        self._has_passed = False
        if threading.current_thread() is threading.main_thread():
            there = signal.getsignal(signal.SIGINT)
            if there is not self._handler:
                self._before = signal.default_int_handler if isinstance(there, _Passed) else there
                signal.signal(signal.SIGINT, self._handler)

    def enter_again(self) -> None:
        """An operation begins: be there again after a plain Ctrl-C in the cell; one not seen yet ends it here."""
        if not self._has_passed:
            return
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and isinstance(signal.getsignal(signal.SIGINT), _Passed):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt
        self.enter()

    def leave(self) -> None:
        """The cell has ended; what the user has put there meanwhile stays, and so does this while it cancels."""
        if threading.current_thread() is not threading.main_thread():
            return
        there = signal.getsignal(signal.SIGINT)
        if isinstance(there, _Passed):
            signal.signal(signal.SIGINT, signal.default_int_handler)
        elif there is self._handler and not self._is_cancelling and self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @property
    def _is_cancelling(self) -> bool:
        return self._last is not None and not self._last.over.is_set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_cancelling:
            return None  # a second Ctrl-C while the first has its way: two seconds at most
        run = self._cells.current
        if run is None:
            return self._pass_on(number, frame)
        here = threading.get_ident()
        waiting = [session for session in self.sessions if here in session.waits]
        if run.open:
            elapsed_s = run.elapsed_without_lock()
            cancel = self._last = self._canceller.ask(run)
            error = Interrupted(_engines(cancel.operations), elapsed_s, cancel)
        elif waiting:
            since = waiting[0].waits.get(here, time.monotonic())
            error = Interrupted([str(waiting[0].view["name"])], time.monotonic() - since)
        else:
            return self._pass_on(number, frame)
        if self._before is signal.default_int_handler or (waiting and _is_kernels(self._before)):
            raise error
        return self._pass_on(number, frame)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Leave it to the handler before this one; Python's own is called anew, so that no trace shows this one."""
        if self._before is signal.default_int_handler:
            self._has_passed = True
            passed = _Passed()
            signal.signal(signal.SIGINT, passed)
            self._canceller.repeat_signal(passed)
        elif callable(self._before):
            self._before(number, frame)
        elif self._before == signal.SIG_DFL:
            signal.default_int_handler(number, frame)


class _Passed:
    """Python's own handler of SIGINT, which takes this one's place when it is called: so that can be seen.

    It does so in the look-up of ``__call__``: what was called itself would be a line of the trace that the user sees.
    """

    @property
    def __call__(self) -> Handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return signal.default_int_handler


def _interrupt_main(passed: _Passed) -> None:
    """Send SIGINT to the main thread until it has seen it, or has another handler, since its cell has ended.

    One that comes between the return of the handler before it and the system call that is then taken up again is not
    seen until that call returns, which may take the whole of a long poll.
    """
    main = threading.main_thread().ident or 0
    for pause_s in REPEATS_S:
        if signal.getsignal(signal.SIGINT) is not passed:
            return
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(pause_s)


def _cancel(cancel: Cancel) -> None:
    """Tell every engine at the same time, then let go of what still waits."""
    sessions: dict[tuple[int, str], list[Operation]] = {}
    for operation in cancel.operations:
        operation.is_cancelled = True
        sessions.setdefault((id(operation.session), operation.request.session_id), []).append(operation)
    cancel.expect(len(sessions))
    tellers = [threading.Thread(target=_tell, args=(cancel, found), daemon=True) for found in sessions.values()]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    cancel.over.set()
    end = time.monotonic() + (0.0 if cancel.unheard else END_S)
    while any(_is_open(operation) for operation in cancel.operations) and time.monotonic() < end:
        time.sleep(0.05)
    for operation in cancel.operations:
        if _is_open(operation):
            operation.cut()


def _tell(cancel: Cancel, operations: list[Operation]) -> None:
    """Tell one engine; once more each operation that was still on its way there (its cell may have begun others)."""
    import grpc

    session: Session = operations[0].session
    end = time.monotonic() + OVER_S
    try:
        found = set() if session.is_cut else set(session.interrupt(operations[0].request, TELL_S, tag=cancel.run.tag))
        cancel.heard()
        threading.Thread(target=_end_jobs, args=(operations,), name="rucat-cancel-jobs", daemon=True).start()
        while missing := [o for o in operations if o.id not in found and not o.is_complete and not session.is_cut]:
            if time.monotonic() + AGAIN_S > end:
                return
            time.sleep(AGAIN_S)
            for operation in missing:
                found.update(session.interrupt(operation.request, TELL_S, operation_id=operation.id))
    except grpc.RpcError:
        if not session.is_cut:
            cancel.unheard.add(operations[0].engine)
        cancel.heard()


def _end_jobs(operations: list[Operation]) -> None:
    """Have the gateway end jobs that these operations may yet begin; the cell does not wait for it."""
    end = time.monotonic() + SWEEP_S
    for operation in operations:
        if (left_s := end - time.monotonic()) > 0 and not operation.session.is_cut:
            operation.session.end_jobs(operation.request, left_s)


def _is_kernels(handler: Any) -> bool:
    """Whether it is the handler of a cell with ``await``, which ends nothing as long as a call holds the loop."""
    return str(getattr(getattr(handler, "func", handler), "__module__", "")).startswith(("ipykernel", "asyncio"))


def _is_open(operation: Operation) -> bool:
    return operation.id in operation.run.open


def _engines(operations: Iterable[Operation]) -> list[str]:
    return sorted({operation.engine for operation in operations})

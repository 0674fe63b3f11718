"""Which cell runs, and which operations it has started on engines, itself or in its threads.

Every operation that a cell starts has the cell's tag, ``rucat:cell=<execution count>:<8 hex digits>``, beside the
user's own tags. It is added to the request itself, because pyspark's tags belong to one thread. Outside of IPython
there are no cells, and nothing is tagged.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ...core.errors import RucatError
from ..threads import Owners
from ..words import text
from .totals import Totals

if TYPE_CHECKING:
    import grpc

TAG = "rucat:cell="
CANCELED = "OPERATION_CANCELED"  # Spark's error class of an operation that was interrupted
DONE, FAILED, WAS_CANCELLED = "done", "failed", "cancelled"
ANSWER_S = 1.0  # the last line of an interrupted cell waits this long for the engine to answer


class Session(Protocol):
    """What an operation runs in: a session's guard."""

    waits: dict[int, float]
    """Threads that wait for the engine, and since when."""

    @property
    def view(self) -> dict[str, Any]:
        """The last known state of the engine."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether the engine is known to have ended."""
        ...

    def interrupt(
        self, request: Any, timeout_s: float, *, tag: str | None = None, operation_id: str | None = None
    ) -> list[str]:
        """Interrupt what has the tag, or one operation, in the request's session; returns the ids that were found."""
        ...

    def end_jobs(self, request: Any, timeout_s: float) -> None:
        """End jobs that the request's operation may start after it was interrupted."""
        ...


class Cancel:
    """One cancellation of a cell: its operations, and which engines have answered."""

    def __init__(self, run: CellRun) -> None:
        self.run = run
        self.operations = list(run.open.values())
        self.answered = threading.Event()  # every engine, or its time is over
        self.silent: set[str] = set()  # names of engines that did not answer


class Cancelled(RucatError):
    """An operation was cancelled on its engine: by the bar's button, REST, Spark's UI, or with its cell."""

    code = "cancelled"

    def __init__(self, engines: list[str], elapsed_s: float) -> None:
        super().__init__(cancelled_line(engines, elapsed_s))

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show only the message: IPython's hook for errors that render their own traceback."""
        return [self.message]


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted while engines ran its operations, which are cancelled."""

    def __init__(self, engines: list[str], elapsed_s: float, cancel: Cancel | None = None) -> None:
        super().__init__()
        self.engines, self.elapsed_s, self._cancel = engines, elapsed_s, cancel

    def __str__(self) -> str:
        if self._cancel is None:
            return f"Interrupted on {_names(self.engines)} after {text.duration(self.elapsed_s)}."
        if silent := sorted(self._cancel.silent):
            name = _names(silent)
            return (
                f"Interrupted after {text.duration(self.elapsed_s)}. {name} does not answer, so its operations "
                f"may keep running. Check: %rucat status {text.quoted(silent[0])}"
            )
        return cancelled_line(self.engines, self.elapsed_s)

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show one line, as soon as it is known whether the engines have answered."""
        if self._cancel is not None and threading.current_thread() is threading.main_thread():
            self._cancel.answered.wait(ANSWER_S)
        return [str(self)]


def cancelled_line(engines: list[str], elapsed_s: float) -> str:
    """``Cancelled on etl after 14 s.``"""
    return f"Cancelled on {_names(engines)} after {text.duration(elapsed_s)}."


def _names(engines: list[str]) -> str:
    return " and ".join(text.plain(name) for name in engines) or "the engine"


class Operation:
    """One operation on an engine, from its request to its last answer."""

    __slots__ = (
        "has_broken",
        "id",
        "is_cancelled",
        "is_complete",
        "request",
        "run",
        "session",
        "stages",
        "stream",
        "thread",
    )

    def __init__(self, run: CellRun, request: Any, session: Session) -> None:
        self.run, self.request, self.session = run, request, session
        self.id: str = request.operation_id
        self.thread = threading.current_thread()
        self.stages: Any = ()
        self.stream: Any = None  # where its answers come from; has cut()
        self.is_cancelled = self.has_broken = self.is_complete = False

    @property
    def engine(self) -> str:
        """The engine's name."""
        return str(self.session.view["name"])

    def take(self, answer: Any) -> None:
        """Look at an answer on its way to pyspark."""
        kind = answer.WhichOneof("response_type")
        self.has_broken = False
        if kind == "execution_progress":
            self.stages = answer.execution_progress.stages
        elif kind == "result_complete":
            self.is_complete = True
            self.run.end(self, DONE)

    def broke(self, error: grpc.RpcError) -> None:
        """Look at an error on its way to pyspark; raises Cancelled if it means that."""
        self.has_broken = True
        if self.is_cancelled or CANCELED in str(error.details()):
            elapsed_s = self.run.elapsed_s()
            self.run.end(self, WAS_CANCELLED)
            raise Cancelled([self.engine], elapsed_s) from None

    def interrupted(self) -> None:
        """Note that its thread was interrupted while it waited."""
        self.run.end(self, WAS_CANCELLED)

    def released(self) -> None:
        """Mark it as abandoned: its result iterator was released."""
        self.run.end(self, FAILED if self.has_broken else "")

    def cut(self) -> None:
        """End the wait for its answers."""
        stream = self.stream
        if stream is not None:
            stream.cut()


class CellRun:
    """One run of a cell."""

    def __init__(self, number: int, parent: Any = None) -> None:
        self.number, self.parent = number, parent
        self.tag = f"{TAG}{number}:{secrets.token_hex(4)}"
        self.open: dict[str, Operation] = {}
        self.count = 0
        self.staged = 0  # ended operations that had stages
        self.cancel: Cancel | None = None
        self.is_over = False
        self.outcome = ""  # of the operation that ended last
        self.on_pause: Callable[[], None] | None = None  # called when the last open operation ends
        self._past = Totals()
        self._busy_s, self._changed_at = 0.0, 0.0
        self._lock = threading.RLock()  # a signal's handler takes it, perhaps in the thread that holds it

    def begin(self, operation: Operation) -> None:
        """Register an operation that begins."""
        with self._lock:
            if not self.open:
                self._changed_at = time.monotonic()
            self.open[operation.id] = operation
            self.count += 1

    def end(self, operation: Operation, outcome: str) -> None:
        """Note that an operation ended; the first outcome counts."""
        with self._lock:
            if self.open.pop(operation.id, None) is None:
                return
            operation.stream = None  # it refers to the operation: avoid a cycle
            if operation.stages:
                self._past += Totals.of(operation.stages)
                self.staged += 1
            self.outcome = outcome or self.outcome
            if self.open:
                return
            now = time.monotonic()
            self._busy_s += now - self._changed_at
            self._changed_at = now
        if self.on_pause is not None:
            self.on_pause()

    def elapsed_s(self) -> float:
        """For how many seconds its operations have run."""
        with self._lock:
            return self._busy_s + (time.monotonic() - self._changed_at if self.open else 0.0)

    def idle_s(self) -> float:
        """For how many seconds none of its operations has run."""
        with self._lock:
            return 0.0 if self.open else time.monotonic() - self._changed_at

    def totals(self) -> Totals:
        """The work of all its operations."""
        with self._lock:
            found, operations = self._past, list(self.open.values())
        for operation in operations:
            found += Totals.of(operation.stages)
        return found

    def queries(self) -> int:
        """How many of its operations had stages: the others were very short, or had nothing to do."""
        with self._lock:
            return self.staged + sum(1 for operation in self.open.values() if operation.stages)

    def close(self) -> None:
        """Mark the cell as ended, and what its thread left open as abandoned."""
        self.is_over = True
        here = threading.current_thread()
        for operation in list(self.open.values()):
            if operation.thread is here:
                self.end(operation, "")

    def drop_dead(self) -> None:
        """Forget operations whose thread is gone."""
        for operation in list(self.open.values()):
            if not operation.thread.is_alive():
                operation.released()


class Cells:
    """The cells of this process; there is one instance."""

    def __init__(self) -> None:
        self._now: dict[int, CellRun] = {}  # thread -> the cell that it runs (subshells have threads of their own)
        self._operations: dict[str, Operation] = {}
        self._owners: Owners[CellRun] = Owners()
        self.on_first: Callable[[CellRun], None] = lambda run: None
        """Called when a run starts its first operation."""

    @property
    def current(self) -> CellRun | None:
        """The cell that the main thread runs."""
        return self._now.get(threading.main_thread().ident or 0)

    def begin(self, number: int, parent: Any = None) -> CellRun:
        """Begin a cell in this thread."""
        self._owners.settle(None)
        run = self._now[threading.get_ident()] = CellRun(number, parent)
        return run

    def end(self) -> CellRun | None:
        """End the cell of this thread, and return it."""
        run = self._now.pop(threading.get_ident(), None)
        if run is not None:
            self._owners.settle(run)
            run.close()
        return run

    def of_thread(self) -> CellRun | None:
        """The cell that this thread runs itself."""
        return self._now.get(threading.get_ident())

    def here(self) -> CellRun | None:
        """The cell that this thread runs, or belongs to."""
        run = self._now.get(threading.get_ident())
        if run is None and (self._now or self._owners):
            run = self._owners.owner(self.current)
        return run

    def start(self, request: Any, session: Session) -> Operation | None:
        """Tag and register an operation that is about to be sent; None if it belongs to no cell."""
        if (known := self._operations.get(request.operation_id)) is not None:  # sent again, as it had not arrived
            return known
        run = self.here()
        if run is None:
            return None
        if run.cancel is not None and threading.get_ident() not in self._now:  # only the cell itself may clean up
            raise Cancelled([str(session.view["name"])], run.elapsed_s())
        if run.tag not in request.tags:
            request.tags.append(run.tag)
        operation = self._operations[request.operation_id] = Operation(run, request, session)
        run.begin(operation)
        if run.count == 1:
            self.on_first(run)
        return operation

    def find(self, operation_id: str) -> Operation | None:
        """The operation that a request continues."""
        return self._operations.get(operation_id)

    def release(self, operation_id: str) -> None:
        """Mark an operation as abandoned: its answers were released."""
        operation = self._operations.pop(operation_id, None)
        if operation is not None:
            operation.released()


cells = Cells()

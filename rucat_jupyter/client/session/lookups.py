"""Look-ups: what Tab, ``dir(df)``, ``repr(df)`` and variable views ask an engine, with a deadline.

pyspark asks the engine for a frame's columns, and waits for the answer. That is right for a program, but an engine that
does not answer must not hold a kernel because of a Tab.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ...core.errors import RucatError
from ..identity import get_shell
from ..words import text

TAB_S = 0.6  # for everything that one look-up asks
MOST_OF_AN_ERROR = 60
SHOW_S = 3.0  # for the first answer to what a cell shows
VIEWERS = ("Control", "pydevd")
"""Threads that only look: ipykernel's variable view and the debugger's."""
RUNNERS = ("MainThread", "subshell-")
"""Threads that execute requests of a front end."""


@dataclass
class Look:
    """A look-up of this thread."""

    ends_at: float
    is_patient: bool
    """Whether only the first answer has a deadline: an engine that answers may take its time for what the user's own
    cell shows."""
    has_answered: bool = False
    may_be_a_program: bool = False
    """Whether the code may be a program's own, which waits for its queries: it only keeps out of the history."""

    @property
    def left_s(self) -> float:
        """How many seconds it may still take."""
        return max(self.ends_at - time.monotonic(), 0.0)


_look: ContextVar[Look | None] = ContextVar("rucat_lookup", default=None)


class NoAnswer(RucatError):
    """The engine did not answer a look-up in time."""

    code = "no_answer"

    def _render_traceback_(self, *_: object) -> list[str]:
        return [self.message]


@contextmanager
def lookup(limit_s: float = TAB_S, *, is_patient: bool = False) -> Iterator[None]:
    """Give all calls of this thread to engines, together, this many seconds; one inside another does not extend it."""
    ends_at, outer = time.monotonic() + limit_s, _look.get()
    if outer is not None and is_patient:
        inner = outer
    else:
        inner = Look(ends_at if outer is None or outer.is_patient else min(outer.ends_at, ends_at), is_patient)
    token = _look.set(inner)
    try:
        yield
    finally:
        _look.reset(token)


def current() -> Look | None:
    """The look-up that a call of this thread belongs to; None: the user's own code, which waits as long as it needs."""
    if (look := _look.get()) is not None:
        return look
    name = threading.current_thread().name
    if name.startswith(VIEWERS):
        return Look(time.monotonic() + TAB_S, is_patient=False)
    return _look_of_a_view() if name.startswith(RUNNERS) else None


def _look_of_a_view() -> Look | None:
    """The look-up of code that is not a cell: variable views (VS Code's, an extension's) execute code of their own.

    They keep it out of the history; an engine that answers is waited for as in a cell. Programs do so, too, but views
    also let the cells after it go on (``stop_on_error``), or execute it silently.
    """
    kernel = getattr(get_shell(), "kernel", None)
    request = kernel.get_parent("shell") if kernel is not None else None
    if not request or request.get("header", {}).get("msg_type") != "execute_request":
        return None
    content = request.get("content", {})
    is_silent = bool(content.get("silent"))
    if not is_silent and content.get("store_history", True):
        return None
    may_be_a_program = not is_silent and content.get("stop_on_error", True)
    return Look(time.monotonic() + SHOW_S, is_patient=True, may_be_a_program=may_be_a_program)


def install() -> None:
    """Make the look-ups of pyspark's frames end in time; a second call changes nothing."""
    from pyspark.sql.connect.dataframe import DataFrame  # noqa: PLC0415 - heavy
    from pyspark.sql.connect.group import GroupedData  # noqa: PLC0415 - heavy

    if DataFrame.__dir__ is _dir:
        return
    _plain["grouped"], GroupedData.__repr__ = GroupedData.__repr__, _repr_of_groups  # type: ignore[method-assign]
    functions = {"__dir__": _dir, "__repr__": _repr, "_repr_html_": _repr_html, "__getattr__": _getattr}
    for name, function in functions.items():
        _plain[name] = getattr(DataFrame, name)
        setattr(DataFrame, name, function)


def plain_repr(frame: Any) -> str:
    """Return the text that pyspark itself makes of a frame."""
    return str(_plain["__repr__"](frame))


def without_columns(error: RucatError, kind: str = "DataFrame") -> str:
    """The text of a frame whose columns cannot be had, with the reason in their place."""
    return f"{kind}[{error.message.splitlines()[0]}]"


def _dir(frame: Any) -> list[str]:
    """The methods, and the columns if they come in time."""
    try:
        with lookup(is_patient=True):
            return list(_plain["__dir__"](frame))
    except RucatError:
        return sorted(dir(type(frame)))


def _repr(frame: Any) -> str:
    """Pyspark's text; where its columns do not come in time, one that says so. A strict look-up runs no query."""
    try:
        with lookup(SHOW_S, is_patient=True):
            if (look := _look.get()) is not None and not look.is_patient:
                return f"DataFrame[{', '.join(f'{name}: {kind}' for name, kind in frame.dtypes)}]"
            return plain_repr(frame)
    except RucatError as error:
        return without_columns(error)


def _repr_of_groups(groups: Any) -> str:
    """Pyspark's text, which has the frame's columns."""
    try:
        with lookup(SHOW_S, is_patient=True):
            return str(_plain["grouped"](groups))
    except RucatError as error:
        return without_columns(error, "GroupedData")


def _repr_html(frame: Any) -> str | None:
    """Pyspark's HTML, which it has only with eager evaluation."""
    try:
        with lookup(SHOW_S, is_patient=True):
            html: str | None = _plain["_repr_html_"](frame)
            return html
    except RucatError:
        return None


def _getattr(frame: Any, name: str) -> Any:
    """A column. Python and IPython look up names such as ``__wrapped__``, for which pyspark asks the engine.

    With pyspark before 4.3 it does so for each name, also for those by which IPython shows a frame.
    """
    if name == "shape" and sys._getframe(1).f_code.co_name == "whos":
        return _Shape(frame)
    if not name.startswith(("__", "_ipython_", "_repr_")):
        return _plain["__getattr__"](frame, name)
    try:
        with lookup(is_patient=True):
            return _plain["__getattr__"](frame, name)
    except RucatError as error:
        raise AttributeError(name) from error


class _Shape:
    """What IPython's ``%whos`` prints of a frame: it takes its ``shape``, and pyspark's would be a Column."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __format__(self, how: str) -> str:
        try:
            with lookup(SHOW_S, is_patient=True):
                return f"{text.count(len(self._frame.columns), 'column')}, rows not counted"
        except Exception as error:  # %whos goes on with the next variable
            return text.plain(str(error).partition("\n")[0], MOST_OF_AN_ERROR)


_plain: dict[str, Any] = {}

"""Look-ups: what Tab, ``dir(df)``, ``repr(df)`` and variable views ask an engine, with a deadline.

pyspark asks the engine for a frame's columns, and waits for the answer. That is right for a program, but an engine that
does not answer must not hold a kernel because of a Tab.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ...core.errors import RucatError
from ..words import text

TAB_S = 0.5  # for everything that one look-up asks
EAGER = "spark.sql.repl.eagerEval.enabled"
ROWS = "spark.sql.repl.eagerEval.maxNumRows"
MOST_OF_AN_ERROR = 60
ALIVE_S = 3.0  # for the first sign of life when a cell shows a frame
SHOW_S = 30.0  # for the columns of that frame, from an engine that is alive: it may have to list many files

_ends_at: ContextVar[float | None] = ContextVar("rucat_lookup_ends_at", default=None)


class NoAnswer(RucatError):
    """The engine did not answer a look-up in time."""

    code = "no_answer"

    def _render_traceback_(self, *_: object) -> list[str]:
        return [self.message]


@contextmanager
def lookup(limit_s: float = TAB_S) -> Iterator[None]:
    """Give all calls of this thread to engines, together, this many seconds; one inside another does not extend it."""
    ends_at, before = time.monotonic() + limit_s, _ends_at.get()
    token = _ends_at.set(ends_at if before is None else min(before, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


@contextmanager
def showing(frame: Any) -> Iterator[tuple[str, str]]:
    """Give the engine time to answer for a frame, if it is alive; yields the confs :data:`EAGER` and :data:`ROWS`."""
    with lookup(ALIVE_S):
        confs = frame.sparkSession._client.get_configs(EAGER, ROWS)
    with lookup(SHOW_S):
        yield confs


def left_s() -> float | None:
    """How many seconds a call may take now; None: as long as it needs."""
    ends_at = _ends_at.get()
    return None if ends_at is None else max(ends_at - time.monotonic(), 0.0)


def install() -> None:
    """Make the look-ups of pyspark's frames end in time; a second call changes nothing."""
    from pyspark.sql.connect.dataframe import DataFrame  # noqa: PLC0415 - heavy

    if DataFrame.__dir__ is _dir:
        return
    _plain.update({name: getattr(DataFrame, name) for name in ("__dir__", "__repr__", "__getattr__")})
    for name, function in (("__dir__", _dir), ("__repr__", _repr), ("__getattr__", _getattr)):
        setattr(DataFrame, name, function)


def plain_repr(frame: Any) -> str:
    """Return the text that pyspark itself makes of a frame."""
    return str(_plain["__repr__"](frame))


def _dir(frame: Any) -> list[str]:
    """The methods, and the columns if they come in time."""
    try:
        with lookup():
            return list(_plain["__dir__"](frame))
    except RucatError:
        return sorted(dir(type(frame)))


def _repr(frame: Any) -> str:
    """Pyspark's text; where its columns do not come in time, one that says so."""
    try:
        with showing(frame):
            return plain_repr(frame)
    except NoAnswer as error:
        return f"DataFrame[{error.message}]"


def _getattr(frame: Any, name: str) -> Any:
    """A column. Python and its tools look up names such as ``__wrapped__``, for which pyspark asks the engine."""
    if name == "shape" and sys._getframe(1).f_code.co_name == "whos":
        return _Shape(frame)
    if not name.startswith("__"):
        return _plain["__getattr__"](frame, name)
    try:
        with lookup():
            return _plain["__getattr__"](frame, name)
    except NoAnswer as error:
        raise AttributeError(name) from error


class _Shape:
    """What IPython's ``%whos`` prints of a frame: it takes its ``shape``, and pyspark's would be a Column."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __format__(self, how: str) -> str:
        try:
            with lookup():
                return f"{text.count(len(self._frame.columns), 'column')}, rows not counted"
        except Exception as error:  # %whos goes on with the next variable
            return text.plain(str(error).partition("\n")[0], MOST_OF_AN_ERROR)


_plain: dict[str, Any] = {}

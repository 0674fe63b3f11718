"""Shows Spark's errors in a notebook in at most five lines, cause first; one more line shows everything.

IPython calls an exception's ``_render_traceback_`` before it makes a traceback itself, also for an error while a
result is shown; Python's own errors, whose classes cannot be changed, get this hook just before they are shown.
The user's handlers (``set_custom_exc``) come first, ``%tb`` and ``%xmode Verbose`` show everything, and outside of
IPython nothing changes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import Any

from ..identity import get_shell
from ..words import text
from . import user_lines
from .explain import Words, call_site, sql_mark, words

MOST_LINES = 5
MODE_VARIABLE = "RUCAT_ERRORS"
SHORT, FULL = "short", "full"
LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
"""pyspark writes each error with a query context to stderr as a line of JSON, also if the user catches it."""
VERBOSE = "Verbose"

_state: dict[str, str] = {}
_shrunk: list[tuple[BaseException, type[BaseException]]] = []
_installed: set[str] = set()


def mode() -> str:
    """How errors are shown: ``short`` or ``full``; the default is in the environment (``RUCAT_ERRORS``)."""
    return _state.get("mode") or (FULL if os.environ.get(MODE_VARIABLE, "").strip().lower() == FULL else SHORT)


def set_mode(wanted: str) -> None:
    """Show errors ``short`` or ``full`` from now on."""
    if wanted not in (SHORT, FULL):
        raise ValueError(f"errors are shown short or full, not {wanted!r}")
    _state["mode"] = wanted


def install(shell: Any) -> None:
    """Make this kernel show Spark's errors in a few lines; called when a session is attached in IPython."""
    if "types" not in _installed:
        _installed.add("types")
        for kind in _kinds():
            kind._render_traceback_ = _render
        quieten()
        before = threading.excepthook
        threading.excepthook = lambda args: None if _shows_of_thread(args) else before(args)
    if getattr(shell, "_rucat_errors", None) is not install:
        shell._rucat_errors = install
        shell.events.register("pre_execute", _restore)
        _mark_plain(shell)


def _mark_plain(shell: Any) -> None:
    """Show also a plain TypeError of pyspark's own code in a few lines: Python's classes cannot get a hook."""
    show = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        error: BaseException | None = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if error is not None and _is_plain(error) and is_of_spark(error):
            error._render_traceback_ = partial(_render, error)  # type: ignore[attr-defined]
        show(exc_tuple, *args, **kwargs)

    shell.showtraceback = showtraceback


def quieten() -> None:
    """Keep pyspark from writing errors a second time (as JSON, as a traceback), unless the mode is ``full``."""
    from pyspark import util  # noqa: PLC0415 - heavy
    from pyspark.logger import PySparkLogger  # noqa: PLC0415 - heavy

    for name in LOGGERS:
        for handler in PySparkLogger.getLogger(name).handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(lambda _: mode() == FULL)
    if callable(print_trace := getattr(util, "print_exec", None)):
        util.print_exec = lambda stream: print_trace(stream) if mode() == FULL else None


def short(error: BaseException, shell: Any = None) -> list[str]:
    """The error in at most five lines: cause, where, the query, what to do, how to see everything."""
    said = _words(error)
    lines = [said.cause]
    places = user_lines.asked(error.__traceback__, shell) or user_lines.running(shell)
    if said.python:
        if (failed := user_lines.raised(said.python, shell)) is not None:
            lines.append(f"  in your function: {failed}")
        places = [p for p in places[:1] if p != failed]
    where = filter(None, [" → ".join(map(str, places)), getattr(error, "rucat_place", "")])
    lines += [f"  {line}"] if (line := ", ".join(where)) else []
    lines += _origin(error, places, shell)
    marked = [f"  {line}" for line in said.mark.lines()] if said.mark else []
    hint = getattr(error, "rucat_hint", "") or said.hint
    last = [f"  {hint}"] if hint else []
    lines += marked
    if len(lines) + len(last) + 1 > MOST_LINES:
        last = [f"  {hint}   {_everything(shell)}" if hint else f"  {_everything(shell)}"]
    else:
        last.append(f"  {_everything(shell)}")
    return [*lines[: MOST_LINES - len(last)], *last]


def amend(error: BaseException, *, place: str = "", hint: str = "") -> bool:
    """Add to the short form of Spark's error where in the cell it was, and what to do; False if it has none."""
    if mode() == FULL or not is_of_spark(error):
        return False
    error.rucat_place, error.rucat_hint = place, hint  # type: ignore[attr-defined]
    return True


def full(error: BaseException) -> str:
    """Everything about the error: Python's traceback, Spark's whole message, the stack trace of the JVM."""
    restored = _restore_one(error)
    parts = ["".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()]
    jvm = _trace_of_jvm(error)
    if jvm and jvm[:500] not in parts[0]:
        parts.append(f"JVM stacktrace:\n{jvm}")
    condition, state = _ask(error, "getCondition"), _ask(error, "getSqlState")
    facts = [f"error class {condition}" if condition else "", f"SQLSTATE {state}" if state else ""]
    if parameters := _ask(error, "getMessageParameters"):
        facts.append(f"parameters {parameters}")
    parts.append(" · ".join(filter(None, facts)))
    if restored is not None:
        _shrink(error, restored)
    return "\n\n".join(filter(None, parts))


def is_of_spark(error: BaseException | None) -> bool:
    """Whether an exception is Spark's, or was raised inside pyspark by a library that pyspark uses."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - heavy

    if isinstance(error, PySparkException):
        return True
    import pyspark  # noqa: PLC0415 - heavy

    home = str(Path(pyspark.__file__).parent)
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    inside = [frame.filename.startswith(home) for frame in frames]
    return inside[-1:] == [True] if _is_plain(error) else isinstance(error, _kinds()) and any(inside)


def _is_plain(error: BaseException | None) -> bool:
    """Whether it is an error of Python itself: it is pyspark's if pyspark's own code raised it."""
    return isinstance(error, Exception) and type(error).__module__ == "builtins"


def _everything(shell: Any) -> str:
    """How to see the whole traceback: the magic exists only if the extension is loaded."""
    lines = shell.magics_manager.magics["line"] if shell is not None else {}
    return f"Full trace: {'%rucat error --verbose' if 'rucat' in lines else '%tb'}"


def _kinds() -> tuple[Any, ...]:
    """What pyspark raises: its own errors, those of gRPC, of its messages, of pickling functions, of Arrow."""
    import grpc  # noqa: PLC0415 - heavy
    from google.protobuf.message import Error as MessageError  # noqa: PLC0415 - heavy
    from pyspark.errors import PySparkException  # noqa: PLC0415 - heavy

    kinds: list[Any] = [PySparkException, grpc.RpcError, MessageError, pickle.PicklingError]
    with contextlib.suppress(ImportError):
        from pyarrow.lib import ArrowException  # noqa: PLC0415 - heavy

        kinds.append(ArrowException)
    return tuple(kinds)


def _render(error: BaseException, *_: object) -> list[str]:
    """IPython's hook: a few lines when the error ends a cell, everything when it is requested later."""
    shell = get_shell()
    is_ending = sys.exc_info()[1] is error
    if is_ending and mode() == SHORT and getattr(shell.InteractiveTB, "mode", "") != VERBOSE and is_of_spark(error):
        lines = short(error, shell)
        error.full = full(error)  # type: ignore[attr-defined]
        _shrink(error, lines[0])
        return lines
    found: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
    return found


def _shows_of_thread(args: Any) -> bool:
    """Show in a few lines what ended a thread; False if it is not Spark's error, or the mode is ``full``."""
    error = args.exc_value
    if get_shell() is None or mode() != SHORT or not is_of_spark(error):
        return False
    error.full = full(error)
    lines = short(error, get_shell())
    name = text.plain(args.thread.name) if args.thread is not None else "a thread"
    sys.last_value = error
    sys.stderr.write("\n".join([f"{lines[0]} (in {name})", *lines[1:]]) + "\n")
    return True


# --- what the exceptions hold ------------------------------------------------------------------------------


def _words(error: BaseException) -> Words:
    said = words(_message(error), _ask(error, "getCondition"), type(error).__name__, _trace_of_jvm(error))
    for context in _ask(error, "getQueryContext") or []:
        if context.contextType().name == "SQL" and (mark := sql_mark(context.summary())) is not None:
            return Words(said.cause, said.hint, mark, said.python)
    return said


def _message(error: BaseException) -> str:
    details = getattr(error, "details", None)  # gRPC's own errors show as a page of metadata
    return str(details() if callable(details) else error)


def _origin(error: BaseException, places: list[user_lines.Place], shell: Any) -> list[str]:
    """Where the column that failed was defined, if not in the line that ran the query."""
    for context in _ask(error, "getQueryContext") or []:
        if context.contextType().name == "DataFrame" and (found := call_site(context.callSite())) is not None:
            made = user_lines.in_cell(*found, shell)
            return [f"  made in {made}"] if made.where not in {p.where for p in places} else []
    return []


def _trace_of_jvm(error: BaseException) -> str:
    return _ask(error, "getStackTrace") or ""


def _ask(error: BaseException, name: str) -> Any:
    """The result of one of pyspark's methods; None if the exception does not have this method."""
    found = getattr(error, name, None)
    return found() if callable(found) else None


# --- a short evalue ----------------------------------------------------------------------------------------


def _shrink(error: BaseException, said: str) -> None:
    """Make ``str(error)`` one line while the kernel reports the error; undone before the next cell."""
    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__str__": lambda _: said}
    if not _is_plain(error):  # whose text is one line, and whose class cannot be changed
        error.__class__ = type(kind.__name__, (kind,), names)
        _shrunk.append((error, kind))


def _restore_one(error: BaseException) -> str | None:
    """Restore the text of a shrunk error; returns the short one."""
    for one in list(_shrunk):
        if one[0] is error:
            said = str(error)
            _shrunk.remove(one)
            error.__class__ = one[1]
            return said
    return None


def _restore(*_: object) -> None:
    """Before a cell: restore the texts of earlier errors."""
    while _shrunk:
        error, kind = _shrunk.pop()
        error.__class__ = kind

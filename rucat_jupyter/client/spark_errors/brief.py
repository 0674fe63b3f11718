"""Shows Spark's errors in a notebook in at most five lines, cause first; the whole stays one line away.

IPython asks an exception for ``_render_traceback_`` before it makes a traceback of its own, also for what goes wrong
while a result is shown; Python's own errors, whose classes take no hook, are given it when they are about to be shown.
Handlers of the user's (``set_custom_exc``) come first, ``%tb`` and ``%xmode Verbose`` show everything, and outside of
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
"""pyspark writes each error with a query context to stderr as a line of JSON, also when the user catches it."""
VERBOSE = "Verbose"

_state: dict[str, str] = {}
_shrunk: list[tuple[BaseException, type[BaseException]]] = []
_installed: set[str] = set()


def mode() -> str:
    """How errors are shown: ``short`` or ``full``; the environment's ``RUCAT_ERRORS`` is the default."""
    return _state.get("mode") or (FULL if os.environ.get(MODE_VARIABLE, "").strip().lower() == FULL else SHORT)


def set_mode(wanted: str) -> None:
    """Show errors ``short`` or ``full`` from now on."""
    if wanted not in (SHORT, FULL):
        raise ValueError(f"errors are shown short or full, not {wanted!r}")
    _state["mode"] = wanted


def install(shell: Any) -> None:
    """Have this kernel show Spark's errors in few lines; once, when a session is attached in IPython."""
    if "types" not in _installed:
        _installed.add("types")
        for kind in _kinds():
            kind._render_traceback_ = _render
        quieten()
        before = threading.excepthook
        threading.excepthook = lambda args: None if _told_of_thread(args) else before(args)
    if getattr(shell, "_rucat_errors", None) is not install:
        shell._rucat_errors = install
        shell.events.register("pre_execute", _restore)
        _mark_plain(shell)


def _mark_plain(shell: Any) -> None:
    """Have a plain TypeError of pyspark's own code shown in few lines, too: the classes of Python take no hook."""
    show = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        error: BaseException | None = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if error is not None and _is_plain(error) and is_of_spark(error):
            error._render_traceback_ = partial(_render, error)  # type: ignore[attr-defined]
        show(exc_tuple, *args, **kwargs)

    shell.showtraceback = showtraceback


def quieten() -> None:
    """Keep pyspark from writing errors a second time (as JSON, as a trace), unless all is wanted."""
    from pyspark import util
    from pyspark.logger import PySparkLogger

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
    told = filter(None, [" → ".join(map(str, places)), getattr(error, "rucat_place", "")])
    lines += [f"  {line}"] if (line := ", ".join(told)) else []
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
    """Have the few lines of an error of Spark say where in the cell it was, what to do; False where there are none."""
    if mode() == FULL or not is_of_spark(error):
        return False
    error.rucat_place, error.rucat_hint = place, hint  # type: ignore[attr-defined]
    return True


def full(error: BaseException) -> str:
    """Everything that is known of the error: Python's trace, Spark's whole message, the trace of the JVM."""
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
    """Whether an exception is Spark's, or was raised inside pyspark by what pyspark stands on."""
    from pyspark.errors import PySparkException

    if isinstance(error, PySparkException):
        return True
    import pyspark

    home = str(Path(pyspark.__file__).parent)
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    inside = [frame.filename.startswith(home) for frame in frames]
    return inside[-1:] == [True] if _is_plain(error) else isinstance(error, _kinds()) and any(inside)


def _is_plain(error: BaseException | None) -> bool:
    """Whether it is an error of Python itself: pyspark's, when it was raised by pyspark's own code."""
    return isinstance(error, Exception) and type(error).__module__ == "builtins"


def _everything(shell: Any) -> str:
    """How to see the whole trace where the reader is: the magic is there only when the extension is loaded."""
    lines = shell.magics_manager.magics["line"] if shell is not None else {}
    return f"Full trace: {'%rucat error --verbose' if 'rucat' in lines else '%tb'}"


def _kinds() -> tuple[Any, ...]:
    """What pyspark raises: errors of its own, of gRPC, of pickling functions, of Arrow."""
    import grpc
    from pyspark.errors import PySparkException

    kinds: list[Any] = [PySparkException, grpc.RpcError, pickle.PicklingError]
    with contextlib.suppress(ImportError):
        from pyarrow.lib import ArrowException

        kinds.append(ArrowException)
    return tuple(kinds)


def _render(error: BaseException, *_: object) -> list[str]:
    """IPython's hook: few lines while the error ends a cell, everything when it is asked for later."""
    shell = get_shell()
    is_ending = sys.exc_info()[1] is error
    if is_ending and mode() == SHORT and getattr(shell.InteractiveTB, "mode", "") != VERBOSE and is_of_spark(error):
        lines = short(error, shell)
        error.full = full(error)  # type: ignore[attr-defined]
        _shrink(error, lines[0])
        return lines
    found: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
    return found


def _told_of_thread(args: Any) -> bool:
    """Say in few lines what ended a thread; False where that is not Spark's error, or all is wanted."""
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
    """Where the column was made that failed, when that is another line than the one that asked."""
    for context in _ask(error, "getQueryContext") or []:
        if context.contextType().name == "DataFrame" and (found := call_site(context.callSite())) is not None:
            made = user_lines.in_cell(*found, shell)
            return [f"  made in {made}"] if made.where not in {p.where for p in places} else []
    return []


def _trace_of_jvm(error: BaseException) -> str:
    return _ask(error, "getStackTrace") or ""


def _ask(error: BaseException, name: str) -> Any:
    """What one of pyspark's methods says; None where the exception has no such method, or no such knowledge."""
    found = getattr(error, name, None)
    return found() if callable(found) else None


# --- a short evalue ----------------------------------------------------------------------------------------


def _shrink(error: BaseException, said: str) -> None:
    """Let ``str(error)`` be one line while kernel and front end are told of it; undone before the next cell."""
    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__str__": lambda _: said}
    if not _is_plain(error):  # whose text is one line, and whose class cannot be changed
        error.__class__ = type(kind.__name__, (kind,), names)
        _shrunk.append((error, kind))


def _restore_one(error: BaseException) -> str | None:
    """Give a shrunk error its own text back; returns the short one."""
    for one in list(_shrunk):
        if one[0] is error:
            said = str(error)
            _shrunk.remove(one)
            error.__class__ = one[1]
            return said
    return None


def _restore(*_: object) -> None:
    """Before a cell: what is held of an earlier error says everything again."""
    while _shrunk:
        error, kind = _shrunk.pop()
        error.__class__ = kind

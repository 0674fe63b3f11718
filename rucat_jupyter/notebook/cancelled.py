"""The two ways in which what was cancelled ends: one line for people, an error for Run All."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..errors import RucatError
from . import text

if TYPE_CHECKING:
    from .cells import Cancel

HEARD_S = 1.0  # the last line of an interrupted cell waits this long for the engine to answer


class Cancelled(RucatError):
    """An operation was cancelled on its engine: by the bar's button, REST, Spark's UI, or with its cell."""

    code = "cancelled"

    def __init__(self, engines: list[str], elapsed_s: float) -> None:
        super().__init__(cancelled_line(engines, elapsed_s))

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show the line alone: IPython's hook for errors with a trace of their own."""
        return [self.message]


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted while engines worked for it; what they did is cancelled."""

    def __init__(self, engines: list[str], elapsed_s: float, cancel: Cancel | None = None) -> None:
        super().__init__()
        self.engines, self.elapsed_s, self._cancel = engines, elapsed_s, cancel

    def __str__(self) -> str:
        if self._cancel is None:
            return f"Interrupted on {_names(self.engines)} after {text.duration(self.elapsed_s)}."
        if unheard := sorted(self._cancel.unheard):
            name = _names(unheard)
            return (
                f"Interrupted after {text.duration(self.elapsed_s)}. {name} does not answer, so what ran there "
                f"may go on. Look: %rucat status {text.quoted(unheard[0])}"
            )
        return cancelled_line(self.engines, self.elapsed_s)

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show one line, as soon as it is known whether the engine has heard."""
        if self._cancel is not None and threading.current_thread() is threading.main_thread():
            self._cancel.told.wait(HEARD_S)
        return [str(self)]


def cancelled_line(engines: list[str], elapsed_s: float) -> str:
    """``Cancelled on etl after 14 s.``"""
    return f"Cancelled on {_names(engines)} after {text.duration(elapsed_s)}."


def _names(engines: list[str]) -> str:
    return " and ".join(text.plain(name) for name in engines) or "the engine"

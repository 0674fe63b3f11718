"""The live phase: one line that is replaced during a wait, if the front end can do that."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any, Protocol

from . import text

if TYPE_CHECKING:
    from ..api import View


class Phase(Protocol):
    """Shows the current phase of one wait."""

    tick_s: float
    """Seconds between two lines if only the elapsed time has changed."""

    def show(self, line: str, key: str) -> None:
        """Show the line; ``key`` stays the same while only the elapsed time changes."""
        ...

    def end(self, line: str) -> None:
        """Leave this as the final text (one or more lines; empty: leave nothing)."""
        ...

    def meet(self, view: View) -> None:
        """Set the engine that is waited for; may be called more than once."""
        return

    def note(self, said: str) -> None:
        """Set how the engine came to run, which the final text says too."""
        return


def say(said: str) -> None:
    """Write a line (or several) for people; without the middle of what is too long for a notebook."""
    _write(f"{text.fitting(said, 'the same verb in a terminal shows all')}\n")


def notice(text: str) -> None:
    """Write an unrequested line to stderr, where the running cell shows it."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _write(text: str) -> None:
    """Write to stdout, also if its encoding has few characters (LANG=C)."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


class SilentPhase(Phase):
    """For scripts: shows nothing."""

    tick_s = 50.0

    def show(self, line: str, key: str) -> None:
        """Show nothing."""

    def end(self, line: str) -> None:
        """Show nothing."""


class LinePhase(Phase):
    """One line per phase, for outputs where lines cannot be replaced (a pipe, a log)."""

    tick_s = 50.0

    def __init__(self) -> None:
        self._key = ""

    def show(self, line: str, key: str) -> None:
        """Write the line if the phase is new."""
        if key != self._key:
            self._key = key
            say(line)

    def end(self, line: str) -> None:
        """Write the final text."""
        if line:
            say(line)


class TerminalPhase(Phase):
    """One line of a terminal, overwritten."""

    tick_s = 1.0

    def show(self, line: str, key: str) -> None:
        """Overwrite the line; it is cut to the width, because a wrapped line is not overwritten completely."""
        width = shutil.get_terminal_size().columns - 1
        _write(f"\r\x1b[K{line[:width]}")

    def end(self, line: str) -> None:
        """Overwrite the line with the final text, and go to the next line."""
        _write(f"\r\x1b[K{line}\n" if line else "\r\x1b[K")


class DisplayPhase(Phase):
    """One output of a cell, updated in place; the notebook keeps the last one."""

    tick_s = 1.0

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, line: str, key: str) -> None:
        """Show or update the output."""
        from IPython.display import display  # noqa: PLC0415 - only here is IPython certain to be loaded

        bundle = {"text/plain": line}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)

    def leave(self) -> None:
        """Remove the line, if there is one."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)

    def end(self, line: str) -> None:
        """Update the output a last time."""
        if line:
            self.show(line, line)


class LastPhase(DisplayPhase):
    """Only the final text: for nbconvert and papermill, whose logs show an output once, as it was first."""

    tick_s = 50.0

    def show(self, line: str, key: str) -> None:
        """Show nothing."""

    def end(self, line: str) -> None:
        """Show the final text."""
        if line:
            super().show(line, line)

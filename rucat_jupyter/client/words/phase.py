"""The live phase: one line that is replaced while something is waited for, where the place can do that."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..api import View


class Phase(Protocol):
    """Shows the present phase of one wait."""

    tick_s: float
    """How often it wants a new line though nothing happened (the elapsed time)."""

    def show(self, line: str, key: str) -> None:
        """Show the line; ``key`` is equal as long as nothing but the elapsed time has changed."""
        ...

    def end(self, line: str) -> None:
        """Leave this as the last word (may be several lines; empty: leave nothing more)."""
        ...

    def meet(self, view: View) -> None:
        """Take that this engine is the one that is waited for; may be told more than once."""
        return

    def note(self, said: str) -> None:
        """Take how it came to run, which the last word says too."""
        return


def say(text: str) -> None:
    """Write a line (or several) for people."""
    _write(f"{text}\n")


def notice(text: str) -> None:
    """Write a line about something that nobody asked for: to stderr, where the running cell shows it."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _write(text: str) -> None:
    """Write to stdout, also to one that knows few characters (LANG=C with an old encoding)."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


class SilentPhase(Phase):
    """For scripts: says nothing."""

    tick_s = 50.0

    def show(self, line: str, key: str) -> None:
        """Say nothing."""

    def end(self, line: str) -> None:
        """Say nothing."""


class LinePhase(Phase):
    """One line a phase, where lines cannot be replaced (a pipe, a log)."""

    tick_s = 50.0

    def __init__(self) -> None:
        self._key = ""

    def show(self, line: str, key: str) -> None:
        """Write the line when the phase is a new one."""
        if key != self._key:
            self._key = key
            say(line)

    def end(self, line: str) -> None:
        """Write the last line."""
        if line:
            say(line)


class TerminalPhase(Phase):
    """One line of a terminal, overwritten."""

    tick_s = 1.0

    def show(self, line: str, key: str) -> None:
        """Overwrite the line; one that is too wide would not be overwritten whole, so it is cut."""
        width = shutil.get_terminal_size().columns - 1
        _write(f"\r\x1b[K{line[:width]}")

    def end(self, line: str) -> None:
        """Overwrite the line a last time and go to the next."""
        _write(f"\r\x1b[K{line}\n" if line else "\r\x1b[K")


class DisplayPhase(Phase):
    """One output of a cell, updated in place; what is shown last is what the notebook keeps."""

    tick_s = 1.0

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, line: str, key: str) -> None:
        """Show or update the output."""
        from IPython.display import display

        bundle = {"text/plain": line}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)

    def leave(self) -> None:
        """Take the line away, if there is one."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)

    def end(self, line: str) -> None:
        """Update the output a last time."""
        if line:
            self.show(line, line)

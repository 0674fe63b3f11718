"""Repeats a Ctrl-C that was lost: one that arrives in a callback from which Python lets no exception out.

An import runs many such callbacks (the import system keeps its locks in weak references), and the first verb imports
large libraries.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_S = 0.05


@contextmanager
def comes_again() -> Iterator[None]:
    """Within the block, send SIGINT again if a KeyboardInterrupt was lost (``sys.unraisablehook``).

    Signals reach only the main thread, so in another one there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, main = sys.unraisablehook, threading.get_ident()

    def again(ignored: UnraisableHookArgs) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN_S, signal.pthread_kill, (main, signal.SIGINT)).start()
        else:
            before(ignored)

    sys.unraisablehook = again
    try:
        yield
    finally:
        if sys.unraisablehook is again:
            sys.unraisablehook = before

"""A Ctrl-C that comes while Python runs a callback which lets no exception out is lost in it; here it comes again.

Importing a module is full of such callbacks (the import system keeps its locks by weak references), and a first verb
imports whole libraries.
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
    """Within it, send SIGINT once more when a KeyboardInterrupt was lost (``sys.unraisablehook``).

    Signals reach the main thread alone, so in another one there is nothing to do.
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

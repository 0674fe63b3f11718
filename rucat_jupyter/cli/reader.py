"""Notices when whoever reads the output has gone, also while there is nothing to write, like ``tail --follow``."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class Gone(BaseException):
    """Nobody reads the output. No OSError, which a library's socket would take for its own."""


@contextlib.contextmanager
def needed() -> Iterator[None]:
    """Raise Gone in the block, or at its end, as soon as nobody reads stdout (``rucat logs --follow | head``).

    Only for the main thread of a program: it takes SIGPIPE for that long, which also ends a wait for the network.
    """
    ours, theirs = os.pipe()
    is_over = False

    def refuse(number: int, frame: FrameType | None) -> None:
        if not is_over:
            raise Gone

    before = signal.signal(signal.SIGPIPE, refuse)
    watcher = threading.Thread(target=_watch, args=(sys.stdout.fileno(), ours, threading.get_ident()), daemon=True)
    try:
        watcher.start()
        yield
    finally:
        is_over = True
        os.close(theirs)
        watcher.join()
        os.close(ours)
        signal.signal(signal.SIGPIPE, before)


def _watch(output: int, end: int, thread: int) -> None:
    poll = select.poll()
    poll.register(output, 0)  # nothing but POLLERR and its like
    poll.register(end, select.POLLIN)
    gone = {descriptor for descriptor, _ in poll.poll()}
    if end not in gone:
        signal.pthread_kill(thread, signal.SIGPIPE)

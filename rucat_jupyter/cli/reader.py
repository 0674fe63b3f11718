"""Notices when whoever reads the output has gone, also while there is nothing to write, like ``tail --follow``."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Iterator

NO_READER = 141
"""The shell's own code for a program that ends by SIGPIPE."""


@contextlib.contextmanager
def needed() -> Iterator[None]:
    """End the process while the block runs as soon as nobody reads stdout (``rucat logs --follow | head``).

    At once and without a word, as SIGPIPE would: an exception in the middle of a library is taken for its own error.
    """
    ours, theirs = os.pipe()
    watcher = threading.Thread(target=_watch, args=(sys.stdout.fileno(), ours), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        os.close(theirs)
        watcher.join()
        os.close(ours)


def _watch(output: int, end: int) -> None:
    poll = select.poll()
    poll.register(output, 0)  # nothing but POLLERR and its like
    poll.register(end, select.POLLIN)
    gone = {descriptor for descriptor, _ in poll.poll()}
    if end not in gone:
        os._exit(NO_READER)

"""Notices when the reader of stdout has gone, even while there is nothing to write, like ``tail --follow``."""

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
    """While the block runs, end the process when the reader of stdout closes it (``rucat logs --follow | head``).

    It ends without a message, as with SIGPIPE: libraries would report an exception as an error of their own.
    """
    end, closer = os.pipe()
    watcher = threading.Thread(target=_watch, args=(sys.stdout.fileno(), end), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        os.close(closer)
        watcher.join()
        os.close(end)


def _watch(output: int, end: int) -> None:
    poll = select.poll()
    poll.register(output, 0)  # POLLERR and POLLHUP are always reported
    poll.register(end, select.POLLIN)
    gone = {descriptor for descriptor, _ in poll.poll()}
    if end not in gone:
        os._exit(NO_READER)

"""Imports libraries in a thread: a Ctrl-C ends the wait for them, and never leaves one half imported.

Signals reach only the main thread. One that comes there while pandas is imported ends the import halfway, and pandas,
whose compiled parts load once per process, cannot be imported again in that kernel (seen with 2.3).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

VERBOSITY = "GRPC_VERBOSITY"
"""gRPC reads it when it is loaded. By default a fork during a query prints a line of its own (``fork_posix.cc``), and
with ``ERROR`` the child of ``!command`` one among the command's output (``epoll_wait error: Bad file descriptor``)."""


def import_whole(*names: str) -> None:
    """Import these modules in this order; after an interrupt the import continues, and the next call waits for it.

    Raises what the import raises (ImportError).
    """
    importer = ThreadPoolExecutor(1, thread_name_prefix="rucat-import")
    try:
        importer.submit(_import, names).result()
    finally:
        importer.shutdown(wait=False)


def _import(names: tuple[str, ...]) -> None:
    is_quiet = VERBOSITY not in os.environ
    if is_quiet:
        os.environ[VERBOSITY] = "NONE"
    try:
        for name in names:
            import_module(name)
    finally:
        if is_quiet:
            os.environ.pop(VERBOSITY, None)

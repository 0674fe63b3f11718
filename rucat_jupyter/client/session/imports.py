"""Imports libraries in a thread: a Ctrl-C ends the wait for them, and never leaves one half imported.

Signals reach only the main thread. One that comes there while pandas is imported ends the import halfway, and pandas,
whose compiled parts load once per process, cannot be imported again in that kernel (seen with 2.3).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module


def import_whole(*names: str) -> None:
    """Import these modules in this order; after an interrupt the import continues, and the next call waits for it.

    Raises what the import raises (ImportError).
    """
    importer = ThreadPoolExecutor(1, thread_name_prefix="rucat-import")
    try:
        importer.submit(lambda: [import_module(name) for name in names]).result()
    finally:
        importer.shutdown(wait=False)

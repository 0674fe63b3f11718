"""Loads libraries in a thread: a Ctrl-C ends the wait for them, and never leaves one half loaded.

Signals reach the main thread alone. There one that comes while pandas is imported ends the import in its middle, and
pandas, whose compiled parts load once in a process, cannot be imported again in that kernel (seen with 2.3).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module


def import_whole(*names: str) -> None:
    """Import the modules of these names, in this order; what is interrupted here goes on behind, and is waited for.

    Raises what the import raises (ImportError).
    """
    importer = ThreadPoolExecutor(1, thread_name_prefix="rucat-import")
    try:
        importer.submit(lambda: [import_module(name) for name in names]).result()
    finally:
        importer.shutdown(wait=False)

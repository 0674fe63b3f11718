"""Libraries are loaded whole, whatever ends the wait for them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from rucat_jupyter.client.session.imports import import_whole

ONCE = """
import signal, threading, time
with open({log!r}, "a") as log:
    log.write("begun ")
    log.flush()
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    time.sleep(0.3)
    log.write("whole ")
"""


def test_an_interrupt_ends_the_wait_and_not_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call waits for the same import; a third finds it done."""
    log = tmp_path / "log"
    (tmp_path / "rucat_loaded_once.py").write_text(ONCE.format(log=str(log)))
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            import_whole("rucat_loaded_once")
        assert log.read_text() == "begun "
        import_whole("rucat_loaded_once")
        import_whole("rucat_loaded_once")
    finally:
        signal.signal(signal.SIGINT, before)
        sys.modules.pop("rucat_loaded_once", None)
    assert log.read_text() == "begun whole "


def test_a_failed_import_raises() -> None:
    """With Python's own error, and again the next time."""
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_library"):
            import_whole("rucat_jupyter.client.words.text", "no_such_library")

"""Which processes count as an engine, and when one has ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.place import wait_until

from rucat_jupyter.host.processes import start_mark
from rucat_jupyter.platforms.local.processes import find_engines, reap

FORK = """
import os, sys, time
child = os.fork()
print(child, flush=True) if child else None
time.sleep(60)
"""
LEADER_ENDS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print("threads", flush=True)
ctypes.CDLL(None).syscall(60, 0)
"""


def test_a_child_with_the_same_command_line_is_not_the_engine(tmp_path: Path) -> None:
    """A JVM's child has the JVM's command line until it runs its own program; the engine is the older one."""
    word = f"@{tmp_path}/rucat-0123456789abcdef-1/java.args"
    engine = subprocess.Popen([sys.executable, "-c", FORK, word], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert engine.stdout
        child = int(engine.stdout.readline())
        assert start_mark(child)
        assert {name: p.pid for name, p in find_engines(tmp_path).items()} == {"rucat-0123456789abcdef-1": engine.pid}
    finally:
        for pid in (child, engine.pid):
            subprocess.run(["kill", "-9", str(pid)], check=True)
        engine.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process table of Linux")
def test_a_process_has_ended_when_its_last_thread_has() -> None:
    """A killed JVM shows as a zombie while its other threads still end; only then can its exit code be read."""
    process = subprocess.Popen([sys.executable, "-c", LEADER_ENDS], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    state = Path(f"/proc/{process.pid}/stat")
    wait_until("the leader's end", lambda: state.read_text().rpartition(")")[2].split()[0] == "Z", 10)
    assert start_mark(process.pid) is not None
    process.send_signal(signal.SIGKILL)
    wait_until("the end", lambda: start_mark(process.pid) is None, 10)
    assert reap(process.pid) == -9
    process.returncode = -9
    process.stdout.close()

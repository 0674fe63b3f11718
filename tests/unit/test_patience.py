"""A file system that hangs does not hang us: calls have a deadline, at most one thread is left, and it heals."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rucat_jupyter.host import kubeconfig, patience


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    """A file whose reader waits, as on a mount that hangs; at the end it waits no longer."""
    path = tmp_path / "config"
    os.mkfifo(path)
    yield path
    release(path)


def release(fifo: Path) -> None:
    """End the wait of readers that there are."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:  # none reads
        return


def threads() -> int:
    """How many threads wait for a system call."""
    return sum(thread.name == "rucat-system-call" for thread in threading.enumerate())


async def test_an_event_loop_goes_on_and_waits_once(fifo):
    """The second call is refused without a wait, and without another thread; when it ends the next one works."""
    for limit_s in (0.1, 3600):
        with pytest.raises(TimeoutError, match=f"no answer for {limit_s} s from the file system of it: its server"):
            await patience.waited(limit_s, fifo.read_text, "it")
    assert threads() == 1
    while patience.hangs("it"):
        release(fifo)
        await asyncio.sleep(0.01)
    assert await patience.waited(10, lambda: 7, "it") == 7


async def test_a_call_raises_its_own_error():
    """From the thread."""
    with pytest.raises(FileNotFoundError):
        await patience.waited(10, Path("/none").read_text, "it")


async def test_a_caller_that_leaves_leaves_its_call(fifo):
    """It is known to hang until it ends."""
    asking = asyncio.ensure_future(patience.waited(60, fifo.read_text, "left"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert patience.hangs("left")
    while patience.hangs("left"):
        release(fifo)
        await asyncio.sleep(0.01)


async def test_kubeconfigs_that_cannot_be_looked_at_are_named(monkeypatch):
    """So that the gateway, which reads them, says what is wrong; in notebooks, terminals and the Jupyter server."""
    ready = threading.Event()
    monkeypatch.setattr(kubeconfig, "GLANCE_S", 0.1)
    monkeypatch.setattr(kubeconfig, "is_file", lambda path: ready.wait(60))
    monkeypatch.setenv("KUBECONFIG", "/nfs/a:/nfs/b")
    try:
        assert kubeconfig.files() == ["/nfs/a", "/nfs/b"]
        assert await kubeconfig.files_soon() == ["/nfs/a", "/nfs/b"]
    finally:
        ready.set()


def test_the_contexts_of_a_kubeconfig_that_hangs_are_none(fifo, monkeypatch):
    """Tab offers nothing."""
    monkeypatch.setattr(kubeconfig, "GLANCE_S", 0.1)
    monkeypatch.setattr(kubeconfig, "is_file", lambda path: True)
    assert list(kubeconfig.contexts({"KUBECONFIG": str(fifo)})) == []

"""A Ctrl-C that a callback swallowed comes again, once, and nothing else does."""

from __future__ import annotations

import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from rucat_jupyter.client.cells.lost_interrupt import comes_again


class Thing:
    """Something that can be watched as it goes."""


@pytest.fixture(autouse=True)
def _pythons_own() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    signal.signal(signal.SIGINT, before)


def go(error: BaseException) -> None:
    """Raise it in a callback, out of which nothing comes."""
    thing = Thing()

    def raise_it(_: object) -> None:
        raise error

    watched = weakref.ref(thing, raise_it)
    del thing
    assert watched() is None


def test_it_comes_again() -> None:
    """In the main thread, while the same work goes on; the hook is Python's again afterwards."""
    before = sys.unraisablehook

    def work() -> None:
        go(KeyboardInterrupt())
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt), comes_again():
        work()
    assert sys.unraisablehook is before


def test_other_errors_go_where_they_went() -> None:
    """To the previous hook; nothing is interrupted."""
    passed_on: list[Any] = []
    sys.unraisablehook = lambda ignored: passed_on.append(ignored.exc_value)
    error = ValueError("of a callback")
    with comes_again():
        go(error)
        time.sleep(0.2)
    assert passed_on == [error]


def test_a_hook_that_another_put_there_stays() -> None:
    """What is set within it is not taken back."""
    theirs = sys.__unraisablehook__
    sys.unraisablehook = lambda ignored: None
    with comes_again():
        sys.unraisablehook = theirs
    assert sys.unraisablehook is theirs


def test_in_another_thread_it_does_nothing() -> None:
    """Signals reach the main thread alone."""
    before, seen = sys.unraisablehook, []

    def run() -> None:
        with comes_again():
            seen.append(sys.unraisablehook)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]

"""A time limit for system calls that have none: a file server that hangs must not hang us.

``stat``, ``open`` and ``flock`` on a network file system wait for its server, often without end, and not even Ctrl-C
ends them. So they run in a thread that is left behind.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_hanging: dict[str, futures.Future[object]] = {}  # by place: at most one thread is left behind for each
_lock = threading.Lock()


def within(limit_s: float, call: Callable[[], T], place: str, drop: Callable[[T], object] = lambda late: None) -> T:
    """Return the result of ``call``, or raise TimeoutError (an OSError) after ``limit_s``; Ctrl-C ends the wait.

    Parameters
    ----------
    limit_s : float
        The longest wait in seconds.
    call : callable
        The system call; it runs in another thread.
    place : str
        What it waits for, in words of the message; while a call on this place hangs, no second thread starts.
    drop : callable, optional
        Called with a result that comes too late, to release it.

    Returns
    -------
    T
        The result of ``call``; its exceptions are raised.

    Raises
    ------
    TimeoutError
        No result within ``limit_s``; its ``strerror`` names the place.

    Examples
    --------
    >>> within(5, Path("/").is_dir, "/")
    True
    """
    with _lock:
        before = _hanging.get(place)
    if before is not None and not _is_done(before, limit_s):
        raise _silence(limit_s, place)
    future = _begin(call)
    try:
        is_done = _is_done(future, limit_s)
    except BaseException:  # Ctrl-C
        _leave(future, place, drop)
        raise
    if is_done:
        return future.result()
    _leave(future, place, drop)
    raise _silence(limit_s, place)


async def waited(limit_s: float, call: Callable[[], T], place: str) -> T:
    """Return the result of ``call`` as :func:`within` does, while the event loop goes on.

    Parameters
    ----------
    limit_s : float
        The longest wait in seconds.
    call : callable
        The system call; it runs in another thread, which is none of the loop's few.
    place : str
        What it waits for, in words of the message; while a call on this place hangs, nothing is waited for.

    Returns
    -------
    T
        The result of ``call``; its exceptions are raised.

    Raises
    ------
    TimeoutError
        No result within ``limit_s``; its ``strerror`` names the place.

    Examples
    --------
    >>> asyncio.run(waited(5, Path("/").is_dir, "/"))
    True
    """
    if hangs(place):
        raise _silence(limit_s, place)
    loop, future = asyncio.get_running_loop(), _begin(call)
    woken: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    def tell(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    try:
        await asyncio.wait({woken}, timeout=limit_s)
    finally:
        if not future.done():
            _leave(future, place, lambda late: None)
    if future.done():
        return future.result()
    raise _silence(limit_s, place)


def hangs(place: str) -> bool:
    """Return whether a call on this place has exceeded its limit, and waits still.

    Parameters
    ----------
    place : str
        As given to :func:`within` or :func:`waited`.

    Returns
    -------
    bool
        True until the file system answers.

    Examples
    --------
    >>> hangs("/")
    False
    """
    with _lock:
        return place in _hanging


def _begin(call: Callable[[], T]) -> futures.Future[T]:
    """Run a call in a thread of its own, which ends with the process."""
    future: futures.Future[T] = futures.Future()
    threading.Thread(target=_run, args=(future, call), name="rucat-system-call", daemon=True).start()
    return future


def _run(future: futures.Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


def _is_done(future: futures.Future[T], limit_s: float) -> bool:
    return bool(futures.wait([future], timeout=limit_s).done)


def _leave(future: futures.Future[T], place: str, drop: Callable[[T], object]) -> None:
    """Remember a call that hangs until it ends, and release its result then."""

    def release(done: futures.Future[T]) -> None:
        with _lock:
            _hanging.pop(place, None)
        if done.exception() is None:
            drop(done.result())

    with _lock:
        _hanging[place] = future  # type: ignore[assignment]
    future.add_done_callback(release)


def _silence(limit_s: float, place: str) -> TimeoutError:
    return TimeoutError(
        errno.ETIMEDOUT, f"no answer for {limit_s:g} s from the file system of {place}: its server hangs"
    )

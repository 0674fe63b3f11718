"""The life of the gateway process: lease the data directory, serve, notice when to end, close everything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import uvicorn

from .... import __version__
from ....core.errors import RucatError
from ....core.timeouts import within
from ....launch import datadir, launch
from .. import wiring
from ..http.draining import Draining
from ..settings import Settings, load
from . import logs
from .lease import AlreadyServed, Lease

logger = logging.getLogger(__name__)

CALLS_S = 1.0  # closing: how long open calls that change something may take
SERVER_S = 0.4  # then connections,
MONITOR_S = 0.5  # the monitor's tasks,
PARTS_S = 1.0  # and store, platforms and probes: together under END_S
END_S = 3.0  # a hard limit


class End(str, Enum):
    """Why the gateway ends."""

    SIGNAL = "received a signal"
    ENGINES = "received the signal to stop its engines and end"
    IDLE = "idle, and no engine needs it"
    OUTDATED = "another version of Rucat is installed"
    LOST = "lost its data directory"
    BROKEN = "the monitor has ended"


_SIGNALS = {
    signal.SIGTERM: End.SIGNAL,
    signal.SIGINT: End.SIGNAL,
    signal.SIGHUP: End.SIGNAL,
    signal.SIGUSR1: End.ENGINES,  # a signal, no route: a Jupyter server cannot stop everything
}


def serve_here() -> int:
    """Run the gateway in the foreground; returns the exit status."""
    try:
        return _serve(lambda: None)
    except (RucatError, OSError) as exc:
        sys.stderr.write(f"rucat: {_in_one_line(exc)}\n")
        return 1


def leave(status: int) -> NoReturn:
    """End the process immediately.

    In a normal exit, threads that still wait would delay the end, and the embedded database sometimes aborts
    (SIGABRT right after its close, surrealdb 2.0).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def serve_detached(descriptor: int) -> int:
    """Run the gateway for a starter that waits: write ``ok``, or the error, to its file descriptor."""
    os.set_inheritable(descriptor, False)
    with open(descriptor, "w", encoding="utf-8") as starter:  # a descriptor

        def say(word: str) -> None:
            with contextlib.suppress(BrokenPipeError):
                starter.write(word)
                starter.close()

        try:
            return _serve(lambda: say("ok"))
        except AlreadyServed:
            say("ok")
            return 0
        except (RucatError, OSError) as exc:
            say(_in_one_line(exc))
            return 1


def _serve(on_ready: Callable[[], None]) -> int:
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the starter's thread may have blocked some
    settings = load()
    directory = datadir.prepare(settings.data_dir)
    os.chdir(directory)  # so that the starter's folder is not in use
    try:
        logs.begin(directory / "logs", settings.log_level)
    except OSError as exc:
        raise datadir.unwritable(directory, exc) from exc
    umask = os.umask(0o077)  # only the user can read what the gateway writes, the database included
    with Lease(directory) as lease:
        end = asyncio.run(_Life(settings, lease, on_ready, umask).run())
    os.umask(umask)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if end in (End.OUTDATED, End.LOST) and datadir.read(directory) is None and (directory / "gateway.lock").exists():
        _start_successor(directory)
    return 1 if end is End.BROKEN else 0


class _Life:
    """One life of the process, from the socket to the end."""

    def __init__(self, settings: Settings, lease: Lease, on_ready: Callable[[], None], umask: int) -> None:
        self._umask = umask
        self._settings = settings
        self._lease = lease
        self._on_ready = on_ready
        self._signal: asyncio.Future[End] | None = None

    async def run(self) -> End:
        """Serve until the end, and return the reason of the end."""
        loop = asyncio.get_running_loop()
        self._signal = loop.create_future()
        for number, end in _SIGNALS.items():
            loop.add_signal_handler(number, self._on_signal, end)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._lease.leave)
            listener = self._lease.bind()
            stack.callback(listener.close)
            parts = await wiring.build(self._settings, self._lease.directory, self._umask)
            stack.push_async_callback(_limited, parts.close, PARTS_S)
            draining = Draining(parts.app)
            server = await _listen(draining, listener)
            monitor = asyncio.create_task(parts.monitor.run())
            stack.push_async_callback(_cancelled, monitor)
            self._lease.announce()
            self._on_ready()
            logger.info("Rucat %s serves %s as process %d", __version__, self._lease.directory, os.getpid())
            end = await self._watch(parts, draining, monitor)
            logger.info("ends: %s", end.value)
            self._lease.leave()
            _limit_end()
            parts.notifier.close()
            await draining.close(CALLS_S)
            await _limited(server.shutdown, SERVER_S)
        logger.info("has ended; its engines keep running" if end is not End.ENGINES else "has ended")
        return end

    def _on_signal(self, end: End) -> None:
        if self._signal and not self._signal.done():
            self._signal.set_result(end)

    async def _watch(self, parts: wiring.Parts, draining: Draining, monitor: asyncio.Task[None]) -> End:
        """Write the heartbeat until there is a reason to end."""
        assert self._signal is not None  # noqa: S101  # set by run
        pause_s = min(datadir.BEAT_S, self._settings.self_end_s / 4)
        ending: asyncio.Future[End] = self._signal
        while True:
            awaited: set[asyncio.Future[Any]] = {ending, monitor}
            await asyncio.wait(awaited, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                if ending.result() is not End.ENGINES or ending is not self._signal:
                    return ending.result()
                draining.refuse_work()
                ending = asyncio.create_task(_stop_engines(parts))
            elif monitor.done():
                logger.error("the monitor has ended", exc_info=monitor.exception())
                return End.BROKEN
            elif lost := self._lease.beat():
                logger.error("gives up its data directory: %s", lost)
                return End.LOST
            elif draining.idle_s() >= self._settings.self_end_s and not await parts.is_needed():
                return End.IDLE
            elif self._lease.is_outdated() and not draining.has_work():
                return End.OUTDATED


async def _stop_engines(parts: wiring.Parts) -> End:
    await parts.stop_engines("rucat serve --stop --engines")
    return End.ENGINES


async def _listen(draining: Draining, listener: socket.socket) -> uvicorn.Server:
    """Serve on the socket, without uvicorn's own loop: it wakes ten times a second, which we do not need."""
    config = uvicorn.Config(
        draining,
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=75,  # longer than any client keeps an idle connection: no call hits a closing one
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    return server


def _limit_end() -> None:
    """Let SIGALRM end this process if closing hangs: everything outside of it is already removed."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, END_S)


async def _limited(close: Callable[[], Awaitable[None]], limit_s: float) -> None:
    try:
        await within(limit_s, close())
    except asyncio.TimeoutError:
        logger.warning("closing took more than %g s and was cancelled", limit_s)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=MONITOR_S)


def _in_one_line(exc: RucatError | OSError) -> str:
    return " ".join(str(exc).split())


def _start_successor(directory: Path) -> None:
    try:
        address = launch.ensure(directory)
        logger.info("process %d has taken over", address.pid)
    except RucatError as exc:
        logger.error("cannot start a successor, the next call starts one: %s", exc)

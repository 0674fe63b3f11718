"""The first process of a cluster's own namespaces: starts and ends its processes on demand, and takes all with it.

Network, mounts and processes of a cluster live in namespaces of their own (`unshare`), with this as process 1. When it
ends the kernel kills every other process in them, containers included, and mounts, bridge, interfaces and packet filter
rules vanish with the last of them; only the control groups are left to remove, which it does before it goes.

It gets its orders as JSON lines on a Unix socket, one answer for each: `start` (name, argv), `stop` (name, signal),
`list`, `run` (argv: to its end, for the set-up inside) and `end`. Standard library only: it runs as a script.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

END_LIMIT_S = 10.0
QUIET_S = 0.05


class Supervisor:
    """Keeps the processes by name."""

    def __init__(self, folder: Path, groups: list[Path], tied: bool) -> None:
        self.folder = folder
        self.groups = groups
        self.tied = tied
        self.processes: dict[str, int] = {}
        self.codes: dict[int, int] = {}

    def serve(self) -> None:
        """Answer until the end: by the socket, a signal, or the death of the process behind the input pipe."""
        path = self.folder / "control.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(16)
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        selector = selectors.DefaultSelector()
        for watched in (listener, wake, *([sys.stdin] if self.tied else [])):
            selector.register(watched, selectors.EVENT_READ)
        going = True
        while going:
            for event, _ in selector.select():
                if event.fileobj is listener:
                    going &= self._answer(listener.accept()[0])
                elif event.fileobj is wake:
                    going &= not {signal.SIGTERM, signal.SIGINT} & set(wake.recv(4096))
                    self._reap()
                else:
                    going = False
        self._end()

    def _answer(self, connection: socket.socket) -> bool:
        with connection, connection.makefile("rw") as stream:
            order = json.loads(stream.readline())
            try:
                answer = getattr(self, "do_" + order.pop("do"))(**order)
            except (OSError, subprocess.SubprocessError, KeyError) as exc:
                answer = {"error": f"{type(exc).__name__}: {exc}"}
            stream.write(json.dumps(answer) + "\n")
            return answer.get("end") is None

    def do_start(self, name: str, argv: list[str], env: dict[str, str]) -> dict[str, object]:
        """Start a process, with its output appended to its log."""
        if name in self.processes:
            return {"error": f"{name} runs already"}
        log = os.open(self.folder / "logs" / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setsigmask=[], setsigdef=[signal.SIGTERM])
        os.close(log)
        os.close(nothing)
        self.processes[name] = pid
        return {"pid": pid}

    def do_stop(self, name: str, signal: int, limit_s: float) -> dict[str, object]:
        """Send a process a signal and wait for its end."""
        pid = self.processes[name]
        os.kill(pid, signal)
        until = time.monotonic() + limit_s
        while pid not in self.codes:
            if time.monotonic() > until:
                return {"error": f"{name} still runs {limit_s} s after signal {signal}"}
            time.sleep(QUIET_S)
            self._reap()
        return {"code": self.codes[pid]}

    def do_list(self) -> dict[str, object]:
        """Tell what runs, and how what does not has ended."""
        self._reap()
        return {"running": self.processes}

    def do_run(self, argv: list[str], given: str) -> dict[str, object]:
        """Run a short command to its end."""
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=60, check=False)
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}

    def do_end(self) -> dict[str, object]:
        """End all."""
        return {"end": True}

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.codes[pid] = os.waitstatus_to_exitcode(status)
            self.processes = {name: known for name, known in self.processes.items() if known != pid}

    def _end(self) -> None:
        """Kill what else is in the namespace, wait for it, and remove the control groups: the deepest first."""
        until = time.monotonic() + END_LIMIT_S
        while time.monotonic() < until:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                break
            self._reap()
            time.sleep(QUIET_S)
        for group in self.groups:
            for folder, _, _ in os.walk(group, topdown=False):
                _remove(folder, until)


def _remove(folder: str, until: float) -> None:
    """Remove a control group; the kernel says busy for a moment after its last process."""
    while True:
        try:
            return Path(folder).rmdir()
        except OSError:
            if time.monotonic() > until:
                return None
            time.sleep(QUIET_S)


def main() -> None:
    """Take what to serve from the arguments: folder, tied or not, control groups."""
    folder, tied, *groups = sys.argv[1:]
    Supervisor(Path(folder), [Path(group) for group in groups], tied == "tied").serve()


if __name__ == "__main__":
    main()

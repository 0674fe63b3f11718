"""A real kernel as a notebook has it, and what its cells wrote."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager


@dataclass
class Cell:
    """What one cell wrote."""

    stdout: str = ""
    stderr: str = ""
    shown: dict[str, str] = field(default_factory=dict)  # display id (or number) -> last text shown there
    updates: list[str] = field(default_factory=list)  # each text that was shown in place of another
    metadata: list[dict[str, Any]] = field(default_factory=list)  # of each output that has some
    error: str = ""  # the traceback as it is shown
    ename: str = ""
    evalue: str = ""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """Everything but the error."""
        return "\n".join([self.stdout, *self.shown.values()])


class Kernel:
    """One kernel; ``path`` is the notebook that it belongs to (None: none, as in nbconvert)."""

    def __init__(self, env: Mapping[str, str], folder: Path, path: Path | None, *, allow_stdin: bool = True) -> None:
        named = {"JPY_SESSION_NAME": str(path)} if path is not None else {}
        self._manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / f"k{time.time_ns()}"))
        self._manager.start_kernel(env={**env, **named}, cwd=str(folder), extra_arguments=["--log-level=ERROR"])
        self._allow_stdin, self._is_ended = allow_stdin, False
        self._connect()

    def run(self, code: str, *, timeout_s: float = 120, may_fail: bool = False) -> Cell:
        """Execute a cell; a failure of it is a failure of the test unless it may fail."""
        cell, begun = Cell(), time.monotonic()
        self._client.execute_interactive(
            code,
            allow_stdin=self._allow_stdin,
            timeout=timeout_s,
            output_hook=lambda message: _collect(cell, message),
            stdin_hook=lambda message: self._client.input(self.answer),
        )
        cell.seconds = time.monotonic() - begun
        assert may_fail or not cell.error, cell.error
        return cell

    def complete(self, code: str) -> dict[str, Any]:
        """What Tab gives at the end of the code."""
        reply: dict[str, Any] = self._client.complete(code, len(code), reply=True, timeout=30)["content"]
        return reply

    def timed_complete(self, code: str) -> float:
        """How many seconds a Tab takes."""
        begun = time.monotonic()
        self.complete(code)
        return time.monotonic() - begun

    def inspect(self, code: str) -> dict[str, Any]:
        """What Shift-Tab gives at the end of the code."""
        reply: dict[str, Any] = self._client.inspect(code, len(code), reply=True, timeout=30)["content"]
        return reply

    answer = "n"

    def interrupt(self) -> None:
        """Ctrl-C; from any thread."""
        os.kill(self.pid, signal.SIGINT)

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return int(self._manager.provisioner.process.pid)

    def restart(self) -> None:
        """Restart it, as the menu does."""
        self._client.stop_channels()
        self._manager.restart_kernel()
        self._connect()

    def end(self) -> float:
        """Shut it down and return the seconds that it took."""
        begun = time.monotonic()
        if not self._is_ended:
            self._is_ended = True
            self._client.stop_channels()
            self._manager.shutdown_kernel()
        return time.monotonic() - begun

    def _connect(self) -> None:
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)


def _collect(cell: Cell, message: dict[str, Any]) -> None:
    content = message["content"]
    kind = message["msg_type"]
    if kind == "stream":
        name = content["name"]
        setattr(cell, name, getattr(cell, name) + content["text"])
    elif kind == "error":
        cell.error = "\n".join(content["traceback"])
        cell.ename, cell.evalue = content["ename"], content["evalue"]
    elif kind in ("display_data", "update_display_data", "execute_result"):
        key = content.get("transient", {}).get("display_id") or str(len(cell.shown))
        if content.get("metadata"):
            cell.metadata.append(content["metadata"])
        if kind == "update_display_data":
            cell.updates.append(content["data"]["text/plain"])
        cell.shown[key] = content["data"]["text/plain"]


@contextmanager
def kernel(
    env: Mapping[str, str], folder: Path, path: Path | None = None, *, allow_stdin: bool = True
) -> Iterator[Kernel]:
    """A kernel that is ended, also when the test fails."""
    found = Kernel(env, folder, path, allow_stdin=allow_stdin)
    try:
        yield found
    finally:
        found.end()


def ipython(*args: str) -> list[str]:
    """The command line of a plain IPython."""
    return [
        sys.executable,
        "-m",
        "IPython",
        "--no-banner",
        "--no-confirm-exit",
        "--simple-prompt",
        "--colors=nocolor",
        *args,
    ]

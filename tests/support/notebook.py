"""A real kernel as a notebook has it, and what its cells wrote."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop


@dataclass
class Cell:
    """What one cell wrote."""

    stdout: str = ""
    stderr: str = ""
    shown: dict[str, str] = field(default_factory=dict)  # display id (or number) -> last text shown there
    bundles: list[dict[str, Any]] = field(default_factory=list)  # all that was shown, in order
    updates: list[str] = field(default_factory=list)  # each text that was shown in place of another
    metadata: list[dict[str, Any]] = field(default_factory=list)  # of each output that has some
    error: str = ""  # the traceback as it is shown
    ename: str = ""
    evalue: str = ""
    seconds: float = 0.0
    written: list[tuple[float, str]] = field(default_factory=list)  # when the kernel wrote what to stdout or stderr
    ended_at: float = 0.0  # when the kernel was done with it, by its own clock (time.time)

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

    def run(
        self,
        code: str,
        *,
        timeout_s: float = 120,
        may_fail: bool = False,
        store_history: bool = True,
        on_output: Callable[[Cell], None] | None = None,
    ) -> Cell:
        """Execute a cell; a failure of it is a failure of the test unless it may fail.

        ``on_output`` is called after each output, with the cell so far. Variable views do not store the code that they
        execute.
        """
        cell, begun = Cell(), time.monotonic()

        def take(message: dict[str, Any]) -> None:
            _collect(cell, message)
            if on_output:
                on_output(cell)

        try:
            self._client.execute_interactive(
                code,
                allow_stdin=self._allow_stdin,
                store_history=store_history,
                timeout=timeout_s,
                output_hook=take,
                stdin_hook=lambda message: self._client.input(self.answer),
            )
        finally:
            if threading.current_thread() is not threading.main_thread():
                ensure_event_loop().close()  # made for this thread by jupyter_core, which leaves it open
        cell.seconds = time.monotonic() - begun
        assert may_fail or not cell.error, cell.error
        return cell

    def complete(self, code: str, timeout_s: float = 30) -> dict[str, Any]:
        """What Tab gives at the end of the code."""
        reply: dict[str, Any] = self._client.complete(code, len(code), reply=True, timeout=timeout_s)["content"]
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

    def variables(self) -> dict[str, str]:
        """What JupyterLab's variable view shows: the kernel's control thread answers."""
        client = self._client
        content = {"type": "request", "seq": 1, "command": "inspectVariables", "arguments": {}}
        client.control_channel.send(client.session.msg("debug_request", content))
        found = client.get_control_msg(timeout=30)["content"]["body"]["variables"]
        return {one["name"]: one["value"] for one in found}

    def run_aside(self, code: str, *, begins_with: str = "execute_input") -> Callable[[], Cell]:
        """Begin to execute a cell; returns what waits for its end. Nothing else may be run meanwhile.

        It has begun with the first message of that type; ``stream`` means that its first line prints, and that the
        kernel is past the moments before it, in which an interrupt would make it forget to answer.
        """
        asked, cell = self._client.execute(code, allow_stdin=False), Cell()

        def collect_until(kind: str, state: str | None = None) -> None:
            while True:
                message = self._client.get_iopub_msg(timeout=60)
                if message["parent_header"].get("msg_id") == asked:
                    _collect(cell, message)
                    if message["msg_type"] == kind and message["content"].get("execution_state") == state:
                        return

        collect_until(begins_with)

        def end() -> Cell:
            collect_until("status", "idle")
            return cell

        return end

    def click(self, comm_id: str) -> None:
        """Click a button as JupyterLab does while a cell runs: by a message on a subshell."""
        client = self._client
        if self._subshell is None:
            asked = client.session.msg("create_subshell_request", {})
            client.control_channel.send(asked)
            self._subshell = client.get_control_msg(timeout=10)["content"]["subshell_id"]
        data = {"method": "custom", "content": {"event": "click"}}
        message = client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        message["header"]["subshell_id"] = self._subshell
        client.shell_channel.send(message)

    def wait_for_shown(self, words: str) -> None:
        """Return when a text with these words is shown, in whatever cell."""
        while True:
            content = self._client.get_iopub_msg(timeout=30)["content"]
            if words in content.get("data", {}).get("text/plain", ""):
                return

    answer = "n"
    _subshell: str | None = None

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
        """Shut it down and return when its process had ended, as time.time (jupyter_client looks less often)."""
        ended: list[float] = []
        if not self._is_ended:
            self._is_ended = True
            watch = threading.Thread(target=lambda: ended.append(_end_of(self.pid)))
            watch.start()
            self._client.stop_channels()
            self._manager.shutdown_kernel()
            watch.join()
        return ended[0] if ended else 0.0

    def _connect(self) -> None:
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)


def _end_of(pid: int) -> float:
    """When the process ended, waited for or not."""
    process = psutil.Process(pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            time.sleep(0.005)
    return time.time()


def _collect(cell: Cell, message: dict[str, Any]) -> None:
    content = message["content"]
    kind = message["msg_type"]
    if kind == "stream":
        name = content["name"]
        setattr(cell, name, getattr(cell, name) + content["text"])
        cell.written.append((message["header"]["date"].timestamp(), content["text"]))
    elif kind == "status" and content["execution_state"] == "idle":
        cell.ended_at = message["header"]["date"].timestamp()
    elif kind == "error":
        cell.error = "\n".join(content["traceback"])
        cell.ename, cell.evalue = content["ename"], content["evalue"]
    elif kind in ("display_data", "update_display_data", "execute_result") and content["data"]:  # else a sign of life
        cell.bundles.append(content["data"])
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

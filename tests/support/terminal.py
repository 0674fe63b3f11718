"""A command on a pseudo terminal, as a person sees and drives it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Terminal:
    """A command on a pseudo terminal of so many columns; ``seen`` is everything that it wrote."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], folder: Path, columns: int = 100) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.process = subprocess.Popen(
            list(words),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm", **env},
            cwd=folder,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509  # the tests have no threads then
        )
        os.close(slave)
        self.seen = ""

    def wait_for(self, text: str, deadline_s: float = 60) -> str:
        """Read until the text has come; returns all that was seen."""
        end = time.monotonic() + deadline_s
        while text not in self.seen:
            assert time.monotonic() < end, f"never saw {text!r} in {self.seen[-2000:]!r}"
            if not self._read(0.2) and self.process.poll() is not None and text not in self.seen:
                raise AssertionError(f"ended without {text!r}: {self.seen[-2000:]!r}")
        return self.seen

    def type(self, text: str) -> None:
        """Type; the character of code 3 is Ctrl-C."""
        os.write(self._master, text.encode())

    def end(self, deadline_s: float = 60) -> int:
        """Read on until it ends; returns the exit code."""
        end = time.monotonic() + deadline_s
        while self.process.poll() is None:
            assert time.monotonic() < end, f"does not end: {self.seen[-2000:]!r}"
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def close(self) -> None:
        """End it whatever it is doing."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._master], [], [], wait_s)[0]:
            return False
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            return False
        self.seen += piece.decode("utf-8", "replace")
        return bool(piece)


def _take_terminal() -> None:
    """Make the terminal the controlling one, so that Ctrl-C becomes a signal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

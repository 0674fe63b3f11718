"""A PID namespace of its own for a command, as a container has one."""

from __future__ import annotations

import subprocess
import sys

import pytest


def in_a_pid_namespace(*, has_proc: bool = True) -> list[str]:
    """The words before the command; an ordinary user also needs a user namespace. Skips where neither is allowed.

    Without ``/proc`` of its own the command sees that of this machine, whose pids mean nothing to it. All its processes
    end with the first.
    """
    if sys.platform != "linux":
        pytest.skip("only Linux has PID namespaces")
    proc = ["--mount-proc"] if has_proc else []
    for user in ([], ["--user", "--map-current-user"]):
        words = ["unshare", *user, "--pid", "--fork", "--kill-child", *proc]
        tried = subprocess.run([*words, "true"], check=False, capture_output=True, text=True)
        if tried.returncode == 0:
            return words
    pytest.skip(f"this machine allows no PID namespaces: {tried.stderr.strip()}")

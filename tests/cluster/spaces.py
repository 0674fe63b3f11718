"""Makes the namespaces that a cluster lives in, gives orders to process 1 in them, and runs commands inside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from .cache import CannotBuild
from .layout import Layout

SUPERVISOR = Path(__file__).with_name("supervisor.py")
UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
START_LIMIT_S = 10.0
END_LIMIT_S = 30.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NumberTaken(CannotBuild):
    """Another cluster has the number."""


def claim(layout: Layout) -> None:
    """Create the control groups: the process that creates them owns the number."""
    for group in layout.groups:
        try:
            group.mkdir()
        except FileExistsError as exc:
            raise NumberTaken(f"another cluster on this machine has the number {layout.number} ({group})") from exc
        _inherit(group)
        _weigh(group)


def start(layout: Layout, tied: bool) -> tuple[subprocess.Popen[bytes], int]:
    """Start process 1; tied: it ends all when this process dies. Gives `unshare` and the pid as the machine sees it."""
    command = [
        *UNSHARE,
        sys.executable,
        "-S",
        "-E",
        SUPERVISOR,
        layout.folder,
        "tied" if tied else "free",
        *layout.groups,
    ]
    with (layout.folder / "logs/supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    until = time.monotonic() + START_LIMIT_S
    while not (layout.folder / "control.sock").exists():
        if process.poll() is not None or time.monotonic() > until:
            said = " ".join((layout.folder / "logs/supervisor.log").read_text().split())
            raise CannotBuild(f"the cluster's namespaces did not come up (is this root?): {said[-300:] or 'no answer'}")
        time.sleep(0.02)
    return process, int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())


def _inherit(group: Path) -> None:
    """Give a new cpuset of version 1 its cores and memory: without them nothing can join it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not (group / name).read_text().strip():
            (group / name).write_text((group.parent / name).read_text())


def _weigh(group: Path) -> None:
    """Let all pods together weigh as much as the cores that the node offers; else they weigh as one process does."""
    cores = os.cpu_count() or 1
    for name, weight in (("cpu.shares", 1024 * cores), ("cpu.weight", 100 * cores)):
        if (group / name).exists():
            (group / name).write_text(str(min(weight, 10_000) if name == "cpu.weight" else weight))


def order(layout: Layout, do: str, **more: object) -> dict[str, object]:
    """Give process 1 one order; its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(120)
        connection.connect(str(layout.folder / "control.sock"))
        with connection.makefile("rw") as stream:
            stream.write(json.dumps({"do": do, **more}) + "\n")
            stream.flush()
            answer: dict[str, object] = json.loads(stream.readline())
    if "error" in answer:
        raise CannotBuild(f"the cluster cannot {do} {more.get('name', '')}: {answer['error']}")
    return answer


def start_process(layout: Layout, name: str, argv: list[str | Path]) -> None:
    """Start one of the cluster's processes."""
    env = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": str(layout.folder), "TMPDIR": "/tmp"}
    order(layout, "start", name=name, argv=[str(word) for word in argv], env=env)


def stop_process(layout: Layout, name: str, how: signal.Signals = signal.SIGTERM, limit_s: float = 60) -> None:
    """End one of the cluster's processes and wait for it."""
    order(layout, "stop", name=name, signal=int(how), limit_s=limit_s)


def inside(pid: int, *argv: str | Path, given: str | None = None, limit_s: int = 120) -> str:
    """Run a command in the namespaces; its output."""
    words = ["nsenter", "--target", str(pid), "--mount", "--net", "--pid", "--", *(str(word) for word in argv)]
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode:
        raise CannotBuild(f"{' '.join(words[7:13])} failed: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


def piped(pid: int, *argv: str | Path) -> subprocess.Popen[bytes]:
    """Start a command in the namespaces that reads its input from us."""
    words = ["nsenter", "--target", str(pid), "--mount", "--net", "--pid", "--", *(str(word) for word in argv)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def input_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Give the pipe into a process started by `piped`."""
    assert process.stdin
    return process.stdin


def end(layout: Layout, unshare: int | None) -> None:
    """End process 1, and with it everything; by force when it does not answer. Then drop what the machine still has."""
    with contextlib.suppress(OSError, CannotBuild):
        order(layout, "end")
    until = time.monotonic() + END_LIMIT_S
    while unshare and _lives(unshare, layout):
        if time.monotonic() > until:
            os.kill(unshare, signal.SIGKILL)  # which kills process 1, which kills all
            until += END_LIMIT_S
        time.sleep(0.05)
    for group in layout.groups:
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()


def forget(process: subprocess.Popen[bytes] | None) -> None:
    """Close the pipe to a process that has ended, and take its exit code."""
    if process:
        if process.stdin:
            process.stdin.close()
        process.wait()


def _lives(pid: int, layout: Layout) -> bool:
    """Tell whether that pid is still our `unshare`: it names the cluster's folder; a zombie names nothing."""
    try:
        return str(layout.folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False

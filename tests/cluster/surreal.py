"""A real SurrealDB server for the tests, built from the Rust crate registry, and run as one process.

The server's crate is a library; a `main` of one line makes it a program. Cargo alone would choose newer parts, with
which it does not compile: the build starts from the lock that the crate itself was published with, as Cargo unpacks it.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx

from . import cache, versions

SOURCES = Path(__file__).parent / "rust"
USER, PASSWORD = "root", "a password"
START_LIMIT_S = 30.0
START_TRIES = 5


def missing() -> str | None:
    """Say in one line why it cannot be built here, or nothing."""
    if shutil.which("cargo") or not not_built():
        return None
    return "cargo is not on PATH (Rust builds the SurrealDB server)"


def _recipe() -> tuple[str, str]:
    manifest = (SOURCES / "surreal.toml").read_text().replace("{version}", versions.SURREAL)
    return manifest, (SOURCES / "surreal.rs").read_text()


def not_built() -> str | None:
    """Say in one line that it has to be built first, or nothing."""
    return cache.not_built(server)


def server() -> Path:
    """Give the server's program, built the first time: 13 minutes on 2 quiet cores."""
    manifest, source = _recipe()

    def build(work: Path) -> None:
        (work / "src").mkdir()
        (work / "src/main.rs").write_text(source)
        (work / "Cargo.toml").write_text(manifest)
        known = json.loads(cache.run("cargo", "metadata", "--format-version=1", cwd=work))
        crate = next(each for each in known["packages"] if each["name"] == "surrealdb-server")
        shutil.copy(Path(crate["manifest_path"]).with_name("Cargo.lock"), work / "Cargo.lock")
        flags = {"RUSTFLAGS": "--cfg surrealdb_unstable", "CARGO_TARGET_DIR": str(work / "target")}
        cache.run("cargo", "build", "--release", cwd=work, env=flags, limit_s=2 * cache.BUILD_LIMIT_S)
        (work / "target/release/surreal-test-server").rename(work / "surreal-test-server")
        shutil.rmtree(work / "target")

    return cache.built(f"surreal-{versions.SURREAL}", (manifest, source), build) / "surreal-test-server"


class Server:
    """One server process; ``url`` stays the same when it is killed and started again.

    Parameters
    ----------
    storage
        ``mem://``, or ``surrealkv://<folder>`` for what must outlive the process.
    address
        Where it listens; a cluster's pods reach what listens on the machine's end of their cable.
    needs_sign_in
        Whether callers must sign in as :data:`USER` with :data:`PASSWORD` first.
    """

    def __init__(self, storage: str = "mem://", *, address: str = "127.0.0.1", needs_sign_in: bool = False) -> None:
        self._program = server()
        self._storage = "memory" if storage == "mem://" else storage
        self._address = address
        self._access = ("--username", USER, "--password", PASSWORD) if needs_sign_in else ("--unauthenticated",)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"ws://{self._address}:{self._port}"

    def start(self) -> None:
        """Start, on the port of the last time, and wait until it answers."""
        for _ in range(START_TRIES):
            port = self._port or _free_port(self._address)
            bind = ("--bind", f"{self._address}:{port}")
            quiet = ("--no-banner", "--log", "error")
            self._process = subprocess.Popen([self._program, "start", *quiet, *bind, *self._access, self._storage])
            if self._answers(port):
                self._port = port
                return
            self.kill()
        raise RuntimeError("the SurrealDB server did not start: its output above says why")

    def kill(self) -> None:
        """End it as kill -9 does; it may be down already."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order; it may be down already."""
        self._end(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send a signal to it (SIGSTOP: a server that is there and says nothing, from now on)."""
        assert self._process
        self._process.send_signal(number)
        until = time.monotonic() + START_LIMIT_S
        while number == signal.SIGSTOP and not self._stands():
            assert time.monotonic() < until, "the SurrealDB server goes on"
            time.sleep(0.01)

    def _stands(self) -> bool:
        """Whether each of its threads has stopped: one that still runs may answer."""
        assert self._process
        stats = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return {stat.read_text().rpartition(")")[2].split()[0] for stat in stats} == {"T"}

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process:
            process.send_signal(how)
            process.wait()

    def _answers(self, port: int) -> bool:
        assert self._process
        until = time.monotonic() + START_LIMIT_S
        with httpx.Client(trust_env=False, timeout=2) as client:
            while self._process.poll() is None and time.monotonic() < until:
                try:
                    if client.get(f"http://{self._address}:{port}/health").status_code == 200:
                        return True
                except httpx.TransportError:
                    time.sleep(0.02)
        return False


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])

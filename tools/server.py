"""Starts a Jupyter server, for the benchmarks and the README's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import httpx

WAIT_S = 60.0


class Server:
    """A Jupyter server on a free loopback port; entering the context waits for its first response.

    Parameters
    ----------
    folder
        Its root and working directory; ``server.log`` goes there.
    flags
        Further arguments.
    application
        ``jupyterlab`` or ``jupyter_server``.
    """

    def __init__(self, folder: Path, flags: Sequence[str] = (), application: str = "jupyterlab") -> None:
        root = ["--allow-root"] if os.geteuid() == 0 else []
        self._command = [sys.executable, "-m", application, "--no-browser", "--ServerApp.port=0", *root, *flags]
        self._folder = folder
        self._client: httpx.Client | None = None

    def __enter__(self) -> httpx.Client:
        """Start the server; return a client with its token."""
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log)
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if client := self._answering_client():
                self._client = client
                return client
            time.sleep(0.005)
        self.__exit__(None, None, None)
        raise RuntimeError(
            "Jupyter did not respond: " + (self._folder / "server.log").read_text(errors="replace")[-2000:]
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        if self._client is not None:
            self._client.close()
        self._process.terminate()
        self._process.wait(WAIT_S)

    def _answering_client(self) -> httpx.Client | None:
        info_file = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{self._process.pid}.json"
        try:
            info = json.loads(info_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not written yet, or only in part
            return None
        headers = {"Authorization": f"token {info['token']}"}
        client = httpx.Client(base_url=info["url"], headers=headers, trust_env=False, timeout=WAIT_S)
        try:
            client.get("api").raise_for_status()
        except httpx.TransportError:
            client.close()
            return None
        return client

"""P11: what Rucat adds to a kernel (`%load_ext`) and to the start of JupyterLab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
from jupyter_client.manager import start_new_kernel

from .harness import Figure, alternate

LOAD = """
import sys, time
started = time.perf_counter()
get_ipython().run_line_magic("load_ext", "{name}")
print(time.perf_counter() - started)
assert "pyspark" not in sys.modules
"""
WAIT_S = 60.0


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Load into fresh kernels, beside an extension that does nothing; start servers with and without ours."""
    (folder / "nothing_ext.py").write_text("def load_ipython_extension(shell):\n    pass\n", encoding="utf-8")
    pairs = 3 if quick else 9
    loads = alternate(lambda: _load("rucat_jupyter", folder), lambda: _load("nothing_ext", folder), pairs)
    starts = alternate(lambda: _start(folder, True), lambda: _start(folder, False), pairs, with_cpu=True)
    return [
        Figure("P11 kernel", "%load_ext rucat_jupyter", "%load_ext of nothing", *loads, compare="ours", bar=0.200),
        Figure("P11 server", "JupyterLab start with Rucat", "without", *starts, compare="ratio", bar=1.03),
    ]


def _load(name: str, folder: Path) -> float:
    """Seconds that ``%load_ext`` takes in a fresh kernel."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    printed: list[str] = []
    try:
        reply = client.execute_interactive(
            LOAD.format(name=name),
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
            timeout=WAIT_S,
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"%load_ext {name}: {reply['content']}")
    return float("".join(printed))


def _start(folder: Path, with_rucat: bool) -> float:
    """Seconds from the start of JupyterLab's process to its first answer."""
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    started = time.perf_counter()
    with Server(folder, [f"--ServerApp.jpserver_extensions=rucat_jupyter={with_rucat}"], runtime):
        return time.perf_counter() - started


class Server:
    """A JupyterLab of our own on a free port, from its first answer to its end."""

    def __init__(self, folder: Path, flags: list[str], runtime: Path) -> None:
        root = ["--allow-root"] if os.geteuid() == 0 else []
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0", *root, *flags]
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(command, cwd=folder, stdout=self._log, stderr=self._log)
        self._info = runtime / f"jpserver-{self._process.pid}.json"

    def __enter__(self) -> httpx.Client:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                info = json.loads(self._info.read_text(encoding="utf-8"))
                headers = {"Authorization": f"token {info['token']}"}
                client = httpx.Client(base_url=info["url"], headers=headers, trust_env=False, timeout=WAIT_S)
                client.get("api").raise_for_status()
            except (OSError, ValueError, httpx.TransportError):
                time.sleep(0.005)
            else:
                self._client = client
                return client
        self.__exit__()
        raise RuntimeError(f"JupyterLab did not answer; its log is {self._log.name}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(WAIT_S)
        self._log.close()

"""P11: the time that Rucat adds to a kernel (`%load_ext`) and to the start of JupyterLab."""

from __future__ import annotations

import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from tools.server import WAIT_S, Server

from .harness import Figure, alternate

LOAD = """
import sys, time
started = time.perf_counter()
get_ipython().run_line_magic("load_ext", "{name}")
print(time.perf_counter() - started)
assert "pyspark" not in sys.modules
"""


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Load it into fresh kernels, beside an extension that does nothing; start servers with and without Rucat."""
    (folder / "nothing_ext.py").write_text("def load_ipython_extension(shell):\n    pass\n", encoding="utf-8")
    loads = alternate(lambda: _load("rucat_jupyter", folder), lambda: _load("nothing_ext", folder), 3 if quick else 9)
    pairs = 3 if quick else 21  # the CPU time of identical starts varies by half and more
    starts = alternate(lambda: _start(folder, True), lambda: _start(folder, False), pairs, with_cpu=True)
    return [
        Figure("P11 kernel", "%load_ext rucat_jupyter", "%load_ext of nothing", *loads, compare="ours", bar=0.200),
        Figure("P11 server", "JupyterLab start with Rucat", "without", *starts, compare="ratio", bar=1.03),
    ]


def _load(name: str, folder: Path) -> float:
    """Measure the seconds of ``%load_ext`` in a fresh kernel."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), extra_arguments=["--log-level=ERROR"])
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
    """Measure the seconds from the start of JupyterLab's process to its first response."""
    started = time.perf_counter()
    with Server(folder, [f"--ServerApp.jpserver_extensions=rucat_jupyter={with_rucat}"]):
        return time.perf_counter() - started

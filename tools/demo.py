"""Runs the quickstart on a real engine, prints each output as it comes, and ends everything that it started.

All that Rucat, Jupyter and the notebook write goes into one temp folder, which is removed at the end, also after
Ctrl-C. The exit code is that of the notebook: 0, 1 after a failed cell, 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from leftovers import describe_and_kill, left_processes

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "01_quickstart.ipynb"
OURS = ("RUCAT_", "JUPYTER_", "JPY_", "IPYTHON", "XDG_", "MPL")


def main() -> int:
    """Run the demo."""
    folder = Path(tempfile.mkdtemp(prefix="rucat-demo-")).resolve()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _move_into(folder)
        code = run(NOTEBOOK)
    except KeyboardInterrupt:
        print("\nInterrupted.", flush=True)
        code = 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the clean-up is short, and must be whole
        left = end_all(folder)
    for line in left:
        print(f"LEFT BEHIND, now ended: {line}", file=sys.stderr)
    return code or bool(left)


def run(notebook: Path) -> int:
    """Execute the cells one after another in a kernel whose folder is the notebook's; stop at the first error."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(notebook.parent))
    try:
        return _run_cells(cells, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def end_all(folder: Path) -> list[str]:
    """End engines and gateway, remove the folder; return what had to be ended by force."""
    print("\nEnding the engine and the gateway ...", flush=True)
    subprocess.run([sys.executable, "-m", "rucat_jupyter", "serve", "--stop", "--engines"], check=False)
    left = [describe_and_kill(process) for process in left_processes(str(folder))]
    shutil.rmtree(folder)
    return left


def _move_into(folder: Path) -> None:
    """Point everything that has a place of its own into the folder."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    places = {
        "HOME": "home",
        "TMPDIR": "tmp",
        "JUPYTER_RUNTIME_DIR": "rt",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "share",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "mpl",
    }
    for variable, name in places.items():
        (folder / name).mkdir(mode=0o700)
        os.environ[variable] = str(folder / name)
    os.environ["RUCAT_DATA_DIR"] = str(folder / "data")
    tempfile.tempdir = None


def _run_cells(cells: Sequence[Mapping[str, Any]], client: BlockingKernelClient) -> int:
    number = 0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            print(f"\n{source}", flush=True)
        elif cell["cell_type"] == "code" and source.strip():
            number += 1
            prompt = f"In [{number}]: "
            print(f"\n{prompt}" + source.replace("\n", "\n" + " " * len(prompt)), flush=True)
            reply = client.execute_interactive(source, output_hook=_show, allow_stdin=False)
            if reply["content"]["status"] != "ok":
                return 1
    return 0


def _show(message: Mapping[str, Mapping[str, Any]]) -> None:
    """Print one output."""
    kind, content = message["header"]["msg_type"], message["content"]
    if kind == "stream":
        print(content["text"], end="", flush=True)
    elif kind in ("display_data", "execute_result", "update_display_data"):
        print(content["data"].get("text/plain", ""), flush=True)
    elif kind == "error":
        print("\n".join(content["traceback"]), flush=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

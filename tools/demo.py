"""Runs the quickstart on a real engine, prints each output as it appears, and ends everything that it started.

The exit code is 0; 1 after a failed cell, or if a process had to be killed; 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from .private import LeftBehind, private_folder

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "01_quickstart.ipynb"

QUIET = ["--log-level=ERROR"]  # the kernel's log is not an output of a cell


def main() -> int:
    """Run the demo."""
    try:
        with private_folder("rucat-demo-"):
            return run(NOTEBOOK)
    except KeyboardInterrupt:
        print("\nInterrupted; all processes have ended.", file=sys.stderr)
        return 130
    except LeftBehind as exc:
        print(exc, file=sys.stderr)
        return 1


def run(notebook: Path) -> int:
    """Execute the cells in a kernel in the notebook's folder; stop at the first error."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(notebook.parent), extra_arguments=QUIET)
    try:
        return _run_cells(cells, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


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
            reply = client.execute_interactive(source, output_hook=_Printer())
            if reply["content"]["status"] != "ok":
                return 1
    return 0


class _Printer:
    """Prints outputs as they appear; prints a live phase again only if more than its numbers changes."""

    def __init__(self) -> None:
        self._phase = ""

    def __call__(self, message: Mapping[str, Mapping[str, Any]]) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            print(content["text"], end="", flush=True)
        elif kind in ("display_data", "execute_result", "update_display_data"):
            shown = content["data"].get("text/plain", "")
            phase = re.sub(r"[0-9]+", "0", shown)
            if kind != "update_display_data" or phase != self._phase:
                print(shown, flush=True)
            self._phase = phase
        elif kind == "error":
            print("\n".join(content["traceback"]), flush=True)


if __name__ == "__main__":
    sys.exit(main())

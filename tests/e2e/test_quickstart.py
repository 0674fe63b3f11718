"""`make demo` runs the quickstart on a real engine, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tools.leftovers import left_processes

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
DEMO = [sys.executable, "-m", "tools.demo"]


def temp_entries() -> set[str]:
    """What is in the temp dir, apart from pytest's own."""
    return {path.name for path in Path(tempfile.gettempdir()).iterdir() if not path.name.startswith("pytest-of-")}


def test_notebook_is_kept_without_outputs() -> None:
    """The quickstart is in the repository without outputs and counts."""
    cells = [c for c in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert [([], None)] * len(cells) == [(cell["outputs"], cell["execution_count"]) for cell in cells]


@pytest.mark.engine
def test_demo_runs_the_quickstart_and_leaves_nothing() -> None:
    """`make demo` prints the output of every cell, including the weights of the penguins, and leaves nothing behind."""
    before = temp_entries()
    done = subprocess.run(DEMO, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    promised = [
        "● quickstart  Running on this machine",
        "body_mass_g: integer",
        "Gentoo    124        1       5076.0",  # counted by hand from the file
        "all    342  0.87",
        "<Figure size",
        "○ quickstart  Stopped",
    ]
    assert [text for text in promised if text not in done.stdout] == [], done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert before == temp_entries()


@pytest.mark.all
@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "number"),
    [("Pending on this machine", signal.SIGINT), ("Running on this machine", signal.SIGTERM)],
    ids=["Ctrl-C while it starts", "SIGTERM while it runs"],
)
def test_interrupted_demo_leaves_nothing(moment: str, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM ends everything that the demo has started, and removes its folder."""
    before = temp_entries()
    with subprocess.Popen(DEMO, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        for line in demo.stdout:
            if moment in line:
                break
        folders = temp_entries() - before
        os.kill(demo.pid, number)
        rest = demo.communicate(timeout=120)[0]
    assert demo.returncode == 130, rest
    assert [name for name in folders if left_processes(name, wait_s=0)] == []
    assert before == temp_entries()

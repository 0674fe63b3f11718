"""The second notebook runs from top to bottom, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.place import Place, place_in

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "02_manage.ipynb"
RUNNER = ["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "02_manage.ipynb"]
PROMISED = {
    "%rucat profiles": "local (default)",
    "%rucat profiles local --explain": "built in (profile local)",
    "%rucat plan": "manage would be created on this machine",
    "%rucat create": "● manage  Running on this machine",
    "%rucat status": "spark.sql.shuffle.partitions=8",
    "%rucat list": "1 notebook",
    "%%rucat sql --arg": "first 5 of 123 rows; gentoo has all",
    "print(f": "123 birds of 5076 g",
    "%%rucat sql --chart": "image/png",
    "spark.range(": "done in ",
    "import time": "project ← range",
    "for operation": "Cancelled on manage after",
    "%rucat error": "Did you mean one of the following? [`body_mass_g`",
    "%rucat save": "Settings of manage are in this cell's output",
    "%rucat restart": "restarted (run 2) with --driver-memory 2g",
    "[table.name": "[]",
    "penguins = ": "344",
    "%rucat attach": "second is attached",
    "second.sql": "{'spark': ['penguins'], 'second': ['mine']}",
    "%rucat logs": "INFO",
    "%rucat history": "driver.memory 1g -> 2g",
    "%rucat doctor": " 0 bad",
    "%rucat stop": "○ manage  Stopped",
    "%rucat delete": "manage is deleted.",
}
"""How a cell begins -> what it shows; figures are counted by hand from the file."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A private home with the notebooks; at its end it fails if anything is left."""
    with place_in(tmp_path) as place:
        shutil.copytree(ROOT / "notebooks", place.root / "notebooks")
        yield place


def cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found if cell["cell_type"] == "code"]


def shown(cell: dict[str, Any]) -> str:
    """Everything that a cell shows, as text, with the kinds of pictures."""
    parts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        parts += ["".join(text) for text in (output.get("text", ""), data.get("text/plain", ""))]
        parts += [kind for kind in data if kind.startswith("image/")]
    return "\n".join(parts)


def test_notebook_is_kept_without_outputs() -> None:
    """It is in the repository without outputs and counts."""
    found = cells(NOTEBOOK)
    assert [([], None)] * len(found) == [(cell["outputs"], cell["execution_count"]) for cell in found]


@pytest.mark.all
@pytest.mark.engine
@pytest.mark.timeout(600)
def test_it_runs_from_top_to_bottom_and_leaves_nothing(place: Place) -> None:
    """Every cell shows what the text above it promises; no widget, no trace of Rucat, no engine at the end."""
    command = [sys.executable, *RUNNER]
    done = subprocess.run(
        command, env=place.env, cwd=place.root / "notebooks", capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    path = place.root / "notebooks" / "02_manage.ipynb"
    found = [(cell["source"], shown(cell)) for cell in cells(path)]
    for start, words in PROMISED.items():
        assert words in next(text for source, text in found if source.startswith(start)), (start, words)
    assert found[-1][1].startswith("No engines yet")
    everything = "\n".join(text for _, text in found)
    assert [word for word in ("Traceback", "◌", "widget", "SPARK_REMOTE") if word in everything] == []
    assert "error" not in {output["output_type"] for cell in cells(path) for output in cell["outputs"]}

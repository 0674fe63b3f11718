"""One list of cells says the same in a notebook, nbconvert, papermill, plain IPython, a script and a text front end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support.notebook import Kernel, ipython
from support.place import Place

from .conftest import ENGINE

pytestmark = pytest.mark.engine

CELLS = [
    "%load_ext rucat_jupyter",
    f"%rucat attach {ENGINE}",
    "print('sum', spark.range(rows).selectExpr('sum(id)').first()[0])",
    "%rucat sql select 1 + 1 as two",
    f"found = %rucat status {ENGINE}\nprint('status', found.status)",
    "%rucat detach",
]
WANTED = ["spark is attached", "sum 45", "two", "status Running", "spark is unbound"]


@pytest.mark.all
def test_every_front_end_shows_the_same_text(place: Place, engine: str, notebook: Callable[..., Kernel]) -> None:
    """The same text everywhere, and never the error of a widget that the front end cannot show."""
    said = {
        "kernel": _in_a_kernel(notebook("same")),
        "nbconvert": _converted(place, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "{}"),
        "papermill": _converted(place, "-m", "papermill", "{}", "{}", "-p", "rows", "10", "--no-progress-bar"),
        "ipython": _run(place, *ipython("-c", "\n".join(["rows = 10", *CELLS]))[1:]),
        "script": _run(place, *ipython(str(_script(place)))[1:]),
    }
    for where, shown in said.items():
        for wanted in WANTED:
            assert wanted in shown, f"{where}: {wanted!r} is not in {shown}"
        assert "Error" not in shown, f"{where}: {shown}"
        assert "Traceback" not in shown, f"{where}: {shown}"
        assert "model not found" not in shown, where
    facts = {where: re.findall(r"sum \d+|status \w+", shown) for where, shown in said.items()}
    assert len({tuple(found) for found in facts.values()}) == 1, facts


def _in_a_kernel(mine: Kernel) -> str:
    """As a front end that knows text alone (VS Code's notebook output as text, a console): text/plain of everything."""
    mine.run("rows = 10")
    return "\n".join(mine.run(cell).text for cell in CELLS)


def _converted(place: Place, *command: str) -> str:
    path = place.root / f"same-{command[1]}.ipynb"
    first = nbformat.v4.new_code_cell("rows = 10", metadata={"tags": ["parameters"]})
    made = nbformat.v4.new_notebook(cells=[first, *(nbformat.v4.new_code_cell(cell) for cell in CELLS)])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, path)
    _run(place, *(word.format(path) for word in command))
    return "\n".join(_texts(json.loads(path.read_text())))


def _texts(made: dict[str, Any]) -> list[str]:
    outputs = [output for cell in made["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]
    return ["".join(o.get("text", "")) + "".join(o.get("data", {}).get("text/plain", "")) for o in outputs]


def _script(place: Place) -> Path:
    path = place.root / "same.ipy"
    path.write_text("\n".join(["rows = 10", *CELLS]))
    return path


def _run(place: Place, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, *args], env=place.env, cwd=place.root, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

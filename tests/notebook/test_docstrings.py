"""The examples in the docstrings of the public Python names, run in a notebook on a real engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.notebook import Kernel
from support.public import examples

pytestmark = pytest.mark.engine
TESTS = str(Path(__file__).parents[1])


def test_every_example_does_what_it_shows(notebook: Callable[..., Kernel]) -> None:
    """Of each public name, one after the other, as typed after ``import rucat_jupyter``."""
    count = sum(len(test.examples) for test in examples(None))
    kernel = notebook()
    kernel.run(f"import sys; sys.path.insert(0, {TESTS!r})\nfrom support.public import run_examples")
    cell = kernel.run("run_examples(get_ipython())", timeout_s=240)
    assert cell.stdout.endswith(f"{count} examples, 0 failed\n"), cell.stdout


def test_help_of_a_public_name_has_its_signature_and_sections(notebook: Callable[..., Kernel]) -> None:
    """``rucat_jupyter.create?`` shows the signature once, and the docstring as it is written."""
    kernel = notebook()
    shown = kernel.run(
        "import rucat_jupyter; print(get_ipython().object_inspect_mime('rucat_jupyter.create')['text/plain'])"
    )
    assert shown.stdout.count("Signature:") == 1
    assert "Get your engine of that name, or create it, and wait until it is Running." in shown.stdout
    assert "timeout_s : float, optional\n    The longest wait in seconds." in shown.stdout

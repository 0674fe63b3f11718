"""The parts of ``make test-all`` leave no test out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from tools import parts

TIERS = {  # as in the Makefile
    "test": "not (cluster or all or timing)",
    "test-cluster": "cluster and not (all or timing)",
}
LISTING = """
import json, sys, pytest
class Listing:
    def pytest_collection_modifyitems(self, items):
        tests = [(item.nodeid, [mark.name for mark in item.iter_markers()]) for item in items]
        print("LISTED " + json.dumps(tests))
sys.exit(pytest.main(["--collect-only", "-q", "tests"], plugins=[Listing()]))
"""


def is_selected(part: parts.Part, node: str, marks: list[str], name: str) -> bool:
    """Whether pytest would run the test in this part."""
    if part.folders and not any(node.startswith(f"tests/{folder}/") for folder in part.folders):
        return False
    return Expression.compile(part.marks or TIERS[name]).evaluate(lambda mark, **_: mark in marks)


@pytest.mark.all
def test_every_test_is_in_one_part() -> None:
    """Each test that pytest finds runs in exactly one part of `make test-all`."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING], cwd=parts.ROOT, capture_output=True, text=True, check=True, timeout=200
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("LISTED "))
    tests = json.loads(line.removeprefix("LISTED "))
    assert len(tests) > 1000
    wrong = {}
    for node, marks in tests:
        found = [name for name, part in parts.PARTS.items() if is_selected(part, node, marks, name)]
        if len(found) != 1:
            wrong[node] = found
    assert not wrong


def test_the_makefile_has_these_tiers() -> None:
    """The marker expressions of the tiers are those of the Makefile."""
    makefile = (Path(parts.ROOT) / "Makefile").read_text(encoding="utf-8")
    assert f'-m "{TIERS["test-cluster"]}"' in makefile
    for excluded in ("lab or cluster or all or timing", "cluster or all or timing"):
        assert f"not ({excluded})" in makefile

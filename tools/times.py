"""Prints the time of each test folder, and the slowest tests.

``python -m tools.times REPORT.xml [REPORT.xml …] [--slowest N]`` reads pytest's JUnit reports, which ``make check``,
``make test``, ``make test-cluster`` and ``make test-all`` write to ``.reports/``.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree


class Test(NamedTuple):
    """One test of a report: its folder below ``tests``, its name, and its seconds (set-up and clean-up included)."""

    folder: str
    name: str
    seconds: float


def read(report: Path) -> list[Test]:
    """Read the tests of one JUnit report.

    Raises
    ------
    OSError, xml.etree.ElementTree.ParseError
        The file does not exist, or is not a report.
    """
    found = []
    for case in ElementTree.parse(report).iter("testcase"):  # trusted: pytest wrote it
        module = case.get("classname", "").removeprefix("tests.")
        name = f"{module.replace('.', '/')}.py::{case.get('name')}"
        found.append(Test(module.split(".")[0], name, float(case.get("time", 0))))
    return found


def table(tests: Iterable[Test], slowest: int = 25) -> str:
    """Format the folders, then the slowest tests.

    Examples
    --------
    >>> print(table([Test("unit", "unit/test_a.py::test_b", 0.5), Test("lab", "lab/test_c.py::test_d", 2.0)]))
    seconds  tests  folder
        2.0      1  lab
        0.5      1  unit
        2.5      2  in all
    <BLANKLINE>
    seconds  test
        2.0  lab/test_c.py::test_d
        0.5  unit/test_a.py::test_b
    """
    tests = sorted(tests, key=lambda test: -test.seconds)
    folders = defaultdict(list)
    for test in tests:
        folders[test.folder].append(test.seconds)
    rows = sorted(((sum(times), len(times), name) for name, times in folders.items()), reverse=True)
    rows.append((sum(test.seconds for test in tests), len(tests), "in all"))
    lines = ["seconds  tests  folder", *(f"{total:7.1f}  {count:5}  {name}" for total, count, name in rows)]
    lines += ["", "seconds  test", *(f"{test.seconds:7.1f}  {test.name}" for test in tests[:slowest])]
    return "\n".join(lines)


def main() -> int:
    """Read the given reports and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.times", description=__doc__)
    parser.add_argument("reports", type=Path, nargs="+", help="JUnit reports, as in .reports/")
    parser.add_argument("--slowest", type=int, default=25, metavar="N", help="how many tests to list; default 25")
    given = parser.parse_args()
    try:
        print(table([test for report in given.reports for test in read(report)], given.slowest))
    except (OSError, ElementTree.ParseError) as exc:
        print(f"times: cannot read the report: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

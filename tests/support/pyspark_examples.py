"""The examples in pyspark's own documentation, run with a given session; needs nothing of these tests."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from pathlib import Path
from typing import Any

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
VARYING = re.compile(r"0x[0-9a-f]+|#\d+L?|[0-9a-f]{8}-[0-9a-f-]{27}|\d+\.\d+|\d+")
"""What differs from one run to the next: addresses, expression ids, UUIDs, random and current values."""


class _Recorder(doctest.DocTestRunner):
    """Records what became of each example: as documented, another output, or another error."""

    def __init__(self) -> None:
        super().__init__(verbose=False, optionflags=FLAGS)
        self.outcomes: list[tuple[str, str]] = []

    def report_success(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self.outcomes.append((f"{test.name}: {example.source.strip()}", "as documented"))

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self.outcomes.append((f"{test.name}: {example.source.strip()}", "output " + VARYING.sub("…", got)))

    def report_unexpected_exception(
        self, out: Any, test: doctest.DocTest, example: doctest.Example, error: Any
    ) -> None:
        self.outcomes.append((f"{test.name}: {example.source.strip()}", f"error {error[0].__name__}"))


def record(module_name: str, spark: Any, path: str | Path) -> None:
    """Run the examples of a module of ``pyspark.sql`` and write their outcomes, as JSON: [[example, outcome], …].

    Parameters
    ----------
    module_name : str
        For example ``functions.builtin``.
    spark : SparkSession
        What the examples call ``spark``.
    path : str or Path
        The file to write.
    """
    module = importlib.import_module(f"pyspark.sql.{module_name}")
    recorder = _Recorder()
    for test in doctest.DocTestFinder().find(module, globs={**vars(module), "spark": spark}):
        recorder.run(test, out=lambda _: None)
    Path(path).write_text(json.dumps(recorder.outcomes))

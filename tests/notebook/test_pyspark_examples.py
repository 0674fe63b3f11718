"""The examples of pyspark's own documentation do the same through our session as through a plain one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import pyspark_examples
from support.notebook import Kernel
from support.place import Place

pytestmark = [pytest.mark.engine, pytest.mark.all]

EXAMPLES = {
    "dataframe": 688,
    "column": 153,
    "functions.builtin": 3579,
    "window": 22,
    "group": 37,
    "readwriter": 96,
    "catalog": 170,
    "udf": 32,
    "types": 134,
}
"""How many each module of Spark 4.3 has that pyspark does not skip itself: 4,911."""
RUN = f"""
import sys
sys.path.insert(0, {str(Path(pyspark_examples.__file__).parent)!r})
import pyspark_examples
pyspark_examples.record({{module!r}}, spark, {{path!r}})
"""
PLAIN = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote({remote!r}).create()
"""


@pytest.fixture(scope="module")
def remotes(place: Place, rest: Callable[..., Any]) -> Iterator[dict[str, str]]:
    """An engine each for plain and ours, because sessions of one engine share tables: name -> address."""
    made = place.run_python("import rucat_jupyter; [rucat_jupyter.create(name) for name in ('plain', 'ours')]")
    assert made.returncode == 0, made.stderr
    yield {name: rest("GET", f"engines/{name}/connection")["remote"] for name in ("plain", "ours")}
    for name in ("plain", "ours"):
        rest("DELETE", f"engines/{name}")


@pytest.mark.parametrize("module", EXAMPLES)
@pytest.mark.timeout(1200)
def test_each_example_does_the_same(
    module: str, place: Place, remotes: dict[str, str], notebook: Callable[..., Kernel], tmp_path: Path
) -> None:
    """The same output or the same error, and for nearly all what the document shows."""
    plain, ours = tmp_path / "plain.json", tmp_path / "ours.json"
    done = place.run_python(
        PLAIN.format(remote=remotes["plain"]) + RUN.format(module=module, path=str(plain)), timeout_s=900
    )
    assert done.returncode == 0, done.stderr
    mine = notebook(f"examples-{module}")
    mine.run("%rucat attach ours")
    mine.run(RUN.format(module=module, path=str(ours)), timeout_s=900)
    expected, found = json.loads(plain.read_text()), json.loads(ours.read_text())
    assert len(expected) == EXAMPLES[module]
    assert found == expected
    assert sum(outcome == "as documented" for _, outcome in expected) > 0.9 * EXAMPLES[module]

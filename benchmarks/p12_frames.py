"""P12: a DataFrame as the last value of a cell (columns as a table) : pyspark's own text of the same frame."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from pyspark.sql.connect.session import SparkSession
from traitlets.config import Config

import rucat_jupyter
from rucat_jupyter.client.api import engine_path
from rucat_jupyter.client.engines.engine import default_api
from rucat_jupyter.client.session import lookups

from .harness import Figure, alternate

COLUMNS = 20


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """A new frame each time, so its schema is asked for; the formatting of IPython is a part of both sides."""
    engine = rucat_jupyter.create("p12")
    remote = default_api().call("GET", engine_path(engine.id, "connection"))["remote"]
    raw_spark = SparkSession.builder.remote(remote).create()
    shell: Any = InteractiveShell.instance(config=Config({"HistoryManager": {"hist_file": ":memory:"}}))
    rucat_jupyter.load_ipython_extension(shell)
    spark = engine.connect("p12")
    names = [f"id as c{number}" for number in range(COLUMNS)]

    def ours() -> float:
        frame = spark.range(3).selectExpr(*names)
        started = time.perf_counter()
        bundle, _ = shell.display_formatter.format(frame)
        wall_s = time.perf_counter() - started
        assert "<table>" in bundle["text/html"]
        return wall_s

    def raw() -> float:
        frame = raw_spark.range(3).selectExpr(*names)
        started = time.perf_counter()
        assert lookups.plain_repr(frame).startswith("DataFrame[c0: bigint")
        return time.perf_counter() - started

    try:
        alternate(ours, raw, 3)  # warm-up of the engine; not measured
        series = alternate(ours, raw, 7 if quick else 31)
    finally:
        raw_spark.stop()  # a plain session retries for minutes after its engine has ended
    return [
        Figure("P12", f"a frame of {COLUMNS} columns", "pyspark's text of it", *series, compare="difference", bar=0.050)
    ]

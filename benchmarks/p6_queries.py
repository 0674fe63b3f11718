"""P6: small queries in Rucat's session (tagged, tracked, with a bar) : a plain session on the same engine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from pyspark.sql.connect.session import SparkSession
from traitlets.config import Config

import rucat_jupyter
from rucat_jupyter.client.api import engine_path
from rucat_jupyter.client.cells import ipython_hooks
from rucat_jupyter.client.engines.engine import default_api

from .harness import Figure, alternate

QUERIES = 1000
BLOCK = 50
"""Queries before the sides alternate, so that other load of the machine affects both."""


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Run Rucat's queries in a cell of IPython, as a notebook does; both sessions exist all the time."""
    engine = rucat_jupyter.create("p6")
    remote = default_api().call("GET", engine_path(engine.id, "connection"))["remote"]
    shell: Any = InteractiveShell.instance(config=Config({"HistoryManager": {"hist_file": ":memory:"}}))
    ipython_hooks.install(shell)
    ours, raw = engine.connect("p6"), SparkSession.builder.remote(remote).create()
    shell.user_ns.update(spark=ours, block=_block)

    def our_block() -> float:
        shell.run_cell("seconds = block(spark)")
        return float(shell.user_ns["seconds"])

    blocks = (3 if quick else 15) * QUERIES // BLOCK
    try:
        alternate(our_block, lambda: _block(raw), 6)  # warm-up of the engine; not measured
        series = alternate(our_block, lambda: _block(raw), blocks)
    finally:
        raw.stop()  # a plain session retries for minutes after its engine has ended
    return [Figure("P6", f"{BLOCK} × select 1", "a plain session", *series, compare="ratio", bar=1.02)]


def _block(spark: Any) -> float:
    started = time.perf_counter()
    for _ in range(BLOCK):
        spark.sql("select 1").collect()
    return time.perf_counter() - started

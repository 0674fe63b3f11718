"""Builds the class-data archive of this environment: engines start in half the time.

It starts a real server and runs typical first queries, so that the archive has the classes of both. The archive is in
Spark's home, where every engine finds it. It is built once per environment, and again when Java or Spark is newer.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rucat_jupyter.host import free_ports, java, pysparks
from rucat_jupyter.platforms.local.command import LOOPBACK, own_conf
from rucat_jupyter.spark import command as spark

LIMIT_S = 300.0
QUIET = ("-Xlog:disable", "-XX:-UsePerfData")  # the latter leaves a folder in /tmp
QUERIES = """
import pandas
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.createDataFrame(pandas.DataFrame({"k": [1, 2], "v": ["a", "b"]})).createOrReplaceTempView("t")
spark.range(10**5).selectExpr("id % 7 as k", "id").createOrReplaceTempView("s")
spark.sql("select k, v, count(*) as n, avg(id) from s join t using (k) group by k, v order by n").toPandas()
spark.table("t").show()
spark.stop()
"""


def main() -> int:
    """Build the archive if it is missing, or older than Java or the jars."""
    found = pysparks.PySparks().look(sys.executable, os.environ, Path.cwd())
    runtime = java.choose({}, os.environ)
    archive = found.home / spark.CDS_ARCHIVE
    parts = (runtime.executable, found.jars)
    if archive.is_file() and archive.stat().st_mtime > max(part.stat().st_mtime for part in parts):
        return 0
    print("Building the class-data archive of Spark ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        make(archive, runtime, found.jars, Path(folder))
    return 0


def make(archive: Path, runtime: java.Java, jars: Path, folder: Path) -> None:
    """Build the archive of the classes that a server and its first queries load; ``folder`` takes temporary files."""
    base, new = archive.with_name("rucat-java.jsa"), archive.with_name("rucat-new.jsa")
    flags = [*QUIET, *spark.module_flags(jars, runtime.modules)]
    # The archive needs one of Java's own classes, which the wheel of Java lacks.
    command = [str(runtime.executable), "-Xshare:dump", *QUIET, f"-XX:SharedArchiveFile={base}"]
    subprocess.run(command, check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)
    port, ui_port = free_ports.choose(None, None)
    conf = {
        **own_conf("local[2]", port, ui_port),
        "spark.app.name": "archive",
        "spark.local.dir": str(folder),
    }
    token = secrets.token_hex()
    made = [f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={new}"]
    words = [*made, *flags, *spark.conf_words(conf), "-cp", spark.class_path(jars, {}), spark.SERVER_CLASS]
    with subprocess.Popen(
        [str(runtime.executable), *words],
        cwd=folder,
        env={**os.environ, spark.TOKEN_ENV: token},
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _wait(port, server)
            remote = f"sc://localhost:{port}/;token={token}"
            env = {**os.environ, "SPARK_REMOTE": remote}  # not an argument, because other users can see those
            ask = [sys.executable, "-c", QUERIES]
            subprocess.run(ask, env=env, check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)
        finally:
            server.terminate()
    new.replace(archive)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())

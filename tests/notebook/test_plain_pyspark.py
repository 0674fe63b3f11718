"""Plain pyspark in a notebook with an engine: it finds the attached session, and child processes inherit nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.notebook import Kernel

from .conftest import ENGINE

pytestmark = pytest.mark.engine

CHILDREN = """
import multiprocessing, os, subprocess, sys
NAMES = "import os; print(sorted(n for n in os.environ if n.startswith(('SPARK', 'PYSPARK', 'RUCAT', 'GRPC'))))"
print(subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True).stdout, end="")
print(subprocess.run([sys.executable, "-c", NAMES], env={**os.environ}, capture_output=True, text=True).stdout, end="")
get_ipython().system(f'{sys.executable} -c "{NAMES}"')
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.apply(eval, ["__import__('os').environ.get('SPARK_REMOTE')"]))
"""
SAME = [
    "SparkSession.builder.getOrCreate()",
    "SparkSession.builder.appName('x').config('spark.sql.shuffle.partitions', '7').getOrCreate()",
    "SparkSession.builder.remote('local').getOrCreate()",
    "SparkSession.builder.remote('local[2]').getOrCreate()",
    "SparkSession.builder.master('local[2]').getOrCreate()",
    "SparkSession.builder.remote('sc://127.0.0.1:1').getOrCreate()",
    "SparkSession.getActiveSession()",
    "SparkSession.active()",
    "__import__('concurrent.futures').futures.ThreadPoolExecutor().submit(SparkSession.getActiveSession).result()",
    "__import__('concurrent.futures').futures.ThreadPoolExecutor().submit(SparkSession.builder.getOrCreate).result()",
]
REFUSED = {
    "SparkSession.builder.create()": "SparkSession.builder.create() needs an address here",
    "SparkSession.builder.remote('local').create()": "SparkSession.builder.create() needs an address here",
    "SparkSession.builder.master('local').create()": "SparkSession.builder.create() needs an address here",
    "SparkSession.builder.remote('sc://nohost.invalid').create()": "No Spark Connect server at nohost.invalid:15002: ",
    "SparkSession.builder.remote('sc://127.0.0.1:1').create()": "No Spark Connect server at 127.0.0.1:1: ",
    "__import__('pyspark').SparkContext.getOrCreate()": "Spark Connect has no SparkContext",
}
FORK = """
import os, threading
running = threading.Thread(target=spark.sql("select java_method('java.lang.Thread', 'sleep', 3000L)").collect)
running.start()
for _ in range(20):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
running.join()
"""


@pytest.fixture
def attached(engine: str, notebook: Callable[..., Kernel]) -> Kernel:
    """A notebook with the shared engine."""
    mine = notebook("plain-pyspark")
    mine.run(f"%rucat attach {ENGINE}\nfrom pyspark.sql import SparkSession, functions as F")
    return mine


def test_child_processes_inherit_nothing_of_an_attached_session(
    engine: str, notebook: Callable[..., Kernel], attached: Kernel
) -> None:
    """Each way to start one shows the variables that it shows in a notebook without an engine."""
    plain = notebook("without-engine").run(CHILDREN)
    assert attached.run(CHILDREN).stdout == plain.stdout
    assert plain.stdout.endswith("None\n")


def test_the_builder_returns_the_attached_session_or_one_line(attached: Kernel) -> None:
    """No second JVM, no wait for an address that is not there."""
    for code in SAME:
        cell = attached.run(f"print(({code}) is spark)")
        assert cell.stdout == "True\n", code
        assert cell.stderr.count("\n") == (1 if "remote(" in code or "master(" in code else 0), cell.stderr
    assert attached.run("print(spark.conf.get('spark.sql.shuffle.partitions'))").stdout == "7\n"
    for code, line in REFUSED.items():
        cell = attached.run(code, may_fail=True)
        assert cell.error.startswith(line), cell.error
        assert "\n" not in cell.error
        assert cell.seconds < 8
    assert attached.run("print(spark.range(3).select(F.sum('id')).first()[0])").stdout == "3\n"
    assert attached.run("print(SparkSession.builder.getOrCreate() is spark)").stdout == "True\n"


@pytest.mark.all
def test_after_detach_pyspark_is_as_before(attached: Kernel) -> None:
    """Of our replacements none stays; until then a session that the user stopped is a new one."""
    assert attached.run("from pyspark.sql import is_remote; print(is_remote())").stdout == "True\n"
    attached.run("spark.stop()")
    assert (
        attached.run("print(SparkSession.builder.getOrCreate() is spark, spark.range(2).count())").stdout == "True 2\n"
    )
    attached.run("%rucat detach")
    assert attached.run("print(is_remote(), SparkSession.builder.getOrCreate.__module__)").stdout == (
        "False pyspark.sql.session\n"
    )


@pytest.mark.all
def test_a_fork_during_a_query_prints_nothing(attached: Kernel) -> None:
    """Of gRPC's own log lines."""
    cell = attached.run(FORK)
    assert (cell.stdout, cell.stderr) == ("", "")

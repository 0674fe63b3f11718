"""Plain pyspark in a notebook with an engine: it finds the attached session, and child processes inherit nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.notebook import Kernel
from support.place import Place

from .conftest import ENGINE

pytestmark = pytest.mark.engine

CHILDREN = """
import multiprocessing, os, subprocess, sys
NAMES = "import os; print(sorted(n for n in os.environ if n.startswith(('SPARK', 'PYSPARK', 'RUCAT', 'GRPC'))))"
print(subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True).stdout, end="")
print(subprocess.run([sys.executable, "-c", NAMES], env={**os.environ}, capture_output=True, text=True).stdout, end="")
get_ipython().system(f'{sys.executable} -c "{NAMES}"')
for way in ("spawn", "forkserver", "fork"):
    with multiprocessing.get_context(way).Pool(1) as pool:
        print(pool.apply(eval, ["[n for n in __import__('os').environ if n.startswith(('SPARK', 'GRPC'))]"]))
get_ipython().run_cell_magic("bash", "", "env | grep -E '^(PY)?SPARK|^RUCAT|^GRPC' || echo nothing")
"""
SAME = [
    "SparkSession.builder.getOrCreate()",
    "SparkSession.builder.appName('x').config('spark.sql.shuffle.partitions', '7').getOrCreate()",
    "SparkSession.builder.remote('local').getOrCreate()",
    "SparkSession.builder.remote('local[2]').getOrCreate()",
    "SparkSession.builder.master('local[2]').getOrCreate()",
    "SparkSession.builder.remote('sc://127.0.0.1:1').getOrCreate()",
    "SparkSession.builder.remote('sc://h:1/;token=hidden').getOrCreate()",
    "SparkSession.getActiveSession()",
    "SparkSession.active()",
    "__import__('concurrent.futures').futures.ThreadPoolExecutor().submit(SparkSession.getActiveSession).result()",
    "__import__('concurrent.futures').futures.ThreadPoolExecutor().submit(SparkSession.builder.getOrCreate).result()",
]
REFUSED = {
    "SparkSession.builder.create()": "SparkSession.builder.create() needs an address here",
    "SparkSession.builder.remote('nonsense').getOrCreate()": "'nonsense' is not an address of Spark Connect",
    "SparkSession.builder.remote('').getOrCreate()": "'' is not an address of Spark Connect",
    "SparkSession.builder.remote('http://h:1').create()": "'http://h:1' is not an address of Spark Connect",
    "SparkSession.builder.remote('sc://').create()": "'sc://' is not an address of Spark Connect",
    "SparkSession.builder.remote('sc://:15002').create()": "'sc://:15002' is not an address of Spark Connect",
    "SparkSession.builder.remote('sc://this machine').create()": "'sc://this machine' is not an address",
    "SparkSession.builder.remote('sc://h:port/;token=k').getOrCreate()": "'sc://h:port/' is not an address",
    "SparkSession.builder.remote('sc://h:99999').create()": "'sc://h:99999' is not an address of Spark Connect",
    "SparkSession.builder.remote('sc://[::1').create()": "'sc://[::1' is not an address of Spark Connect",
    "s.listen(); SparkSession.builder.appName('x').remote(f'sc://127.0.0.1:{s.getsockname()[1]}').create()": (
        "No Spark Connect server at 127.0.0.1:"
    ),
    "SparkSession.builder.remote('local').create()": "SparkSession.builder.create() needs an address here",
    "SparkSession.builder.master('local').create()": "SparkSession.builder.create() needs an address here",
    "SparkSession.builder.remote('sc://nohost.invalid').create()": "No Spark Connect server at nohost.invalid:15002: ",
    "SparkSession.builder.remote('sc://127.0.0.1:1').create()": "No Spark Connect server at 127.0.0.1:1: ",
    "__import__('pyspark').SparkContext.getOrCreate()": "Spark Connect has no SparkContext",
}
IN_FORK = """
import multiprocessing
def look():
    from pyspark.sql import is_remote
    try:
        spark.range(1).collect()
    except Exception as error:
        return is_remote(), SparkSession.getActiveSession(), SparkSession.builder.getOrCreate.__module__, str(error)
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(*pool.apply_async(look).get(20), sep="\\n")
print(spark.range(5).count())
"""
SCRIPT = f"""
import os, sys, rucat_jupyter
spark = rucat_jupyter.get({ENGINE!r}).connect("forks")
if not (child := os.fork()):
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), spark.range(5).count())
"""
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
    mine.run("import socket; s = socket.socket(); s.bind(('127.0.0.1', 0))")
    return mine


def test_child_processes_inherit_nothing_of_an_attached_session(
    engine: str, notebook: Callable[..., Kernel], attached: Kernel
) -> None:
    """Each way to start one shows the variables that it shows in a notebook without an engine."""
    plain = notebook("without-engine").run(CHILDREN)
    assert attached.run(CHILDREN).stdout == plain.stdout
    assert "SPARK" not in plain.stdout


def test_the_builder_returns_the_attached_session_or_one_line(attached: Kernel) -> None:
    """No second JVM, no wait for an address that is not there."""
    for code in SAME:
        cell = attached.run(f"print(({code}) is spark)")
        assert cell.stdout == "True\n", code
        assert cell.stderr.count("\n") == (1 if "remote(" in code or "master(" in code else 0), cell.stderr
        assert "hidden" not in cell.stderr
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


def test_a_forked_child_has_no_session(attached: Kernel, place: Place) -> None:
    """Not that of its parent, whose connection it cannot use; and its exit closes nothing of the parent's."""
    lines = attached.run(IN_FORK, timeout_s=60).stdout.splitlines()
    assert lines[:3] == ["False", "None", "pyspark.sql.session"]
    assert lines[3].endswith("belongs to the process that attached it; attach again in this one")
    assert lines[4:] == ["5"]
    done = place.run_python(SCRIPT)
    assert (done.stdout, done.stderr) == ("7 5\n", "")


@pytest.mark.all
def test_after_a_detach_the_session_that_stays_is_the_active_one(attached: Kernel) -> None:
    """The last one of those that are still attached."""
    attached.run("import rucat_jupyter; from rucat_jupyter.client.session import session as sessions")
    attached.run(f"two = sessions.attach(rucat_jupyter.get('{ENGINE}'), 'two')")
    assert attached.run("print(SparkSession.builder.getOrCreate() is two.spark)").stdout == "True\n"
    attached.run("sessions.detach(two)")
    assert attached.run("print(SparkSession.builder.getOrCreate() is spark)").stdout == "True\n"
    assert attached.run("print(SparkSession.getActiveSession() is spark)").stdout == "True\n"


@pytest.mark.all
def test_a_fork_during_a_query_prints_nothing(attached: Kernel) -> None:
    """Of gRPC's own log lines."""
    cell = attached.run(FORK)
    assert (cell.stdout, cell.stderr) == ("", "")

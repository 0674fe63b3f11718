"""Sessions that an engine closed: renewed once, with one notice; a cell that had begun must run again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.notebook import Kernel, kernel
from support.place import Place

from .conftest import wait_for_status

pytestmark = pytest.mark.engine

ENGINE = "brief"
RENEWED = "spark uses a new one now; temp views and runtime conf are gone"
IDLE_S = 4
CLOSE = """
import rucat_jupyter
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.connect.client import ChannelBuilder
import pyspark.sql.connect.proto as pb
def close():
    "What another client of the same session does when it stops it."
    client = spark._client
    request = pb.ReleaseSessionRequest(session_id=client._session_id, client_type="x")
    request.user_context.user_id = client._user_id
    client._stub.ReleaseSession(request)
"""


@pytest.fixture(scope="module")
def attached(place: Place) -> Iterator[Kernel]:
    """A kernel on an engine whose sessions live for seconds."""
    conf = f"spark.connect.session.manager.defaultSessionTimeout={IDLE_S}s"
    with kernel(place.env, place.root, place.root / "brief.ipynb") as found:
        found.run("%load_ext rucat_jupyter")
        found.run(f"%rucat create {ENGINE} --conf {conf}\n{CLOSE}", timeout_s=200)
        yield found
        found.run(f"%rucat delete {ENGINE} --yes")


@pytest.mark.all
def test_a_session_that_was_idle_is_renewed_once(attached: Kernel) -> None:
    """One line; the next cell says nothing; the view is gone, and its error is Spark's own."""
    attached.run("spark.range(7).createOrReplaceTempView('v'); spark.conf.set('spark.sql.shuffle.partitions', '3')")
    deadline = time.monotonic() + 120
    while True:
        time.sleep(3 * IDLE_S)  # sessions end by being left alone: to look is to use them
        cell = attached.run("print(spark.range(3).count(), spark.conf.get('spark.sql.shuffle.partitions') == '3')")
        if cell.stderr or time.monotonic() > deadline:
            break
    assert cell.stderr.count(RENEWED) == 1
    assert "it was idle for long, or stopped" in cell.stderr
    assert cell.stdout.startswith("3 False\n")
    assert RENEWED not in attached.run("print(spark.range(4).count())").stderr
    cell = attached.run("spark.table('v').count()", may_fail=True)
    assert cell.error.startswith("[TABLE_OR_VIEW_NOT_FOUND]")


@pytest.mark.all
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print(spark.range(3).count())", "3\n"),
        ("print(spark.conf.get('spark.sql.shuffle.partitions') != '')", "True\n"),
        ("print(spark.range(3).columns)", "['id']\n"),
        ("print(len(spark.range(3).toPandas()))", "3\n"),
        ("spark.range(3).createOrReplaceTempView('w')\nprint(spark.table('w').count())", "3\n"),
        ("spark.range(3).write.mode('overwrite').parquet('w')\nprint(spark.read.parquet('w').count())", "3\n"),
        ("%rucat sql --out df select 1 as a\nprint(len(df))", "1\n"),
    ],
)
def test_a_session_that_was_closed_by_another_is_renewed_under_any_call(attached: Kernel, code: str, said: str) -> None:
    """The rejected request was not executed: it is sent again in the new session."""
    attached.run("spark.range(1).collect(); close()")
    cell = attached.run(code)
    assert cell.stdout.replace("\n\n", "\n").endswith(said)
    assert cell.stderr.count(RENEWED) == 1


@pytest.mark.all
def test_what_cannot_be_sent_again_says_run_it_again(attached: Kernel, place: Place) -> None:
    """A stream of files: one clear answer instead of Spark's words about handles; then it works."""
    (place.root / "b.txt").write_text("x")
    attached.run("spark.range(1).collect(); close()")
    cell = attached.run("spark.addArtifact('b.txt', file=True)", may_fail=True)
    if cell.error:
        assert "run this again" in cell.error
        assert len(cell.error.splitlines()) <= 3
        attached.run("spark.addArtifact('b.txt', file=True)")
    assert cell.stderr.count(RENEWED) == 1


def test_a_restarted_engine_is_followed(attached: Kernel, place: Place, rest: Callable[..., Any]) -> None:
    """SESSION_CHANGED: the id is free on the new server; said once."""
    attached.run("spark.range(3).createOrReplaceTempView('v')")
    rest("POST", f"engines/{ENGINE}/restart")
    wait_for_status(rest, ENGINE, "Running", deadline_s=180)
    cell = attached.run("print(spark.range(3).count(), spark.catalog.tableExists('v'))", timeout_s=200)
    assert cell.stdout.startswith("3 False\n")
    assert cell.stderr.count("temp views and runtime conf are gone") == 1


@pytest.mark.all
def test_an_error_that_mentions_sessions_renews_nothing(attached: Kernel) -> None:
    """Not even where they have the form of Spark's own."""
    for words in ("INVALID_HANDLE.SESSION_CLOSED", "[INVALID_HANDLE.SESSION_CLOSED] x"):
        cell = attached.run(f"spark.sql(\"select raise_error('{words}')\").collect()", may_fail=True)
        assert cell.error.startswith("[USER_RAISED_EXCEPTION]")
        assert RENEWED not in cell.stderr

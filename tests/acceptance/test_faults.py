"""A real engine that is killed, frozen, without SparkContext, out of memory, or busy."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.place import JupyterServer, Place, place_in, wait_until
from support.queries import LONG_QUERY, PLAIN_QUERY

pytestmark = pytest.mark.engine

FILL_THE_HEAP = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
spark.range(1).selectExpr("length(repeat('x', 1000))").collect()
frame = spark.range(0, 40_000_000, 1, 2).selectExpr("id", "repeat(cast(id as string), 40) as s")
frame.selectExpr("collect_list(s) as l").selectExpr("size(l)").collect()
"""


@pytest.fixture(scope="module")
def victim(server: JupyterServer) -> str:
    server.create(name="victim", driver={"memory": "700m"})
    server.wait_for("victim", "Running")
    return "victim"


def test_a_killed_engine_is_failed_within_two_seconds(place: Place, server: JupyterServer, victim: str) -> None:
    """Kill -9: Failed with reason and hint in 2 s, and restart brings it back under the same id."""
    engine = server.wait_for(victim, "Running")
    process = place.engine_process(engine["id"])
    begin = time.monotonic()
    process.kill()
    failed = server.wait_for(victim, "Failed", deadline_s=10)
    assert time.monotonic() - begin <= 2
    assert failed["failure"]["reason"] == "Exited"
    assert "signal 9" in failed["failure"]["message"]
    assert failed["failure"]["hint"]
    server.http.post(f"rucat/engines/{victim}/restart")
    back = server.wait_for(victim, "Running")
    assert (back["id"], back["run"], back["failure"]) == (engine["id"], engine["run"] + 1, None)


@pytest.mark.all
def test_a_frozen_engine_is_unresponsive_and_comes_back(place: Place, server: JupyterServer, victim: str) -> None:
    """SIGSTOP: Unresponsive in 30 s; SIGCONT: Running again, never Failed."""
    engine = server.wait_for(victim, "Running")
    process = place.engine_process(engine["id"])
    begin = time.monotonic()
    process.suspend()
    try:
        server.wait_for(victim, "Unresponsive", deadline_s=30)
        assert time.monotonic() - begin <= 30
    finally:
        process.resume()
    back = server.wait_for(victim, "Running", deadline_s=20)
    assert back["run"] == engine["run"]


@pytest.mark.all
@pytest.mark.slow
def test_a_frozen_engine_that_stays_frozen_is_ended(tmp_path: Path) -> None:
    """SIGSTOP for good: Unresponsive, then Failed after the grace, and its process is gone."""
    graces = {"SILENCE_GRACE_S": "6", "STOP_GRACE_LOCAL_S": "1", "PROBE_S": "1", "PROBE_DEADLINE_S": "4"}
    with place_in(tmp_path / "p", **{f"RUCAT_{name}": seconds for name, seconds in graces.items()}) as place:
        place.start_quickly()
        server = place.jupyter()
        engine = server.create(name="frozen", driver={"memory": "500m"})
        server.wait_for("frozen", "Running")
        process = place.engine_process(engine["id"])
        process.send_signal(signal.SIGSTOP)
        server.wait_for("frozen", "Unresponsive", deadline_s=15)
        begin = time.monotonic()
        failed = server.wait_for("frozen", "Failed", deadline_s=20)
        assert time.monotonic() - begin > 4
        assert failed["failure"]["reason"] == "Unresponsive"
        assert not place.engine_processes(engine["id"])


@pytest.mark.all
@pytest.mark.slow
def test_an_exhausted_heap_is_named(place: Place, server: JupyterServer) -> None:
    """A heap that is full ends the process, and OutOfMemory is the reason."""
    engine = server.create(name="full", driver={"memory": "500m"})
    server.wait_for("full", "Running")
    remote = server.http.get("rucat/engines/full/connection").json()["remote"]
    query = subprocess.Popen([sys.executable, "-c", FILL_THE_HEAP, remote], env=place.env, stderr=subprocess.DEVNULL)
    try:
        failed = server.wait_for("full", "Failed", deadline_s=120)
    finally:
        query.kill()
        query.wait()
    assert failed["failure"]["reason"] == "OutOfMemory"
    assert not place.engine_processes(engine["id"])
    server.http.delete("rucat/engines/full")


@pytest.mark.all
@pytest.mark.slow
def test_a_busy_engine_stays_healthy(place: Place, server: JupyterServer, victim: str) -> None:
    """All cores at work for two minutes: no alarm."""
    engine = server.wait_for(victim, "Running")
    remote = server.http.get(f"rucat/engines/{victim}/connection").json()["remote"]
    burn = (
        "import sys; from pyspark.sql import SparkSession;"
        "spark = SparkSession.builder.remote(sys.argv[1]).create();"
        "print(spark.range(0, 10**13, 1, 16).selectExpr('sum(hash(id) % 7)').collect())"
    )
    query = subprocess.Popen([sys.executable, "-c", burn, remote], env=place.env, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            seen = server.http.get(f"rucat/engines/{victim}", params={"since": engine["revision"], "wait": 20}).json()
            assert (seen["status"], seen["revision"]) == ("Running", engine["revision"]), seen
            assert query.poll() is None
    finally:
        query.kill()
        query.wait()
    server.http.post(f"rucat/engines/{victim}/stop")


def test_the_death_of_the_jupyter_server_changes_nothing(place: Place, victim: str) -> None:
    """Kill -9 of the Jupyter server during a query: engine and operation keep running."""
    first = place.jupyter()
    engine = first.engine(victim)
    if engine["status"] != "Running":
        first.http.post(f"rucat/engines/{victim}/restart")
        engine = first.wait_for(victim, "Running")
    remote = first.http.get(f"rucat/engines/{victim}/connection").json()["remote"]
    query = _begin_long_query(place, remote, 8)
    first.kill()
    second = place.jupyter()
    seen = second.engine(victim)
    assert (seen["status"], seen["run"]) == ("Running", engine["run"])
    assert query.communicate(timeout=60)[0].strip() == "answer 42"


def test_the_death_of_the_gateway_changes_nothing(place: Place, server: JupyterServer, victim: str) -> None:
    """Kill -9 of the gateway: the next call starts another, which adopts the engine; the running query continues."""
    engine = server.wait_for(victim, "Running")
    remote = server.http.get(f"rucat/engines/{victim}/connection").json()["remote"]
    process = place.engine_process(engine["id"])
    query = _begin_long_query(place, remote, 8)
    old = place.gateway_pid
    assert old
    import psutil

    psutil.Process(old).kill()
    answer = wait_until("an answer", lambda: server.http.get("rucat/health").status_code == 200, 15)
    assert answer
    begin = time.monotonic()
    seen = server.engine(victim)
    assert (seen["status"], seen["run"]) == ("Running", engine["run"])
    assert place.gateway_pid not in (None, old)
    assert place.engine_process(engine["id"]).pid == process.pid
    assert query.communicate(timeout=60)[0].strip() == "answer 42"
    process.kill()
    server.wait_for(victim, "Failed", deadline_s=3)
    assert begin
    server.http.post(f"rucat/engines/{victim}/restart")
    server.wait_for(victim, "Running")


def test_all_clients_of_one_data_directory_see_the_same_engines(
    place: Place, server: JupyterServer, victim: str
) -> None:
    """Two Jupyter servers and a plain Python see the same engine."""
    other = place.jupyter()
    code = "import rucat_jupyter; e = rucat_jupyter.get('victim'); print(e.id, e.status)"
    script = place.run_python(code)
    mine = server.engine(victim)
    assert other.engine(victim)["id"] == mine["id"]
    assert script.stdout.split()[0] == mine["id"], script.stderr
    remote = server.http.get(f"rucat/engines/{victim}/connection").json()["remote"]
    assert place.run_python(PLAIN_QUERY, remote, "10").stdout.strip() == "45"


def _begin_long_query(place: Place, remote: str, seconds: int) -> subprocess.Popen[str]:
    query = subprocess.Popen(
        [sys.executable, "-c", LONG_QUERY, remote, str(seconds)],
        env=place.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert query.stdout
    assert query.stdout.readline().strip() == "ready"
    return query

"""Confs arrive unchanged, and secrets are only where they belong."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.place import JupyterServer, Place, place_in, processes_with, wait_until
from support.queries import CONF_CHECK, PLAIN_QUERY

from rucat_jupyter.core.sessions import key_of

pytestmark = pytest.mark.engine

CANARY = "canary-5ecret-0123456789abcdef"
BY_MAGIC = """
import json, shlex, sys
from IPython.core.interactiveshell import InteractiveShell
confs = json.load(open(sys.argv[1], encoding="utf-8"))
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "rucat_jupyter")
words = " ".join("--conf " + shlex.quote(f"{key}={value}") for key, value in confs.items())
shell.run_line_magic("rucat", "create magic --driver-memory 600m " + words)
get = shell.user_ns["spark"].conf.get
print(json.dumps({key: (value, get(key)) for key, value in confs.items() if get(key) != value}))
"""
"""Create an engine by ``%rucat create --conf …`` and compare: argv = JSON file. The last line is the differences."""

# Spark Connect itself does not show confs whose key names a secret: SQL_CONF_NOT_FOUND (seen with 4.3.0).
ENV_CHECK = """
import os, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
print(spark.sql("select java_method('java.lang.System', 'getenv', 'AWS_PROFILE')").collect()[0][0])
print(spark.sql("select java_method('java.lang.System', 'getProperty', 'spark.custom.secret.key')").collect()[0][0])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place whose every process runs under LANG=C."""
    with place_in(tmp_path_factory.mktemp("c"), LANG="C", LC_ALL="C", LANGUAGE="") as place:
        yield place


def hostile_confs(count: int, seed: int = 7) -> dict[str, str]:
    """Values of each kind that a shell, a file format or a locale could break."""
    given = ["", "\n", "a\nb\r\nc", "\t", "'", '"', "\\", "\\\\n", "$(id)", "`id`", "${HOME}", " x", "x ", "  ", "%s"]
    given += ["#x", "!x", "a=b", "@x", "-Dx=y", "ä", "データ", "😀", "\u202eabc", "\x1b[31m", "x" * 200_000, "*", "{}"]
    pool = [chr(c) for c in (*range(1, 0x250), *range(0x370, 0x400), *range(0x4E00, 0x4F00), *range(0x1F600, 0x1F640))]
    rng = random.Random(seed)
    values = given + ["".join(rng.choices(pool, k=rng.randint(1, 40))) for _ in range(count - len(given))]
    return {f"spark.custom.k{i}": value for i, value in enumerate(values)}


def test_a_thousand_hostile_confs_round_trip(place: Place, server: JupyterServer, tmp_path: Path) -> None:
    """1,000 random Unicode values are equal in spark.conf.get, with every process under LANG=C."""
    confs = hostile_confs(1000)
    server.create(name="conf", conf=confs, driver={"memory": "600m"})
    server.wait_for("conf", "Running")
    remote = server.http.get("rucat/engines/conf/connection").json()["remote"]
    wanted = tmp_path / "wanted.json"
    wanted.write_text(json.dumps(confs), encoding="utf-8")
    result = place.run_python(CONF_CHECK, remote, str(wanted), LC_ALL="C.UTF-8")
    assert json.loads(result.stdout) == {}, result.stderr
    server.http.post("rucat/engines/conf/stop")


@pytest.mark.all
@pytest.mark.slow
def test_a_thousand_hostile_confs_round_trip_by_the_magic(place: Place, server: JupyterServer, tmp_path: Path) -> None:
    """The same by ``%rucat create --conf``, in an IPython under LANG=C."""
    wanted = tmp_path / "wanted.json"
    wanted.write_text(json.dumps(hostile_confs(1000, seed=11)), encoding="utf-8")
    result = place.run_python(BY_MAGIC, str(wanted), PYTHONIOENCODING="utf-8")
    assert result.stdout.splitlines()[-1:] == ["{}"], result.stderr
    server.http.delete("rucat/engines/magic")


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_what_no_process_can_be_given_is_refused(server: JupyterServer, value: str) -> None:
    """NUL and lone surrogates are 400, naming the field."""
    body = json.dumps({"name": "bad", "conf": {"spark.custom.x": value}})
    answer = server.http.post("rucat/engines", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


def test_secrets_are_where_they_belong_and_nowhere_else(place: Place, server: JupyterServer) -> None:
    """A token, a secret conf and a secret env value: engine gets them, nothing else shows them."""
    secret_conf, secret_env, listed_env = CANARY + "-conf", CANARY + "-env", CANARY + "-listed"
    engine = server.create(
        name="secret",
        conf={"spark.custom.secret.key": secret_conf},
        env={"MY_PASSWORD": secret_env},
        secret_env={"AWS_PROFILE": listed_env},
        driver={"memory": "600m"},
    )
    server.wait_for("secret", "Running")
    connection = server.http.get("rucat/engines/secret/connection").json()
    done = place.run_python(ENV_CHECK, connection["remote"])
    assert done.stdout.split() == [listed_env, secret_conf], done.stderr
    assert place.run_python(PLAIN_QUERY, connection["remote"], "10").returncode == 0
    put = server.http.put(f"rucat/engines/secret/sessions/{key_of('/n.ipynb')}", json={"path": "/n.ipynb"})
    assert put.status_code == 200

    secrets = [connection["token"], CANARY]
    paths = ["engines", "engines/secret", "engines/secret/logs", "engines/secret/history", "health", "profiles"]
    bodies = {path: server.http.get(f"rucat/{path}").text for path in paths}
    _assert_nowhere(secrets, bodies)
    _assert_nowhere(secrets, {f"arguments of {p.pid}": "\0".join(p.cmdline()) for p in _running(place)})
    assert server.engine("secret")["spec"]["secret_env"] == {"AWS_PROFILE": "***"}

    argfile = place.data_dir / "runs" / f"rucat-{engine['id']}-1" / "java.args"
    assert argfile.stat().st_mode & 0o777 == 0o600
    modes = {
        p: p.stat().st_mode & 0o077 for p in place.data_dir.rglob("*") if "tmp" not in p.parts and not p.is_socket()
    }
    assert {path: mode for path, mode in modes.items() if mode} == {}
    allowed = (place.data_dir / "db", argfile)
    for file in place.root.rglob("*"):
        if file.is_file() and not any(file == a or a in file.parents for a in allowed):
            _assert_nowhere(secrets, {str(file): file.read_bytes().decode("utf-8", "replace")})
    server.http.post("rucat/engines/secret/stop")
    server.wait_for("secret", "Stopped")
    wait_until("its clean-up", lambda: not argfile.exists(), 10)


def test_every_socket_of_an_engine_is_on_loopback(place: Place, server: JupyterServer) -> None:
    """No listening socket of the engine, the gateway or their children is reachable from outside."""
    engine = server.create(name="sockets", driver={"memory": "600m"})
    server.wait_for("sockets", "Running")
    process = place.engine_process(engine["id"])
    listening = [c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 3
    assert {address.ip.removeprefix("::ffff:") for address in listening} <= {"127.0.0.1", "::1"}
    server.http.delete("rucat/engines/sockets")


def _running(place: Place) -> list[psutil.Process]:
    return processes_with(str(place.root)) + ([psutil.Process(place.gateway_pid)] if place.gateway_pid else [])


def _assert_nowhere(secrets: list[str], texts: dict[str, str]) -> None:
    for where, text in texts.items():
        for secret in secrets:
            assert secret not in text, f"a secret is in {where}"

"""The local platform with real engines: what Spark does with what it is started with.

Two engines serve all everyday tests of this module, in the order in which they are written: the last tests of each
end it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pyspark
import pytest
from support.local import TOKEN, driver, look, machine, new_engine, next_run, opened, running, until
from support.spark_repo import make_jar, make_repository

from rucat_jupyter.core.engine import Credential, Engine, Reason
from rucat_jupyter.core.lifecycle import Presence
from rucat_jupyter.core.spec import DriverSpec, EngineSpec, LocalSpec
from rucat_jupyter.host import free_ports
from rucat_jupyter.platforms.local.platform import LocalPlatform
from rucat_jupyter.platforms.local.processes import find_engines, find_family

pytestmark = pytest.mark.engine

T = TypeVar("T")
START_S = 120.0
SECRET = Credential(token=TOKEN.token, conf={"spark.x.password": "canary-conf"}, env={"AWS_SECRET": "canary-env"})

CONNECT = """
import json, sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
spark = SparkSession.builder.remote(sys.argv[1]).create()
"""


class Stage:
    """A platform in a loop of its own, which tests of one module share, and the engine that they look at."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.data = folder / "data é"
        self.env = env
        self.engine: Engine | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._machine = machine(self.data, env=env)
        self.platform: LocalPlatform = self.run(self._machine.__aenter__())

    def run(self, work: Coroutine[object, object, T], timeout_s: float = START_S) -> T:
        """Run something in the platform's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def start(self, spec: EngineSpec, credential: Credential = TOKEN) -> Engine:
        """Start an engine and wait until it listens."""
        self.engine = self.run(new_engine(self.platform, spec))
        self.run(self.platform.start(self.engine, credential))
        self.run(until("it listens", self.is_up, START_S))
        return self.engine

    async def is_up(self) -> bool:
        """Whether the engine's server listens."""
        seen = await look(self.platform, self.engine)
        assert seen.presence is Presence.ALIVE, seen
        return seen.message == ""

    def client(self, code: str, python: str = sys.executable) -> subprocess.Popen[str]:
        """A plain pyspark client that runs this code."""
        endpoint = self.run(self.platform.endpoint(self.engine))
        remote = f"{endpoint.url}/;authorization=Bearer%20{TOKEN.token}"
        words = [python, "-c", CONNECT + code, remote]
        return subprocess.Popen(words, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def query(self, code: str, python: str = sys.executable, timeout_s: float = 120) -> str:
        """What a plain pyspark client prints."""
        with self.client(code, python) as client:
            try:
                printed, errors = client.communicate(timeout=timeout_s)
            finally:
                client.kill()
        assert client.returncode == 0, errors[:1500] + errors[-1500:]
        return printed.strip()

    def end(self) -> None:
        """End every engine and the loop."""
        self.run(self._machine.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="module")
def confs() -> dict[str, str]:
    """1,000 values: random Unicode, and every kind that a shell, a file format or a locale might break."""
    rng = random.Random(3)
    given = [
        "",
        " ",
        "\n",
        "a\nb\r\nc",
        "\t\f",
        '"',
        "'",
        "\\",
        '\\"',
        "$(id)",
        "`id`",
        "${HOME}",
        "#",
        "@x",
        " x ",
        "-Dx",
    ]
    given += ["é", "データ", "😀", "\x01\x1b[31m", "\u2028\u202e", "x" * 200_000, "***"]
    pool = [
        chr(c) for c in (*range(1, 0x500), *range(0x4E00, 0x4F00), *range(0xFFF0, 0xFFFE), *range(0x1F600, 0x1F640))
    ]
    values = given + ["".join(rng.choices(pool, k=rng.randint(1, 40))) for _ in range(1000 - len(given))]
    return {f"spark.custom.k{n}": value for n, value in enumerate(values)}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, confs: dict[str, str]) -> Iterator[Stage]:
    """An engine started directly, by a gateway under LANG=C whose environment is full of foreign settings."""
    folder = tmp_path_factory.mktemp("plain")
    home = folder / "home"
    home.mkdir()
    foreign = {
        "HOME": str(home),
        "LANG": "C",
        "LC_ALL": "C",
        "JAVA_HOME": "/nonexistent",
        "JAVA_TOOL_OPTIONS": "-Dforeign=1",
        "_JAVA_OPTIONS": "-Xmx1m",
        "JDK_JAVA_OPTIONS": "-Xmx1m",
        "SPARK_HOME": "/nonexistent",
        "SPARK_MASTER_HOST": "foreign",
        "PYSPARK_PYTHON": "/nonexistent",
        "PYTHONPATH": "/nonexistent",
        "http_proxy": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    stage = Stage(folder, {"PATH": os.environ["PATH"], **foreign})
    try:
        (folder / "data.csv").write_text("a,b\n1,x\n2,y\n")
        (folder / "wanted.json").write_text(json.dumps(confs))
        shown = {**confs, "spark.x.password": "***"}
        spec = EngineSpec(
            conf=shown,
            env={"PLAIN": "ü", "AWS_SECRET": "***"},
            driver=DriverSpec(memory="600m", cores=2),
            java_options=["-Xss4m", "-XX:+UseSerialGC"],
            local=LocalSpec(directory=str(folder)),
        )
        stage.start(spec, SECRET)
        yield stage
    finally:
        stage.end()


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An engine whose conf only SparkSubmit understands, with a small heap."""
    folder = tmp_path_factory.mktemp("submitted")
    stage = Stage(folder, dict(os.environ))
    try:
        (folder / "file.txt").write_text("a file")
        conf = {
            "spark.jars": str(make_jar(folder / "my jar é.jar")),
            "spark.jars.packages": "org.example:probe:1.0",
            "spark.jars.repositories": make_repository(folder / "repo").as_uri(),
            "spark.files": str(folder / "file.txt"),
            "spark.custom.x": " é\n\\",
            "spark.custom.empty": "",
        }
        spec = EngineSpec(conf=conf, driver=DriverSpec(memory="512m", cores=1), local=LocalSpec(directory=str(folder)))
        stage.start(spec)
        yield stage
    finally:
        stage.end()


def test_confs_arrive_exactly(plain: Stage) -> None:
    """1,000 values are equal in spark.conf.get, though the gateway runs under LANG=C; a secret's real value arrives.

    Spark 4.3 itself hides confs with a secret's name from spark.conf.get, so that one is read as a system property.
    """
    code = f"""
wanted = json.loads(open({str(plain.folder / "wanted.json")!r}).read())
secret = spark.sql("select java_method('java.lang.System', 'getProperty', 'spark.x.password')").collect()[0][0]
print(json.dumps([[k for k, v in wanted.items() if spark.conf.get(k) != v], secret]))
"""
    assert json.loads(plain.query(code)) == [[], "canary-conf"]


@pytest.mark.all
def test_it_works_where_its_creator_does(plain: Stage) -> None:
    """Relative paths start in the creator's folder, tables go to the data directory, UDFs run with its Python."""
    code = """
spark.read.csv("data.csv", header=True).write.saveAsTable("t")
@udf("string")
def where(_):
    import os
    return json.dumps([sys.executable, os.environ.get("PLAIN"), os.environ.get("AWS_SECRET"),
                       os.environ["TMPDIR"], sorted(os.environ)])
print(spark.table("t").count(), spark.range(1).select(where("id")).collect()[0][0])
"""
    count, _, answer = plain.query(code).partition(" ")
    python, given, secret, tmp, names = json.loads(answer)
    assert (count, python, given, secret) == ("2", sys.executable, "ü", "canary-env")
    assert Path(tmp).is_relative_to(plain.data / "runs")
    foreign = {
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "SPARK_MASTER_HOST",
        "http_proxy",
        "HTTPS_PROXY",
    }
    assert foreign.isdisjoint(names)
    assert [p.name for p in (plain.data / "warehouse" / plain.engine.run_name).iterdir()] == ["t"]
    assert {p.name for p in plain.folder.iterdir()} == {"data é", "home", "data.csv", "wanted.json"}
    assert list((plain.folder / "home").iterdir()) == []


def test_it_is_what_was_asked_for(plain: Stage) -> None:
    """Master, name, heap, Java options and foreign settings, as the JVM itself sees them."""
    code = """
def java(c, m, *a):
    return spark.sql("select java_method('%s', '%s'%s)" % (c, m, "".join(", '%s'" % x for x in a))).collect()[0][0]
print(json.dumps([spark.conf.get("spark.master"), spark.conf.get("spark.app.name"), spark.version,
    java("java.lang.System", "getProperty", "java.specification.version"),
    java("java.lang.System", "getProperty", "foreign")]))
"""
    assert json.loads(plain.query(code)) == ["local[2]", "test", plain.engine.spark_version, "21", "null"]


@pytest.mark.all
def test_a_class_data_archive_that_is_there_is_taken(plain: Stage) -> None:
    """The JVM has it in its memory, and the log does not mention it."""
    archive = Path(pyspark.__file__).with_name("rucat.jsa")
    assert archive.is_file(), "make archive"
    mapped = {entry.path for entry in psutil.Process(driver(plain.data, plain.engine).pid).memory_maps()}
    assert str(archive) in mapped
    assert [line for line in plain.run(_all_lines(plain)) if "[cds" in line] == []


@pytest.mark.all
def test_every_socket_is_on_loopback(plain: Stage) -> None:
    """Connect, UI, driver and block manager, and the workers' sockets listen on loopback alone."""
    endpoint = plain.run(plain.platform.endpoint(plain.engine))
    listening = [
        connection.laddr
        for process in find_family(plain.engine.run_name)
        for connection in psutil.Process(process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    ports = {address.port for address in listening}
    assert {endpoint.port, int(endpoint.ui_url.rpartition(":")[2])} <= ports
    assert len(ports) >= 4


@pytest.mark.all
def test_secrets_are_in_no_argument_and_no_log(plain: Stage) -> None:
    """Token and secret values are in no command line, log or record, only in the argfile and the environment."""
    code = """
@udf("string")
def say(_):
    print("a word of the worker")
print(spark.range(1).select(say("id")).collect()[0][0])
"""
    assert plain.query(code) == "None"
    words = [word for p in find_family(plain.engine.run_name) for word in psutil.Process(p.pid).cmdline()]
    lines = [*words, *plain.run(_all_lines(plain))]
    assert any("a word of the worker" in line for line in lines)
    assert [line for line in lines if "canary" in line] == []
    folder = plain.data / "runs" / plain.engine.run_name
    assert "canary" not in (folder / "run.json").read_text()


async def _all_lines(stage: Stage) -> list[str]:
    return [line async for line in stage.platform.logs(stage.engine, None, False)]


def test_stop_is_graceful_and_leaves_nothing(plain: Stage) -> None:
    """A stop ends the JVM in order and its workers with it; no socket, process or temp file is left."""
    endpoint = plain.run(plain.platform.endpoint(plain.engine))
    began = time.monotonic()
    plain.run(plain.platform.stop(plain.engine))
    assert time.monotonic() - began < 10
    assert find_family(plain.engine.run_name) == []
    assert free_ports.is_free(endpoint.port)
    assert plain.run(_all_lines(plain))[-1].endswith("ms)")  # "Successfully stopped SparkContext (Uptime: … ms)"
    plain.run(plain.platform.clean(plain.engine))
    left = {p.name for p in (plain.data / "runs" / plain.engine.run_name).rglob("*")}
    assert left == {"log", "engine.log", "run.json"}


@pytest.mark.all
def test_kill_of_an_adopted_engine_is_seen_in_a_second(plain: Stage) -> None:
    """The next run has the same port; a second gateway adopts it, and hears of its kill -9 within a second."""
    before = run_ports(plain)
    plain.engine = next_run(plain.engine)
    plain.run(plain.platform.start(plain.engine, SECRET))
    assert run_ports(plain) == before
    process = driver(plain.data, plain.engine)

    async def adopt_and_kill() -> float:
        async with opened(plain.data) as second:
            assert (await look(second, running(plain.engine))).presence is Presence.ALIVE
            heard = asyncio.create_task(_first_end(second, plain.engine))
            await asyncio.sleep(0)
            os.kill(process.pid, signal.SIGKILL)
            began = time.monotonic()
            seen = await asyncio.wait_for(heard, 10)
            assert seen.end.reason is Reason.EXITED
            return time.monotonic() - began

    assert plain.run(adopt_and_kill()) < 1.0
    plain.run(plain.platform.clean(plain.engine))
    assert not (plain.data / "runs" / plain.engine.run_name / "tmp").exists()


def run_ports(stage: Stage) -> list[int]:
    """The ports of the newest run."""
    folder = max((stage.data / "runs").iterdir(), key=lambda p: int(p.name.rpartition("-")[2]))
    record = json.loads((folder / "run.json").read_text())
    return [record["port"], record["ui_port"]]


async def _first_end(platform: LocalPlatform, engine: Engine):
    async for _ in platform.changes():
        seen = await look(platform, running(engine))
        if seen.presence is Presence.ENDED:
            return seen
    raise AssertionError("no end was heard of")


@pytest.mark.all
def test_jars_packages_and_files_arrive(submitted: Stage) -> None:
    """Confs that only SparkSubmit acts on are acted on, and the others still arrive exactly."""
    code = """
def java(c, m):
    return spark.sql("select java_method('%s', '%s')" % (c, m)).collect()[0][0]
print(json.dumps([java("rucat.Probe", "hello"), java("pk.Probe", "hello"),
    java("org.apache.spark.SparkFiles", "getRootDirectory"),
    spark.conf.get("spark.custom.x"), spark.conf.get("spark.custom.empty"),
    spark.conf.get("spark.master"), spark.conf.get("spark.app.name")]))
"""
    jar, package, files, value, empty, master, name = json.loads(submitted.query(code))
    assert (jar, package) == ("from the jar", "from the package")
    assert (value, empty, master, name) == (" é\n\\", "", "local[1]", "test")
    assert (Path(files) / "file.txt").read_text() == "a file"
    assert (submitted.data / "ivy" / "jars" / "org.example_probe-1.0.jar").is_file()


@pytest.mark.all
def test_an_exhausted_heap_ends_the_engine_and_is_named(submitted: Stage) -> None:
    """A heap that is full ends the process, and the reason is OutOfMemory, even if the exit code is unknown."""
    code = 'spark.sql("select collect_list(repeat(cast(id as string), 1000000)) from range(0, 100000, 1, 1)").collect()'

    async def end():
        seen = await look(submitted.platform, running(submitted.engine))
        return seen.end

    with submitted.client(code) as client:
        try:
            end_seen = submitted.run(until("the heap is full", end, START_S))
        finally:
            client.kill()
    assert end_seen.reason is Reason.OUT_OF_MEMORY, end_seen
    folder = submitted.platform._lives.folder(submitted.engine.run_name)
    folder.change(exit_code=None)

    async def seen_by_another():
        async with opened(submitted.data) as another:
            return (await look(another, running(submitted.engine))).end

    assert submitted.run(seen_by_another()).reason is Reason.OUT_OF_MEMORY


@pytest.mark.all
@pytest.mark.parametrize(
    ("conf", "options", "reason", "text"),
    [
        ({"spark.executor.heartbeatInterval": "soon"}, [], Reason.CONFIG_INVALID, "soon"),
        ({}, ["-XX:G1HeapRegionSize=3k", "-Xms900m"], Reason.CONFIG_INVALID, "heap size"),
    ],
)
def test_what_spark_or_java_refuses_is_named(tmp_path, conf, options, reason, text) -> None:
    """A conf that Spark refuses, or options that the JVM refuses, are the failure's message."""

    async def story():
        async with machine(tmp_path / "data") as platform:
            spec = EngineSpec(conf=conf, java_options=options, driver=DriverSpec(memory="512m"))
            engine = await new_engine(platform, spec)
            await platform.start(engine, TOKEN)

            async def end():
                return (await look(platform, engine)).end

            return await until("it has ended", end, START_S)

    end = asyncio.run(story())
    assert (end.reason, text in end.message) == (reason, True), end


@pytest.mark.all
@pytest.mark.slow
def test_several_sparks_on_one_machine(tmp_path_factory) -> None:
    """Each engine runs the pyspark beside its Python: an older one in another environment works, too."""
    folder = tmp_path_factory.mktemp("older")
    python = os.environ.get("RUCAT_TEST_OLDER_PYTHON") or _older_python(folder / "venv")
    stage = Stage(folder, dict(os.environ))
    try:
        engine = stage.start(
            EngineSpec(driver=DriverSpec(memory="512m"), local=LocalSpec(python=python, directory=str(folder)))
        )
        assert engine.spark_version.startswith("4.1.")
        assert engine.spec.spark_version == engine.spark_version
        assert stage.query("print(spark.version)") == engine.spark_version
        assert [*find_engines(stage.data / "runs")] == [engine.run_name]
    finally:
        stage.end()


def _older_python(venv: Path) -> str:
    """A Python with pyspark 4.1, fresh from the package index."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
    python = str(venv / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "pyspark==4.1.*"], check=True, timeout=600)
    return python

"""Specs on this machine: every field that cannot be honoured is a problem, and what a restart needs is pinned."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fakes.java import make_java

from rucat_jupyter.core.engine import Credential, Engine, Reason
from rucat_jupyter.core.errors import InvalidRequest, PlatformError
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.host import java
from rucat_jupyter.host.budget import Budget
from rucat_jupyter.host.machine import Room
from rucat_jupyter.host.pysparks import PySparkNotFound, PySparks
from rucat_jupyter.platforms.local.command import words_of
from rucat_jupyter.platforms.local.run_folder import Record, RunFolder
from rucat_jupyter.platforms.local.spec import LocalSpecs

PLENTY = Budget(Room(65536, 65536))
LITTLE = Budget(Room(4096, 800))


@pytest.fixture
def specs(tmp_path: Path) -> LocalSpecs:
    return LocalSpecs(tmp_path, {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "RUCAT_TOKEN": "canary"})


def problems(specs: LocalSpecs, budget: Budget = PLENTY, **fields: object) -> dict[str, str]:
    return {p.field: p.message for p in specs.problems(EngineSpec.model_validate(fields), budget)}


def test_an_empty_spec_is_fine(specs):
    """Nothing asked for, nothing wrong."""
    assert problems(specs) == {}


def test_every_foreign_field_is_a_problem(specs):
    """Each field that only another platform has is named; those that were not set are not."""
    found = problems(
        specs,
        image="x",
        executors={"instances": 0, "memory": "1g"},
        driver={"request_cores": "250m", "limit_cores": "2", "memory_overhead": "1g", "cores": 1},
        kubernetes={"namespace": "x", "labels": {"a": "b"}, "tolerations": []},
        external={"url": "sc://x"},
    )
    assert found.keys() == {
        "image",
        "executors.instances",
        "executors.memory",
        "driver.request_cores",
        "driver.limit_cores",
        "driver.memory_overhead",
        "kubernetes.namespace",
        "kubernetes.labels",
        "external.url",
    }


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"java_options": ["-Dx=y"]}, "java_options", "-Dx=y"),
        ({"conf": {"spark.pyspark.python": "x"}}, "conf.spark.pyspark.python", "local.python"),
        ({"env": {"SPARK_HOME": "x"}}, "env.SPARK_HOME", "Rucat"),
        ({"secret_env": {"LD_PRELOAD": "x"}}, "secret_env.LD_PRELOAD", "Rucat"),
        ({"env": {"LC_ALL": "C"}}, "env.LC_ALL", "Rucat"),
        ({"driver": {"memory": "400m"}}, "driver.memory", "472m or more"),
        ({"conf": {"spark.driver.memory": "400m"}}, "driver.memory", "472m or more"),
        ({"conf": {"spark.driver.memory": "lots"}}, "conf.spark.driver.memory", "'lots' is not a memory size"),
        (
            {"conf": {"spark.driver.memory": "2g"}, "driver": {"memory": "1g"}},
            "conf.spark.driver.memory",
            "contradicts driver.memory, 1g",
        ),
        ({"conf": {"spark.driver.cores": "0"}}, "conf.spark.driver.cores", "'0' is not a number of cores"),
        ({"conf": {"spark.driver.cores": "2"}, "driver": {"cores": 3}}, "conf.spark.driver.cores", "contradicts"),
        ({"local": {"directory": "x"}}, "local.directory", "not an absolute path"),
        ({"local": {"directory": "/nonexistent"}}, "local.directory", "/nonexistent is not an accessible folder"),
        ({"local": {"directory": "/etc/passwd"}}, "local.directory", "/etc/passwd is not an accessible folder"),
        ({"local": {"python": "python3"}}, "local.python", "absolute path"),
        ({"local": {"python": "/nonexistent"}}, "local.python", "no Python at /nonexistent"),
        ({"local": {"python": "/bin/ls"}}, "local.python", "does not run as a Python"),
        ({"spark_version": "3.5.1"}, "spark_version", "a Python with pyspark 3.5.1"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(specs, fields, field, text):
    """Each mistake has one message at its own field."""
    found = problems(specs, **fields)
    assert found.keys() == {field}
    assert text in found[field]


def test_conf_and_field_that_agree_are_fine(specs):
    """The same said twice is no contradiction."""
    assert problems(specs, conf={"spark.driver.memory": "1024m"}, driver={"memory": "1g"}) == {}


def test_memory_that_is_not_there_may_come(specs):
    """Too much for now is not wrong: it is a failure with numbers, also for the default."""
    for fields in ({"driver": {"memory": "8g"}}, {}):
        (problem,) = specs.problems(EngineSpec.model_validate(fields), LITTLE)
        assert (problem.field, problem.is_wrong, problem.reason) == ("driver.memory", False, Reason.NO_MEMORY)
        assert "GB are free" in problem.message


def test_no_java_may_be_mended(specs, monkeypatch, tmp_path):
    """A machine without Java is no mistake of the spec; a wrong Java that the spec names is."""
    monkeypatch.setattr(java, "bundled_homes", lambda: iter(()))
    bare = LocalSpecs(tmp_path, {"PATH": "/nonexistent", "HOME": str(tmp_path)})
    (missing,) = bare.problems(EngineSpec(), PLENTY)
    assert (missing.is_wrong, missing.reason) == (False, Reason.JAVA_MISSING)
    old = make_java(tmp_path / "8", "1.8.0_412")
    (wrong,) = specs.problems(EngineSpec(env={"JAVA_HOME": str(old)}), PLENTY)
    assert (wrong.field, wrong.is_wrong) == ("env.JAVA_HOME", True)


def test_pin_fixes_what_a_restart_must_find_again(specs, tmp_path):
    """Python, folder, version, cores, memory; and pinning again changes nothing."""
    pinned = specs.pin(EngineSpec(conf={"spark.x": "y"}), PLENTY)
    assert pinned.spec.local.python == sys.executable
    assert pinned.spec.local.directory == str(tmp_path)
    assert pinned.spec.spark_version == pinned.spark_version
    assert pinned.python_version == ".".join(map(str, sys.version_info[:3]))
    assert pinned.spec.driver.memory == "4096m"
    assert pinned.spec.driver.cores >= 1
    assert specs.pin(pinned.spec, LITTLE) == pinned


def test_pin_takes_memory_and_cores_of_the_conf(specs):
    """What Spark's own confs ask for is what is pinned."""
    spec = EngineSpec(conf={"spark.driver.memory": "700m", "spark.driver.cores": "3"})
    driver = specs.pin(spec, PLENTY).spec.driver
    assert (driver.memory, driver.cores) == ("700m", 3)


def test_pin_refuses_what_is_not_there(specs):
    """All that is wrong in one error; too little memory now is not."""
    with pytest.raises(InvalidRequest) as refused:
        specs.pin(EngineSpec.model_validate({"local": {"python": "/no", "directory": "/no"}}), LITTLE)
    assert {error["field"] for error in refused.value.details["errors"]} == {"local.python", "local.directory"}


# --- the pyspark beside a Python -----------------------------------------------------------------------------


def python_with(path: Path, *jars: str, package: str = "pyspark", where: str = "jars") -> str:
    """A Python that finds a package with these jars."""
    (path / "site" / package).mkdir(parents=True)
    (path / "site" / package / "__init__.py").write_text("raise SystemExit('it was imported')")
    (path / "site" / package / where).mkdir(parents=True)
    for jar in jars:
        (path / "site" / package / where / jar).touch()
    python = path / "python"
    python.write_text(f'#!/bin/sh\nexport PYTHONPATH="{path}/site"\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return str(python)


GOOD = ("spark-core_2.13-4.1.4.jar", "spark-connect_2.13-4.1.4.jar")


def test_a_python_is_asked_once_as_long_as_nothing_changes(tmp_path, monkeypatch):
    """The answer is remembered, and asked for again when pyspark is replaced or gone."""
    python, found = python_with(tmp_path / "a", *GOOD), PySparks()
    first = found.look(python, {}, tmp_path)
    assert (first.spark_version, first.jars) == ("4.1.4", tmp_path / "a" / "site" / "pyspark" / "jars")
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.run", lambda *a, **k: pytest.fail("asked again"))
        assert found.look(python, {}, tmp_path) is first
    for jar in GOOD:
        (first.jars / jar).rename(first.jars / jar.replace("4.1.4", "4.2.0.dev1"))
    assert found.look(python, {}, tmp_path).spark_version == "4.2.0.dev1"
    first.jars.rename(first.home / "gone")
    with pytest.raises(PySparkNotFound, match="has no jars"):
        found.look(python, {}, tmp_path)


@pytest.mark.parametrize(
    ("jars", "options", "text"),
    [
        ((), {}, "has no jars"),
        (("spark-core_2.12-3.5.1.jar",), {}, "pyspark 3.5.1, but Rucat needs 4.1"),
        (("spark-core_2.13-4.0.0.jar",), {}, "pyspark 4.0.0, but Rucat needs 4.1"),
        (GOOD[:1], {}, "no spark-connect jar"),
        (GOOD, {"package": "other"}, "has no pyspark"),
    ],
)
def test_a_pyspark_that_will_not_do_is_said(tmp_path, jars, options, text):
    """None, a client only, too old, without Connect: each has its words and the fix."""
    with pytest.raises(PySparkNotFound, match="pip install") as missing:
        PySparks().look(python_with(tmp_path, *jars, **options), {}, tmp_path)
    assert text in str(missing.value)


def test_a_distribution_of_spark_will_do(tmp_path):
    """A pyspark on PYTHONPATH inside a Spark home uses that home's jars."""
    python = python_with(tmp_path)
    jars = tmp_path / "jars"
    jars.mkdir()
    for jar in GOOD:
        (jars / jar).touch()
    assert PySparks().look(python, {}, tmp_path).home == tmp_path


# --- what it is started with ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "runs").mkdir()
    folder = RunFolder(tmp_path / "runs" / "rucat-00-1")
    folder.make()
    folder.write(Record(boot_id="b", port=20001, ui_port=20002, memory_mb=1))
    return folder


def engine_of(specs: LocalSpecs, **fields: object) -> Engine:
    pinned = specs.pin(EngineSpec.model_validate(fields), PLENTY)
    return Engine(
        id="00",
        name="my engine é",
        owner="me",
        platform="local",
        profile="local",
        site="x",
        spec=pinned.spec,
        spark_version=pinned.spark_version,
        python_version=pinned.python_version,
        state_run=1,
        created_at="2026-01-01T00:00:00Z",
    )


def words(specs, folder, tmp_path, engine, credential=None):
    return words_of(specs, tmp_path, folder, engine, credential or Credential(token="t"), locale="C.UTF-8")


def test_confs_of_the_user_come_after_defaults_and_before_rucats(specs, folder, tmp_path):
    """A default gives way, what makes the engine ours does not, and secrets take the place of their masks."""
    conf = {"spark.app.name": "mine", "spark.ui.port": "1", "spark.k": "***", "spark.s.password": "***"}
    engine = engine_of(specs, conf=conf, driver={"cores": 3, "memory": "1g"})
    credential = Credential(token="t", conf={"spark.s.password": "pw"})
    lines = words(specs, folder, tmp_path, engine, credential).argfile.decode().splitlines()
    for line in (
        "-Xmx1024m",
        "-Dspark.app.name=mine",
        "-Dspark.ui.port=20002",
        "-Dspark.connect.grpc.binding.port=20001",
        "-Dspark.connect.grpc.binding.address=127.0.0.1",
        "-Dspark.master=local[3]",
        "-Dspark.k=***",
        "-Dspark.s.password=pw",
    ):
        assert f'"{line}"' in lines
    assert len([line for line in lines if line.startswith('"-Dspark.app.name=')]) == 1


def test_what_a_crash_writes_of_the_command_line_goes_with_the_run(specs, folder, tmp_path):
    """The JVM's own report has all of it, secrets included: it is not kept beside the log."""
    lines = words(specs, folder, tmp_path, engine_of(specs)).argfile.decode().splitlines()
    (place,) = [line for line in lines if "-XX:ErrorFile=" in line]
    assert f"{folder.tmp}/crash-%p.log" in place


def test_a_class_data_archive_is_looked_for_in_sparks_home(specs, folder, tmp_path):
    """As in an image; a JVM that cannot take it says nothing of it."""
    engine = engine_of(specs)
    lines = words(specs, folder, tmp_path, engine).argfile.decode().splitlines()
    home = specs.pyspark(engine.spec).home
    assert f'"-XX:SharedArchiveFile={home}/rucat.jsa"' in lines
    assert '"-Xlog:cds*=off"' in lines


def test_environment_is_small_and_has_rucats_variables(specs, folder, tmp_path):
    """The gateway's secrets and foreign settings stay out; the spec's variables and ours are in; the token too."""
    engine = engine_of(specs, env={"A": "1", "B_TOKEN": "***"}, secret_env={"AWS_X": "***"})
    env = words(specs, folder, tmp_path, engine, Credential(token="t", env={"B_TOKEN": "2", "AWS_X": "3"})).env
    assert (env["A"], env["B_TOKEN"], env["AWS_X"]) == ("1", "2", "3")
    assert env["SPARK_CONNECT_AUTHENTICATE_TOKEN"] == "t"
    assert env["PYSPARK_PYTHON"] == sys.executable
    assert (env["LC_ALL"], env["SPARK_LOCAL_IP"]) == ("C.UTF-8", "127.0.0.1")
    assert "RUCAT_TOKEN" not in env


def test_class_and_library_paths_reach_java(specs, folder, tmp_path):
    """What the launcher would do with extra paths is done: class path first, libraries first, Hadoop's conf last."""
    engine = engine_of(
        specs,
        conf={"spark.driver.extraClassPath": "/x.jar", "spark.driver.extraLibraryPath": "/lib/x"},
        env={"LD_LIBRARY_PATH": "/lib/y", "HADOOP_CONF_DIR": "/etc/hadoop"},
    )
    started = words(specs, folder, tmp_path, engine)
    lines = started.argfile.decode().splitlines()
    path = lines[lines.index('"-cp"') + 1]
    assert path.startswith('"/x.jar:')
    assert path.endswith(':/etc/hadoop"')
    assert started.env["LD_LIBRARY_PATH"] == "/lib/x:/lib/y"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"python_version": "2.7.18"}, "created with Python 2.7.18"),
        ({"spec.spark_version": "4.1.0"}, "created with pyspark 4.1.0"),
        ({"spec.local.python": "/nonexistent/python"}, "no Python at /nonexistent/python"),
        ({"spec.local.directory": "/nonexistent"}, "/nonexistent is not an accessible folder"),
    ],
)
def test_what_has_gone_since_create_is_a_failure_with_the_fix(specs, folder, tmp_path, changes, text):
    """A Python, pyspark or folder that is gone or changed is ConfigInvalid, and says which."""
    engine = engine_of(specs)
    for path, value in changes.items():
        *parents, field = path.split(".")
        if not parents:
            engine = engine.model_copy(update={field: value})
        elif parents == ["spec"]:
            engine = engine.model_copy(update={"spec": engine.spec.model_copy(update={field: value})})
        else:
            local = engine.spec.local.model_copy(update={field: value})
            engine = engine.model_copy(update={"spec": engine.spec.model_copy(update={"local": local})})
    with pytest.raises(PlatformError, match=text) as failed:
        words(specs, folder, tmp_path, engine)
    assert failed.value.details["reason"] == "ConfigInvalid"


def test_a_python_of_the_same_minor_release_will_do(specs, folder, tmp_path):
    """A patch release of Python changes nothing for UDFs."""
    major, minor = sys.version_info[:2]
    engine = engine_of(specs).model_copy(update={"python_version": f"{major}.{minor}.99"})
    assert words(specs, folder, tmp_path, engine).directory == tmp_path

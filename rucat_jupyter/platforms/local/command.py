"""The command of a local engine's JVM: argfile, environment, working directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...core.engine import Credential, Engine, Reason
from ...core.errors import PlatformError
from ...host import java, machine
from ...host.pysparks import PySpark, PySparkNotFound
from ...spark import command
from ...spark import command as spark
from .processes import RUN_ENV
from .run_folder import RunFolder
from .spec import LocalSpecs, directory_problems, heap_mb

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Words:
    """Everything that a JVM is started with."""

    executable: Path
    argfile: bytes
    env: Mapping[str, str]
    directory: Path


@dataclass(frozen=True)
class Setting:
    """The choices for one life."""

    folder: RunFolder
    port: int
    ui_port: int
    spark: PySpark
    java: java.Java
    conf: Mapping[str, str]
    env: Mapping[str, str]
    locale: str


def has_ui(conf: Mapping[str, str]) -> bool:
    """Whether an engine with this conf has a Spark UI."""
    return conf.get(spark.UI_ENABLED_CONF, "true").strip().lower() != "false"


def words_of(
    specs: LocalSpecs, data_dir: Path, folder: RunFolder, engine: Engine, credential: Credential, *, locale: str
) -> Words:
    """The command of this life; its ports are those of the folder's record.

    Raises PlatformError with the reason if something that was pinned at create no longer exists.
    """
    assert folder.record is not None, folder.name  # noqa: S101 - written before this by the one caller
    env = {**engine.spec.env, **credential.env}
    directory = specs.directory(engine.spec)
    for problem in directory_problems(directory):
        raise PlatformError(problem.message, reason=Reason.CONFIG_INVALID.value)
    setting = Setting(
        folder=folder,
        port=folder.record.port,
        ui_port=folder.record.ui_port,
        spark=_pinned(specs, engine),
        java=_java(env, specs.env),
        conf={**engine.spec.conf, **credential.conf},
        env=env,
        locale=locale,
    )
    argfile = spark.argfile(_arguments(setting, engine, data_dir))
    own_env = _own_env(setting, specs.base_env, credential.token)
    return Words(setting.java.executable, argfile, {**specs.base_env, **env, **own_env}, directory)


def warehouse_of(data_dir: Path, run_name: str) -> Path:
    """Folder of a life's managed tables: in the gateway's data directory, never in the notebook's folder."""
    return data_dir / "warehouse" / run_name


def _pinned(specs: LocalSpecs, engine: Engine) -> PySpark:
    """The pyspark that was pinned at create; PlatformError if it has changed."""
    try:
        found = specs.pyspark(engine.spec)
    except PySparkNotFound as exc:
        raise PlatformError(str(exc), reason=Reason.CONFIG_INVALID.value) from exc
    wanted, python = engine.spec.spark_version, engine.python_version
    if wanted and found.spark_version != wanted:
        raise PlatformError(
            f"the engine was created with pyspark {wanted}, but {found.python} now has {found.spark_version}; "
            f"install 'pyspark[connect]=={wanted}' there, or create the engine again",
            reason=Reason.CONFIG_INVALID.value,
        )
    if python and python.split(".")[:2] != found.python_version.split(".")[:2]:
        raise PlatformError(
            f"the engine was created with Python {python}, but {found.python} is now {found.python_version}; "
            "create the engine again",
            reason=Reason.CONFIG_INVALID.value,
        )
    return found


def _java(env: Mapping[str, str], machine_env: Mapping[str, str]) -> java.Java:
    try:
        return java.choose(env, machine_env)
    except java.JavaNotFound as exc:
        raise PlatformError(str(exc), reason=Reason.JAVA_MISSING.value) from exc


def _arguments(setting: Setting, engine: Engine, data_dir: Path) -> list[str]:
    folder, heap = setting.folder, heap_mb(engine.spec)
    master = f"local[{engine.spec.driver.cores or machine.cores()}]"
    conf = {
        **default_conf(setting, engine.name, heap, data_dir),
        **setting.conf,
        **own_conf(master, setting.port, setting.ui_port),
    }
    hadoop = [setting.env[key] for key in ("HADOOP_CONF_DIR", "YARN_CONF_DIR") if setting.env.get(key)]
    return [
        f"-Xmx{heap}m",
        "-XX:+ExitOnOutOfMemoryError",  # a JVM that continues after it may be a zombie
        "-XX:-UsePerfData",  # else it leaves /tmp/hsperfdata_<user>, whatever java.io.tmpdir is
        # The file has the whole command line, secrets included: it is removed with the run; the log has the cause.
        f"-XX:ErrorFile={str(folder.tmp).replace('%', '%%')}/crash-%p.log",
        "-XX:-CreateCoredumpOnCrash",
        *spark.archive_flags(str(setting.spark.home)),
        *spark.module_flags(setting.spark.jars, setting.java.modules),
        *engine.spec.java_options,
        f"-Djava.io.tmpdir={folder.tmp}",
        f"-Dlog4j2.configurationFile={(folder.conf / 'log4j2.properties').as_uri()}",
        *spark.conf_words(conf),
        "-cp",
        spark.class_path(setting.spark.jars, conf, hadoop),
        *spark.main_words(conf, master=master, name=conf["spark.app.name"]),
    ]


def default_conf(setting: Setting, name: str, heap: int, data_dir: Path) -> dict[str, str]:
    """Defaults that a spec may override."""
    ivy = {"spark.jars.ivy": str(data_dir / "ivy")} if spark.needs_submit(setting.conf) else {}
    return {
        **ivy,
        "spark.app.name": name,
        spark.HEAP_CONF: f"{heap}m",
        "spark.local.dir": str(setting.folder.tmp),
        **command.PACE,
        # One for each life, as the default catalogue: a later life could not write a table of the same name over
        # files that are not in its catalogue (LOCATION_ALREADY_EXISTS).
        "spark.sql.warehouse.dir": str(warehouse_of(data_dir, setting.folder.name)),
        # Else the UI silently uses the next port, which we do not know. So the start fails, and is tried again.
        "spark.port.maxRetries": "0",
    }


def own_conf(master: str, port: int | str, ui_port: int | str) -> dict[str, str]:
    """Confs that a spec cannot override: local, on loopback, on these ports."""
    return {
        "spark.master": master,
        "spark.connect.grpc.binding.address": LOOPBACK,
        spark.PORT_CONF: str(port),
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        spark.UI_PORT_CONF: str(ui_port),
    }


def _own_env(setting: Setting, base_env: Mapping[str, str], token: str) -> dict[str, str]:
    key = "LD_LIBRARY_PATH"
    libraries = [setting.conf.get(spark.LIBRARY_PATH_CONF), setting.env.get(key) or base_env.get(key)]
    return {
        **({key: ":".join(filter(None, libraries))} if any(libraries) else {}),
        "JAVA_HOME": str(setting.java.executable.parent.parent),
        "LC_ALL": setting.locale,
        "PYSPARK_PYTHON": setting.spark.python,
        "PYSPARK_DRIVER_PYTHON": setting.spark.python,
        RUN_ENV: setting.folder.name,
        "SPARK_CONF_DIR": str(setting.folder.conf),
        "SPARK_HOME": str(setting.spark.home),
        "SPARK_LOCAL_IP": LOOPBACK,  # the UI has no conf for its bind address
        "TMPDIR": str(setting.folder.tmp),
        spark.TOKEN_ENV: token,
    }

"""Read a spec for this machine: what is wrong with it, what a restart must find again, what it runs with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from ..engine import MASK, Credential, Engine, EngineSpec, Reason
from ..errors import InvalidRequest, PlatformError
from ..ports import Pinned, Problem
from . import java, machine, spark
from .pysparks import PySpark, PySparkNotFound, PySparks
from .runs import RunFolder

FOREIGN_FIELDS = (
    "image",
    "executors",
    "driver.request_cores",
    "driver.limit_cores",
    "driver.memory_overhead",
    "kubernetes",
    "external",
)
"""Fields, with all below them, that mean nothing on this machine."""

KEPT_ENV = frozenset(
    {
        "CURL_CA_BUNDLE",
        "CONDA_PREFIX",
        "DYLD_LIBRARY_PATH",
        "HOME",
        "KRB5_CONFIG",
        "KRB5CCNAME",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "REQUESTS_CA_BUNDLE",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
        "XDG_RUNTIME_DIR",
    }
)
"""What an engine inherits of the gateway's environment: no proxies, no Spark, Java or Python settings, no secrets."""

OWN_ENV_PREFIXES = ("SPARK_", "PYSPARK_", "RUCAT_")
OWN_ENV = frozenset(
    {
        "_JAVA_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_CTYPE",
        "LD_PRELOAD",
        "TMPDIR",
        "TMP",
        "TEMP",
    }
)
"""Variables that a spec cannot set: Rucat does, or they are a way round ``java_options``."""

MIN_HEADROOM_MB = 384
"""What a JVM uses beside its heap, at least; a tenth of the heap if that is more, as Spark counts it."""

DEFAULT_HEAPS_MB = (4096, 3072, 2048, 1536, 1024, 768, 512)
"""Heaps to choose the default from: the largest that fits what is free and is no more than a quarter of all memory."""


@dataclass(frozen=True)
class Budget:
    """Memory of this machine, and what live engines have been promised of it."""

    room: machine.Room
    promised_mb: int = 0
    in_use_mb: int = 0  # what those engines use already: part of the promise, and not of what is available
    engines: int = 0

    @property
    def left_mb(self) -> int:
        """What another engine can be promised."""
        return max(0, min(self.room.total_mb, self.room.available_mb + self.in_use_mb) - self.promised_mb)

    def refusal(self, heap_mb: int) -> str | None:
        """Why a heap does not fit, with numbers, or None when it does."""
        if needed_mb(heap_mb) <= self.left_mb:
            return None
        held = f", {_gb(self.promised_mb)} of it promised to {self.engines} running engines" if self.engines else ""
        return (
            f"a heap of {_gb(heap_mb)} needs {_gb(needed_mb(heap_mb))} with what Java uses beside it, and "
            f"{_gb(self.left_mb)} of {_gb(self.room.total_mb)} are free here{held}"
        )

    def default_mb(self) -> int:
        """The heap for a spec that names none."""
        fits = (mb for mb in DEFAULT_HEAPS_MB if mb <= self.room.total_mb // 4 and needed_mb(mb) <= self.left_mb)
        return next(fits, DEFAULT_HEAPS_MB[-1])


def needed_mb(heap_mb: int) -> int:
    """What a JVM with this heap needs in all."""
    return heap_mb + max(MIN_HEADROOM_MB, heap_mb // 10)


@dataclass(frozen=True)
class Words:
    """All that a JVM is started with."""

    java: java.Java
    argfile: bytes
    env: Mapping[str, str]
    directory: Path


class Specs:
    """Specs of engines on this machine, read against what is installed here."""

    def __init__(self, data_dir: Path, env: Mapping[str, str]) -> None:
        self._data_dir = data_dir
        self._env = env
        self._pysparks = PySparks()
        self._locale: str | None = None

    def problems(self, spec: EngineSpec, budget: Budget) -> list[Problem]:
        """Everything that would stop this spec from starting."""
        found = [Problem(field, "engines on this machine do not have it") for field in _foreign(spec)]
        found += [Problem("java_options", text) for text in spark.check_java_options(spec.java_options)]
        found += [Problem(f"conf.{key}", text) for key, text in spark.check_conf(spec.conf)]
        for field, env in (("env", spec.env), ("secret_env", spec.secret_env)):
            found += [Problem(f"{field}.{key}", "Rucat sets it, or refuses it") for key in env if _is_own(key)]
        found += [*_memory_problems(spec, budget), *_core_problems(spec), *_directory_problems(spec)]
        return [*found, *self._python_problems(spec), *self._java_problems(spec)]

    def pin(self, spec: EngineSpec, budget: Budget) -> Pinned:
        """The spec with Python, folder, Spark version, cores and memory filled in, or InvalidRequest."""
        wrong = [*_memory_problems(spec, budget), *_core_problems(spec), *_directory_problems(spec)]
        wrong += self._python_problems(spec)
        if any(problem.is_wrong for problem in wrong):
            raise InvalidRequest.of([(problem.field, problem.message) for problem in wrong if problem.is_wrong])
        found = self.pyspark(spec)
        memory = spec.driver.memory or spec.conf.get(spark.HEAP_CONF) or f"{budget.default_mb()}m"
        cores = spec.driver.cores or int(spec.conf.get(spark.CORES_CONF) or machine.cores())
        pinned = spec.model_copy(
            update={
                "spark_version": found.spark_version,
                "driver": spec.driver.model_copy(update={"memory": memory, "cores": cores}),
                "local": spec.local.model_copy(
                    update={"python": found.python, "directory": str(self._directory(spec))}
                ),
            }
        )
        return Pinned(pinned, found.spark_version, found.python_version)

    def pyspark(self, spec: EngineSpec) -> PySpark:
        """The pyspark that this spec runs with; PySparkNotFound when it is not there."""
        return self._pysparks.look(spec.local.python or sys.executable, self._base_env(), self._data_dir)

    def words(self, engine: Engine, credential: Credential, folder: RunFolder, port: int, ui_port: int) -> Words:
        """What to start this life with; PlatformError with the reason when it cannot start any more."""
        spec, found = engine.spec, self._pinned(engine)
        conf = _unmasked(spec.conf, credential.conf)
        env = _unmasked({**spec.env, **spec.secret_env}, credential.env)
        chosen = self._java(env)
        directory = self._directory(spec)
        problems = _directory_problems(spec)
        if problems:
            raise PlatformError(problems[0].message, reason=Reason.CONFIG_INVALID.value)
        master = f"local[{spec.driver.cores or machine.cores()}]"
        heap_mb = heap_of(spec)
        all_conf = {
            **self._default_conf(engine, folder, heap_mb, conf),
            **conf,
            **_own_conf(master, port, ui_port),
        }
        hadoop = [env[key] for key in ("HADOOP_CONF_DIR", "YARN_CONF_DIR") if env.get(key)]
        words = [
            f"-Xmx{heap_mb}m",
            "-XX:+ExitOnOutOfMemoryError",
            *spark.module_flags(found.jars, chosen.modules),
            *spec.java_options,
            f"-Djava.io.tmpdir={folder.tmp}",
            f"-Dlog4j2.configurationFile={(folder.conf / 'log4j2.properties').as_uri()}",
            *spark.conf_words(all_conf),
            "-cp",
            spark.class_path(found.jars, conf, hadoop),
            *spark.main_words(all_conf, master=master, name=all_conf["spark.app.name"]),
        ]
        own_env = self._own_env(found, chosen, folder, env, conf, credential.token)
        return Words(chosen, spark.argfile(words), {**self._base_env(), **env, **own_env}, directory)

    def _pinned(self, engine: Engine) -> PySpark:
        """The pyspark of create's time, or the failure that says what has become of it."""
        try:
            found = self.pyspark(engine.spec)
        except PySparkNotFound as exc:
            raise PlatformError(str(exc), reason=Reason.CONFIG_INVALID.value) from exc
        wanted, python = engine.spec.spark_version, engine.python_version
        if wanted and found.spark_version != wanted:
            raise PlatformError(
                f"the engine was created with pyspark {wanted}, and {found.python} has {found.spark_version} now; "
                f"install 'pyspark[connect]=={wanted}' there, or create the engine anew",
                reason=Reason.CONFIG_INVALID.value,
            )
        if python and python.split(".")[:2] != found.python_version.split(".")[:2]:
            raise PlatformError(
                f"the engine was created with Python {python}, and {found.python} is {found.python_version} now; "
                "create the engine anew",
                reason=Reason.CONFIG_INVALID.value,
            )
        return found

    def _java(self, env: Mapping[str, str]) -> java.Java:
        try:
            return java.choose(env, self._env)
        except java.JavaNotFound as exc:
            raise PlatformError(str(exc), reason=Reason.JAVA_MISSING.value) from exc

    def _default_conf(self, engine: Engine, folder: RunFolder, heap_mb: int, conf: Mapping[str, str]) -> dict[str, str]:
        """Confs that a spec may set otherwise."""
        ivy = {"spark.jars.ivy": str(self._data_dir / "ivy")} if spark.needs_submit(conf) else {}
        return {
            **ivy,
            "spark.app.name": engine.name,
            spark.HEAP_CONF: f"{heap_mb}m",
            "spark.local.dir": str(folder.tmp),
            # One for each life: the default catalogue lives as long, and a later life could not write a table
            # of the same name over files that it does not know (LOCATION_ALREADY_EXISTS).
            "spark.sql.warehouse.dir": str(warehouse_of(self._data_dir, folder.name)),
            # Without it the UI moves to the next port in silence; so the start fails, and is tried with other ports.
            "spark.port.maxRetries": "0",
        }

    def _own_env(
        self,
        found: PySpark,
        chosen: java.Java,
        folder: RunFolder,
        env: Mapping[str, str],
        conf: Mapping[str, str],
        token: str,
    ) -> dict[str, str]:
        if self._locale is None:
            self._locale = machine.utf8_locale()
        libraries = [conf.get(spark.LIBRARY_PATH_CONF), env.get("LD_LIBRARY_PATH"), self._env.get("LD_LIBRARY_PATH")]
        return {
            "JAVA_HOME": str(chosen.executable.parent.parent),
            "LC_ALL": self._locale,
            **({"LD_LIBRARY_PATH": ":".join(filter(None, libraries))} if any(libraries) else {}),
            "PYSPARK_PYTHON": found.python,
            "PYSPARK_DRIVER_PYTHON": found.python,
            "RUCAT_RUN": folder.name,
            "SPARK_CONF_DIR": str(folder.conf),
            "SPARK_HOME": str(found.home),
            "SPARK_LOCAL_IP": "127.0.0.1",  # the UI has no conf for the address that it binds
            "TMPDIR": str(folder.tmp),
            spark.TOKEN_ENV: token,
        }

    def _base_env(self) -> dict[str, str]:
        return {key: value for key, value in self._env.items() if key in KEPT_ENV}

    def _directory(self, spec: EngineSpec) -> Path:
        return Path(spec.local.directory or self._env.get("HOME") or Path.home())

    def _python_problems(self, spec: EngineSpec) -> list[Problem]:
        try:
            found = self.pyspark(spec)
        except PySparkNotFound as exc:
            return [Problem("local.python", str(exc))]
        if spec.spark_version in (None, found.spark_version):
            return []
        fix = f"leave it out, or name a Python with pyspark {spec.spark_version} in local.python"
        return [Problem("spark_version", f"{found.python} has pyspark {found.spark_version}; {fix}")]

    def _java_problems(self, spec: EngineSpec) -> list[Problem]:
        try:
            java.choose(spec.env, self._env)
        except java.JavaNotFound as exc:
            asked = "JAVA_HOME" in spec.env
            return [Problem("env.JAVA_HOME" if asked else "", str(exc), is_wrong=asked, reason=Reason.JAVA_MISSING)]
        return []


def heap_of(spec: EngineSpec) -> int:
    """The heap that a spec asks for, in MB; the smallest default where it names none."""
    text = spec.driver.memory or spec.conf.get(spark.HEAP_CONF)
    return spark.memory_mb(text) if text else DEFAULT_HEAPS_MB[-1]


def warehouse_of(data_dir: Path, run_name: str) -> Path:
    """Where a life keeps its managed tables: with the data of the gateway, never in the notebook's folder."""
    return data_dir / "warehouse" / run_name


def _own_conf(master: str, port: int, ui_port: int) -> dict[str, str]:
    """Confs that make the engine what Rucat says it is: here, on loopback, on these ports."""
    return {
        "spark.master": master,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        spark.PORT_CONF: str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        spark.UI_PORT_CONF: str(ui_port),
    }


def _foreign(spec: EngineSpec) -> Iterator[str]:
    """Dotted names of the fields that are set and that this machine cannot honour."""
    for name, value in _leaves(spec, ""):
        is_foreign = any(name == field or name.startswith(f"{field}.") for field in FOREIGN_FIELDS)
        if is_foreign and value not in (None, {}, []):
            yield name


def _leaves(model: BaseModel, prefix: str) -> Iterator[tuple[str, object]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _memory_problems(spec: EngineSpec, budget: Budget) -> list[Problem]:
    asked, by_conf = spec.driver.memory, spec.conf.get(spark.HEAP_CONF)
    if by_conf is not None and not _is_memory(by_conf):
        return [Problem(f"conf.{spark.HEAP_CONF}", f"{by_conf!r} is not a memory size such as 4g; use driver.memory")]
    if asked and by_conf and spark.memory_mb(asked) != spark.memory_mb(by_conf):
        return [Problem(f"conf.{spark.HEAP_CONF}", f"{by_conf} contradicts driver.memory, {asked}; set only that")]
    if not asked and not by_conf:
        refusal = budget.refusal(DEFAULT_HEAPS_MB[-1])
        return [Problem("driver.memory", refusal, is_wrong=False, reason=Reason.NO_MEMORY)] if refusal else []
    heap_mb = heap_of(spec)
    if heap_mb < spark.MIN_HEAP_MB:
        return [Problem("driver.memory", f"{asked or by_conf} is too small: Spark needs {spark.MIN_HEAP_MB}m or more")]
    refusal = budget.refusal(heap_mb)
    return [Problem("driver.memory", refusal, is_wrong=False, reason=Reason.NO_MEMORY)] if refusal else []


def _core_problems(spec: EngineSpec) -> list[Problem]:
    by_conf = spec.conf.get(spark.CORES_CONF)
    if by_conf is None:
        return []
    if not by_conf.isascii() or not by_conf.isdigit() or int(by_conf) < 1:
        return [Problem(f"conf.{spark.CORES_CONF}", f"{by_conf!r} is not a number of cores; use driver.cores")]
    if spec.driver.cores not in (None, int(by_conf)):
        return [Problem(f"conf.{spark.CORES_CONF}", f"{by_conf} contradicts driver.cores, {spec.driver.cores}")]
    return []


def _directory_problems(spec: EngineSpec) -> list[Problem]:
    name = spec.local.directory
    if name is None:
        return []
    if not Path(name).is_absolute():
        return [Problem("local.directory", f"{name!r} is not an absolute path")]
    if not Path(name).is_dir() or not os.access(name, os.X_OK):
        return [Problem("local.directory", f"there is no folder {name} that can be entered; make it, or name another")]
    return []


def _is_memory(text: str) -> bool:
    return text[:-1].isascii() and text[:-1].isdigit() and text[-1:] in "kKmMgGtT" and int(text[:-1]) > 0


def _is_own(key: str) -> bool:
    return key.startswith(OWN_ENV_PREFIXES) or key in OWN_ENV


def _unmasked(shown: Mapping[str, str], secret: Mapping[str, str]) -> dict[str, str]:
    return {**{key: value for key, value in shown.items() if value != MASK}, **secret}


def _gb(mb: int) -> str:
    return f"{mb / 1024:.1f} GB"

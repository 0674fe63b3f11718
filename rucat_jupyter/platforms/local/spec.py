"""Check a spec for this machine, and pin what a restart must keep."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from ...core.engine import Reason
from ...core.errors import InvalidRequest
from ...core.field_errors import dotted
from ...core.ports.platform import Pinned, Problem
from ...core.spec import EngineSpec
from ...host import java, machine
from ...host.budget import DEFAULT_HEAPS_MB, Budget
from ...host.pysparks import PySpark, PySparkNotFound, PySparks
from ...spark import command

FOREIGN_FIELDS = (
    "image",
    "executors",
    "driver.request_cores",
    "driver.limit_cores",
    "driver.memory_overhead",
    "kubernetes",
    "external",
)
"""Fields, with everything below them, that have no meaning on this machine."""

KEPT_ENV = frozenset(
    {
        *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
        *("CONDA_PREFIX", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "PATH", "VIRTUAL_ENV"),
        *("HOME", "LOGNAME", "SHELL", "TZ", "USER", "XDG_RUNTIME_DIR"),
        *("KRB5_CONFIG", "KRB5CCNAME"),
    }
)
"""Variables that engines inherit from the gateway: no proxies, no Spark, Java or Python settings, no secrets."""

OWN_ENV_PREFIXES = ("SPARK_", "PYSPARK_", "RUCAT_")
OWN_ENV = frozenset(
    {
        *("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TMPDIR", "TMP", "TEMP"),
    }
)
"""Variables that a spec cannot set: Rucat sets them, or they bypass ``java_options``."""


class LocalSpecs:
    """Specs of engines on this machine, checked against the installed software.

    Parameters
    ----------
    folder
        Working directory for interpreters that we run to find pyspark: a folder with no Python files.
    env
        The gateway's environment.
    umask
        The umask of engines; -1: that of this process.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], umask: int = -1) -> None:
        self.env = env
        self.umask = umask
        self._folder = folder
        self._pysparks = PySparks()

    @property
    def base_env(self) -> dict[str, str]:
        """The environment that engines, and interpreters that we run, inherit."""
        return {key: value for key, value in self.env.items() if key in KEPT_ENV}

    def problems(self, spec: EngineSpec, budget: Budget) -> list[Problem]:
        """Everything that would keep this spec from starting."""
        found = [Problem(field, "engines on this machine do not support it") for field in _foreign(spec)]
        found += [Problem("java_options", text) for text in command.check_java_options(spec.java_options)]
        found += [Problem(dotted(["conf", key]), text) for key, text in command.ignored(spec.conf)]
        for field, env in (("env", spec.env), ("secret_env", spec.secret_env)):
            found += [
                Problem(dotted([field, key]), "Rucat sets it, or does not allow it") for key in env if _is_own(key)
            ]
        return [*found, *self._own_problems(spec, budget), *self._java_problems(spec)]

    def pin(self, spec: EngineSpec, budget: Budget) -> Pinned:
        """Return the spec with Python, folder, Spark version, cores and memory filled in, or raise InvalidRequest."""
        wrong = [problem for problem in self._own_problems(spec, budget) if problem.is_wrong]
        if wrong:
            raise InvalidRequest.of([(problem.field, problem.message) for problem in wrong])
        found = self.pyspark(spec)
        memory = spec.driver.memory or spec.conf.get(command.HEAP_CONF) or f"{budget.default_mb()}m"
        cores = spec.driver.cores or int(spec.conf.get(command.CORES_CONF) or machine.cores())
        local = {"python": found.python, "directory": str(self.directory(spec))}
        pinned = spec.model_copy(
            update={
                "spark_version": found.spark_version,
                "driver": spec.driver.model_copy(update={"memory": memory, "cores": cores}),
                "local": spec.local.model_copy(update=local),
            }
        )
        return Pinned(pinned, found.spark_version, found.python_version)

    def pyspark(self, spec: EngineSpec) -> PySpark:
        """The pyspark for this spec; PySparkNotFound if there is none."""
        return self._pysparks.look(spec.local.python or sys.executable, self.base_env, self._folder)

    def directory(self, spec: EngineSpec) -> Path:
        """The working directory; the home directory by default."""
        return Path(spec.local.directory or self.env.get("HOME") or Path.home())

    def _own_problems(self, spec: EngineSpec, budget: Budget) -> list[Problem]:
        return [
            *_memory_problems(spec, budget),
            *_core_problems(spec),
            *directory_problems(self.directory(spec)),
            *self._python_problems(spec),
        ]

    def _python_problems(self, spec: EngineSpec) -> list[Problem]:
        try:
            found = self.pyspark(spec)
        except PySparkNotFound as exc:
            return [Problem("local.python", str(exc))]
        if spec.spark_version in (None, found.spark_version):
            return []
        fix = f"remove it, or set local.python to a Python with pyspark {spec.spark_version}"
        return [Problem("spark_version", f"{found.python} has pyspark {found.spark_version}; {fix}")]

    def _java_problems(self, spec: EngineSpec) -> list[Problem]:
        try:
            java.choose(spec.env, self.env)
        except java.JavaNotFound as exc:
            is_asked = "JAVA_HOME" in spec.env
            field = "env.JAVA_HOME" if is_asked else ""
            return [Problem(field, str(exc), is_wrong=is_asked, reason=Reason.JAVA_MISSING)]
        return []


def heap_mb(spec: EngineSpec) -> int:
    """The heap of a spec, in MB; the smallest default if it sets none."""
    text = spec.driver.memory or spec.conf.get(command.HEAP_CONF)
    return command.memory_mb(text) if text else DEFAULT_HEAPS_MB[-1]


def directory_problems(directory: Path) -> list[Problem]:
    """What is wrong with a working directory."""
    if not directory.is_absolute():
        return [Problem("local.directory", f"{str(directory)!r} is not an absolute path")]
    if not directory.is_dir() or not os.access(directory, os.X_OK):
        text = f"{directory} is not an accessible folder; create it, or set another one"
        return [Problem("local.directory", text)]
    return []


def _foreign(spec: EngineSpec) -> Iterator[str]:
    """Dotted names of set fields that this platform does not support."""
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
    asked, by_conf = spec.driver.memory, spec.conf.get(command.HEAP_CONF)
    conf_field = dotted(["conf", command.HEAP_CONF])
    if by_conf is not None and not command.is_memory(by_conf):
        return [Problem(conf_field, f"{by_conf!r} is not a memory size such as '4g'; use driver.memory")]
    if asked and by_conf and command.memory_mb(asked) != command.memory_mb(by_conf):
        return [Problem(conf_field, f"{by_conf} contradicts driver.memory, {asked}; set only one of them")]
    heap = heap_mb(spec)
    if heap < command.MIN_HEAP_MB:
        return [
            Problem("driver.memory", f"{asked or by_conf} is too small: Spark needs {command.MIN_HEAP_MB}m or more")
        ]
    refusal = budget.refusal(heap)
    return [Problem("driver.memory", refusal, is_wrong=False, reason=Reason.NO_MEMORY)] if refusal else []


def _core_problems(spec: EngineSpec) -> list[Problem]:
    by_conf, field = spec.conf.get(command.CORES_CONF), dotted(["conf", command.CORES_CONF])
    if by_conf is None:
        return []
    if not by_conf.isascii() or not by_conf.isdigit() or not 1 <= int(by_conf) <= 10_000:
        return [Problem(field, f"{by_conf!r} is not a number of cores; use driver.cores")]
    if spec.driver.cores not in (None, int(by_conf)):
        return [Problem(field, f"{by_conf} contradicts driver.cores, {spec.driver.cores}; set only one of them")]
    return []


def _is_own(key: str) -> bool:
    return key.startswith(OWN_ENV_PREFIXES) or key in OWN_ENV

"""Dry run on this machine: what a start would run, made with the code of a start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...core.engine import Reason
from ...core.errors import PlatformError
from ...core.ports.planning import Outline
from ...core.spec import MASK, EngineSpec
from ...host import java, machine
from ...host.budget import Budget, needed_mb
from ...host.pysparks import PySparkNotFound
from ...spark import command
from .command import Setting, default_conf, own_conf
from .run_folder import RunFolder
from .spec import LocalSpecs, heap_mb

A_FREE_PORT = "<a free port>"
RUN = "rucat-<id>-1"
"""Stands for the run's name in paths: a new engine has no id yet."""

FIXED = "always"
DEFAULT = "default; the spec may override it"


def outline(specs: LocalSpecs, data_dir: Path, spec: EngineSpec, *, name: str, locale: str, budget: Budget) -> Outline:
    """What a start of this pinned spec, whose secrets are masked, would run.

    Raises PlatformError if Java, Python or pyspark is missing.
    """
    env = {**spec.env, **spec.secret_env}
    try:
        found, chosen = specs.pyspark(spec), java.choose(_known(env), specs.env)
    except PySparkNotFound as exc:
        raise PlatformError(str(exc), reason=Reason.CONFIG_INVALID.value) from exc
    except java.JavaNotFound as exc:
        raise PlatformError(str(exc), reason=Reason.JAVA_MISSING.value) from exc
    heap, cores = heap_mb(spec), spec.driver.cores or machine.cores()
    setting = Setting(RunFolder(data_dir / "runs" / RUN), 0, 0, found, chosen, spec.conf, env, locale)
    given = {key: (value, "") for key, value in spec.conf.items()}
    default = {key: (value, DEFAULT) for key, value in default_conf(setting, name, heap, data_dir).items()}
    if spec.driver.memory and command.HEAP_CONF not in spec.conf:
        default[command.HEAP_CONF] = (f"{heap}m", "driver.memory")
    fixed = {key: (value, FIXED) for key, value in own_conf(f"local[{cores}]", A_FREE_PORT, A_FREE_PORT).items()}
    fixed["spark.master"] = (f"local[{cores}]", "driver.cores")
    return Outline(
        conf=[(key, value, whose) for key, (value, whose) in {**default, **given, **fixed}.items()],
        java=str(chosen.executable),
        java_version=chosen.version,
        spark_home=str(found.home),
        python=found.python,
        directory=str(specs.directory(spec)),
        java_options=list(spec.java_options),
        heap_mb=heap,
        needed_mb=needed_mb(heap),
        free_mb=budget.left_mb,
        total_mb=budget.room.total_mb,
        cores=cores,
        cores_offered=machine.cores(),
    )


def _known(env: Mapping[str, str]) -> dict[str, str]:
    """The environment to choose Java by, without a masked ``JAVA_HOME`` (which the kernel sent as a secret)."""
    return {"JAVA_HOME": env["JAVA_HOME"]} if env.get("JAVA_HOME", MASK) != MASK else {}

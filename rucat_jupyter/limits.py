"""What an administrator allows: the ``[limits]`` of ``rucat.toml``."""

from __future__ import annotations

from functools import cached_property

from pydantic import Field

from .confs import Globs, check_denied
from .engine import EngineSpec, Memory, Model, PositiveCount
from .errors import Forbidden

_UNITS = {"k": 1, "m": 1024, "g": 1024**2, "t": 1024**3}


class Limits(Model):
    """Confs and sizes. What a team gateway denies by default, idle and lifetime limits come with later issues."""

    denied_conf: list[str] = Field(default_factory=list, description="Globs of Spark confs that nobody may set.")
    allowed_conf: list[str] = Field(default_factory=list, description="Globs of confs excepted from denied_conf.")
    max_driver_memory: Memory | None = Field(None, description="Largest driver.memory.")
    max_driver_cores: PositiveCount | None = Field(None, description="Largest driver.cores.")
    max_executor_memory: Memory | None = Field(None, description="Largest executors.memory.")
    max_executor_cores: PositiveCount | None = Field(None, description="Largest executors.cores.")
    max_executors: PositiveCount | None = Field(None, description="Largest executors.instances and executors.max.")

    @cached_property
    def _globs(self) -> tuple[Globs, Globs]:
        return Globs(self.denied_conf), Globs(self.allowed_conf)

    def check_confs(self, spec: EngineSpec) -> None:
        """Raise ConfDenied where the spec sets what is denied, always or by these limits."""
        check_denied(spec, *self._globs)

    def check_sizes(self, spec: EngineSpec) -> None:
        """Raise Forbidden, naming every field of the pinned spec (defaults filled in) that is over its limit."""
        driver, executors = spec.driver, spec.executors
        rows: list[tuple[str, int | str | None, int | str | None]] = [
            ("driver.memory", driver.memory, self.max_driver_memory),
            ("driver.cores", driver.cores, self.max_driver_cores),
            ("executors.memory", executors.memory, self.max_executor_memory),
            ("executors.cores", executors.cores, self.max_executor_cores),
            ("executors.instances", executors.instances, self.max_executors),
            ("executors.max", executors.max, self.max_executors),
        ]
        over = [
            (name, f"{asked} is over the administrator's limit of {limit}")
            for name, asked, limit in rows
            if asked is not None and limit is not None and _size(asked) > _size(limit)
        ]
        if over:
            text = "; ".join(f"{name}: {message}" for name, message in over)
            raise Forbidden(text, errors=[{"field": name, "message": message} for name, message in over])


def _size(value: int | str) -> int:
    """A count, or a memory size in kilobytes."""
    return value if isinstance(value, int) else int(value[:-1]) * _UNITS[value[-1].lower()]

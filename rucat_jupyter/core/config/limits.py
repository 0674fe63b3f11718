"""The limits that an administrator sets: ``[limits]`` of ``rucat.toml``, each with the file that it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated

from pydantic import Field, PrivateAttr

from ..errors import Forbidden
from ..spec import EngineSpec, Memory, Model, PositiveCount
from .denied import Globs, check_denied

CODE_CONFS = (
    "spark.jars*",
    "spark.files",
    "spark.archives",
    "spark.submit.pyFiles",
    "spark.plugins",
    "spark.sql.extensions",
    "spark.extraListeners",
    "spark.sql.catalog.*",
    "spark.*.extraClassPath",
    "spark.*.extraLibraryPath",
    "spark.*.userClassPathFirst",
)
"""Confs that load code into an engine: allowed on a user's own gateway, denied on a team's gateway."""

ALIASES: Mapping[str, tuple[str, str]] = {
    "spark.driver.memory": ("driver", "memory"),
    "spark.driver.cores": ("driver", "cores"),
    "spark.executor.memory": ("executors", "memory"),
    "spark.executor.cores": ("executors", "cores"),
    "spark.executor.instances": ("executors", "instances"),
    "spark.dynamicAllocation.maxExecutors": ("executors", "max"),
}
"""Confs with the same meaning as a field of the spec."""

Positive = Annotated[int, Field(ge=1, le=31_536_000, strict=True)]
_UNITS = {"k": 1, "m": 1024, "g": 1024**2, "t": 1024**3}
_SIZE = re.compile(r"(\d{1,18})\s*([kmgt]?)i?b?", re.IGNORECASE)


class Limits(Model):
    """Limits for every engine. A limit that is not set allows everything."""

    denied_conf: list[str] = Field(default_factory=list, description="Globs of Spark confs that are denied.")
    allowed_conf: list[str] = Field(
        default_factory=list,
        description="Globs of confs that are allowed in spite of denied_conf and own_code = false.",
    )
    denied_env: list[str] = Field(default_factory=list, description="Globs of environment variables that are denied.")
    own_code: bool | None = Field(
        None,
        strict=True,
        description="Whether specs may set jars, packages, plugins, extensions; default: yes, on a team's gateway no.",
    )
    max_driver_memory: Memory | None = Field(None, description="Largest driver.memory.")
    max_driver_cores: PositiveCount | None = Field(None, description="Largest driver.cores.")
    max_executor_memory: Memory | None = Field(None, description="Largest executors.memory.")
    max_executor_cores: PositiveCount | None = Field(None, description="Largest executors.cores.")
    max_executors: PositiveCount | None = Field(None, description="Largest executors.instances and executors.max.")
    max_total_memory: Memory | None = Field(
        None, description="Largest total memory of an engine, driver and executors."
    )
    max_total_cores: PositiveCount | None = Field(
        None, description="Most cores of an engine in total, driver and executors."
    )
    max_idle_timeout_s: Positive | None = Field(
        None, description="Largest idle_timeout_s (0, never, is rejected); also the default."
    )
    max_lifetime_s: Positive | None = Field(
        None, description="Largest max_lifetime_s (0, never, is rejected); also the default."
    )
    max_engines: PositiveCount | None = Field(
        None, description="Most engines of one owner that run or are starting at the same time."
    )
    allowed_platforms: list[str] | None = Field(None, description="Globs of the allowed platforms.")
    allowed_spark_versions: list[str] | None = Field(None, description="Globs of the allowed Spark releases.")
    allowed_images: list[str] | None = Field(None, description="Globs of the allowed container images.")
    allowed_contexts: list[str] | None = Field(None, description="Globs of the allowed contexts of the kubeconfig.")
    allowed_namespaces: list[str] | None = Field(None, description="Globs of the allowed namespaces.")
    allowed_service_accounts: list[str] | None = Field(None, description="Globs of the allowed service accounts.")
    allowed_pod_fields: list[str] | None = Field(
        None, description="Globs of the fields of a pod that pod patches may set, such as 'spec.dnsConfig'."
    )
    allowed_unsafe_pod_fields: list[str] = Field(
        default_factory=list,
        description="Globs of pod fields that are allowed although they are unsafe, such as 'spec.volumes.hostPath'.",
    )

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)
    _is_team: bool = PrivateAttr(default=False)

    @classmethod
    def of(cls, values: Mapping[str, object], sources: Mapping[str, str], *, is_team: bool = False) -> Limits:
        """Make limits from values and their files; ``is_team``: the gateway serves many users."""
        limits = cls.model_validate(values)
        limits._sources.update(sources)
        limits._is_team = is_team
        return limits

    def place(self, name: str) -> str:
        """Return a limit's name and the file that sets it."""
        return f"limits.{name} in {self._sources[name]}" if name in self._sources else f"limits.{name}"

    def shown(self) -> list[tuple[str, object, str]]:
        """Return every limit that is set: name, value, file."""
        return [(name, getattr(self, name), self._sources.get(name, "")) for name in sorted(self.model_fields_set)]

    # --- defaults -------------------------------------------------------------------------------------------

    def fill(self, spec: EngineSpec, idle_timeout_s: float) -> tuple[EngineSpec, dict[str, str]]:
        """Fill in time limits that the spec does not set; also return these fields, with the limit's place.

        ``idle_timeout_s`` is the gateway's default, 0 for never.
        """
        update: dict[str, int] = {}
        longest = self.max_idle_timeout_s
        if longest and spec.idle_timeout_s is None and not 0 < idle_timeout_s <= longest:
            update["idle_timeout_s"] = longest
        if self.max_lifetime_s and spec.max_lifetime_s is None:
            update["max_lifetime_s"] = self.max_lifetime_s
        names = {"idle_timeout_s": "max_idle_timeout_s", "max_lifetime_s": "max_lifetime_s"}
        return spec.model_copy(update=update) if update else spec, {key: self.place(names[key]) for key in update}

    def cap(self, asked: EngineSpec, pinned: EngineSpec) -> tuple[EngineSpec, dict[str, str]]:
        """Reduce the values that the platform chose to the limits; values of the request stay as they are."""
        update: dict[str, object] = {}
        rows = (("memory", self.max_driver_memory, "spark.driver.memory"), ("cores", self.max_driver_cores, ""))
        for name, limit, conf in rows:
            chosen = getattr(pinned.driver, name)
            was_asked = getattr(asked.driver, name) is not None or (conf or "spark.driver.cores") in asked.conf
            if limit is not None and chosen is not None and not was_asked and _size(chosen) > _size(limit):
                update[name] = limit
        if not update:
            return pinned, {}
        spec = pinned.model_copy(update={"driver": pinned.driver.model_copy(update=update)})
        return spec, {f"driver.{name}": self.place(f"max_driver_{name}") for name in update}

    # --- checks ---------------------------------------------------------------------------------------------

    def check_confs(self, spec: EngineSpec) -> None:
        """Raise ConfDenied if the spec sets a denied conf or variable."""
        check_denied(spec, self._denied, self._allowed, self._denied_env)

    def check(self, spec: EngineSpec, platform: str) -> None:
        """Raise Forbidden with every value of the pinned spec (defaults filled in) that exceeds these limits."""
        over = [*self._sizes(spec), *self._times(spec, platform), *self._words(spec, platform)]
        if over:
            raise _refused(over)

    def check_engines(self, running: int) -> None:
        """Raise Forbidden if an owner with this many running engines may not start another one."""
        if self.max_engines is not None and running >= self.max_engines:
            text = f"{running} of your engines run or are starting; the limit is {self.max_engines}"
            raise _refused([("", f"{text} ({self.place('max_engines')}): stop one first")])

    @cached_property
    def _denied(self) -> Mapping[str, Globs]:
        denied = {f"{self.place('denied_conf')} denies it": Globs(self.denied_conf)}
        if self.own_code is False:
            denied[f"it loads code, and {self.place('own_code')} is false"] = Globs(CODE_CONFS)
        elif self._is_team and self.own_code is None:
            denied["it loads code; a team's gateway allows that with limits.own_code or limits.allowed_conf"] = Globs(
                CODE_CONFS
            )
        return denied

    @cached_property
    def _allowed(self) -> Globs:
        return Globs(self.allowed_conf)

    @cached_property
    def _denied_env(self) -> Mapping[str, Globs]:
        return {f"{self.place('denied_env')} denies it": Globs(self.denied_env)}

    def _sizes(self, spec: EngineSpec) -> Iterator[tuple[str, str]]:
        rows = (
            ("driver", "memory", "max_driver_memory"),
            ("driver", "cores", "max_driver_cores"),
            ("executors", "memory", "max_executor_memory"),
            ("executors", "cores", "max_executor_cores"),
            ("executors", "instances", "max_executors"),
            ("executors", "max", "max_executors"),
        )
        for part, name, limit_name in rows:
            limit = getattr(self, limit_name)
            conf = next(key for key, path in ALIASES.items() if path == (part, name))
            asked = {f"{part}.{name}": getattr(getattr(spec, part), name), f"conf.{conf}": spec.conf.get(conf)}
            for field, value in asked.items():
                if limit is not None and value is not None and _size(_meant(value, name)) > _size(limit):
                    yield field, self._said(value, limit_name)
        for name in ("memory", "cores"):
            limit, total = getattr(self, f"max_total_{name}"), _total(spec, name)
            if limit is not None and total > _size(limit):
                text = f"{total / 1024**2:g}g" if name == "memory" else total
                yield f"driver.{name}, executors.{name}", f"together {self._said(text, f'max_total_{name}')}"

    def _times(self, spec: EngineSpec, platform: str) -> Iterator[tuple[str, str]]:
        if platform == "external":
            return  # Rucat does not end it
        for name, limit_name in (("idle_timeout_s", "max_idle_timeout_s"), ("max_lifetime_s", "max_lifetime_s")):
            limit, value = getattr(self, limit_name), getattr(spec, name)
            if limit is not None and value is not None and not 0 < value <= limit:
                yield name, self._said(value or "0 (never)", limit_name)

    def _words(self, spec: EngineSpec, platform: str) -> Iterator[tuple[str, str]]:
        rows: list[tuple[str, str | None, str, bool]] = [
            ("platform", platform, "allowed_platforms", True),
            ("spark_version", spec.spark_version, "allowed_spark_versions", False),
            ("image", spec.image, "allowed_images", platform == "kubernetes"),
            ("kubernetes.context", spec.kubernetes.context, "allowed_contexts", platform == "kubernetes"),
            ("kubernetes.namespace", spec.kubernetes.namespace, "allowed_namespaces", platform == "kubernetes"),
            (
                "kubernetes.service_account",
                spec.kubernetes.service_account,
                "allowed_service_accounts",
                platform == "kubernetes",
            ),
            (
                "kubernetes.executor_service_account",
                spec.kubernetes.executor_service_account,
                "allowed_service_accounts",
                False,
            ),
            *(
                (f"kubernetes.{name}", image, "allowed_images", False)
                for name in ("volumes", "pod_patch", "driver_pod_patch", "executor_pod_patch")
                for image in _images(getattr(spec.kubernetes, name))
            ),
        ]
        for field, value, limit_name, must_be_known in rows:
            allowed: list[str] | None = getattr(self, limit_name)
            if allowed is None or (value is None and not must_be_known):
                continue
            if value is None or Globs(allowed).match(value) is None:
                asked = "none is set" if value is None else f"{value!r} was requested"
                close = get_close_matches(value or "", allowed, 1)
                meant = f" (did you mean {close[0]!r}?)" if close else ""
                listed = ", ".join(allowed) or "none"
                yield field, f"{asked}; allowed: {listed} ({self.place(limit_name)}){meant}"

    def _said(self, asked: object, limit_name: str) -> str:
        return f"{asked} was requested; the limit is {getattr(self, limit_name)} ({self.place(limit_name)})"


def _images(part: object) -> Iterator[str]:
    """Every image that a part of a pod names: images of more containers, and of volumes (``image.reference``)."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key in ("image", "reference") and isinstance(value, str):
                yield value
            else:
                yield from _images(value)
    elif isinstance(part, list):
        for item in part:
            yield from _images(item)


def _refused(over: list[tuple[str, str]]) -> Forbidden:
    text = "; ".join(f"{name}: {message}" if name else message for name, message in over)
    return Forbidden(text, errors=[{"field": name, "message": message} for name, message in over])


def _total(spec: EngineSpec, name: str) -> int:
    """Memory in kilobytes, or cores, of driver and executors in total, as far as the spec sets them."""
    driver, executors = spec.driver, spec.executors
    number = max(executors.instances or 0, executors.max or 0)
    each, own = getattr(executors, name), getattr(driver, name)
    return (_size(own) if own is not None else 0) + number * (_size(each) if each is not None else 0)


def _meant(value: int | str, name: str) -> int | str:
    """Read a conf's value: a memory size without a unit is in megabytes (Spark's rule)."""
    if isinstance(value, int) or not (value.isascii() and value.strip().isdigit()):
        return value
    return f"{value.strip()[:18]}m" if name == "memory" else int(value[:18])


def _size(value: int | str) -> int:
    """Return a count, or a memory size in kilobytes; an invalid text counts as larger than any limit."""
    found = None if isinstance(value, int) else _SIZE.fullmatch(value.strip())
    if isinstance(value, int) or found is None:
        return value if isinstance(value, int) else 1 << 62
    return int(found[1]) * _UNITS[found[2].lower()] if found[2] else int(found[1]) // 1024

"""How much memory and how many cores the pods of an engine ask for, by Spark's own rules.

Spark makes the executor pods, so what is said of them here must be what it will do: ``ResourceProfile`` and
``BasicDriverFeatureStep`` of Spark 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....core.spec import EngineSpec

MIN_OVERHEAD_MB = 384
OVERHEAD_FACTOR = 0.1
DEFAULT_HEAP = "1g"
DEFAULT_INSTANCES = 2
"""Spark's own defaults."""

TWINS = {
    "spark.driver.memory": ("driver", "memory"),
    "spark.driver.memoryOverhead": ("driver", "memory_overhead"),
    "spark.driver.cores": ("driver", "cores"),
    "spark.kubernetes.driver.request.cores": ("driver", "request_cores"),
    "spark.kubernetes.driver.limit.cores": ("driver", "limit_cores"),
    "spark.executor.memory": ("executors", "memory"),
    "spark.executor.memoryOverhead": ("executors", "memory_overhead"),
    "spark.executor.cores": ("executors", "cores"),
    "spark.kubernetes.executor.request.cores": ("executors", "request_cores"),
    "spark.kubernetes.executor.limit.cores": ("executors", "limit_cores"),
    "spark.executor.instances": ("executors", "instances"),
    "spark.dynamicAllocation.minExecutors": ("executors", "min"),
    "spark.dynamicAllocation.maxExecutors": ("executors", "max"),
}
"""A conf that says the same as a field of the spec: a field wins, and one that contradicts is refused."""

_SIZE = re.compile(r"(\d{1,18})\s*([kmgtp]?)i?b?", re.IGNORECASE)
_UNITS_KB = {"k": 1, "m": 1024, "g": 1024**2, "t": 1024**3, "p": 1024**4}
_CPU = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,12}m")


@dataclass(frozen=True)
class Size:
    """One pod: its heap, all of its memory, its cores as Spark counts them, and what the scheduler is asked for."""

    heap_mb: int
    memory_mb: int
    cores: int
    request_cpu: str
    limit_cpu: str | None

    @property
    def resources(self) -> dict[str, dict[str, str]]:
        """``resources`` of the container: memory is both request and limit, as Spark has it."""
        memory = {"memory": f"{self.memory_mb}Mi"}
        limit = {"cpu": self.limit_cpu} if self.limit_cpu else {}
        return {"requests": {"cpu": self.request_cpu, **memory}, "limits": {**limit, **memory}}


@dataclass(frozen=True)
class Sizes:
    """All pods of an engine; ``fewest`` and ``most`` executors are the same without dynamic allocation."""

    driver: Size
    executor: Size
    is_dynamic: bool
    first: int
    fewest: int
    most: int | None  # None: Spark takes what it gets


def sizes(spec: EngineSpec) -> Sizes:
    """What a spec without contradictions asks for; ValueError names the conf that is no size or number."""
    dynamic = is_dynamic(spec)
    least = _count(spec, "spark.dynamicAllocation.minExecutors", 0)
    most = _given(spec, "spark.dynamicAllocation.maxExecutors")
    instances = _count(spec, "spark.executor.instances", least if dynamic else DEFAULT_INSTANCES)
    return Sizes(
        driver=_size(spec, "driver"),
        executor=_size(spec, "executor"),
        is_dynamic=dynamic,
        first=max(instances, least) if dynamic else instances,
        fewest=least if dynamic else instances,
        most=(None if most is None else _number(str(most), "spark.dynamicAllocation.maxExecutors"))
        if dynamic
        else instances,
    )


def is_dynamic(spec: EngineSpec) -> bool:
    """Whether executors come and go with the work."""
    asked = spec.executors.min is not None or spec.executors.max is not None
    return asked or spec.conf.get("spark.dynamicAllocation.enabled", "").strip().lower() == "true"


def memory_mb(text: str, conf: str = "") -> int:
    """Mebibytes in a size as Spark reads it for a memory conf: without a unit it is mebibytes. ValueError otherwise."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{conf}: {text!r} is not a memory size such as '4g'")
    number, unit = int(found[1]), found[2].lower()
    if not unit:
        return number // 1024**2 if text.strip().lower().endswith("b") else number
    return number * _UNITS_KB[unit] // 1024


def milli_cpu(text: str, conf: str = "") -> int:
    """Thousandths of a core in a Kubernetes quantity; ValueError otherwise."""
    if not _CPU.fullmatch(text.strip()):
        raise ValueError(f"{conf}: {text!r} is not a quantity such as '250m' or '2'")
    text = text.strip()
    return int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)


def _size(spec: EngineSpec, part: str) -> Size:
    heap = memory_mb(str(_given(spec, f"spark.{part}.memory") or DEFAULT_HEAP), f"spark.{part}.memory")
    cores = _count(spec, f"spark.{part}.cores", 1)
    request = str(_given(spec, f"spark.kubernetes.{part}.request.cores") or cores)
    limit = _given(spec, f"spark.kubernetes.{part}.limit.cores")
    for name, value in (("request", request), ("limit", limit)):
        if value is not None:
            milli_cpu(str(value), f"spark.kubernetes.{part}.{name}.cores")
    memory = heap + _overhead_mb(spec, part, heap) + (_off_heap_mb(spec) if part == "executor" else 0)
    return Size(heap, memory, cores, request, None if limit is None else str(limit))


def _overhead_mb(spec: EngineSpec, part: str, heap: int) -> int:
    key = f"spark.{part}.memoryOverhead"
    given = _given(spec, key)
    if given is not None:
        return memory_mb(str(given), key)
    least_key, factor_key = f"spark.{part}.minMemoryOverhead", f"spark.{part}.memoryOverheadFactor"
    least = memory_mb(spec.conf.get(least_key, f"{MIN_OVERHEAD_MB}m"), least_key)
    for key in (factor_key, "spark.kubernetes.memoryOverheadFactor"):
        if key in spec.conf:
            return max(int(_factor(spec.conf[key], key) * heap), least)
    return max(int(OVERHEAD_FACTOR * heap), least)


def _off_heap_mb(spec: EngineSpec) -> int:
    """Off-heap memory, which Spark adds to an executor's; its conf is in bytes where it has no unit."""
    key = "spark.memory.offHeap.size"
    if spec.conf.get("spark.memory.offHeap.enabled", "").strip().lower() != "true":
        return 0
    text = spec.conf.get(key, "0").strip()
    return memory_mb(f"{text}b" if text.isdigit() else text, key)


def _factor(text: str, key: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        raise ValueError(f"{key}: {text!r} is not a number") from None
    if not 0 < factor < 1000:
        raise ValueError(f"{key}: {text!r} must be above 0")
    return factor


def _given(spec: EngineSpec, key: str) -> object:
    """A field, or the conf that says the same, or None."""
    part, name = TWINS[key]
    value: object = getattr(getattr(spec, part), name)
    return spec.conf.get(key) if value is None else value


def _count(spec: EngineSpec, key: str, default: int) -> int:
    value = _given(spec, key)
    return default if value is None else _number(str(value), key)


def _number(text: str, key: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{key}: {text!r} is not a whole number")
    return int(text)

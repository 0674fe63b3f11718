"""Say what is wrong with the sizes and numbers that a spec for Kubernetes asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ....core.field_errors import dotted
from ....core.ports.platform import Problem
from ....core.spec import EngineSpec
from ....spark import command
from ..objects.sizes import TWINS, Sizes, memory_mb, milli_cpu, sizes

MIN_EXECUTOR_MB = 450
"""Spark refuses less (``UnifiedMemoryManager``)."""

_HEAP_OPTION = re.compile(r"-Xm[sn](\d+[kKmMgG]?)|-XX:(?:Max)?NewSize=(\d+[kKmMgG]?)")


def size_problems(spec: EngineSpec) -> Iterator[Problem]:
    """Everything that is wrong with memory, cores and numbers of a spec."""
    for key, (part, name) in TWINS.items():
        field, conf = getattr(getattr(spec, part), name), spec.conf.get(key)
        if field is not None and conf is not None and not _same(name, str(field), conf):
            yield Problem(dotted(["conf", key]), f"{conf} contradicts {part}.{name}, {field}; set only one of them")
    try:
        wanted = sizes(spec)
    except ValueError as exc:
        key, _, text = str(exc).partition(": ")
        yield Problem(dotted(["conf", key]), text)
        return
    yield from _of_sizes(spec, wanted)
    yield from _numbers(spec, wanted)


def _of_sizes(spec: EngineSpec, wanted: Sizes) -> Iterator[Problem]:
    rows = (("driver", wanted.driver, command.MIN_HEAP_MB), ("executors", wanted.executor, MIN_EXECUTOR_MB))
    for part, size, least in rows:
        if size.heap_mb < least:
            yield Problem(f"{part}.memory", f"{size.heap_mb}m is too small: Spark needs {least}m or more")
        if size.cores < 1:
            yield Problem(f"{part}.cores", "must be at least 1")
        if size.limit_cpu and milli_cpu(size.request_cpu) > milli_cpu(size.limit_cpu):
            text = f"{size.limit_cpu} is less than the request, {size.request_cpu}"
            yield Problem(f"{part}.limit_cores", text)
        for option in spec.java_options:
            found = _HEAP_OPTION.fullmatch(option)
            text = next(filter(None, found.groups()), "") if found else ""
            if text and memory_mb(text if text[-1].isalpha() else f"{text}b") > size.heap_mb:
                yield Problem("java_options", f"{option} is more than the heap of {part}.memory, {size.heap_mb}m")


def _numbers(spec: EngineSpec, wanted: Sizes) -> Iterator[Problem]:
    asked = spec.executors
    if not wanted.is_dynamic:
        if wanted.first < 1:
            yield Problem(
                "executors.instances", "0 leaves no executor for queries; to have none while idle, set min and max"
            )
        return
    if asked.min is not None or asked.max is not None:
        if spec.conf.get("spark.dynamicAllocation.enabled", "true").strip().lower() != "true":
            field = dotted(["conf", "spark.dynamicAllocation.enabled"])
            yield Problem(field, "contradicts executors.min and max, which turn on dynamic allocation")
        if wanted.most is None:
            yield Problem("executors.max", "is required with executors.min: the maximum number of executors")
    if wanted.most is not None:
        if wanted.most < 1:
            yield Problem("executors.max", "must be at least 1")
        elif wanted.fewest > wanted.most:
            yield Problem("executors.min", f"{wanted.fewest} is more than executors.max, {wanted.most}")
        elif wanted.first > wanted.most:
            yield Problem("executors.instances", f"{wanted.first} is more than executors.max, {wanted.most}")


def _same(name: str, field: str, conf: str) -> bool:
    """Whether a field and a conf say the same; what cannot be read is said elsewhere."""
    try:
        if name in ("memory", "memory_overhead"):
            return memory_mb(field) == memory_mb(conf)
        if name in ("request_cores", "limit_cores"):
            return milli_cpu(field) == milli_cpu(conf)
        return int(field) == int(conf)
    except ValueError:
        return True

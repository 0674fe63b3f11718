"""Measures Rucat and a raw baseline in alternating pairs, and compares them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import psutil


@dataclass(frozen=True)
class Sample:
    """One measurement: seconds of wall time, and CPU seconds of the whole machine (0: not measured)."""

    wall_s: float
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Figure:
    """One line of the table: two series, measured in alternating pairs, and the limit for Rucat's series, ``ours``.

    ``compare`` says what the limit applies to: the ratio ours : raw, the difference, or ``ours`` alone (all of
    medians), or the 99th percentile of the pairs' differences (``late``). ``unit`` is the unit of the samples.
    """

    key: str
    work: str
    raw_work: str
    ours: Sequence[Sample]
    raw: Sequence[Sample]
    compare: Literal["ratio", "difference", "ours", "late"]
    bar: float
    unit: str = "s"

    def summary(self) -> dict[str, object]:
        """Medians, ratio of medians, and the spread (quartiles) of the ratios of the pairs."""
        ours, raw = (_median([s.wall_s for s in series]) for series in (self.ours, self.raw))
        pairs = [o.wall_s / r.wall_s for o, r in zip(self.ours, self.raw, strict=True)]
        late = _percentile_99([o.wall_s - r.wall_s for o, r in zip(self.ours, self.raw, strict=True)])
        value = {"ratio": ours / raw, "difference": ours - raw, "ours": ours, "late": late}[self.compare]
        return {
            "key": self.key,
            "work": self.work,
            "raw_work": self.raw_work,
            "pairs": len(pairs),
            "ours_s": ours,
            "raw_s": raw,
            "ratio": ours / raw,
            "ratio_quartiles": _quartiles(pairs),
            "ours_cpu_s": _median([s.cpu_s for s in self.ours]),
            "raw_cpu_s": _median([s.cpu_s for s in self.raw]),
            "unit": self.unit,
            "compare": self.compare,
            "value": value,
            "bar": self.bar,
            "holds": value <= self.bar,
            "samples": {"ours": [asdict(s) for s in self.ours], "raw": [asdict(s) for s in self.raw]},
        }


def alternate(
    ours: Callable[[], float], raw: Callable[[], float], pairs: int, *, with_cpu: bool = False
) -> tuple[list[Sample], list[Sample]]:
    """Measure ``pairs`` pairs; the order alternates from pair to pair. Each call returns its own wall seconds."""
    series: dict[Callable[[], float], list[Sample]] = {ours: [], raw: []}
    for number in range(pairs):
        for measure in (ours, raw) if number % 2 == 0 else (raw, ours):
            before = _busy_s()
            wall_s = measure()
            series[measure].append(Sample(wall_s, _busy_s() - before if with_cpu else 0.0))
    return series[ours], series[raw]


def table(summaries: Sequence[dict[str, object]]) -> str:
    """Format the results as lines of text."""
    head = ["", "Rucat : raw", "pairs", "Rucat", "raw", "ratio (quartiles)", "CPU Rucat : raw", "limit", ""]
    rows = [head, *(_row(summary) for summary in summaries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(summary: dict[str, object]) -> list[str]:
    low, high = summary["ratio_quartiles"]
    bar, cpu, unit = summary["bar"], summary["raw_cpu_s"], summary["unit"]
    shown = quantity(bar, unit)
    sign = {
        "ratio": f"<= {bar}",
        "difference": f"<= +{shown}",
        "ours": f"<= {shown}",
        "late": f"p99 {quantity(summary['value'], unit)} <= +{shown}",
    }
    return [
        str(summary["key"]),
        f"{summary['work']} : {summary['raw_work']}",
        str(summary["pairs"]),
        quantity(summary["ours_s"], unit),
        quantity(summary["raw_s"], unit),
        f"{summary['ratio']:.3f} ({low:.3f} to {high:.3f})",
        f"{summary['ours_cpu_s']:.1f} s : {cpu:.1f} s" if cpu else "",
        sign[summary["compare"]],
        "holds" if summary["holds"] else "MISSED",
    ]


def quantity(value: float, unit: str) -> str:
    """Format a value with a suitable unit."""
    if unit != "s":
        return f"{value:.3g} {unit}"
    return f"{value:.2f} s" if abs(value) >= 1 else f"{value * 1000:.2f} ms"


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _percentile_99(values: Sequence[float]) -> float:
    return sorted(values)[max(0, -(-99 * len(values) // 100) - 1)]


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def _busy_s() -> float:
    times = psutil.cpu_times()
    return times.user + times.system

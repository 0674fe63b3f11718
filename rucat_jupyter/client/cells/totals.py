"""What a progress bar shows: a fraction that never decreases, and its text. Pure: no clock, no output."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..words import text

WIDTH = 8  # characters of the bar in text
ALMOST = 0.99  # the bar is never full before the end
MANY = 1  # the text counts queries if there are more than this
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_SIZE_STEP = 1024
_ROUND = 10  # sizes below this have a decimal


@dataclass(frozen=True)
class Totals:
    """Work of one or more operations, as far as Spark has reported it."""

    stages: int = 0
    stages_done: int = 0
    tasks: int = 0
    tasks_done: int = 0
    bytes_read: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.stages + other.stages,
            self.stages_done + other.stages_done,
            self.tasks + other.tasks,
            self.tasks_done + other.tasks_done,
            self.bytes_read + other.bytes_read,
        )

    @property
    def completed(self) -> Totals:
        """The same work with all of it done."""
        return replace(self, stages_done=self.stages, tasks_done=self.tasks)

    @classmethod
    def of(cls, stages: Iterable[Any]) -> Totals:
        """Add up the stages of one ``ExecutionProgress`` message (``spark/connect/base.proto``)."""
        found = list(stages)
        return cls(
            len(found),
            sum(1 for stage in found if stage.done or 0 < stage.num_tasks == stage.num_completed_tasks),
            sum(stage.num_tasks for stage in found),
            sum(stage.num_completed_tasks for stage in found),
            sum(stage.input_bytes_read for stage in found),
        )


class Gauge:
    """A fraction that only grows, although Spark finds more work while it runs.

    As long as the number of tasks stays the same, it is the share of tasks that are done. If more work is found and
    this share would decrease, the bar stays where it is, and the new work fills the rest of it. If all known work is
    done, more may follow soon: half of the rest is kept for it.
    """

    def __init__(self) -> None:
        self.shown = 0.0
        self._seen = (0, 0)
        self._base = (0.0, 0)  # where the bar was, and how much was done, when work was last found

    def update(self, done: int, total: int) -> float:
        """Update with the current numbers of tasks; returns the fraction to show."""
        if (done, total) == self._seen or total <= 0:
            return self.shown
        before_done, before_total = self._seen
        self._seen = (done, total)
        share = done / total
        if total != before_total:
            self._base = (0.0, 0) if share >= self.shown else (self.shown, min(before_done, done))
        fraction, base_done = self._base
        if total > base_done:
            share = fraction + (1 - fraction) * (done - base_done) / (total - base_done)
        if done >= total:
            share = min(share, (1 + self.shown) / 2)
        self.shown = max(self.shown, min(share, ALMOST))
        return self.shown


@dataclass(frozen=True)
class Picture:
    """One state of a bar. ``outcome`` is empty while it runs, else ``done``, ``failed`` or ``cancelled``."""

    totals: Totals
    fraction: float
    queries: int
    elapsed_s: float
    outcome: str = ""

    @property
    def words(self) -> str:
        """The text beside the bar; at the end only the text is left."""
        many = f"{self.queries:,} queries" if self.queries > MANY else ""
        return self._at_end(many) if self.outcome else self._live(many)

    @property
    def line(self) -> str:
        """The bar as text."""
        if self.outcome:
            return self.words
        percent = f"{bar(self.fraction)} {self.percent} %   " if self.totals.tasks else f"{bar(0)}   "
        return percent + self.words

    @property
    def percent(self) -> int:
        """The fraction in whole percent, rounded down."""
        return int(self.fraction * 100)

    @property
    def html(self) -> str:
        """The bar as HTML, in JupyterLab's colours where they are defined."""
        words = html.escape(self.words)
        if self.outcome:
            return f'<div class="rucat-progress" style="{_GREY}">{words}</div>'
        has_tasks = self.totals.tasks > 0
        now = f' aria-valuenow="{self.percent}"' if has_tasks else ""
        percent = f"<span>{self.percent} %</span>" if has_tasks else ""
        return (
            f'<div class="rucat-progress" style="{_ROW}">'
            f'<span role="progressbar" aria-label="Spark tasks done" aria-valuemin="0" aria-valuemax="100"{now} '
            f'style="{_TROUGH}"><span style="{_FILL}width:{self.percent if has_tasks else 0}%"></span></span>'
            f"{percent}<span>{words}</span></div>"
        )

    def _live(self, many: str) -> str:
        totals = self.totals
        stage = f"stage {min(totals.stages_done + 1, totals.stages)} of {totals.stages}" if totals.stages else "running"
        tasks = f"{totals.tasks_done:,}/{totals.tasks:,} tasks" if totals.tasks else ""
        read = f"{size(totals.bytes_read)} read" if totals.bytes_read else ""
        return " · ".join(filter(None, [many, stage, tasks, read, clock(self.elapsed_s)]))

    def _at_end(self, many: str) -> str:
        totals = self.totals.completed if self.outcome == "done" else self.totals  # Spark's last report may be older
        how = f"{self.outcome} {'in' if self.outcome == 'done' else 'after'} {clock(self.elapsed_s)}"
        stages = text.count(totals.stages_done, "stage") if totals.stages_done else ""
        tasks = f"{totals.tasks_done:,} task{'' if totals.tasks_done == 1 else 's'}" if totals.tasks_done else ""
        read = size(totals.bytes_read) if totals.bytes_read else ""
        return " · ".join(filter(None, [how, many, stages, tasks, read]))


def bar(fraction: float) -> str:
    """``▕████    ▏``: a bar of text, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, fraction)) * WIDTH * 8)
    full, part = divmod(eighths, 8)
    cells = "█" * full + (_EIGHTHS[part] if part else "")
    return f"▕{cells.ljust(WIDTH)}▏"


def clock(seconds: float) -> str:
    """A duration as on a stopwatch: ``0:14``, ``12:05``, ``1:02:05``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(number: int) -> str:
    """Bytes in their largest unit, with a decimal if the number is small: ``1.2 GB``, ``86 MB``."""
    amount, unit = float(number), 0
    while round(amount) >= _SIZE_STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _SIZE_STEP, unit + 1
    digits = 1 if unit and round(amount, 1) < _ROUND else 0
    return f"{amount:.{digits}f} {_UNITS[unit]}"


_ROW = "display:flex;flex-wrap:wrap;gap:4px 10px;align-items:center;line-height:1.6;font-variant-numeric:tabular-nums"
_GREY = "color:var(--jp-ui-font-color2,#616161);line-height:1.6;font-variant-numeric:tabular-nums"
_TROUGH = (
    "display:inline-block;width:120px;height:10px;border:1px solid var(--jp-border-color1,#757575);"
    "border-radius:2px;overflow:hidden;background:var(--jp-layout-color2,#eee)"
)
_FILL = "display:block;height:100%;background:var(--jp-brand-color1,#1976d2);"

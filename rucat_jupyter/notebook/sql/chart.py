"""A quick chart of a result by matplotlib, which is loaded when a chart is drawn and not before."""

from __future__ import annotations

import base64
import importlib.util
import io
from typing import TYPE_CHECKING, Any

from .. import text
from ..flags import BadUsage
from . import values as sql_values
from .convert import to_pandas
from .result import Picture, SqlResult

if TYPE_CHECKING:
    import pandas as pd

MOST_BARS = 50
MOST_SERIES = 8
LONGEST_NAME = 24
BINS = 30
SIZE_INCHES, DPI = (7.5, 3.8), 144


def must_have() -> None:
    """Raise BadUsage when matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise BadUsage("sql: --chart needs matplotlib, which is not installed here: pip install matplotlib")


def draw(result: SqlResult, kind: str, x: str | None, y: str | None) -> Picture:
    """Draw the rows that were fetched; raises BadUsage where the columns do not fit the chart.

    ``auto`` is a line over times or numbers, bars over texts, a histogram of a single column of numbers.
    """
    from matplotlib.figure import Figure

    frame = to_pandas(result.fetched(), result.schema)
    frame.columns = frame.columns.astype(str)
    data = frame.loc[:, ~frame.columns.duplicated()]
    chosen = _Choice(data, kind, x, y.split(",") if y else [])
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    chosen.draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    if len(chosen.y) > 1:
        axes.legend(frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Picture(base64.b64encode(file.getvalue()).decode(), chosen.words)


class _Choice:
    """Which chart of which columns."""

    def __init__(self, data: pd.DataFrame, kind: str, x: str | None, y: list[str]) -> None:
        from pandas.api import types

        self._numbers = [name for name in data.columns if _is_number(data[name])]
        self._times = [name for name in data.columns if _is_time(data[name])]
        self._data, self._is_numeric = data, types.is_numeric_dtype
        for name in [*([x] if x else []), *y]:
            if name not in data.columns:
                raise BadUsage(f"sql: --chart: there is no column {name!r}. Columns: {', '.join(data.columns)}")
        self.kind = self._kind(x) if kind == "auto" else kind
        self.x = None if self.kind == "hist" else x or self._best_x()
        self.y = (y or [name for name in self._numbers if name != self.x])[
            : 1 if self.kind == "scatter" else MOST_SERIES
        ]
        if wrong := [name for name in self.y if name not in self._numbers]:
            raise BadUsage(f"sql: --chart: {wrong[0]!r} has no numbers to draw")
        if not self.y:
            raise BadUsage(f"sql: --chart {self.kind}: there is no column of numbers for y")
        over = f" by {self.x}" if self.x else ""
        self.words = f"{self.kind} chart of {', '.join(self.y)}{over}, {len(data):,} rows"

    def _kind(self, x: str | None) -> str:
        if x is None and len(self._data.columns) == 1:
            return "hist"
        return "line" if (x or self._best_x()) in [*self._times, *self._numbers] else "bar"

    def _best_x(self) -> str:
        texts = [name for name in self._data.columns if name not in [*self._numbers, *self._times]]
        order = self._numbers if self.kind_is_scatter else [*self._times, *texts, *self._numbers]
        return str((order or list(self._data.columns))[0])

    @property
    def kind_is_scatter(self) -> bool:
        """Whether both axes want numbers."""
        return getattr(self, "kind", "") == "scatter"

    def draw(self, axes: Any) -> None:
        """Draw the columns."""
        if self.kind == "hist":
            for name in self.y:
                axes.hist(
                    _floats(self._data[name]).dropna(), bins=BINS, label=name, alpha=0.7 if len(self.y) > 1 else 1
                )
            axes.set_xlabel(", ".join(map(_safe, self.y)))
            axes.set_ylabel("rows")
            return
        getattr(self, f"_draw_{self.kind}")(axes)
        axes.set_xlabel(_safe(str(self.x)))
        axes.set_ylabel(", ".join(map(_safe, self.y)))

    def _draw_bar(self, axes: Any) -> None:
        data = self._data.head(MOST_BARS)
        if len(self._data) > MOST_BARS:
            axes.set_title(f"first {MOST_BARS} of {len(self._data):,} rows", fontsize="small")
        width = 0.8 / len(self.y)
        places = range(len(data))
        for number, name in enumerate(self.y):
            shift = (number - (len(self.y) - 1) / 2) * width
            axes.bar([at + shift for at in places], _floats(data[name]), width, label=_safe(name))
        names = [_safe(_name(value)) for value in data[self.x]]
        turn = {"rotation": 45, "ha": "right"} if sum(map(len, names)) > 60 else {}
        axes.set_xticks(list(places), names, **turn)

    def _draw_line(self, axes: Any) -> None:
        data = self._data.sort_values(self.x) if self.x in [*self._times, *self._numbers] else self._data
        for name in self.y:
            axes.plot(self._across(data), _floats(data[name]), label=_safe(name), marker="." if len(data) < 50 else "")

    def _draw_scatter(self, axes: Any) -> None:
        axes.scatter(self._across(self._data), _floats(self._data[self.y[0]]), s=12, alpha=0.7)

    def _across(self, data: pd.DataFrame) -> Any:
        values = data[self.x]
        if self.x in self._numbers:
            return _floats(values)
        return values if self.x in self._times else [_safe(_name(value)) for value in values]


def _floats(values: pd.Series[Any]) -> pd.Series[float]:
    import pandas as pd

    return pd.to_numeric(values.astype("Float64") if values.dtype != object else values.astype(float)).astype(float)


def _is_number(values: pd.Series[Any]) -> bool:
    from decimal import Decimal

    from pandas.api import types

    if types.is_bool_dtype(values) or types.is_timedelta64_dtype(values):
        return False
    if types.is_numeric_dtype(values):
        return True
    found = values.dropna()
    return len(found) > 0 and all(isinstance(value, Decimal) for value in found)


def _is_time(values: pd.Series[Any]) -> bool:
    import datetime as dt

    from pandas.api import types

    if types.is_datetime64_any_dtype(values):
        return True
    found = values.dropna()
    return len(found) > 0 and all(isinstance(value, dt.date) for value in found)


def _name(value: Any) -> str:
    """A value below the axis."""
    return text.plain(sql_values.shown(value, None), LONGEST_NAME)


def _safe(words: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return words.replace("$", r"\$")

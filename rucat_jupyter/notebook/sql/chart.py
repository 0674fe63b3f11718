"""A quick chart of a result with matplotlib, which is heavy and loaded only for a chart."""

from __future__ import annotations

import base64
import importlib.util
import io
from typing import TYPE_CHECKING, Any

from ...client.words import text
from ...verbs.parser import BadUsage
from . import values as sql_values
from .result import Picture, SqlResult

# matplotlib, pandas and pyspark are heavy: functions import them, so that %load_ext is fast

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
    """Draw the fetched rows; raises BadUsage if the columns do not fit the chart.

    ``auto`` is a line over times or numbers, bars over texts, a histogram of a single column of numbers. Of columns
    with the same name we draw the first.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    chosen = _Choice(result, kind, x, y.split(",") if y else [])
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
    """The kind of the chart, and its columns."""

    def __init__(self, result: SqlResult, kind: str, x: str | None, y: list[str]) -> None:
        from pyspark.sql import types as T  # noqa: PLC0415 - heavy

        columns = zip(result.columns, result.fetched().columns, [f.dataType for f in result.schema.fields], strict=True)
        self._columns = {name: (values, spark) for name, values, spark in reversed([*columns])}
        names = list(dict.fromkeys(result.columns))
        for name in [*([x] if x else []), *y]:
            if name not in names:
                raise BadUsage(f"sql: --chart: there is no column {name!r}. Columns: {', '.join(names)}")
        moments = (T.DateType, T.TimestampType, T.TimestampNTZType)
        times = [name for name in names if isinstance(self._columns[name][1], moments)]
        self._numbers = [name for name in names if isinstance(self._columns[name][1], T.NumericType)]
        texts = [name for name in names if name not in [*times, *self._numbers]]
        order = self._numbers if kind == "scatter" else [*times, *texts, *self._numbers]
        across = x or (order or names)[0]
        if kind == "auto":
            kind = "hist" if x is None and len(names) == 1 else "bar" if across in texts else "line"
        self.kind, self.x, self._is_text = kind, None if kind == "hist" else across, kind == "bar" or across in texts
        self.y = (y or [name for name in self._numbers if name != self.x])[: 1 if kind == "scatter" else MOST_SERIES]
        if wrong := [name for name in self.y if name not in self._numbers]:
            raise BadUsage(f"sql: --chart: {wrong[0]!r} has no numbers to draw")
        if not self.y:
            raise BadUsage(f"sql: --chart {kind}: there is no column of numbers for y")
        over = f" by {self.x}" if self.x else ""
        self.words = f"{kind} chart of {', '.join(self.y)}{over}, {result.fetched().num_rows:,} rows"

    def draw(self, axes: Any) -> None:
        """Draw the columns."""
        import pandas as pd  # noqa: PLC0415 - heavy

        data = pd.DataFrame({name: self._floats(name) for name in self.y}, self._across())
        getattr(self, f"_draw_{self.kind}")(axes, data[data.index.notna()])  # matplotlib fails on a null time
        ys = ", ".join(map(_safe, self.y))
        axes.set_xlabel(_safe(self.x) if self.x else ys)
        axes.set_ylabel(ys if self.x else "rows")

    def _floats(self, name: str) -> Any:
        return self._columns[name][0].cast("float64", safe=False).to_numpy()

    def _across(self) -> Any:
        """The values of x, if any; as texts for bars, and if they are neither numbers nor times."""
        if self.x is None:
            return None
        values, spark = self._columns[self.x]
        if self._is_text:
            return [_safe(text.plain(shown, LONGEST_NAME)) for shown in sql_values.column(values, spark)]
        return self._floats(self.x) if self.x in self._numbers else values.to_pandas(date_as_object=False)

    def _draw_hist(self, axes: Any, data: pd.DataFrame) -> None:
        for name in data:
            axes.hist(data[name].dropna(), bins=BINS, label=_safe(name), alpha=0.7 if len(self.y) > 1 else 1)

    def _draw_bar(self, axes: Any, data: pd.DataFrame) -> None:
        names = list(data.index[:MOST_BARS])
        if len(data) > MOST_BARS:
            axes.set_title(f"first {MOST_BARS} of {len(data):,} rows", fontsize="small")
        width = 0.8 / len(self.y)
        for number, name in enumerate(data):
            shift = (number - (len(self.y) - 1) / 2) * width
            axes.bar([at + shift for at in range(len(names))], data[name].head(MOST_BARS), width, label=_safe(name))
        turn = {"rotation": 45, "ha": "right"} if sum(map(len, names)) > 60 else {}
        axes.set_xticks(range(len(names)), names, **turn)

    def _draw_line(self, axes: Any, data: pd.DataFrame) -> None:
        data = data if self._is_text else data.sort_index()
        axes.plot(data.index, data, label=list(map(_safe, data)), marker="." if len(data) < 50 else "")

    def _draw_scatter(self, axes: Any, data: pd.DataFrame) -> None:
        axes.scatter(data.index, data[self.y[0]], s=12, alpha=0.7)


def _safe(words: str) -> str:
    """Escape text that matplotlib would parse as mathematics."""
    return words.replace("$", r"\$")

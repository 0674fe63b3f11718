"""The result of a SQL statement: shown as a table, and available as pandas, polars, Arrow or Spark."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...client.words import text
from . import convert as sql_convert
from . import table as sql_table
from . import values as sql_values
from .fetch import fetch

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

MOST_DRAWN = 1000
"""Most rows that we show, for any limit: more would slow down the page."""
MOST_COLUMNS = 100
"""Most columns that we show, for the same reason."""
MOST_BYTES = 2_000_000
"""Most bytes of text and HTML that the results of a cell write into the notebook; of more they show fewer rows."""
MOST_CELLS = 20_000
"""Most cells that are drawn before their size is known: more never fit, and take seconds."""
ALONE = "run this statement alone, then use _.pandas()"
NOTE_STYLE = "color:var(--jp-ui-font-color2,inherit);font-size:var(--jp-ui-font-size1,13px);padding:2px 0"
LONGEST_STATEMENT = 60


@dataclass(frozen=True)
class Picture:
    """A chart: PNG in base64, and a description."""

    png: str
    words: str

    def as_html(self) -> str:
        """An image with its own background, for any theme."""
        return (
            f'<img src="data:image/png;base64,{self.png}" alt="{html.escape(self.words, quote=True)}" '
            'style="display:block;width:min(100%,640px);background:#fff">'
        )


class SqlResult:
    """The result of one statement.

    Attributes
    ----------
    statement
        Its text.
    df
        The Spark DataFrame; using it runs the query again.
    schema
        Its Spark schema.
    is_cut
        Whether there are more rows than we fetched; with a limit of 0 there may be none.
    elapsed_s
        Duration of the statement, with the fetch of its rows.
    """

    def __init__(self, statement: str, df: Any, *, limit: int | None, part: str = "") -> None:
        self.statement, self.df, self.elapsed_s = statement, df, 0.0
        self._part, self._limit = part, limit
        found, self.schema = fetch(df if limit is None else df.limit(limit + 1 if limit else 0))
        self.is_cut = found.num_columns > 0 if limit == 0 else limit is not None and found.num_rows > limit
        self._table = found.slice(0, limit) if self.is_cut else found
        self._drawn_rows, self._is_fitted = MOST_DRAWN, False
        self._kept_as, self._known_as = "", ""
        self.picture: Picture | None = None
        self.room, self.size = MOST_BYTES, 0  # bytes of text and HTML: how many there may be, and were shown

    @property
    def has_columns(self) -> bool:
        """Whether the statement returns a table, maybe without rows; DDL and DML do not."""
        return bool(self._table.num_columns or self._table.num_rows)

    @property
    def columns(self) -> list[str]:
        """The names of the columns; they may repeat."""
        return list(self._table.column_names)

    def fetched(self) -> pa.Table:
        """The fetched rows as an Arrow table: all of them, unless ``is_cut``."""
        return self._table

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table; runs the query again if they were cut."""
        if self.is_cut:
            self._table, _ = fetch(self.df)
            self._drawn_rows = min(self._drawn_rows, MOST_DRAWN if self._limit is None else self._limit)
            self.is_cut = False
        return self._table

    def pandas(self) -> pd.DataFrame:
        """All rows as a pandas DataFrame, see :mod:`rucat_jupyter.notebook.sql.convert` for the types."""
        return sql_convert.to_pandas(self.arrow(), self.schema)

    def polars(self) -> pl.DataFrame:
        """All rows as a polars DataFrame."""
        return sql_convert.to_polars(self.arrow())

    def kept(self, kind: str) -> Any:
        """All rows in the type of ``--as``."""
        makers: dict[str, Callable[[], Any]] = {"pandas": self.pandas, "polars": self.polars, "arrow": self.arrow}
        return self.df if kind == "spark" else makers[kind]()

    def show_rows(self, limit: int | None) -> None:
        """Show at most ``limit`` rows."""
        self._drawn_rows = MOST_DRAWN if limit is None else min(limit, MOST_DRAWN)

    def is_kept_as(self, variable: str) -> None:
        """Set the variable that has all rows, for the note."""
        self._kept_as = variable

    def is_known_as(self, name: str) -> None:
        """Set the name of the temp view, for the note."""
        self._known_as = name

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        shown = self._drawn(sql_table.as_text, sql_table.block_as_text)
        shown += "\n" if shown else ""
        return f"{shown}{self._note()}"

    def _repr_html_(self) -> str:
        table = self._drawn(sql_table.as_html, sql_table.block_as_html)
        if self.picture is not None:
            table = f"{self.picture.as_html()}<details><summary>Table</summary>{table}</details>"
        return f'{table}<div style="{NOTE_STYLE}">{html.escape(self._note())}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Text and HTML, with the chart if there is one."""
        bundle = self._fitting()
        return bundle if self.picture is None else {**bundle, "image/png": self.picture.png}

    def _fitting(self) -> dict[str, Any]:
        """As many rows, as text and HTML, as fit into the limit; one at least."""
        first = MOST_CELLS // max(self._drawn_columns, 1)
        if first < min(len(self), self._drawn_rows):
            self._drawn_rows, self._is_fitted = first, True
        while True:
            bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
            size, rows = sum(len(shown.encode()) for shown in bundle.values()), min(len(self), self._drawn_rows)
            if size <= self.room or rows <= 1:
                self.size = size
                return bundle
            self._drawn_rows, self._is_fitted = max(1, min(rows - 1, int(rows * 0.9 * self.room / size))), True

    def _drawn(self, table: Callable[[Sequence[sql_table.Column]], str], block: Callable[[str, str], str]) -> str:
        """The rows as a table, or a single text of several lines (a plan, a CREATE TABLE) as a block."""
        if not self._table.num_columns:
            return ""
        columns = self._columns()
        is_one = (
            len(columns) == len(columns[0].cells) == 1 and self.schema.fields[0].dataType.simpleString() == "string"
        )
        if is_one and "\n" in columns[0].cells[0].strip():
            return block(columns[0].cells[0], self._how_to_see_text)
        return table(columns)

    @property
    def _drawn_columns(self) -> int:
        return min(int(self._table.num_columns), MOST_COLUMNS)

    def _columns(self) -> list[sql_table.Column]:
        table = self._table.select(range(self._drawn_columns)).slice(0, self._drawn_rows)
        return [
            sql_table.Column(
                name,
                _kind(values, field),
                sql_values.is_right(field.dataType),
                sql_values.column(sql_values.heads(values), field.dataType),
            )
            for name, values, field in zip(table.column_names, table.columns, self.schema.fields, strict=False)
        ]

    def _note(self) -> str:
        """Number of rows, duration, and how to get more."""
        said = [self._rows()] if self.has_columns else ["OK", text.plain(self.statement, LONGEST_STATEMENT)]
        return " · ".join(
            filter(None, [self._part, *said, self._columns_left_out(), self._known_as, f"{self.elapsed_s:.1f} s"])
        )

    def _columns_left_out(self) -> str:
        """How to see the columns that are not drawn; empty if all are."""
        has, drawn = self._table.num_columns, self._drawn_columns
        if drawn == has:
            return ""
        return f"first {drawn:,} of {has:,} columns; {self._how_to_see_columns()}"

    def _how_to_see_columns(self) -> str:
        all_of_them = f"{self._kept_as or '_.pandas()'} has all, _.columns has their names"
        return all_of_them if self._is_last else ALONE

    def _rows(self) -> str:
        has, drawn = len(self), min(len(self), self._drawn_rows)
        if drawn == has and not self.is_cut:
            return text.count(has, "row") + (f" in {self._kept_as}" if self._kept_as else "")
        more = f"{self._kept_as} has all" if self._kept_as else self._how_to_see_more(drawn)
        if drawn < has:
            return f"first {drawn:,} of {has:,} rows{' and more' if self.is_cut else ''}; {more}"
        if self._limit == 0:
            return f"only the columns; {more}"
        return f"first {drawn:,} rows of more; {more}"

    def _how_to_see_more(self, drawn: int) -> str:
        if not self.is_cut:
            return "_.pandas() has all" if self._is_last else ALONE
        out = "--out df" if self._is_last else "run this statement alone with --out df"
        return f"--limit N or {out}" if drawn < MOST_DRAWN and not self._is_fitted else out

    @property
    def _how_to_see_text(self) -> str:
        return "_.pandas().iat[0, 0] has all" if self._is_last else ALONE

    @property
    def _is_last(self) -> bool:
        """Whether it is the result of the cell's last statement, which stays in ``_``."""
        number, _, count = self._part.partition("/")
        return number == count or not count


class FrameRows(SqlResult):
    """The first rows of a DataFrame."""

    def __init__(self, frame: Any, limit: int) -> None:
        begun = time.monotonic()
        super().__init__("", frame, limit=limit)
        self.elapsed_s = time.monotonic() - begun

    def _how_to_see_more(self, drawn: int) -> str:
        return f".limit({10 * max(drawn, 1)}).toPandas() has more"

    def _how_to_see_columns(self) -> str:
        return ".columns has their names"

    @property
    def _how_to_see_text(self) -> str:
        return ".first()[0] has all"


def _kind(values: Any, field: Any) -> str:
    """The name of the type, with the zone of the times."""
    name = str(field.dataType.simpleString())
    zone = getattr(values.type, "tz", None)
    return f"{name} ({zone})" if zone else name

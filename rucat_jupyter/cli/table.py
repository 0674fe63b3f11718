"""Tables that fit the terminal: the last column is cut, then columns are dropped, the least important first."""

from __future__ import annotations

from collections.abc import Sequence

from ..client.words import tables

GAP = 2
SHORTEST_NOTE = 12
SHORTEST_NAME = 8


def fitted(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, droppable: Sequence[str]
) -> list[str]:
    """Lines of the table: header, then one per row, in ``width`` columns (None: unlimited).

    ``droppable`` names columns in the order in which they are dropped.
    """
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    for name in ("", *droppable):
        columns.pop(name, None)
        if width is None or _width(_shortened(columns, width, SHORTEST_NOTE)) <= width:
            break
    if width is not None:
        columns = _shortened(columns, width, SHORTEST_NOTE)
        first = next(iter(columns))
        excess = _width(columns) - width
        if excess > 0:
            columns = _cut(columns, first, max(SHORTEST_NAME, _widest(columns, first) - excess))
    return tables.table(list(columns), list(zip(*columns.values(), strict=True))).splitlines()


Columns = dict[str, tuple[str, ...]]


def _shortened(columns: Columns, width: int, least: int) -> Columns:
    """The columns, the last one cut to the remaining width."""
    last = list(columns)[-1]
    excess = _width(columns) - width
    return columns if excess <= 0 else _cut(columns, last, max(least, _widest(columns, last) - excess))


def _cut(columns: Columns, name: str, width: int) -> Columns:
    return {**columns, name: tuple(tables.cut(cell, width) for cell in columns[name])}


def _width(columns: Columns) -> int:
    return sum(_widest(columns, name) for name in columns) + GAP * (len(columns) - 1)


def _widest(columns: Columns, name: str) -> int:
    return max(tables.width(cell) for cell in (name, *columns[name]))

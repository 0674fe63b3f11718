"""Fetches the rows of a Spark result once, as an Arrow table with types that other Arrow readers support."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...client.words import text
from ...core.errors import NotPossible

# pyspark and pyarrow are heavy: functions import them, so that %load_ext is fast

if TYPE_CHECKING:
    import pyarrow as pa

MONTHS = "month_interval"
"""Arrow's name of an interval of years and months."""


def fetch(frame: Any) -> tuple[pa.Table, Any]:
    """Run the query of a Spark DataFrame and return its rows and its Spark schema.

    Column names may repeat, and the types are those that the engine sends: pyspark's ``toArrow`` rejects some of them
    and loses the session's time zone.
    """
    from pyspark.sql.types import StructType  # noqa: PLC0415 - heavy

    client = frame.sparkSession.client
    table, schema, _ = client.to_table(frame._plan.to_proto(client), frame._plan.observations)
    if schema is None:
        schema = frame.schema if table.num_columns else StructType([])
    return _mended(table), schema


def _mended(table: pa.Table) -> pa.Table:
    """The table with zones that Python knows (others become UTC) and intervals that it can read."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    fields = [field.with_type(with_zones(field.type, _is_zone)).remove_metadata() for field in table.schema]
    if not fields:
        return table
    columns = [_column(table, number, field.type) for number, field in enumerate(fields)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _column(table: pa.Table, number: int, kind: pa.DataType) -> pa.ChunkedArray:
    found = table.schema.field(number).type
    if found == kind:
        return table.column(number)
    if str(found) == MONTHS:
        return _months(table, number, kind)
    if MONTHS in str(found):
        name = text.plain(table.schema.field(number).name, 80)
        raise NotPossible(f"sql: pyarrow cannot read a month interval inside another type: cast {name} to string")
    return table.column(number).cast(kind)


def _months(table: pa.Table, number: int, kind: pa.DataType) -> pa.ChunkedArray:
    """Read months from the buffers: pyarrow has no class for such arrays and raises KeyError."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    found: list[tuple[int, int, int] | None] = []
    for batch in table.select([number]).to_batches():
        _, is_valid, data = batch.to_struct_array().buffers()
        months = pa.Array.from_buffers(pa.int32(), batch.num_rows, [is_valid, data]).to_pylist()
        found += [None if m is None else (m, 0, 0) for m in months]
    return pa.chunked_array([pa.array(found, kind)])


def with_zones(kind: pa.DataType, is_known: Callable[[str], bool]) -> pa.DataType:
    """The type with UTC for unknown zones and a readable month interval, also inside nested types."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    def mended(leaf: pa.DataType) -> pa.DataType:
        if pa.types.is_timestamp(leaf) and leaf.tz is not None and not is_known(leaf.tz):
            return pa.timestamp(leaf.unit, "UTC")
        return pa.month_day_nano_interval() if str(leaf) == MONTHS else leaf

    return with_leaves(kind, mended)


def with_leaves(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """The type with ``change`` applied to its leaf types."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    if pa.types.is_map(kind):
        item = kind.item_field.with_type(with_leaves(kind.item_type, change))
        return pa.map_(with_leaves(kind.key_type, change), item)
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(with_leaves(kind.value_type, change)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(with_leaves(field.type, change)) for field in kind])
    return change(kind)


def _is_zone(name: str) -> bool:
    """Whether pyarrow and pandas know the zone: a name of the tz database, or ``+08:00``."""
    if name[:1] in "+-":
        return True
    try:
        return bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False

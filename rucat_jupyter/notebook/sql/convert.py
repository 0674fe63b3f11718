"""Converts a result's Arrow table to pandas or polars, without changing values.

Spark types in pandas: integers and booleans stay the same, with nulls as ``Int64``, ``boolean``;
decimals are ``Decimal``; timestamps ``datetime64[us, zone]``, those without a zone ``datetime64[us]``; dates
``datetime.date``; times of day ``datetime.time``; day-time intervals ``timedelta64[us]``, others ``DateOffset``; arrays
are lists, structs dicts, maps dicts (lists of pairs if a key is not hashable); binary ``bytes``; variants
``VariantVal``. In polars maps are lists of structs, and intervals with months are texts for ``dt.offset_by``.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from ...client.words import text
from ...verbs.parser import BadUsage
from .fetch import with_zones
from .values import listed

# pandas, polars and pyarrow are heavy: functions import them, so that %load_ext is fast

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

MONTHS = "month_day_nano_interval"
NULLABLE = {"bool": "boolean", "float": "Float32", "double": "Float64"} | {
    f"int{n}": f"Int{n}" for n in (8, 16, 32, 64)
}
DAY_US = 86_400_000_000
YEAR_1_US = -62_135_596_800_000_000
"""The first time of Python's calendar, in microseconds from 1970."""


def must_have(kind: str) -> None:
    """Raise BadUsage when the library of this kind is not installed."""
    if kind == "polars" and importlib.util.find_spec("polars") is None:
        raise BadUsage("--as polars: polars is not installed here: pip install polars, or use --as arrow")


def to_pandas(table: pa.Table, schema: Any) -> pd.DataFrame:
    """Make a pandas DataFrame; columns may have the same name."""
    import pandas as pd  # noqa: PLC0415 - heavy

    _must_tell_fields_apart(table)
    kinds = [field.dataType for field in schema.fields]
    series = [_series(column, kind) for column, kind in zip(table.columns, kinds, strict=True)]
    if not series:
        return pd.DataFrame(index=range(table.num_rows))
    frame = pd.concat(series, axis=1)
    frame.columns = pd.Index(table.column_names)
    return frame


def to_polars(table: pa.Table) -> pl.DataFrame:
    """Make a polars DataFrame; the second ``a`` is called ``a_2``, because polars needs unique names."""
    must_have("polars")
    import polars as pl  # noqa: PLC0415 - heavy
    import pyarrow as pa  # noqa: PLC0415 - heavy

    _must_tell_fields_apart(table)
    columns = [_offsets(column) if str(column.type) == MONTHS else _with_names(column) for column in table.columns]
    if wrong := next(
        (field.name for field in table.schema if MONTHS in str(field.type) and field.type.num_fields), None
    ):
        raise BadUsage(f"--as polars: polars has no interval inside another type: cast {text.plain(wrong)} to string")
    made = pl.from_arrow(pa.Table.from_arrays(columns, names=unique(table.column_names)))
    return made if isinstance(made, pl.DataFrame) else made.to_frame()


def _must_tell_fields_apart(table: pa.Table) -> None:
    """Raise BadUsage for a struct with two fields of one name: dicts and structs of polars cannot hold both."""
    for field in table.schema:
        if (name := _twice(field.type)) is not None:
            raise BadUsage(
                f"--out: {text.plain(field.name)} has a struct with two fields {text.plain(name)!r}: rename one "
                "(named_struct, or AS inside struct), or use --as arrow"
            )


def _twice(kind: pa.DataType) -> str | None:
    """The name that two fields of a struct share, also inside another type."""
    inside = [kind.field(number) for number in range(kind.num_fields)]
    names = [field.name for field in inside]
    found = next((name for name in names if names.count(name) > 1), None)
    return found if found is not None else next(filter(None, (_twice(field.type) for field in inside)), None)


def _with_names(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with UTC instead of offset zones, which polars does not support."""
    kind = with_zones(column.type, lambda zone: zone[:1] not in "+-")
    return column if kind == column.type else column.cast(kind)


def unique(names: list[str]) -> list[str]:
    """The names, with a number appended to repeated ones."""
    found: list[str] = []
    for name in names:
        number, best = 1, name
        while best in found or (number > 1 and best in names):
            number += 1
            best = f"{name}_{number}"
        found.append(best)
    return found


def _series(column: pa.ChunkedArray, kind: Any) -> pd.Series[Any]:
    import pandas as pd  # noqa: PLC0415 - heavy
    import pyarrow as pa  # noqa: PLC0415 - heavy

    found = column.type
    if pa.types.is_nested(found) or pa.types.is_null(found):
        return pd.Series([_plain(value, found, kind) for value in listed(column)], dtype=object)
    if pa.types.is_timestamp(found) and found.tz is not None and _is_before_years(column):
        return column.cast(pa.timestamp(found.unit, "UTC")).to_pandas()
    if pa.types.is_date(found):
        return _dates(column)
    if str(found) == MONTHS:
        return pd.Series([_offset(value) for value in column.to_pylist()], dtype=object)
    if nullable := _nullable(column):
        return pd.Series(nullable.__from_arrow__(column))
    return column.to_pandas()


def _nullable(column: pa.ChunkedArray) -> Any:
    """The nullable type of pandas, if the usual one would change values."""
    import pyarrow.compute as pc  # noqa: PLC0415 - heavy
    from pandas.api.types import pandas_dtype  # noqa: PLC0415 - heavy

    name = NULLABLE.get(str(column.type), "") if column.null_count else ""
    is_usual = not name or (name.startswith("Float") and not pc.any(pc.is_nan(column)).as_py())
    return None if is_usual else pandas_dtype(name)


def _is_before_years(column: pa.ChunkedArray) -> bool:
    """Whether a time may be before the year 1 in its zone: pandas 2.3.3 crashes when it shows it."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.compute as pc  # noqa: PLC0415 - heavy

    first = pc.min(column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())).as_py()
    return first is not None and first < YEAR_1_US + DAY_US


def _dates(column: pa.ChunkedArray) -> pd.Series[Any]:
    try:
        return column.to_pandas(date_as_object=True)
    except (ValueError, OverflowError):  # before the year 1, after 9999
        return column.to_pandas(date_as_object=False)


def _plain(value: Any, found: pa.DataType, kind: Any) -> Any:
    """A nested value in Python's own types."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    if value is None:
        return None
    if pa.types.is_map(found):
        pairs = [(_plain(k, found.key_type, None), _plain(v, found.item_type, None)) for k, v in value]
        return dict(pairs) if all(_is_hashable(key) for key, _ in pairs) else pairs
    if pa.types.is_list(found):
        return [_plain(part, found.value_type, None) for part in value]
    if pa.types.is_struct(found):
        if kind is not None and kind.typeName() == "variant":
            from pyspark.sql.types import VariantVal  # noqa: PLC0415 - heavy

            return VariantVal(value["value"], value["metadata"])
        return {field.name: _plain(value[field.name], field.type, None) for field in found}
    return value


def _is_hashable(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def _offset(value: Any) -> Any:
    import pandas as pd  # noqa: PLC0415 - heavy

    if value is None:
        return None
    parts = {name: getattr(value, name) for name in ("days", "nanoseconds") if getattr(value, name)}
    return pd.DateOffset(months=value.months, **parts)


def _offsets(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    texts = [None if v is None else _duration(v) for v in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _duration(value: Any) -> str:
    """The interval as ``dt.offset_by`` of polars takes it: ``14mo3d``."""
    parts = ((value.months, "mo"), (value.days, "d"), (value.nanoseconds, "ns"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0mo"

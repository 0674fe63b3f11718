"""Formats a value of a result as the text of its cell, by its Spark type."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .fetch import with_leaves

# pyspark and pyarrow are heavy: functions import them, so that %load_ext is fast

NULL = "NULL"
CUT = "…"
RIGHT = {"tinyint", "smallint", "int", "bigint", "float", "double"}
"""Simple names of the right-aligned types, besides decimals and intervals."""
LONGEST_BINARY = 32
LONGEST_INNER = 5000
"""Characters of a text inside an array, a map or a struct that are formatted: a cell draws fewer."""
LONGEST_VARIANT = 10_000
"""Bytes of a variant that is formatted: Python takes 0.4 s for a megabyte, and no part of one can be formatted."""
MOST_ELEMENTS = 1000
"""Elements of an array or a map that are formatted for a cell: it draws fewer characters than that."""


def is_right(kind: Any) -> bool:
    """Whether values of this Spark type are right-aligned: numbers and intervals."""
    name = kind.simpleString()
    return name in RIGHT or name.startswith(("decimal", "interval"))


def shown(value: Any, kind: Any) -> str:
    """The value as text; None is ``NULL``, and the string ``NULL`` is quoted."""
    if value is None:
        return NULL
    if isinstance(value, str):
        return json.dumps(value) if value.upper() == NULL else value
    return _show(value, kind)


def _show(value: Any, kind: Any) -> str:
    """A nested value, or one that is neither null nor a string."""
    from pyspark.sql import types as T  # noqa: PLC0415 - heavy

    if value is None:
        return NULL
    if isinstance(kind, T.ArrayType):
        cells = [_show(v, kind.elementType) for v in value[:MOST_ELEMENTS]]
        return f"[{', '.join(cells + [CUT] * (len(value) > MOST_ELEMENTS))}]"
    if isinstance(kind, T.MapType):
        pairs = [f"{_show(k, kind.keyType)}: {_show(v, kind.valueType)}" for k, v in value[:MOST_ELEMENTS]]
        return "{" + ", ".join(pairs + [CUT] * (len(value) > MOST_ELEMENTS)) + "}"
    if isinstance(kind, T.StructType):
        parts = zip(kind.fields, value.values(), strict=True)
        return "{" + ", ".join(f"{field.name}: {_show(v, field.dataType)}" for field, v in parts) + "}"
    if isinstance(value, dict):
        return _of_dict(value)
    return next((show(value) for types, show in _SHOWS if isinstance(value, types)), None) or str(value)


def _of_dict(value: dict[str, Any]) -> str:
    """A value that Spark sends as two fields: variants, geometries."""
    if value.keys() == {"value", "metadata"}:
        if (size := len(value["value"])) > LONGEST_VARIANT:
            return f"variant of {size:,} bytes: CAST(… AS STRING) shows its text"
        from pyspark.sql.types import VariantVal  # noqa: PLC0415 - heavy

        return VariantVal(value["value"], value["metadata"]).toJson()
    if value.keys() == {"srid", "wkb"}:
        return f"{_binary(value['wkb'])} (srid {value['srid']})"
    return str(value)


def _binary(value: bytes) -> str:
    head = "0x" + value[:LONGEST_BINARY].hex().upper()
    return head if len(value) <= LONGEST_BINARY else f"{head}… ({len(value):,} bytes)"


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _moment(value: dt.datetime) -> str:
    return value.replace(tzinfo=None).isoformat(" ")


def _span(value: dt.timedelta) -> str:
    """``1 02:03:04.5``, as Spark prints an interval from days to seconds."""
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    return f"{sign}{value.days} {minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"


def _months(value: Any) -> str:
    """``1-2`` (years and months) of an interval; with days and time if it has them."""
    sign, months = ("-", -value.months) if value.months < 0 else ("", value.months)
    text = f"{sign}{months // 12}-{months % 12}"
    rest = dt.timedelta(microseconds=value.nanoseconds // 1000)
    return text if not value.days and not rest else f"{text} {value.days} days {_span(rest).removeprefix('0 ')}"


def _show_interval(value: Any) -> str:
    return _months(value) if hasattr(value, "months") and hasattr(value, "nanoseconds") else str(value)


_SHOWS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (bool, lambda v: "true" if v else "false"),
    (str, lambda v: json.dumps(v[:LONGEST_INNER], ensure_ascii=False)),
    (float, _float),
    (bytes, _binary),
    (Decimal, lambda v: format(v, "f")),
    (dt.datetime, _moment),
    (dt.timedelta, _span),
    (tuple, _show_interval),
)
"""Formatters by Python type; the first match counts."""


def heads(values: Any) -> Any:
    """An Arrow column with long arrays cut before they become Python objects, which is what takes time."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.compute as pc  # noqa: PLC0415 - heavy

    if pa.types.is_list(values.type) and len(values):
        return pc.list_slice(values, 0, MOST_ELEMENTS + 1, return_fixed_size_list=False)
    return values


def column(values: Any, kind: Any) -> list[str]:
    """All cells of an Arrow column; times outside Python's calendar are shown in UTC."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    try:
        found = listed(values) if pa.types.is_nested(values.type) else values.to_pylist()
    except (ValueError, OverflowError):  # before the year 1, after 9999
        zone = " UTC" if getattr(values.type, "tz", None) else ""
        return [NULL if v == "NaT" else v.replace("T", " ") + zone for v in map(str, values.to_numpy())]
    return [shown(value, kind) for value in found]


def listed(values: Any) -> list[Any]:
    """The values of a nested column as Python objects; its times are texts if one is outside Python's calendar."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    def with_text(leaf: Any) -> Any:
        return pa.string() if pa.types.is_timestamp(leaf) or pa.types.is_date(leaf) else leaf

    try:
        found: list[Any] = values.to_pylist()
    except OverflowError:
        found = values.cast(with_leaves(values.type, with_text)).to_pylist()
    return found

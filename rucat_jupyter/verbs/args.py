"""Values of named parameters (``--arg``): the text, or a number, date, … if the conversion loses nothing.

A value becomes a number, a date, true, false or null only if that prints exactly as the user typed it: ``7`` is an
integer, ``007`` is text. Spark casts text when it compares it with a number or a time, so text is always safe.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from .parser import BadUsage

# pyspark is heavy: functions import it, so that %load_ext is fast

_ARG = re.compile(r"\s*([A-Za-z_]\w*)\s*(:?=)(.*)", re.DOTALL | re.ASCII)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONG = 2**63


def values(given: list[str], evaluate: Callable[[str], Any]) -> dict[str, Any]:
    """Values by name of ``name=text`` and ``name:=expression``; the last value of a name counts.

    Raises BadUsage for other forms, and for an expression that fails.
    """
    found = {}
    for text in given:
        match = _ARG.fullmatch(text)
        if match is None:
            raise BadUsage(f"--arg {text[:60]!r} is neither name=value nor name:=expression")
        name, sign, value = match.groups()
        found[name] = typed(value) if sign == "=" else _evaluated(name, value, evaluate)
    return found


def typed(text: str) -> Any:
    """The number, date, boolean or null that prints exactly like the text, else the text."""
    if text in _WORDS:
        return _WORDS[text]
    if _DATE.fullmatch(text):
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            return text
    if len(text) > 30 or not _NUMBER.fullmatch(text):
        return text
    number = float(text) if "." in text or "e" in text else int(text)
    return number if str(number) == text and -_LONG <= number < _LONG else text


def as_literals(found: Mapping[str, Any]) -> dict[str, Any]:
    """Values as ``spark.sql(args=…)`` takes them; raises BadUsage for a value without a Spark literal."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - heavy

    literals = {}
    for name, value in found.items():
        try:
            literals[name] = _literal(value)
        except (PySparkException, AssertionError, OverflowError, TypeError, ValueError) as error:
            why = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            kind = type(value).__name__
            raise BadUsage(f"--arg {name}: Spark cannot use this {kind} as a parameter ({why})") from None
    return literals


def _literal(value: Any) -> Any:
    from pyspark.sql.connect import functions as F  # noqa: PLC0415 - heavy

    if isinstance(value, str):
        value.encode()  # lone surrogates cannot be sent
    if isinstance(value, Mapping):
        return F.create_map(*[_literal(part) for pair in value.items() for part in pair])
    if isinstance(value, (tuple, set, frozenset, list)):
        return F.array(*[_literal(part) for part in value])
    return F.lit(value)


def _evaluated(name: str, expression: str, evaluate: Callable[[str], Any]) -> Any:
    expression = re.sub(r"^\$(?=\w+$)", "", expression.strip())
    try:
        return evaluate(expression)
    except Exception as error:  # the user's expression may raise anything
        raise BadUsage(f"--arg {name}:={expression[:60]}: {type(error).__name__}: {str(error)[:200]}") from None

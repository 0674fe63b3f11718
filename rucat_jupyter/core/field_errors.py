"""Error messages for invalid fields, by dotted path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

Wrong = tuple[str, str]
"""A dotted field and what is wrong with it."""

MOST_ERRORS = 100
"""A longer list does not help, and the response to a body of 10,000 wrong keys must not be larger than the body."""

EXTRA = "extra_forbidden"
_SIZE = "must be a size such as '512m' or '4g'"
_FORMS: Mapping[str, str] = {
    **dict.fromkeys(("memory", "memory_overhead", "max_driver_memory", "max_executor_memory"), _SIZE),
    "request_cores": "must be a Kubernetes quantity such as '250m' or '2'",
    "limit_cores": "must be a Kubernetes quantity such as '250m' or '2'",
    "spark_version": "must be a release such as '4.3.0'",
}
_WORDS: Mapping[str, Callable[[Mapping[str, object]], str]] = {
    "string_type": lambda ctx: "must be a string",
    "string_unicode": lambda ctx: "cannot contain a lone surrogate",
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "int_type": lambda ctx: "must be a whole number",
    "int_parsing_size": lambda ctx: "is too large a number",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "literal_error": lambda ctx: f"must be {ctx['expected']}",
    "list_type": lambda ctx: "must be a list",
    "dict_type": lambda ctx: "must be an object",
    "model_type": lambda ctx: "must be an object",
    "value_error": lambda ctx: str(ctx["error"]),
}


def wrong_fields(exc: ValidationError, model: type[BaseModel]) -> list[Wrong]:
    """Every invalid field of a failed validation of ``model``; without values, which may be secrets."""
    found = []
    for error in exc.errors(include_url=False, include_input=False):
        loc, kind = error["loc"], error["type"]
        known = _names(loc[:-1], model) if kind == EXTRA else ()
        found.append((dotted(loc), say(kind, loc, error.get("ctx", {}), error["msg"], known)))
    return list(dict.fromkeys(found))


def say(kind: str, loc: Sequence[str | int], ctx: Mapping[str, object], message: str, known: Sequence[str] = ()) -> str:
    """Return the message for a pydantic error (kind, location, context, message); ``known`` are the fields there."""
    if kind == EXTRA:
        return f"there is no such field{suggestion(str(loc[-1]), known)}"
    if kind == "string_pattern_mismatch":
        return _FORMS.get(str(loc[-1]), message)
    return _WORDS[kind](ctx) if kind in _WORDS else message


def strange_nulls(values: Mapping[str, object], model: type[BaseModel], path: tuple[str, ...] = ()) -> list[Wrong]:
    """Unknown fields that are set to null: a merge would drop them silently."""
    found: list[Wrong] = []
    for key, value in values.items():
        known = model.model_fields.get(key)
        inner = known.annotation if known else None
        if known is None and value is None:
            found.append((dotted([*path, key]), f"there is no such field{suggestion(key, list(model.model_fields))}"))
        elif isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, BaseModel):
            found += strange_nulls(value, inner, (*path, key))
    return found


def capped(wrong: list[Wrong]) -> list[Wrong]:
    """Return at most :data:`MOST_ERRORS` of them, and one more entry that counts the rest."""
    rest = len(wrong) - MOST_ERRORS
    return wrong if rest <= 0 else [*wrong[:MOST_ERRORS], ("", f"{rest} more fields are invalid")]


def dotted(path: Sequence[str | int]) -> str:
    """A path as ``driver.memory``; lone surrogates, which cannot be encoded, are escaped."""
    text = ".".join(str(part) for part in path if part not in ("", "[key]"))
    return text.encode("utf-8", "backslashreplace").decode()


def suggestion(word: str, known: Sequence[str]) -> str:
    """`` (did you mean 'x'?)`` if a known word is close, else an empty text."""
    close = get_close_matches(word, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _names(path: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """Fields of the model at ``path``, which only consists of models: only they forbid extra fields."""
    for part in path:
        inner = model.model_fields[str(part)].annotation
        assert isinstance(inner, type)  # noqa: S101 - every nested model of a spec is a plain field
        model = inner
    return list(model.model_fields)

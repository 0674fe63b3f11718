"""Fragments of a spec: merge, paths of values, origin of each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from ..field_errors import Wrong, suggestion, wrong_fields
from ..spec import EngineSpec

Path = tuple[str, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True)
class Origin:
    """Where a value comes from: a file (or :data:`BUILT_IN_SOURCE`, or a phrase), and the profile in it ("": none)."""

    source: str
    profile: str = ""


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """``over`` over ``base``, field by field: objects merge, null unsets, everything else replaces."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def leaves(fragment: Mapping[str, object], path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every value of a fragment that is not an object, with its path."""
    for key, value in fragment.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def over(origins: Mapping[Path, Origin], fragment: Mapping[str, object], origin: Origin) -> dict[Path, Origin]:
    """Return the origins after a fragment has been merged over these values."""
    found = dict(origins)
    for path, value in leaves(fragment):
        for end in range(1, len(path) + 1):
            found.pop(path[:end], None)
        if value is not None:
            found[path] = origin
        if len(path) == 1 or path[0] == "kubernetes":  # the others are flat; a conf may have 10,000 keys
            found = {at: there for at, there in found.items() if at == path or at[: len(path)] != path}
    return found


def validated(model: type[ModelT], value: object, wrong: list[Wrong]) -> ModelT | None:
    """Return the value as a model, or None with its errors added to ``wrong``."""
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        wrong += wrong_fields(exc, model)
        return None


def field_path(text: str, model: type[BaseModel] = EngineSpec) -> Path:
    """Parse a dotted path: ``conf.spark.x`` is ("conf", "spark.x"). ValueError says what is wrong."""
    head, dot, rest = text.partition(".")
    known = model.model_fields.get(head)
    if known is None:
        raise ValueError(f"there is no field {head!r}{suggestion(head, list(model.model_fields))}")
    inner = known.annotation
    if not dot:
        return (head,)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return (head, *field_path(rest, inner))
    if get_origin(inner) is dict and rest:
        return (head, rest)
    raise ValueError(f"{head!r} has no fields")


def null_at(path: Path) -> dict[str, object]:
    """Return the fragment that unsets the value at a path."""
    value: object = None
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)  # noqa: S101 - no path is empty
    return value

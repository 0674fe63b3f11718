"""Check that parts of a pod in a spec have the API's types, so that no field is silently ignored.

The shapes are those of the library's models, which are made from the API's own OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ....core.field_errors import Wrong, dotted, suggestion
from ....core.spec import KubernetesSpec

SHAPES: Mapping[str, str] = {
    "tolerations": "List[V1Toleration]",
    "affinity": "V1Affinity",
    "env_from": "List[V1EnvFromSource]",
    "volumes": "List[V1Volume]",
    "volume_mounts": "List[V1VolumeMount]",
    "pod_patch": "V1Pod",
    "driver_pod_patch": "V1Pod",
    "executor_pod_patch": "V1Pod",
}
"""Fields of the spec that are parts of a pod, with the type of each."""

QUANTITIES = ("limits", "requests", "sizeLimit", "storage")
"""Where a number is as good as a text: quantities."""

_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "str": (str, "a string"),
    "datetime": (str, "a time"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "bool": (bool, "true or false"),
}
_LIST = re.compile(r"[Ll]ist\[(.*)\]")
_DICT = re.compile(r"[Dd]ict[\[(]str, (.*)[\])]")


def wrong_shapes(asked: KubernetesSpec) -> list[Wrong]:
    """Dotted fields of parts of pods that have a wrong type or that no pod has."""
    found: list[Wrong] = []
    for name, shape in SHAPES.items():
        value = getattr(asked, name)
        if value:
            found += _wrong(value, shape, ("kubernetes", name))
    return found


def _wrong(value: object, shape: str, path: tuple[str, ...]) -> Iterator[Wrong]:
    if value is None or shape == "object":
        return
    if inner := _LIST.fullmatch(shape):
        if not isinstance(value, list):
            yield dotted(path), "must be a list"
            return
        for number, item in enumerate(value):
            yield from _wrong(item, inner[1], (*path, str(number)))
    elif inner := _DICT.fullmatch(shape):
        yield from _each(value, inner[1], path)
    elif shape in _TYPES:
        yield from _of_type(value, shape, path)
    else:
        yield from _of_model(value, shape, path)


def _each(value: object, shape: str, path: tuple[str, ...]) -> Iterator[Wrong]:
    if not isinstance(value, Mapping):
        yield dotted(path), "must be an object"
        return
    for key, item in value.items():
        if not key.startswith("$"):
            yield from _wrong(item, shape, (*path, key))


def _of_type(value: object, shape: str, path: tuple[str, ...]) -> Iterator[Wrong]:
    kind, word = _TYPES[shape]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_quantity = shape == "str" and is_number and any(part in QUANTITIES for part in path[-2:])
    is_bool = isinstance(value, bool) and shape != "bool"
    if (not isinstance(value, kind) or is_bool) and not is_quantity:
        yield dotted(path), f"must be {word}"


def _of_model(value: object, shape: str, path: tuple[str, ...]) -> Iterator[Wrong]:
    from kubernetes.client import models  # noqa: PLC0415 - heavy

    if not isinstance(value, Mapping):
        yield dotted(path), "must be an object"
        return
    model: Any = getattr(models, shape)
    known = {key: model.openapi_types[name] for name, key in model.attribute_map.items()}
    for key, item in value.items():
        if key.startswith("$"):
            continue
        if key in known:
            yield from _wrong(item, known[key], (*path, key))
        else:
            yield dotted((*path, key)), f"there is no such field{suggestion(key, list(known))}"

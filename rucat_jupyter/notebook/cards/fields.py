"""The fields of the create form, read from the JSON Schema of a spec: pure functions, no widgets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COMMON = ("driver.memory", "executors.instances", "idle_timeout_s")
"""Fields that most users set, in this order; other platforms have their own."""
COMMON_KUBERNETES = ("kubernetes.namespace", "driver.memory", "executors.instances", "executors.memory", "image")
COMMON_EXTERNAL = ("external.url", "external.token")
LABELS = {
    "driver.memory": "Driver memory",
    "executors.instances": "Executors",
    "executors.memory": "Executor memory",
    "image": "Image",
    "kubernetes.namespace": "Namespace",
    "kubernetes.context": "Context",
    "kubernetes.kubeconfig": "Kubeconfig",
    "idle_timeout_s": "Idle timeout, seconds",
    "external.url": "Address",
    "external.token": "Token",
}
PLATFORMS = ("local", "external", "kubernetes")
"""Objects of a spec that belong to the platform of the same name."""
NOT_OFFERED = ("secret_env", "ends_with")
"""A form would save the first in the notebook; the second is filled in by scripts."""
SECRET = ("external.token",)


@dataclass(frozen=True)
class Field:
    """One field: its ``path`` in the REST API (``driver.memory``) and the ``kind`` of its value.

    ``kind`` is text, integer, number, boolean, choice, lines, pairs or json.
    """

    path: str
    label: str
    kind: str
    help: str
    choices: tuple[str, ...] = ()
    is_common: bool = False
    is_secret: bool = False


class WrongValue(ValueError):
    """The input is not a valid value of the field; the message says what is valid."""


def fields_of(schema: Mapping[str, Any], platform: str) -> list[Field]:
    """Fields of an engine on the platform, the common ones first."""
    others = {"external": COMMON_EXTERNAL, "kubernetes": (*COMMON_KUBERNETES, "idle_timeout_s")}
    common = others.get(platform, COMMON)
    found = {field.path: field for field in _walk(schema, schema, "", platform, common)}
    first = [found.pop(path) for path in common if path in found]
    return [*first, *found.values()]


def value_of(field: Field, typed: str) -> Any:
    """Convert input to a value of the REST API; None if it is empty. Raises WrongValue."""
    typed = typed if field.is_secret else typed.strip()
    if not typed:
        return None
    readers: dict[str, Callable[[str], Any]] = {
        "integer": _integer,
        "number": _decimal,
        "boolean": lambda word: word == "yes",
        "lines": lambda lines: [line.strip() for line in lines.splitlines() if line.strip()],
        "pairs": _pairs,
        "json": _json,
    }
    return readers.get(field.kind, str)(typed)


def request_of(fields: Sequence[Field], typed: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The request from all inputs, and error messages by the path of their field."""
    asked: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in fields:
        try:
            value = value_of(field, typed.get(field.path, ""))
        except WrongValue as error:
            wrong[field.path] = str(error)
            continue
        if value is not None:
            *parents, last = field.path.split(".")
            place = asked
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
    return asked, wrong


def errors_of(details: Mapping[str, Any], paths: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Error messages of a 400 response by the path of their field, and those without a field."""
    at: dict[str, str] = {}
    rest: list[str] = []
    for error in details.get("errors") or []:
        name, message = str(error.get("field", "")), str(error.get("message", ""))
        owner = next((path for path in sorted(paths, key=len, reverse=True) if _is_of(name, path)), None)
        if owner is None:
            rest.append(f"{name}: {message}" if name else message)
        else:
            inside = name[len(owner) :].lstrip(".")
            at[owner] = "; ".join(filter(None, [at.get(owner), f"{inside}: {message}" if inside else message]))
    return at, rest


def placeholder(spec: Mapping[str, Any], path: str) -> str:
    """The value of the profile, which an empty input shows."""
    value: Any = spec
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value in (None, {}, []):
        return ""
    return f"profile: {value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False)}"


def _walk(
    schema: Mapping[str, Any], whole: Mapping[str, Any], prefix: str, platform: str, common: Sequence[str]
) -> list[Field]:
    found: list[Field] = []
    for name, raw in (schema.get("properties") or {}).items():
        path = f"{prefix}{name}"
        if path in NOT_OFFERED or (not prefix and name in PLATFORMS and name != platform):
            continue
        part = _resolved(raw, whole)
        if part.get("type") == "object" and part.get("properties"):
            found += _walk(part, whole, f"{path}.", platform, common)
            continue
        kind, choices = _kind(part)
        help_text = str(raw.get("description") or part.get("description") or "")
        label = LABELS.get(path) or path.replace("_", " ").replace(".", " ").capitalize()
        found.append(Field(path, label, kind, help_text, choices, path in common, path in SECRET))
    return found


def _resolved(raw: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Resolve references, and of alternatives choose the one that is not null."""
    options = [option for option in raw.get("anyOf") or raw.get("allOf") or [] if option.get("type") != "null"]
    if len(options) == 1:
        return _resolved(options[0], whole)
    if "$ref" in raw:
        return _resolved((whole.get("$defs") or {}).get(str(raw["$ref"]).rsplit("/", 1)[-1]) or {}, whole)
    return raw


def _kind(part: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    kind = part.get("type")
    if part.get("enum"):
        return "choice", tuple(str(value) for value in part["enum"])
    if kind == "array":
        return ("lines" if (part.get("items") or {}).get("type") == "string" else "json"), ()
    if kind == "object":
        values = part.get("additionalProperties")
        return ("pairs" if isinstance(values, Mapping) and values.get("type") == "string" else "json"), ()
    return {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}.get(str(kind), "json"), ()


def _integer(typed: str) -> int:
    try:
        return int(typed)
    except ValueError:
        raise WrongValue(f"{typed!r} is not a whole number") from None


def _decimal(typed: str) -> float:
    try:
        return float(typed)
    except ValueError:
        raise WrongValue(f"{typed!r} is not a number") from None


def _pairs(typed: str) -> dict[str, str]:
    pairs = {}
    for line in filter(str.strip, typed.splitlines()):
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise WrongValue(f"{line.strip()!r} is not KEY=VALUE, one per line")
        pairs[key.strip()] = value
    return pairs


def _json(typed: str) -> Any:
    try:
        return json.loads(typed)
    except ValueError as error:
        raise WrongValue(f"is not JSON: {error}") from None


def _is_of(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}.")

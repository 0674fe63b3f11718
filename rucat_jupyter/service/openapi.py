"""Describes the URL table as OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ..engine import MASK, NAME_RULE, EngineSpec
from ..errors import Forbidden, NotAuthenticated, RucatError
from ..sessions import LONGEST_PATH, SESSION_KEY
from .routes import EVERYWHERE, ROUTES, Route
from .views import ErrorView

Schema = dict[str, Any]
REF = "#/components/schemas/{model}"
BY_JUPYTER = (NotAuthenticated, Forbidden)
"""What Jupyter answers in front of every route, before the gateway is asked."""


def describe(version: str, platforms: Sequence[str], profiles: Sequence[str]) -> Schema:
    """The whole document, for a gateway that has these platforms and profiles now."""
    models: dict[str, type[BaseModel]] = {ErrorView.__name__: ErrorView}
    for _, model in (answer for route in ROUTES for answer in route.answers.values()):
        if isinstance(model, type):
            models[model.__name__] = model
    _, schemas = models_json_schema([(models[name], "serialization") for name in sorted(models)], ref_template=REF)
    components = {**schemas["$defs"], **_request_schemas(platforms, profiles)}
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rucat",
            "version": version,
            "description": "Create, connect and manage data engines. Paths are below the Jupyter base URL. Every error "
            'is {"message", "code", "details"}.',
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route[Any]) -> Schema:
    operation: Schema = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query)],
        "responses": {
            **{str(status): _answer(route, status) for status in route.answers},
            **_errors([*EVERYWHERE, *BY_JUPYTER, *route.errors]),
        },
    }
    if route.body:
        content = {"application/json": {"schema": {"$ref": REF.format(model=route.body)}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answer(route: Route[Any], status: int) -> Schema:
    text, model = route.answers[status]
    answer: Schema = {"description": text}
    if isinstance(model, str):
        answer["content"] = {model: {"schema": {"type": "string"} if model.startswith("text/") else {}}}
    elif model is not None:
        answer["content"] = {"application/json": {"schema": {"$ref": REF.format(model=model.__name__)}}}
    if headers := route.headers.get(status):
        answer["headers"] = {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    return answer


def _errors(errors: Sequence[type[RucatError]]) -> Schema:
    by_status: dict[int, list[str]] = {}
    for error in dict.fromkeys(errors):
        by_status.setdefault(error.http_status, []).append(error.code)
    content = {"application/json": {"schema": {"$ref": REF.format(model=ErrorView.__name__)}}}
    return {str(status): {"description": ", ".join(codes), "content": content} for status, codes in by_status.items()}


def _path_parameters(path: str) -> list[Schema]:
    key = f"^{SESSION_KEY.pattern}$"
    known = {
        "id": ("An engine's id or name.", {"type": "string", "minLength": 1}),
        "key": (
            "First 32 hex digits of the SHA-256 of the path.",
            {"type": "string", "pattern": key},
        ),
    }
    return [
        {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        for name, (text, schema) in known.items()
        if f"{{{name}}}" in path
    ]


def _query_parameters(model: type[BaseModel]) -> list[Schema]:
    schema = model.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": prop.pop("description", ""),
            "schema": _inlined(prop, schema.get("$defs", {})),
        }
        for name, prop in schema.get("properties", {}).items()
    ]


def _inlined(prop: Schema, defs: Mapping[str, Schema]) -> Schema:
    """A parameter is never null: without the null branch, and without references."""
    branches = [branch for branch in prop.get("anyOf", [prop]) if branch.get("type") != "null"]
    inner = {**branches[0]}
    if "$ref" in inner:
        inner = {**defs[inner["$ref"].rpartition("/")[2]]}
    return {key: value for key, value in inner.items() if key not in ("title", "default")}


def _request_schemas(platforms: Sequence[str], profiles: Sequence[str]) -> dict[str, Schema]:
    """What may be sent: the spec's fields, each of which may be null to unset what the profile has."""
    spec = EngineSpec.model_json_schema(ref_template="#/components/schemas/{model}Request")
    defs = {f"{name}Request": _nullable(schema) for name, schema in spec.pop("$defs").items()}
    name = {"type": ["string", "null"], "minLength": 1, "maxLength": 63}
    about = {
        "name": {**name, "description": f"Chosen free where it is missing; {NAME_RULE}."},
        "platform": {"enum": [*sorted(platforms), None], "description": "Default: the profile's."},
        "profile": {"enum": [*sorted(profiles), None], "description": "Default: the gateway's."},
    }
    spec["properties"]["conf"]["propertyNames"] |= {"pattern": "^spark\\."}
    request = _nullable(spec)
    request["title"] = "EngineRequest"
    request["description"] = (
        f"What is asked of an engine, over its profile: objects merge field by field, lists are replaced, null unsets. "
        f"{MASK!r} as a secret's value is refused."
    )
    request["properties"] = about | request["properties"]
    session = {
        "type": "object",
        "additionalProperties": False,
        "required": ["path"],
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_PATH,
                "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
                "description": "The notebook's path.",
            },
            "session_id": {"type": ["string", "null"], "format": "uuid", "description": "In place of the present one."},
        },
    }
    return {**defs, "EngineRequest": request, "SessionRequest": session}


def _nullable(schema: Schema) -> Schema:
    """The schema of a model with null allowed for each property and each value of a map."""
    return {**schema, "properties": {name: _or_null(prop) for name, prop in schema["properties"].items()}}


def _or_null(given: Schema) -> Schema:
    prop = {key: value for key, value in given.items() if key != "default"}
    inner = prop.get("additionalProperties")
    if isinstance(inner, dict):
        prop["additionalProperties"] = {"anyOf": [inner, {"type": "null"}]}
    about = {key: prop.pop(key) for key in ("title", "description") if key in prop}
    branches = [branch for branch in prop.get("anyOf", [prop]) if branch.get("type") != "null"]
    return {"anyOf": [*branches, {"type": "null"}]} | about

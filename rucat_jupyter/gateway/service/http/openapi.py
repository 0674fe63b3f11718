"""Parts of the OpenAPI document that FastAPI cannot generate: errors of each route, and request bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from ....core.errors import RucatError
from ....core.sessions import LONGEST_PATH
from ....core.spec import MASK, NAME_RULE, EngineSpec
from .views import ErrorView

Schema = dict[str, Any]
ABOUT = (
    "Create, connect and manage data engines. Paths are below the Jupyter base URL. Every error is "
    '{"message", "code", "details"}.'
)


def errors(*kinds: type[RucatError]) -> dict[int | str, Schema]:
    """FastAPI's ``responses`` for these errors."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(kind.http_status, []).append(kind.code)
    return {status: {"model": ErrorView, "description": ", ".join(found)} for status, found in codes.items()}


def body(model: str, *, required: bool = True) -> Schema:
    """FastAPI's ``openapi_extra`` for a body that the route itself reads."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}
    return {"requestBody": {"required": required, "content": content}}


def describe(version: str, routes: Sequence[BaseRoute], platforms: Sequence[str], profiles: Sequence[str]) -> Schema:
    """The whole document, for a gateway with these platforms and profiles."""
    document = get_openapi(title="Rucat", version=version, description=ABOUT, routes=routes)
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)  # FastAPI's own validation error; here it is a 400
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _never_null(parameter["schema"])
    schemas.update(_request_schemas(platforms, profiles))
    return document


def _never_null(schema: Schema) -> Schema:
    """A parameter can be missing, but a URL has no null."""
    kept = next((branch for branch in schema.get("anyOf", ()) if branch.get("type") != "null"), schema)
    return {key: value for key, value in kept.items() if key not in ("title", "description")}


def _request_schemas(platforms: Sequence[str], profiles: Sequence[str]) -> dict[str, Schema]:
    """The request bodies: the spec's fields; null unsets the profile's value."""
    spec = EngineSpec.model_json_schema(ref_template="#/components/schemas/{model}Request")
    defs = {f"{name}Request": _nullable(schema) for name, schema in spec.pop("$defs").items()}
    name = {"type": ["string", "null"], "minLength": 1, "maxLength": 63}
    about = {
        "name": {**name, "description": f"Default: a free name; {NAME_RULE}."},
        "platform": {"enum": [*sorted(platforms), None], "description": "Default: the profile's."},
        "profile": {"enum": [*sorted(profiles), None], "description": "Default: the gateway's."},
    }
    spec["properties"]["conf"]["propertyNames"] |= {"pattern": "^spark\\."}
    request = _nullable(spec)
    request["title"] = "EngineRequest"
    request["description"] = (
        f"Settings of an engine, merged into its profile: objects merge field by field, lists are replaced, null "
        f"unsets. {MASK!r} as the value of a secret is refused."
    )
    restart = {
        **request,
        "title": "RestartRequest",
        "description": "Changes of the stored settings, merged as a create's are into its profile.",
    }
    request["properties"] = about | request["properties"]
    path = {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_PATH,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
        "description": "The notebook's path.",
    }
    session = {
        "type": "object",
        "additionalProperties": False,
        "required": ["path"],
        "properties": {
            "path": path,
            "session_id": {
                "type": ["string", "null"],
                "format": "uuid",
                "description": "Replaces the present session id.",
            },
            "process": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "required": ["pid", "mark", "boot", "machine"],
                "properties": {
                    "pid": {"type": "integer", "minimum": 1, "maximum": 4_294_967_295},
                    **{name: {"type": "string", "pattern": "^[ -~]*$"} for name in ("mark", "boot", "machine")},
                },
                "description": "The process that attaches it; the session is detached when that ends.",
            },
        },
    }
    move = {
        "type": "object",
        "additionalProperties": False,
        "required": ["from", "to"],
        "properties": {
            "from": {**path, "description": "The old path of a notebook or folder."},
            "to": {**path, "type": ["string", "null"], "description": "The new path; null: it was deleted."},
        },
    }
    return {
        **defs,
        "EngineRequest": request,
        "RestartRequest": restart,
        "SessionRequest": session,
        "MoveRequest": move,
    }


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

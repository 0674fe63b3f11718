"""Convert rows of SurrealDB to and from the models; only this module knows how a value is stored.

Reading ignores unknown fields, since a newer Rucat may have added some. NUL and lone surrogates never reach the
database: the embedded engine stores a NUL that it cannot read back.

Spec, executors and secret maps are one JSON text each. As FLEXIBLE objects of a SCHEMAFULL table, a conf of 10,000 keys
costs 1.9 s for each write of its row, of any field (core 2.0 checks the keys in quadratic time), 1,000 keys 14 ms; as a
text 4 ms and 0.9 ms. A text also keeps values that SurrealDB drops or refuses: null in a map, numbers beyond 64 bits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from surrealdb import RecordID

from ...core.engine import Credential, Engine, Event, Executors, Failure, Session
from ...core.lifecycle import Changes
from ...core.ports.store import STORE_NOW, Beat
from ...core.spec import EngineSpec

Row = Mapping[str, Any]
"""A row decoded by the SDK."""

FIXED = frozenset({"id", "owner", "name", "platform", "created_at", "revision"})
"""Fields of an engine that an update cannot change."""

_PARTS: dict[str, type[BaseModel]] = {  # the fields of a spec that are models
    name: field.annotation
    for name, field in EngineSpec.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def text(value: str) -> str:
    """Make a text storable: NUL and lone surrogates become U+FFFD."""
    if value.isascii() and "\0" not in value:
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", _REPLACEMENT)


def engine_values(engine: Engine) -> dict[str, Any]:
    """All stored fields of an engine except ``id`` and ``created_at``, as bound values."""
    return {name: value_of(getattr(engine, name)) for name in Engine.model_fields if name not in ("id", "created_at")}


def change_values(changes: Changes) -> dict[str, Any]:
    """The bound values of an update; STORE_NOW stays as it is.

    Raises ValueError for a field that an update cannot write: a bug in Rucat, not a user's error.
    """
    wrong = [name for name in changes if name in FIXED or name not in Engine.model_fields]
    if wrong:
        raise ValueError(f"an update cannot write {', '.join(wrong)}")
    return {name: value if value is STORE_NOW else value_of(value) for name, value in changes.items()}


def value_of(value: object) -> object:
    """Convert a field's value to its stored form."""
    if isinstance(value, EngineSpec):
        return _json(value.model_dump(exclude_defaults=True))  # a default means "not set"
    if isinstance(value, Executors):
        return _json(asdict(value))
    if isinstance(value, Failure):
        return {name: value_of(part) for name, part in value if part is not None}
    if isinstance(value, Enum):
        return value.value
    return text(value) if isinstance(value, str) else value


def credential_values(credential: Credential) -> dict[str, Any]:
    """All fields of a credential, as bound values."""
    return {
        "token": text(credential.token),
        "conf": _json(credential.conf),
        "env": _json(credential.env),
    }


def event_values(event: Event) -> dict[str, Any]:
    """All stored fields of a history line except ``at``, which the store sets."""
    return {name: value_of(value) for name, value in event if name != "at"}


def session_values(session: Session) -> dict[str, Any]:
    """All stored fields of a session except ``created_at``, which the store sets."""
    process = _json(session.process.model_dump()) if session.process else ""
    return {name: value_of(value) for name, value in session if name != "created_at"} | {"process": process}


def engine_of(row: Row) -> Engine:
    """The engine of a row."""
    failure, executors = row.get("failure"), row.get("executors")
    return Engine.model_validate(
        {
            **_known(Engine, row),
            "id": row["id"].id,
            "spec": _spec_of(row["spec"]),
            "failure": Failure.model_validate(_known(Failure, failure)) if failure else None,
            "executors": _executors_of(json.loads(executors)) if executors else None,
        }
    )


def credential_of(row: Row) -> Credential:
    """The credential of a row."""
    return Credential(token=row["token"], conf=json.loads(row["conf"]), env=json.loads(row["env"]))


def event_of(row: Row) -> Event:
    """The history line of a row."""
    return Event.model_validate(_known(Event, row))


def session_of(row: Row) -> Session:
    """The session of a row."""
    known = _known(Session, row)
    process, is_attached = known.pop("process", None), known.pop("is_attached", None)  # older rows have neither
    return Session.model_validate(
        {**known, "process": json.loads(process) if process else None, "is_attached": is_attached is not False}
    )


def beat_of(row: Row) -> Beat:
    """The heartbeat of a row that also has ``now``, the store's time of the read."""
    at, now = row["at"], row["now"]
    assert isinstance(at, datetime) and isinstance(now, datetime)  # noqa: S101, PT018 - the schema's own types
    return Beat(row["gateway_id"], row["host"], tuple(row["sites"]), (now - at).total_seconds())


class Line:
    """The statement that appends a history line, and its values.

    The id of a transition's line is engine and revision, so that the database refuses a second one.
    """

    def __init__(self, event: Event, revision: int, *, is_tombstone: bool = False, nonce: str = "") -> None:
        values = {**event_values(event), "is_tombstone": is_tombstone}
        key = [values["engine_id"], revision, *([nonce] if nonce else [])]
        self.statement = f"CREATE $line_id SET {assign(values, 'line_')}, at = time::now() RETURN NONE;"
        self.values: dict[str, Any] = {"line_id": RecordID("history", key), **bind(values, "line_")}


def assign(values: dict[str, Any], prefix: str = "new_") -> str:
    """``field = $new_field`` for each field; the store's time for STORE_NOW."""
    return ", ".join(
        f"{name} = time::now()" if value is STORE_NOW else f"{name} = ${prefix}{name}" for name, value in values.items()
    )


def bind(values: dict[str, Any], prefix: str = "new_") -> dict[str, Any]:
    """The bound values for :func:`assign`."""
    return {f"{prefix}{name}": value for name, value in values.items() if value is not STORE_NOW}


def _json(value: object) -> str:
    return text(json.dumps(value, ensure_ascii=False))  # writes NUL as \\u0000


@lru_cache(maxsize=4096)
def _spec_of(text: str) -> EngineSpec:
    """The spec of a stored text; cached, since specs are immutable and read often."""
    values = _known(EngineSpec, json.loads(text))
    for name in values.keys() & _PARTS.keys():
        values[name] = _known(_PARTS[name], values[name])
    return EngineSpec.model_validate(values)


def _executors_of(row: Row) -> Executors:
    known = {field.name: row[field.name] for field in fields(Executors) if field.name in row}
    return Executors(**{**known, "reasons": tuple(known.get("reasons", ()))})


def _known(model: type[BaseModel], row: Row) -> dict[str, Any]:
    """The fields of a row that this version of the model knows; NONE becomes the field's default."""
    return {name: row[name] for name in model.model_fields if row.get(name) is not None}

"""The query parameters of each route; an unknown one is an error."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from ....core.engine import Status
from ....core.spec import Model, Text

LONGEST_WAIT_S = 50
"""Less than the minute after which proxies close a silent request."""
MOST_ENGINES = 1000
MOST_LINES = 100_000


def _number(text: object) -> object:
    """A JSON number: without the blanks, underscores, words and signs that Python accepts."""
    if isinstance(text, str) and not re.fullmatch(
        r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", text
    ):
        raise ValueError("must be a number")
    return text


def _whole(text: object) -> object:
    if isinstance(text, str) and not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        raise ValueError("must be a whole number")
    return text


_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def _flag(text: object) -> object:
    if isinstance(text, str) and text not in _FLAGS:
        raise ValueError("must be true or false")
    return _FLAGS[text] if isinstance(text, str) else text


# The range comes first: constraints after a validator are missing in the schema.
_from_text = BeforeValidator(_whole)
Wait = Annotated[
    float, Field(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for a change."), BeforeValidator(_number)
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "string", "enum": list(_FLAGS)})]


class NoQuery(Model):
    """No parameters."""


Word = Annotated[Text, Field(min_length=1, max_length=4096, json_schema_extra={"pattern": "^[^\\u0000]+$"})]


class CheckupQuery(Model):
    """Where the caller's engines on Kubernetes would run."""

    kubeconfig: Word | None = Field(None, description="Path of the kubeconfig; default: the gateway's.")
    context: Word | None = Field(None, description="Context in it; default: its current one.")
    namespace: Word | None = Field(None, description="Namespace; default: the context's.")


class ListQuery(Model):
    """Which engines, and how long to wait for a change of them."""

    status: Status | None = Field(None, description="Only engines with this status.")
    name: str | None = Field(None, description="Only the engine with this name.")
    limit: Annotated[int, Field(ge=1, le=MOST_ENGINES), _from_text] | None = Field(
        None, description="Engines per page; default: all."
    )
    page: Annotated[int, Field(ge=1, le=10**9), _from_text] = Field(1, description="Number of the page, from 1.")
    since: str | None = Field(None, description="Token of an earlier response: wait until the list's token differs.")
    wait: Wait = 0.0


class CreateQuery(Model):
    """Whether to create, or only to preview."""

    dry_run: Flag = Field(False, description="Create nothing: return what would be created and started.")


class EngineQuery(Model):
    """How long to wait for a change of an engine."""

    since: Annotated[int, Field(ge=0, le=10**15), _from_text] | None = Field(
        None, description="Revision of an earlier response: wait until the engine's revision differs."
    )
    wait: Wait = 0.0


class DeleteQuery(Model):
    """How to delete."""

    force: Flag = Field(
        False, description="Delete only the record of an engine whose platform has been out of reach for 60 s."
    )


class CancelQuery(Model):
    """Which session has already asked the engine to cancel."""

    session_id: str | None = Field(
        None,
        description="Session of a notebook that has already asked the engine to cancel: only end later jobs.",
    )


class LogsQuery(Model):
    """Which lines."""

    tail: Annotated[int, Field(ge=0, le=MOST_LINES), _from_text] | None = Field(
        None, description="Number of last lines; default: all."
    )
    follow: Flag = Field(False, description="Stream new lines until the engine ends.")

"""The query parameters of each route: strict, and an unknown one is an error."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from ....core.engine import Status
from ....core.spec import Model, Text

LONGEST_WAIT_S = 50
"""Under the minute after which proxies give up a silent request."""
MOST_ENGINES = 1000
MOST_LINES = 100_000


def _number(text: object) -> object:
    """A number as JSON writes it: no blanks, underscores, words or signs that Python would take."""
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


# The range comes first: what follows a validator does not get into the schema.
_from_text = BeforeValidator(_whole)
Wait = Annotated[
    float, Field(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for a change."), BeforeValidator(_number)
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "string", "enum": list(_FLAGS)})]


class NoQuery(Model):
    """No parameters."""


Word = Annotated[Text, Field(min_length=1, max_length=4096, json_schema_extra={"pattern": "^[^\\u0000]+$"})]


class CheckupQuery(Model):
    """Where the asker's engines on Kubernetes would be."""

    kubeconfig: Word | None = Field(None, description="Path of the kubeconfig; default the gateway's own.")
    context: Word | None = Field(None, description="Context of it; default its current one.")
    namespace: Word | None = Field(None, description="Namespace; default the context's.")


class ListQuery(Model):
    """Which engines, and how long to wait for a change of them."""

    status: Status | None = Field(None, description="Only engines of that status.")
    name: str | None = Field(None, description="Only the engine of that name.")
    limit: Annotated[int, Field(ge=1, le=MOST_ENGINES), _from_text] | None = Field(
        None, description="Engines a page; default all."
    )
    page: Annotated[int, Field(ge=1, le=10**9), _from_text] = Field(1, description="Which page, from 1.")
    since: str | None = Field(None, description="The token of an earlier answer: wait until it is no longer current.")
    wait: Wait = 0.0


class CreateQuery(Model):
    """Whether to create at all."""

    dry_run: Flag = Field(False, description="Create nothing: answer what would be created and started.")


class EngineQuery(Model):
    """How long to wait for a change of an engine."""

    since: Annotated[int, Field(ge=0, le=10**15), _from_text] | None = Field(
        None, description="The revision of an earlier answer: wait until it is no longer current."
    )
    wait: Wait = 0.0


class DeleteQuery(Model):
    """How to delete."""

    force: Flag = Field(False, description="Forget an engine whose platform has been out of reach for 60 s.")


class CancelQuery(Model):
    """Who has cancelled already."""

    session_id: str | None = Field(
        None,
        description="A notebook's session that told the engine itself: only jobs that begin all the same are ended.",
    )


class LogsQuery(Model):
    """Which lines."""

    tail: Annotated[int, Field(ge=0, le=MOST_LINES), _from_text] | None = Field(
        None, description="How many last lines; all."
    )
    follow: Flag = Field(False, description="Send new lines as they come, until the engine ends.")

"""What the verbs ``sql`` and ``detach`` do, as functions of Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..client.engines import engine as client
from ..client.identity import get_shell
from ..client.session import session as sessions
from ..client.session.session import Attachment
from ..core.errors import InvalidRequest, NotPossible
from .magics.magics import binding_of
from .sql.result import SqlResult
from .sql.run import LIMIT
from .sql.split import split


def sql(
    statements: str, *, engine: str | None = None, limit: int | None = LIMIT, args: Mapping[str, Any] | None = None
) -> SqlResult:
    """Run SQL on an engine, and get the rows of the last statement.

    Parameters
    ----------
    statements : str
        One or more statements, separated by semicolons; they run in order until one fails.
    engine : str, optional
        The name or the id of the engine. Default: the one attached last.
    limit : int or None, default 100
        How many rows to fetch; None: all.
    args : mapping of str to object, optional
        Values of the parameters ``:name``, bound by Spark.

    Returns
    -------
    SqlResult
        The rows, shown as a table, with the methods ``pandas()``, ``polars()`` and ``arrow()``, and ``df``.

    Raises
    ------
    EngineNotFound
        You have no engine of that name or id.
    InvalidRequest
        There is no statement.
    NotPossible
        No engine is attached, and none is named.

    Examples
    --------
    >>> rucat_jupyter.sql("SELECT :n AS n", engine="etl", args={"n": 3}).arrow().to_pylist()
    [{'n': 3}]
    """
    found = split(statements)
    if not found:
        raise InvalidRequest("sql: there is no statement")
    current = _attached(None)
    if engine is None and current is None:
        raise NotPossible("sql: no engine is attached here; name one: engine=NAME")
    attachment = current if engine is None else sessions.attach(client.get(engine))
    assert attachment is not None  # noqa: S101  # see above
    try:
        results = [
            SqlResult(each.text, attachment.spark.sql(each.text, args=dict(args) if args else None), limit=limit)
            for each in found
        ]
    finally:
        if current is not None:
            sessions.make_active(current)
    return results[-1]


def detach(engine: str | None = None) -> list[str]:
    """Release the session on an engine; the engine keeps running, and keeps the session for the next attach.

    Parameters
    ----------
    engine : str, optional
        The name or the id of the engine. Default: the one attached last.

    Returns
    -------
    list of str
        The variables of the notebook that were unbound.

    Examples
    --------
    >>> spark = rucat_jupyter.get("etl").connect()
    >>> rucat_jupyter.detach("etl")
    []
    """
    attachment = _attached(engine)
    if attachment is None:
        return []
    binding = binding_of(get_shell())
    if binding is not None:
        return binding.release(attachment)
    sessions.detach(attachment)
    return []


def _attached(engine: str | None) -> Attachment | None:
    """The session attached last, or last on this engine."""
    found = [each for each in sessions.attachments() if engine in (None, each.engine.name, each.engine.id)]
    return found[-1] if found else None

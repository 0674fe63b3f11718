"""Lets a pyspark session object go on in another session of its engine; the one place that knows its private names.

pyspark 4.1, 4.2 and 4.3 keep the session id in the same three places, and beside it the id that the server gave the
session. Where a later one does not, :func:`can_follow` says so, and the user attaches again.
"""

from __future__ import annotations

from typing import Any

OBSERVED = "client_observed_server_side_session_id"


def can_follow(spark: Any) -> bool:
    """Whether this pyspark keeps its session id where it can be replaced."""
    return (
        hasattr(spark, "_client")
        and hasattr(spark._client, "_server_session_id")
        and all(hasattr(holder, "_session_id") for holder in _holders(spark))
    )


def is_of_now(spark: Any, request: Any, *, is_new_id: bool) -> bool:
    """Whether a refused request spoke of the session as it is, so that nobody has renewed it meanwhile."""
    if is_new_id:
        return getattr(request, "session_id", None) in (None, spark._client._session_id)
    return getattr(request, OBSERVED, None) in (None, spark._client._server_session_id)


def follow(spark: Any, session_id: str) -> None:
    """Speak of another session from now on."""
    for holder in _holders(spark):
        holder._session_id = session_id


def forget_server(spark: Any) -> None:
    """Let pyspark take the next answer as that of a new server session."""
    if hasattr(spark, "_client") and hasattr(spark._client, "_server_session_id"):
        spark._client._server_session_id = None


def mend(request: Any, spark: Any) -> bool:
    """Make a request speak of the session of now; False for a stream of requests, which is past mending."""
    if not hasattr(request, OBSERVED) or not can_follow(spark):
        return False
    request.session_id = spark._client._session_id
    request.ClearField(OBSERVED)
    return True


def _holders(spark: Any) -> list[Any]:
    client = spark._client
    return [client, spark, *filter(None, [getattr(client, "_artifact_manager", None)])]

"""Moves a pyspark session object to another session on its engine; the only module that uses its private names.

pyspark 4.1, 4.2 and 4.3 keep the session id in the same three places, and next to it the id that the server gave the
session. If a later release does not, :func:`can_follow` is False, and the user attaches again.
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
    """Whether a rejected request used the current session id, so that no other thread has renewed it already."""
    if is_new_id:
        return getattr(request, "session_id", None) in (None, spark._client._session_id)
    return getattr(request, OBSERVED, None) in (None, spark._client._server_session_id)


def follow(spark: Any, session_id: str) -> None:
    """Use another session id from now on."""
    for holder in _holders(spark):
        holder._session_id = session_id


def forget_server(spark: Any) -> None:
    """Make pyspark accept the next answer as that of a new server session."""
    if hasattr(spark, "_client") and hasattr(spark._client, "_server_session_id"):
        spark._client._server_session_id = None


def rewrite(request: Any, spark: Any) -> bool:
    """Rewrite a request to use the current session id; False for a stream of requests, which cannot be rewritten."""
    if not hasattr(request, OBSERVED) or not can_follow(spark):
        return False
    request.session_id = spark._client._session_id
    request.ClearField(OBSERVED)
    return True


def _holders(spark: Any) -> list[Any]:
    client = spark._client
    return [client, spark, *filter(None, [getattr(client, "_artifact_manager", None)])]

"""The routes of an engine's running operations."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from ....core.errors import EngineNotFound, EngineUnavailable, NotPossible, OperationNotFound, PlatformUnavailable
from ...use_cases.operations import OperationView
from .openapi import errors
from .queries import CancelQuery
from .routes import ENGINE, AnyCall, PlainCall, Ref, make_router
from .views import OperationsView, answer

router = make_router()
OperationId = Annotated[str, Path(description="Id of a running operation: a UUID.")]


@router.get(
    f"{ENGINE}/operations",
    response_model=OperationsView,
    responses=errors(EngineNotFound, NotPossible, PlatformUnavailable, EngineUnavailable),
)
async def list_operations(call: PlainCall, ref: Ref) -> Response:
    """List the running operations of all sessions: notebook, cell, text, progress. Does not count as activity."""
    return answer(OperationsView(operations=await call.service.running.running(call.owner, ref)))


@router.post(
    f"{ENGINE}/operations/{{op}}/cancel",
    status_code=202,
    response_description="Accepted: the engine cancels; the operation's client gets OPERATION_CANCELED.",
    response_model=OperationView,
    responses=errors(EngineNotFound, OperationNotFound, NotPossible, PlatformUnavailable, EngineUnavailable),
)
async def cancel_operation(
    call: AnyCall, ref: Ref, op: OperationId, query: Annotated[CancelQuery, Query()]
) -> Response:
    """Cancel an operation of any session on the engine; the session, its views and conf stay."""
    return answer(await call.service.running.cancel(call.owner, ref, op, query.session_id), 202)

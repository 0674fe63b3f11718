"""The route of Spark's own settings, for forms that offer their keys with their documentation."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from .routes import PlainCall, make_router
from .views import ConfsView, ConfView, answer

router = make_router()


@router.get("/confs", response_model=ConfsView)
async def list_confs(call: PlainCall) -> Response:
    """List Spark's settings, as the pyspark beside the gateway documents them; none where there is no pyspark."""
    found = await asyncio.to_thread(call.service.read_confs)  # the first time it reads jars: tenths of a second
    return answer(ConfsView(confs=[ConfView(**setting._asdict()) for setting in found.values()]))

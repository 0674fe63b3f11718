"""The route of Spark's settings, for forms that offer their keys and documentation."""

from __future__ import annotations

from starlette.responses import Response

from ....host import spark_confs
from .routes import PlainCall, make_router
from .views import ConfsView, ConfView, answer

router = make_router()


@router.get("/confs", response_model=ConfsView)
async def list_confs(call: PlainCall) -> Response:
    """List Spark's settings with their documentation, for the pyspark release in the gateway's environment."""
    del call
    return answer(ConfsView(confs=[ConfView(**setting._asdict()) for setting in spark_confs.load().values()]))

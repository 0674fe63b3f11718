"""The raw baselines of L7: the same JSON from a bare FastAPI handler, and from a bare authenticated Jupyter handler."""

from __future__ import annotations

import json
import os
import sys

BODY = json.loads(os.environ.get("BENCH_BODY", "{}"))


def main(socket: str) -> None:
    """Serve the body on a Unix socket."""
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/bare")
    async def bare() -> dict[str, object]:
        return BODY

    uvicorn.run(app, uds=socket, log_level="warning", access_log=False)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "benchmarks.bare"}]


def _load_jupyter_server_extension(server: object) -> None:
    from jupyter_server.base.handlers import APIHandler
    from jupyter_server.utils import url_path_join
    from tornado import web

    class Bare(APIHandler):
        @web.authenticated
        def get(self) -> None:
            self.finish(BODY)

    server.web_app.add_handlers(".*", [(url_path_join(server.base_url, "bare"), Bare)])


if __name__ == "__main__":
    main(sys.argv[1])

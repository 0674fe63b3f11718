"""Simulates the drivers of thousands of engines: answers the gateway's calls as a healthy, idle driver does.

Runs in its own pod: python -m benchmarks.stub. It accepts any token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from email.utils import formatdate

import grpc
import grpc.aio

from rucat_jupyter.platforms.kubernetes.objects.names import CONNECT_PORT, UI_PORT
from rucat_jupyter.spark.connect.messages import EXECUTE

LISTENS = "listens"
NO_SESSION = "[INVALID_HANDLE.SESSION_NOT_FOUND] The handle is invalid. Session not found."
PAGES: dict[str, object] = {"/api/v1/applications": [{"id": "app"}]}
EMPTY = ("/connect/sessions", "/connect/operations", "/jobs?status=running")


class Stub(grpc.GenericRpcHandler):
    """Rejects calls without a token, has no sessions, and answers every query."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return the handler of a method."""
        if details.method == EXECUTE:
            return grpc.unary_stream_rpc_method_handler(_execute)
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    if "authorization" in dict(context.invocation_metadata()):
        await context.abort(grpc.StatusCode.INTERNAL, NO_SESSION)
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "No authentication token provided")
    return b""


async def _execute(request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    yield b""


async def _page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One response of an idle Spark UI."""
    head = await reader.readuntil(b"\r\n\r\n")
    path = head.split()[1].decode()
    found = [] if path.endswith(EMPTY) else PAGES.get(path)
    body = b"" if found is None else json.dumps(found).encode()
    status = "404 Not Found" if found is None else "200 OK"
    writer.write(
        f"HTTP/1.0 {status}\r\nDate: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    writer.write(body)
    writer.close()


async def main() -> None:
    """Listen on the ports of a driver until the pod ends."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Stub(),))
    server.add_insecure_port(f"0.0.0.0:{CONNECT_PORT}")
    await server.start()
    pages = await asyncio.start_server(_page, "0.0.0.0", UI_PORT, backlog=1024)
    print(LISTENS, flush=True)
    await pages.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

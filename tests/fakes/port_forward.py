"""A played API server that knows one thing, port-forward on a WebSocket, as kube-apiserver 1.34 and containerd do it.

The same suite runs on it and on a real cluster (``tests/cluster/test_forward.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct

from aiohttp import WSMsgType, web
from kubernetes.aio.client import ApiClient, Configuration

TOKEN = "played-token"


class PlayedApi:
    """Serves ``pods/NAME/portforward`` for the :attr:`pods`, each a map of its ports to this machine's."""

    def __init__(self) -> None:
        self.pods: dict[str, dict[int, int]] = {}
        self.status: int | None = None
        """What every upgrade is refused with."""
        self.headers: dict[str, str] = {}
        """Of that refusal."""
        self.is_mute = False
        """Nothing is read or answered any more, as behind a network that drops all."""
        self.asked: list[str] = []
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._open: set[asyncio.Transport] = set()

    async def start(self) -> None:
        """Begin, after :meth:`stop` at the same port."""
        app = web.Application()
        app.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}/portforward", self._forward)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Die: what is open is cut."""
        for transport in list(self._open):
            transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def client(self) -> ApiClient:
        """A client of it."""
        config = Configuration(host=f"http://127.0.0.1:{self.port}")
        config.api_key = {"BearerToken": TOKEN}
        config.api_key_prefix = {"BearerToken": "Bearer"}
        return ApiClient(config)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        pod, port = request.match_info["pod"], int(request.query["ports"])
        self.asked.append(pod)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        if self.status is not None:
            return web.json_response({"message": "no"}, status=self.status, headers=self.headers)
        if pod not in self.pods:
            return web.json_response({"message": f'pods "{pod}" not found'}, status=404)
        ws = web.WebSocketResponse(protocols=("v4.channel.k8s.io",), autoping=False)
        await ws.prepare(request)
        assert request.transport is not None
        self._open.add(request.transport)
        try:
            assert ws.ws_protocol == "v4.channel.k8s.io"
            for channel in (b"\x00", b"\x01"):
                await ws.send_bytes(channel + struct.pack("<H", port))
            await self._carry(ws, self.pods[pod].get(port, 1))
            await ws.close()
        except ConnectionError:
            pass  # the client has left
        finally:
            self._open.discard(request.transport)
        return ws

    async def _carry(self, ws: web.WebSocketResponse, port: int) -> None:
        """As containerd: a second after one direction has ended the other ends, too."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as exc:
            await ws.send_bytes(b"\x01" + f"failed to connect to localhost:{port}: {exc}".encode())
            return
        writer.transport.set_write_buffer_limits(0)  # what is drained has been sent
        tasks = {asyncio.ensure_future(self._up(ws, writer)), asyncio.ensure_future(self._down(ws, reader))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(tasks, timeout=1.0)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.transport.abort()

    async def _up(self, ws: web.WebSocketResponse, writer: asyncio.StreamWriter) -> None:
        async for message in ws:
            if self.is_mute:
                await asyncio.sleep(3600)
            if message.type is WSMsgType.PING:
                await ws.pong(message.data)
            elif message.data[0] == 0:
                writer.write(message.data[1:])
                await writer.drain()

    async def _down(self, ws: web.WebSocketResponse, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(32 << 10):
                await ws.send_bytes(b"\x00" + data)

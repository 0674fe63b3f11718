"""One gRPC connection to one Spark Connect server: calls with a deadline, new channels, a callback when it breaks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine

# grpc's core logs every broken connection to stderr, which is normal here. It reads this variable once, at its start;
# to see the log, set the variable.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio

from ...core.ports.platform import Endpoint
from .messages import ANALYZE, CUT, EXECUTE, RELEASE, Answer, execute_request

_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # an engine is never behind the proxy of this environment
    ("grpc.enable_retries", 0),  # automatic retries would hide failures from the probe
    ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection, without the old one's backoff
    ("grpc.initial_reconnect_backoff_ms", 100),  # notice the return of an engine quickly
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.max_metadata_size", 1 << 20),  # a long error of Spark, which is metadata, ends as RST_STREAM otherwise
    ("grpc.absolute_max_metadata_size", 1 << 20),
)


def open_channel(endpoint: Endpoint) -> grpc.aio.Channel:
    """A channel that connects with its first call; the caller closes it."""
    target = f"{endpoint.host}:{endpoint.port}"
    if endpoint.use_tls:
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=_OPTIONS)
    return grpc.aio.insecure_channel(target, options=_OPTIONS)


class Line:
    """A connection that the first call opens and that can be renewed; ``on_break`` is called when it breaks."""

    def __init__(self, endpoint: Endpoint, token: str, on_break: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._on_break = on_break
        self._channel: grpc.aio.Channel | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._is_closed = False

    async def ask(self, deadline_s: float) -> Answer:
        """Tier 1: a call without the token, which a live server rejects."""
        return await self._call(lambda channel: _unary(channel, ANALYZE, deadline_s))

    async def identify(self, deadline_s: float) -> Answer:
        """A call with the token that creates nothing: UNAUTHENTICATED means that the server is not our engine."""
        return await self._call(lambda channel: _unary(channel, RELEASE, deadline_s, self._metadata))

    async def query(self, session_id: str, deadline_s: float) -> Answer:
        """Tier 2: the probe query on a session."""
        request = execute_request(session_id)
        return await self._call(lambda channel: _stream(channel, EXECUTE, request, deadline_s, self._metadata))

    async def renew(self) -> None:
        """Close the channel; pending calls end as :data:`CUT`, and the next call opens a new one."""
        channel, self._channel = self._channel, None
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
        if channel is not None:
            await channel.close()

    def shut(self) -> None:
        """Announce the close: from now on a cancelled call raises CancelledError for its caller."""
        self._is_closed = True

    async def close(self) -> None:
        """Close the connection."""
        self.shut()
        await self.renew()

    async def _call(self, make: Callable[[grpc.aio.Channel], Coroutine[object, object, None]]) -> Answer:
        channel = self._open()
        try:
            await make(channel)
        except grpc.aio.AioRpcError as exc:
            code = str(exc.code().name)
            is_cut = code == "CANCELLED" and channel is not self._channel
            return Answer(CUT if is_cut else code, exc.details() or "")
        except asyncio.CancelledError:
            # grpc also raises this if the channel is closed during a call. Only then our caller is not cancelled.
            if self._is_closed or channel is self._channel:
                raise
            return Answer(CUT)
        return Answer("OK")

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = channel = open_channel(self._endpoint)
            self._watcher = asyncio.create_task(self._watch(channel))
        return self._channel

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        """Report a broken connection: a killed process closes its sockets, and we know 50 ms later."""
        was_ready = False
        while True:
            state = channel.get_state()
            if was_ready and state is not grpc.ChannelConnectivity.READY:
                self._on_break()
            was_ready = state is grpc.ChannelConnectivity.READY
            await channel.wait_for_state_change(state)


async def _unary(
    channel: grpc.aio.Channel, method: str, deadline_s: float, metadata: tuple[tuple[str, str], ...] = ()
) -> None:
    await channel.unary_unary(method)(b"", timeout=deadline_s, metadata=metadata)


async def _stream(
    channel: grpc.aio.Channel, method: str, request: bytes, deadline_s: float, metadata: tuple[tuple[str, str], ...]
) -> None:
    async for _ in channel.unary_stream(method)(request, timeout=deadline_s, metadata=metadata):
        pass

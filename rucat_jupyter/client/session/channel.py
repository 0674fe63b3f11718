"""A gRPC channel that asks a guard what a failed call means, and can be closed and reopened while it is in use.

pyspark builds its stubs on it as on any channel. An exception of the guard that is not a ``grpc.RpcError`` passes
through pyspark's retries unchanged: so a cell shows the engine's failure instead of a traceback.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import grpc
from grpc_status import rpc_status  # type: ignore[import-untyped]

from ..cells.operations import Interrupted
from . import lookups

EXECUTE = "/ExecutePlan"
RELEASE = "/ReleaseExecute"
INTERRUPT = "/Interrupt"
INTERRUPT_METHOD = "/spark.connect.SparkConnectService/Interrupt"
CONFIG_METHOD = "/spark.connect.SparkConnectService/Config"
REATTACH = "/ReattachExecute"
LIMITS_S = {RELEASE: 10.0, "/ReleaseSession": 5.0}
"""Time limits of calls that only clean up: a frozen engine must not block their callers."""
RELEASE_EACH_S = 1.0
"""Answers of one operation are released no more often than this, and all of them at its end."""
LONG_S = 600.0
INTERRUPT_S = 0.8
"""Ctrl-C waits no longer than this for the engine's answer."""

SILENT_S = 2.0
"""After a look-up without an answer, others of its kind are not sent for so long: a view may look at many frames."""

Metadata = list[tuple[str, str]]


class Operation(Protocol):
    """Follows one operation of a cell: its answers and its end."""

    stream: Any
    """Where its answers come from now."""

    def take(self, answer: Any) -> None:
        """Look at an answer."""
        ...

    def broke(self, error: grpc.RpcError) -> None:
        """Look at an error; may raise the exception that it means."""
        ...

    def interrupted(self) -> None:
        """Note that the thread that waits for an answer was interrupted."""
        ...


class Guard(Protocol):
    """Decides for every call whether it can be sent, and what its failure means."""

    def metadata(self) -> Metadata:
        """Metadata of every call (the token)."""
        ...

    @property
    def name(self) -> str:
        """The engine's name, as it is shown."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether the channel was cut, so that clean-up calls are useless."""
        ...

    def can_ask(self) -> bool:
        """Whether there is an engine to ask now, so that :meth:`before` does not wait for one."""
        ...

    def ping(self, request: Any, timeout_s: float) -> None:
        """Return when the engine answers anything; raise the error of a connection that it does not answer."""
        ...

    def begin(self) -> None:
        """Note that a call begins to wait for the engine."""
        ...

    def end(self) -> None:
        """Note that it no longer waits."""
        ...

    def before(self, request: Any) -> None:
        """Raise if there is no engine to call; may reopen the channel, and rewrite the request for it."""
        ...

    def starts(self, request: Any) -> Operation | None:
        """Register an operation that is about to be sent; may add its tag, or raise."""
        ...

    def goes_on(self, request: Any) -> Operation | None:
        """Find the operation whose answers are requested again."""
        ...

    def released(self, request: Any) -> None:
        """Note that answers of an operation are no longer needed."""
        ...

    def after(self, error: grpc.RpcError, request: Any, *, may_repeat: bool) -> bool:
        """Return True to send the call again, False to pass ``error`` to pyspark, or raise what it means."""
        ...


class Released(Exception):
    """A clean-up call that was given up: the engine cleans up by itself."""


class GuardedChannel:
    """What pyspark uses as its gRPC channel."""

    def __init__(self, open_channel: Callable[[], grpc.Channel], guard: Guard, on_close: Callable[[], None]) -> None:
        self._open = open_channel
        self._on_close = on_close
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = open_channel()
        self._is_closed = False
        self.guard = guard
        self.silent_until = 0.0  # the engine answers nothing
        self.slow_until = 0.0  # it does not answer in the time of a strict look-up: the analysis of a frame may be long
        self.streams: weakref.WeakValueDictionary[str, _Responses] = weakref.WeakValueDictionary()
        """Where the answers of each operation come from."""

    def answered(self) -> None:
        """Note that the engine has answered a call of the user's own: look-ups may ask again."""
        self.silent_until = self.slow_until = 0.0

    def current(self) -> grpc.Channel:
        """The channel in use, reopened after a cut. After the close a call fails like one that was cut."""
        with self._lock:
            if self._is_closed:
                raise _Cut
            if self._channel is None:
                self._channel = self._open()
            return self._channel

    def cut(self) -> None:
        """Cancel all calls (each fails with CANCELLED); the next call opens another channel."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def close(self) -> None:
        """Close permanently; part of the API of ``grpc.Channel``."""
        self._on_close()
        with self._lock:
            self._is_closed = True
        self.cut()

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> _Unary:
        """Make a callable of one request and one answer."""
        return _Unary(self, "unary_unary", method, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> _Stream:
        """Make a callable of one request and many answers."""
        return _Stream(self, "unary_stream", method, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> _Unary:
        """Make a callable of many requests and one answer."""
        return _Unary(self, "stream_unary", method, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> _Stream:
        """Make a callable of many requests and many answers."""
        return _Stream(self, "stream_stream", method, args, kwargs)


class _Callable:
    """One method of the service, bound again whenever the channel is reopened."""

    def __init__(
        self, channel: GuardedChannel, kind: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.channel = channel
        self._kind, self.method = kind, method
        self._args, self._kwargs = args, kwargs
        self._bound: tuple[grpc.Channel, Any] | None = None
        self.limit_s = next((limit_s for end, limit_s in LIMITS_S.items() if method.endswith(end)), None)
        self.may_repeat = kind.startswith("unary") and not method.endswith(REATTACH)
        self.guard = channel.guard

    def send(
        self,
        request: Any,
        timeout: float | None,
        metadata: Any,
        more: dict[str, Any],
        *,
        is_signed: bool = True,
        is_awaited: bool = True,
    ) -> Any:
        """Send the request on the present channel; with the token if it is signed. A future if it is not awaited."""
        channel = self.channel.current()
        bound = self._bound
        if bound is None or bound[0] is not channel:
            make = getattr(channel, self._kind)
            bound = self._bound = (channel, make(self.method, *self._args, **self._kwargs))
        sent = [*(metadata or []), *(self.guard.metadata() if is_signed else [])]
        try:
            return (bound[1] if is_awaited else bound[1].future)(request, timeout=timeout, metadata=sent, **more)
        except ValueError as exc:  # "Cannot invoke RPC on closed channel!": cut between the two lines above
            raise _Cut from exc

    def must_answer(self, request: Any, look: lookups.Look) -> None:
        """Raise unless the engine answers in the time of the look-up: then the call may take as long as it needs."""
        if look.has_answered:
            return
        guard, is_silent = self.guard, not look.left_s or time.monotonic() < self.channel.silent_until
        if not is_silent and guard.can_ask():
            guard.before(request)
            try:
                guard.ping(request, look.left_s)
            except grpc.RpcError as error:
                is_silent = rpc_status.from_call(error) is None and (
                    error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                    or not guard.after(error, request, may_repeat=True)
                )
            look.has_answered = not is_silent
            self.channel.silent_until = time.monotonic() + SILENT_S if is_silent else 0.0
        if not look.has_answered:
            raise lookups.NoAnswer(f"{guard.name} does not answer now")


class _Cut(grpc.RpcError):  # type: ignore[misc]  # grpc has no types
    """A call on a channel that was cut before it was sent."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.CANCELLED

    def details(self) -> str:
        return "failed to connect: the channel was cut before the call was sent"

    def trailing_metadata(self) -> None:
        return None


class _Unary(_Callable):
    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, **more: Any) -> Any:
        if self.method.endswith(INTERRUPT) and isinstance(sys.exc_info()[1], KeyboardInterrupt):
            return self._interrupt(request, metadata, more)
        if self.method.endswith(RELEASE):
            self.guard.released(request)
            if self._can_be_spared(request):
                return self._kwargs["response_deserializer"](b"")
        if self.limit_s is not None:
            return self._clean_up(request, timeout, metadata, more)
        send: Callable[..., Any] = self.send
        if self.may_repeat and (look := lookups.current()) is not None:
            if not look.is_patient:
                return self._look_up(request, look.left_s, metadata, more)
            self.must_answer(request, look)
            send = self._send_patiently
        self.guard.begin()
        try:
            while True:
                self.guard.before(request)
                try:
                    answer = send(request, timeout, metadata, more)
                    self.channel.answered()
                    return answer
                except grpc.RpcError as error:
                    if not self.guard.after(error, request, may_repeat=self.may_repeat):
                        raise
        finally:
            self.guard.end()

    def _can_be_spared(self, request: Any) -> bool:
        """Whether it frees only what the engine frees soon by itself, or at the end of the operation.

        pyspark releases answer by answer (``ExecutePlanResponseReattachableIterator``), ten calls for two small
        queries. The engine keeps no more than 10 MB of answers that were read, released or not
        (``spark.connect.execute.reattachable.observerRetryBufferSize``).
        """
        stream = self.channel.streams.get(request.operation_id)
        if stream is None or not request.HasField("release_until"):
            return False
        now = time.monotonic()
        if now - stream.released_at < RELEASE_EACH_S:
            return True
        stream.released_at = now
        return False

    def _clean_up(self, request: Any, timeout: float | None, metadata: Any, more: dict[str, Any]) -> Any:
        """Send once, with a short limit: the engine cleans up by itself later."""
        if self.guard.is_cut:
            raise Released(self.method)
        try:
            return self.send(request, min(timeout or LONG_S, self.limit_s or LONG_S), metadata, more)
        except grpc.RpcError as error:
            raise Released(str(error)) from None

    def _look_up(self, request: Any, left_s: float, metadata: Any, more: dict[str, Any]) -> Any:
        """Send once, with what is left of the look-up's time; an answer that is an error of Spark is one."""
        channel = self.channel
        if left_s and not self.guard.is_cut and time.monotonic() > max(channel.silent_until, channel.slow_until):
            try:
                return self.send(request, left_s, metadata, more)
            except grpc.RpcError as error:
                if rpc_status.from_call(error) is not None:
                    raise
                channel.slow_until = time.monotonic() + SILENT_S
        raise lookups.NoAnswer(f"{self.guard.name} does not answer now")

    def _send_patiently(self, request: Any, timeout: float | None, metadata: Any, more: dict[str, Any]) -> Any:
        """Wait for the answer as long as the engine answers anything: it may freeze after it was asked first."""
        call = self.send(request, timeout, metadata, more, is_awaited=False)
        try:
            while True:
                try:
                    return call.result(timeout=lookups.SHOW_S)
                except grpc.FutureTimeoutError:
                    self.must_answer(request, lookups.Look(time.monotonic() + lookups.SHOW_S, is_patient=True))
        finally:
            call.cancel()

    def _interrupt(self, request: Any, metadata: Any, more: dict[str, Any]) -> Any:
        """Interrupt on the engine after a Ctrl-C; an engine that does not answer must not stop the Ctrl-C."""
        error = sys.exc_info()[1]
        if isinstance(error, Interrupted):  # the interrupt is being sent already
            raise error
        try:
            return self.send(request, INTERRUPT_S, metadata, more)
        except grpc.RpcError:
            raise KeyboardInterrupt from None


class _Stream(_Callable):
    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, **more: Any) -> Iterator[Any]:
        if self.method.endswith(EXECUTE) and (look := lookups.current()) is not None:
            if not look.is_patient:
                raise lookups.NoAnswer("a look-up runs no query")
            if not look.may_be_a_program:
                self.must_answer(request, look)
        responses = _Responses(self, request, timeout, metadata, more)
        responses.begin()
        return responses


class _Responses:
    """The answers of one streaming call."""

    def __init__(self, method: _Stream, request: Any, timeout: float | None, metadata: Any, more: Any) -> None:
        self._method, self._request = method, request
        self._how = (timeout, metadata, more)
        self._call: Any = None
        self._has_begun = False
        self._operation: Operation | None = None
        self.released_at = time.monotonic()
        """When answers of an operation were last released."""

    def begin(self) -> None:
        """Send the request for the first time."""
        guard, method = self._method.guard, self._method.method
        if method.endswith((EXECUTE, REATTACH)):
            self._method.channel.streams[self._request.operation_id] = self
            find = guard.goes_on if method.endswith(REATTACH) else guard.starts
            self._operation = find(self._request)
        if self._operation is not None:
            self._operation.stream = self
        guard.begin()
        try:
            self.start()
        finally:
            guard.end()

    def cut(self) -> None:
        """End the call from another thread: it fails with CANCELLED."""
        if self._call is not None:
            self._call.cancel()

    def start(self) -> None:
        """Send the request."""
        self._method.guard.before(self._request)
        self._call = self._method.send(self._request, *self._how)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        guard, operation = self._method.guard, self._operation
        guard.begin()
        try:
            while True:
                try:
                    if self._call is None:
                        self.start()
                    answer = next(self._call)
                    self._method.channel.answered()
                    self._has_begun = True
                    if operation is not None:
                        operation.take(answer)
                    return answer
                except KeyboardInterrupt:
                    if operation is not None:
                        operation.interrupted()
                    raise
                except grpc.RpcError as error:
                    if operation is not None:
                        operation.broke(error)
                    may_repeat = self._method.may_repeat and not self._has_begun
                    if not guard.after(error, self._request, may_repeat=may_repeat):
                        raise
                    self._call = None
        finally:
            guard.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_call"], name)

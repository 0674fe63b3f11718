"""Every route under ``<base_url>rucat/``: Jupyter says who may, the gateway does it."""

from __future__ import annotations

import asyncio
import functools
import http
import importlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote_plus

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from .. import launch
from ..errors import (
    BodyTooLarge,
    Forbidden,
    GatewayUnavailable,
    InvalidRequest,
    NoSuchRoute,
    NotAuthenticated,
    RucatError,
    Unavailable,
    WrongMethod,
)

if TYPE_CHECKING:
    import httpx

    from ..wire import AsyncTransport

logger = logging.getLogger(__name__)

RESOURCE = "rucat"
MAX_BODY_BYTES = 8 * 1024 * 1024
ENGINE = "/rucat/engines/[^/]+"
ROUTES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/rucat/engines", ("GET", "POST")),
    (ENGINE, ("GET", "DELETE")),
    (f"{ENGINE}/stop", ("POST",)),
    (f"{ENGINE}/restart", ("POST",)),
    (f"{ENGINE}/connection", ("GET",)),
    (f"{ENGINE}/logs", ("GET",)),
    (f"{ENGINE}/history", ("GET",)),
    (f"{ENGINE}/sessions/[^/]+", ("PUT", "DELETE")),
    ("/rucat/profiles", ("GET",)),
    ("/rucat/health", ("GET",)),
    (r"/rucat/openapi\.json", ("GET",)),
)
"""The URL table: pattern and methods. The Spark UI's and the operations' routes are a later issue."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

START_S = 10.0  # how long a call waits for a gateway that starts
ANSWER_S = 30.0  # how long an answer that waits for nothing may take
MARGIN_S = 15.0  # how much later than asked for a long poll may come back
_SENT = ("Accept", "Content-Type")  # of a request's headers; so neither Cookie, Authorization nor X-XSRFToken
_NOT_RETURNED = frozenset(
    (
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),  # hop by hop, RFC 9110 7.6.1
        *("proxy-authenticate", "proxy-authorization", "content-length", "set-cookie", "server", "date"),
    )
)
_JUPYTERS_OWN = frozenset({"token", "_xsrf", "no_track_activity"})  # query parameters that Jupyter reads itself
_EMPTY = (204, 304)  # answers that have no body
_CODES = {
    400: InvalidRequest.code,
    401: NotAuthenticated.code,
    403: Forbidden.code,
    404: NoSuchRoute.code,
    405: WrongMethod.code,
    413: BodyTooLarge.code,
}


class Forwarder:
    """Sends calls to the gateway's socket, and starts the gateway where there is none.

    ``on_contact`` is called with every gateway it comes to; ``has_owners``: engines belong to Jupyter's users.
    """

    def __init__(self, on_contact: Callable[[launch.Address], None], *, has_owners: bool = False) -> None:
        self.has_owners = has_owners
        self._on_contact = on_contact
        self._transport: AsyncTransport | None = None
        self._loading = asyncio.Lock()

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, read_s: float | None
    ) -> httpx.Response:
        """Return the gateway's answer, its body unread; raises GatewayUnavailable.

        ``target`` is path and query as they were sent; ``read_s`` is the longest silence, None: any.
        """
        import httpx

        from ..wire import BASE_URL

        if self._transport is None:
            await self._load()
        request = httpx.Request(
            method,
            httpx.URL(BASE_URL).copy_with(raw_path=target.encode("utf-8", "surrogateescape")),
            headers=headers,
            content=body,
            extensions={"timeout": {"connect": 5.0, "write": 30.0, "pool": None, "read": read_s}},
        )
        try:
            return await self._transport.handle_async_request(request)  # type: ignore[union-attr]  # loaded above
        except httpx.TimeoutException:
            raise GatewayUnavailable(
                f"the gateway did not answer within {read_s} s; if that stays so, `rucat serve --replace` swaps it"
            ) from None
        except httpx.TransportError as exc:
            raise GatewayUnavailable(
                f"the gateway ended during {method} {target.partition('?')[0]} ({type(exc).__name__}): "
                "look whether that was done before you ask again"
            ) from exc

    async def close(self) -> None:
        """Let go of the connections."""
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    async def _load(self) -> None:
        async with self._loading:
            if self._transport is None:
                wire = await asyncio.to_thread(importlib.import_module, "rucat_jupyter.wire")  # httpx: 0.1 s
                find = functools.partial(launch.ensure, wait_s=START_S)
                self._transport = wire.AsyncTransport(find, self._on_contact, START_S)


class RucatHandler(APIHandler):
    """Base of all: forwards to the gateway, and speaks Rucat's form of errors."""

    auth_resource = RESOURCE
    forwarder: Forwarder
    _work: asyncio.Task[None] | None = None

    def initialize(self, forwarder: Forwarder) -> None:
        """Take the one forwarder of this server."""
        self.forwarder = forwarder

    def update_api_activity(self) -> None:
        """Looking is not use: it keeps no server alive."""
        if self.request.method != "GET":
            super().update_api_activity()

    async def forward(self) -> None:
        """Send the call on and its answer back; the upstream call ends with the client."""
        self._work = asyncio.create_task(self._forward())
        try:
            await asyncio.wait({self._work})
        finally:
            self._work.cancel()
        if not self._work.cancelled():
            self._work.result()

    def on_connection_close(self) -> None:
        """The client has gone."""
        if self._work is not None:
            self._work.cancel()
        super().on_connection_close()

    async def _forward(self) -> None:
        if len(self.request.body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"the body has {len(self.request.body)} bytes; at most {MAX_BODY_BYTES} are taken")
        answer = await self.forwarder.send(
            self.request.method or "",
            self._target(),
            self._forwarded_headers(),
            self.request.body,
            self._read_s(),
        )
        try:
            self._begin(answer)
            if "content-length" in answer.headers or answer.status_code in _EMPTY:
                self.finish(await answer.aread() or None, set_content_type=answer.headers.get("content-type", ""))
                return
            async for piece in answer.aiter_raw():
                self.write(piece)
                await self.flush()
            self.finish(set_content_type=answer.headers.get("content-type", ""))
        finally:
            await answer.aclose()

    def _target(self) -> str:
        """Path and query for the gateway: what was sent, without what Jupyter and JupyterLab add for themselves."""
        path = self.request.path[len(self.base_url) - 1 :]
        parts = [part for part in self.request.query.split("&") if part and not _is_jupyters(part)]
        return f"{path}?{'&'.join(parts)}" if parts else path

    def _forwarded_headers(self) -> dict[str, str]:
        headers = {name: self.request.headers[name] for name in _SENT if name in self.request.headers}
        if self.forwarder.has_owners:
            headers["X-Rucat-Owner"] = quote(self.current_user.username, safe=" !#$&'*+-.^_`|~@:/=()")
        return headers

    def _read_s(self) -> float | None:
        if self.get_query_argument("follow", "") not in ("", "0", "false", "False"):
            return None
        try:
            return ANSWER_S + MARGIN_S + min(50.0, max(0.0, float(self.get_query_argument("wait", "0"))))
        except ValueError:
            return ANSWER_S  # the gateway says what is wrong

    def _begin(self, answer: httpx.Response) -> None:
        self.set_status(answer.status_code)
        for name, value in answer.headers.multi_items():
            if name.lower() == "location" and value.startswith("/rucat/"):
                self.set_header(name, self.base_url.rstrip("/") + value)
            elif name.lower() not in _NOT_RETURNED:
                self.set_header(name, value)

    def compute_etag(self) -> None:
        """No ETag: nothing here is worth a hash of every answer."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer ``{"message", "code", "details"}``, Jupyter's own refusals included."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, RucatError):
            self.set_status(error.http_status)
            if isinstance(error, Unavailable):
                self.set_header("Retry-After", str(error.retry_after_s))
            if isinstance(error, WrongMethod):
                self.set_header("Allow", ", ".join(map(str, cast("list[object]", error.details["allowed"]))))
            body = error.as_json()
        else:
            text = http.HTTPStatus(status_code).phrase
            if isinstance(error, web.HTTPError) and error.log_message:
                text = error.log_message % error.args if error.args else error.log_message
            body = {"message": text, "code": _CODES.get(status_code, RucatError.code), "details": {}}
        self.finish(json.dumps(body))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log in one line what is an answer rather than a defect."""
        if isinstance(value, RucatError):
            self.log.info("rucat: %s %s: %s", self.request.method, self.request.path, value.message)
        else:
            super().log_exception(typ, value, tb)


def handlers(forwarder: Forwarder) -> list[tuple[str, type[RucatHandler], dict[str, Forwarder]]]:
    """Make the handlers of :data:`ROUTES`, and one for everything else under ``/rucat/``."""
    table = [(pattern, _handler(pattern, methods)) for pattern, methods in (*ROUTES, ("/rucat(?:/.*)?", ()))]
    return [(pattern, cls, {"forwarder": forwarder}) for pattern, cls in table]


def _handler(pattern: str, methods: tuple[str, ...]) -> type[RucatHandler]:
    """Make a handler class that forwards these methods and refuses the others, whoever asks."""

    async def refuse(handler: RucatHandler) -> None:
        request = handler.request
        if not methods:
            raise NoSuchRoute(f"there is no {request.path}")
        raise WrongMethod(f"{request.method} {request.path}: only {', '.join(methods)}", allowed=list(methods))

    verbs = {method.lower(): _guarded(RucatHandler.forward if method in methods else refuse) for method in METHODS}
    return type(f"RucatHandler<{pattern}>", (RucatHandler,), verbs)


def _guarded(act: Callable[[RucatHandler], Awaitable[None]]) -> Callable[..., Awaitable[None] | None]:
    """Make a handler's method that Jupyter authenticates and authorizes, by read and write as it maps methods."""

    @web.authenticated
    @authorized  # remembers the first method it is called for: so one of its own for each method
    async def method(self: RucatHandler, *_: str) -> None:
        await act(self)

    return method


def _is_jupyters(part: str) -> bool:
    """Whether a query's part is for Jupyter: its token, its XSRF token, JupyterLab's time stamp against caches."""
    name, has_value, _ = part.partition("=")
    return unquote_plus(name) in _JUPYTERS_OWN or (name.isdigit() and not has_value)

"""All routes under ``<base_url>rucat/``: Jupyter authenticates and authorizes, the gateway handles them."""

from __future__ import annotations

import asyncio
import html
import http
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import quote, unquote_plus

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.httputil import HTTPHeaders
from tornado.iostream import StreamClosedError

from ..core.errors import (
    BodyTooLarge,
    Forbidden,
    InvalidRequest,
    NoSuchRoute,
    NotAuthenticated,
    RucatError,
    Unavailable,
    WrongMethod,
)
from ..host import kubeconfig
from ..launch import launch
from .follow import OWNER_HEADER, Followers
from .upstream import Broken, Request, Upstream

logger = logging.getLogger(__name__)

RESOURCE = "rucat"
MAX_BODY_BYTES = 8 * 1024 * 1024
ENGINE = "/rucat/engines/[^/]+"
UI_PAGES = f"{ENGINE}/ui/.*"
ROUTES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/rucat/engines", ("GET", "POST")),
    (ENGINE, ("GET", "DELETE")),
    (f"{ENGINE}/stop", ("POST",)),
    (f"{ENGINE}/restart", ("POST",)),
    (f"{ENGINE}/connection", ("GET",)),
    (f"{ENGINE}/logs", ("GET",)),
    (f"{ENGINE}/history", ("GET",)),
    (f"{ENGINE}/sessions/[^/]+", ("PUT", "DELETE")),
    (f"{ENGINE}/lease", ("POST",)),
    (f"{ENGINE}/sessions/[^/]+/detach", ("POST",)),
    (f"{ENGINE}/operations", ("GET",)),
    (f"{ENGINE}/operations/[^/]+/cancel", ("POST",)),
    (f"{ENGINE}/ui", ("GET",)),
    (UI_PAGES, ("GET", "HEAD")),
    ("/rucat/sessions/move", ("POST",)),
    ("/rucat/profiles", ("GET",)),
    ("/rucat/confs", ("GET",)),
    ("/rucat/health", ("GET",)),
    ("/rucat/checkup", ("GET",)),
    (r"/rucat/openapi\.json", ("GET",)),
)
"""The URL table: pattern and methods."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

START_S = 10.0  # how long a call waits for a starting gateway
ANSWER_S = 30.0  # time limit of a response without a wait
MARGIN_S = 15.0  # how much longer than its wait a long poll may take
_SENT = ("Accept", "Content-Type")  # request headers to pass on; so no Cookie, Authorization or X-XSRFToken
_NOT_RETURNED = frozenset(
    (
        *("Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"),  # hop by hop, RFC 9110 7.6.1
        *("Proxy-Authenticate", "Proxy-Authorization", "Content-Length", "Set-Cookie", "Server", "Date"),
    )
)
_RAW = re.compile("[\x80-\xff]+")
ERROR_PAGE = """<!doctype html><meta name="color-scheme" content="light dark"><title>Rucat</title><p>{}.</p>"""
_JUPYTERS_OWN = frozenset({"token", "_xsrf", "no_track_activity"})  # query parameters for Jupyter itself
_CODES = {
    400: InvalidRequest.code,
    401: NotAuthenticated.code,
    403: Forbidden.code,
    404: NoSuchRoute.code,
    405: WrongMethod.code,
    413: BodyTooLarge.code,
}


class Forwarder:
    """Passes requests of the handlers to the gateway; ``has_owners``: engines belong to Jupyter's users."""

    def __init__(self, followers: Followers, *, has_owners: bool = False) -> None:
        self.followers = followers
        self.has_owners = has_owners
        self.upstream = Upstream(lambda: launch.ensure(wait_s=START_S), lambda _: followers.look_now(), START_S)


class RucatHandler(APIHandler):
    """Base of all handlers: forwards to the gateway, and responds with Rucat's form of errors."""

    auth_resource = RESOURCE
    sent: tuple[str, ...] = _SENT
    forwarder: Forwarder
    _work: asyncio.Task[None] | None = None
    _has_length = False
    _type = ""

    def initialize(self, forwarder: Forwarder) -> None:
        """Keep the forwarder of this server."""
        self.forwarder = forwarder

    def update_api_activity(self) -> None:
        """GET requests do not count as activity of the Jupyter server."""
        if self.request.method != "GET":
            super().update_api_activity()

    async def forward(self) -> None:
        """Forward the request and its response; cancelled if the client disconnects."""
        self._work = asyncio.create_task(self._forward())
        try:
            await asyncio.wait({self._work})
        finally:
            self._work.cancel()
        if not self._work.cancelled():
            self._work.result()

    def on_connection_close(self) -> None:
        """Cancel: the client has disconnected."""
        if self._work is not None:
            self._work.cancel()
        super().on_connection_close()

    async def _forward(self) -> None:
        if len(self.request.body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"the body has {len(self.request.body)} bytes; at most {MAX_BODY_BYTES} are allowed")
        headers = self._sent_headers()
        if files := await kubeconfig.files_soon():
            headers[kubeconfig.HEADER] = quote(os.fsencode(os.pathsep.join(files)))
        request = Request(self.request.method or "", self._target(), headers, self.request.body, self._read_s())
        try:
            await self.forwarder.upstream.send(request, self)
        except (Broken, StreamClosedError):
            self.detach().close()  # so that the client sees an incomplete response
        else:
            self.finish(set_content_type=self._type)

    def begin(self, status: int, headers: HTTPHeaders) -> None:
        """Pass on status and headers of the response."""
        self.set_status(status)
        self._has_length = "Content-Length" in headers
        self._type = headers.get("Content-Type", "")
        for name, value in headers.get_all():
            if name == "Location" and value.startswith("/rucat/"):
                self.set_header(name, self._links_base() + value[1:])
            elif name not in _NOT_RETURNED:
                self.set_header(name, value)

    async def take(self, piece: bytes) -> None:
        """Pass on a piece of the response; a stream is flushed immediately, as fast as the client reads."""
        self.write(piece)
        if not self._has_length:
            await self.flush()

    def _target(self) -> str:
        """Path and query for the gateway, without the parameters of Jupyter and JupyterLab."""
        path = self.request.path[len(self.base_url) - 1 :]
        parts = [part for part in self.request.query.split("&") if part and not _is_jupyters(part)]
        return _in_ascii(f"{path}?{'&'.join(parts)}" if parts else path)

    def _sent_headers(self) -> dict[str, str]:
        headers = {name: self.request.headers[name] for name in self.sent if name in self.request.headers}
        if self.forwarder.has_owners:
            headers[OWNER_HEADER] = owner = quote(self._owner(), safe=" !#$&'*+-.^_`|~@:/=()")
            self.forwarder.followers.follow(owner)
        return headers

    def _owner(self) -> str:
        """Owner of the engines, if engines have owners."""
        return str(self.current_user.username)

    def _links_base(self) -> str:
        """The URL before ``rucat/`` in links of the gateway."""
        return str(self.base_url)

    def _read_s(self) -> float | None:
        if self.get_query_argument("follow", "") not in ("", "0", "false", "False"):
            return None
        try:
            return ANSWER_S + MARGIN_S + min(50.0, max(0.0, float(self.get_query_argument("wait", "0"))))
        except ValueError:
            return ANSWER_S  # the gateway reports the error

    def compute_etag(self) -> None:
        """No ETag: a hash of every response is not worth its time."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Respond with ``{"message", "code", "details"}``, also for Jupyter's own errors."""
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
            details: dict[str, bool] = {}
            if status_code in (401, 403):
                text, details = self._why_refused(text)
            body = {"message": text, "code": _CODES.get(status_code, RucatError.code), "details": details}
        self.finish_error(body)

    def finish_error(self, body: Mapping[str, Any]) -> None:
        """Respond with an error, as a page if a browser shows it; its status is set."""
        if "text/html" in self.request.headers.get("Accept", ""):
            self.finish(ERROR_PAGE.format(html.escape(body["message"])), set_content_type="text/html; charset=utf-8")
        else:
            self.finish(json.dumps(body))

    def _why_refused(self, text: str) -> tuple[str, dict[str, bool]]:
        """Message and details of Jupyter's 401 and 403, whose own words are "Forbidden", or name its XSRF cookie."""
        if vars(self).get("_current_user") is None:
            return "your login has expired: log in to Jupyter again", {"is_logged_in": False}
        if "xsrf" in text.lower():
            self.xsrf_token  # noqa: B018 - sets the cookie if the browser has none
            return "Jupyter's cookie against other sites was missing or outdated: try again", {
                "is_cookie_renewed": True
            }
        if text == http.HTTPStatus.FORBIDDEN.phrase:
            return f"this Jupyter server does not let you: ask its administrator for the resource {RESOURCE!r}", {}
        return text, {}

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log Rucat's errors in one line, without a traceback."""
        if isinstance(value, RucatError):
            self.log.info("rucat: %s %s: %s", self.request.method, self.request.path, value.message)
        else:
            super().log_exception(typ, value, tb)


def handlers(
    forwarder: Forwarder, bases: Mapping[str, type[RucatHandler]]
) -> list[tuple[str, type[RucatHandler], dict[str, Forwarder]]]:
    """Build the handlers of :data:`ROUTES`, and one for all other paths under ``/rucat/``.

    ``bases``: base classes of routes that do more than forward, by pattern.
    """
    table = [
        (pattern, _handler(pattern, methods, bases.get(pattern, RucatHandler)))
        for pattern, methods in (*ROUTES, ("/rucat(?:/.*)?", ()))
    ]
    return [(pattern, cls, {"forwarder": forwarder}) for pattern, cls in table]


def _handler(pattern: str, methods: tuple[str, ...], base: type[RucatHandler]) -> type[RucatHandler]:
    """Build a handler class that forwards these methods and refuses all others."""

    async def refuse(handler: RucatHandler) -> None:
        request = handler.request
        if not methods:
            raise NoSuchRoute(f"there is no route {request.path}")
        raise WrongMethod(f"{request.method} {request.path}: only {', '.join(methods)}", allowed=list(methods))

    async def forward(handler: RucatHandler) -> None:
        await handler.forward()

    verbs = {method.lower(): _guarded(forward if method in methods else refuse) for method in METHODS}
    return type(f"RucatHandler<{pattern}>", (base,), verbs)


def _guarded(act: Callable[[RucatHandler], Awaitable[None]]) -> Callable[..., Awaitable[None] | None]:
    """Build a method of a handler that Jupyter authenticates and authorizes, as read or write by HTTP method."""

    @web.authenticated
    @authorized  # it remembers the method of its first call: so each method gets its own
    async def method(self: RucatHandler, *_: str) -> None:
        await act(self)

    return method


def _in_ascii(target: str) -> str:
    """Percent-encode the raw bytes of a target, which Tornado decodes as Latin-1; curl sends them as typed."""
    return _RAW.sub(lambda raw: quote(raw[0].encode("latin-1")), target)


def _is_jupyters(part: str) -> bool:
    """Whether a query parameter is Jupyter's: its token, its XSRF token, JupyterLab's time stamp against caches."""
    name, has_value, _ = part.partition("=")
    return unquote_plus(name) in _JUPYTERS_OWN or (name.isdigit() and not has_value)

"""The routes of an engine's Spark UI: a proxy to engines in the store, for their owners, that lets no secret through.

What goes to Spark and what comes back are lists of what is let through, so neither cookies nor tokens nor forwarding
headers of the caller reach the engine. Spark makes its links from ``X-Forwarded-Context``, which only we say.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Annotated
from urllib.parse import unquote_to_bytes, urlsplit

from fastapi import Depends, Path
from fastapi.responses import RedirectResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ....core.errors import (
    EngineNotFound,
    EngineUnavailable,
    Forbidden,
    InvalidRequest,
    NotManaged,
    NotPossible,
    PlatformUnavailable,
)
from ....core.timeouts import within
from ....spark.ui.pages import UiPage
from ...use_cases.operations import Reached
from .openapi import Schema, errors
from .polls import while_heard
from .routes import ENGINE, PREFIX, Call, Ref, Service, make_router

log = logging.getLogger(__name__)

BASE_HEADER = "X-Rucat-Base"
"""The Jupyter server's base URL, as the extension knows it; believed where the owner's header is."""
PAGE_S = 120.0
"""The longest time that one page may take, however it trickles."""

_BASE = re.compile(r"/([A-Za-z0-9._~%@+:=,!$&*-]+/)*")
_SENT = (
    *("accept", "accept-encoding", "accept-language", "if-modified-since", "if-none-match", "if-range", "range"),
    *("cache-control", "pragma"),
)
_RETURNED = frozenset(
    (
        *("accept-ranges", "cache-control", "content-disposition", "content-encoding", "content-language"),
        *("content-length", "content-range", "content-security-policy", "content-type", "etag", "expires"),
        *("last-modified", "location", "pragma", "referrer-policy", "retry-after", "vary", "x-frame-options"),
        "x-xss-protection",
    )
)
_OWN_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'"
)
"""For a Spark that says none (before 4.3): what its pages need, and nothing from or to elsewhere."""
_APART = (
    "sandbox allow-scripts allow-forms allow-downloads allow-popups allow-popups-to-escape-sandbox; "
    "object-src 'none'; frame-ancestors 'self'"
)
"""A policy beside the page's own: a page of an engine has not the origin of whoever shows it, so that its scripts can
do nothing there. Links that leave the UI open as pages of their own."""

router = make_router()
UiPath = Annotated[str, Path(description="A page of the Spark UI, such as 'jobs/'; empty: its first page.")]
_ANSWERS: dict[int | str, Schema] = {
    200: {"description": "A page, script or image of the Spark UI.", "content": {"*/*": {}}},
    302: {"description": "To another page of the Spark UI; it may answer other statuses too."},
    304: {"description": "What the browser has is still right."},
    307: {"description": "To the same page by the engine's id."},
    **errors(EngineNotFound, NotPossible, NotManaged, PlatformUnavailable, EngineUnavailable),
}


async def begin_ui_call(request: Request) -> Call:
    """Know who asks; the parameters are the Spark UI's own."""
    service: Service = request.app.state.service
    return Call(service, request, service.owner_of(request))


UiCall = Annotated[Call, Depends(begin_ui_call)]


@router.get(f"{ENGINE}/ui", response_class=Response, responses=_ANSWERS)
async def get_ui_root(call: UiCall, ref: Ref) -> Response:
    """Lead to the first page of an engine's Spark UI."""
    engine = await call.service.gateway.get(call.owner, ref)
    return _redirect(call, engine.id, b"")


@router.get(f"{ENGINE}/ui/{{path:path}}", response_class=Response, responses=_ANSWERS)
async def get_ui(call: UiCall, ref: Ref, path: UiPath) -> Response:
    """Show a page of an engine's Spark UI; by name it leads to the engine's id."""
    return await _page(call, ref, path)


@router.head(f"{ENGINE}/ui/{{path:path}}", include_in_schema=False)
async def head_ui(call: UiCall, ref: Ref, path: UiPath) -> Response:
    """Say what a page of the Spark UI would be."""
    return await _page(call, ref, path)


async def _page(call: Call, ref: str, path: str) -> Response:
    if "kill" in path.split("/"):
        raise Forbidden("the Spark UI's own kill links end work by a mere look: cancel the operation instead")
    found = await call.service.gateway.get(call.owner, ref)
    rest = _raw_rest(call.request)
    if ref != found.id:
        return _redirect(call, found.id, rest)
    at = await call.service.gateway.reach(call.owner, ref, "show the Spark UI of")
    ui_url = _ui_url_of(at)
    root = f"{PREFIX}/engines/{found.id}/ui"
    context = _base_of(call) + root
    headers = {name: value for name in _SENT if (value := call.request.headers.get(name)) is not None}
    headers |= {"host": urlsplit(ui_url).netloc, "x-forwarded-context": context}
    query = call.request.scope["query_string"]
    target = b"/" + rest + (b"?" + query if query else b"")
    page = await call.service.ui_pages.open(ui_url, call.request.method, target, headers)
    return Page(page, _returned(page, ui_url, context, f"{call.request.scope.get('root_path', '')}{root}"))


def _ui_url_of(at: Reached) -> str:
    if not at.engine.is_managed:
        raise NotManaged(f"{at.engine.name!r} is someone else's engine: Rucat does not offer its Spark UI")
    if at.endpoint.ui_url is None:
        raise NotPossible(f"{at.engine.name!r} has no Spark UI: it was made with spark.ui.enabled=false")
    return at.endpoint.ui_url


def _redirect(call: Call, engine_id: str, rest: bytes) -> Response:
    query = call.request.scope["query_string"]
    root = f"{call.request.scope.get('root_path', '')}{PREFIX}/engines/{engine_id}/ui/"
    return RedirectResponse(root + (rest + (b"?" + query if query else b"")).decode("latin-1"), 307)


def _raw_rest(request: Request) -> bytes:
    """What follows ``/ui/``, as it came: a decoded path would lose which slashes were escaped."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    after = raw.partition(f"{PREFIX}/engines/".encode())[2]
    return after.split(b"/", 2)[2]


def _base_of(call: Call) -> str:
    """What stands before our own path where the reader is, without a slash at the end."""
    base = call.request.headers.get(BASE_HEADER, "/") if call.service.trusts_headers else "/"
    if not _BASE.fullmatch(base) or b"\n" in unquote_to_bytes(base):
        raise InvalidRequest.of([(BASE_HEADER, "must be a path that begins and ends with a slash")])
    return base.rstrip("/")


def _returned(page: UiPage, ui_url: str, context: str, root: str) -> dict[str, str]:
    """The headers of the answer, its ``Location`` as one of ours."""
    headers = {name: value for name, value in page.headers.items() if name in _RETURNED}
    location = headers.pop("location", None)
    if location is not None and (ours := _our_location(location, ui_url, context, root)) is not None:
        headers["location"] = ours
    policy = headers.get("content-security-policy", _OWN_POLICY)
    return {
        **headers,
        "content-security-policy": f"{policy}, {_APART}",
        "referrer-policy": "no-referrer",  # nor does the address of a page, which may carry a ticket, go anywhere
        "x-content-type-options": "nosniff",
    }


def _our_location(location: str, ui_url: str, context: str, root: str) -> str | None:
    """A redirect within the UI, as it is called here; None where it leads elsewhere."""
    parts, own = urlsplit(location), urlsplit(ui_url)
    if (parts.netloc and parts.netloc != own.netloc) or parts.scheme not in ("", "http"):
        return None
    if not parts.path.startswith("/"):
        return location if not parts.netloc else f"{root}/"
    path = parts.path.removeprefix(context)
    return f"{root}/{path.lstrip('/')}" + (f"?{parts.query}" if parts.query else "")


class Page(Response):
    """A page of the Spark UI, sent on as it comes, until the client has gone or it takes too long."""

    def __init__(self, page: UiPage, headers: dict[str, str]) -> None:
        super().__init__(None, page.status, headers)
        if "content-length" not in headers:
            del self.headers["content-length"]
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the page or the client's patience ends."""
        try:
            await while_heard(self._send_in_time(send), Request(scope, receive))
        finally:
            await self._page.close()

    async def _send_in_time(self, send: Send) -> None:
        """Send; an answer that breaks off is left without its end, so that nobody takes it for the whole."""
        try:
            await within(PAGE_S, self._send(send))
        except asyncio.TimeoutError:
            log.info("a page of the Spark UI took more than %g s and was cut off", PAGE_S)
        except EngineUnavailable as exc:
            log.info("%s", exc.message)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._page.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

"""The routes of an engine's Spark UI: a proxy for the engine's owner that passes on no secret.

Allow lists select the headers in both directions, so cookies, tokens and forwarding headers of the caller do not reach
the engine. Spark builds its links from ``X-Forwarded-Context``, which only the gateway sets.
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
from ....core.lifecycle import refused
from ....core.timeouts import within
from ....spark.ui.pages import UiPage
from ...use_cases.operations import Reached
from .openapi import Schema, errors
from .polls import while_heard
from .routes import ENGINE, PREFIX, Call, Ref, Service, make_router

log = logging.getLogger(__name__)

BASE_HEADER = "X-Rucat-Base"
"""Base URL of the Jupyter server, set by the extension; trusted if the owner's header is."""
PAGE_S = 120.0
"""Time limit of one page, also if it comes slowly."""

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
"""For a Spark without a policy (before 4.3): what its pages need, and nothing from or to other hosts."""
_APART = (
    "sandbox allow-scripts allow-forms allow-downloads allow-popups allow-popups-to-escape-sandbox; "
    "object-src 'none'; frame-ancestors 'self'"
)
"""Added to the page's own policy: a page of an engine does not have the origin of the Jupyter server, so its scripts
cannot act there. Links that leave the UI open as separate pages."""

router = make_router()
UiPath = Annotated[str, Path(description="Page of the Spark UI, such as 'jobs/'; empty: its first page.")]
_ANSWERS: dict[int | str, Schema] = {
    200: {"description": "A page, script or image of the Spark UI.", "content": {"*/*": {}}},
    302: {"description": "Redirect to another page of the Spark UI; it may return other statuses too."},
    304: {"description": "The browser's copy is still valid."},
    307: {"description": "Redirect to the same page, with the engine's id."},
    **errors(EngineNotFound, NotPossible, NotManaged, PlatformUnavailable, EngineUnavailable),
}


async def begin_ui_call(request: Request) -> Call:
    """Find the owner; the parameters belong to the Spark UI."""
    service: Service = request.app.state.service
    return Call(service, request, service.owner_of(request))


UiCall = Annotated[Call, Depends(begin_ui_call)]


@router.get(f"{ENGINE}/ui", response_class=Response, responses=_ANSWERS)
async def get_ui_root(call: UiCall, ref: Ref) -> Response:
    """Redirect to the first page of an engine's Spark UI."""
    engine = await call.service.gateway.get(call.owner, ref)
    return _redirect(call, engine.id, b"")


@router.get(f"{ENGINE}/ui/{{path:path}}", response_class=Response, responses=_ANSWERS)
async def get_ui(call: UiCall, ref: Ref, path: UiPath) -> Response:
    """Return a page of an engine's Spark UI; a name redirects to the engine's id."""
    return await _page(call, ref, path)


@router.head(f"{ENGINE}/ui/{{path:path}}", include_in_schema=False)
async def head_ui(call: UiCall, ref: Ref, path: UiPath) -> Response:
    """Return only the headers of a page of the Spark UI."""
    return await _page(call, ref, path)


async def _page(call: Call, ref: str, path: str) -> Response:
    if "kill" in path.split("/"):
        raise Forbidden("the kill links of the Spark UI are disabled: cancel the operation in Rucat")
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
        why = f"{at.engine.name!r} is an external engine: Rucat does not show its Spark UI"
        raise refused(at.engine, why, NotManaged)
    if at.endpoint.ui_url is None:
        why = f"{at.engine.name!r} has no Spark UI: its conf has spark.ui.enabled=false"
        raise refused(at.engine, why, NotPossible)
    return at.endpoint.ui_url


def _redirect(call: Call, engine_id: str, rest: bytes) -> Response:
    query = call.request.scope["query_string"]
    root = f"{call.request.scope.get('root_path', '')}{PREFIX}/engines/{engine_id}/ui/"
    return RedirectResponse(root + (rest + (b"?" + query if query else b"")).decode("latin-1"), 307)


def _raw_rest(request: Request) -> bytes:
    """The undecoded path after ``/ui/``: a decoded one loses which slashes were escaped."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    after = raw.partition(f"{PREFIX}/engines/".encode())[2]
    return after.split(b"/", 2)[2]


def _base_of(call: Call) -> str:
    """The base URL of the reader's page before ``/rucat``, without a slash at the end."""
    base = call.request.headers.get(BASE_HEADER, "/") if call.service.trusts_headers else "/"
    if not _BASE.fullmatch(base) or b"\n" in unquote_to_bytes(base):
        raise InvalidRequest.of([(BASE_HEADER, "must be a path that begins and ends with a slash")])
    return base.rstrip("/")


def _returned(page: UiPage, ui_url: str, context: str, root: str) -> dict[str, str]:
    """The headers of the response, with ``Location`` rewritten to this proxy."""
    headers = {name: value for name, value in page.headers.items() if name in _RETURNED}
    location = headers.pop("location", None)
    if location is not None and (proxied := _proxied(location, ui_url, context, root)) is not None:
        headers["location"] = proxied
    policy = headers.get("content-security-policy", _OWN_POLICY)
    return {
        **headers,
        "content-security-policy": f"{policy}, {_APART}",
        "referrer-policy": "no-referrer",  # a page's address may contain a ticket: send it to no other host
        "x-content-type-options": "nosniff",
    }


def _proxied(location: str, ui_url: str, context: str, root: str) -> str | None:
    """The proxy's address of a redirect within the UI; None if it leads elsewhere."""
    parts, own = urlsplit(location), urlsplit(ui_url)
    if (parts.netloc and parts.netloc != own.netloc) or parts.scheme not in ("", "http"):
        return None
    if not parts.path.startswith("/"):
        return location if not parts.netloc else f"{root}/"
    path = parts.path.removeprefix(context)
    return f"{root}/{path.lstrip('/')}" + (f"?{parts.query}" if parts.query else "")


class Page(Response):
    """A streamed page of the Spark UI, until the client disconnects or the time limit is over."""

    def __init__(self, page: UiPage, headers: dict[str, str]) -> None:
        super().__init__(None, page.status, headers)
        if "content-length" not in headers:
            del self.headers["content-length"]
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the page ends or the client disconnects."""
        try:
            await while_heard(self._send_in_time(send), Request(scope, receive))
        finally:
            await self._page.close()

    async def _send_in_time(self, send: Send) -> None:
        """Send; an incomplete page is left without its end, so that clients notice it."""
        try:
            await within(PAGE_S, self._send(send))
        except asyncio.TimeoutError:
            log.info("a page of the Spark UI took more than %g s and was cancelled", PAGE_S)
        except EngineUnavailable as exc:
            log.info("%s", exc.message)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._page.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

"""The web application: routes and their OpenAPI document, the owner of a request, and error responses."""

from __future__ import annotations

import logging
import os
import pwd
import unicodedata
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .... import __version__
from ....core.errors import InvalidRequest, NoSuchRoute, RucatError, WrongMethod
from ....core.field_errors import capped, dotted, say
from ....core.ports.probes import Operations
from ....core.ports.store import Store
from ....spark.ui.pages import UiPages
from ...monitor import Monitor
from ...use_cases.creators import Creators
from ...use_cases.engines import Gateway
from ...use_cases.notifier import Notifier
from ...use_cases.operations import RunningOperations
from . import known_confs, routes, ui
from . import operations as running
from .openapi import describe
from .polls import ClientGone, Polls
from .routes import Service
from .views import answer_error

OWNER_HEADER = "X-Rucat-Owner"
"""Owner of a request, set by the Jupyter server extension: percent-encoded UTF-8, trusted on the gateway's socket."""
LONGEST_OWNER = 255
ROUTERS = (routes.router, running.router, ui.router, known_confs.router)
"""The parts of the URL table."""

log = logging.getLogger(__name__)


def make_app(
    gateway: Gateway,
    monitor: Monitor,
    store: Store,
    notifier: Notifier,
    *,
    creators: Creators,
    operations: Operations,
    ui_pages: UiPages,
    owner: str | None = None,
    trusts_owner_header: bool = True,
    look_every_s: float | None = None,
    refresh_profiles: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """Build the application. It opens and closes nothing: the process owns its parts.

    Parameters
    ----------
    creators
        Looks after the creators of engines; the routes renew leases there.
    operations, ui_pages
        Clients of the engines, for their operations and for the pages of their Spark UI.
    owner
        Owner of requests without a header; default: the operating-system user of this process.
    trusts_owner_header
        Whether to trust :data:`OWNER_HEADER`: only if no other user can open the socket. The default fits the Unix
        socket that a gateway has today; on TCP it must be False.
    look_every_s
        How often a long poll reads a store that other gateways write too; None: all writes wake the notifier.
    refresh_profiles
        Called before profiles are used: reads changed files again.
    """
    app = FastAPI(
        title="Rucat",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    default = owner or os_user()
    app.state.service = Service(
        gateway=gateway,
        running=RunningOperations(operations, gateway.reach, gateway.sessions),
        store=store,
        polls=Polls(notifier, look_every_s),
        monitor=monitor,
        creators=creators,
        refresh_profiles=refresh_profiles or _nothing,
        ui_pages=ui_pages,
        trusts_headers=trusts_owner_header,
        owner_of=(lambda request: _named_owner(request) or default) if trusts_owner_header else lambda request: default,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: _openapi(app, gateway)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    app.add_exception_handler(RucatError, _on_rucat_error)
    app.add_exception_handler(RequestValidationError, _on_wrong_parameters)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientGone, _on_client_gone)
    app.add_exception_handler(Exception, _on_defect)
    return app


def os_user() -> str:
    """The operating-system user of this process: its name, or ``uid-N`` without a passwd entry."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def _named_owner(request: Request) -> str | None:
    """The owner in the header, or None without one."""
    values = request.headers.getlist(OWNER_HEADER)
    if not values:
        return None
    try:
        name = unquote_to_bytes(values[0].encode("latin-1")).decode()
    except UnicodeDecodeError:
        name = ""
    if len(values) > 1 or not 1 <= len(name) <= LONGEST_OWNER or any(unicodedata.category(c) == "Cc" for c in name):
        rule = f"must be one name of 1 to {LONGEST_OWNER} characters in percent-encoded UTF-8, no control characters"
        raise InvalidRequest.of([(OWNER_HEADER, rule)])
    return name


def _openapi(app: FastAPI, gateway: Gateway) -> dict[str, Any]:
    """The document; built again when platforms or profiles change."""
    profiles = [profile.name for profile in gateway.profiles.all() if profile.platform in gateway.platforms]
    known = (sorted(gateway.platforms), sorted(profiles))
    if app.openapi_schema is None or app.state.described != known:
        app.openapi_schema, app.state.described = describe(app.version, app.routes, *known), known
    return app.openapi_schema


async def _nothing() -> None:
    """Do nothing: the profiles never change."""


# --- errors -------------------------------------------------------------------------------------------------


async def _on_rucat_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RucatError)  # noqa: S101 - registered for it
    if exc.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("%s %s: %s", request.method, request.scope["path"], exc.message)
    return answer_error(exc)


async def _on_wrong_parameters(request: Request, exc: Exception) -> Response:
    """FastAPI's validation errors in Rucat's form; the first part of each location (path or query) is dropped."""
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for it
    found = [(e["loc"][1:], e["type"], e.get("ctx", {}), e["msg"]) for e in exc.errors()]
    wrong = [(dotted(place)[:80], say(kind, place, context, message)) for place, kind, context, message in found]
    return answer_error(InvalidRequest.of(capped(wrong)))


async def _on_http_error(request: Request, exc: Exception) -> Response:
    """Starlette's own errors: unknown path, or wrong method."""
    assert isinstance(exc, HTTPException)  # noqa: S101 - registered for it
    path = request.scope["path"][:200]
    if exc.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return answer_error(NoSuchRoute(f"Rucat has no route {path!r}; GET rucat/openapi.json lists all routes"))
    allowed = _methods_of(request)
    error = WrongMethod(f"{path!r} allows {' and '.join(allowed)}, not {request.method[:20]!r}", allowed=allowed)
    return answer_error(error, {"Allow": ", ".join(allowed)})


async def _on_client_gone(request: Request, exc: Exception) -> Response:
    """No client reads the response; proxies log 499 for it."""
    return Response(status_code=499)


async def _on_defect(request: Request, exc: Exception) -> Response:
    """An internal error; the server logs it with its traceback."""
    error = RucatError("internal error; see gateway.log", type=type(exc).__name__)
    return answer_error(error)


def _methods_of(request: Request) -> list[str]:
    """All methods of a path: Starlette lists only those of the first matching route."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return sorted({m for route in routes if route.path_regex.match(request.scope["path"]) for m in route.methods or ()})

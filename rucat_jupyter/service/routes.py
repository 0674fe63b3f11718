"""The URL table: each route with its parameters, its answers and its errors, and the few lines that each one does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from ..datadir import API
from ..engine import Engine, EngineSpec, Verb
from ..errors import (
    BodyTooLarge,
    ConfDenied,
    EngineNotFound,
    Forbidden,
    InvalidRequest,
    NameTaken,
    NotManaged,
    NotPossible,
    PlatformUnavailable,
    RucatError,
    StoreTooNew,
    StoreUnavailable,
    WrongContentType,
)
from ..gateway import Gateway
from ..lifecycle import Outcome
from ..monitor import Monitor
from ..ports import Store
from ..view import EngineView
from .body import read_object
from .lines import Lines
from .polls import Polls
from .queries import DeleteQuery, EngineQuery, ListQuery, LogsQuery, NoQuery, QueryT
from .views import (
    ConnectionView,
    EnginesView,
    HealthView,
    HistoryView,
    PartView,
    ProfilesView,
    SessionPut,
    answer,
    history_view,
    part_view,
    profiles_view,
    session_put,
    token_of,
)

PREFIX = "/rucat"


@dataclass
class Service:
    """What the routes work with."""

    gateway: Gateway
    store: Store
    polls: Polls
    monitor: Monitor
    refresh_profiles: Callable[[], Awaitable[None]]
    describe: Callable[[Sequence[str], Sequence[str]], bytes]
    """The OpenAPI document for these platforms and profiles."""

    @cached_property
    def spec_schema(self) -> dict[str, object]:
        """JSON Schema of a spec."""
        return EngineSpec.model_json_schema()

    async def show(self, engine: Engine, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """Answer with one engine."""
        return answer((await self.gateway.view([engine]))[0], status, headers)


@dataclass
class Call(Generic[QueryT]):
    """One request: who asks, of what, how."""

    request: Request
    owner: str
    query: QueryT

    @property
    def ref(self) -> str:
        """The id or name in the path."""
        return str(self.request.path_params["id"])

    @property
    def key(self) -> str:
        """The session key in the path."""
        return str(self.request.path_params["key"])


@dataclass(frozen=True)
class Route(Generic[QueryT]):
    """One row of the URL table."""

    method: str
    path: str
    handle: Callable[[Service, Call[QueryT]], Awaitable[Response]]
    query: type[QueryT]
    answers: dict[int, tuple[str, type[BaseModel] | str | None]]
    """Status: (what it means, the model of the body, or its media type, or None for an empty one)."""
    errors: Sequence[type[RucatError]] = ()
    body: str | None = None
    """Name of the body's schema."""
    headers: dict[int, dict[str, str]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of what it does."""
        return (self.handle.__doc__ or "").partition("\n")[0]

    @property
    def operation_id(self) -> str:
        """Its name in OpenAPI."""
        return self.handle.__name__


# --- engines ------------------------------------------------------------------------------------------------


async def list_engines(service: Service, call: Call[ListQuery]) -> Response:
    """List my engines, a page of them or all, and wait for a change if asked to."""
    query = call.query

    async def read() -> tuple[list[Engine], str]:
        engines = await service.gateway.engines(call.owner, query.status, query.name)
        return engines, token_of(engines)

    wait_s = query.wait if query.since is not None else 0.0
    engines, token = await service.polls.wait(call.request, wait_s, read, lambda seen: seen[1] != query.since)
    limit = query.limit or max(1, len(engines))
    begin, end = (query.page - 1) * limit, query.page * limit
    return answer(
        EnginesView(
            engines=await service.gateway.view(engines[begin:end]),
            token=token,
            next_page=query.page + 1 if end < len(engines) else None,
        )
    )


async def create_engine(service: Service, call: Call[NoQuery]) -> Response:
    """Create an engine; it starts by itself."""
    body = await read_object(call.request)
    await service.refresh_profiles()
    engine = await service.gateway.create(call.owner, body)
    location = f"{call.request.scope.get('root_path', '')}{PREFIX}/engines/{engine.id}"
    return await service.show(engine, 201, {"Location": location})


async def get_engine(service: Service, call: Call[EngineQuery]) -> Response:
    """Show one engine, and wait for a change of it if asked to."""
    engine = await service.gateway.get(call.owner, call.ref)
    since = call.query.since
    if since is not None and call.query.wait and since == engine.revision:
        engine_id = engine.id
        engine = await service.polls.wait(
            call.request,
            call.query.wait,
            lambda: service.gateway.get(call.owner, engine_id),
            lambda seen: seen.revision != since,
        )
    return await service.show(engine)


async def stop_engine(service: Service, call: Call[NoQuery]) -> Response:
    """Stop an engine; record, settings and last log lines stay."""
    return await _ask(service, call, Verb.STOP)


async def restart_engine(service: Service, call: Call[NoQuery]) -> Response:
    """Start an engine again with its stored settings, after stopping it if need be."""
    return await _ask(service, call, Verb.RESTART)


async def delete_engine(service: Service, call: Call[DeleteQuery]) -> Response:
    """Stop an engine and forget it; its history stays for a time."""
    return await _ask(service, call, Verb.DELETE, force=call.query.force)


async def _ask(service: Service, call: Call[Any], verb: Verb, *, force: bool = False) -> Response:
    outcome, engine = await service.gateway.ask(call.owner, call.ref, verb, force=force)
    return await service.show(engine, 202 if outcome is Outcome.ACCEPTED else 200)


# --- one engine's parts -------------------------------------------------------------------------------------


async def get_connection(service: Service, call: Call[NoQuery]) -> Response:
    """Tell how to connect to a Running engine, with its token."""
    found = await service.gateway.connection(call.owner, call.ref)
    view = ConnectionView(url=found.url, token=found.token, remote=found.remote)
    return answer(view, headers={"Cache-Control": "no-store"})


async def get_logs(service: Service, call: Call[LogsQuery]) -> Response:
    """Send the driver's log as lines of text."""
    follow = call.query.follow
    lines = await service.gateway.logs(call.owner, call.ref, call.query.tail, follow)
    return await Lines.begin(lines, at_once=follow)


async def get_history(service: Service, call: Call[NoQuery]) -> Response:
    """Tell what happened to an engine; by its id also to a deleted one."""
    return answer(history_view(await service.gateway.history(call.owner, call.ref)))


async def put_session(service: Service, call: Call[NoQuery]) -> Response:
    """Return the session of a notebook on an engine, or begin a new one."""
    body = await read_object(call.request)
    strange = [(name, "there is no such field") for name in body if name not in ("path", "session_id")]
    if strange:
        raise InvalidRequest.of(strange)
    path, session_id = body.get("path"), body.get("session_id")
    return answer(session_put(await service.gateway.put_session(call.owner, call.ref, call.key, path, session_id)))


async def drop_session(service: Service, call: Call[NoQuery]) -> Response:
    """Forget the session of a notebook."""
    await service.gateway.drop_session(call.owner, call.ref, call.key)
    return Response(status_code=204)


# --- the gateway --------------------------------------------------------------------------------------------


async def list_profiles(service: Service, call: Call[NoQuery]) -> Response:
    """List the profiles, and the fields that they may have."""
    await service.refresh_profiles()
    gateway = service.gateway
    return answer(profiles_view(gateway.profiles, list(gateway.platforms), service.spec_schema))


async def get_health(service: Service, call: Call[NoQuery]) -> Response:
    """Tell whether store, monitor and platforms work; it answers as long as the gateway lives."""
    try:
        await service.store.check()
        store = PartView(ok=True)
    except StoreUnavailable as exc:
        store = PartView(ok=False, message=exc.message)
    monitor = part_view(service.monitor.trouble)
    troubles = service.monitor.platform_troubles
    platforms = {name: part_view(troubles.get(name)) for name in service.gateway.platforms}
    status = "ok" if all(part.ok for part in (store, monitor, *platforms.values())) else "degraded"
    return answer(
        HealthView(status=status, version=__version__, api=API, store=store, monitor=monitor, platforms=platforms)
    )


async def get_openapi(service: Service, call: Call[NoQuery]) -> Response:
    """Describe all this for programs."""
    gateway = service.gateway
    profiles = tuple(profile.name for profile in gateway.profiles.all() if profile.platform in gateway.platforms)
    return Response(service.describe(tuple(gateway.platforms), profiles), media_type="application/json")


_ENGINE = f"{PREFIX}/engines/{{id}}"
_VERB_ANSWERS: dict[int, tuple[str, type[BaseModel] | str | None]] = {
    202: ("Accepted.", EngineView),
    200: ("Nothing to do.", EngineView),
}
_VERB_ERRORS = (EngineNotFound, NotPossible, NotManaged, StoreTooNew)

ROUTES: tuple[Route[Any], ...] = (
    Route("GET", f"{PREFIX}/engines", list_engines, ListQuery, {200: ("My engines.", EnginesView)}),
    Route(
        "POST",
        f"{PREFIX}/engines",
        create_engine,
        NoQuery,
        {201: ("Created; it starts.", EngineView)},
        (ConfDenied, Forbidden, NameTaken, StoreTooNew, BodyTooLarge, WrongContentType, PlatformUnavailable),
        body="EngineRequest",
        headers={201: {"Location": "Path of the engine."}},
    ),
    Route("GET", _ENGINE, get_engine, EngineQuery, {200: ("The engine.", EngineView)}, (EngineNotFound,)),
    Route("DELETE", _ENGINE, delete_engine, DeleteQuery, _VERB_ANSWERS, _VERB_ERRORS),
    Route("POST", f"{_ENGINE}/stop", stop_engine, NoQuery, _VERB_ANSWERS, _VERB_ERRORS),
    Route("POST", f"{_ENGINE}/restart", restart_engine, NoQuery, _VERB_ANSWERS, _VERB_ERRORS),
    Route(
        "GET",
        f"{_ENGINE}/connection",
        get_connection,
        NoQuery,
        {200: ("How to connect.", ConnectionView)},
        (EngineNotFound, NotPossible, PlatformUnavailable),
    ),
    Route(
        "GET",
        f"{_ENGINE}/logs",
        get_logs,
        LogsQuery,
        {200: ("Lines.", "text/plain; charset=utf-8")},
        (EngineNotFound, PlatformUnavailable),
    ),
    Route("GET", f"{_ENGINE}/history", get_history, NoQuery, {200: ("Events.", HistoryView)}, (EngineNotFound,)),
    Route(
        "PUT",
        f"{_ENGINE}/sessions/{{key}}",
        put_session,
        NoQuery,
        {200: ("The session.", SessionPut)},
        (EngineNotFound, StoreTooNew, BodyTooLarge, WrongContentType),
        body="SessionRequest",
    ),
    Route(
        "DELETE",
        f"{_ENGINE}/sessions/{{key}}",
        drop_session,
        NoQuery,
        {204: ("It is gone.", None)},
        (EngineNotFound, StoreTooNew),
    ),
    # GET …/ui/{path}, GET …/operations and POST …/operations/{op}/cancel are later issues: their place is here.
    Route("GET", f"{PREFIX}/profiles", list_profiles, NoQuery, {200: ("Profiles.", ProfilesView)}),
    Route("GET", f"{PREFIX}/health", get_health, NoQuery, {200: ("Health.", HealthView)}),
    Route("GET", f"{PREFIX}/openapi.json", get_openapi, NoQuery, {200: ("OpenAPI 3.1.", "application/json")}),
)
"""Every route of Rucat, the same on the gateway and through Jupyter."""

EVERYWHERE: tuple[type[RucatError], ...] = (InvalidRequest, StoreUnavailable)
"""Errors that any route may answer."""

"""The routes with their parameters, responses and errors; they only call the use cases."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .... import __version__
from ....core.engine import Engine, Verb
from ....core.errors import (
    BodyTooLarge,
    ConfDenied,
    EngineNotFound,
    Forbidden,
    InvalidRequest,
    NameTaken,
    NotAuthenticated,
    NotManaged,
    NotPossible,
    PlatformUnavailable,
    StoreTooNew,
    StoreUnavailable,
    WrongContentType,
)
from ....core.field_errors import capped
from ....core.lifecycle import Outcome
from ....core.ports.store import Store
from ....core.sessions import SESSION_KEY
from ....core.spec import EngineSpec, KubernetesSpec
from ....host.kubeconfig import HEADER as KUBECONFIG_HEADER
from ....launch.datadir import API
from ....spark.ui.pages import UiPages
from ...monitor import Monitor
from ...use_cases.creators import Creators
from ...use_cases.engines import Gateway
from ...use_cases.operations import RunningOperations
from ...use_cases.views import EngineView
from .body import read_object, read_optional_object
from .lines import Lines
from .openapi import body, errors
from .plan_views import PlanView, plan_view
from .polls import Polls
from .queries import CheckupQuery, CreateQuery, DeleteQuery, EngineQuery, ListQuery, LogsQuery, NoQuery
from .views import (
    CheckupView,
    ConnectionView,
    EnginesView,
    HealthView,
    HistoryView,
    LeaseView,
    MovedView,
    PartView,
    ProfilesView,
    SessionPut,
    answer,
    checkup_view,
    history_view,
    part_view,
    profiles_view,
    session_put,
    token_of,
)

PREFIX = "/rucat"


@dataclass
class Service:
    """The parts that the routes use."""

    gateway: Gateway
    running: RunningOperations
    store: Store
    polls: Polls
    monitor: Monitor
    creators: Creators
    refresh_profiles: Callable[[], Awaitable[None]]
    owner_of: Callable[[Request], str]
    ui_pages: UiPages
    trusts_headers: bool
    """Whether to trust headers that only the Jupyter server extension may set."""

    @cached_property
    def spec_schema(self) -> dict[str, object]:
        """JSON Schema of a spec."""
        return EngineSpec.model_json_schema()

    async def show(self, engine: Engine, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """Respond with one engine."""
        return answer((await self.gateway.view([engine]))[0], status, headers)


@dataclass
class Call:
    """A request and its owner."""

    service: Service
    request: Request
    owner: str

    @property
    def kubeconfig(self) -> str | None:
        """The kubeconfig of the Jupyter server that sent the request, for an engine without one."""
        path = os.fsdecode(unquote_to_bytes(self.request.headers.get(KUBECONFIG_HEADER, "")))
        if "\0" in path:
            raise InvalidRequest.of([(KUBECONFIG_HEADER, "must not contain NUL")])
        return path or None


async def begin_call(request: Request) -> Call:
    """Find the owner, and refuse a duplicate parameter: FastAPI would use the last one."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    if twice := [(name[:80], "is given twice") for name, count in given.items() if count > 1]:
        raise InvalidRequest.of(capped(twice))
    service: Service = request.app.state.service
    return Call(service, request, service.owner_of(request))


async def begin_plain_call(call: Annotated[Call, Depends(begin_call)], query: Annotated[NoQuery, Query()]) -> Call:
    """Begin a call of a route without parameters; refuse any parameter."""
    return call


AnyCall = Annotated[Call, Depends(begin_call)]
PlainCall = Annotated[Call, Depends(begin_plain_call)]
Ref = Annotated[str, Path(alias="id", min_length=1, description="An engine's id or name.")]
Key = Annotated[
    str,
    Path(
        description="First 32 hex digits of the SHA-256 of the path.",
        json_schema_extra={"pattern": f"^{SESSION_KEY.pattern}$"},  # the use case checks it
    ),
]

ENGINE = "/engines/{id}"


def make_router() -> APIRouter:
    """A router for a part of the table, with the errors that any route may return."""
    return APIRouter(
        prefix=PREFIX,
        generate_unique_id_function=lambda route: route.name,
        responses=errors(InvalidRequest, StoreUnavailable, NotAuthenticated, Forbidden),  # the last two by Jupyter
    )


router = make_router()
_VERB: dict[str, Any] = {
    "status_code": 202,
    "response_description": "Accepted.",
    "response_model": EngineView,
    "responses": {
        200: {"description": "Nothing to do.", "model": EngineView},
        **errors(EngineNotFound, NotPossible, NotManaged, StoreTooNew),
    },
}


# --- engines ------------------------------------------------------------------------------------------------


@router.get("/engines", response_model=EnginesView)
async def list_engines(call: AnyCall, query: Annotated[ListQuery, Query()]) -> Response:
    """List the caller's engines, all or one page; with since and wait, first wait for a change."""

    async def read() -> tuple[list[Engine], str]:
        engines = await call.service.gateway.engines(call.owner, query.status, query.name)
        return engines, token_of(engines)

    wait_s = query.wait if query.since is not None else 0.0
    engines, token = await call.service.polls.wait(call.request, wait_s, read, lambda seen: seen[1] != query.since)
    limit = query.limit or max(1, len(engines))
    begin, end = (query.page - 1) * limit, query.page * limit
    return answer(
        EnginesView(
            engines=await call.service.gateway.view(engines[begin:end]),
            token=token,
            next_page=query.page + 1 if end < len(engines) else None,
        )
    )


@router.post(
    "/engines",
    status_code=201,
    response_model=EngineView,
    responses={
        200: {"description": "With dry_run: what would be created.", "model": PlanView},
        201: {"headers": {"Location": {"description": "Its path.", "required": True, "schema": {"type": "string"}}}},
        **errors(
            ConfDenied,
            Forbidden,
            NameTaken,
            StoreTooNew,
            BodyTooLarge,
            WrongContentType,
            PlatformUnavailable,
            StoreUnavailable,
        ),
    },
    openapi_extra=body("EngineRequest"),
)
async def create_engine(call: AnyCall, query: Annotated[CreateQuery, Query()]) -> Response:
    """Create an engine; it starts by itself. With dry_run nothing is created: the response is a preview."""
    sent = await read_object(call.request)
    await call.service.refresh_profiles()
    if query.dry_run:
        found = await call.service.gateway.plan(call.owner, sent, call.kubeconfig)
        exists = (await call.service.gateway.view([found.exists]))[0] if found.exists else None
        return answer(plan_view(found, exists))
    engine = await call.service.gateway.create(call.owner, sent, call.kubeconfig)
    location = f"{call.request.scope.get('root_path', '')}{PREFIX}/engines/{engine.id}"
    return await call.service.show(engine, 201, {"Location": location})


@router.get(ENGINE, response_model=EngineView, responses=errors(EngineNotFound))
async def get_engine(call: AnyCall, ref: Ref, query: Annotated[EngineQuery, Query()]) -> Response:
    """Show an engine; with since and wait, first wait for a change."""
    engine = await call.service.gateway.get(call.owner, ref)
    since = query.since
    if since is not None and query.wait and since == engine.revision:
        engine_id = engine.id
        engine = await call.service.polls.wait(
            call.request,
            query.wait,
            lambda: call.service.gateway.get(call.owner, engine_id),
            lambda seen: seen.revision != since,
        )
    return await call.service.show(engine)


@router.post(f"{ENGINE}/stop", **_VERB)
async def stop_engine(call: PlainCall, ref: Ref) -> Response:
    """Stop an engine; Rucat keeps its record, settings and last log lines."""
    return await _ask(call, ref, Verb.STOP)


@router.post(
    f"{ENGINE}/restart",
    **{
        **_VERB,
        "responses": {
            **_VERB["responses"],
            **errors(
                ConfDenied,
                Forbidden,
                EngineNotFound,
                NotPossible,
                NotManaged,
                StoreTooNew,
                BodyTooLarge,
                WrongContentType,
                PlatformUnavailable,
                StoreUnavailable,
            ),
        },
    },
    openapi_extra=body("RestartRequest", required=False),
)
async def restart_engine(call: PlainCall, ref: Ref) -> Response:
    """Restart an engine, or start a stopped one: with its stored settings and the changes in the body."""
    sent = await read_optional_object(call.request)
    await call.service.refresh_profiles()
    if not sent:
        return await _ask(call, ref, Verb.RESTART)
    outcome, engine = await call.service.gateway.restart(call.owner, ref, sent)
    return await call.service.show(engine, 202 if outcome is Outcome.ACCEPTED else 200)


@router.delete(ENGINE, **_VERB)
async def delete_engine(call: AnyCall, ref: Ref, query: Annotated[DeleteQuery, Query()]) -> Response:
    """Stop an engine and delete its record; its history is kept for some time."""
    return await _ask(call, ref, Verb.DELETE, force=query.force)


async def _ask(call: Call, ref: str, verb: Verb, *, force: bool = False) -> Response:
    outcome, engine = await call.service.gateway.ask(call.owner, ref, verb, force=force)
    return await call.service.show(engine, 202 if outcome is Outcome.ACCEPTED else 200)


# --- one engine's parts -------------------------------------------------------------------------------------


@router.get(
    f"{ENGINE}/connection",
    response_model=ConnectionView,
    responses=errors(EngineNotFound, NotPossible, PlatformUnavailable, StoreUnavailable),
)
async def get_connection(call: PlainCall, ref: Ref) -> Response:
    """Return the addresses and the token of a Running engine."""
    found = await call.service.gateway.connection(call.owner, ref)
    view = ConnectionView(url=found.url, token=found.token, remote=found.remote, ui_url=found.ui_url)
    return answer(view, headers={"Cache-Control": "no-store"})


@router.get(
    f"{ENGINE}/logs",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **errors(EngineNotFound, PlatformUnavailable, StoreUnavailable),
    },
)
async def get_logs(call: AnyCall, ref: Ref, query: Annotated[LogsQuery, Query()]) -> Response:
    """Return the driver's log as lines of text."""
    follow = query.follow
    lines = await call.service.gateway.logs(call.owner, ref, query.tail, follow)
    return await Lines.begin(lines, unbuffered=follow)


@router.get(f"{ENGINE}/history", response_model=HistoryView, responses=errors(EngineNotFound))
async def get_history(call: PlainCall, ref: Ref) -> Response:
    """Return the history of an engine; with its id also of a deleted one."""
    return answer(history_view(await call.service.gateway.history(call.owner, ref)))


@router.put(
    f"{ENGINE}/sessions/{{key}}",
    response_model=SessionPut,
    responses=errors(EngineNotFound, StoreTooNew, BodyTooLarge, WrongContentType),
    openapi_extra=body("SessionRequest"),
)
async def put_session(call: PlainCall, ref: Ref, key: Key) -> Response:
    """Return the session of a notebook on an engine, or create it."""
    sent = await read_object(call.request)
    strange = [(name, "there is no such field") for name in sent if name not in ("path", "session_id", "process")]
    if strange:
        raise InvalidRequest.of(strange)
    given = (sent.get("path"), sent.get("session_id"), sent.get("process"))
    return answer(session_put(await call.service.gateway.put_session(call.owner, ref, key, *given)))


@router.post(f"{ENGINE}/sessions/{{key}}/detach", status_code=204, responses=errors(EngineNotFound, StoreTooNew))
async def detach_session(call: PlainCall, ref: Ref, key: Key) -> Response:
    """Note that a notebook has detached from its session, which stays."""
    await call.service.gateway.detach_session(call.owner, ref, key)
    return Response(status_code=204)


@router.delete(f"{ENGINE}/sessions/{{key}}", status_code=204, responses=errors(EngineNotFound, StoreTooNew))
async def drop_session(call: PlainCall, ref: Ref, key: Key) -> Response:
    """Remove the session of a notebook."""
    await call.service.gateway.drop_session(call.owner, ref, key)
    return Response(status_code=204)


@router.post(f"{ENGINE}/lease", response_model=LeaseView, responses=errors(EngineNotFound))
async def renew_lease(call: PlainCall, ref: Ref) -> Response:
    """Renew the lease of an engine that ends with its creator; says whether this gateway needs that."""
    return answer(LeaseView(is_needed=await call.service.creators.renew(call.owner, ref)))


@router.post(
    "/sessions/move",
    response_model=MovedView,
    responses=errors(StoreTooNew, BodyTooLarge, WrongContentType),
    openapi_extra=body("MoveRequest"),
)
async def move_sessions(call: PlainCall) -> Response:
    """Move the sessions of a renamed notebook or folder to its new path; null (it was deleted): remove them."""
    sent = await read_object(call.request)
    wrong = [(name, "there is no such field") for name in sent if name not in ("from", "to")]
    if "to" not in sent:
        wrong.append(("to", "must be the new path, or null if there is none"))
    if wrong:
        raise InvalidRequest.of(wrong)
    return answer(MovedView(moved=await call.service.gateway.move_sessions(call.owner, sent.get("from"), sent["to"])))


# --- the gateway --------------------------------------------------------------------------------------------


@router.get("/profiles", response_model=ProfilesView)
async def list_profiles(call: PlainCall) -> Response:
    """List the profiles, and the fields that they can have."""
    await call.service.refresh_profiles()
    gateway = call.service.gateway
    return answer(profiles_view(gateway.profiles, list(gateway.platforms), call.service.spec_schema))


@router.get("/health", response_model=HealthView)
async def get_health(call: PlainCall) -> Response:
    """Report whether store, monitor, platforms and profiles work; it responds while the gateway runs."""
    try:
        await call.service.store.check()
        store = PartView(ok=True)
    except StoreUnavailable as exc:
        store = PartView(ok=False, message=exc.message)
    monitor = part_view(call.service.monitor.problem)
    problems = call.service.monitor.platform_problems
    platforms = {name: part_view(problems.get(name)) for name in call.service.gateway.platforms}
    await call.service.refresh_profiles()
    wrong = call.service.gateway.profiles.errors
    profiles = PartView(ok=not wrong, message="; ".join(wrong))
    status = "ok" if all(part.ok for part in (store, monitor, profiles, *platforms.values())) else "degraded"
    return answer(
        HealthView(
            status=status,
            version=__version__,
            api=API,
            store=store,
            monitor=monitor,
            platforms=platforms,
            profiles=profiles,
        )
    )


@router.get("/checkup", response_model=CheckupView)
async def get_checkup(call: AnyCall, query: Annotated[CheckupQuery, Query()]) -> Response:
    """Check the places where the caller's engines run or would run: is it reachable, which rights are missing."""
    await call.service.refresh_profiles()
    asked = KubernetesSpec(**{"kubeconfig": call.kubeconfig, **query.model_dump(exclude_none=True)})
    return answer(checkup_view(await call.service.gateway.examine(call.owner, asked)))


@router.get("/openapi.json")
async def get_openapi(call: PlainCall) -> Response:
    """Return the OpenAPI document."""
    return JSONResponse(call.request.app.openapi())

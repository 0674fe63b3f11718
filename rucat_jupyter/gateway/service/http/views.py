"""Response models of the routes, except those of engines, and their rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

from pydantic import BaseModel, Field
from starlette.responses import Response

from ....core.config.limits import Limits
from ....core.config.resolve import Profile, Profiles
from ....core.credentials import masked
from ....core.engine import Engine, Event, Session
from ....core.errors import RucatError, Unavailable
from ....core.spec import Model
from ...monitor import Problem
from ...use_cases.namespace_checks import PlatformFinding
from ...use_cases.operations import OperationView
from ...use_cases.views import EngineView
from .plan_views import ValueView, size_of, value_view, where_of

JSON = "application/json"


class ErrorView(Model):
    """An error; ``details`` depends on ``code``."""

    message: str
    code: str
    details: dict[str, object]


class EnginesView(Model):
    """A page of a filtered list of engines, oldest first."""

    engines: list[EngineView]
    token: str = Field(description="Token of the whole filtered list; it changes when the list changes.")
    next_page: int | None


class ConnectionView(Model):
    """How to connect to an engine: the only response with its token."""

    url: str
    token: str
    remote: str = Field(description="Address with token, for SparkSession.builder.remote().")
    ui_url: str | None = Field(
        description="The driver's own Spark UI, as the gateway's machine reaches it; null if there is none."
    )


class SessionPut(Model):
    """The session of a notebook on an engine."""

    key: str
    path: str
    user_id: str
    session_id: str


class OperationsView(Model):
    """Running operations of an engine, oldest first."""

    operations: list[OperationView]


class EventView(Model):
    """An event in an engine's history."""

    at: datetime | None
    actor: str
    kind: str
    reason: str
    status: str
    run: int
    revision: int
    name: str


class HistoryView(Model):
    """Events of an engine, oldest first."""

    events: list[EventView]


class ProfileView(Model):
    """A named template."""

    name: str
    platform: str
    description: str
    spec: dict[str, object] = Field(description="Fields of the spec that it sets.")
    sources: list[str] = Field(description="Sources of its values; later ones win.")
    available: bool = Field(description="Whether this gateway has the platform.")
    chain: list[str] = Field(description="The profiles that it extends, base first, then the profile itself.")
    where: str = Field(description="Where its engines run, as text.")
    size: str = Field(description="Its resources, as text; empty: the platform's defaults.")
    values: list[ValueView] = Field(description="Every value with its source, including values from limits.")


class ConfView(Model):
    """One of Spark's settings."""

    key: str
    default: str | None = Field(description="Null: no default, or Spark computes it.")
    kind: str = Field(description="Type of the value: boolean, int, bytes, …; empty: unknown.")
    doc: str
    since: str = Field(description="First Spark release with it; empty: unknown.")


class ConfsView(Model):
    """Spark's settings, sorted by key; others can be set, too."""

    confs: list[ConfView]


class LimitView(Model):
    """One limit, of an administrator or of the user."""

    name: str
    value: object
    source: str = Field(description="File that sets it.")
    description: str


class ProfilesView(Model):
    """All profiles, and the fields that profiles and requests can set."""

    profiles: list[ProfileView]
    default: str
    platforms: list[str]
    errors: list[str] = Field(description="Problems in the files: one line (file, key, reason) each.")
    limits: list[LimitView] = Field(description="Limits for all engines.")
    fields: dict[str, object] = Field(description="JSON Schema of a spec.")


class LeaseView(Model):
    """Whether an engine needs renewals of its lease."""

    is_needed: bool = Field(description="Whether this gateway cannot see a process with which the engine ends.")


class PartView(Model):
    """Whether a part works."""

    ok: bool
    message: str = Field("", description="The problem in one line; empty while it works.")
    since: datetime | None = Field(None, description="Since when it does not work; null: unknown.")


class HealthView(Model):
    """Whether this gateway works: ``status`` is ok or degraded."""

    status: str
    version: str
    api: int
    store: PartView
    monitor: PartView
    platforms: dict[str, PartView]
    profiles: PartView = Field(description="The rucat.toml files; existing engines do not depend on them.")


class SymptomView(Model):
    """A finding at a place of a platform."""

    platform: str
    place: str
    found: str
    fix: str = Field(description="Command that fixes it; empty: no problem.")
    used: bool = Field(description="Whether the caller has an engine on the platform.")


class CheckupView(Model):
    """Findings at the platforms' places."""

    symptoms: list[SymptomView]


def answer(view: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Render a view; without validation, since it was built from valid parts."""
    return Response(view.__pydantic_serializer__.to_json(view), status, headers, JSON)


def answer_error(error: RucatError, headers: Mapping[str, str] | None = None) -> Response:
    """Render an error, with ``Retry-After`` if a retry makes sense."""
    view = ErrorView(message=error.message, code=error.code, details=error.details)
    retry = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Unavailable) else {}
    return answer(view, error.http_status, {**retry, **(headers or {})})


def part_view(problem: Problem | None) -> PartView:
    """Build the view of a part."""
    return PartView(ok=False, message=problem.message, since=problem.since) if problem else PartView(ok=True)


def token_of(engines: Sequence[Engine]) -> str:
    """Token of a list of engines: it changes when an engine is added, removed or gets another revision."""
    digest = blake2b(digest_size=16)
    for engine in engines:
        digest.update(f"{engine.id}:{engine.revision};".encode())
    return digest.hexdigest()


class MovedView(Model):
    """How many sessions were moved, or removed."""

    moved: int


def session_put(session: Session) -> SessionPut:
    """Build the view of a notebook's session."""
    return SessionPut(key=session.key, path=session.path, user_id=session.user_id, session_id=session.session_id)


def history_view(events: Sequence[Event]) -> HistoryView:
    """Build the view of a history."""
    fields = EventView.model_fields
    return HistoryView(events=[EventView(**{name: getattr(event, name) for name in fields}) for event in events])


def profile_view(profile: Profile, profiles: Profiles, platforms: Sequence[str]) -> ProfileView:
    """Build the view of a profile."""
    spec = masked(profile.spec)
    return ProfileView(
        name=profile.name,
        platform=profile.platform,
        description=profile.description,
        spec=spec,
        sources=list(dict.fromkeys(part.source for part in profile.parts)),
        available=profile.platform in platforms,
        chain=list(profile.chain),
        where=where_of(profile.platform, spec),
        size=size_of(spec),
        values=[value_view(value) for value in profiles.explain(profile)],
    )


def checkup_view(found: Sequence[PlatformFinding]) -> CheckupView:
    """Build the view of findings."""
    return CheckupView(
        symptoms=[
            SymptomView(
                platform=each.platform,
                place=each.finding.place,
                found=each.finding.found,
                fix=each.finding.fix,
                used=each.is_used,
            )
            for each in found
        ]
    )


def profiles_view(profiles: Profiles, platforms: Sequence[str], fields: dict[str, object]) -> ProfilesView:
    """Build the view of all profiles."""
    about = {name: str(field.description) for name, field in Limits.model_fields.items()}
    return ProfilesView(
        profiles=[profile_view(profile, profiles, platforms) for profile in profiles.all()],
        default=profiles.default,
        platforms=sorted(platforms),
        errors=profiles.errors,
        limits=[
            LimitView(name=name, value=value, source=source, description=about[name])
            for name, value, source in profiles.limits.shown()
        ],
        fields=fields,
    )

"""What the routes answer beside engines, and how it becomes bytes."""

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
from ...use_cases.namespace_checks import Found
from ...use_cases.operations import OperationView
from ...use_cases.views import EngineView
from .plan_views import ValueView, size_of, value_view, where_of

JSON = "application/json"


class ErrorView(Model):
    """Every error: ``details`` depends on ``code``."""

    message: str
    code: str
    details: dict[str, object]


class EnginesView(Model):
    """A page of a filtered list of engines, oldest first."""

    engines: list[EngineView]
    token: str = Field(description="Stands for the whole filtered list, whatever the page.")
    next_page: int | None


class ConnectionView(Model):
    """How to reach an engine: the one answer that has its token."""

    url: str
    token: str
    remote: str = Field(description="Ready for SparkSession.builder.remote().")
    ui_url: str | None = Field(
        description="The driver's own Spark UI where the gateway runs; null where there is none."
    )


class SessionPut(Model):
    """The session that a notebook holds."""

    key: str
    path: str
    user_id: str
    session_id: str


class OperationsView(Model):
    """What runs now on an engine, oldest first."""

    operations: list[OperationView]


class EventView(Model):
    """One line of an engine's history."""

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
    spec: dict[str, object] = Field(description="What it sets of the spec.")
    sources: list[str] = Field(description="Where its values come from, later ones win.")
    available: bool = Field(description="Whether this gateway has its platform.")
    chain: list[str] = Field(description="The profiles that it extends, the farthest first, and itself.")
    where: str = Field(description="Where its engines run, in words.")
    size: str = Field(description="What it asks for, in words; empty: the platform's defaults.")
    values: list[ValueView] = Field(description="Every value with its place, and those that limits fill in.")


class ConfView(Model):
    """One of Spark's own settings."""

    key: str
    default: str | None = Field(description="Null: it has none, or Spark computes it.")
    kind: str = Field(description="Of its value: boolean, int, bytes, …; empty: not known.")
    doc: str
    since: str = Field(description="The Spark release that brought it; empty: not known.")


class ConfsView(Model):
    """Spark's settings by key; others may be set, too."""

    confs: list[ConfView]


class LimitView(Model):
    """One limit of an administrator or of one's own."""

    name: str
    value: object
    source: str = Field(description="The file that sets it.")
    description: str


class ProfilesView(Model):
    """All profiles, and the fields that they and a create may set."""

    profiles: list[ProfileView]
    default: str
    platforms: list[str]
    errors: list[str] = Field(description="What is wrong in the files: one line (file, key, why) each.")
    limits: list[LimitView] = Field(description="What no engine may exceed.")
    fields: dict[str, object] = Field(description="JSON Schema of a spec.")


class PartView(Model):
    """Whether a part works."""

    ok: bool
    message: str = Field("", description="One line: what is wrong; empty while it works.")
    since: datetime | None = Field(None, description="Since when it does not work, where that is known.")


class HealthView(Model):
    """Whether this gateway works: ``status`` is ok or degraded."""

    status: str
    version: str
    api: int
    store: PartView
    monitor: PartView
    platforms: dict[str, PartView]
    profiles: PartView = Field(description="The files rucat.toml; engines that exist do not depend on them.")


class SymptomView(Model):
    """One thing that was found at a place of a platform."""

    platform: str
    place: str
    found: str
    fix: str = Field(description="The command that mends it; empty: all is well.")
    used: bool = Field(description="Whether I have an engine on that platform.")


class CheckupView(Model):
    """What the platforms' places are like now."""

    symptoms: list[SymptomView]


def answer(view: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Render without validating again: the view was built from valid parts."""
    return Response(view.__pydantic_serializer__.to_json(view), status, headers, JSON)


def answer_error(error: RucatError, headers: Mapping[str, str] | None = None) -> Response:
    """Render an error in the one form, with ``Retry-After`` where trying again makes sense."""
    view = ErrorView(message=error.message, code=error.code, details=error.details)
    retry = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Unavailable) else {}
    return answer(view, error.http_status, {**retry, **(headers or {})})


def part_view(problem: Problem | None) -> PartView:
    """Show whether a part works."""
    return PartView(ok=False, message=problem.message, since=problem.since) if problem else PartView(ok=True)


def token_of(engines: Sequence[Engine]) -> str:
    """Stand for a list of engines: it changes when one comes, goes or changes its revision; nothing is kept."""
    digest = blake2b(digest_size=16)
    for engine in engines:
        digest.update(f"{engine.id}:{engine.revision};".encode())
    return digest.hexdigest()


def session_put(session: Session) -> SessionPut:
    """Show a notebook its session."""
    return SessionPut(key=session.key, path=session.path, user_id=session.user_id, session_id=session.session_id)


def history_view(events: Sequence[Event]) -> HistoryView:
    """Show a history."""
    fields = EventView.model_fields
    return HistoryView(events=[EventView(**{name: getattr(event, name) for name in fields}) for event in events])


def profile_view(profile: Profile, profiles: Profiles, platforms: Sequence[str]) -> ProfileView:
    """Show a profile."""
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


def checkup_view(found: Sequence[Found]) -> CheckupView:
    """Show what was found."""
    return CheckupView(
        symptoms=[
            SymptomView(
                platform=each.platform,
                place=each.symptom.place,
                found=each.symptom.found,
                fix=each.symptom.fix,
                used=each.is_used,
            )
            for each in found
        ]
    )


def profiles_view(profiles: Profiles, platforms: Sequence[str], fields: dict[str, object]) -> ProfilesView:
    """Show all profiles."""
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

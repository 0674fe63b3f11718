"""What the routes answer beside engines, and how it becomes bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

from pydantic import BaseModel, Field
from starlette.responses import Response

from ..credentials import masked
from ..engine import Engine, Event, Model, Session
from ..errors import RucatError, Unavailable
from ..monitor import Trouble
from ..operations import OperationView
from ..profiles import Profile, Profiles
from ..view import EngineView

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


class ProfilesView(Model):
    """All profiles, and the fields that they and a create may set."""

    profiles: list[ProfileView]
    default: str
    platforms: list[str]
    errors: list[str] = Field(description="What is wrong in the files: one line (file, key, why) each.")
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


def answer(view: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Render without validating again: the view was built from valid parts."""
    return Response(view.__pydantic_serializer__.to_json(view), status, headers, JSON)


def answer_error(error: RucatError, headers: Mapping[str, str] | None = None) -> Response:
    """Render an error in the one form, with ``Retry-After`` where trying again makes sense."""
    view = ErrorView(message=error.message, code=error.code, details=error.details)
    retry = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Unavailable) else {}
    return answer(view, error.http_status, {**retry, **(headers or {})})


def part_view(trouble: Trouble | None) -> PartView:
    """Show whether a part works."""
    return PartView(ok=False, message=trouble.message, since=trouble.since) if trouble else PartView(ok=True)


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


def profile_view(profile: Profile, platforms: Sequence[str]) -> ProfileView:
    """Show a profile."""
    return ProfileView(
        name=profile.name,
        platform=profile.platform,
        description=profile.description,
        spec=masked(profile.spec),
        sources=[source for source, _ in profile.parts],
        available=profile.platform in platforms,
    )


def profiles_view(profiles: Profiles, platforms: Sequence[str], fields: dict[str, object]) -> ProfilesView:
    """Show all profiles."""
    return ProfilesView(
        profiles=[profile_view(profile, platforms) for profile in profiles.all()],
        default=profiles.default,
        platforms=sorted(platforms),
        errors=profiles.errors,
        fields=fields,
    )

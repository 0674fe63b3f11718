"""An engine as REST shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from pydantic import Field

from ...core.engine import Engine, Executors, Failure, Session, State, Status, Target, Verb
from ...core.lifecycle import message_of, status_of, verbs_of
from ...core.ports.platform import Endpoint
from ...core.spec import EngineSpec, Model


class EndpointView(Model):
    """Addresses of an engine, without its token."""

    url: str = Field(description="Spark Connect address, 'sc://host:port'.")
    ui_url: str | None = Field(description="Spark UI, relative to the base URL of Jupyter; null if there is none.")


class ExecutorsView(Model):
    """Counts of executors, and reasons why some are missing."""

    wanted: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    reasons: list[str] = Field(default_factory=list)


class SessionView(Model):
    """The Spark Connect session that a notebook holds."""

    key: str
    path: str
    user_id: str
    session_id: str
    created_at: datetime | None = None
    is_attached: bool = Field(description="Whether a living process holds it, and the engine has not ended it.")


class EngineView(Model):
    """An engine: times are RFC 3339 UTC, secrets are masked."""

    id: str
    name: str
    owner: str
    platform: str
    profile: str | None = Field(description="Null: created without a profile.")
    spec: EngineSpec
    state: State
    target: Target
    run: int
    status: Status
    message: str
    failure: Failure | None
    endpoint: EndpointView | None = Field(description="Null while the engine has no address.")
    site: str
    spark_version: str | None
    python_version: str | None
    verbs: list[Verb] = Field(description="Verbs that are possible now.")
    executors: ExecutorsView
    sessions: list[SessionView]
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    last_used_at: datetime | None
    revision: int


def view_of(engine: Engine, sessions: Sequence[Session], endpoint: Endpoint | None, problem: str = "") -> EngineView:
    """Build the view of an engine; ``problem`` replaces its message."""
    return EngineView(
        id=engine.id,
        name=engine.name,
        owner=engine.owner,
        platform=engine.platform,
        profile=engine.profile or None,
        spec=engine.spec,
        state=engine.state,
        target=engine.target,
        run=engine.run,
        status=status_of(engine),
        message=problem or message_of(engine),
        failure=engine.failure,
        endpoint=endpoint and EndpointView(url=endpoint.url, ui_url=_ui_url(engine, endpoint)),
        site=engine.site,
        spark_version=engine.spark_version,
        python_version=engine.python_version,
        verbs=verbs_of(engine),
        executors=_executors(engine.executors or Executors()),
        sessions=[session_view(session) for session in sessions],
        created_at=engine.created_at,
        started_at=engine.started_at,
        stopped_at=engine.stopped_at,
        last_used_at=engine.last_used_at,
        revision=engine.revision,
    )


def session_view(session: Session) -> SessionView:
    """Build the view of a session."""
    return SessionView(
        key=session.key,
        path=session.path,
        user_id=session.user_id,
        session_id=session.session_id,
        created_at=session.created_at,
        is_attached=session.is_attached,
    )


def _executors(executors: Executors) -> ExecutorsView:
    return ExecutorsView(
        wanted=executors.wanted,
        running=executors.running,
        pending=executors.pending,
        failed=executors.failed,
        reasons=list(executors.reasons),
    )


def _ui_url(engine: Engine, endpoint: Endpoint) -> str | None:
    """The proxied Spark UI of a managed engine; none for an external engine."""
    return f"rucat/engines/{engine.id}/ui/" if endpoint.ui_url and engine.is_managed else None


@dataclass(frozen=True)
class Connection:
    """How to connect to an engine: ``url`` without its token, ``remote`` for ``SparkSession.builder.remote``."""

    url: str
    token: str
    remote: str
    ui_url: str | None = None  # the driver's own Spark UI, as clients of this gateway reach it

    def __repr__(self) -> str:
        return f"Connection(url={self.url!r}, token=…, remote=…)"


def remote_of(endpoint: Endpoint, token: str) -> str:
    """The address with its token, for ``SparkSession.builder.remote``.

    ``;token=`` makes Spark's client use TLS, and without TLS it hangs on every host but ``localhost``; unknown
    parameters become gRPC metadata, so ``authorization`` works everywhere else.
    """
    if not token:
        return endpoint.url
    if endpoint.use_tls:
        return f"{endpoint.url};token={quote(token, safe='')}"
    return f"{endpoint.url}/;authorization=Bearer%20{quote(token, safe='')}"

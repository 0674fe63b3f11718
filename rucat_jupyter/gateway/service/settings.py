"""The gateway's settings: every one is an environment variable ``RUCAT_<NAME>`` of whoever starts the gateway first.

They are read once, at the start; ``rucat serve --replace`` reads them anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ...core.errors import InvalidRequest
from ...launch import datadir
from ...platforms.kubernetes.status.phases import PULL_GRACE_S
from ...platforms.local.platform import STOP_GRACE_S

PREFIX = "RUCAT_"


def _check_store_url(url: str) -> str:
    if url and not url.startswith(("mem://", "surrealkv://", "ws://", "wss://")):
        raise ValueError("it must begin with surrealkv://, ws://, wss:// or mem://")
    return url


Span = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]


class Settings(BaseSettings):
    """What a gateway can be told. Times are seconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default_factory=datadir.data_dir,
        description="Folder of store, engines' files, logs and lock; one gateway each. Default: 'rucat' in Jupyter's "
        "data directory, so that all of a user's Jupyter servers share one. A shared home needs one per machine; "
        "another folder is another set of engines.",
    )
    store_url: Annotated[str, AfterValidator(_check_store_url)] = Field(
        "",
        description="SurrealDB: surrealkv://PATH, ws://HOST:PORT, wss://HOST:PORT, or mem:// (for tests). Default: "
        "surrealkv:// in the data directory, which needs no server. A store that is lost takes all records with it.",
    )
    store_user: str | None = Field(
        None, description="User name on a SurrealDB server. Default none: embedded has none."
    )
    store_password: SecretStr | None = Field(None, description="Its password, never shown or logged.")
    default_profile: str | None = Field(
        None,
        description="Profile of a create that names none. Default: what rucat.toml says, else 'local', which everybody "
        "has. One that does not exist refuses every create that names none.",
    )
    probe_s: Span | None = Field(
        None,
        description="Seconds between two cheap health checks of an engine (a refused call, 2-7 ms). Default: 5 here, "
        "15 elsewhere: a frozen engine is seen in 30 s. Smaller costs CPU with many engines; larger sees it later.",
    )
    query_probe_s: Span | None = Field(
        None,
        description="Seconds between two checks that an engine really answers queries (20-150 ms each). Default: 15, "
        "on Kubernetes 30: a stopped SparkContext is found in twice that. Smaller takes engine time; larger finds it "
        "later.",
    )
    probe_deadline_s: Span | None = Field(
        None,
        description="Seconds that one health check may take. Default: 12, longer than a 10 s garbage collection. "
        "Smaller accuses busy engines; larger finds dead ones later.",
    )
    silence_grace_s: Span = Field(
        60.0,
        description="Seconds without an answer until an Unresponsive engine is failed and ended. Default: outlasts "
        "heavy paging. Smaller kills engines that would have come back; larger keeps people waiting on dead ones.",
    )
    start_timeout_local_s: Span = Field(
        120.0,
        description="Seconds that a start on this machine may take (3-15 usually). Too small fails slow machines; too "
        "large hides a start that hangs.",
    )
    start_timeout_s: Span = Field(
        600.0,
        description="Seconds that a start elsewhere may take. Default: an image pull and a new node. Too small fails "
        "while a node is coming; too large hides a start that hangs.",
    )
    pull_grace_s: Span = Field(
        PULL_GRACE_S,
        description="Seconds that the pull of an engine's image may fail on Kubernetes until the start is given up. "
        "Default: outlasts a registry that restarts. Smaller fails starts that would have come up; larger hides a "
        "wrong image.",
    )
    stop_grace_local_s: Span = Field(
        STOP_GRACE_S,
        description="Seconds that an engine on this machine may take to end in order (1-3 usually) until it is killed. "
        "Smaller cuts off what queries clean up; larger makes a stop of a frozen engine wait.",
    )
    idle_timeout_s: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = Field(
        3600.0,
        description="Seconds without an operation until an engine is stopped; 0 never. Default: a lunch break. Too "
        "small loses views and caches at every pause; too large holds memory that nobody uses.",
    )
    look_s: Span = Field(
        30.0,
        description="Seconds between two looks at every engine, for what no event told. Default: an event missed is "
        "found in 30 s. Smaller costs CPU with many engines; larger finds it later.",
    )
    history_days: Span = Field(
        30.0, description="Days that the history of a deleted engine stays. Longer fills the store, shorter forgets."
    )
    self_end_s: Span = Field(
        600.0,
        description="Seconds without a call, with no engine of its own at work, until the gateway ends itself; the "
        "next call starts it. Default: ten minutes, a pause in work. Smaller makes calls wait 1-2 s for a start; "
        "larger keeps some 100 MB for nothing.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO",
        description="Least level in logs/gateway.log. INFO: what has changed. DEBUG: every look, some MB an hour; "
        "WARNING hides how an engine came to its state.",
    )
    # RUCAT_URL and RUCAT_TOKEN, a central gateway on TCP, are a later issue: their place is here.

    @property
    def store(self) -> str:
        """The store's address."""
        return self.store_url or f"surrealkv://{self.data_dir / 'db'}"


def load() -> Settings:
    """Read the settings from the environment; InvalidRequest names every wrong variable."""
    try:
        return Settings()
    except ValidationError as exc:
        raise InvalidRequest.of(
            [(PREFIX + "_".join(map(str, e["loc"])).upper(), e["msg"]) for e in exc.errors(include_input=False)]
        ) from None

"""The gateway's settings: environment variables ``RUCAT_<NAME>`` of the process that starts the gateway.

The gateway reads them once, at its start; ``rucat serve --replace`` reads them again.
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
    """Settings of a gateway. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default_factory=datadir.data_dir,
        description="Folder of store, engines' files, logs and lock; it has one gateway. Default: 'rucat' in Jupyter's "
        "data directory, so that all Jupyter servers of a user share it. A home shared by machines needs one per "
        "machine; another folder has other engines.",
    )
    store_url: Annotated[str, AfterValidator(_check_store_url)] = Field(
        "",
        description="SurrealDB: surrealkv://PATH, ws://HOST:PORT, wss://HOST:PORT, or mem:// (for tests). Default: "
        "surrealkv:// in the data directory, which needs no server. If the store is lost, all records are lost.",
    )
    store_user: str | None = Field(
        None, description="User name on a SurrealDB server. Default: none, for the embedded store."
    )
    store_password: SecretStr | None = Field(None, description="Its password, never shown or logged.")
    default_profile: str | None = Field(
        None,
        description="Profile of a create without one. Default: as in rucat.toml, else the built-in 'local'. If it does "
        "not exist, a create without a profile is an error.",
    )
    probe_s: Span | None = Field(
        None,
        description="Seconds between two cheap health checks of an engine (a rejected call, 2-7 ms). Default: 5 on "
        "this machine, 15 elsewhere: a frozen engine is detected in 30 s. Smaller: more CPU with many engines; larger: "
        "later detection.",
    )
    query_probe_s: Span | None = Field(
        None,
        description="Seconds between two checks that an engine answers queries (20-150 ms each). Default: 15, on "
        "Kubernetes 30: a stopped SparkContext is detected in twice that time. Smaller: more load on engines; larger: "
        "later detection.",
    )
    probe_deadline_s: Span | None = Field(
        None,
        description="Time limit of one health check, in seconds. Default: 12, longer than a 10 s garbage collection. "
        "Smaller: busy engines look dead; larger: later detection of dead ones.",
    )
    silence_grace_s: Span = Field(
        60.0,
        description="Seconds without an answer until an Unresponsive engine is marked Failed and ended. The default is "
        "longer than heavy paging. Smaller: ends engines that would recover; larger: users wait longer for dead ones.",
    )
    start_timeout_local_s: Span = Field(
        120.0,
        description="Time limit of a start on this machine, in seconds (usually 3-15). Too small: starts fail on slow "
        "machines; too large: a start that hangs fails late.",
    )
    start_timeout_s: Span = Field(
        600.0,
        description="Time limit of a start elsewhere, in seconds. The default allows for an image pull and a new node. "
        "Too small: starts fail while a node is added; too large: a start that hangs fails late.",
    )
    pull_grace_s: Span = Field(
        PULL_GRACE_S,
        description="Seconds that the pull of an engine's image on Kubernetes may fail until the start fails. The "
        "default is longer than a restart of the registry. Smaller: starts fail that would have succeeded; larger: a "
        "wrong image fails late.",
    )
    stop_grace_local_s: Span = Field(
        STOP_GRACE_S,
        description="Seconds that an engine on this machine may take to shut down (usually 1-3) until it is killed. "
        "Smaller: interrupts the cleanup of queries; larger: the stop of a frozen engine takes longer.",
    )
    idle_timeout_s: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = Field(
        3600.0,
        description="Seconds without an operation until an engine is stopped; 0: never. Default: one hour. Too small: "
        "views and caches are lost in every pause; too large: unused engines keep their memory.",
    )
    look_s: Span = Field(
        30.0,
        description="Seconds between two checks of every engine, which find what events missed. Smaller: more CPU with "
        "many engines; larger: later detection.",
    )
    history_days: Span = Field(
        30.0, description="Days that the history of a deleted engine is kept. Larger: the store needs more space."
    )
    self_end_s: Span = Field(
        600.0,
        description="Seconds without a request and without a running engine until the gateway ends by itself; the next "
        "request starts it. Default: ten minutes. Smaller: requests wait more often for a start (1-2 s); larger: an "
        "unused gateway keeps about 100 MB.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO",
        description="Lowest level in logs/gateway.log. INFO: all changes. DEBUG: every check, some MB an hour. "
        "WARNING: without the changes that led to an engine's state.",
    )
    # RUCAT_URL and RUCAT_TOKEN, for a central gateway on TCP, will be here: a later issue.

    @property
    def store(self) -> str:
        """URL of the store."""
        return self.store_url or f"surrealkv://{self.data_dir / 'db'}"


def load() -> Settings:
    """Read the settings from the environment; InvalidRequest names every wrong variable."""
    try:
        return Settings()
    except ValidationError as exc:
        raise InvalidRequest.of(
            [(PREFIX + "_".join(map(str, e["loc"])).upper(), e["msg"]) for e in exc.errors(include_input=False)]
        ) from None

"""The port of platforms: start, observe, stop, clean up, and the address of an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..engine import Credential, Engine, Reason
from ..lifecycle import Observation
from ..spec import EngineSpec


@dataclass(frozen=True)
class Problem:
    """Something that would keep a spec from starting.

    ``is_wrong`` True: the spec itself is invalid, a 400 at ``field``; False: it may be temporary (memory, port, quota),
    so the engine is created and becomes Failed with ``reason``.
    """

    field: str
    message: str
    is_wrong: bool = True
    reason: Reason = Reason.CONFIG_INVALID


@dataclass(frozen=True)
class Pinned:
    """A spec with all values fixed that a restart must keep, and the versions that it will run (None: unknown)."""

    spec: EngineSpec
    spark_version: str | None
    python_version: str | None


@dataclass(frozen=True)
class Endpoint:
    """The current address of an engine for this gateway's clients."""

    host: str
    port: int
    ui_url: str | None = None  # base address of the Spark UI as this gateway reaches it, http://host:port
    use_tls: bool = False
    is_its_own: bool = False  # only this engine can respond there, as long as the platform returns this address
    is_forwarded: bool = False  # its port is open whether or not anything listens behind it

    @property
    def url(self) -> str:
        """The Spark Connect address without a token: ``sc://host:port``."""
        return f"sc://{self.host}:{self.port}" + ("/;use_ssl=true" if self.use_tls else "")


@dataclass(frozen=True)
class Leftover:
    """What a platform has of an engine and run of this installation; ``where`` is for the platform only."""

    engine_id: str
    run: int
    where: str = ""


class Platform(Protocol):
    """Where engines run. Every method is about the life ``engine.state_run``, named ``engine.run_name``."""

    @property
    def name(self) -> str:
        """``local``, ``external``, ``kubernetes``, or a third party's."""
        ...

    async def open(self, installation: str) -> None:
        """Open the platform: the store's installation id goes into every label. Called once, before other methods."""
        ...

    async def close(self) -> None:
        """Release watches and connections; engines keep running."""
        ...

    async def check(self, spec: EngineSpec) -> list[Problem]:
        """Everything that would keep this spec from starting, fields that the platform does not support included."""
        ...

    async def pin(self, spec: EngineSpec) -> Pinned:
        """Fix what must not change between runs (versions, Python, folder, default resources): once, at create.

        Raises InvalidRequest if the spec names something that does not exist.
        """
        ...

    async def site(self, spec: EngineSpec) -> str:
        """The site of an engine with this spec."""
        ...

    def serves(self, site: str) -> bool:
        """Whether this gateway can act on engines of that site."""
        ...

    def sites(self) -> Sequence[str]:
        """The sites of this platform that the gateway serves, for its heartbeat."""
        ...

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Start the life, or adopt what exists of the same run; returns when it exists, before it responds.

        Raises PlatformError with ``reason`` if it cannot start, after cleaning up.
        """
        ...

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        """Observe the lives of many engines in one call; the result has every id. Never raises for one engine."""
        ...

    async def stop(self, engine: Engine) -> None:
        """Stop the life, gracefully and then by force; returns when its driver is gone or the platform will remove it.

        A life that does not exist is stopped. Raises PlatformUnavailable if its state is unknown.
        """
        ...

    async def clean(self, engine: Engine) -> None:
        """Remove what an ended life left behind (temp, work, secrets).

        The end of the log stays readable while the record exists; with target Deleted everything of every run is
        removed.
        """
        ...

    async def leftovers(self) -> Sequence[Leftover]:
        """Everything of this installation that exists, by engine and run, kept logs included."""
        ...

    async def remove(self, leftover: Leftover) -> None:
        """Stop and remove something that belongs to no record."""
        ...

    def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """Lines of the driver's log, of the last life if settled: the last ``tail`` (None: all).

        With ``follow`` new lines follow as they are written, until the life ends. Lines have no line end.
        """
        ...

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        """The address for clients of *this* gateway, computed, never stored; None while there is none."""
        ...

    def changes(self) -> AsyncIterator[str]:
        """Ids of engines that may have changed (an exit, a watch event), as they happen, until closed."""
        ...

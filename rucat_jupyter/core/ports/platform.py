"""The port of platforms: start, observe, stop, clean up, and where an engine answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..engine import Credential, Engine, Reason
from ..lifecycle import Observation
from ..spec import EngineSpec


@dataclass(frozen=True)
class Problem:
    """Something that would stop a spec from starting.

    ``is_wrong`` True: the spec itself is wrong, a 400 at ``field``; False: it may pass (memory, port, quota), so
    the engine is created and becomes Failed with ``reason``.
    """

    field: str
    message: str
    is_wrong: bool = True
    reason: Reason = Reason.CONFIG_INVALID


@dataclass(frozen=True)
class Pinned:
    """A spec with everything fixed that a restart must find again, and the versions it will run (None: unknown)."""

    spec: EngineSpec
    spark_version: str | None
    python_version: str | None


@dataclass(frozen=True)
class Endpoint:
    """Where this gateway's clients reach an engine now."""

    host: str
    port: int
    ui_url: str | None = None  # base address of the Spark UI as this gateway reaches it, http://host:port
    use_tls: bool = False
    is_its_own: bool = False  # nobody but this engine can answer there, as long as the platform gives this address
    is_forwarded: bool = False  # its port is open whether or not anything listens behind it

    @property
    def url(self) -> str:
        """The Spark Connect address without a token: ``sc://host:port``."""
        return f"sc://{self.host}:{self.port}" + ("/;use_ssl=true" if self.use_tls else "")


@dataclass(frozen=True)
class Leftover:
    """Something of this installation that a platform has for an engine and run; ``where`` is the platform's own."""

    engine_id: str
    run: int
    where: str = ""


class Platform(Protocol):
    """Where engines run. Everything speaks of the life ``engine.state_run``, named ``engine.run_name``."""

    @property
    def name(self) -> str:
        """``local``, ``external``, ``kubernetes``, or a third party's."""
        ...

    async def open(self, installation: str) -> None:
        """Begin: the store's installation id goes into every label. Called once, before all else."""
        ...

    async def close(self) -> None:
        """Let go of watches and connections; engines live on."""
        ...

    async def check(self, spec: EngineSpec) -> list[Problem]:
        """What would stop this spec from starting, all of it; a field the platform cannot honour is a problem."""
        ...

    async def pin(self, spec: EngineSpec) -> Pinned:
        """Fill in what must not change between runs (versions, Python, folder, default resources): once, at create.

        Raises InvalidRequest where the spec names something that is not there.
        """
        ...

    async def site(self, spec: EngineSpec) -> str:
        """The site that an engine of this spec is bound to."""
        ...

    def serves(self, site: str) -> bool:
        """Whether this gateway can act on engines of that site."""
        ...

    def sites(self) -> Sequence[str]:
        """The sites that this gateway serves on this platform, for its heartbeat."""
        ...

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Start the life, or adopt what is there of the same run; returns once it exists, not once it answers.

        Raises PlatformError with ``reason`` when it cannot start, having cleaned up after itself.
        """
        ...

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        """Look at the lives of many engines in one call; the answer has every id. Never raises for one engine."""
        ...

    async def stop(self, engine: Engine) -> None:
        """End the life, gracefully and then by force; returns when its driver is gone or the platform has the order.

        What is not there is ended. Raises PlatformUnavailable when it cannot know.
        """
        ...

    async def clean(self, engine: Engine) -> None:
        """Remove what an ended life left (temp, work, secrets).

        The log's end stays readable while the record lives; with target Deleted everything of every run goes.
        """
        ...

    async def leftovers(self) -> Sequence[Leftover]:
        """Everything of this installation that is there, by engine and run, kept logs included."""
        ...

    async def remove(self, leftover: Leftover) -> None:
        """End and remove what no record speaks of."""
        ...

    def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """Lines of the driver's log, of the last life when settled: the last ``tail`` (None: all).

        With ``follow`` each new line comes after them, until the life ends. Lines have no line end.
        """
        ...

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        """The address for *this* gateway's clients, computed, never stored; None while there is none."""
        ...

    def changes(self) -> AsyncIterator[str]:
        """Ids of engines that may have changed (an exit, a watch event), as they happen, until closed."""
        ...

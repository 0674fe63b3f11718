"""What the core needs of the outside: store, platforms, probes, clock; contracts that one test suite checks.

Every method is async, limits its own time, and is idempotent; a cancelled call leaves nothing half done that a
later call would not find. Errors are those of :mod:`rucat_jupyter.core.errors`, translated at the edge.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from ..engine import Credential, Engine, Event, Reason, Session
from ..lifecycle import Changes, Health, Observation, status_of
from ..spec import EngineSpec


class Clock(Protocol):
    """Time of this process."""

    def now(self) -> datetime:
        """Aware UTC time that never steps back or jumps: wall time at start plus monotonic time since."""
        ...

    def gap_s(self) -> float:
        """Seconds by which the wall clock has run ahead of :meth:`now` since the last call (a suspended machine)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


# --- the store --------------------------------------------------------------------------------------------


LOST_S = 14.0
"""A gateway whose heartbeat is older has gone."""


@dataclass(frozen=True)
class Beat:
    """One gateway's heartbeat row; ``age_s`` is by the store's own clock."""

    gateway_id: str
    host: str
    sites: tuple[str, ...]
    age_s: float = 0.0


@dataclass(frozen=True)
class Note:
    """What a transition's history line says beside the facts: who, what kind, why."""

    actor: str
    kind: str
    reason: str = ""

    def line(self, engine: Engine, run: int | None = None) -> Event:
        """The history line of this note on an engine as it is after the change, of the life ``run``.

        ``run`` None: the life that ``state`` speaks of, or the wanted one before any was claimed.
        """
        return Event(
            engine_id=engine.id,
            name=engine.name,
            owner=engine.owner,
            revision=engine.revision,
            run=run or engine.state_run or engine.run,
            actor=self.actor,
            kind=self.kind,
            reason=self.reason,
            status=status_of(engine).value,
        )


class Store(Protocol):
    """The registry: the only truth about engines.

    Any call raises StoreUnavailable when the database does not answer in time, and any write raises
    StoreTooNew when its schema is newer than this code.
    """

    async def open(self) -> None:
        """Connect, migrate the schema to this version, make the installation id if there is none."""
        ...

    async def close(self) -> None:
        """Let go of the database; safe to call twice."""
        ...

    async def check(self) -> None:
        """Return if the database answers now, else raise StoreUnavailable."""
        ...

    @property
    def installation(self) -> str:
        """The random id of this store (16 hex digits), known after :meth:`open`."""
        ...

    async def now(self) -> datetime:
        """The store's time: the only time that several gateways compare."""
        ...

    async def create(self, engine: Engine, credential: Credential, note: Note) -> Engine:
        """Insert engine, credential and first history line in one transaction; ``created_at`` becomes the store's time.

        Raises NameTaken (``details["id"]``: the existing engine) when owner and name are taken, also in a race.
        """
        ...

    async def get(self, engine_id: str) -> Engine:
        """Read one engine by id, or raise EngineNotFound."""
        ...

    async def find(self, owner: str, name: str) -> Engine:
        """Read one engine by owner and name, or raise EngineNotFound."""
        ...

    async def engines(self, owner: str | None = None) -> list[Engine]:
        """All engines (of one owner), oldest first."""
        ...

    async def some(self, engine_ids: Sequence[str]) -> list[Engine]:
        """Those of these engines that there are, in any order."""
        ...

    async def update(
        self, engine: Engine, changes: Changes, note: Note | None, credential: Credential | None = None
    ) -> Engine:
        """Compare-and-set on ``engine.revision``: write the fields, revision + 1, and the history line, as one.

        A ``credential`` takes the place of the engine's, in the same transaction.

        ``started_at`` and ``stopped_at`` may be given as :data:`STORE_NOW`. Values are those of the model's fields.
        Returns the new engine. Raises Conflict when the revision has moved or the engine is gone; IllegalTransition
        when ``state`` would make an illegal step. ``note`` None writes no history (messages only).
        """
        ...

    async def remove(self, engine: Engine, note: Note) -> None:
        """Compare-and-set delete of row, credential and sessions; the history stays, with a last line.

        Raises Conflict like :meth:`update`.
        """
        ...

    async def credential(self, engine_id: str) -> Credential:
        """The secrets of an engine, or EngineNotFound."""
        ...

    async def touch(self, engine_id: str, used_at: datetime) -> None:
        """Move ``last_used_at`` forward without moving the revision; quiet when the engine is gone."""
        ...

    async def history(self, engine_id: str) -> list[Event]:
        """Events of an engine, oldest first, also of a removed one; empty for an unknown id."""
        ...

    async def record(self, engine: Engine, note: Note) -> None:
        """Append a history line (a platform event) that changes nothing else."""
        ...

    async def prune_history(self, keep_days: float) -> None:
        """Drop the history of removed engines older than that."""
        ...

    async def put_session(self, session: Session) -> Session:
        """Insert or replace the session of (engine, key); moves the engine's revision. EngineNotFound if it is gone."""
        ...

    async def drop_session(self, engine_id: str, key: str) -> None:
        """Remove a session if it is there; moves the engine's revision if it was."""
        ...

    async def sessions(self, engine_ids: Sequence[str] | None = None) -> list[Session]:
        """Sessions of these engines (None: of all), oldest first."""
        ...

    async def beat(self, beat: Beat) -> None:
        """Write this gateway's heartbeat with the store's time."""
        ...

    async def unbeat(self, gateway_id: str) -> None:
        """Remove a gateway's heartbeat (a clean end)."""
        ...

    async def beats(self) -> list[Beat]:
        """All heartbeats with their age by the store's clock."""
        ...


class _StoreNow:
    """Sentinel type of :data:`STORE_NOW`."""

    def __repr__(self) -> str:
        return "STORE_NOW"


STORE_NOW = _StoreNow()
"""In changes, in place of a time: the store's own time at the write."""


# --- platforms --------------------------------------------------------------------------------------------


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
class Outline:
    """What a platform would start for a pinned spec; nothing of it is secret.

    ``conf`` has (key, value, whose): whose is "" for what the spec says, else words for why Rucat sets it.
    """

    conf: Sequence[tuple[str, str, str]]
    java: str
    java_version: int
    spark_home: str
    python: str
    directory: str
    java_options: Sequence[str]
    heap_mb: int
    needed_mb: int
    free_mb: int
    total_mb: int
    cores: int
    cores_offered: int


@dataclass(frozen=True)
class PlannedObject:
    """One thing that a platform would create; ``size`` in words, empty where it takes nothing."""

    kind: str
    name: str
    size: str = ""
    count: int = 1


@dataclass(frozen=True)
class Headroom:
    """One limit of a place, in its own units: what would be asked, what others use, what there is in all."""

    limit: str  # whose limit, as the place calls it
    resource: str
    asked: str
    used: str
    hard: str
    fits: bool


@dataclass(frozen=True)
class Blueprint:
    """What a platform that creates objects somewhere would create for a pinned spec; nothing of it is secret.

    ``conf`` as in :class:`Outline`. ``checked`` says in words what the place was asked, ``obstacles`` what it would
    refuse, each with what mends it.
    """

    conf: Sequence[tuple[str, str, str]]
    place: str
    objects: Sequence[PlannedObject]
    cores: str
    memory_mb: int
    headroom: Sequence[Headroom] = ()
    checked: Sequence[str] = ()
    obstacles: Sequence[str] = ()


@dataclass(frozen=True)
class Symptom:
    """One thing found by looking at a place of a platform: what, and the command that mends it; empty: all is well."""

    place: str
    found: str
    fix: str = ""


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


@runtime_checkable
class Planner(Protocol):
    """A platform that can say what it would start; those that cannot are planned without it."""

    async def outline(self, spec: EngineSpec, name: str) -> Outline | Blueprint:
        """What it would start for this pinned spec, whose secrets are masked.

        Raises PlatformError with the reason where something that it needs is not there.
        """
        ...


@runtime_checkable
class Examiner(Protocol):
    """A platform whose places can be looked at before an engine is there: for ``doctor``."""

    async def examine(self, specs: Sequence[EngineSpec]) -> Sequence[Symptom]:
        """Look at the places that these specs mean, each once: reachable or not, what is missing. Never raises."""
        ...


# --- probes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Activity:
    """Signs of use of a whole engine: operations running now, and when one last began or ended (None: none seen)."""

    running: int
    used_at: datetime | None


class Pulse(Protocol):
    """The regular health check of one life: both tiers, each at its own pace, never blocked by another engine's."""

    @property
    def health(self) -> Health:
        """What has been found so far."""
        ...

    @property
    def activity(self) -> Activity | None:
        """The latest signs of use, or None while nothing is known."""
        ...

    async def close(self) -> None:
        """Stop probing and wait until that is done."""
        ...


class Prober(Protocol):
    """Makes pulses; :mod:`rucat_jupyter.spark.command` has the real one."""

    def watch(self, engine: Engine, endpoint: Endpoint, token: str, wake: Wake) -> Pulse:
        """Begin to probe a life; ``wake(engine id)`` is called whenever ``health`` or busyness has changed."""
        ...

    async def close(self) -> None:
        """Close every pulse and connection."""
        ...


class Wake(Protocol):
    """Called with an engine's id when it deserves a look now; cheap, from the event loop's thread only."""

    def __call__(self, engine_id: str, /) -> None:
        """Note that a look is due."""
        ...


# --- what runs on an engine -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One Spark Connect operation that runs now; a number or time is None where the engine does not tell."""

    id: str
    user_id: str
    session_id: str
    text: str = ""
    is_ending: bool = False  # it was cancelled, and has not ended yet
    started_at: datetime | None = None
    stages: int | None = None
    stages_done: int | None = None
    tasks: int | None = None
    tasks_done: int | None = None
    tags: tuple[str, ...] = ()


SessionId = tuple[str, str]
"""User id and session id: what Spark Connect knows a session by."""


class Operations(Protocol):
    """Looks at, and cancels, what runs on an engine, of all its sessions; looking is no use of the engine.

    ``sessions`` are those that are known: an engine that does not list its sessions is asked for these alone. No call
    ever makes a session. Each raises EngineUnavailable when the engine does not answer, and NotPossible when it cannot
    tell (Spark before 4.2 without a UI).
    """

    async def running(self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId]) -> list[Operation]:
        """Operations that run now, oldest first; the probes' own are left out."""
        ...

    async def cancel(
        self, endpoint: Endpoint, token: str, sessions: Sequence[SessionId], operation_id: str
    ) -> Operation | None:
        """Ask the engine to cancel an operation; returns it as it was, or None where none of that id runs.

        It runs also when it was cancelled before and its jobs go on; jobs that it begins afterwards are ended.
        """
        ...

    def end_jobs(self, endpoint: Endpoint, operation: Operation) -> None:
        """End jobs that an operation has, or begins soon, although its own client has cancelled it; returns at once."""
        ...

    async def close(self) -> None:
        """End what goes on in the background."""
        ...

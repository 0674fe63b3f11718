"""Spark sessions of this process on engines: attach, detach, and clean up at exit.

One notebook has one session on an engine, identified by the notebook's path, with which it moves: a restarted kernel
gets it again with its temp views and runtime conf, which the engine keeps. So this module never releases it.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import logging
import os
import shlex
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from ...core.errors import RucatError
from ...core.sessions import key_of
from ..api import Api, View, engine_path
from ..cells import ipython_hooks
from ..errors import hows, words
from ..identity import Caller, caller, get_shell, own_process, present_path
from ..spark_errors import brief as spark_errors
from ..versions import mismatches, must_have_client
from ..words import text
from ..words.phase import notice
from . import lookups
from .announce import announcer
from .imports import import_whole

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

    from .guard import SessionGuard

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
DEFAULT_PORT = 15002
EXIT_S = 0.5  # pending releases of finished queries may take this long at exit
DETACH_S = 1.0  # how long a detach waits for the gateway
MAX_BACKOFF_MS = 1000
MOST_METADATA = 1 << 20
"""Spark's errors are metadata: of 2,048 characters, up to three bytes each, encoded twice. By default gRPC accepts
8 to 16 KB, and cuts the call (RST_STREAM) if there is more: 700 Chinese characters are too many."""
CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 20_000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_metadata_size", MOST_METADATA),
    ("grpc.absolute_max_metadata_size", MOST_METADATA),
)
"""By default gRPC waits up to two minutes between tries of a broken connection; a notebook should recover sooner.

The minimum is not a pause: it is how long one try may take until the server's first answer, on a slow connection to a
cluster or while the gateway holds it until the API server is back.
"""


class SomeEngine(Protocol):
    """What a session needs of an engine; the Python API's ``Engine`` is one."""

    _api: Api

    @property
    def id(self) -> str:
        """The id."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def status(self) -> str:
        """The last known status."""
        ...

    @property
    def run(self) -> int:
        """The number of its start."""
        ...

    @property
    def view(self) -> View:
        """The engine as REST last showed it."""
        ...

    def refresh(self) -> SomeEngine:
        """Read the present state from the gateway."""
        ...

    def wait(self) -> object:
        """Wait until the engine is Running."""
        ...


@dataclass(eq=False)
class Attachment:
    """One session of this process on an engine."""

    engine: SomeEngine
    caller: Caller
    spark: Any
    guard: SessionGuard

    @property
    def is_open(self) -> bool:
        """Whether the session object can be used."""
        return not self.spark.is_stopped and not self.guard.is_closed


_attachments: list[Attachment] = []
_lock = threading.RLock()


def connect(engine: SomeEngine, session: str | None = None) -> SparkSession:
    """Wait until the engine is Running and return this notebook's session on it (the same object each time)."""
    spark = attach(engine, session).spark
    announcer.connected(engine.id)
    return spark  # type: ignore[no-any-return]


def attach(engine: SomeEngine, session: str | None = None) -> Attachment:
    """Like :func:`connect`, but return everything that belongs to the session."""
    must_have_client(engine.name)
    who = _taken_over(engine, session) or caller(session)
    with _lock:
        found = next(
            (a for a in _attachments if a.engine.id == engine.id and present_path(a.caller.path) == who.path), None
        )
        if found is not None and found.is_open:
            found.engine = engine
            return found
        engine.wait()
        made = _open(engine, who, is_new=found is not None)
        if found is not None:
            _attachments.remove(found)
        _attachments.append(made)
        _update_interrupts()
        return made


def _taken_over(engine: SomeEngine, session: str | None) -> Caller | None:
    """Give this notebook the session of one that no longer exists, if ``session`` is its path; None: it is not.

    The notebook was moved outside of Jupyter, or is gone: no other notebook can ask for that session.
    """
    if session is None or not _is_missing(session):
        return None
    own = caller()
    if not _is_there(own):
        return None
    if session not in [known["path"] for known in engine.refresh().view["sessions"]]:
        return None
    for attachment in attachments():
        if attachment.engine.id == engine.id and present_path(attachment.caller.path) == own.path:
            detach(attachment)  # the session that this notebook has had until now
    engine._api.call("POST", "sessions/move", json={"from": session, "to": own.path})
    engine.refresh()
    return own


def _is_there(who: Caller) -> bool:
    """Whether the caller is a notebook in a file on this machine, so that others may have been, too."""
    return Path(who.path).is_absolute() and Path(who.path).is_file()


def _is_missing(path: str) -> bool:
    """Whether it is the path of a notebook on this machine that no longer exists."""
    return Path(path).is_absolute() and path.endswith(".ipynb") and not Path(path).exists()


def _hint_at_lost(engine: SomeEngine, who: Caller) -> str:
    """One line about a session whose notebook no longer exists, if this notebook has none yet; or ""."""
    if not _is_there(who):
        return ""
    known = [each["path"] for each in engine.refresh().view["sessions"]]
    lost = [path for path in reversed(known) if _is_missing(path)]
    if not lost or who.path in known:
        return ""
    own = Path(who.path)  # moved with the same name, or renamed in its folder, is the most likely
    likely = max(lost, key=lambda path: (Path(path).name == own.name, Path(path).parent == own.parent))
    attach = hows(engine.name)["attach"]  # uncut, so that it works
    how = f"{attach} --session {shlex.quote(likely)}" if words() else attach.replace("()", f"({likely!r})")
    return f"This is a new session. If this notebook was {likely}, take over its session: {how}"


def attachments() -> list[Attachment]:
    """The sessions of this process, in the order in which they were attached."""
    with _lock:
        return list(_attachments)


def detach(attachment: Attachment) -> None:
    """Close the session here; the engine keeps it, with its views and conf."""
    with _lock:
        if attachment not in _attachments:
            return
        _attachments.remove(attachment)
        _update_interrupts()
        _close(attachment)
        if _attachments:
            make_active(_attachments[-1])
        else:
            _builder().unshare()
    _say_detached(attachment)


def _say_detached(attachment: Attachment) -> None:
    """Let lists count the session no more; if the gateway does not answer now, they do so when this process ends."""
    key = key_of(present_path(attachment.caller.path))
    try:
        attachment.engine._api.glance(engine_path(attachment.engine.id, "sessions", key, "detach"), DETACH_S, "POST")
    except RucatError as exc:
        log.info("the session on %s still counts as attached: %s", attachment.engine.name, exc.message)


def _update_interrupts() -> None:
    ipython_hooks.interrupts.sessions = tuple(attachment.guard for attachment in _attachments)


def suspend(engine_id: str) -> None:
    """Cut this process's connections to an engine that is about to end; its sessions continue in its next life."""
    for attachment in attachments():
        if attachment.engine.id == engine_id:
            attachment.guard.suspend()


def has_said(engine_id: str, run: int) -> None:
    """Note that the user knows of this restart of an engine: its sessions do not report it again."""
    for attachment in attachments():
        if attachment.engine.id == engine_id:
            attachment.guard.has_said(run)


def _open(engine: SomeEngine, who: Caller, *, is_new: bool) -> Attachment:
    import_whole("pyspark.sql.connect.session", "rucat_jupyter.client.session.guard")
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415 - heavy
    from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415 - heavy

    from .guard import SessionGuard  # noqa: PLC0415 - heavy: grpc comes with it

    api, view = engine._api, engine.view
    body: dict[str, Any] = {"path": who.path, "process": own_process()}
    if is_new:  # the user stopped the session: the engine does not accept that id again
        body["session_id"] = str(uuid.uuid4())
    hint = _hint_at_lost(engine, who)
    known = api.call("PUT", engine_path(engine.id, "sessions", who.key), json=body)
    guard = SessionGuard(api, view, who.path, open_channel)
    spark = SparkSession(_channel_builder(guard, known, view))
    guard.bind(spark)
    ipython_hooks.install()
    spark._client.set_retry_policies(
        [DefaultPolicy(max_retries=None, initial_backoff=50, max_backoff=MAX_BACKOFF_MS, backoff_multiplier=2.0)]
    )
    _run_last_first()
    made = Attachment(engine, who, spark, guard)
    make_active(made)
    if (shell := get_shell()) is not None:
        spark_errors.install(shell)
    spark_version = view.get("spark_version") or spark.version
    for line in mismatches(view, spark_version):
        notice(line)
    if hint:
        notice(hint)
    return made


def open_channel(connection: dict[str, Any]) -> Any:
    """Make a gRPC channel from an answer of ``/connection``; on loopback without a proxy."""
    import grpc  # noqa: PLC0415 - heavy
    from pyspark.sql.connect.client import ChannelBuilder  # noqa: PLC0415 - heavy

    parts = urlsplit("http" + connection["url"].removeprefix("sc"))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    target = f"{host}:{parts.port or DEFAULT_PORT}"
    options = [*ChannelBuilder.GRPC_DEFAULT_OPTIONS, *CHANNEL_OPTIONS]
    if host in LOOPBACK:
        options.append(("grpc.enable_http_proxy", 0))
    if dict(parse_qsl(parts.path.partition(";")[2], separator=";")).get("use_ssl") == "true":
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
    return grpc.insecure_channel(target, options=options)


def _channel_builder(guard: SessionGuard, known: dict[str, str], view: View) -> Any:
    from pyspark.sql.connect.client import ChannelBuilder  # noqa: PLC0415 - heavy

    class Builder(ChannelBuilder):
        """Gives pyspark our channel; the token is sent as metadata of that channel, and is not visible elsewhere."""

        @property
        def host(self) -> str:
            return text.where(view)

        @property
        def token(self) -> None:
            return None

        def toChannel(self) -> Any:
            return guard.channel

    return Builder(params={Builder.PARAM_USER_ID: known["user_id"], Builder.PARAM_SESSION_ID: known["session_id"]})


def make_active(attachment: Attachment) -> None:
    """Make ``SparkSession.getActiveSession()``, ``builder.getOrCreate()`` and the functions find this session."""
    lookups.install()
    _builder().share(attachment.spark, attachment.engine.name)


def _builder() -> ModuleType:
    from . import builder  # noqa: PLC0415 - heavy: loads pyspark

    return builder


def _close(attachment: Attachment) -> None:
    """Close what is local, without a call to the engine."""
    attachment.guard.channel.close()
    spark = attachment.spark
    spark.release_session_on_close = False
    spark.stop()


def _run_last_first() -> None:
    """Close sessions before pyspark's own exit handlers run, which would call engines that may be dead."""
    atexit.unregister(_close_all)
    atexit.register(_close_all)
    if "fork" not in _hooks and hasattr(os, "register_at_fork"):
        _hooks.add("fork")
        os.register_at_fork(after_in_child=_leave)
    if "threads" not in _hooks and hasattr(threading, "_register_atexit"):
        _hooks.add("threads")
        threading._register_atexit(_cut_all)


_hooks: set[str] = set()


def _leave() -> None:
    """In a forked child: pyspark is as without an engine, and what is the parent's is never used, closed or freed."""
    global _lock  # noqa: PLW0603 - another thread of the parent may hold it
    _lock = threading.RLock()
    _inherited.extend(_attachments)
    _attachments.clear()
    _update_interrupts()
    for attachment in _inherited:
        attachment.guard.leave()
        client = attachment.spark._client
        for at_exit in ("_on_exit", "_cleanup_ml_cache"):  # of pyspark 4.3, and of 4.1
            if hasattr(client, at_exit):
                atexit.unregister(getattr(client, at_exit))
    _builder().unshare()


_inherited: list[Attachment] = []


def _cut_all() -> None:
    """Before Python joins its thread pools at exit: wait for releases of finished queries, and end what hangs."""
    futures = [f for a in attachments() for f in getattr(a.spark._client, "_release_futures", ())]
    concurrent.futures.wait(futures, timeout=EXIT_S)
    for attachment in attachments():
        attachment.guard.channel.close()


def _close_all() -> None:
    for attachment in attachments():
        _close(attachment)
    _attachments.clear()

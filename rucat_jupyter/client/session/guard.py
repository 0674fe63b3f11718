"""Knows whether the engine of one session is alive, and decides what a failed call means.

While the gateway says that the engine is alive, or does not answer, a failed call goes back to pyspark, which tries
again: so a broken connection recovers. As soon as the gateway says Failed, Stopped or Deleting, every call ends with
the engine's own failure. While a call hangs (a frozen engine), a thread asks the gateway.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from typing import Any

import grpc
from grpc_status import rpc_status  # type: ignore[import-untyped]

from ...core.errors import EngineNotFound, RucatError
from ...core.sessions import key_of
from ..api import LONGEST_POLL_S, Api, View, engine_path
from ..cells.operations import Operation, cells
from ..errors import EngineFailed, explained
from ..identity import own_process, present_path
from ..words import text
from ..words.phase import notice
from . import renewal
from .channel import CONFIG_METHOD, INTERRUPT_METHOD, GuardedChannel, Metadata
from .watch import Watch

log = logging.getLogger(__name__)

ENDED = ("Failed", "Stopped", "Stopping", "Deleting")
LIVE = ("Running", "Unresponsive")
PATIENCE_S = 5.0  # a notice is shown if calls fail for longer than this
CHANGE_S = 1.0  # how long a failed call waits for the gateway to find out why
STOPPING_S = 5.0  # how long an error of a dying SparkContext waits for it
NEVER_SENT = ("failed to connect", "Connection refused")
"""gRPC's words for a connection that was not established, so that the engine cannot have seen the call."""
REFUSED = grpc.StatusCode.UNAUTHENTICATED
"""The answer of a new life on the old port to the token of the old one, before it reads the request."""
DYING = ("SparkContext was shut down", "stopped SparkContext", "SparkContext has been shutdown", "SparkContext is shut")
SESSION_ENDED = re.compile(r"\s*(?:\([\w.$]+\) )?\[INVALID_HANDLE\.SESSION_(CLOSED|NOT_FOUND|CHANGED)\]")
"""How Spark says that a session has ended; the same words elsewhere in a message are a user's own."""
DOUBTFUL = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""Codes that may mean a dead engine (or another server on its port) if they come without an error of Spark."""


class Detached(RucatError):
    """The session was closed (``%rucat detach``, or the end of the process)."""

    code = "detached"

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show only the message: IPython's hook for errors that render their own traceback."""
        return [self.message]


class SessionGuard:
    """The guard of one session's channel (:class:`rucat_jupyter.client.session.channel.Guard`).

    Parameters
    ----------
    view
        The engine as REST showed it when the session was attached.
    path
        The notebook's path, for a new session id.
    open_channel
        Makes a channel from the answer of ``/connection``.
    """

    def __init__(self, api: Api, view: View, path: str, open_channel: Callable[[dict[str, Any]], grpc.Channel]) -> None:
        self._api, self._view = api, view
        self._path = path
        self._run: int = view["run"]
        self._said_run = self._run  # the last run of which the user knows that it has begun
        self._open_channel = open_channel
        self._connection = self._get_connection()
        self._lock = threading.RLock()
        self._spark: weakref.ref[Any] | None = None
        self._closed = threading.Event()
        self._why_closed = "was closed; attach again for another"
        self._is_cut = False
        self._error: EngineFailed | None = None
        self._rewritten: Any = None  # the last request that was rejected because its session had ended
        self.waits: dict[int, float] = {}
        self._failing_since: float | None = None
        self._has_warned = False
        self.channel = GuardedChannel(self._open_now, self, self._closed.set)
        Watch(self, api, self._closed).start()

    @property
    def view(self) -> View:
        """The engine as it was last seen."""
        return self._view

    @property
    def name(self) -> str:
        """The engine's name, as it is shown."""
        return text.plain(self._view["name"])

    @property
    def is_cut(self) -> bool:
        """Whether the gateway must be asked about the engine before the next call."""
        return self._is_cut

    @property
    def is_closed(self) -> bool:
        """Whether the session was detached, or stopped by its user."""
        return self._closed.is_set()

    def bind(self, spark: Any) -> None:
        """Set the session object that continues in a new session if the one on the engine ends."""
        self._spark = weakref.ref(spark)

    def leave(self) -> None:
        """Refuse all calls in a forked child: the connection is its parent's. Locks may be held by threads of that."""
        self._lock, self._closed = threading.RLock(), threading.Event()
        self._closed.set()
        self._why_closed = "belongs to the process that attached it; attach again in this one"

    def suspend(self) -> None:
        """Cancel all calls, and ask about the engine before the next one: it is about to stop or restart."""
        with self._lock:
            self._is_cut = True
        self.channel.cut()

    def has_said(self, run: int) -> None:
        """Note that the user knows of this restart, and of what is lost."""
        self._said_run = run

    # --- what the channel asks -----------------------------------------------------------------------------

    def metadata(self) -> Metadata:
        """The token, as a header: with a token in the address pyspark would use TLS."""
        token = self._connection.get("token")
        return [("authorization", f"Bearer {token}")] if token else []

    def begin(self) -> None:
        """Note that this thread waits for the engine; without a lock, because every call passes here."""
        self.waits[threading.get_ident()] = time.monotonic()

    def end(self) -> None:
        """Note that it no longer waits."""
        self.waits.pop(threading.get_ident(), None)

    def before(self, request: Any) -> None:
        """Reject calls of a detached session; find the engine again after a cut."""
        if self._closed.is_set():
            raise Detached(f"the session on {self._view['name']} {self._why_closed}")
        if self._is_cut:
            self._reopen()
            if (spark := self._session()) is not None:
                renewal.rewrite(request, spark)

    def can_ask(self) -> bool:
        """Whether there is an engine to ask now; raises its failure if it has ended."""
        if not self._is_cut:
            return True
        view = self._look()
        return self._is_alive(view) and view is not None and view["status"] in LIVE

    def ping(self, request: Any, timeout_s: float) -> None:
        """Ask without the token: an engine refuses that in milliseconds, also a busy one that makes a session for long.

        One without a token reads a conf.
        """
        from pyspark.sql.connect import proto  # noqa: PLC0415 - heavy

        asked = proto.ConfigRequest(
            session_id=request.session_id, user_context=request.user_context, client_type=request.client_type
        )
        asked.operation.get.keys.append("spark.sql.session.timeZone")
        call = self.channel.unary_unary(
            CONFIG_METHOD,
            request_serializer=proto.ConfigRequest.SerializeToString,
            response_deserializer=proto.ConfigResponse.FromString,
        )
        try:
            call.send(asked, timeout_s, None, {}, is_signed=False)
        except grpc.RpcError as error:
            if error.code() is not REFUSED:
                raise

    def starts(self, request: Any) -> Operation | None:
        """Tag an operation that is about to be sent, and follow it for its cell."""
        return cells.start(request, self)

    def goes_on(self, request: Any) -> Operation | None:
        """Find the operation whose answers are requested again."""
        return cells.find(request.operation_id)

    def released(self, request: Any) -> None:
        """Note that the results of an operation are no longer needed."""
        if request.HasField("release_all"):
            cells.release(request.operation_id)

    def interrupt(
        self, request: Any, timeout_s: float, *, tag: str | None = None, operation_id: str | None = None
    ) -> list[str]:
        """Interrupt operations of the request's session by tag or id; see :class:`.operations.Session`."""
        from pyspark.sql.connect import proto  # noqa: PLC0415 - heavy

        asked = proto.InterruptRequest(
            session_id=request.session_id, user_context=request.user_context, client_type=request.client_type
        )
        if operation_id is not None:
            asked.operation_id = operation_id
            asked.interrupt_type = proto.InterruptRequest.INTERRUPT_TYPE_OPERATION_ID
        elif tag is not None:
            asked.operation_tag = tag
            asked.interrupt_type = proto.InterruptRequest.INTERRUPT_TYPE_TAG
        call = self.channel.unary_unary(
            INTERRUPT_METHOD,
            request_serializer=proto.InterruptRequest.SerializeToString,
            response_deserializer=proto.InterruptResponse.FromString,
        )
        return list(call.send(asked, timeout_s, None, {}).interrupted_ids)

    def end_jobs(self, request: Any, timeout_s: float) -> None:
        """Make the gateway end jobs that start in spite of an interrupt: Spark loses one that comes before them."""
        path = engine_path(self._view["id"], "operations", request.operation_id, "cancel")
        try:
            self._api.glance(path, timeout_s, "POST", {"session_id": request.session_id})
        except RucatError as exc:
            log.info("jobs of operation %s may keep running: %s", request.operation_id, exc.message)

    def after(self, error: grpc.RpcError, request: Any, *, may_repeat: bool) -> bool:
        """Decide what the failure of a call means; see :class:`rucat_jupyter.client.session.channel.Guard`."""
        if self._closed.is_set():
            raise Detached(f"the session on {self._view['name']} was closed") from None
        status = rpc_status.from_call(error)
        if status is not None:
            return self._after_spark_error(status.message, request, may_repeat=may_repeat)
        never_done = error.code() is REFUSED or any(words in str(error.details()) for words in NEVER_SENT)
        never_sent = may_repeat and never_done
        if self._is_cut:
            if never_sent:
                return True
            raise self._error or self._lost() from None
        if error.code() not in DOUBTFUL:
            return False
        is_retried = error.code() is grpc.StatusCode.UNAVAILABLE
        return self._doubt(str(error.details()), never_sent=never_sent, is_retried=is_retried)

    # --- verdicts ------------------------------------------------------------------------------------------

    def _after_spark_error(self, message: str, request: Any, *, may_repeat: bool) -> bool:
        """An error of Spark's own: the session may have ended, or the engine may be about to."""
        self._failing_since = None
        if (ended := SESSION_ENDED.match(message)) is not None and request is not self._rewritten:
            self._rewritten = request  # rejected a second time, it is Spark's error for the user
            if not self._renew(request, is_new_id=ended[1] != "CHANGED"):
                return False
            if not (may_repeat and self._rewrite(request)):
                raise EngineFailed.session_lost(self._view) from None
            return True
        if any(words in message for words in DYING):
            end = time.monotonic() + STOPPING_S
            while self._is_alive(self._look(wait_s=CHANGE_S)) and time.monotonic() < end:
                continue
        return False

    def _doubt(self, details: str, *, never_sent: bool, is_retried: bool) -> bool:
        """The connection broke: raise if the engine has ended or restarted, else pass the error to pyspark.

        pyspark tries again only if there is no connection (``is_retried``). A cell shows other errors, and then a
        notice that the engine does not answer is wrong: it answered, but the transport lost the answer.
        """
        for wait_s in (0.0, CHANGE_S):
            view = self._look(wait_s)
            if not self._is_alive(view):
                break
            if view is not None and view["run"] != self._run:
                if not never_sent:
                    raise EngineFailed.restarted(view) from None
                self.suspend()
                return True
        if is_retried:
            self._warn_of_failing(view, details)
        return False

    def _is_alive(self, view: View | None) -> bool:
        """Whether the engine may still answer (None: unknown); raises its failure if it cannot."""
        if view is not None and view["status"] in ENDED:
            error = self._failure(view)
            self._cut(error)  # the next call looks for the engine's next life, on a new connection
            raise error from None
        return view is not None

    def _look(self, wait_s: float = 0.0) -> View | None:
        """Ask the gateway; None if it does not answer. Raises EngineFailed if the engine was deleted."""
        try:
            self._view = self._api.poll(self._view, wait_s) if wait_s else self._api.engine(self._view["id"])
        except EngineNotFound:
            raise EngineFailed.gone(self._view) from None
        except RucatError:
            return None
        return self._view

    def _failure(self, view: View) -> EngineFailed:
        return EngineFailed.of(explained(view, self._api))

    def _lost(self) -> EngineFailed:
        """The error of a call that was cut off."""
        view = self._look()
        if view is not None and view["status"] in ENDED:
            return self._failure(view)
        return EngineFailed.restarted(self._view)

    def _warn_of_failing(self, view: View | None, details: str) -> None:
        now = time.monotonic()
        if self._failing_since is None or now - self._failing_since > 10 * PATIENCE_S:
            self._failing_since, self._has_warned = now, False
        elif not self._has_warned and now - self._failing_since > PATIENCE_S:
            self._has_warned = True
            name = text.plain(self._view["name"])
            says = f"the gateway says {view['status']}" if view is not None else "nor does its gateway"
            notice(
                f"◐ {name} does not answer ({says}): still trying. Interrupt stops waiting. {text.plain(details, 120)}"
            )

    # --- continuing ----------------------------------------------------------------------------------------

    def _reopen(self) -> None:
        """Find the engine after a cut: raise if it has ended, wait while it starts, continue in its new life."""
        has_said = False
        view = self._look()
        while view is None or view["status"] not in LIVE or not self._reconnect():
            self._is_alive(view)
            if not has_said and view is not None:
                has_said = True
                notice(f"{text.phase_line(view)}: waiting until it is Running. Interrupt stops waiting.")
            if view is None:
                time.sleep(CHANGE_S)  # no gateway answers now
            view = self._look(LONGEST_POLL_S) if view is not None else self._look()
        with self._lock:
            if not self._is_cut:
                return  # another thread has done it
            if view["run"] != self._run:
                self._run = view["run"]
                if (spark := self._session()) is not None:
                    renewal.forget_server(spark)
                if self._run != self._said_run:
                    self._said_run = self._run
                    notice(
                        f"● {text.plain(view['name'])} was restarted: "
                        "temp views and runtime conf are gone; spark works again."
                    )
            self._is_cut, self._error = False, None

    def _renew(self, request: Any, *, is_new_id: bool) -> bool:
        """Continue in a new session after the engine ended this one; False if this pyspark cannot."""
        spark = self._session()
        if spark is None or not renewal.can_follow(spark):
            return False
        with self._lock:
            if renewal.is_of_now(spark, request, is_new_id=is_new_id):
                if is_new_id:
                    renewal.follow(spark, self._new_session_id())
                    why = "it was idle for long, or stopped"
                else:
                    view = self._look()
                    self._run = view["run"] if view is not None else self._run
                    why = "the engine was restarted"
                renewal.forget_server(spark)
                notice(
                    f"● the session on {text.plain(self._view['name'])} had ended ({why}): "
                    "spark uses a new one now; temp views and runtime conf are gone."
                )
        return True

    def _rewrite(self, request: Any) -> bool:
        """Rewrite a rejected request to use the current session id, so it can be retried."""
        spark = self._session()
        return spark is not None and renewal.rewrite(request, spark)

    def _session(self) -> Any:
        return self._spark() if self._spark is not None else None

    def _new_session_id(self) -> str:
        path = present_path(self._path)  # the notebook may have been renamed since
        body = {"path": path, "session_id": str(uuid.uuid4()), "process": own_process()}
        answer = self._api.call("PUT", engine_path(self._view["id"], "sessions", key_of(path)), json=body)
        return str(answer["session_id"])

    def _reconnect(self) -> bool:
        """Read the engine's present address; False if it has none any more."""
        try:
            self._connection = self._get_connection()
        except RucatError:
            return False
        return True

    def _get_connection(self) -> dict[str, Any]:
        connection: dict[str, Any] = self._api.call("GET", engine_path(self._view["id"], "connection"))
        return connection

    def _open_now(self) -> grpc.Channel:
        return self._open_channel(self._connection)

    # --- what the watch finds ------------------------------------------------------------------------------

    def found(self, view: View) -> str:
        """Handle what the watch saw: cancel all calls if the engine has ended; returns the status."""
        self._view = view
        if view["status"] in ENDED:
            self._cut(self._failure(view))
        elif view["run"] != self._run:
            self._cut(EngineFailed.restarted(view))
        return str(view["status"])

    def found_none(self) -> None:
        """Handle that the engine no longer has a record."""
        self._cut(EngineFailed.gone(self._view))

    def _cut(self, error: EngineFailed) -> None:
        with self._lock:
            if self._is_cut:
                return
            self._is_cut, self._error = True, error
        self.channel.cut()

"""The messages of Spark Connect that the gateway sends and reads, and the meaning of the answers.

They are compiled from ``connect.proto``, a part of Spark's definitions: importing it takes 10 ms and 2 MB, importing
``pyspark.sql.connect.proto`` 0.6 s and 120 MB. Answers were measured on Spark 4.3.0 (those of a stopped SparkContext
too, see :func:`is_stopped_context`). Nothing here does IO.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .connect_pb2 import ExecutePlanRequest, GetStatusRequest, InterruptRequest

SERVICE = "/spark.connect.SparkConnectService/"
ANALYZE = SERVICE + "AnalyzePlan"
"""Called without a token and with an empty message: a live server rejects it with UNAUTHENTICATED."""
RELEASE = SERVICE + "ReleaseExecute"
"""Called with the token and an empty message: responds "no such session" in 2-10 ms, and creates nothing."""
EXECUTE = SERVICE + "ExecutePlan"
GET_STATUS = SERVICE + "GetStatus"
"""Responds SESSION_NOT_FOUND for a session that does not exist, and does not create it (measured on Spark 4.3.0)."""
INTERRUPT = SERVICE + "Interrupt"
"""Creates a session that does not exist: call it only for existing sessions."""

PROBE_USER = "rucat-probe"
"""The user id of every probe: its operations do not count as activity."""
PROBE_QUERY = "VALUES (1)"
"""A query without a Spark job: it takes 150 ms even if every core is busy (``select 1`` waits for one)."""

_CLIENT_TYPE = "rucat"
_SESSIONS = uuid.UUID("0d9f0f0e-8f5c-5d0a-9e42-7a8a3f6f1d52")
_STOPPED = re.compile(r"stopped SparkContext|SparkContext (has been|was) (shut ?down|stopped)", re.IGNORECASE)
_NO_MEMORY = re.compile(r"OutOfMemoryError|Java heap space|GC overhead limit", re.IGNORECASE)
_LOST_SESSION = re.compile(r"INVALID_HANDLE\.SESSION_(CLOSED|NOT_FOUND|CHANGED|NOT_SAME)")
_ERROR_CLASS = re.compile(r"\[(?!INTERNAL_ERROR)[A-Z][A-Z0-9_.]+\]")


@dataclass(frozen=True)
class Answer:
    """The result of one call: the name of a gRPC status code, and its text."""

    code: str
    text: str = ""

    @property
    def is_from_server(self) -> bool:
        """Whether the answer is from the server, rather than from the transport or the deadline."""
        return self.code not in {"UNAVAILABLE", "DEADLINE_EXCEEDED", CUT}

    @property
    def line(self) -> str:
        """Code and the first line of the text, shortened for a message."""
        first = self.text.strip().splitlines()[0][:160] if self.text.strip() else ""
        return f"{self.code}: {first}" if first else self.code


CUT = "CUT"
"""Our own code for a call that we ended by closing its channel: it says nothing about the engine."""


class Finding(Enum):
    """The meaning of the answer to a probe query."""

    ANSWER = "answer"  # queries run
    LOST_SESSION = "lost session"  # the probe session is gone: use a new one
    REFUSED = "refused"  # the server rejects our token: it is not our engine
    UNREACHED = "unreached"  # no answer: the first tier handles that
    STOPPED = "stopped"  # the server says that the SparkContext is stopped
    BROKEN = "broken"  # a healthy engine does not answer like this


def probe_session(run_name: str, attempt: int) -> str:
    """The probe session of a life, the same in all gateways; ``attempt`` counts closed sessions."""
    return str(uuid.uuid5(_SESSIONS, f"{run_name}/{attempt}"))


def execute_request(session_id: str) -> bytes:
    """``ExecutePlanRequest`` of :data:`PROBE_QUERY` as :data:`PROBE_USER`."""
    return ExecutePlanRequest(
        session_id=session_id,
        user_context={"user_id": PROBE_USER},
        plan={"root": {"sql": {"query": PROBE_QUERY}}},
        client_type=_CLIENT_TYPE,
    ).SerializeToString()


def status_request(user_id: str, session_id: str) -> bytes:
    """``GetStatusRequest`` for all operations of a session."""
    return GetStatusRequest(
        session_id=session_id, user_context={"user_id": user_id}, client_type=_CLIENT_TYPE, operation_status={}
    ).SerializeToString()


def interrupt_request(user_id: str, session_id: str, operation_id: str) -> bytes:
    """``InterruptRequest`` for one operation."""
    return InterruptRequest(
        session_id=session_id,
        user_context={"user_id": user_id},
        client_type=_CLIENT_TYPE,
        interrupt_type=InterruptRequest.INTERRUPT_TYPE_OPERATION_ID,
        operation_id=operation_id,
    ).SerializeToString()


def is_stopped_context(answer: Answer) -> bool:
    """Whether a server says that its SparkContext is stopped.

    Spark 4.3 says so once, as INTERNAL; after that its error handler fails, because there is no SparkEnv, and every
    failed call gets UNKNOWN "Application error processing RPC" (:func:`is_handler_failure`).
    """
    return _STOPPED.search(answer.text) is not None


def is_handler_failure(answer: Answer) -> bool:
    """Whether the server failed to report an error; if every call does so, the SparkEnv is gone."""
    return answer.code == "UNKNOWN"


_FINDINGS: tuple[tuple[Callable[[Answer], bool], Finding], ...] = (
    (lambda a: a.code == "OK", Finding.ANSWER),
    (lambda a: not a.is_from_server, Finding.UNREACHED),
    (lambda a: a.code == "UNAUTHENTICATED", Finding.REFUSED),
    (lambda a: _LOST_SESSION.search(a.text) is not None, Finding.LOST_SESSION),
    (is_stopped_context, Finding.STOPPED),
    (lambda a: is_handler_failure(a) or a.code == "UNIMPLEMENTED", Finding.BROKEN),
    (lambda a: _NO_MEMORY.search(a.text) is not None, Finding.BROKEN),
    # INTERNAL carries every error of Spark. With an error class the engine works and rejects the query (an extension, a
    # limit, an interrupt); without one it is an exception that VALUES (1) never raises in a healthy engine.
    (lambda a: a.code == "INTERNAL" and not _ERROR_CLASS.search(a.text), Finding.BROKEN),
)
"""The meaning of an answer, first match; with any other answer the engine works and rejects the query."""


def finding_of(answer: Answer) -> Finding:
    """The meaning of an answer to :data:`PROBE_QUERY`."""
    return next((finding for applies, finding in _FINDINGS if applies(answer)), Finding.ANSWER)

"""The bytes of the probes, and what each answer means."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from rucat_jupyter.adapters.connect_wire import (
    CUT,
    PROBE_QUERY,
    PROBE_USER,
    Answer,
    Finding,
    execute_request,
    finding_of,
    is_stopped_context,
    probe_session,
)

# As measured on Spark 4.3.0.
STOPPED = Answer(
    "INTERNAL",
    "Cannot call methods on a stopped SparkContext.\nThis stopped SparkContext was created at:\n\norg.apache…",
)
HANDLER_FAILED = Answer("UNKNOWN", "Application error processing RPC")


def test_the_request_is_what_pyspark_would_send() -> None:
    """The hand-coded bytes decode, by Spark's own schema, to the probe query and nothing else."""
    import pyspark.sql.connect.proto as pb

    session = probe_session("rucat-0123456789abcdef-1", 0)
    expected = pb.ExecutePlanRequest(session_id=session, client_type="rucat")
    expected.user_context.user_id = PROBE_USER
    expected.plan.root.sql.query = PROBE_QUERY
    actual = pb.ExecutePlanRequest.FromString(execute_request(session))
    assert expected == actual
    assert expected.SerializeToString(deterministic=True) == actual.SerializeToString(deterministic=True)


def test_a_long_field_gets_a_long_length() -> None:
    """A field of 128 bytes and more has a length of two bytes (a varint)."""
    import pyspark.sql.connect.proto as pb

    assert pb.ExecutePlanRequest.FromString(execute_request("x" * 300)).session_id == "x" * 300


def test_the_probe_session_is_fixed() -> None:
    """A life has one probe session, the same for every gateway; a closed one is followed by another."""
    first = probe_session("rucat-0123456789abcdef-1", 0)
    assert str(uuid.UUID(first)) == first
    assert first == probe_session("rucat-0123456789abcdef-1", 0)
    others = {probe_session("rucat-0123456789abcdef-1", 1), probe_session("rucat-0123456789abcdef-2", 0)}
    assert len(others | {first}) == 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer("OK"), Finding.ANSWER),
        (Answer("UNAVAILABLE", "Connection refused"), Finding.UNREACHED),
        (Answer("DEADLINE_EXCEEDED"), Finding.UNREACHED),
        (Answer(CUT), Finding.UNREACHED),
        (Answer("UNAUTHENTICATED", "Invalid authentication token"), Finding.REFUSED),
        (Answer("INTERNAL", "[INVALID_HANDLE.SESSION_CLOSED] The handle x is invalid."), Finding.LOST_SESSION),
        (Answer("INTERNAL", "[INVALID_HANDLE.SESSION_NOT_FOUND] Session not found."), Finding.LOST_SESSION),
        (Answer("INTERNAL", "[INVALID_HANDLE.SESSION_CHANGED] The existing Spark server…"), Finding.LOST_SESSION),
        (STOPPED, Finding.STOPPED),
        (HANDLER_FAILED, Finding.BROKEN),
        (Answer("UNIMPLEMENTED", "Method not found"), Finding.BROKEN),
        (Answer("INTERNAL", "java.lang.OutOfMemoryError: Java heap space"), Finding.BROKEN),
        (Answer("INTERNAL", 'Cannot invoke "SparkEnv.conf()" because …'), Finding.BROKEN),
        (Answer("INTERNAL", "[INTERNAL_ERROR] The Spark SQL phase planning failed"), Finding.BROKEN),
        (Answer("INTERNAL", "[OPERATION_CANCELED] Operation has been canceled."), Finding.ANSWER),
        (Answer("INTERNAL", "[SOME_EXTENSION.SAYS_NO] not here"), Finding.ANSWER),
        (Answer("RESOURCE_EXHAUSTED", "too many"), Finding.ANSWER),
        (Answer("PERMISSION_DENIED", "no"), Finding.ANSWER),
    ],
)
def test_each_answer_means_one_thing(answer: Answer, expected: Finding) -> None:
    """Whoever works and says no has answered; what no healthy engine says is broken; the rest is told apart."""
    assert expected is finding_of(answer)


def test_an_answer_that_names_a_file_is_no_stopped_context() -> None:
    """Only the engine's own words about its context count."""
    assert is_stopped_context(STOPPED)
    assert not is_stopped_context(Answer("INTERNAL", "[PATH_NOT_FOUND] SparkContext.csv"))


def test_a_message_is_one_short_line() -> None:
    """What people see of an answer has no stack trace in it."""
    assert Answer("INTERNAL", "Cannot call methods on a stopped SparkContext.\nat x").line == (
        "INTERNAL: Cannot call methods on a stopped SparkContext."
    )
    assert len(Answer("INTERNAL", "x" * 10_000).line) < 200
    assert Answer("UNKNOWN").line == "UNKNOWN"


def test_the_probes_load_no_spark() -> None:
    """Importing the prober loads grpc, but neither pyspark nor protobuf nor an HTTP client."""
    code = (
        "import sys, rucat_jupyter.adapters.connect; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pyspark', 'google', 'httpx', 'pandas', 'fastapi'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"

"""The messages of Spark Connect that the gateway sends, and what each answer means."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyspark.sql.connect.proto as pb
import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor
from hypothesis import given
from hypothesis import strategies as st

from rucat_jupyter.spark.connect import connect_pb2
from rucat_jupyter.spark.connect.messages import (
    CUT,
    PROBE_QUERY,
    PROBE_USER,
    Answer,
    Finding,
    execute_request,
    finding_of,
    interrupt_request,
    is_stopped_context,
    probe_session,
    status_request,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)

# As measured on Spark 4.3.0.
STOPPED = Answer(
    "INTERNAL",
    "Cannot call methods on a stopped SparkContext.\nThis stopped SparkContext was created at:\n\norg.apache…",
)
HANDLER_FAILED = Answer("UNKNOWN", "Application error processing RPC")


def _definitions(of: Descriptor) -> Iterator[Descriptor | EnumDescriptor]:
    """A message's own definition and those within it."""
    yield of
    yield from of.enum_types
    for nested in of.nested_types:
        yield from _definitions(nested)


OURS = [found for m in connect_pb2.DESCRIPTOR.message_types_by_name.values() for found in _definitions(m)]
SPARKS = {
    found.full_name: found
    for module in (pb.base_pb2, pb.relations_pb2)
    for message in module.DESCRIPTOR.message_types_by_name.values()
    for found in _definitions(message)
}


@pytest.mark.parametrize("ours", OURS, ids=lambda found: found.full_name)
def test_our_definitions_are_part_of_sparks(ours: Descriptor | EnumDescriptor) -> None:
    """Each field and each value has the number, type and cardinality that it has in Spark."""
    sparks = SPARKS[ours.full_name.removeprefix("rucat.")]
    if isinstance(ours, EnumDescriptor):
        assert {v.name: v.number for v in ours.values} == {
            v.name: sparks.values_by_name[v.name].number for v in ours.values
        }
        return
    for field in ours.fields:
        known = sparks.fields_by_name[field.name]
        assert (field.number, field.type, field.is_repeated) == (known.number, known.type, known.is_repeated)
        for here, there in ((field.message_type, known.message_type), (field.enum_type, known.enum_type)):
            assert here is there is None or here.full_name == f"rucat.{there.full_name}"


def test_the_compiled_definitions_are_those_of_the_source() -> None:
    """Otherwise ``make protos`` was forgotten."""
    source = Path(connect_pb2.__file__).with_name("connect.proto").read_text()
    compiled = [
        (found.name, found.number)
        for definition in OURS
        for found in (definition.values if isinstance(definition, EnumDescriptor) else definition.fields)
    ]
    assert sorted(compiled) == sorted((name, int(number)) for name, number in re.findall(r"(\w+) = (\d+);", source))


def test_the_query_is_what_pyspark_would_send() -> None:
    """It decodes, by Spark's own schema, to the probe query and nothing else."""
    session = probe_session("rucat-0123456789abcdef-1", 0)
    expected = pb.ExecutePlanRequest(session_id=session, client_type="rucat")
    expected.user_context.user_id = PROBE_USER
    expected.plan.root.sql.query = PROBE_QUERY
    actual = pb.ExecutePlanRequest.FromString(execute_request(session))
    assert expected == actual
    assert expected.SerializeToString(deterministic=True) == actual.SerializeToString(deterministic=True)


@given(texts, texts, texts)
def test_the_requests_are_what_pyspark_would_send(user: str, session: str, operation: str) -> None:
    """Whatever the ids are."""
    interrupt = pb.InterruptRequest.FromString(interrupt_request(user, session, operation))
    assert (interrupt.user_context.user_id, interrupt.session_id) == (user, session)
    assert (interrupt.operation_id, interrupt.interrupt_type) == (operation, 3)
    status = pb.GetStatusRequest.FromString(status_request(user, session))
    assert (status.user_context.user_id, status.session_id) == (user, session)
    assert status.HasField("operation_status")


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
    """A server that works and refuses has answered; what no healthy engine says is broken; the rest differs."""
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
    """Importing the prober loads grpc and protobuf, but neither pyspark nor an HTTP client."""
    code = (
        "import sys, rucat_jupyter.spark.probes.prober; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pyspark', 'httpx', 'pandas', 'fastapi'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"

"""What Spark says, in few words: on messages that a real engine of Spark 4.3 gave."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rucat_jupyter.client.spark_errors.explain import (
    COLLECT_LESS,
    LONGEST,
    SEND_LESS,
    Mark,
    call_site,
    deepest,
    sql_mark,
    words,
)

REAL: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "fakes" / "spark_errors.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", REAL)
def test_a_real_error_is_explained(name: str) -> None:
    """Cause, hint and place in the query are what a person reviewed."""
    real = REAL[name]
    said = words(real["message"], real["condition"], real["kind"], real["trace"])
    mark = sql_mark(real["summary"]) or said.mark
    assert said.cause == real["cause"]
    assert said.hint == real["hint"]
    assert (mark.lines() if mark else []) == real["mark"]
    assert [list(frame) for frame in said.python[-1:]] == real["python"]


@pytest.mark.parametrize("name", REAL)
def test_every_line_is_short_and_plain(name: str) -> None:
    """No line is longer than a paragraph, none has control characters, none a plan or a JVM's frame."""
    real = REAL[name]
    said = words(real["message"], real["condition"], real["kind"], real["trace"])
    for line in (said.cause, said.hint):
        assert len(line) <= LONGEST
        assert line.isprintable()
        assert "\tat " not in line
        assert "SQLSTATE" not in line
    assert said.cause.startswith("[")


def test_the_caret_stands_under_what_is_meant() -> None:
    """Also in a long line, of which a window is shown."""
    line = "select " + "a, " * 200 + "wrong from t"
    start = line.index("wrong")
    shown, carets = Mark("SQL line 1, position 608", line, start, 5).lines()
    assert shown[carets.index("^") :].startswith("wrong")
    assert carets.count("^") == 5
    assert len(shown) < 160


@pytest.mark.parametrize("filler", ["x", " ", "a. B", "\n", "(", "Traceback ", "\tat x.Y\n", "SQLSTATE: "])
def test_a_megabyte_is_explained_quickly(filler: str) -> None:
    """Whatever the message is made of: no expression goes over it again and again."""
    message = f"[USER_RAISED_EXCEPTION] {filler * (1_000_000 // len(filler))}"
    begun = time.perf_counter()
    assert len(words(message, None, "SparkRuntimeException").cause) <= LONGEST
    job = f"Job aborted due to stage failure: {message}"
    assert len(words(job, None, "SparkException").cause) <= LONGEST
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    "message", ["", "[", "[]", "[X", "\n", "[ERROR] ", "(java.lang.X) ", "Traceback (most recent call last):"]
)
def test_messages_of_no_known_form_are_shown_as_they_are(message: str) -> None:
    """Nothing is raised over them: an error in showing an error would hide it."""
    assert words(message, None, "Kind").cause.startswith("[")


def test_a_task_that_was_out_of_memory_says_so() -> None:
    """The class of the Java error stands in the brackets, and what to do below."""
    said = words(
        "Job aborted due to stage failure: Task 0 in stage 3.0 failed 1 times, most recent failure: Lost task 0.0 in "
        "stage 3.0 (TID 5) (localhost executor driver): java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(D:1)",
        None,
        "SparkException",
    )
    assert said.cause == "[OutOfMemoryError] Java heap space"
    assert "more memory" in said.hint


def test_what_caused_a_vague_error_is_the_deepest_exception() -> None:
    """Its class is left out where it has words of its own."""
    trace = "a.B: x\nCaused by: a.C: y\nCaused by: java.lang.RuntimeException: not a Parquet file\n\tat x"
    assert deepest(trace) == "not a Parquet file"
    assert deepest("a.B: x\nCaused by: java.util.NoSuchElementException") == "NoSuchElementException"
    assert deepest("a.B: x") == ""


def test_the_place_where_a_column_was_made_is_read() -> None:
    """The form is that of pyspark in IPython."""
    assert call_site("line 3 in cell [8]") == (8, 3)
    assert call_site("/home/ann/x.py:12") is None


@pytest.mark.parametrize(
    ("raised", "module"),
    [
        ("ModuleNotFoundError: No module named 'pyarrow'", "pyarrow"),
        ("ModuleNotFoundError: No module named 'sklearn.linear_model'", "sklearn"),
        (
            "pyspark.errors.exceptions.base.PySparkImportError: [PACKAGE_NOT_INSTALLED] PyArrow >= 18.0.0 must be "
            "installed; however, it was not found.",
            "pyarrow",
        ),
    ],
)
def test_a_module_that_the_engine_lacks_is_named_with_where_to_install_it(raised: str, module: str) -> None:
    """A function runs on the engine: Spark's own images lack pyarrow, so the image is what to change."""
    frame = '  File "/opt/spark/python/lib/pyspark.zip/pyspark/worker.py", line 1, in main'
    said = words(f"Traceback (most recent call last):\n{frame}\n{raised}\n", None, "PythonException")
    assert said.hint.startswith(f"The Python of the engine has no {module}: on Kubernetes use an image that has it")


def transport(code: str, details: str) -> str:
    """An error without details of Spark, as pyspark shows it."""
    return (
        f"<_MultiThreadedRendezvous of RPC that terminated with:\n\tstatus = StatusCode.{code}\n"
        f'\tdetails = "{details}"\n\tdebug_error_string = "{code}:{details}"\n>'
    )


@pytest.mark.parametrize(
    ("details", "cause", "hint"),
    [
        (
            "CLIENT: Sent message larger than max (146800874 vs. 134217728)",
            "[MESSAGE_TOO_LARGE] The query with its data has 140.1 MiB, more than the 128 MiB that one message to an "
            "engine may have.",
            SEND_LESS,
        ),
        (
            "Stream removed (CLIENT: Received message larger than max (134217729 vs. 134217728))",
            "[MESSAGE_TOO_LARGE] The engine sent 128.1 MiB in one message, more than the 128 MiB that a notebook "
            "accepts.",
            COLLECT_LESS,
        ),
        (
            "gRPC message exceeds maximum size 8388608: 12583146",
            "[MESSAGE_TOO_LARGE] The query with its data has 12.1 MiB, more than the 8 MiB that the engine accepts "
            "(spark.connect.grpc.maxInboundMessageSize).",
            SEND_LESS,
        ),
    ],
)
def test_a_message_over_the_limit_is_one_clear_line(details: str, cause: str, hint: str) -> None:
    """What was sent, the limit, and what to do; in pyspark's form and in gRPC's own."""
    for message in (transport("RESOURCE_EXHAUSTED", details), details):
        said = words(message, None, "SparkConnectGrpcException")
        assert (said.cause, said.hint) == (cause, hint)


def test_a_user_may_speak_of_limits() -> None:
    """The same words in an error of Spark are a user's own."""
    own = "CLIENT: Sent message larger than max (2 vs. 1)"
    assert words(own, "USER_RAISED_EXCEPTION", "SparkRuntimeException").cause.endswith(own)
    assert words(f"[USER_RAISED_EXCEPTION] {own}", None, "SparkRuntimeException").cause.endswith(own)


@pytest.mark.parametrize(
    ("message", "kind", "cause", "hint"),
    [
        (
            transport("UNKNOWN", "Application error processing RPC"),
            "SparkConnectGrpcException",
            "[SparkConnectGrpcException] The engine could not read the query (Application error processing RPC).",
            "too deep",
        ),
        (
            transport("UNKNOWN", "Java heap space"),
            "SparkConnectGrpcException",
            "[SparkConnectGrpcException] Java heap space",
            "--driver-memory",
        ),
        (
            "maximum recursion depth exceeded",
            "RecursionError",
            "[RecursionError] maximum recursion depth exceeded",
            "nested too deep",
        ),
        (
            "Error parsing message with type 'spark.connect.Expression': Exceeded upb_DecodeOptions_MaxDepth",
            "DecodeError",
            "[DecodeError] Error parsing message with type 'spark.connect.Expression': "
            "Exceeded upb_DecodeOptions_MaxDepth",
            "nested too deep",
        ),
    ],
)
def test_a_plan_that_no_side_can_read_has_a_hint(message: str, kind: str, cause: str, hint: str) -> None:
    """A plan that is too deep, or too large for the engine's memory."""
    said = words(message, None, kind)
    assert said.cause == cause
    assert hint in said.hint

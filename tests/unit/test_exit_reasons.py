"""Why an engine ended, from what is left of it."""

from __future__ import annotations

import pytest

from rucat_jupyter.core.engine import Reason
from rucat_jupyter.spark.exit_reasons import READY, Death, end_of, has_lost_port, phase_of


def death(code=1, log="", ready=False, watched=True, oom=False):
    return Death(exit_code=code, log=log, was_ready=ready, was_watched=watched, oom_killed=oom)


OOM = "Terminating due to java.lang.OutOfMemoryError: Java heap space"
BIND = "ERROR Service: java.net.BindException: Address already in use\n\tat x"
CASES = [
    (death(3, OOM), Reason.OUT_OF_MEMORY, "Java heap space"),
    (death(52), Reason.OUT_OF_MEMORY, "exit code 52"),
    (death(None, OOM, ready=True), Reason.OUT_OF_MEMORY, "Java heap space"),
    (death(None, OOM, ready=True, watched=False), Reason.OUT_OF_MEMORY, "Java heap space"),
    (death(-9, "java.lang.OutOfMemoryError: of an earlier query", ready=True), Reason.EXITED, "killed by signal 9"),
    (death(-9, ready=True, oom=True), Reason.OUT_OF_MEMORY, "out of memory"),
    (death(143, ready=True, oom=True), Reason.EXITED, "ended by signal 15 (exit code 143)"),
    (death(1, "java.io.IOException: No space left on device\nat"), Reason.NO_SPACE, "No space left on device"),
    (death(1, "Disk quota exceeded"), Reason.NO_SPACE, "quota"),
    (death(-9, "No space left on device", ready=True), Reason.EXITED, "killed by signal 9"),
    (death(1, BIND), Reason.PORT_IN_USE, "Address already in use"),
    (death(1, BIND, ready=True), Reason.EXITED, "exit code 1"),
    (death(None, ready=True), Reason.EXITED, "probably killed"),
    (death(None, "Invoking stop() from shutdown hook", ready=True), Reason.EXITED, "it shut down normally"),
    (death(None, "the last word", ready=True, watched=False), Reason.LOST, "the last word"),
    (death(None, "", watched=False), Reason.LOST, "its log is empty"),
    (death(1, "Unrecognized VM option 'X'\nError: Could not create"), Reason.CONFIG_INVALID, "'X'"),
    (death(1, "x\nError occurred during initialization of VM\nToo small"), Reason.CONFIG_INVALID, "Too small"),
    (death(1, "Could not reserve enough space for 9g object heap"), Reason.NO_MEMORY, "9g"),
    (death(1, "java.lang.RuntimeException: [unresolved dependency: a#b;1]"), Reason.CONFIG_INVALID, "a#b;1"),
    (death(1, "x.IllegalArgumentException: spark.a should be int"), Reason.CONFIG_INVALID, "spark.a should be int"),
    (death(1, "java.io.FileNotFoundException: /no.jar"), Reason.CONFIG_INVALID, "/no.jar"),
    (death(-9, "x.IllegalArgumentException: spark.a should be int"), Reason.CRASH_ON_START, "killed by signal 9"),
    (death(-11), Reason.CRASH_ON_START, "killed by signal 11"),
    (death(0, "\n".join(map(str, range(99)))), Reason.CRASH_ON_START, "its last log lines:\n87\n"),
]


@pytest.mark.parametrize(("given", "reason", "text"), CASES)
def test_reason_and_message(given, reason, text):
    """Each way to die has its reason, and a message that shows the evidence."""
    end = end_of(given)
    assert (end.reason, text in end.message) == (reason, True), end


def test_messages_stay_short():
    """A log of long lines does not become a failure of megabytes."""
    assert len(end_of(death(1, "x" * 1_000_000)).message) < 2200
    assert len(end_of(death(1, "Unrecognized VM option " + "x" * 1_000_000)).message) < 2200


def test_only_a_start_can_lose_its_port():
    """A taken port is a reason to try again until the server has listened."""
    assert has_lost_port(death(1, BIND))
    assert not has_lost_port(death(1, BIND, ready=True))
    assert not has_lost_port(death(1, "boom"))


@pytest.mark.parametrize(
    ("log", "phase"),
    [
        ("", "Java is starting"),
        (":: resolving dependencies ::", "downloading packages"),
        (":: resolving dependencies ::\nINFO SparkContext: Running Spark version 4.3.0", "Spark is starting"),
        (f"Running Spark version 4.3.0\n{READY}: 127.0.0.1:1", None),
        (None, None),
    ],
)
def test_phases_of_a_start(log, phase):
    """How far a start is, by its log."""
    assert phase_of(log) == phase

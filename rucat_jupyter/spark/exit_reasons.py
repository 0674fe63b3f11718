"""Find out why a JVM that ran Spark ended, from its exit code and the end of its log.

Pure. The codes: 3 is what ``-XX:+ExitOnOutOfMemoryError`` exits with, 52 is Spark's ``SparkExitCode.OOM``,
128 + n is a JVM that shut down on signal n, negative is a signal that it could not handle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..core.engine import Reason
from ..core.lifecycle import End

EXIT_OOM = (3, 52)
READY = "Spark Connect server started at"
"""SparkConnectServer logs this when it listens."""

FIRST_PHASE = "Java is starting"
PHASES = (
    (READY, None),
    ("Running Spark version", "Spark is starting"),
    ("Starting Spark session", "Spark is starting"),
    (":: resolving dependencies ::", "downloading packages"),
)
"""Text in the log -> what a start waits for after it; the latest phase first."""

LAST_LINES = 12
LAST_CHARS = 2000

_EVIDENCE: tuple[tuple[re.Pattern[str], Reason, str], ...] = (
    (
        re.compile(r"No space left on device|Disk quota exceeded"),
        Reason.NO_SPACE,
        "the disk is full",
    ),
    (
        re.compile(r"Could not reserve enough space for|insufficient memory for the Java Runtime Environment"),
        Reason.NO_MEMORY,
        "this machine or container has too little memory",
    ),
    (
        re.compile(r"java\.net\.BindException|Failed to bind to|Address already in use"),
        Reason.PORT_IN_USE,
        "another process took the port",
    ),
)
_CONFIG_EVIDENCE: tuple[re.Pattern[str], ...] = (
    re.compile(r"\[INVALID_CONF_VALUE[^\n]*|\[INVALID_(?:DRIVER|EXECUTOR)_MEMORY\][^\n]*"),
    re.compile(r"unresolved dependenc[^\n]*"),
    re.compile(r"IllegalArgumentException: (?:[^\n]*spark\.[^\n]*|System memory[^\n]*)"),
    re.compile(r"(?:NumberFormatException|SparkException): [^\n]*spark\.[^\n]*"),
    re.compile(
        r"(?:Unrecognized VM option|Improperly specified VM option|Conflicting collector|Invalid [^\n]* size)[^\n]*"
    ),
    re.compile(r"(?<=Error occurred during initialization of VM\n)[^\n]*"),
    re.compile(r"(?:java\.io\.FileNotFoundException|NoSuchFileException): [^\n]*"),
)
_OOM = re.compile(r"Terminating due to java\.lang\.OutOfMemoryError[^\n]*|java\.lang\.OutOfMemoryError[^\n]*")


@dataclass(frozen=True)
class Death:
    """The facts of an end. ``exit_code`` None: unknown; ``log`` is the end of the log of this start."""

    exit_code: int | None
    log: str
    was_ready: bool  # the engine had responded
    was_watched: bool  # a gateway ran when it ended
    oom_killed: bool = False  # the kernel has killed a process for lack of memory since the start


def phase_of(log: str | None) -> str | None:
    """What a start waits for, by the beginning of its log (None: long past); None if the server listens."""
    return None if log is None else next((phase for word, phase in PHASES if word in log), FIRST_PHASE)


def end_of(death: Death) -> End:
    """The reason and the message of an unexpected end."""
    return _out_of_memory(death) or _by_evidence(death) or _by_code(death)


def has_lost_port(death: Death) -> bool:
    """Whether it ended because another process took its port in the meantime."""
    return not death.was_ready and end_of(death).reason is Reason.PORT_IN_USE


def how(exit_code: int | None, log: str = "") -> str:
    """An exit code in words."""
    if exit_code is None:
        if "from shutdown hook" in log:
            return "it shut down normally; its exit code is unknown, because an earlier gateway started it"
        return "its log has no shutdown, so it was probably killed (an earlier gateway started it)"
    if exit_code < 0:
        return f"killed by signal {-exit_code}"
    if exit_code > 128:
        return f"ended by signal {exit_code - 128} (exit code {exit_code})"
    return f"exit code {exit_code}"


def _out_of_memory(death: Death) -> End | None:
    words = _OOM.search(death.log)
    if death.exit_code in EXIT_OOM or (death.exit_code is None and words):
        return End(Reason.OUT_OF_MEMORY, f"the Java heap is full: {_line(words) or how(death.exit_code)}")
    if death.exit_code == -9 and death.oom_killed:
        return End(Reason.OUT_OF_MEMORY, "killed by signal 9: this machine or container was out of memory")
    return None


def _by_evidence(death: Death) -> End | None:
    """The reason in the end of its log; the log of a killed engine has none."""
    for pattern, reason, what in _EVIDENCE if death.exit_code != -9 else ():
        found = pattern.search(death.log)
        if found and (reason is not Reason.PORT_IN_USE or not death.was_ready):
            return End(reason, f"{what}: {_whole_line(death.log, found)}")
    return None


def _by_code(death: Death) -> End:
    if not death.was_watched:
        return End(Reason.LOST, f"its process is gone, and no gateway ran when it ended{_last(death.log)}")
    if death.was_ready:
        return End(Reason.EXITED, f"the engine's process ended: {how(death.exit_code, death.log)}")
    config = (pattern.search(death.log) for pattern in _CONFIG_EVIDENCE)
    for found in filter(None, config if death.exit_code != -9 else ()):
        return End(Reason.CONFIG_INVALID, f"Spark did not start: {_whole_line(death.log, found)}")
    return End(
        Reason.CRASH_ON_START, f"the engine ended while starting: {how(death.exit_code, death.log)}{_last(death.log)}"
    )


def _last(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()][-LAST_LINES:]
    return "; its last log lines:\n" + "\n".join(lines)[-LAST_CHARS:] if lines else "; its log is empty"


def _line(found: re.Match[str] | None) -> str:
    return found.group(0).strip()[:LAST_CHARS] if found else ""


def _whole_line(text: str, found: re.Match[str]) -> str:
    start, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.start())
    return text[start : end if end >= 0 else None].strip()[:LAST_CHARS]

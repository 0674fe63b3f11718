"""Shortens Spark's error messages: cause, hint, and place in the query; works on text, not on exceptions.

The forms are those of Spark 4.x: ``[ERROR_CLASS] Sentences. SQLSTATE: 12345; line 1 pos 7;`` and a plan, the query
with a caret below it, a job's failure with the task's exception in it, a Python worker's traceback.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..words import text

LONGEST = 300  # characters of one line
LONGEST_HINT = 160
MOST_READ = 100_000  # characters of a message: a user's own message may have a megabyte
WIDEST_QUERY = 100  # characters of the query's line that are shown
NEEDLE = "Traceback (most recent call last):"
JVM_TRACE = "\n\nJVM stacktrace:\n"
OWN_WORDS = ("USER_RAISED_EXCEPTION", "SQL_SCRIPT")
"""Errors whose text is the user's own: shown unchanged."""
VAGUE = ("FAILED_READ_FILE", "TASK_WRITE_FAILED", "INTERNAL_ERROR", "FAILED_EXECUTE_UDF", "FAILED_TO_LOAD")
"""Errors that name only what failed; the reason is in the exception that caused them."""
DEEP = (
    "The query is nested too deep: use one select, F.expr or a list of conditions instead of a loop, or write and read "
    "the data between (checkpoint, a table)."
)
NO_REASON = "Application error processing RPC"
"""gRPC's words in Java for an exception outside of Spark's own code: a request it cannot parse, no memory for it."""
UNREAD = "The engine could not read the query"
TOO_LARGE = "MESSAGE_TOO_LARGE"
SEND_LESS = (
    "Write the data to a file that the engine can read, and use spark.read, instead of data in createDataFrame, "
    "in a literal or in a function."
)
COLLECT_LESS = "Collect smaller values, or write the result to files (df.write.parquet) instead of collecting it."
HINTS = {
    "maxResultSize": "Collect less data (limit, aggregate, write it), or restart the engine with "
    "--conf spark.driver.maxResultSize=2g",
    "OutOfMemoryError": "Process less data at a time (more partitions, fewer columns), or use an engine with more "
    "memory (--driver-memory).",
    "Could not execute broadcast in": "Do not broadcast, or allow more time: spark.sql.broadcastTimeout",
    "Java heap space": "The engine has too little memory for this: process less data at a time, or use an engine with "
    "more memory (--driver-memory).",
    UNREAD: "It may be nested too deep, or too large for the engine's memory; the engine's log has the cause.",
    "maximum recursion depth exceeded": DEEP,
    "Exceeded upb_DecodeOptions_MaxDepth": DEEP,
    "too many levels of nesting": DEEP,
    "Python worker exited unexpectedly": "It crashed, or the machine had no memory left for it.",
    "Could not serialize object": "A Python function uses an object that cannot be sent: create it in the function.",
    "[NOT_IMPLEMENTED]": "Spark Connect does not support this; use the DataFrame API.",
    "[CANNOT_MODIFY_CONFIG]": "It can only be set when an engine starts: --conf KEY=VALUE of create and restart.",
}
"""Part of the message -> what to do, for errors in which Spark gives no useful hint."""
DOES: tuple[str, ...] = (
    "Did you",
    "Use ",
    "Verify ",
    "Choose ",
    "Set ",
    "Add ",
    "Correct ",
    "Consider ",
    "Please",
    "Make sure",
    "If ",
)
DOES += ("To ", "You can", "Try ", "Visit ", "Consult ", "Check ", "Either ", "Provide ", "Drop ", "Remove ", "See ")

NOT_INSTALLED = re.compile(r"No module named '([\w.]+)'|PACKAGE_NOT_INSTALLED\] (\w+)")
MISSING = (
    "The Python of the engine has no {}: on Kubernetes use an image that has it (--image IMAGE), on this machine "
    "install it in the engine's Python."
)
"""Functions run on the engine, without the packages of the notebook. Spark's own images lack pyarrow."""

_CLASS = re.compile(r"^\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]\s*")
_REASON = re.compile(r"^\(([\w.$]+)\)\s+")
_JAVA = re.compile(r"^(?:[a-z][\w]*\.)+([A-Z][\w$]*)(?::\s*|$)")
_TASK = re.compile(
    r"^Job aborted due to stage failure: (.*?)(?:, most recent failure: Lost task [^)]*\)"
    r"\s*\([^)]*\): (.*))?$",
    re.DOTALL,
)
_STREAM = re.compile(r"^Query [^\[]*\[id = [^\]]*\] terminated with exception: ")
_END = re.compile(r"\bSQLSTATE: [0-9A-Z]{5}.*", re.DOTALL)
_TRANSPORT = re.compile(r'^<\w+ of RPC that terminated with:.*?\n\s*details = "(.*?)"\n', re.DOTALL)
"""How gRPC shows an error that has no details of Spark."""
_SENT = re.compile(r"(?:Stream removed \()?\w+: (Sent|Received) message larger than max \((\d+) vs\. (\d+)\)")
_REJECTED = re.compile(r"gRPC message exceeds maximum size (\d+): (\d+)")
_NUMBERED = re.compile(r"\d\) ")
_PARSE = re.compile(r"\(line (\d+), pos (\d+)\)\s*\n+== SQL[^\n]*==\n(.*?)\n-*\^\^\^", re.DOTALL)
_SUMMARY = re.compile(r"^== SQL([^\n(]*)\(line (\d+), position (\d+)\) ==\n([^\n]*)\n([^\n]*)")
_FRAME = re.compile(r'^  File "(.+)", line (\d+)(?:, in (.+))?$', re.MULTILINE)
_CALL_SITE = re.compile(r"line (\d+) in cell \[(\d+)\]")


@dataclass(frozen=True)
class Mark:
    """A place in a query: its line, and the columns (from 0) to mark."""

    where: str
    line: str
    start: int
    length: int

    def lines(self) -> list[str]:
        """The line with carets below the marked columns; of a long line a part."""
        line, start = text.plain(self.line), min(self.start, len(self.line))
        begin = max(0, start - WIDEST_QUERY // 2) if len(line) > WIDEST_QUERY else 0
        shown = line[begin : begin + WIDEST_QUERY]
        head = f"{self.where}: {'…' if begin else ''}"
        at = start - begin + len(head)
        carets = "^" * max(1, min(self.length, len(shown) - (start - begin)))
        return [f"{head}{shown}{'…' if begin + len(shown) < len(line) else ''}", " " * at + carets]


@dataclass(frozen=True)
class Words:
    """What to say of an error."""

    cause: str
    hint: str = ""
    mark: Mark | None = None
    python: list[tuple[str, int, str]] = field(default_factory=list)
    """Frames (file, line, function) of the Python worker, outermost first."""


def words(message: str, condition: str | None, kind: str, jvm_trace: str = "") -> Words:
    """Find the cause and hint of an error.

    Parameters
    ----------
    message
        The whole message of the error.
    condition
        Spark's error class, if it has one.
    kind
        The name of the exception's Python class, shown if there is no error class.
    jvm_trace
        The stack trace of the JVM, which has the cause if the message does not.
    """
    said = message.split(JVM_TRACE, maxsplit=1)[0].strip()
    if NEEDLE in said:
        return _of_python(said)
    said = said[:MOST_READ]
    if found := _TRANSPORT.match(said):
        said = f"{UNREAD} ({found[1]})." if found[1] == NO_REASON else found[1]
    if condition is None and (too_large := _of_size(said)) is not None:
        return too_large
    mark = _parse_mark(said)
    label, rest = _label(_without_reason(said, condition), condition, kind)
    rest = _STREAM.sub("the streaming query ended: ", rest)
    if found := _TASK.match(rest):
        rest = found[2] or found[1]
        rest = rest.split("\n\tat ")[0]
        if java := _JAVA.match(rest):
            rest = rest[java.end() :]
            label = java[1] if java[1] != "SparkException" else label
        if inner := _CLASS.match(rest):
            label, rest = inner[1], rest[inner.end() :]
    if label.split(".")[0] in OWN_WORDS:
        return Words(_line(label, _END.sub("", rest)), mark=mark)
    cause, hint = _parted(_END.sub("", rest).split("\n== ")[0].split(";\n")[0])
    if label.split(".")[0] in VAGUE and (deep := deepest(jvm_trace)):
        cause = f"{cause.rstrip('. ')}: {deep}"
    hint = next((do for word, do in HINTS.items() if word in f"[{label}] {cause}"), hint)
    return Words(_line(label, cause), text.plain(hint, LONGEST), mark)


def sql_mark(summary: str) -> Mark | None:
    """The place in a query context's summary."""
    found = _SUMMARY.match(summary)
    if found is None:
        return None
    of, number, position, line, carets = found.groups()
    start = len(carets) - len(carets.lstrip()) if "^" in carets else int(position) - 1
    where = f"SQL{of.rstrip()} line {number}, position {position}"
    return Mark(text.plain(where, 80), line, start, carets.count("^"))


def call_site(site: str) -> tuple[int, int] | None:
    """Cell and line in a DataFrame's query context."""
    found = _CALL_SITE.search(site)
    return (int(found[2]), int(found[1])) if found else None


def deepest(jvm_trace: str) -> str:
    """The message of the last exception in a JVM's chain of causes; its class if it has no message."""
    causes = [line[len("Caused by: ") :] for line in jvm_trace.splitlines() if line.startswith("Caused by: ")]
    if not causes:
        return ""
    found = _JAVA.match(causes[-1])
    return causes[-1][found.end() :] or found[1] if found else causes[-1]


def _of_size(details: str) -> Words | None:
    """What to say of a message that is larger than gRPC's limit here (sent, received) or in the engine (rejected)."""
    if rejected := _REJECTED.match(details):
        return _sent(
            int(rejected[2]), int(rejected[1]), "the engine accepts (spark.connect.grpc.maxInboundMessageSize)"
        )
    if (found := _SENT.match(details)) is None:
        return None
    size, most = int(found[2]), int(found[3])
    if found[1] == "Sent":
        return _sent(size, most, "one message to an engine may have")
    cause = f"The engine sent {_mib(size)} in one message, more than the {_mib(most)} that a notebook accepts."
    return Words(_line(TOO_LARGE, cause), COLLECT_LESS)


def _sent(size: int, most: int, limit: str) -> Words:
    cause = f"The query with its data has {_mib(size)}, more than the {_mib(most)} that {limit}."
    return Words(_line(TOO_LARGE, cause), SEND_LESS)


def _mib(size: int) -> str:
    tenths = -(-size * 10 // 2**20)  # rounded up: what is over a limit must not look equal to it
    return f"{tenths / 10:.1f}".removesuffix(".0") + " MiB"


def _without_reason(said: str, condition: str | None) -> str:
    """Turn ``(java.lang.X) message`` into ``[X] message``, or drop it before an error class."""
    found = _REASON.match(said)
    if found is None:
        return said
    rest = said[found.end() :]
    return rest if condition or _CLASS.match(rest) else f"[{found[1].rpartition('.')[2]}] {rest}"


def _label(said: str, condition: str | None, kind: str) -> tuple[str, str]:
    """The label in brackets, and the message without it."""
    if said.startswith("[") and "] " in said:
        name, _, rest = said[1:].partition("] ")
        if re.fullmatch(r"[\w.$]+", name):
            return (kind if name.startswith("_LEGACY") else name), rest
    named = condition if condition and not condition.startswith("_LEGACY") else kind
    return named, said


def _parted(message: str) -> tuple[str, str]:
    """The sentences before the first hint, and the hints."""
    sentences = [s.strip() for s in re.split(r"(?<=[.!?])\s+(?=[A-Z\d])|\n+", message) if s.strip()]
    if not sentences:
        return "", ""
    taken = 1
    while taken < len(sentences) and not _is_hint(sentences[taken]):
        taken += 1
    cause = sentences[0]
    for sentence in sentences[1:taken]:
        if len(cause) + len(sentence) < LONGEST:
            cause += f" {sentence}"
    hint = ""
    for sentence in sentences[taken:]:
        follows = _is_hint(sentence) or hint.endswith("?")
        if not follows or (hint and len(hint) + len(sentence) >= LONGEST_HINT):
            break
        hint = f"{hint} {sentence}".lstrip()
    return cause, hint


def _is_hint(sentence: str) -> bool:
    return sentence.startswith(DOES) or _NUMBERED.match(sentence) is not None


def _line(label: str, cause: str) -> str:
    cause = " ".join(text.plain(cause[: 20 * LONGEST]).split()).rstrip(";")
    if cause == "overflow.":
        cause = "The result is too large for its type (overflow)."
    return text.plain(f"[{text.plain(label, 80)}] {cause}", LONGEST)


def _parse_mark(said: str) -> Mark | None:
    """The place of a parse error: the line of the query above the caret."""
    found = _PARSE.search(said)
    line = found[3].split("\n")[-1] if found else ""
    if found is None or not line.strip():
        return None
    number, position = int(found[1]), int(found[2])
    near = re.search(r"at or near '(.+?)'", said)
    length = len(near[1]) if near and line[position:].startswith(near[1]) else 1
    return Mark(f"SQL line {number}, position {position + 1}", line, position, length)


def _of_python(said: str) -> Words:
    """The exception of a Python worker: type and message, or the error class if it is Spark's."""
    trace = said[said.rindex(NEEDLE) :][:MOST_READ]
    frames = [(name, int(line), function or "") for name, line, function in _FRAME.findall(trace)]
    lines = trace.split("\n")[1:]
    begin = next((i for i, line in enumerate(lines) if line and not line.startswith((" ", "\t"))), None)
    raised = "\n".join(lines[begin:]) if begin is not None else ""
    raised = _END.sub("", raised.split("\n\tat ")[0]).strip()
    label, cause = "PYTHON_EXCEPTION", raised
    kind, _, rest = raised.partition(": ")
    if kind.startswith("pyspark.") and rest:
        cause = rest
        if inner := _CLASS.match(rest):
            label, cause = inner[1], rest[inner.end() :]
    lacks = NOT_INSTALLED.search(raised)
    hint = MISSING.format((lacks[1] or lacks[2]).split(".")[0].lower()) if lacks else ""
    return Words(_line(label, cause), hint, python=frames)

"""Reads the running operations of all sessions of an engine from Spark's UI.

Spark 4.3 has them as JSON (``connect/operations``), 4.1 and 4.2 as the page ``/connect/``. Stages and tasks are those
of the operation's jobs. Times are by the engine's clock, converted to the gateway's with the ``Date`` of the response.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import cast

from ...core.ports.probes import Operation
from ..connect.messages import PROBE_USER
from ..ui.activity import is_running, rows_of
from ..ui.http import HttpAnswer, HttpError, get

_TIMEOUT_S = 5.0
_FEW_JOBS = 8
"""Up to this number jobs are read one by one; for more we read the whole list (at most 1,000 jobs by default)."""
_MOST_APPS = 10_000
_JOB = re.compile(r"\[(\d+)\]")
_DURATION = re.compile(r"(\d+)\s*(ms|millisecond|second|minute|hour|day)")
_UNITS_S = {"ms": 0.001, "millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}

Jobs = tuple[str, ...]


class UiReader:
    """Reads the status of engines; caches the application at each address, which differs in each life of an engine."""

    def __init__(self) -> None:
        self._apps: dict[str, str] = {}

    async def read(self, ui_url: str, now: datetime, *, has_progress: bool = True) -> list[Operation]:
        """Running operations as of ``now``, oldest first; raises HttpError if the UI does not list them.

        Without ``has_progress`` stages and tasks are not read, which saves a call.
        """
        try:
            found = await self._find(ui_url, now)
            shown = [(op, jobs) for op, jobs in found if op.user_id != PROBE_USER]
            ids = [job for _, jobs in shown for job in jobs]
            known = await _jobs(ui_url, _rest(self._apps[ui_url]), ids) if has_progress else {}
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            raise HttpError(f"{ui_url} does not respond like a Spark UI: {exc!r}") from exc
        operations = [
            _with_progress(op, [known[job] for job in jobs if job in known]) if has_progress else op
            for op, jobs in shown
        ]
        return sorted(operations, key=lambda op: op.started_at or now)

    async def _find(self, ui_url: str, now: datetime) -> list[tuple[Operation, Jobs]]:
        """By JSON if possible, first of the cached application, then of the current one; else by the page."""
        app = self._apps.get(ui_url)
        answer = await _find(ui_url, f"{_rest(app)}/connect/operations") if app else None
        if answer is None:
            app = str(json.loads((await _get(ui_url, "/api/v1/applications")).body)[0]["id"])
            if len(self._apps) >= _MOST_APPS:
                self._apps.clear()
            self._apps[ui_url] = app
            answer = await _find(ui_url, f"{_rest(app)}/connect/operations")
        return _by_json(answer, now) if answer else await _by_page(ui_url, now)


def _rest(app: str) -> str:
    return f"/api/v1/applications/{app}"


def _by_json(answer: HttpAnswer, now: datetime) -> list[tuple[Operation, Jobs]]:
    skew = _skew(answer, now)
    return [
        (
            Operation(
                id=str(op["operationId"]),
                user_id=str(op["userId"]),
                session_id=str(op["sessionId"]),
                text=words_of(str(op["statement"])),
                started_at=datetime.fromtimestamp(int(op["startTimestamp"]) / 1000, timezone.utc) + skew,
                tags=tuple(map(str, op.get("sparkSessionTags") or ())),
            ),
            tuple(map(str, op.get("jobIds") or ())),
        )
        for op in json.loads(answer.body)
        if is_running(op["statement"], op["state"])
    ]


async def _by_page(ui_url: str, now: datetime) -> list[tuple[Operation, Jobs]]:
    """The rows of the page: user, jobs, query, session, three times, two durations, statement, state, id, tags."""
    answer = await _get(ui_url, "/connect/?sqlstat.pageSize=1000")
    rows = [[html.unescape(cell) for cell in row] for row in rows_of(answer.body)]
    return [
        (
            Operation(
                id=row[11],
                user_id=row[0],
                session_id=row[3],
                text=words_of(row[9]),
                started_at=now - _duration(row[8]),
                tags=tuple(tag.strip() for tag in row[13].split(",") if tag.strip()) if len(row) > 14 else (),
            ),
            tuple(_JOB.findall(row[1])),
        )
        for row in rows
        if len(row) > 12 and is_running(row[9], row[10])
    ]


async def _jobs(ui_url: str, rest: str, ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
    """Those of these jobs that Spark still lists."""
    if len(ids) > _FEW_JOBS:
        return {str(job["jobId"]): job for job in json.loads((await _get(ui_url, f"{rest}/jobs")).body)}
    answers = await asyncio.gather(*(_find(ui_url, f"{rest}/jobs/{job}") for job in ids))
    return {job: json.loads(answer.body) for job, answer in zip(ids, answers, strict=True) if answer}


def _with_progress(operation: Operation, jobs: Sequence[Mapping[str, object]]) -> Operation:
    """The operation with the sums of its jobs; a skipped stage was completed by an earlier job."""

    def total(name: str) -> int:
        return sum(int(str(job[name])) for job in jobs)

    stages = sum(len(cast("list[int]", job["stageIds"])) for job in jobs)
    return replace(
        operation,
        stages=stages - total("numSkippedStages"),
        stages_done=total("numCompletedStages"),
        tasks=total("numTasks") - total("numSkippedTasks"),
        tasks_done=total("numCompletedTasks"),
    )


async def _get(ui_url: str, path: str) -> HttpAnswer:
    answer = await _find(ui_url, path)
    if answer is None:
        raise HttpError(f"{ui_url}{path} is not there")
    return answer


async def _find(ui_url: str, path: str) -> HttpAnswer | None:
    answer = await get(ui_url, path, _TIMEOUT_S)
    return answer if answer.status == 200 else None


def _skew(answer: HttpAnswer, now: datetime) -> timedelta:
    """How far our clock is ahead of the engine's; differences under a second are the resolution of the header."""
    skew = now - parsedate_to_datetime(answer.headers["date"])
    return skew if abs(skew) > timedelta(seconds=2) else timedelta()


def _duration(text: str) -> timedelta:
    return timedelta(seconds=sum(int(number) * _UNITS_S[unit] for number, unit in _DURATION.findall(text)))


LONGEST = 1000


_PLAN = 100_000  # maximum number of characters of a plan to read


_DEEPEST = 6  # maximum number of relations in a chain


_MOST_NAMES = 3


_RELATIONS = frozenset(
    (
        *("aggregate", "apply_in_pandas_with_state", "approx_quantile", "as_of_join", "cached_local_relation"),
        *("cached_remote_relation", "catalog", "chunked_cached_local_relation", "co_group_map", "collect_metrics"),
        *("corr", "cov", "crosstab", "deduplicate", "describe", "drop_na", "fill_na", "filter", "freq_items"),
        *("group_map", "html_string", "join", "lateral_join", "limit", "local_relation", "map_partitions"),
        *("ml_relation", "nearest_by_join", "offset", "parse", "project", "range", "read", "repartition"),
        *("repartition_by_expression", "replace", "sample", "sample_by", "set_op", "show_string", "sort", "summary"),
        *("tail", "to_df", "to_schema", "transpose", "unpivot", "unresolved_table_valued_function", "with_columns"),
        *("with_columns_renamed", "zip"),
    )
)
"""Names in ``Relation.rel_type`` (``spark/connect/relations.proto``, 4.3) that describe an operation."""


_COMMANDS = frozenset(
    (
        *("checkpoint_command", "create_dataframe_view", "execute_external_command", "merge_into_table_command"),
        *("ml_command", "pipeline_command", "register_function", "write_operation", "write_operation_v2"),
        "write_stream_operation_start",
    )
)
"""The same in ``Command.command_type`` (``commands.proto``)."""


_OPENING = re.compile(r"(\w+) \{")


_TEXT = re.compile(r'(\w+): "((?:[^"\\]|\\.)*)"?')


_NAMES = frozenset({"path", "paths", "table_name", "unparsed_identifier"})


_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)


_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def words_of(plan: str) -> str:
    """The SQL of a plan, after the command that uses its result; without SQL the relations, outermost first."""
    commands: list[str] = []
    relations: list[str] = []
    names: list[str] = []
    query = ""
    for line in plan[:_PLAN].splitlines():
        text = line.strip()
        if opening := _OPENING.fullmatch(text):
            name = opening[1]
            if name in _COMMANDS:
                commands.append(name.partition("_operation")[0])
            elif name in _RELATIONS:
                relations.append(name)
        elif given := _TEXT.fullmatch(text):
            if given[1] == "query":
                query = query or _unescaped(given[2])
            elif given[1] in _NAMES and "\\" not in given[2]:
                names.append(given[2])
    about = f" ({', '.join(dict.fromkeys(names[:_MOST_NAMES]))})" if names else ""
    if query:
        return _cut(f"{commands[0]}{about}: {query}" if commands else query)
    chain = [*commands, *relations]
    return _cut(" ← ".join(chain[:_DEEPEST]) + (" ← …" if len(chain) > _DEEPEST else "") + about)


def _unescaped(text: str) -> str:
    """The value of a protobuf text, whose escapes are bytes of UTF-8."""

    def plain(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1] in b"01234567":
            return bytes([int(code, 8) & 0xFF])
        if code[:1] == b"x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

"""Reads what runs on an engine, of all its sessions, from Spark's own status at its UI's address.

Spark 4.3 has it as JSON (``connect/operations``), 4.1 and 4.2 as the page ``/connect/``. Stages and tasks are those of
the operation's jobs. Times are the engine's clock, turned into ours by the ``Date`` of the answer.
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

from ...adapters.operations_text import words_of
from ...core.ports.store import Operation
from ..connect.messages import PROBE_USER
from ..ui.activity import is_running, rows_of
from ..ui.http import HttpAnswer, HttpError, get

_TIMEOUT_S = 5.0
_FEW_JOBS = 8
"""So many are asked for one by one; for more the whole list is one call (at most 1,000 jobs are kept by default)."""
_MOST_APPS = 10_000
_JOB = re.compile(r"\[(\d+)\]")
_DURATION = re.compile(r"(\d+)\s*(ms|millisecond|second|minute|hour|day)")
_UNITS_S = {"ms": 0.001, "millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}

Jobs = tuple[str, ...]


class UiReader:
    """Reads the status of engines; remembers the application at each address, which a new life of an engine changes."""

    def __init__(self) -> None:
        self._apps: dict[str, str] = {}

    async def read(self, ui_url: str, now: datetime, *, has_progress: bool = True) -> list[Operation]:
        """What runs as of ``now``, oldest first; raises HttpError when the UI does not tell.

        Without ``has_progress`` stages and tasks are not asked for: a call less.
        """
        try:
            found = await self._find(ui_url, now)
            shown = [(op, jobs) for op, jobs in found if op.user_id != PROBE_USER]
            ids = [job for _, jobs in shown for job in jobs]
            known = await _jobs(ui_url, _rest(self._apps[ui_url]), ids) if has_progress else {}
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            raise HttpError(f"{ui_url} does not answer like a Spark UI: {exc!r}") from exc
        told = [
            _with_progress(op, [known[job] for job in jobs if job in known]) if has_progress else op
            for op, jobs in shown
        ]
        return sorted(told, key=lambda op: op.started_at or now)

    async def _find(self, ui_url: str, now: datetime) -> list[tuple[Operation, Jobs]]:
        """By JSON where that is, asked of the application that was there; else by that which is there, or the page."""
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
    """The jobs of these ids that Spark still knows."""
    if len(ids) > _FEW_JOBS:
        return {str(job["jobId"]): job for job in json.loads((await _get(ui_url, f"{rest}/jobs")).body)}
    answers = await asyncio.gather(*(_find(ui_url, f"{rest}/jobs/{job}") for job in ids))
    return {job: json.loads(answer.body) for job, answer in zip(ids, answers, strict=True) if answer}


def _with_progress(operation: Operation, jobs: Sequence[Mapping[str, object]]) -> Operation:
    """The operation with the sums of its jobs; a skipped stage was done before, by another job."""

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
    """How far our clock is ahead of the engine's; a difference under a second is only the header's resolution."""
    skew = now - parsedate_to_datetime(answer.headers["date"])
    return skew if abs(skew) > timedelta(seconds=2) else timedelta()


def _duration(text: str) -> timedelta:
    return timedelta(seconds=sum(int(number) * _UNITS_S[unit] for number, unit in _DURATION.findall(text)))

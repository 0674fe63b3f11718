"""Kills Spark jobs that begin, or continue, although their operation was cancelled.

Interrupt ends the jobs of an operation. But an operation that is still being planned loses it (Spark 4.3.0): its
client gets OPERATION_CANCELED, its thread is interrupted but submits the job, and that orphaned job uses the cores
until it is done; Spark ignores a second Interrupt. So after a cancel we look in the UI for a while for jobs of the
operation, by the job tag that Spark Connect gives them, and kill each with the form "kill" of the UI's page.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...core.ports.probes import Operation
from ..ui.http import HttpError, get, post

log = logging.getLogger(__name__)

WATCH_S = 15.0
"""Planning takes no longer than this after the cancel; the first query of an engine takes some seconds."""
AFTER_JOB_S = 5.0
"""And no longer than this after the last job was seen: adaptive execution submits jobs one after the other."""
LONGEST_S = 60.0
"""Jobs that have not ended by then cannot be killed (spark.ui.killEnabled=false)."""
QUICK_S = 5.0
"""For this long after the last cancel we look often: tasks must be gone 3 s after it."""
PAUSES_S = (0.25, 1.0)
"""Between looks: within :data:`QUICK_S`, and later."""
CALL_S = 5.0
KILL = "/jobs/job/kill/"

_TOKEN = re.compile(rb'name="csrfToken" value="([^"<>&]+)"')
"""In the forms of Spark's pages since 4.3: Spark rejects a form without it."""
_TAG = "SparkConnect_OperationTag_User_{}_Session_{}_Operation_{}"
"""``ExecuteJobTag`` of Spark Connect's server."""
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ANY_TAG = re.compile(_TAG.format("(.*)", f"({_UUID})", f"({_UUID})"), re.DOTALL)


@dataclass
class _Wanted:
    """A cancelled operation, and until when we look for its jobs."""

    begun: float
    until: float
    seen: set[int] = field(default_factory=set)
    """Its jobs that we killed, or tried to kill."""


@dataclass
class _Watch:
    """The cancelled operations of one engine, by their job tag, and the task that looks for their jobs."""

    wanted: dict[str, _Wanted] = field(default_factory=dict)
    quick_until: float = 0.0
    app: str | None = None
    has_failed: bool = False
    task: asyncio.Task[None] | None = None


class JobSweeper:
    """Looks for jobs of cancelled operations, with one task for each engine that has such operations."""

    def __init__(self) -> None:
        self._watches: dict[str, _Watch] = {}

    def begin(self, ui_url: str, operation: Operation) -> None:
        """Kill jobs that a cancelled operation has or soon begins; returns immediately, may be repeated."""
        now = time.monotonic()
        watch = self._watches.setdefault(ui_url, _Watch())
        known = watch.wanted.setdefault(tag_of(operation), _Wanted(now, now))
        known.begun, known.until = now, now + WATCH_S
        watch.quick_until = now + QUICK_S
        if watch.task is None:
            watch.task = asyncio.create_task(self._run(ui_url, watch))

    async def close(self) -> None:
        """Stop looking."""
        tasks = [watch.task for watch in self._watches.values() if watch.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watches.clear()  # a task that is cancelled before it starts does not clean up

    async def _run(self, ui_url: str, watch: _Watch) -> None:
        try:
            while watch.wanted:
                try:
                    await _sweep(ui_url, watch)
                except HttpError as exc:
                    watch.app = None  # it may be of another life
                    if not watch.has_failed:
                        watch.has_failed = True
                        log.warning("cannot list or kill the jobs of cancelled operations, will try again: %s", exc)
                _forget_old(ui_url, watch)
                if watch.wanted:
                    await asyncio.sleep(PAUSES_S[time.monotonic() > watch.quick_until])
        finally:
            del self._watches[ui_url]


def tag_of(operation: Operation) -> str:
    """The tag that the operation's Spark jobs carry."""
    return _TAG.format(operation.user_id, operation.session_id, operation.id)


async def find_by_jobs(ui_url: str, operation_id: str) -> Operation | None:
    """The operation with that id that has ended, but whose jobs run; raises HttpError if the UI does not list them."""
    for _, tags in await _running(ui_url, await _app(ui_url)):
        for tag in tags:
            match = _ANY_TAG.fullmatch(tag)
            if match is not None and match[3] == operation_id:
                return Operation(operation_id, user_id=match[1], session_id=match[2], is_ending=True)
    return None


async def _sweep(ui_url: str, watch: _Watch) -> None:
    """Kill running jobs of cancelled operations."""
    if watch.app is None:
        watch.app = await _app(ui_url)
    found = [(job, tag) for job, tags in await _running(ui_url, watch.app) for tag in tags if tag in watch.wanted]
    now = time.monotonic()
    for job, tag in found:
        wanted = watch.wanted[tag]
        wanted.until = max(wanted.until, now + AFTER_JOB_S)
        if job not in wanted.seen:
            wanted.seen.add(job)
            log.info("killing job %d of %s, because its operation was cancelled: %s", job, ui_url, tag)
    if found:
        await _end(ui_url, {job for job, _ in found})


async def _end(ui_url: str, jobs: set[int]) -> None:
    """Send the kill form of the jobs page for each."""
    token = _TOKEN.search(await _get(ui_url, "/jobs/"))
    form = {"csrfToken": token[1].decode()} if token else {}
    answers = await asyncio.gather(*(post(ui_url, KILL, {"id": str(job), **form}, CALL_S) for job in jobs))
    if refused := [answer.status for answer in answers if answer.status >= 400]:
        raise HttpError(f"{ui_url}{KILL} answers {refused[0]}")


def _forget_old(ui_url: str, watch: _Watch) -> None:
    now = time.monotonic()
    for tag, wanted in list(watch.wanted.items()):
        if now < min(wanted.until, wanted.begun + LONGEST_S):
            continue
        del watch.wanted[tag]
        if now < wanted.until:
            log.warning(
                "jobs of a cancelled operation still run on %s after %g s; spark.ui.killEnabled may be off, a restart "
                "of the engine ends them: %s",
                ui_url,
                LONGEST_S,
                tag,
            )


async def _app(ui_url: str) -> str:
    try:
        return str(json.loads(await _get(ui_url, "/api/v1/applications"))[0]["id"])
    except (ValueError, KeyError, TypeError, IndexError) as exc:
        raise HttpError(f"{ui_url} does not respond like a Spark UI: {exc!r}") from exc


async def _running(ui_url: str, app: str) -> Iterable[tuple[int, list[str]]]:
    """Ids and tags of the running jobs."""
    try:
        jobs = json.loads(await _get(ui_url, f"/api/v1/applications/{app}/jobs?status=running"))
        return [(int(job["jobId"]), list(map(str, job.get("jobTags") or ()))) for job in jobs]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise HttpError(f"{ui_url} does not respond like a Spark UI: {exc!r}") from exc


async def _get(ui_url: str, path: str) -> bytes:
    answer = await get(ui_url, path, CALL_S)
    if answer.status != 200:
        raise HttpError(f"{ui_url}{path} is not there ({answer.status})")
    return answer.body

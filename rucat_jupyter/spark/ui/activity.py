"""Whether an engine is in use, read from Spark's own status (its UI), so that an idle one can be stopped.

Signs of use, of every client and none of our own:

* Connect operations, counted for each session from their beginning: also those without a Spark job or SQL execution
  (``VALUES (1)``, a small DataFrame), of which ``jobs`` and ``sql`` know nothing. Spark 4.3 has them as JSON
  (``connect/sessions``); only when a count has moved, or something ran at the last look, is the long list
  ``connect/operations`` read. Spark 4.1 and 4.2 have only the page ``/connect/``.
* Jobs and streaming queries: these go on after the operation that began them, a stream also between its jobs.

Operations of :data:`~.connect_wire.PROBE_USER` are ours. Looking by REST or a browser makes no operation. Times are
the engine's clock, turned into ours by the ``Date`` of the answer: a clock that is wrong by minutes does no harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ...core.ports.probes import Activity, SessionId
from ..connect.messages import PROBE_USER
from .http import HttpAnswer, HttpError, get, open_session

_ENDED = frozenset({"FINISHED", "CLOSED", "FAILED", "CANCELED"})
"""Finished is an end: of a client that was killed the operation is closed only 7 minutes later (Spark 4.3.0)."""
_ENDLESS = ("write_stream_operation_start", "streaming_query_listener_bus_command", "ml_command { clean_cache")
"""Commands that are not seen to end: the stream that one starts is counted by itself, a listener is no query, and the
last is what pyspark sends when it exits, without waiting for it: seen as started for minutes (Spark 4.3.0)."""
_TIMES = ("startTimestamp", "finishTimestamp", "closeTimestamp")
_TIMEOUT_S = 5.0
_STREAMS = re.compile(rb"Active Streaming Queries \((\d+)\)")
_TAG = re.compile(r"<[^>]*>")


Seen = Sequence[tuple[SessionId, str]]
"""Operations that seem to run, by session and id."""


async def _believe(seen: Seen) -> set[str]:
    return set()


class ActivityReader:
    """Reads one engine's signs of use at its UI's address, and remembers what tells news from old.

    ``find_over`` says which operations that the UI lists as running have ended all the same.
    """

    def __init__(self, ui_url: str, find_over: Callable[[Seen], Awaitable[set[str]]] = _believe) -> None:
        self._ui_url = ui_url
        self._find_over = find_over
        self._app: str | None = None
        self._counts: Mapping[str, int] | None = None
        self._was_running = False
        self._last_ms = 0  # by the engine's clock
        self._used_at: datetime | None = None

    async def read(self, now: datetime) -> Activity | None:
        """Signs of use as of ``now``; None when the UI does not tell (switched off, too busy, not Spark's)."""
        try:
            async with open_session() as self._session:
                return await self._read(now)
        except (HttpError, ValueError, KeyError, TypeError, IndexError):
            self._app = None
            return None

    async def _read(self, now: datetime) -> Activity:
        if self._app is None:
            self._app = str(json.loads((await self._get("/api/v1/applications")).body)[0]["id"])
        rest = f"/api/v1/applications/{self._app}"
        sessions = await self._find(f"{rest}/connect/sessions")
        if sessions is None:
            running, last = await self._read_page(now)
        else:
            running, last = await self._read_operations(json.loads(sessions.body), rest, now)
        running += await self._streams()
        if not running:
            running = len(json.loads((await self._get(f"{rest}/jobs?status=running")).body))
        self._was_running = running > 0
        last = now if running else last
        self._used_at = max((at for at in (self._used_at, last) if at), default=None)
        return Activity(running=running, used_at=self._used_at)

    async def _read_operations(
        self, sessions: list[dict[str, object]], rest: str, now: datetime
    ) -> tuple[int, datetime | None]:
        """Operations that run, and when one last began or ended, by Spark 4.3's REST."""
        counts = {str(s["sessionId"]): _number(s["totalExecution"]) for s in sessions if s["userId"] != PROBE_USER}
        is_first, has_moved = self._counts is None, self._has_moved(counts)
        if not has_moved and not self._was_running:
            self._counts = counts
            return 0, None
        answer = await self._get(f"{rest}/connect/operations")
        theirs = [op for op in json.loads(answer.body) if op["userId"] != PROBE_USER]
        at_work = [op for op in theirs if is_running(op["statement"], op["state"])]
        running = await self._count([((op["userId"], op["sessionId"]), op["operationId"]) for op in at_work])
        last = max((_number(op[key]) for op in theirs for key in _TIMES), default=0)
        self._counts = counts
        if last <= self._last_ms:  # Spark counts an operation a moment before it lists it
            return running, now if has_moved and not is_first else None
        self._last_ms = last
        skew = now - parsedate_to_datetime(answer.headers["date"])
        return running, min(now, datetime.fromtimestamp(last / 1000, timezone.utc) + skew)

    async def _read_page(self, now: datetime) -> tuple[int, datetime | None]:
        """The same by the page of Spark 4.1 and 4.2; a first look there does not tell when."""
        rows = rows_of((await self._get("/connect/?sessionstat.pageSize=1000&sqlstat.pageSize=1")).body)
        # A session's row: user, id, start, finish, duration, operations.
        counts = {row[1]: int(row[5]) for row in rows if len(row) == 6 and row[0] != PROBE_USER}
        is_first, has_moved = self._counts is None, self._has_moved(counts)
        if not has_moved and not self._was_running:
            self._counts = counts
            return 0, None
        rows = rows_of((await self._get("/connect/?sqlstat.pageSize=1000")).body)
        # An operation's: user, jobs, query, session, start, finish, close, two durations, statement, state, and more.
        theirs = [row for row in rows if len(row) > 11 and row[0] != PROBE_USER]
        at_work = [row for row in theirs if is_running(row[9], row[10])]
        running = await self._count([((row[0], row[3]), row[11]) for row in at_work])
        self._counts = counts
        return running, now if has_moved and not is_first else None

    async def _count(self, seen: Seen) -> int:
        over = await self._find_over(seen) if seen else set()
        return sum(operation_id not in over for _, operation_id in seen)

    def _has_moved(self, counts: Mapping[str, int]) -> bool:
        """Whether a session has begun, or an operation in one, since the last look; that one was forgotten is nothing.

        Spark writes a session's count at most once in 100 ms (``spark.ui.liveUpdate.period``) and does not come back
        to it: of a session whose operations all ended sooner it says 0 for ever (4.3.0).
        """
        old = self._counts or {}
        return any(count > old.get(session, -1) for session, count in counts.items())

    async def _streams(self) -> int:
        """Streaming queries that are active; their page is there from the first one on."""
        answer = await self._find("/StreamingQuery/")
        active = _STREAMS.search(answer.body) if answer else None
        return int(active.group(1)) if active else 0

    async def _get(self, path: str) -> HttpAnswer:
        answer = await self._find(path)
        if answer is None:
            raise HttpError(f"{self._ui_url}{path} is not there")
        return answer

    async def _find(self, path: str) -> HttpAnswer | None:
        """What is there, or None: a page that this release does not have is a 404, or a redirect to the first one."""
        answer = await get(self._ui_url, path, _TIMEOUT_S, self._session)
        return answer if answer.status == 200 else None


def is_running(statement: str, state: str) -> bool:
    """Whether an operation that Spark lists in that state is at work; commands without an end are not."""
    return state not in _ENDED and not " ".join(statement[:200].split()).startswith(_ENDLESS)


def rows_of(body: bytes) -> list[list[str]]:
    """The texts of each table row's cells. By splitting: a regular expression over a page can take for ever."""
    page = body.decode(errors="replace")
    rows = (row.partition("</tr>")[0].split("<td>")[1:] for row in page.split("<tr>")[1:])
    return [[_TAG.sub("", cell).strip() for cell in cells] for cells in rows if cells]


def _number(value: object) -> int:
    return int(str(value))

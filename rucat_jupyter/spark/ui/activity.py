"""Whether an engine is in use, from the status in Spark's UI, so that an idle one can be stopped.

Activity of all clients, without our own:

* Connect operations, counted for each session from their start: also those without a Spark job or SQL execution
  (``VALUES (1)``, a small DataFrame), which ``jobs`` and ``sql`` do not list. Spark 4.3 has them as JSON
  (``connect/sessions``); only if a count has changed, or something ran at the last look, do we read the long list
  ``connect/operations``. Spark 4.1 and 4.2 only have the page ``/connect/``.
* Jobs and streaming queries: they continue after the operation that began them, a stream also between its jobs.

A session with running operations or streams is in use, even if its client does not call or is gone; but Spark ends
sessions by the time since the last call. So each look touches such sessions.

Operations of :data:`~..connect.messages.PROBE_USER` are from Rucat. Reading the UI starts no operation. Times are by
the engine's clock, and converted to the gateway's with the ``Date`` of the response: a wrong clock does no harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ...core.ports.probes import Activity, SessionId
from ..connect.messages import PROBE_USER
from .http import HttpAnswer, HttpError, get, open_session

_ENDED = frozenset({"FINISHED", "CLOSED", "FAILED", "CANCELED"})
"""Finished counts as an end: an operation of a killed client is closed only 7 minutes later (Spark 4.3.0)."""
_STREAM = "write_stream_operation_start"
_ENDLESS = (_STREAM, "streaming_query_listener_bus_command", "ml_command { clean_cache")
"""Commands whose end Spark does not report: a stream is counted separately, a listener is not a query, and pyspark
sends the last one at exit, without waiting for it: it is shown as started for minutes (Spark 4.3.0)."""
_TIMES = ("startTimestamp", "finishTimestamp", "closeTimestamp")
_TIMEOUT_S = 5.0
_STREAMS = re.compile(rb"Active Streaming Queries \((\d+)\)")
_TAG = re.compile(r"<[^>]*>")


Seen = Sequence[tuple[SessionId, str]]
"""Operations that Spark's UI lists as running, by session and id."""


async def _believe(seen: Seen) -> set[str]:
    return set()


async def _touch_none(sessions: Collection[SessionId]) -> None:
    return


class ActivityReader:
    """Reads the activity of one engine from its UI, and remembers what it has seen.

    ``find_over`` returns the operations that have ended although the UI lists them as running; ``touch`` makes the
    engine take these sessions for used.
    """

    def __init__(
        self,
        ui_url: str,
        find_over: Callable[[Seen], Awaitable[set[str]]] = _believe,
        touch: Callable[[Collection[SessionId]], Awaitable[None]] = _touch_none,
    ) -> None:
        self._ui_url = ui_url
        self._find_over = find_over
        self._touch = touch
        self._open: set[SessionId] = set()
        self._at_work: set[SessionId] = set()
        self._began_stream: set[SessionId] = set()
        self._app: str | None = None
        self._counts: Mapping[str, int] | None = None
        self._was_running = False
        self._last_ms = 0  # by the engine's clock
        self._used_at: datetime | None = None

    async def read(self, now: datetime) -> Activity | None:
        """Activity as of ``now``; None if the UI does not report it (disabled, too busy, not Spark's)."""
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
        streams = await self._streams()
        if in_use := self._at_work | (self._streaming() if streams else set()):
            await self._touch(in_use)
        running += streams
        if not running:
            running = len(json.loads((await self._get(f"{rest}/jobs?status=running")).body))
        self._was_running = running > 0
        last = now if running else last
        self._used_at = max((at for at in (self._used_at, last) if at), default=None)
        return Activity(running=running, used_at=self._used_at, sessions=frozenset(self._open))

    def _streaming(self) -> set[SessionId]:
        """The sessions of streams: those that began one. Spark lists only the last operations: without any, all."""
        return self._began_stream & self._open or self._open

    async def _read_operations(
        self, sessions: list[dict[str, object]], rest: str, now: datetime
    ) -> tuple[int, datetime | None]:
        """Number of running operations, and when one last began or ended, by Spark 4.3's REST."""
        theirs = [s for s in sessions if s["userId"] != PROBE_USER]
        counts = {str(s["sessionId"]): _number(s["totalExecution"]) for s in theirs}
        self._open = {(str(s["userId"]), str(s["sessionId"])) for s in theirs if not s.get("finishTimestamp")}
        is_first, has_moved = self._counts is None, self._has_moved(counts)
        if not has_moved and not self._was_running:
            self._counts, self._at_work = counts, set()
            return 0, None
        answer = await self._get(f"{rest}/connect/operations")
        operations = [op for op in json.loads(answer.body) if op["userId"] != PROBE_USER]
        at_work = [op for op in operations if is_running(op["statement"], op["state"])]
        self._note_streams(((op["userId"], op["sessionId"]), op["statement"]) for op in operations)
        running = await self._count([((op["userId"], op["sessionId"]), op["operationId"]) for op in at_work])
        last = max((_number(op[key]) for op in operations for key in _TIMES), default=0)
        self._counts = counts
        if last <= self._last_ms:  # Spark counts an operation a moment before it lists it
            return running, now if has_moved and not is_first else None
        self._last_ms = last
        skew = now - parsedate_to_datetime(answer.headers["date"])
        return running, min(now, datetime.fromtimestamp(last / 1000, timezone.utc) + skew)

    async def _read_page(self, now: datetime) -> tuple[int, datetime | None]:
        """The same by the page of Spark 4.1 and 4.2, where the first look does not give a time."""
        rows = rows_of((await self._get("/connect/?sessionstat.pageSize=1000&sqlstat.pageSize=1")).body)
        # A session's row: user, id, start, finish, duration, operations.
        sessions = [row for row in rows if len(row) == 6 and row[0] != PROBE_USER]
        counts = {row[1]: int(row[5]) for row in sessions}
        self._open = {(row[0], row[1]) for row in sessions if not row[3]}
        is_first, has_moved = self._counts is None, self._has_moved(counts)
        if not has_moved and not self._was_running:
            self._counts, self._at_work = counts, set()
            return 0, None
        rows = rows_of((await self._get("/connect/?sqlstat.pageSize=1000")).body)
        # An operation's: user, jobs, query, session, start, finish, close, two durations, statement, state, and more.
        theirs = [row for row in rows if len(row) > 11 and row[0] != PROBE_USER]
        at_work = [row for row in theirs if is_running(row[9], row[10])]
        self._note_streams(((row[0], row[3]), row[9]) for row in theirs)
        running = await self._count([((row[0], row[3]), row[11]) for row in at_work])
        self._counts = counts
        return running, now if has_moved and not is_first else None

    async def _count(self, seen: Seen) -> int:
        over = await self._find_over(seen) if seen else set()
        running = [session for session, operation_id in seen if operation_id not in over]
        self._at_work = set(running)
        return len(running)

    def _note_streams(self, operations: Iterable[tuple[SessionId, str]]) -> None:
        self._began_stream &= self._open
        self._began_stream |= {session for session, statement in operations if _begins_with(statement, _STREAM)}

    def _has_moved(self, counts: Mapping[str, int]) -> bool:
        """Whether a session, or an operation in one, has begun since the last look; removed sessions do not count.

        Spark updates a session's count at most once in 100 ms (``spark.ui.liveUpdate.period``) and drops updates in
        between: for a session whose operations all ended sooner it stays 0 (4.3.0).
        """
        old = self._counts or {}
        return any(count > old.get(session, -1) for session, count in counts.items())

    async def _streams(self) -> int:
        """Number of active streaming queries; their page exists after the first one."""
        answer = await self._find("/StreamingQuery/")
        active = _STREAMS.search(answer.body) if answer else None
        return int(active.group(1)) if active else 0

    async def _get(self, path: str) -> HttpAnswer:
        answer = await self._find(path)
        if answer is None:
            raise HttpError(f"{self._ui_url}{path} is not there")
        return answer

    async def _find(self, path: str) -> HttpAnswer | None:
        """The page, or None: for a page that this release does not have Spark returns 404 or a redirect."""
        answer = await get(self._ui_url, path, _TIMEOUT_S, self._session)
        return answer if answer.status == 200 else None


def is_running(statement: str, state: str) -> bool:
    """Whether an operation in that state is running; commands without a reported end are not."""
    return state not in _ENDED and not _begins_with(statement, _ENDLESS)


def _begins_with(statement: str, words: str | tuple[str, ...]) -> bool:
    return " ".join(statement[:200].split()).startswith(words)


def rows_of(body: bytes) -> list[list[str]]:
    """The texts of each table row's cells. Splits, because a regular expression can be extremely slow on a page."""
    page = body.decode(errors="replace")
    rows = (row.partition("</tr>")[0].split("<td>")[1:] for row in page.split("<tr>")[1:])
    return [[_TAG.sub("", cell).strip() for cell in cells] for cells in rows if cells]


def _number(value: object) -> int:
    return int(str(value))

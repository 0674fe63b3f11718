"""Tier 2 of an engine's health: do queries run, or is it a zombie whose service responds and whose Spark is dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..connect.messages import Answer, Finding, finding_of, is_handler_failure, is_stopped_context, probe_session
from ..connect.pace import Miss, Rhythm, wait
from .service_probe import ServiceTier

_MAX_LOST_SESSIONS = 5  # in a row: an engine that loses more cannot keep a session, and is broken


class QueryTier:
    """Runs ``VALUES (1)`` periodically while the service responds; ``on_news`` is called after each finding.

    A miss is an error twice, :attr:`~..connect.pace.Pace.confirm_s` apart, or no response within the deadline although
    the service responds promptly: a pause of the whole process (garbage collection, SIGSTOP) does not count as a miss.
    """

    def __init__(self, service: ServiceTier, run_name: str, rhythm: Rhythm, on_news: Callable[[], None]) -> None:
        self.miss: Miss | None = None
        self.context_stopped = False  # reported by the engine, twice
        self.due = asyncio.Event()  # set to request a query now
        self._service, self._run_name, self._rhythm, self._on_news = service, run_name, rhythm, on_news
        self._attempt = 0

    async def run(self) -> None:
        """Run until cancelled. The first query gets its long deadline."""
        pace = self._rhythm.pace
        soft_s = pace.first_query_s
        failures = stops = 0
        await self._service.warm()
        while True:
            await self._service.answering.wait()
            self.due.clear()
            answer = await self._query_in_session(soft_s)
            finding = finding_of(answer)
            if finding is Finding.ANSWER:
                failures, stops, soft_s = 0, 0, pace.deadline_s
                self._hear()
                await wait(self.due, self._rhythm.about(pace.query_s))
                continue
            failures += 1
            stops = stops + 1 if await self._is_stopped(answer) else 0
            self._judge(answer, finding, failures, stops)
            await wait(self.due, pace.confirm_s if failures < 3 else pace.service_s)

    def _judge(self, answer: Answer, finding: Finding, failures: int, stops: int) -> None:
        """Accept a confirmed failure; problems outside the engine are reported by the service's tier."""
        if finding is Finding.REFUSED:
            self._service.doubt()
        if finding is Finding.UNREACHED:
            self._service.due.set()
        is_outside = finding in {Finding.REFUSED, Finding.UNREACHED}
        if self._service.answering.is_set() and failures > (2 if is_outside else 1):
            self.context_stopped = stops > 1
            self._miss(f"the service responds, but a query failed ({answer.line})")

    async def _query_in_session(self, soft_s: float) -> Answer:
        """Query in the fixed session of this life, or in the next one if it was closed, which is not a failure."""
        for _ in range(_MAX_LOST_SESSIONS):
            answer = await self._query(soft_s)
            if finding_of(answer) is not Finding.LOST_SESSION:
                break
            self._attempt += 1
        return answer

    async def _query(self, soft_s: float) -> Answer:
        """Run the probe query; after ``soft_s`` seconds, if the service responds then, note a miss and query once more.

        The first answer of the two counts: a query that ran when the SparkContext was stopped never ends, but the next
        one fails immediately.
        """
        pace = self._rhythm.pace
        hard_s = max(pace.hard_deadline_s, soft_s + pace.deadline_s)
        first = self._ask(hard_s)
        queries = {first}
        try:
            while not (await asyncio.wait(queries, timeout=soft_s))[0]:
                if await self._service.is_prompt() and not first.done():
                    self._miss(f"the service responds, but a query did not finish within {soft_s:g} s")
                    self._attempt += 1  # another session, which does not wait for the first one's query
                    queries.add(self._ask(hard_s))
                    break
            done, _ = await asyncio.wait(queries, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for query in queries:
                query.cancel()
            await asyncio.gather(*queries, return_exceptions=True)

    def _ask(self, hard_s: float) -> asyncio.Task[Answer]:
        return asyncio.create_task(self._service.line.query(probe_session(self._run_name, self._attempt), hard_s))

    async def _is_stopped(self, answer: Answer) -> bool:
        """Whether the SparkContext is stopped: the server says so, or every call fails in its error handler."""
        if is_stopped_context(answer):
            return True
        line = self._service.line
        return is_handler_failure(answer) and is_handler_failure(await line.identify(self._rhythm.pace.deadline_s))

    def _hear(self) -> None:
        self.miss, self.context_stopped = None, False
        self._on_news()

    def _miss(self, message: str) -> None:
        self.miss = Miss(self.miss.since if self.miss else self._rhythm.now(), message)
        self._on_news()

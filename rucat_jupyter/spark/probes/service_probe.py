"""Tier 1 of an engine's health: does its Spark Connect service respond, and is it this engine."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable

from ...core.ports.platform import Endpoint
from ...core.timeouts import within
from ..connect.channel import Line
from ..connect.messages import Answer
from ..connect.pace import Miss, Rhythm, wait


class ServiceTier:
    """Probes one service periodically; ``on_news`` is called after each look with a new finding.

    A managed engine must reject a call without its token, and accept its token (the port may belong to another engine
    by now; a pod's address cannot, so there we skip this). For an external engine any gRPC status is a response,
    because we do not know how it authenticates.
    """

    def __init__(
        self, endpoint: Endpoint, token: str, *, is_managed: bool, rhythm: Rhythm, on_news: Callable[[], None]
    ) -> None:
        self.answering = asyncio.Event()  # set while it responds
        self.due = asyncio.Event()  # set to request a look now
        self.line = Line(endpoint, token, on_break=self.due.set)
        self.ready = False  # it has responded
        self.miss: Miss | None = None
        self._endpoint, self._is_managed, self._rhythm, self._on_news = endpoint, is_managed, rhythm, on_news
        self._address = f"{endpoint.host}:{endpoint.port}"
        self._is_identified = endpoint.is_its_own

    def doubt(self) -> None:
        """Look now, because a call found a server there that rejected the token."""
        self._is_identified = False
        self.due.set()

    async def warm(self) -> None:
        """Return after its first response and the seconds that are reserved for the user."""
        await self.answering.wait()
        await asyncio.sleep(self._rhythm.about(self._rhythm.pace.warm_up_s))

    async def run(self) -> None:
        """Run until cancelled."""
        loop, pace = asyncio.get_running_loop(), self._rhythm.pace
        silent_from = loop.time()
        while True:
            began = loop.time()
            message = await self._look()
            if message is not None and self.answering.is_set() and loop.time() - began < pace.deadline_s:
                # A connection may break although its engine is healthy (an idle timeout on the way): use a new one.
                await self.line.renew()
                message = await self._look()
            if message is None:
                self._hear()
                await wait(self.due, self._rhythm.about(pace.service_s))
            else:
                silent_from = loop.time() if self.answering.is_set() else silent_from
                self._miss(message)
                await self.line.renew()
                await wait(self.due, self._rhythm.eager(loop.time() - silent_from))

    async def is_prompt(self) -> bool:
        """Whether the service responds promptly to a separate call, so its process is not paused."""
        answer, took_s = await self._ask()
        return answer.is_from_server and took_s < self._rhythm.pace.prompt_s

    async def _look(self) -> str | None:
        """Probe once: None if this engine responds, else what was found instead."""
        if not self.answering.is_set() and not await self._is_port_open():
            return f"nothing listens on {self._address}"
        answer, _ = await self._ask()
        if not answer.is_from_server:
            return self._silence(answer)
        if not self._is_managed:
            return None
        if answer.code != "UNAUTHENTICATED":
            return f"what answers on {self._address} is another server, not this engine ({answer.line})"
        return None if self._is_identified else await self._identify()

    async def _identify(self) -> str | None:
        """Call with the token: None if the server accepts it."""
        answer = await self.line.identify(self._rhythm.pace.deadline_s)
        if not answer.is_from_server:
            return self._silence(answer)
        if answer.code == "UNAUTHENTICATED":
            return f"another Spark Connect server answers on {self._address}: it rejected this engine's token"
        self._is_identified = True
        return None

    async def _ask(self) -> tuple[Answer, float]:
        """One call and its duration in seconds; repeated if *this* process was paused past the deadline."""
        loop, pace = asyncio.get_running_loop(), self._rhythm.pace
        while True:
            began = loop.time()
            answer = await self.line.ask(pace.deadline_s)
            took_s = loop.time() - began
            if answer.code != "DEADLINE_EXCEEDED" or took_s < pace.deadline_s + pace.prompt_s:
                return answer, took_s

    async def _is_port_open(self) -> bool:
        """Whether anything listens: costs a tenth of a refused gRPC call. True if unknown."""
        host = self._endpoint.host.strip("[]")
        if self._endpoint.is_forwarded or not _is_address(host):
            return True
        try:
            await within(self._rhythm.pace.prompt_s, _connect(host, self._endpoint.port))
        except (OSError, asyncio.TimeoutError):
            return False
        return True

    def _hear(self) -> None:
        is_news = not self.answering.is_set()
        self.ready, self.miss = True, None
        self.answering.set()
        if is_news:
            self._on_news()

    def _miss(self, message: str) -> None:
        self.miss = Miss(self.miss.since if self.miss else self._rhythm.now(), message)
        self._is_identified = self._is_identified and self._endpoint.is_its_own
        self.answering.clear()
        self._on_news()

    def _silence(self, answer: Answer) -> str:
        if answer.code == "DEADLINE_EXCEEDED":
            return f"no answer within {self._rhythm.pace.deadline_s:g} s"
        if "Connection refused" in answer.text:
            return f"nothing listens on {self._address}"
        if "HTTP/2" in answer.text:
            return f"what answers on {self._address} is not Spark Connect: it does not speak HTTP/2"
        return f"the connection to {self._address} failed ({answer.line})"


async def _connect(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    await writer.wait_closed()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""Calls to a gateway that closes, ends, goes silent, or is replaced half-way."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rucat_jupyter.core.errors import GatewayUnavailable
from rucat_jupyter.jupyter import upstream as module
from rucat_jupyter.jupyter.upstream import Broken, Collected, Request, Upstream
from rucat_jupyter.launch import launch

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b'HTTP/1.1 503 X\r\nContent-Length: 31\r\n\r\n{"code": "gateway_unavailable"}'
STORE = b'HTTP/1.1 503 X\r\nContent-Length: 29\r\n\r\n{"code": "store_unavailable"}'
BEGUN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(text: bytes) -> Answer:
    """Answers that, and closes the connection."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return answer


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Answers nothing, ever."""
    await asyncio.Event().wait()


class Gateways:
    """Gateways of one data directory, one after the other: each gives one answer to all its calls."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.servers: list[asyncio.AbstractServer] = []
        self.folder = tempfile.TemporaryDirectory(prefix="u-")
        self.loop = asyncio.get_running_loop()

    def find(self) -> launch.Address:
        """As launch.ensure: called in a thread, starts the next."""
        return asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(10)

    async def _start(self) -> launch.Address:
        number = len(self.servers)
        answer = self.answers[number]

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self.tasks.add(task)
            with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(f"{number} {head.split(b' HTTP')[0].decode()}")
                await answer(writer)
            writer.close()

        path = Path(self.folder.name) / str(number)
        self.servers.append(await asyncio.start_unix_server(serve, path))
        return launch.Address(Path(self.folder.name), str(path), number, "0", 1)

    async def close(self) -> None:
        for server in self.servers:
            server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.folder.cleanup()


@contextlib.asynccontextmanager
async def upstream(*answers: Answer, wait_s: float = 10) -> AsyncIterator[tuple[Upstream, Gateways]]:
    gateways = Gateways(*answers)
    calls = Upstream(gateways.find, lambda address: None, wait_s)
    try:
        yield calls, gateways
    finally:
        await calls.close()
        await gateways.close()


async def call(upstream: Upstream, method: str = "GET", read_s: float | None = 10) -> Collected:
    answer = Collected()
    await upstream.send(Request(method, "/rucat/x?token=CANARY", read_s=read_s), answer)
    return answer


async def test_a_closing_gateway_is_left_for_the_next() -> None:
    """It took nothing, so even a POST goes on, once."""
    async with upstream(says(CLOSING), says(OK)) as (calls, gateways):
        assert await call(calls, "POST") == Collected(200, b"ok")
        assert gateways.heads == ["0 POST /rucat/x?token=CANARY", "1 POST /rucat/x?token=CANARY"]


async def test_any_other_503_comes_back() -> None:
    """The store's trouble is not the gateway's."""
    async with upstream(says(STORE)) as (calls, _):
        assert (await call(calls)).status == 503


async def test_a_gateway_that_never_stops_closing_comes_back_too() -> None:
    """After the time limit the caller gets the error."""
    async with upstream(says(CLOSING), wait_s=-1) as (calls, _):
        assert (await call(calls)).status == 503


async def test_a_call_that_breaks_is_made_again_where_that_is_safe() -> None:
    """GET is, by the next gateway."""
    async with upstream(says(b""), says(OK)) as (calls, gateways):
        assert (await call(calls)).status == 200
        assert gateways.heads == ["0 GET /rucat/x?token=CANARY", "1 GET /rucat/x?token=CANARY"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_call_that_breaks_is_sent_once_where_another_could_do_it_twice(method: str) -> None:
    """The caller has to look, and the message has no query."""
    async with upstream(says(b""), says(OK)) as (calls, gateways):
        with pytest.raises(GatewayUnavailable, match=f"{method} /rucat/x: check whether") as caught:
            await call(calls, method)
        assert "CANARY" not in str(caught.value)
        assert len(gateways.heads) == 1


@pytest.mark.parametrize("begun", [BEGUN, HALF])
async def test_an_answer_that_breaks_is_never_whole(begun: bytes) -> None:
    """What has begun cannot be repeated: the caller gets an error."""
    async with upstream(says(begun)) as (calls, _):
        with pytest.raises(Broken):
            await call(calls)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_gateway_that_is_gone_is_looked_for_again(method: str) -> None:
    """Its kept connection is closed, a new one refused: nothing was taken, so a POST goes on too."""
    async with upstream(says(OK), says(OK)) as (calls, gateways):
        await call(calls)
        gateways.servers[0].close()
        Path(gateways.folder.name, "0").unlink(missing_ok=True)
        assert (await call(calls, method)).status == 200
        assert gateways.heads[1:] == [f"1 {method} /rucat/x?token=CANARY"]


async def test_a_silent_gateway_is_given_up() -> None:
    """Frozen: an error in time, with what to do."""
    async with upstream(hangs) as (calls, _):
        with pytest.raises(GatewayUnavailable, match=r"within 0\.1 s.*--replace"):
            await call(calls, read_s=0.1)


async def test_many_callers_make_one_search() -> None:
    """Fifty concurrent calls: one gateway is started, all are answered."""
    async with upstream(says(OK)) as (calls, gateways):
        answers = await asyncio.gather(*(call(calls) for _ in range(50)))
        assert {answer.status for answer in answers} == {200}
        assert len(gateways.servers) == 1


async def test_a_caller_that_leaves_does_not_end_the_search() -> None:
    """The others still get their gateway."""
    async with upstream(says(OK)) as (calls, _):
        first, second = asyncio.ensure_future(call(calls)), asyncio.ensure_future(call(calls))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).status == 200
        await asyncio.gather(first, return_exceptions=True)


async def test_a_frozen_gateway_ends_a_call_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is that of the check, which kernels use too; a stream without a limit is not watched."""
    monkeypatch.setattr(module, "WATCH_S", 0.05)
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) > 1:
            raise GatewayUnavailable("the gateway (process 7) is frozen")

    async with upstream(hangs) as (calls, _):
        calls._check = check
        for method in ("GET", "POST"):
            with pytest.raises(GatewayUnavailable, match="process 7"):
                await call(calls, method)

"""Logs come as lines, whole or as they grow, and end when the log or the client does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fakes.office import Office, open_office
from fakes.rest_app import app_of, client_of, error_of
from fakes.served import served

LOGS = "/rucat/engines/etl/logs"
DEADLINE_S = 20.0


@pytest.fixture
async def office() -> Office:
    office = await open_office()
    await office.engine()
    return office


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def test_the_last_lines(office: Office, client: httpx.AsyncClient) -> None:
    """All of them, some, or none, as plain text that no browser takes for anything else."""
    office.local.lines = ("one", "zwei ü", "<script>alert(1)</script>", "\x1b[31m", "")
    answer = await client.get(LOGS)
    assert answer.text == "one\nzwei ü\n<script>alert(1)</script>\n\x1b[31m\n\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await client.get(f"{LOGS}?tail=2")).text == "\x1b[31m\n\n"
    assert (await client.get(f"{LOGS}?tail=0&follow=false")).text == ""
    assert office.local.readers == 0


async def test_long_logs_and_strange_lines(office: Office, client: httpx.AsyncClient) -> None:
    """A hundred thousand lines, one of a megabyte, and one that is not Unicode."""
    office.local.lines = (*(f"line {i}" for i in range(100_000)), "x" * 1_000_000, "a\ud800b")
    lines = (await client.get(LOGS)).text.split("\n")
    assert lines[:2] + lines[-3:] == ["line 0", "line 1", "x" * 1_000_000, "a?b", ""]
    assert len(lines) == 100_003


async def test_an_early_error_is_an_error_response(office: Office, client: httpx.AsyncClient) -> None:
    """Not half an answer with status 200."""
    office.local.is_down = True
    assert error_of(await client.get(LOGS)) == (503, "platform_unavailable")
    assert error_of(await client.get(f"{LOGS}?follow=true")) == (503, "platform_unavailable")
    assert office.local.readers == 0


async def test_a_log_that_breaks_off_says_so(office: Office, client: httpx.AsyncClient) -> None:
    """In its last line: the status has gone out."""
    office.local.is_broken = True
    assert (await client.get(LOGS)).text == "started\nrucat: the log ends here with an error: the disk is gone\n"


async def test_lines_are_sent_as_they_come(office: Office) -> None:
    """Over a real server: the first line is read while the log goes on, and the end of the log ends the answer."""
    with served(app_of(office)) as url:
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
            client.stream("GET", f"{LOGS}?follow=true", timeout=DEADLINE_S) as answer,
        ):
            lines = answer.aiter_lines()
            assert await anext(lines) == "started"
            assert office.local.readers == 1
            await until(lambda: office.local.follows._loop is not None)  # the server's thread waits for more
            office.local.follows._loop.call_soon_threadsafe(office.local.follows.set)
            assert [line async for line in lines] == ["the end"]
    assert office.local.readers == 0


async def test_an_empty_log_is_followed_immediately(office: Office) -> None:
    """The answer begins although there is no line yet."""
    office.local.lines = ()
    with served(app_of(office)) as url:
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
            client.stream("GET", f"{LOGS}?follow=true", timeout=DEADLINE_S) as answer,
        ):
            assert answer.status_code == 200
            office.local.follows._loop.call_soon_threadsafe(office.local.follows.set)
            assert (await answer.aread()) == b"the end\n"


async def test_a_client_that_goes_away_ends_the_stream(office: Office) -> None:
    """The platform's iterator is closed, though no line comes any more."""
    with served(app_of(office)) as url:
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
            client.stream("GET", f"{LOGS}?follow=true", timeout=DEADLINE_S) as answer,
        ):
            assert await anext(answer.aiter_lines()) == "started"
        await until(lambda: office.local.readers == 0)


async def test_a_cancelled_stream_leaves_nothing(office: Office, client: httpx.AsyncClient) -> None:
    """Before its first line, too."""
    office.local.lines = ()
    before = asyncio.all_tasks()
    call = asyncio.ensure_future(client.get(f"{LOGS}?follow=true"))
    await until(lambda: office.local.readers == 1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert office.local.readers == 0
    assert asyncio.all_tasks() == before


async def test_a_cancelled_stream_after_its_first_line_leaves_nothing(
    office: Office, client: httpx.AsyncClient
) -> None:
    """While it waits for the next one."""
    before = asyncio.all_tasks()
    call = asyncio.ensure_future(client.get(f"{LOGS}?follow=true"))
    await until(lambda: bool(office.local.follows._waiters))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert office.local.readers == 0
    assert asyncio.all_tasks() == before

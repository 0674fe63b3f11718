"""Calls to a Spark UI: plain HTTP to a known address, no proxy, no redirects, no cookies, limited response size.

We poll thousands of idle engines, so the calls of one look share a session and with it a connection: each further call
costs 0.09 ms of CPU, the first one 0.35.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import aiohttp

_MAX_BYTES = 32 << 20


class HttpError(Exception):
    """No response, or an invalid one."""


@dataclass(frozen=True)
class HttpAnswer:
    """Status, headers (names in any case), and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def open_session() -> aiohttp.ClientSession:
    """Make a session that keeps connections between calls; the caller closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def get(base_url: str, path: str, timeout_s: float, session: aiohttp.ClientSession | None = None) -> HttpAnswer:
    """GET a path of ``http://host:port``; raises HttpError if there is no valid response within the time."""
    return await _ask("GET", base_url, path, timeout_s, session=session)


async def post(base_url: str, path: str, form: Mapping[str, str], timeout_s: float) -> HttpAnswer:
    """POST a form to a path; otherwise like :func:`get`."""
    return await _ask("POST", base_url, path, timeout_s, form=form)


async def _ask(
    method: str,
    base_url: str,
    path: str,
    timeout_s: float,
    *,
    session: aiohttp.ClientSession | None = None,
    form: Mapping[str, str] | None = None,
) -> HttpAnswer:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            nullcontext(session) if session else open_session() as http,
            http.request(method, base_url + path, data=form, timeout=timeout, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > _MAX_BYTES:
                    raise HttpError(f"{base_url}{path}: the response has more than {_MAX_BYTES} bytes")
            return HttpAnswer(answer.status, answer.headers, bytes(body))
    except asyncio.TimeoutError as exc:
        raise HttpError(f"no answer from {base_url} within {timeout_s:g} s") from exc
    except (aiohttp.ClientError, ValueError) as exc:
        raise HttpError(f"{base_url}{path}: {exc}") from exc

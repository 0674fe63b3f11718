"""Read a request's JSON body: one object of limited size and depth, in strict JSON."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NoReturn

from starlette.requests import ClientDisconnect, Request

from ....core.errors import BodyTooLarge, InvalidRequest, WrongContentType
from ....core.field_errors import capped, dotted

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
"""No field needs more levels; deeper nesting would break recursive code."""
_MOST_DRAINED = 8 * MAX_BYTES
"""Read and drop up to so many bytes: a client that still sends when the response comes sees only a broken pipe."""
_LARGE_BYTES = 256 * 1024
"""Larger bodies are parsed in a thread: 8 MB take 0.1 s, in which no other request would be served."""


async def read_object(request: Request) -> dict[str, object]:
    """Read the JSON object in the body.

    Raises WrongContentType, BodyTooLarge (we count the received bytes and do not trust Content-Length), or
    InvalidRequest if it is not UTF-8, not JSON, not an object, too deep, or has a duplicate key, an invalid number or a
    lone surrogate.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        found = f"not {content_type[:80]!r}" if content_type else "with that Content-Type"
        raise WrongContentType(f"the body must be application/json, {found}")
    body = await _read(request)
    return await asyncio.to_thread(parse_object, body) if len(body) > _LARGE_BYTES else parse_object(body)


async def read_optional_object(request: Request) -> dict[str, object]:
    """Read the JSON object in the body, an empty one without a body; raises as :func:`read_object` does."""
    length = request.headers.get("content-length")
    if length == "0" or (length is None and "transfer-encoding" not in request.headers):
        return {}
    return await read_object(request)


def parse_object(body: bytes) -> dict[str, object]:
    """Parse a body; see :func:`read_object`."""
    try:
        text = body.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_not_a_number, parse_float=_finite)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest.of([("", f"the body is not JSON: {_why(exc)}")]) from None
    if not isinstance(value, dict):
        raise InvalidRequest.of([("", "the body must be a JSON object")])
    _check_depth(value, text)
    _check_surrogates(value, text)
    return value


async def _read(request: Request) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_BYTES:
                chunks.append(chunk)
            elif size > _MOST_DRAINED:
                break
    except ClientDisconnect:
        raise InvalidRequest.of([("", "the body is incomplete")]) from None
    if size > MAX_BYTES:
        raise BodyTooLarge(f"the body is larger than {MAX_BYTES // 1024**2} MB", max_bytes=MAX_BYTES)
    return b"".join(chunks)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"duplicate key {dotted([twice])[:80]!r}")
    return found


def _not_a_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


def _why(exc: Exception) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return f"byte {exc.start} is not UTF-8"
    if isinstance(exc, RecursionError):
        return "it is nested too deeply"
    if isinstance(exc, json.JSONDecodeError):
        return f"{exc.msg.removesuffix(' starting at')} at line {exc.lineno}, column {exc.colno}"
    return "a number is too large" if "integer string conversion" in str(exc) else str(exc)


def _check_depth(value: object, text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    level, depth = [value], 1
    while level := [inner for outer in level for inner in _inner(outer)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidRequest.of([("", f"the body is nested more than {MAX_DEPTH} levels deep")])


def _check_surrogates(value: object, text: str) -> None:
    """Only an escape sequence can contain one; nothing that Rucat writes to accepts it."""
    if "\\ud" not in text.lower():
        return
    wrong = [
        (dotted(path), "cannot contain a lone surrogate") for path, text in _texts((), value) if not _is_unicode(text)
    ]
    if wrong:
        raise InvalidRequest.of(capped(wrong))


def _texts(path: tuple[str, ...], value: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string in a value of checked depth, keys included, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*path, key), key
            yield from _texts((*path, key), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts((*path, str(number)), inner)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _inner(value: object) -> list[object]:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in values if isinstance(inner, (dict, list))]

"""Whatever bytes are sent as a body, the answer is a 4xx in the error form, or the value exactly as it was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fakes.office import Office, open_office
from fakes.rest_app import client_of, error_of, fields_of, post_raw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rucat_jupyter.core.errors import RucatError
from rucat_jupyter.gateway.service.http.body import MAX_BYTES, MAX_DEPTH, parse_object

SESSION = f"/rucat/engines/etl/sessions/{'a' * 32}"


@pytest.fixture
async def office() -> Office:
    return await open_office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


NESTED = '{"kubernetes": {"pod_patch": {"a": %s%s}}}'
BAD = {
    "empty": b"",
    "blank": b"  ",
    "array": b"[]",
    "number": b"1",
    "null": b"null",
    "string": b'"x"',
    "broken": b'{"name": ',
    "trailing": b'{"name": "a"} x',
    "single quotes": b"{'name': 'a'}",
    "comment": b'{"name": "a" /* x */}',
    "bom": "\ufeff{}".encode(),
    "utf-16": '{"name": "a"}'.encode("utf-16"),
    "latin-1": '{"name": "ü"}'.encode("latin-1"),
    "not utf-8": b'{"name": "\xff"}',
    "encoded surrogate": b'{"name": "\xed\xa0\x80"}',
    "control character": b'{"name": "a\nb"}',
    "key twice": b'{"name": "a", "name": "b"}',
    "inner key twice": b'{"conf": {"spark.x": "1", "spark.x": "2"}}',
    "NaN": b'{"driver": {"cores": NaN}}',
    "Infinity": b'{"driver": {"cores": Infinity}}',
    "-Infinity": b'{"driver": {"cores": -Infinity}}',
    "huge float": b'{"driver": {"cores": 1e999}}',
    "huge float inside": b'{"kubernetes": {"pod_patch": {"a": -1e999}}}',
    "huge int": b'{"driver": {"cores": ' + b"9" * 10_000 + b"}}",
    "large int": b'{"driver": {"cores": 99999999999999999999999}}',
    "deep array": (NESTED % ("[" * 100, "]" * 100)).encode(),
    "deep object": (NESTED % ('{"a":' * 100 + "1", "}" * 100)).encode(),
    "very deep array": b"[" * 1_000_000,
    "very deep object": b'{"a":' * 1_000_000,
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate key": b'{"\\uDC00": 1}',
    "lone surrogate inside": b'{"kubernetes": {"pod_patch": {"a": ["\\ud800"]}}}',
    "NUL": b'{"conf": {"spark.x": "\\u0000"}}',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
async def test_bad_bodies_are_400(client: httpx.AsyncClient, body: bytes) -> None:
    """With what is wrong, for every route that takes a body."""
    for answer in (await post_raw(client, body), await client.put(SESSION, content=body, headers=JSON)):
        assert error_of(answer) == (400, "invalid_request")
        assert answer.json()["details"]["errors"]


JSON = {"Content-Type": "application/json"}


async def test_every_lone_surrogate_is_named(client: httpx.AsyncClient) -> None:
    """By its field, with the key escaped where the key itself cannot be sent."""
    answer = await post_raw(
        client, '{"conf": {"spark.\\ud800": "x", "spark.y": "\\uDFFF", "spark.z": "\\ud83d\\ude00"}}'
    )
    assert fields_of(answer) == ["conf.spark.\\ud800", "conf.spark.y"]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
)
async def test_other_content_types_are_415(client: httpx.AsyncClient, content_type: str) -> None:
    """What a browser's form can send from another site never counts."""
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await client.post("/rucat/engines", content=b"{}", headers=headers)
    assert error_of(answer) == (415, "wrong_content_type")


@pytest.mark.parametrize("content_type", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"])
async def test_json_is_json(client: httpx.AsyncClient, content_type: str) -> None:
    """However its type is written."""
    answer = await client.post("/rucat/engines", content=b"{}", headers={"Content-Type": content_type})
    assert answer.status_code == 201


def of_size(size: int) -> bytes:
    """A valid request of exactly that many bytes."""
    empty = json.dumps({"conf": {"spark.x": ""}}).encode()
    return empty.replace(b'""', b'"' + b"x" * (size - len(empty)) + b'"')


async def test_a_body_may_have_8_mb(client: httpx.AsyncClient) -> None:
    """The last byte counts."""
    assert (await post_raw(client, of_size(MAX_BYTES))).status_code == 201
    answer = await post_raw(client, of_size(MAX_BYTES + 1))
    assert error_of(answer) == (413, "body_too_large")
    assert answer.json()["details"] == {"max_bytes": MAX_BYTES}
    assert error_of(await post_raw(client, b"x" * (10 * MAX_BYTES))) == (413, "body_too_large")


@pytest.mark.parametrize("length", [b"2", b"0", b"-1", b"999999999999", b"x"])
async def test_content_length_is_only_a_claim(office: Office, length: bytes) -> None:
    """What arrives is counted, whatever was said of it."""
    status, _ = await call_raw(office, [of_size(MAX_BYTES), b"xx"], [(b"content-length", length)])
    assert status == 413
    status, _ = await call_raw(office, [b'{"name"', b': "a"}'], [(b"content-length", length)])
    assert status == 201


async def test_a_body_that_breaks_off_is_no_request(office: Office) -> None:
    """A client that goes away while it sends creates nothing."""
    status, body = await call_raw(office, [b'{"name": "a"'], breaks_off=True)
    assert (status, body["code"]) == (400, "invalid_request")
    assert not await office.store.engines()


async def call_raw(
    office: Office, chunks: list[bytes], headers: list[tuple[bytes, bytes]] | None = None, *, breaks_off: bool = False
) -> tuple[int, dict[str, object]]:
    """POST these chunks past any client that would correct them."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    last = {"type": "http.disconnect"} if breaks_off else {"type": "http.request", "body": b"", "more_body": False}
    queue = iter([*messages, last])
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return next(queue, {"type": "http.disconnect"})

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/rucat/engines",
        "raw_path": b"/rucat/engines",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *(headers or [])],
    }
    app = client_of(office)._transport.app  # type: ignore[attr-defined]
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])  # type: ignore[misc]
    return sent[0]["status"], json.loads(body)  # type: ignore[return-value]


# --- fuzz ---------------------------------------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FIELDS = ["name", "platform", "profile", "driver", "executors", "conf", "env", "secret_env", "java_options", "image"]
FIELDS += ["local", "external", "kubernetes", "restart_policy", "start_timeout_s", "spark_version", "x"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=6))
async def test_no_request_breaks_the_gateway(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    """Random values in every field are 2xx or 4xx, never a defect."""
    answer = await post_raw(client, json.dumps(body))
    if answer.status_code != 201:
        assert 400 <= error_of(answer)[0] < 500


@settings(max_examples=200, deadline=None)
@given(body=st.binary() | ANY.map(lambda value: json.dumps(value).encode()))
def test_parsing_returns_what_json_means_or_an_error(body: bytes) -> None:
    """The value that Python's parser finds, or one of our errors."""
    try:
        found = parse_object(body)
    except RucatError:
        return
    assert found == json.loads(body)


def test_depth_is_counted_not_guessed() -> None:
    """Many brackets side by side are not deep, and the limit itself is allowed."""
    assert parse_object(b'{"a": [' + b"[]," * 1000 + b"[]]}")
    assert parse_object(b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH)
    with pytest.raises(RucatError, match="levels deep"):
        parse_object(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1))

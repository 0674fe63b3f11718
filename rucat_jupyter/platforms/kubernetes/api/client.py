"""Calls of the Kubernetes API as plain JSON: time limits on each, Retry-After obeyed, every error translated.

The library does authentication, TLS and proxies; its models are left out, since they cost more than the calls.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ....core.errors import PlatformError, PlatformUnavailable, RucatError
from ....core.timeouts import within
from .. import troubles
from . import access, remedies
from .access import Link, Way
from .pauses import retry_after_s

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

Json = dict[str, Any]

CONNECT_S = 5.0
CALL_S = 20.0
"""Limit of one call, attempts after a Retry-After included."""
MAX_WAIT_S = 10.0
"""A longer Retry-After is not waited for: the call fails, and the monitor comes back."""
SILENCE_S = 330.0
"""Of a watch: longer than what the server is asked to keep it open."""
NEVER_S = float("inf")
PAGE = 500


class ApiFault(PlatformError):
    """The API server refused a call: ``status`` and ``reason`` of its answer, and its own words in ``said``.

    The message has ``more`` behind them: the command that grants a missing right.
    """

    def __init__(self, status: int, reason: str, said: str, kind: str = "", more: str = "") -> None:
        super().__init__(said + more)
        self.said = said
        self.status = status
        self.reason = reason
        self.kind = kind

    @property
    def is_missing(self) -> bool:
        """404."""
        return self.status == 404

    @property
    def is_forbidden(self) -> bool:
        """403."""
        return self.status == 403

    @property
    def is_conflict(self) -> bool:
        """It exists already."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def is_expired(self) -> bool:
        """A watch or a page that the server remembers no more."""
        return self.status == 410


def path(kind: str, namespace: str, name: str = "", *, tail: str = "", group: str = "api/v1") -> str:
    """The path of a kind (``pods``), an object of it, or a part of that (``log``), in a namespace."""
    parts = [f"/{group}/namespaces/{quote(namespace, safe='')}", kind, quote(name, safe=""), tail]
    return "/".join(part for part in parts if part)


CLOSING = "the gateway is shutting down"


class Api:
    """One connection to a cluster, used from one event loop; connects with the first call."""

    def __init__(self, way: Way, temp: Path) -> None:
        self.way = way
        self._temp = temp
        self._link: Link | None = None
        self._retired: Link | None = None  # its streams go on until the next one retires
        self._connecting = asyncio.Lock()
        self._is_closed = False
        self.answered_at = float("-inf")  # loop time of the last answer
        self._put_off: dict[tuple[str, str], tuple[float, str]] = {}  # by verb and path: until when, and why

    async def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        await self._retire(self._link)
        await self._retire(None)

    async def client(self) -> ApiClient:
        """The library's client, with the credentials of now: for what goes past this class (WebSockets)."""
        async with self._connecting:
            if self._is_closed:
                raise PlatformUnavailable(CLOSING)
            link = self._link
            if link is None or not await link.is_current():
                try:
                    new = await access.connect(self.way, self._temp)
                except PlatformUnavailable:
                    if link is None:
                        raise
                    return link.client  # a file that is being written: the old credentials may be good still
                if self._link is link:
                    await self._retire(link)
                if self._is_closed:  # meanwhile
                    await new.client.close()
                    raise PlatformUnavailable(CLOSING)
                self._link = new
                link = new
            return link.client

    async def renew(self, client: ApiClient) -> None:
        """The API server does not accept the credentials of that client: the next call reads them again."""
        link = self._link
        if link is not None and link.client is client:
            link.reject()
            await self._retire(link)

    # --- calls ----------------------------------------------------------------------------------------------

    async def get(self, at: str, **query: object) -> Json:
        """Read an object or a list; ApiFault 404 where it is not there."""
        return await self.call("GET", at, query)

    async def find(self, at: str) -> Json | None:
        """Read an object, or None where it is not there."""
        try:
            return await self.get(at)
        except ApiFault as exc:
            if exc.is_missing:
                return None
            raise

    async def create(self, at: str, body: Json, *, dry_run: bool = False) -> Json:
        """Create an object; the server's copy of it. A field that it does not know is an error, not ignored."""
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return await self.call("POST", at, query, body)

    async def delete(self, at: str, *, uid: str | None = None, grace_s: int | None = None) -> bool:
        """Ask for an object to go, in the background all that it owns too; False where it is not there (any more)."""
        body: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        try:
            await self.call("DELETE", at, {}, body)
        except ApiFault as exc:
            if exc.is_missing or (exc.status == 409 and uid is not None):  # another of that name has taken its place
                return False
            raise
        return True

    async def list(self, at: str, **query: object) -> tuple[list[Json], str]:
        """All objects of a list, page by page, and the version that a watch goes on from."""
        items: list[Json] = []
        page: dict[str, object] = {}
        while True:
            answer = await self.call("GET", at, {**query, "limit": PAGE, **page})
            items += answer.get("items") or []
            metadata = answer.get("metadata") or {}
            if not metadata.get("continue"):
                return items, metadata.get("resourceVersion", "")
            page = {"continue": metadata["continue"]}

    async def call(self, verb: str, at: str, query: Mapping[str, object], body: Json | None = None) -> Json:
        """One call, again after a Retry-After that is short enough, within :data:`CALL_S` in all.

        Raises ApiFault where the server refuses, PlatformUnavailable where nothing is known.
        """
        try:
            return await within(CALL_S, self._call(verb, at, query, body))
        except asyncio.TimeoutError:
            raise self._silent(f"no answer within {CALL_S:.0f} s") from None

    async def _call(self, verb: str, at: str, query: Mapping[str, object], body: Json | None) -> Json:
        for is_again in (False, True, True, True):
            try:
                response = await self._open(verb, at, query, body, CALL_S)
                try:
                    data = await self._data(response)
                finally:
                    response.response.release()
                return data
            except _TryAgain as again:
                if again.after_s > MAX_WAIT_S or (is_again and again.after_s <= 0):
                    raise again.fault from None
                await asyncio.sleep(again.after_s)
                last = again.fault
        raise last

    # --- streams --------------------------------------------------------------------------------------------

    async def watch(self, at: str, **query: object) -> AsyncGenerator[Json, None]:
        """Events from a version on, until the server ends the watch. ApiFault 410 where it knows it no more."""
        stream = self.lines(at, SILENCE_S, watch="true", allowWatchBookmarks="true", **query)
        async with aclosing(stream):  # who stops reading here leaves no connection to the garbage collector
            async for line in stream:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    said = event["object"]
                    raise ApiFault(said.get("code", 500), said.get("reason", ""), said.get("message", "watch ended"))
                yield event

    async def lines(self, at: str, silence_s: float, **query: object) -> AsyncGenerator[str, None]:
        """Lines of a stream, until it ends or nothing has come for so long; invalid UTF-8 is replaced."""
        from aiohttp import ClientError  # noqa: PLC0415 - heavy

        opening = asyncio.ensure_future(self._open("GET", at, query, None, None, silence_s))
        try:
            response = await within(CALL_S, opening)
        except asyncio.TimeoutError:
            raise self._silent(f"no answer within {CALL_S:.0f} s") from None
        except _TryAgain as again:
            raise again.fault from None
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().response.close()  # the response came when the call was already cancelled
            raise
        try:
            buffer = b""
            async for chunk in response.response.content.iter_any():
                self.answered_at = asyncio.get_running_loop().time()
                *whole, buffer = (buffer + chunk).split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "replace")
            if buffer:
                yield buffer.decode("utf-8", "replace")
        except (ClientError, OSError, asyncio.TimeoutError) as exc:
            raise self._silent(f"a stream was interrupted ({troubles.line(exc)})") from None
        finally:
            response.response.close()

    # --- private --------------------------------------------------------------------------------------------

    async def _open(  # noqa: PLR0917 - one call and its two limits
        self,
        verb: str,
        at: str,
        query: Mapping[str, object],
        body: Json | None,
        total_s: float | None,
        silence_s: float | None = None,
    ) -> Any:
        """Send, and return the response when it is one of success; once more where the credentials are rejected."""
        try:
            return await self._send(verb, at, query, body, total_s, silence_s)
        except _Rejected:
            return await self._send(verb, at, query, body, total_s, silence_s)

    async def _send(  # noqa: PLR0917 - as above
        self,
        verb: str,
        at: str,
        query: Mapping[str, object],
        body: Json | None,
        total_s: float | None,
        silence_s: float | None,
    ) -> Any:
        from aiohttp import ClientError, ClientTimeout  # noqa: PLC0415 - heavy

        self._check_pause(verb, at)
        client = await self.client()
        timeout = ClientTimeout(total=total_s, sock_connect=CONNECT_S, sock_read=silence_s or CALL_S)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            request = await client.param_serialize(
                verb, at, query_params=_pairs(query), header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await client.call_api(*request, _request_timeout=timeout)
            self.answered_at = asyncio.get_running_loop().time()
            if response.status >= 400:
                await self._refused(response, client, verb, at)
        except (ClientError, OSError, ValueError, asyncio.TimeoutError) as exc:  # ValueError: what no header can have
            raise PlatformUnavailable(troubles.words(exc, self._server)) from None
        return response

    async def _data(self, response: Any) -> Json:
        from aiohttp import ClientError  # noqa: PLC0415 - heavy

        try:
            data = json.loads(await response.read())
        except (ClientError, OSError, ValueError) as exc:
            raise self._silent(f"its response was interrupted ({troubles.line(exc)})") from None
        return data if isinstance(data, dict) else {}

    def _check_pause(self, verb: str, at: str) -> None:
        """Raise where the server has put off this call, and the pause is not over."""
        until, why = self._put_off.get((verb, at), (float("-inf"), ""))
        left = until - asyncio.get_running_loop().time()
        if left > 0:
            raise _TryAgain(left, PlatformUnavailable(why))

    def _note_pause(self, verb: str, at: str, seconds: float, why: str) -> None:
        now = asyncio.get_running_loop().time()
        self._put_off = {call: noted for call, noted in self._put_off.items() if noted[0] > now}
        self._put_off[verb, at] = (now + seconds, why)

    async def _refused(self, response: Any, client: ApiClient, verb: str, at: str) -> None:
        """Raise what an answer of 400 or more means."""
        raw = await response.read()
        try:
            said = json.loads(raw)
        except ValueError:
            said = {}
        if not isinstance(said, dict):
            said = {}
        message = str(said.get("message") or raw.decode("utf-8", "replace").strip()[:300] or response.reason)
        status, reason = response.status, str(said.get("reason") or response.reason)
        kind = str((said.get("details") or {}).get("kind") or "")
        if status == 401:
            await self.renew(client)
            why = f"{self._server} does not accept the credentials: {message}"
            fault = PlatformUnavailable(f"{why}; log in again, or renew them in the kubeconfig")
            raise _Rejected(NEVER_S, fault)
        after_s = retry_after_s(response.headers.get("Retry-After"))
        is_clash = status == 409 and reason == "Conflict" and kind == "resourcequotas"
        if status == 429 or is_clash or (status >= 500 and not _is_word(message)):
            default_s = 0.2 if is_clash else 1.0 if status == 429 else NEVER_S
            fault = PlatformUnavailable(f"{self._server} answers {status}: {message}")
            if after_s is None:
                raise _TryAgain(default_s, fault)
            self._note_pause(verb, at, after_s, fault.message)
            raise _TryAgain(after_s, fault)
        more = remedies.granting(self.way, message) if status == 403 else ""
        raise ApiFault(status, reason, message, kind, more)

    async def _retire(self, link: Link | None) -> None:
        """Make no more calls by a link: its streams go on until another one retires."""
        old, self._retired = self._retired, link
        if self._link is link:
            self._link = None
        if old is not None:
            await old.client.close()  # type: ignore[no-untyped-call]

    @property
    def _server(self) -> str:
        return f"the API server of {self.way}"

    def _silent(self, why: str) -> PlatformUnavailable:
        return PlatformUnavailable(f"{self._server} does not answer: {why}")


class _TryAgain(Exception):
    """The same call may be made again after so many seconds; ``fault`` where it is not."""

    def __init__(self, after_s: float, fault: RucatError) -> None:
        super().__init__()
        self.after_s = after_s
        self.fault = fault


class _Rejected(_TryAgain):
    """The credentials are not accepted; they are read again."""


def _pairs(query: Mapping[str, object]) -> list[tuple[str, object]]:
    return [(key, str(value).lower() if isinstance(value, bool) else value) for key, value in query.items()]


def _is_word(message: str) -> bool:
    """Whether a response 500 is a rejection by an admission webhook, and not a problem of the server."""
    return "admission webhook" in message and "denied the request" in message

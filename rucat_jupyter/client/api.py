"""The only REST client of kernels, scripts and the command line: it finds or starts the gateway.

If the gateway ends during a request, the request is sent again to the next gateway: every call here is safe to
repeat (a create that was already done answers ``name_taken``, a stop or restart ``ok``).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..core.errors import EngineNotFound, GatewayUnavailable, RucatError, from_code

if TYPE_CHECKING:
    import httpx

View = dict[str, Any]
"""An engine as REST shows it."""

TIMEOUT_S = 30.0
WATCH_S = 4.0  # a request that takes longer makes us look whether the gateway is frozen
POLL_MARGIN_S = 15.0  # an answer to a long poll may come this much later than asked for
TRIES = 3  # gateways that may end one after the other during one call
STARTING_S = 20.0  # a gateway that answers that it is not ready yet is asked again for this long
LONGEST_POLL_S = 50.0  # what REST allows
HTTP_ERROR = 400


class Api:
    """REST calls; safe to use from several threads.

    Parameters
    ----------
    open_client
        Finds or starts the gateway and returns an HTTP client for it; tests pass their own.
    find_client
        Finds the running gateway and returns a client for it; None if none runs.
    check
        Raises GatewayUnavailable if the gateway is frozen; called while an answer takes long.
    """

    def __init__(
        self,
        open_client: Callable[[], httpx.Client] | None = None,
        find_client: Callable[[], httpx.Client | None] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._open_client = open_client or _open_client
        self._find_client = find_client or open_client or _find_client
        self._check = _check if open_client is None else check
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._pid = os.getpid()

    def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Any:
        """Send a request and return the JSON answer; raises the error that the answer names, or GatewayUnavailable."""
        import httpx  # noqa: PLC0415 - heavy

        starting_until = time.monotonic() + STARTING_S
        sent = _sent(json)
        broken: httpx.TransportError | None = None
        for _ in range(TRIES):
            client = self._get_client()
            ask = partial(client.request, method, f"/rucat/{path}", **sent, params=params, timeout=timeout_s)
            try:
                answer = self._watched(client, ask)
                while _is_starting(answer) and time.monotonic() < starting_until:
                    time.sleep(min(float(answer.headers.get("Retry-After", 1)), 1.0))
                    answer = self._watched(client, ask)
            except httpx.TimeoutException as exc:
                raise GatewayUnavailable(
                    f"{method} {path}: the gateway did not answer within {timeout_s:.0f} s; try again, or start a new "
                    "one: `rucat serve --replace` in a terminal (engines keep running)"
                ) from exc
            except httpx.TransportError as exc:
                broken = exc
                self._drop(client)
                continue
            return _result(answer)
        raise GatewayUnavailable(f"{method} {path}: the gateway ended {TRIES} times during the call ({broken})")

    def _watched(self, client: httpx.Client, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """Send a request; while it waits, look whether the gateway is frozen, as a new client does."""
        answer: Future[httpx.Response] = Future()
        threading.Thread(target=_settle, args=(answer, ask), name="rucat-request", daemon=True).start()
        while not wait([answer], timeout=WATCH_S).done:
            try:
                self._check()
            except GatewayUnavailable:
                from ..launch import transport  # noqa: PLC0415 - heavy: httpx comes with it

                transport.leave(client)
                self._drop(client)
                answer.add_done_callback(lambda _: client.close())
                raise
        return answer.result()

    def glance(self, path: str, timeout_s: float, method: str = "GET", params: Mapping[str, Any] | None = None) -> Any:
        """Ask a running gateway once, without starting one; None if none answers in that time."""
        import httpx  # noqa: PLC0415 - heavy

        client = self._find_client()
        if client is None:
            return None
        with client:
            try:
                return _result(client.request(method, f"/rucat/{path}", params=params, timeout=timeout_s))
            except httpx.TransportError:
                return None

    def lines(self, path: str, params: Mapping[str, Any], *, follow: bool) -> Iterator[str]:
        """Stream the lines of a text answer as they arrive; ends when the gateway ends."""
        import httpx  # noqa: PLC0415 - heavy

        timeout = httpx.Timeout(TIMEOUT_S, read=None if follow else TIMEOUT_S)
        try:
            with self._get_client().stream("GET", f"/rucat/{path}", params=params, timeout=timeout) as answer:
                if answer.status_code >= HTTP_ERROR:
                    answer.read()
                    _result(answer)
                yield from answer.iter_lines()
        except httpx.TransportError as exc:
            raise GatewayUnavailable(f"the gateway ended while it sent {path}; ask again ({exc})") from exc

    def engine(self, ref: str) -> View:
        """Read one engine by id or name."""
        view: View = self.call("GET", engine_path(ref))
        return view

    def poll(self, view: View, wait_s: float) -> View:
        """Return the engine as soon as it differs from ``view``, at the latest after ``wait_s`` seconds."""
        wait = round(max(0.0, min(wait_s, LONGEST_POLL_S)), 2)
        params = {"since": view["revision"], "wait": wait}
        answer: View = self.call("GET", engine_path(view["id"]), params=params, timeout_s=wait + POLL_MARGIN_S)
        return answer

    def find(self, ref: str) -> View | None:
        """Read one engine; None if there is none."""
        try:
            return self.engine(ref)
        except EngineNotFound:
            return None

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _get_client(self) -> httpx.Client:
        if self._pid != os.getpid():  # a forked child: the connections are its parent's, a thread of which has the lock
            self._pid, self._lock, self._client = os.getpid(), threading.Lock(), None
        with self._lock:
            if self._client is None:
                self._client = self._open_client()
            return self._client

    def _drop(self, client: httpx.Client) -> None:
        with self._lock:
            if self._client is client:
                self._client = None


def engine_path(ref: str, *more: str) -> str:
    """The path of an engine below ``/rucat/``; EngineNotFound for what cannot be in a path, nor be an engine's name."""
    if not ref or "/" in ref or set(ref) == {"."}:
        raise EngineNotFound(f"you have no engine {ref!r}")
    try:
        return "/".join(["engines", quote(ref, safe=""), *more])
    except UnicodeEncodeError:  # a lone surrogate
        raise EngineNotFound(f"you have no engine {ref!r}") from None


def _sent(body: object) -> dict[str, Any]:
    """The body as ASCII JSON, so that also invalid Unicode reaches the gateway, which names its field."""
    if body is None:
        return {}
    return {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}


def _open_client() -> httpx.Client:
    from ..launch import launch, transport  # noqa: PLC0415 - heavy: httpx comes with them

    return transport.make_client(launch.ensure(), timeout_s=TIMEOUT_S)


def _find_client() -> httpx.Client | None:
    from ..launch import launch  # noqa: PLC0415 - heavy: ssl comes with it

    if (address := launch.find()) is None:
        return None
    from ..launch.transport import make_single_client  # noqa: PLC0415 - heavy: httpx comes with it

    return make_single_client(address)


def _check() -> None:
    from ..launch import launch  # noqa: PLC0415 - heavy: ssl comes with it

    launch.check(waited_s=WATCH_S)


def _settle(answer: Future[httpx.Response], ask: Callable[[], httpx.Response]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:
        answer.set_exception(error)


def _is_starting(answer: httpx.Response) -> bool:
    return answer.status_code == GatewayUnavailable.http_status and GatewayUnavailable.code in answer.text


def _result(answer: httpx.Response) -> Any:
    if answer.status_code < HTTP_ERROR:
        return answer.json() if answer.content else None
    try:
        body = answer.json()
        raise from_code(str(body["code"]), str(body["message"]), body.get("details"))
    except (ValueError, KeyError, TypeError):
        start = answer.text[:200]
        raise RucatError(f"the gateway answered {answer.status_code} in an unknown form: {start}") from None

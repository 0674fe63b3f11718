"""One thread with one long poll per kernel, for everything in it that shows engines.

Its requests are a follower's: they keep no gateway alive, and start one only after a crash, if engines need it (an
orderly end removes ``gateway.json``, and happens if nothing is left to watch or on request).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..core.errors import GatewayUnavailable
from ..launch import datadir, launch
from .api import View
from .words import text

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

TICK_S = 1.0
"""While an engine starts or ends: its elapsed time is shown in seconds."""
REST_S = 10.0
"""Otherwise: ages are shown in minutes, and a frozen gateway is noticed after this time and a margin."""
MARGIN_S = 5.0
SHORTEST_S = 0.25
"""Between two updates: at most four a second, however fast engines change."""
PAUSE_S = 1.0
"""Between two searches for a gateway: each reads one small file."""
ASK_S = 15.0
"""A very busy engine takes seconds to list its operations."""
MOVING = ("Pending", "Stopping", "Deleting")
SETTLED = ("Stopped", "Failed")
HEADERS = {"X-Rucat-Follower": "1"}


@dataclass(frozen=True)
class Seen:
    """The last known state of all engines by id, and since when the gateway does not answer (None: it answers)."""

    engines: Mapping[str, View] = field(default_factory=dict)
    away_since: datetime | None = None
    is_known: bool = False


Callback = Callable[[Seen], None]


class Feed:
    """Polls as long as there is a subscriber.

    Parameters
    ----------
    find, ensure, open_client
        Find the gateway, start it after a crash, and open a client for it; tests pass their own.
    """

    def __init__(
        self,
        find: Callable[[], launch.Address | None] = launch.find,
        ensure: Callable[[], launch.Address] = launch.ensure,
        open_client: Callable[[launch.Address], httpx.Client] | None = None,
    ) -> None:
        self._find, self._ensure, self._open = find, ensure, open_client or open_follower
        self._callbacks: list[Callback] = []
        self._lock = threading.Lock()
        self._is_running = False
        self._wake = threading.Event()
        self._seen, self._token = Seen(), ""
        self._last_answer = text.utc_now()

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call back, on the feed's thread, after every change and periodically; returns a function that ends this.

        A callback must be quick: the others wait for it.
        """
        with self._lock:
            self._callbacks.append(callback)
            if not self._is_running:
                self._is_running = True
                self._token = ""
                threading.Thread(target=self._run, name="rucat-feed", daemon=True).start()
        return lambda: self._unsubscribe(callback)

    def look_now(self) -> None:
        """Search for a gateway now, without waiting for the next period."""
        self._wake.set()

    @property
    def is_running(self) -> bool:
        """Whether its thread polls."""
        return self._is_running

    def _unsubscribe(self, callback: Callback) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._callbacks.remove(callback)

    def _goes_on(self) -> bool:
        with self._lock:
            self._is_running = bool(self._callbacks)
            return self._is_running

    def _run(self) -> None:
        while self._goes_on():
            try:
                address = self._find() or self._bring_back()
                if address is not None:
                    with self._open(address) as client:
                        self._follow(client)
            except GatewayUnavailable:
                logger.debug("no gateway is available", exc_info=True)
            if self._goes_on():
                self._miss()
                self._wake.wait(PAUSE_S)
                self._wake.clear()

    def _follow(self, client: httpx.Client) -> None:
        """Poll one gateway until it ends, does not answer or rejects a request."""
        import httpx  # noqa: PLC0415 - heavy

        while self._goes_on():
            begun = time.monotonic()
            wait_s = TICK_S if any(v["status"] in MOVING for v in self._seen.engines.values()) else REST_S
            params = {"since": self._token, "wait": str(wait_s)} if self._token else {}
            try:
                answer = client.get("/rucat/engines", params=params, timeout=wait_s + MARGIN_S)
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                logger.debug("cannot follow the gateway: %d %s", answer.status_code, answer.text[:200])
                return
            listing = answer.json()
            self._token, self._last_answer = listing["token"], text.utc_now()
            self._notify(Seen({view["id"]: view for view in listing["engines"]}, is_known=True))
            self._wake.clear()
            time.sleep(max(0.0, begun + SHORTEST_S - time.monotonic()))

    def _miss(self) -> None:
        """No gateway answers: this matters if an engine needs one."""
        self._token = ""
        needs = self._needs_gateway() or not self._seen.is_known
        self._notify(replace(self._seen, away_since=self._last_answer if needs else None))

    def _bring_back(self) -> launch.Address | None:
        """Start the next gateway if the last one crashed and engines need it."""
        directory = datadir.data_dir()
        record = datadir.read(directory)
        has_crashed = record is not None and record.is_here
        return self._ensure() if has_crashed and self._needs_gateway() else None

    def _needs_gateway(self) -> bool:
        return any(v["status"] not in SETTLED and v["platform"] != "external" for v in self._seen.engines.values())

    def _notify(self, seen: Seen) -> None:
        self._seen = seen
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            try:
                callback(seen)
            except Exception:  # one subscriber that fails must not end the updates of all others
                logger.exception("an update of engines failed; this view is no longer updated")
                self._unsubscribe(callback)


def open_follower(address: launch.Address) -> httpx.Client:
    """Make a client of this gateway whose requests do not keep it alive."""
    import ssl  # noqa: PLC0415 - heavy

    import httpx  # noqa: PLC0415 - heavy

    no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # a socket has no TLS, so no certificates are loaded
    transport = httpx.HTTPTransport(uds=address.socket, verify=no_tls)
    return httpx.Client(base_url="http://rucat", transport=transport, headers=HEADERS, trust_env=False)


def ask(path: str) -> Any:
    """Read one path of the gateway as a follower; None if there is no gateway, or no such path."""
    import httpx  # noqa: PLC0415 - heavy

    try:
        if (address := launch.find()) is None:
            return None
        with open_follower(address) as client:
            answer = client.get(f"/rucat/{path}", timeout=ASK_S)
    except (GatewayUnavailable, httpx.TransportError):
        return None
    return answer.json() if answer.status_code == 200 else None


_feed = Feed()


def subscribe(callback: Callback) -> Callable[[], None]:
    """Subscribe to this kernel's feed: see :meth:`Feed.subscribe`."""
    return _feed.subscribe(callback)


def look_now() -> None:
    """Let this kernel's feed search for a gateway now."""
    _feed.look_now()

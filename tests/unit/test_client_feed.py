"""The feed: one poll for everybody who shows engines, throttled, and calm when the gateway is away."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import gateways
from support.place import wait_until

from rucat_jupyter.client import feed
from rucat_jupyter.client.feed import Feed, Seen
from rucat_jupyter.core.errors import GatewayUnavailable
from rucat_jupyter.launch import datadir, launch, transport

HERE = launch.Address(Path("/nowhere"), "/nowhere/s", 1, "0", 1)


class Gateway:
    """Plays the list of engines: answers immediately if it has changed, else after a short wait."""

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.is_there = True
        self.status = 200
        self.starts = 0

    def find(self) -> launch.Address | None:
        return HERE if self.is_there else None

    def ensure(self) -> launch.Address:
        self.starts += 1
        self.is_there = True
        return HERE

    def open(self, address: launch.Address) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._answer), base_url="http://rucat", headers=feed.HEADERS)

    def show(self, *statuses: str, platform: str = "local") -> None:
        """Engines by status, named e0, e1, …"""
        self.views = [
            {"id": f"e{i}", "name": f"e{i}", "status": status, "platform": platform, "revision": 1}
            for i, status in enumerate(statuses)
        ]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if not self.is_there:
            raise httpx.ConnectError("gone")
        assert request.headers["X-Rucat-Follower"] == "1"
        self.asked.append(dict(request.url.params))
        token = str(self.views)
        if request.url.params.get("since") == token:
            time.sleep(0.02)
        return httpx.Response(self.status, json={"engines": self.views, "token": token})


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A gateway, and a feed that is quick."""
    monkeypatch.setattr(feed, "PAUSE_S", 0.05)
    monkeypatch.setattr(datadir, "read", lambda directory: None)
    return Gateway()


@pytest.fixture
def subscribed(gateway: Gateway) -> Iterator[Callable[..., list[Seen]]]:
    """Subscribe to the gateway's feed; all are ended with the test."""
    made = Feed(gateway.find, gateway.ensure, gateway.open)
    with contextlib.ExitStack() as stack:

        def subscribe() -> list[Seen]:
            seen: list[Seen] = []
            stack.callback(made.subscribe(seen.append))
            return seen

        subscribe.feed = made  # type: ignore[attr-defined]
        yield subscribe
    wait_until("the end of the feed", lambda: not made.is_running, 5)


def test_all_subscribers_share_one_poll(gateway: Gateway, subscribed: Callable[..., list[Seen]]) -> None:
    """One thread asks, with the token of the last answer; every subscriber gets a change."""
    gateway.show("Running")
    before = set(threading.enumerate())
    first, second = subscribed(), subscribed()
    wait_until("both notified", lambda: first and second, 5)
    assert len(set(threading.enumerate()) - before) == 1
    gateway.show("Stopped")
    wait_until("the change", lambda: first[-1].engines["e0"]["status"] == "Stopped", 5)
    wait_until("the change", lambda: second[-1].engines["e0"]["status"] == "Stopped", 5)
    assert "since" not in gateway.asked[0]
    assert all("since" in asked for asked in gateway.asked[1:])


def test_it_ends_without_subscribers_and_starts_again(gateway: Gateway) -> None:
    """No thread runs without need."""
    made = Feed(gateway.find, gateway.ensure, gateway.open)
    for _ in range(2):
        seen: list[Seen] = []
        end = made.subscribe(seen.append)
        wait_until("notified", lambda: seen, 5)  # noqa: B023  # within the round
        end()
        end()
        wait_until("the end", lambda: not made.is_running, 5)


def test_at_most_four_updates_a_second(gateway: Gateway, subscribed: Callable[..., list[Seen]]) -> None:
    """However fast engines change."""
    seen = subscribed()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        gateway.show(*["Pending"] * (len(gateway.asked) % 7 + 1))
        time.sleep(0.01)
    assert 1 <= len(seen) <= 6


def test_moving_engines_are_reported_every_second(gateway: Gateway, subscribed: Callable[..., list[Seen]]) -> None:
    """Their elapsed time is shown; others are asked about seldom."""
    gateway.show("Running")
    subscribed()
    wait_until("asked", lambda: len(gateway.asked) > 1, 5)
    assert gateway.asked[1]["wait"] == "10.0"
    gateway.show("Pending")
    wait_until("asked often", lambda: gateway.asked[-1].get("wait") == "1.0", 5)


def test_a_missing_gateway_is_reported_if_engines_need_one(
    gateway: Gateway, subscribed: Callable[..., list[Seen]]
) -> None:
    """Since its last answer; it is not started after an orderly end, and found when it is back."""
    gateway.show("Running")
    seen = subscribed()
    wait_until("notified", lambda: seen, 5)
    gateway.is_there = False
    wait_until("away", lambda: seen[-1].away_since is not None, 5)
    assert seen[-1].engines["e0"]["status"] == "Running"
    gateway.is_there = True
    wait_until("back", lambda: seen[-1].away_since is None, 5)
    assert gateway.starts == 0


@pytest.mark.parametrize(("status", "platform"), [("Stopped", "local"), ("Running", "external")])
def test_a_gateway_that_ended_with_nothing_to_do_is_no_news(
    gateway: Gateway, subscribed: Callable[..., list[Seen]], status: str, platform: str
) -> None:
    """Settled engines and those of others need none: polling does not start one."""
    gateway.show(status, platform=platform)
    seen = subscribed()
    wait_until("notified", lambda: seen, 5)
    gateway.is_there = False
    count = len(seen)
    wait_until("looked again", lambda: len(seen) > count + 2, 5)
    assert seen[-1].away_since is None
    assert gateway.starts == 0


def test_a_crashed_gateway_is_brought_back_where_engines_need_one(
    gateway: Gateway, subscribed: Callable[..., list[Seen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record still exists: a gateway has to watch the engine."""
    gateway.show("Running")
    seen = subscribed()
    wait_until("notified", lambda: seen, 5)
    record = datadir.Record(1, "x", "h", datadir.machine(), "0", 1, "s", 0.0)
    monkeypatch.setattr(datadir, "read", lambda directory: record)
    gateway.is_there = False
    wait_until("started", lambda: gateway.starts == 1, 5)


def test_a_gateway_that_says_no_or_cannot_be_had_is_asked_again(
    gateway: Gateway, subscribed: Callable[..., list[Seen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closing gateway's 503, another machine's hold: later it may be otherwise."""
    gateway.status = 503
    seen = subscribed()
    wait_until("away", lambda: seen and seen[-1].away_since is not None, 5)
    assert not seen[-1].is_known
    gateway.status = 200
    wait_until("known", lambda: seen[-1].is_known, 5)
    find = gateway.find

    def held() -> launch.Address | None:
        raise GatewayUnavailable("held elsewhere")

    monkeypatch.setattr(subscribed.feed, "_find", held)  # type: ignore[attr-defined]
    gateway.is_there = False
    gateway.show("Running")
    count = len(seen)
    wait_until("looked again", lambda: len(seen) > count + 1, 5)
    monkeypatch.setattr(subscribed.feed, "_find", find)  # type: ignore[attr-defined]
    gateway.is_there = True
    wait_until("found", lambda: seen[-1].engines, 5)


def test_one_that_shows_badly_does_not_end_the_showing_of_others(
    gateway: Gateway, subscribed: Callable[..., list[Seen]], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and not called again."""
    calls: list[Seen] = []

    def broken(seen: Seen) -> None:
        calls.append(seen)
        raise RuntimeError("a defect")

    subscribed.feed.subscribe(broken)  # type: ignore[attr-defined]
    seen = subscribed()
    gateway.show("Running")
    wait_until("notified", lambda: len(seen) > 2, 5)
    assert len(calls) == 1
    assert "an update of engines failed" in caplog.text


# httpcore leaves a socket that could not be connected to the garbage collector
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_real_gateway_is_followed_over_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are answered immediately; its successor is found; a path that does not exist is None."""
    monkeypatch.setenv("RUCAT_DATA_DIR", str(tmp_path / "rucat"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "run"))
    assert feed.ask("profiles") is None
    with gateways.gateways() as directory:
        seen: list[Seen] = []
        made = Feed()
        end = made.subscribe(seen.append)
        try:
            for name in ("a", "b"):
                with transport.make_client(gateways.start(directory)) as client:
                    body = {"name": name, "platform": "external", "external": {"url": "sc://127.0.0.1:1"}}
                    assert client.post("/rucat/engines", json=body).status_code == 201
                names = lambda: {v["name"] for v in seen[-1].engines.values()} if seen else set()  # noqa: E731
                wait_until(f"engine {name}", lambda: name in names(), 15)  # noqa: B023  # within the round
                assert feed.ask("profiles")["default"] == "local"
                assert feed.ask("engines/nobody") is None
                launch.stop(directory)
        finally:
            end()
        wait_until("the end of the feed", lambda: not made.is_running, 20)

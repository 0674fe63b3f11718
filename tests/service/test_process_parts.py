"""The parts of the gateway process by themselves: draining, log, package, settings, clock, profile files."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rucat_jupyter.core.errors import InvalidRequest
from rucat_jupyter.gateway.service import profile_files, settings
from rucat_jupyter.gateway.service.clock import SystemClock
from rucat_jupyter.gateway.service.http.draining import Draining
from rucat_jupyter.gateway.service.process import lease, logs

# --- draining ---------------------------------------------------------------------------------------------------


class Knock:
    """One call through a draining, and what it was answered."""

    def __init__(self, draining: Draining, method: str = "GET", *headers: tuple[bytes, bytes]) -> None:
        self.sent: list[dict[str, Any]] = []
        scope = {"type": "http", "method": method, "headers": list(headers)}
        self.task = asyncio.ensure_future(draining(scope, self._receive, self._send))  # type: ignore[arg-type]

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def waits_for(event: asyncio.Event, *, begins: bool = False) -> Callable[..., Awaitable[None]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begins:
            await send({"type": "http.response.start", "status": 200})
        await event.wait()
        await send({"type": "http.response.start", "status": 200})

    return app


async def test_a_closing_gateway_refuses_calls() -> None:
    """503 gateway_unavailable with Retry-After, in the design's form."""
    draining = Draining(waits_for(asyncio.Event()))
    await draining.close(0.1)
    knock = Knock(draining, "POST")
    await knock.task
    start, body = knock.sent
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(body["body"])["code"] == "gateway_unavailable"


async def test_closing_ends_a_wait_and_lets_work_finish() -> None:
    """A long poll gets 503 and can be repeated, a create is answered."""
    gate = asyncio.Event()
    draining = Draining(waits_for(gate))
    poll, work = Knock(draining, "GET"), Knock(draining, "POST")
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(draining.close(5))
    await poll.task
    assert (poll.status, work.status) == (503, None)
    gate.set()
    await closing
    await work.task
    assert work.status == 200


async def test_closing_has_a_time_limit() -> None:
    """Work that hangs is cut off, and says that it may be tried again."""
    draining = Draining(waits_for(asyncio.Event()))
    work = Knock(draining, "POST")
    await asyncio.sleep(0)
    await draining.close(0.05)
    await work.task
    assert work.status == 503


async def test_a_stream_that_is_cut_is_not_answered_twice() -> None:
    """What has begun just ends."""
    draining = Draining(waits_for(asyncio.Event(), begins=True))
    stream = Knock(draining)
    await asyncio.sleep(0.01)
    await draining.close(0.05)
    await stream.task
    assert [message["status"] for message in stream.sent] == [200]


async def test_a_follower_keeps_nothing_alive() -> None:
    """Idle time counts from the last call that is not a follower's."""
    clock, gate = Clock(), asyncio.Event()
    draining = Draining(waits_for(gate), clock)
    Knock(draining, "GET", (b"x-rucat-follower", b"1"))
    await asyncio.sleep(0)
    clock.now += 7
    assert draining.idle_s() == 7
    other = Knock(draining, "GET")
    await asyncio.sleep(0)
    clock.now += 7
    assert draining.idle_s() == 0
    gate.set()
    await other.task
    clock.now += 3
    assert draining.idle_s() == 3


async def test_what_would_be_lost_is_known() -> None:
    """A wait loses nothing; a change or a stream does."""
    gate = asyncio.Event()
    draining, streams = Draining(waits_for(gate)), Draining(waits_for(gate, begins=True))
    Knock(draining, "GET"), Knock(streams, "GET")
    await asyncio.sleep(0.01)
    assert (draining.has_work(), streams.has_work()) == (False, True)
    Knock(draining, "POST")
    await asyncio.sleep(0)
    assert draining.has_work()
    gate.set()


async def test_draining_can_refuse_only_writes() -> None:
    """While all engines are being stopped, no call can create new ones; reads work."""
    gate = asyncio.Event()
    gate.set()
    draining = Draining(waits_for(gate))
    draining.refuse_work()
    look, work = Knock(draining, "GET"), Knock(draining, "POST")
    await asyncio.gather(look.task, work.task)
    assert (look.status, work.status) == (200, 503)


async def test_an_error_of_the_application_is_not_swallowed() -> None:
    """The server sees it, and logs it."""

    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Knock(Draining(breaks)).task


# --- log ----------------------------------------------------------------------------------------------------


def line(message: str, *args: object, **kwargs: Any) -> dict[str, Any]:
    record = logging.LogRecord("rucat_jupyter.x", logging.INFO, "", 0, message, args, kwargs.get("exc_info"))
    found: dict[str, Any] = json.loads(logs.JsonFormatter().format(record))
    return found


def test_the_engine_comes_first() -> None:
    """The id leads the line, and leaves the message."""
    found = line("%s Pending -> Running", "0123456789abcdef")
    assert next(iter(found)) == "engine"
    assert (found["engine"], found["message"]) == ("0123456789abcdef", "Pending -> Running")


@pytest.mark.parametrize(
    "text",
    [
        "sc://127.0.0.1:1/;authorization=Bearer%20CANARY",
        "Authorization: Bearer CANARY",
        "GET /rucat/engines?token=CANARY&x=1",
        "{'password': 'CANARY'}",
        '"secret": "CANARY"',
        "ws://u:p@h password=CANARY",
        "aws_access_key=CANARY",
    ],
)
def test_a_secret_that_slips_in_is_blanked(text: str) -> None:
    """Neither message nor trace shows it."""
    try:
        raise ValueError(text)
    except ValueError as exc:
        found = line(text, exc_info=(type(exc), exc, exc.__traceback__))
    assert "CANARY" not in json.dumps(found)


def test_the_log_is_private_and_one_line_each(tmp_path: Path) -> None:
    """0600, and a message with line ends stays one line."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    try:
        logs.begin(tmp_path, "INFO")
        logging.getLogger("rucat_jupyter.x").info("two\nlines")
    finally:
        for handler in root.handlers:
            if handler not in before[0]:
                handler.close()
        root.handlers[:], logging.raiseExceptions = before[0], before[2]
        root.setLevel(before[1])
    file = tmp_path / "gateway.log"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [json.loads(text)["message"] for text in file.read_text().splitlines()] == ["two\nlines"]


# --- package ------------------------------------------------------------------------------------------------


def test_a_package_that_changes_is_seen_when_it_is_still(tmp_path: Path) -> None:
    """Not while it is being installed, not when the same bytes come again, and for good when it is another."""
    file = tmp_path / "rucat_jupyter" / "__init__.py"
    file.parent.mkdir()
    file.write_text("one")
    package = lease.Package(file)
    assert not package.has_changed()
    file.write_text("one")
    assert not package.has_changed()
    file.unlink()
    assert not package.has_changed()
    assert not package.has_changed()
    file.write_text("another")
    assert not package.has_changed()
    assert package.has_changed()
    file.write_text("one")
    assert not package.has_changed()


# --- settings -----------------------------------------------------------------------------------------------


def test_settings_have_their_defaults() -> None:
    """Everything works with nothing set."""
    found = settings.load()
    assert found.store == f"surrealkv://{found.data_dir}/db"
    assert (found.silence_grace_s, found.idle_timeout_s, found.self_end_s) == (60, 3600, 600)
    assert (found.pull_grace_s, found.stop_grace_local_s) == (60, 10)


def test_one_error_names_all_wrong_settings_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable, the rule, and never what a secret may be."""
    monkeypatch.setenv("RUCAT_IDLE_TIMEOUT_S", "CANARY")
    monkeypatch.setenv("RUCAT_STORE_URL", "mysql://CANARY")
    monkeypatch.setenv("RUCAT_SELF_END_S", "nan")
    with pytest.raises(InvalidRequest) as caught:
        settings.load()
    message = caught.value.message
    assert all(name in message for name in ("RUCAT_IDLE_TIMEOUT_S", "RUCAT_STORE_URL", "RUCAT_SELF_END_S"))
    assert "CANARY" not in message


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the settings are printed."""
    monkeypatch.setenv("RUCAT_STORE_PASSWORD", "CANARY")
    assert "CANARY" not in repr(settings.load())


def test_every_setting_says_what_it_is() -> None:
    """Help for each."""
    assert [name for name, field in settings.Settings.model_fields.items() if not field.description] == []


# --- clock and profile files --------------------------------------------------------------------------------


def test_the_clock_tells_a_gap_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wall time that runs ahead is a suspended machine; now() does not jump with it."""
    import time

    clock = SystemClock()
    before, wall = clock.now(), time.time
    assert clock.gap_s() < 1
    monkeypatch.setattr(time, "time", lambda: wall() + 3600)
    assert 3599 < clock.gap_s() < 3601
    assert clock.gap_s() < 1
    assert (clock.now() - before).total_seconds() < 10


async def test_profile_files_are_layers_lowest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The administrator's, then the user's; a broken one is a layer with its error."""
    from jupyter_core import paths

    admin, user = tmp_path / "admin", Path(paths.jupyter_config_dir())
    admin.mkdir()
    user.mkdir(exist_ok=True)
    (admin / "rucat.toml").write_text('default_profile = "x"')
    (user / "rucat.toml").write_text("broken = ")
    monkeypatch.setattr(paths, "SYSTEM_CONFIG_PATH", [str(admin)])
    first, last = await profile_files.read_layers()
    assert (first.source, first.is_admin, first.data) == (str(admin / "rucat.toml"), True, {"default_profile": "x"})
    assert (last.source, last.is_admin) == (str(user / "rucat.toml"), False)
    assert last.error

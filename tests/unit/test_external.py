"""Engines that someone else runs: which addresses are taken, and that nothing is ever done to them."""

from __future__ import annotations

import asyncio
import socket
from datetime import datetime, timezone

import pytest

from rucat_jupyter.core.engine import Credential, Engine, State, Target
from rucat_jupyter.core.lifecycle import Claim, Confirm, Health, Memory, Presence, Remove, Rest, Suspect, Timing, plan
from rucat_jupyter.core.ports.platform import Endpoint, Leftover, Platform
from rucat_jupyter.core.spec import DriverSpec, EngineSpec, ExternalSpec, LocalSpec
from rucat_jupyter.platforms import external
from rucat_jupyter.platforms.external import SITE, Address, ExternalPlatform

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
URL = "sc://spark.example.org:443/;use_ssl=true"


def spec(url: str | None = URL, **fields: object) -> EngineSpec:
    return EngineSpec(external=ExternalSpec(url=url), **fields)  # type: ignore[arg-type]


def engine(**fields: object) -> Engine:
    made = Engine(
        id="0123456789abcdef",
        name="theirs",
        owner="me",
        platform="external",
        profile="external",
        site=SITE,
        spec=spec(),
        created_at=NOW,
    )
    return made.model_copy(update=fields)


@pytest.fixture
def platform() -> ExternalPlatform:
    async def resolve(host: str) -> None:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == "slow.example":
            await asyncio.Event().wait()

    return ExternalPlatform(resolve)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sc://h", Address("h", 15002)),
        ("sc://h/", Address("h", 15002)),
        ("sc://h:1", Address("h", 1)),
        ("sc://spark-0.spark.svc.cluster.local:15002/", Address("spark-0.spark.svc.cluster.local", 15002)),
        ("sc://10.0.0.1:15002/;", Address("10.0.0.1", 15002)),
        ("sc://[::1]:15002", Address("[::1]", 15002)),
        ("sc://[0:0::1]", Address("[::1]", 15002)),
        (URL, Address("spark.example.org", 443, use_tls=True)),
        ("sc://h/;use_ssl=FALSE;", Address("h", 15002)),
    ],
)
async def test_an_address_becomes_an_endpoint(platform: ExternalPlatform, url: str, expected: Address) -> None:
    """Host, port (15002 where none is given) and TLS are taken from it; a UI is never offered."""
    assert await platform.check(spec(url)) == []
    assert Address.parse(url) == expected
    made = engine(spec=spec(url))
    assert await platform.endpoint(made) == Endpoint(expected.host, expected.port, None, expected.use_tls)


@pytest.mark.parametrize(
    "url",
    [
        *(None, "", "sc://", "sc://:1", "h:1", "http://h:1", "SC://h", "sc:h", "sc://h:0", "sc://h:65536", "sc://h:x"),
        *("sc://h:-1", "sc://h:99999999999999999999", "sc://h:٣", "sc://h:", "sc://h/path", "sc://h?x=1", "sc://h#x"),
        *("sc://user@h:1", "sc://h;use_ssl=true", "sc://h/;use_ssl=maybe", "sc://[::1", "sc://[x]:1", "sc://::1"),
        *("sc://h i", "sc://h\n", "sc://-h", "sc://h%0a", "sc://$(id)", "sc://h/;use_ssl=true/more", "unix:/x"),
    ],
)
async def test_what_is_no_address_is_refused(platform: ExternalPlatform, url: str | None) -> None:
    """One problem, of the field, in one line that says what is wrong."""
    (problem,) = await platform.check(spec(url))
    assert problem.field == "external.url"
    assert problem.is_wrong
    assert problem.message
    assert "\n" not in problem.message


@pytest.mark.parametrize("url", ["sc://h/;token=s3cret", "sc://h/;x-key=s3cret", "sc://s3cret@h", "sc://h:s3cret"])
async def test_a_secret_in_a_wrong_address_is_not_repeated(platform: ExternalPlatform, url: str) -> None:
    """What is wrong is named without its value."""
    (problem,) = await platform.check(spec(url))
    assert "s3cret" not in problem.message


async def test_all_unsupported_fields_are_rejected_together(platform: ExternalPlatform) -> None:
    """No field is ignored: an external engine has an address and a token, and nothing that Rucat could set."""
    asked = spec(
        "nothing",
        conf={"a": "1"},
        driver=DriverSpec(memory="4g"),
        local=LocalSpec(python="python"),
        idle_timeout_s=0,
        spark_version="4.3.0",
    )
    fields = {problem.field for problem in await platform.check(asked)}
    assert fields == {"conf", "driver.memory", "local.python", "idle_timeout_s", "spark_version", "external.url"}


async def test_a_token_is_taken(platform: ExternalPlatform) -> None:
    """The token, also as its mask, is a field of its own."""
    assert await platform.check(EngineSpec(external=ExternalSpec(url=URL, token="***"))) == []


async def test_nothing_is_ever_done_to_it(platform: ExternalPlatform) -> None:
    """Start, stop and clean change nothing, and are safe in any order."""
    port: Platform = platform
    theirs, credential = engine(), Credential(token="")
    await port.open("installation")
    for _ in range(2):
        await port.start(theirs, credential)
        await port.stop(theirs)
        await port.clean(theirs)
    await port.remove(Leftover(theirs.id, 1))
    assert await port.leftovers() == ()
    assert (await port.pin(theirs.spec)).spec == theirs.spec
    assert port.serves(await port.site(theirs.spec))
    assert not port.serves("here")
    assert port.sites() == (SITE,)
    assert port.name == "external"


async def test_its_log_is_one_line_that_says_where(platform: ExternalPlatform) -> None:
    """Following it ends, too."""
    lines = [line async for line in platform.logs(engine(), None, follow=True)]
    assert len(lines) == 1


async def test_changes_wait_until_the_platform_is_closed(platform: ExternalPlatform) -> None:
    """There is no event of changes; the watcher ends with the platform."""

    async def watch() -> list[str]:
        return [engine_id async for engine_id in platform.changes()]

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    assert not watcher.done()
    await platform.close()
    assert await asyncio.wait_for(watcher, 1) == []


async def test_the_monitor_s_table_leads_it_through_its_life(platform: ExternalPlatform) -> None:
    """Claimed, running when it answers, unresponsive when it does not, removed when forgotten; never stopped."""
    timing, ready = Timing(), Health(ready=True)
    silent = Health(ready=True, silent_since=NOW, message="nothing listens")

    async def step(theirs: Engine, health: Health) -> object:
        seen = (await platform.observe([theirs]))[theirs.id]
        return plan(theirs, seen, Memory(since=NOW, health=health), NOW, timing)

    claimed = engine(state_run=1)
    running = engine(state_run=1, state=State.RUNNING, started_at=NOW)
    assert isinstance(await step(engine(), Health()), Claim)
    assert isinstance(await step(claimed, Health()), Rest)
    assert isinstance(await step(claimed, ready), Confirm)
    assert isinstance(await step(running, ready), Rest)
    assert isinstance(await step(running, silent), Suspect)
    for state in (engine(), claimed, running):
        assert isinstance(await step(state.model_copy(update={"target": Target.DELETED}), ready), Remove)


async def test_what_is_forgotten_is_absent(platform: ExternalPlatform) -> None:
    """All others are there, as far as anybody can say."""
    kept, gone = engine(id="0" * 16), engine(id="1" * 16, target=Target.DELETED)
    seen = await platform.observe([kept, gone])
    assert {i: o.presence for i, o in seen.items()} == {"0" * 16: Presence.ALIVE, "1" * 16: Presence.ABSENT}


async def test_a_name_without_an_address_is_refused(
    platform: ExternalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name and why, before there is a record; a name server that does not answer has a limit."""
    monkeypatch.setattr(external, "RESOLVE_S", 0.1)
    (problem,) = await platform.check(spec("sc://nohost.invalid:15002"))
    assert (problem.field, problem.is_wrong) == ("external.url", True)
    assert problem.message == "the host name nohost.invalid does not resolve: Name or service not known"
    (problem,) = await platform.check(spec("sc://slow.example"))
    assert problem.message == "no name server has answered for slow.example within 0.1 s"


@pytest.mark.parametrize("url", ["sc://a..b:1", f"sc://{'a' * 64}.example"])
async def test_a_name_that_cannot_be_asked_for_is_refused(url: str) -> None:
    """Python cannot encode it, and raises no OSError."""
    (problem,) = await ExternalPlatform().check(spec(url))
    assert problem.is_wrong
    assert problem.message.endswith("has an empty part, or one with more than 63 characters")


@pytest.mark.parametrize("url", ["sc://127.0.0.1:1", "sc://[::1]:1", "sc://localhost"])
async def test_addresses_resolve_without_a_name_server(url: str) -> None:
    """By the system's own resolver, IPv6 in brackets too."""
    assert await ExternalPlatform().check(spec(url)) == []

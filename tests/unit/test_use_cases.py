"""The use cases record exactly what is wanted, also when others write at the same time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from unittest.mock import AsyncMock

import pytest
from fakes.memory_store import MemoryStore
from fakes.office import LIVES, OWNER, SITE, TOKEN, Office, OfficePlatform, open_office

from rucat_jupyter.core import lifecycle
from rucat_jupyter.core.config.resolve import Layer, Profiles
from rucat_jupyter.core.engine import Credential, Engine, State, Status, Target, Verb
from rucat_jupyter.core.errors import (
    ConfDenied,
    Conflict,
    EngineNotFound,
    Forbidden,
    InvalidRequest,
    NameTaken,
    NotManaged,
    NotPossible,
    PlatformError,
    PlatformUnavailable,
)
from rucat_jupyter.core.lifecycle import Outcome, status_of
from rucat_jupyter.core.ports.planning import Blueprint, Finding
from rucat_jupyter.core.ports.platform import Endpoint, Problem
from rucat_jupyter.core.ports.store import Beat, Note
from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.core.spec import MASK, EngineSpec, KubernetesSpec
from rucat_jupyter.gateway.use_cases import namespace_checks
from rucat_jupyter.gateway.use_cases.engines import ATTEMPTS, Gateway
from rucat_jupyter.gateway.use_cases.operations import Reached

KEY = key_of("/n.ipynb")


@pytest.fixture
async def office() -> Office:
    return await open_office()


def fields_of(error: InvalidRequest | Forbidden) -> list[str]:
    return [line["field"] for line in error.details["errors"]]  # type: ignore[attr-defined, index]


# --- create -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "/mine"),
        ({"kubernetes": {"context": "c"}}, "/mine"),
        ({"kubernetes": {"kubeconfig": "/theirs"}}, "/theirs"),
        ({"kubernetes": {"context": "in-cluster"}}, None),
        ({"platform": "local"}, None),
    ],
)
async def test_the_callers_kubeconfig_is_for_engines_on_kubernetes_without_one(office, given, expected):
    """In a create and in its plan; another caller has another one."""
    office.gateway.platforms = {"kubernetes": OfficePlatform("kubernetes"), "local": OfficePlatform()}
    request = {"platform": "kubernetes", **given}
    plan = await office.gateway.plan(OWNER, request, "/mine")
    assert plan.spec.get("kubernetes", {}).get("kubeconfig") == expected
    made = await office.gateway.create(OWNER, request, "/mine")
    assert made.spec.kubernetes.kubeconfig == expected
    other = await office.gateway.create(OWNER, request)
    assert other.spec.kubernetes.kubeconfig == (None if expected == "/mine" else expected)


async def test_create_records_an_engine_that_is_to_run(office: Office) -> None:
    """A created engine is Pending, pinned, bound to its site, and the monitor is woken."""
    engine = await office.gateway.create(OWNER, {"name": "etl", "conf": {"spark.x": "1"}})
    assert (engine.name, engine.owner, engine.platform, engine.profile) == ("etl", OWNER, "local", "local")
    assert (engine.state, engine.target, engine.run, engine.state_run) == (State.PENDING, Target.RUNNING, 1, 0)
    assert (engine.site, engine.spark_version, engine.python_version) == (SITE, "4.3.0", "3.11.7")
    assert engine.spec.driver.memory == "1g"
    assert engine.created_at == office.clock[0]
    assert await office.store.get(engine.id) == engine
    assert office.woken == [engine.id]
    assert office.notifier.notified == 1
    assert [(e.actor, e.kind) for e in await office.store.history(engine.id)] == [(OWNER, "create")]


async def test_secrets_are_kept_apart(office: Office) -> None:
    """The row has masks; the credential has the token, the secret conf and env, and all of secret_env."""
    engine = await office.gateway.create(
        OWNER,
        {
            "conf": {"spark.a.password": "p1", "spark.b": "2"},
            "env": {"MY_SECRET": "p2", "PLAIN": "3"},
            "secret_env": {"AWS_REGION": "p4", "PLAIN": "hidden"},
        },
    )
    assert engine.spec.conf == {"spark.a.password": MASK, "spark.b": "2"}
    assert engine.spec.env == {"MY_SECRET": MASK, "PLAIN": "3"}
    assert engine.spec.secret_env == {"AWS_REGION": MASK}
    assert await office.store.credential(engine.id) == Credential(
        token=TOKEN, conf={"spark.a.password": "p1"}, env={"MY_SECRET": "p2", "AWS_REGION": "p4"}
    )


async def test_an_external_engine_brings_its_own_token(office: Office) -> None:
    """Its token is a secret like any other, also one that came inside the address."""
    given = {"platform": "external", "external": {"url": "sc://far:443/;token=t%3B1;user_id=me"}}
    engine = await office.gateway.create(OWNER, given)
    assert (engine.platform, engine.profile, engine.name) == ("external", "", "external")
    assert engine.spec.external.url == "sc://far:443/;use_ssl=true;user_id=me"
    assert engine.spec.external.token == MASK
    assert (await office.store.credential(engine.id)).token == "t;1"


async def test_an_external_engine_may_have_no_token(office: Office) -> None:
    """No token is made up for an engine that someone else runs."""
    engine = await office.gateway.create(OWNER, {"platform": "external", "external": {"url": "sc://far:15002"}})
    assert (await office.store.credential(engine.id)).token == ""


async def test_one_error_names_all_wrong_fields(office: Office) -> None:
    """Name, platform, profile and fields of the spec are all in one error, and nothing is recorded."""
    request = {
        "name": "-x",
        "profile": "nope",
        "driver": {"memory": "4 GB", "cores": 0},
        "conf": {"a.b": "c", "spark.token": MASK, "spark.x": 1},
        "drvier": {},
    }
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.create(OWNER, request)
    assert fields_of(caught.value) == ["name", "profile", "driver.cores", "driver.memory", "conf.spark.x", "drvier"]
    assert not await office.store.engines()


async def test_a_platform_that_is_not_here_is_named_with_those_that_are(office: Office) -> None:
    """An unknown platform, and a profile that needs one, say what there is."""
    with pytest.raises(InvalidRequest, match="platform: there is no platform 'mars'; there are external, local"):
        await office.gateway.create(OWNER, {"platform": "mars"})
    with pytest.raises(InvalidRequest, match="needs platform 'kubernetes', which this gateway does not have"):
        await office.gateway.create(OWNER, {"profile": "k8s-small"})


async def test_what_the_platform_finds_wrong_is_refused(office: Office) -> None:
    """Only a wrong spec is an error; what may pass is created, and fails later with its reason."""
    office.local.problems = (Problem("driver.memory", "too much", is_wrong=False), Problem("image", "not here"))
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.create(OWNER, {})
    assert fields_of(caught.value) == ["image"]
    office.local.problems = office.local.problems[:1]
    assert status_of(await office.gateway.create(OWNER, {})) is Status.PENDING


async def test_denied_confs_are_refused_by_name(office: Office) -> None:
    """Every denied key is named, and nothing is recorded."""
    with pytest.raises(ConfDenied) as caught:
        await office.gateway.create(OWNER, {"conf": {"spark.master": "x", "spark.ok": "y", "spark.driver.port": "1"}})
    assert caught.value.details["keys"] == ["spark.master", "spark.driver.port"]
    assert not await office.store.engines()


async def test_limits_hold_for_what_the_platform_fills_in() -> None:
    """A default that is over the limit is the limit; what was asked for is refused."""
    profiles = Profiles([Layer("rucat.toml", {"limits": {"max_driver_memory": "2g"}})])
    office = await open_office(profiles)
    office.local.memory = "3g"
    assert (await office.gateway.create(OWNER, {})).spec.driver.memory == "2g"
    with pytest.raises(Forbidden) as caught:
        await office.gateway.create(OWNER, {"driver": {"memory": "3g"}})
    assert fields_of(caught.value) == ["driver.memory"]


async def test_a_taken_name_is_refused_with_the_engine_that_has_it(office: Office) -> None:
    """Per owner: another owner may have an engine of the same name."""
    engine = await office.engine(name="etl")
    with pytest.raises(NameTaken) as caught:
        await office.gateway.create(OWNER, {"name": "etl"})
    assert caught.value.details == {"id": engine.id, "status": "Pending", "verbs": ["stop", "delete"]}
    assert "; possible now: stop, delete" in caught.value.message
    assert (await office.gateway.create("bob", {"name": "etl"})).name == "etl"


async def test_without_a_name_a_free_one_is_chosen(office: Office) -> None:
    """The profile's name, then with the smallest free number."""
    names = [(await office.gateway.create(OWNER, {})).name for _ in range(3)]
    await office.gateway.create(OWNER, {"name": "local-5"})
    names += [(await office.gateway.create(OWNER, {"name": None})).name for _ in range(2)]
    assert names == ["local", "local-2", "local-3", "local-4", "local-6"]


async def test_fifty_concurrent_creates_without_a_name_all_get_one(office: Office) -> None:
    """Creates that race for the same free number end with names of their own."""
    made = await asyncio.gather(*(office.gateway.create(OWNER, {}) for _ in range(50)))
    assert len({engine.name for engine in made}) == 50


async def test_fifty_concurrent_creates_with_one_name_make_one(office: Office) -> None:
    """One create wins; the errors of all others have its id."""
    results = await asyncio.gather(
        *(office.gateway.create(OWNER, {"name": "one"}) for _ in range(50)), return_exceptions=True
    )
    made = [result for result in results if isinstance(result, Engine)]
    taken = [result for result in results if isinstance(result, NameTaken)]
    assert (len(made), len(taken)) == (1, 49)
    assert {error.details["id"] for error in taken} == {made[0].id}


# --- looking ------------------------------------------------------------------------------------------------


async def test_an_engine_is_found_by_id_and_by_name(office: Office) -> None:
    """Both, again and again, and by a name that a later engine has taken over."""
    engine = await office.engine()
    for ref in (engine.id, "etl", "etl"):
        assert await office.gateway.get(OWNER, ref) == engine
    await office.store.remove(engine, Note(OWNER, "deleted"))
    with pytest.raises(EngineNotFound):
        await office.gateway.get(OWNER, "etl")
    again = await office.engine()
    assert (await office.gateway.get(OWNER, "etl")).id == again.id != engine.id


@pytest.mark.parametrize("ref", ["0001000000000000", "etl", "nobody", "-", "a\0b", "\ud800", "x" * 5000])
async def test_engines_of_other_owners_are_hidden(office: Office, ref: str) -> None:
    """An engine of another owner, a missing engine and an invalid name give the same error."""
    await office.engine(owner="bob")
    with pytest.raises(EngineNotFound, match="you have no engine"):
        await office.gateway.get(OWNER, ref)


async def test_engines_are_filtered_by_owner_status_and_name(office: Office) -> None:
    """Each owner sees its own, oldest first."""
    for name, status in (("a", Status.RUNNING), ("b", Status.STOPPED), ("c", Status.RUNNING)):
        await office.engine(status, name)
    await office.engine(owner="bob")
    listed = office.gateway.engines
    assert [e.name for e in await listed(OWNER)] == ["a", "b", "c"]
    assert [e.name for e in await listed(OWNER, Status.RUNNING)] == ["a", "c"]
    assert [e.name for e in await listed(OWNER, None, "b")] == ["b"]
    assert await listed(OWNER, Status.RUNNING, "b") == []


async def test_a_running_engine_is_shown_with_its_endpoint_and_sessions(office: Office) -> None:
    """The address has no token, the UI is relative to the base and only of an engine that has one."""
    engine = await office.engine(Status.RUNNING)
    await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    (view,) = await office.gateway.view([await office.gateway.get(OWNER, "etl")])
    assert view.endpoint is not None
    assert (view.endpoint.url, view.endpoint.ui_url) == ("sc://127.0.0.1:15002", None)
    assert [(s.key, s.path, s.user_id) for s in view.sessions] == [(KEY, "/n.ipynb", OWNER)]
    assert (view.status, view.verbs) == (Status.RUNNING, [Verb.STOP, Verb.RESTART, Verb.DELETE])
    assert TOKEN not in view.model_dump_json()

    office.local.endpoints[engine.id] = Endpoint("127.0.0.1", 15002, "http://127.0.0.1:4040")
    (view,) = await office.gateway.view([engine])
    assert view.endpoint is not None
    assert view.endpoint.ui_url == f"rucat/engines/{engine.id}/ui/"


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.RUNNING, Status.UNRESPONSIVE)])
async def test_an_engine_that_is_not_there_has_no_endpoint(office: Office, status: Status) -> None:
    """Only what answers, or did a moment ago, has an address."""
    (view,) = await office.gateway.view([await office.engine(status)])
    assert (view.status, view.endpoint) == (status, None)


async def test_a_platform_out_of_reach_hides_no_engine(office: Office) -> None:
    """Its engines are shown without an address, and so are those that this gateway does not serve."""
    engine = await office.engine(Status.RUNNING)
    office.local.is_down = True
    elsewhere = engine.model_copy(update={"id": "f" * 16, "site": "elsewhere"})
    assert [view.endpoint for view in await office.gateway.view([engine, elsewhere])] == [None, None]


async def test_looking_again_reads_no_sessions_that_are_known(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session moves its engine's revision; without that nothing is read, and little is kept."""
    engine = await office.engine()
    calls: list[list[str]] = []
    read = office.store.sessions

    async def sessions(ids: list[str]) -> object:
        calls.append(ids)
        return await read(ids)

    monkeypatch.setattr(office.store, "sessions", sessions)
    monkeypatch.setattr("rucat_jupyter.gateway.use_cases.lookup.MOST_KNOWN", 1)
    await office.gateway.view([engine])
    await office.gateway.view([engine])
    assert calls == [[engine.id]]
    other = await office.engine(name="other")
    await office.gateway.view([other])
    await office.gateway.view([engine])
    assert len(calls) == 3


async def test_connection_has_the_token(office: Office) -> None:
    """``remote`` is ready for Spark's client: on loopback the token is a bearer header, percent-encoded."""
    await office.engine(Status.RUNNING)
    connection = await office.gateway.connection(OWNER, "etl")
    assert (connection.url, connection.token) == ("sc://127.0.0.1:15002", TOKEN)
    encoded = "a%20secret%2Btoken%2Fof%3D32%3Bchars%26more%25"
    assert connection.remote == f"sc://127.0.0.1:15002/;authorization=Bearer%20{encoded}"
    assert TOKEN not in repr(connection)
    with pytest.raises(EngineNotFound):
        await office.gateway.connection("bob", "etl")


@pytest.mark.parametrize(
    ("endpoint", "token", "remote"),
    [
        (Endpoint("far", 443, use_tls=True), "t;", "sc://far:443/;use_ssl=true;token=t%3B"),
        (Endpoint("far", 443, use_tls=True), "", "sc://far:443/;use_ssl=true"),
        (Endpoint("far", 15002), "", "sc://far:15002"),
    ],
)
async def test_connection_of_an_external_engine(office: Office, endpoint: Endpoint, token: str, remote: str) -> None:
    """With TLS the token goes the usual way, and without a token there is none in the address."""
    request = {"platform": "external", "external": {"url": "sc://far", "token": token or None}}
    engine = await office.gateway.create(OWNER, request)
    for changes in LIVES[Status.RUNNING]:
        engine = await office.store.update(engine, changes, None)
    office.external.endpoints[engine.id] = endpoint
    assert (await office.gateway.connection(OWNER, engine.id)).remote == remote


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.RUNNING, Status.UNRESPONSIVE)])
async def test_no_connection_while_it_does_not_run(office: Office, status: Status) -> None:
    """The error says what the engine is instead."""
    await office.engine(status)
    with pytest.raises(NotPossible, match=f"it is {status.value}") as caught:
        await office.gateway.connection(OWNER, "etl")
    possible = [verb.value for verb in lifecycle.verbs_of(await office.gateway.get(OWNER, "etl"))]
    assert caught.value.details == {"status": status.value, "verbs": possible}
    assert caught.value.message.endswith(
        f"possible now: {', '.join(possible)}" if possible else "no verb is possible now"
    )


async def test_a_name_that_is_free_again_is_refused_without_verbs(office: Office) -> None:
    """The engine that had it was deleted between the create and the look."""
    engine = await office.engine(name="etl")
    office.gateway.get = AsyncMock(side_effect=EngineNotFound("gone"))  # type: ignore[method-assign]
    with pytest.raises(NameTaken) as caught:
        await office.gateway.create(OWNER, {"name": "etl"})
    assert caught.value.details == {"id": engine.id}


async def test_no_connection_without_an_address(office: Office) -> None:
    """A running engine whose address is not known now, or not here, says so."""
    engine = await office.engine(Status.RUNNING)
    office.local.endpoints.clear()
    with pytest.raises(NotPossible, match="no address yet"):
        await office.gateway.connection(OWNER, "etl")
    await office.store.update(engine, {"site": "elsewhere"}, None)
    with pytest.raises(NotPossible, match="does not serve its site 'elsewhere'"):
        await office.gateway.connection(OWNER, "etl")


async def test_logs_come_from_the_platform(office: Office) -> None:
    """Lines of an engine's own log, where its platform is served."""
    engine = await office.engine()
    assert [line async for line in await office.gateway.logs(OWNER, "etl", 10, follow=False)] == ["started"]
    await office.store.update(engine, {"site": "elsewhere"}, None)
    with pytest.raises(PlatformUnavailable, match="elsewhere"):
        await office.gateway.logs(OWNER, "etl", 10, follow=False)


async def test_history_outlives_the_engine(office: Office) -> None:
    """By its id, and for its owner only."""
    engine = await office.engine()
    assert [event.kind for event in await office.gateway.history(OWNER, "etl")] == ["create"]
    await office.store.remove(engine, Note("monitor", "deleted"))
    assert [event.kind for event in await office.gateway.history(OWNER, engine.id)] == ["create", "deleted"]
    for owner, ref in (("bob", engine.id), (OWNER, "etl"), (OWNER, "f" * 16)):
        with pytest.raises(EngineNotFound):
            await office.gateway.history(owner, ref)


# --- verbs --------------------------------------------------------------------------------------------------

VERBS: Mapping[Verb, str] = {  # the table of the design, row by row: Accepted, Ok, Not possible
    Verb.STOP: "AAAOOON",
    Verb.RESTART: "OAAAAAN",
    Verb.DELETE: "AAAAAAO",
}
COLUMNS = (
    Status.PENDING,
    Status.RUNNING,
    Status.UNRESPONSIVE,
    Status.STOPPING,
    Status.STOPPED,
    Status.FAILED,
    Status.DELETING,
)
CELLS = [(verb, status, answer) for verb, row in VERBS.items() for status, answer in zip(COLUMNS, row, strict=True)]


@pytest.mark.parametrize(("verb", "status", "answer"), CELLS)
async def test_each_cell_of_the_verb_table(office: Office, verb: Verb, status: Status, answer: str) -> None:
    """A verb writes what it changes exactly where the table says 202, wakes the monitor, and tells history."""
    before = await office.engine(status)
    office.woken.clear()
    if answer == "N":
        with pytest.raises(NotPossible, match=f"it is {status.value}"):
            await office.gateway.ask(OWNER, "etl", verb)
        assert await office.store.get(before.id) == before
        return
    outcome, after = await office.gateway.ask(OWNER, before.id, verb, reason="because", actor="cli")
    assert outcome is (Outcome.ACCEPTED if answer == "A" else Outcome.OK)
    assert await office.store.get(before.id) == after
    if answer == "O":
        assert after == before
        assert office.woken == []
        return
    target = {Verb.STOP: Target.STOPPED, Verb.RESTART: Target.RUNNING, Verb.DELETE: Target.DELETED}[verb]
    assert (after.target, after.run) == (target, before.run + (verb is Verb.RESTART))
    assert office.woken == [before.id]
    event = (await office.store.history(before.id))[-1]
    assert (event.actor, event.kind, event.reason) == ("cli", verb.value, "because")


async def test_external_engines_are_only_forgotten(office: Office) -> None:
    """Rucat refuses stop and restart; it deletes the record, with or without force."""
    given = {"platform": "external", "external": {"url": "sc://far"}}
    engine = await office.gateway.create(OWNER, given)
    for verb in (Verb.STOP, Verb.RESTART):
        with pytest.raises(NotManaged):
            await office.gateway.ask(OWNER, engine.id, verb)
    outcome, engine = await office.gateway.ask(OWNER, engine.id, Verb.DELETE, force=True)
    assert (outcome, status_of(engine)) == (Outcome.ACCEPTED, Status.DELETING)


async def test_sixteen_writers_lose_nothing(office: Office) -> None:
    """Concurrent verbs and sessions: no error, and every session is stored."""
    engine = await office.engine(Status.RUNNING)
    verbs = [Verb.STOP, Verb.RESTART] * 4
    paths = {key_of(path): path for path in (f"/{number}.ipynb" for number in range(8))}
    await asyncio.gather(
        *(office.gateway.ask(OWNER, "etl", verb) for verb in verbs),
        *(office.gateway.put_session(OWNER, "etl", key, path) for key, path in paths.items()),
    )
    assert {session.key for session in await office.store.sessions([engine.id])} == set(paths)
    revisions = [event.revision for event in await office.store.history(engine.id)]
    assert revisions == sorted(set(revisions))


async def test_sixteen_concurrent_restarts_start_one_run(office: Office) -> None:
    """The first restart of a stopped engine counts, the others join it."""
    engine = await office.engine(Status.STOPPED)
    results = await asyncio.gather(*(office.gateway.ask(OWNER, "etl", Verb.RESTART) for _ in range(16)))
    assert sorted(outcome.value for outcome, _ in results) == ["accepted"] + ["ok"] * 15
    assert (await office.store.get(engine.id)).run == 2


class StoreAlwaysLoses(MemoryStore):
    """Another writer is always first."""

    tries = 0

    async def update(self, *args: object, **options: object) -> Engine:
        self.tries += 1
        raise Conflict("another writer was first")


async def test_the_retries_end(office: Office) -> None:
    """A store that refuses every write gives an error after some attempts."""
    await office.engine()
    store = StoreAlwaysLoses(database=office.store._db)
    await store.open()
    gateway = Gateway(store, {}, Profiles(), office.notifier, str, str, office.woken.append)
    with pytest.raises(Conflict, match="try again"):
        await gateway.ask(OWNER, "etl", Verb.STOP)
    assert store.tries == ATTEMPTS


async def test_a_verb_never_reaches_a_namesake(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is replaced by another of its name between two tries is gone, not confused."""
    engine = await office.engine()
    update = office.store.update

    async def replaced(*args: object) -> Engine:
        monkeypatch.setattr(office.store, "update", update)
        await office.store.remove(engine, Note("x", "deleted"))
        await office.engine()
        raise Conflict("gone")

    monkeypatch.setattr(office.store, "update", replaced)
    with pytest.raises(EngineNotFound):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE)
    assert status_of(await office.gateway.get(OWNER, "etl")) is Status.PENDING


async def test_the_monitor_asks_on_what_it_saw(office: Office) -> None:
    """Its verb is recorded in its name; on an engine that has changed since it loses, and nothing is written."""
    engine = await office.engine(Status.FAILED)
    outcome, after = await office.gateway.ask_as_monitor(engine, Verb.RESTART, "restart policy, attempt 1")
    assert (outcome, after.run, after.restarts, after.failure) == (Outcome.ACCEPTED, 2, 1, None)
    event = (await office.store.history(engine.id))[-1]
    assert (event.actor, event.kind, event.reason) == ("monitor", "restart", "restart policy, attempt 1")
    with pytest.raises(Conflict):
        await office.gateway.ask_as_monitor(engine, Verb.RESTART, "again")
    _, running = await office.gateway.ask_as_monitor(after, Verb.STOP, "idle for too long")
    assert (running.target, running.restarts) == (Target.STOPPED, 1)
    _, again = await office.gateway.ask(OWNER, "etl", Verb.RESTART)
    assert again.restarts == 0


async def test_what_no_gateway_serves_says_so_in_its_message(office: Office) -> None:
    """An engine of another machine, while no gateway there lives; not one that is at rest, and not one of here."""
    lost, at_rest, here = [
        await office.engine(status, name)
        for status, name in ((Status.RUNNING, "lost"), (Status.STOPPED, "at-rest"), (Status.RUNNING, "here"))
    ]
    lost, at_rest = [await office.store.update(each, {"site": "lost-laptop"}, None) for each in (lost, at_rest)]

    async def messages() -> list[str]:
        return [view.message for view in await office.gateway.view([lost, at_rest, here])]

    assert await messages() == ["no gateway manages it at present; last known state shown", "", ""]
    await office.store.beat(Beat("other", "lost-laptop", ("lost-laptop",)))
    assert await messages() == ["", "", ""]
    office.pass_time(15)
    assert (await messages())[0] != ""


async def test_how_long_a_silent_gateway_counts_is_a_setting() -> None:
    """The monitor's and the use cases' are one."""
    office = await open_office(lost_s=30.0)
    lost = await office.store.update(await office.engine(Status.RUNNING), {"site": "lost-laptop"}, None)
    await office.store.beat(Beat("other", "lost-laptop", ("lost-laptop",)))
    office.pass_time(29)
    assert (await office.gateway.view([lost]))[0].message == ""
    office.pass_time(2)
    assert (await office.gateway.view([lost]))[0].message != ""


# --- force --------------------------------------------------------------------------------------------------


async def test_force_needs_a_platform_out_of_reach(office: Office) -> None:
    """An engine that can be reached is deleted the usual way; nothing is changed."""
    engine = await office.engine(Status.RUNNING)
    with pytest.raises(NotPossible, match="reachable; delete it without force"):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    assert await office.store.get(engine.id) == engine


async def test_force_forgets_after_a_minute_out_of_reach(office: Office) -> None:
    """The error says how long to wait, the time starts again after an answer; the message names what may be left."""
    engine = await office.engine(Status.RUNNING)
    office.local.is_down = True
    with pytest.raises(NotPossible, match="unreachable for only 0 s; try again in 60 s"):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    office.pass_time(59)
    with pytest.raises(NotPossible, match="try again in 1 s"):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    office.local.is_down = False
    with pytest.raises(NotPossible, match="its platform is reachable"):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    office.local.is_down = True
    with pytest.raises(NotPossible, match="try again in 60 s"):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    office.pass_time(60)
    outcome, gone = await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    assert (outcome, status_of(gone)) == (Outcome.OK, Status.DELETING)
    assert f"rucat-{engine.id}-" in gone.message
    with pytest.raises(EngineNotFound):
        await office.store.get(engine.id)
    last = (await office.gateway.history(OWNER, engine.id))[-1]
    assert (last.actor, last.kind) == (OWNER, "forget")
    assert f"rucat-{engine.id}-" in last.reason


async def test_the_monitor_knows_for_how_long() -> None:
    """With the monitor's time the first forced delete can succeed."""
    known: dict[str, float | None] = {}
    office = await open_office(out_of_reach_s=known.get)
    engine = await office.engine(Status.DELETING)
    office.local.is_down = True
    with pytest.raises(NotPossible, match="for only 0 s"):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    known[engine.id] = 60.0
    assert (await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True))[0] is Outcome.OK


async def test_force_deletes_an_engine_of_a_site_without_a_gateway(office: Office) -> None:
    """While another live gateway manages it, that one must delete it."""
    engine = await office.engine(Status.RUNNING)
    await office.store.update(engine, {"site": "lost-laptop"}, None)
    await office.store.beat(Beat("other", "lost-laptop", ("lost-laptop",)))
    with pytest.raises(NotPossible, match="the gateway on lost-laptop manages it"):
        await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True)
    office.pass_time(61)
    assert (await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True))[0] is Outcome.OK


async def test_force_loses_no_race(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that changes during a forced delete is checked again."""
    engine = await office.engine()
    await office.store.update(engine, {"site": "lost"}, None)
    remove = office.store.remove

    async def late(read: Engine, note: Note) -> None:
        monkeypatch.setattr(office.store, "remove", remove)
        await office.store.update(read, {"message": "written meanwhile"}, None)
        await remove(read, note)

    monkeypatch.setattr(office.store, "remove", late)
    assert (await office.gateway.ask(OWNER, "etl", Verb.DELETE, force=True))[0] is Outcome.OK


# --- sessions -----------------------------------------------------------------------------------------------


async def test_a_notebook_keeps_its_session(office: Office) -> None:
    """The same key gets the same session back, also after requests of others; a given id replaces it."""
    engine = await office.engine(Status.RUNNING)
    first = await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    assert (first.key, first.path, first.user_id) == (KEY, "/n.ipynb", OWNER)
    assert uuid.UUID(first.session_id).version == 4
    other = await office.gateway.put_session(OWNER, "etl", key_of("/m.ipynb"), "/m.ipynb")
    assert other.session_id != first.session_id
    revision = (await office.store.get(engine.id)).revision
    again = await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    assert again.session_id == first.session_id
    assert (await office.store.get(engine.id)).revision == revision
    new_id = str(uuid.uuid4())
    replaced = await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb", new_id)
    assert replaced.session_id == new_id
    assert (await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb", new_id)) == replaced


async def test_two_concurrent_requests_for_a_session_get_one(office: Office) -> None:
    """Two tabs of one notebook attach at the same moment."""
    await office.engine(Status.RUNNING)
    both = await asyncio.gather(*(office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb") for _ in range(10)))
    assert len({session.session_id for session in both}) == 1


async def test_a_session_is_dropped_once_or_never(office: Office) -> None:
    """Dropping what is not there is done."""
    engine = await office.engine()
    await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    await office.gateway.drop_session(OWNER, "etl", KEY)
    await office.gateway.drop_session(OWNER, "etl", KEY)
    assert await office.store.sessions([engine.id]) == []
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.drop_session(OWNER, "etl", "nokey")
    assert fields_of(caught.value) == ["key"]


@pytest.mark.parametrize(
    ("key", "path", "session_id", "wrong"),
    [
        ("x", 1, 2, ["key", "path", "session_id"]),
        (KEY.upper(), "", "no", ["key", "path", "session_id"]),
        (KEY, "a\nb", None, ["path"]),
        (KEY, "x" * 4097, None, ["path"]),
        (KEY, None, None, ["path"]),
        (KEY, "/n.ipynb", "{00000000-0000-4000-8000-000000000000}", ["session_id"]),
        (KEY, "/m.ipynb", None, ["key"]),
    ],
)
async def test_wrong_sessions_are_refused(
    office: Office, key: str, path: object, session_id: object, wrong: list[str]
) -> None:
    """Every wrong part is named."""
    await office.engine()
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.put_session(OWNER, "etl", key, path, session_id)
    assert fields_of(caught.value) == wrong


async def test_a_key_that_is_not_that_of_the_path_is_refused_with_the_right_one(office: Office) -> None:
    """Else a notebook could take another's session, or write its path over."""
    engine = await office.engine()
    with pytest.raises(InvalidRequest, match=f"for this path: {key_of('/m.ipynb')}"):
        await office.gateway.put_session(OWNER, "etl", KEY, "/m.ipynb")
    assert await office.store.sessions([engine.id]) == []


async def test_attaching_is_use_at_most_once_a_minute(office: Office) -> None:
    """``last_used_at`` moves with an attach, but not the revision, and not for every attach."""
    engine = await office.engine()
    await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    used = (await office.store.get(engine.id)).last_used_at
    assert used == office.clock[0]
    revision = (await office.store.get(engine.id)).revision
    office.pass_time(59)
    await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    assert (await office.store.get(engine.id)).last_used_at == used
    office.pass_time(1)
    await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    now = await office.store.get(engine.id)
    assert (now.last_used_at, now.revision) == (office.clock[0], revision)


async def test_session_ids_are_random_by_default() -> None:
    """The default are version 4 UUIDs."""
    store = MemoryStore()
    await store.open()
    office = await open_office()
    gateway = Gateway(
        store, office.gateway.platforms, Profiles(), office.notifier, lambda: "1" * 16, str, office.woken.append
    )
    engine = await gateway.create(OWNER, {})
    session = await gateway.put_session(OWNER, engine.id, KEY, "/n.ipynb")
    assert uuid.UUID(session.session_id).version == 4


# --- restart with settings, plans, limits of number ---------------------------------------------------------


async def test_a_restart_with_settings_changes_what_is_stored(office: Office) -> None:
    """Over the stored spec, null unsets; secrets that are not named stay, the token too; history says what changed."""
    await office.gateway.create(
        OWNER,
        {"name": "etl", "conf": {"spark.a": "1", "spark.b": "1", "spark.a.password": "p1"}, "env": {"MY_KEY": "1"}},
    )
    engine = (await office.gateway.ask(OWNER, "etl", Verb.STOP))[1]
    settings = {
        "driver": {"memory": "4g"},
        "conf": {"spark.a": None, "spark.b": "2", "spark.b.password": "p2"},
        "secret_env": {"AWS_REGION": "p3"},
    }
    outcome, changed = await office.gateway.restart(OWNER, "etl", settings)
    assert outcome is Outcome.ACCEPTED
    assert (changed.run, changed.target, changed.spec.driver.memory) == (2, Target.RUNNING, "4g")
    assert changed.spec.conf == {"spark.b": "2", "spark.a.password": MASK, "spark.b.password": MASK}
    assert await office.store.credential(engine.id) == Credential(
        token=TOKEN, conf={"spark.a.password": "p1", "spark.b.password": "p2"}, env={"AWS_REGION": "p3"}
    )
    event = (await office.store.history(engine.id))[-1]
    assert (event.kind, event.actor, event.run) == ("restart", OWNER, 2)
    assert event.reason == (
        "conf.spark.a 1 -> unset; conf.spark.b 1 -> 2; conf.spark.b.password changed (a secret); "
        "driver.memory 1g -> 4g; secret_env.AWS_REGION changed (a secret)"
    )


async def test_a_restart_says_all_that_is_wrong_and_changes_nothing(office: Office) -> None:
    """What create refuses, and what no restart can change."""
    engine = await office.engine(Status.RUNNING)
    settings = {"name": "x", "profile": "local", "driver": {"memory": "4 GB"}, "conf": {"a.b": "c"}, "foo": None}
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.restart(OWNER, "etl", settings)
    assert sorted(fields_of(caught.value)) == ["driver.memory", "foo", "name", "profile"]
    with pytest.raises(ConfDenied):
        await office.gateway.restart(OWNER, "etl", {"conf": {"spark.master": "x"}})
    with pytest.raises(InvalidRequest, match="is the mask of a secret"):
        await office.gateway.restart(OWNER, "etl", {"conf": {"spark.my.token": MASK}})
    office.local.problems = (Problem("image", "not here"),)
    with pytest.raises(InvalidRequest, match="image: not here"):
        await office.gateway.restart(OWNER, "etl", {"driver": {"cores": 1}})
    assert await office.store.get(engine.id) == engine


async def test_a_restart_must_fit_the_present_limits(office: Office) -> None:
    """With stored settings as with others, and in the plan; the restart policy's own is the same engine going on."""
    engine = await office.engine(Status.RUNNING)
    limits: dict[str, object] = {"max_driver_memory": "512m", "denied_conf": ["spark.x"]}
    office.gateway.profiles = Profiles([Layer("admin", {"limits": limits}, is_admin=True)])
    said = r"1g was requested; the limit is 512m \(limits.max_driver_memory in admin\)"
    with pytest.raises(Forbidden, match=said):
        await office.gateway.restart(OWNER, "etl", {"driver": {"cores": 1}})
    with pytest.raises(Forbidden, match=said):
        await office.gateway.ask(OWNER, "etl", Verb.RESTART)
    assert await office.store.get(engine.id) == engine
    assert (await office.gateway.plan(OWNER, {"name": "etl", "driver": {"memory": "512m"}})).warnings == []
    assert (await office.gateway.ask_as_monitor(engine, Verb.RESTART, "it failed"))[0] is Outcome.ACCEPTED
    assert (await office.gateway.ask(OWNER, "etl", Verb.RESTART))[0] is Outcome.OK
    await office.gateway.ask(OWNER, "etl", Verb.STOP)
    (warning,) = (await office.gateway.plan(OWNER, {"name": "etl", "driver": {"memory": "512m"}})).warnings
    assert warning.startswith("a create would be refused: driver.memory: 1g was requested")
    assert (await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "512m"}}))[0] is Outcome.ACCEPTED


async def test_a_restart_with_stored_settings_is_held_to_confs_that_are_denied_by_now() -> None:
    """What an administrator denies later does not come back by a restart."""
    office = await open_office()
    await office.gateway.create(OWNER, {"name": "etl", "conf": {"spark.x": "1"}})
    await office.gateway.ask(OWNER, "etl", Verb.STOP)
    office.gateway.profiles = Profiles([Layer("admin", {"limits": {"denied_conf": ["spark.x"]}}, is_admin=True)])
    with pytest.raises(ConfDenied):
        await office.gateway.ask(OWNER, "etl", Verb.RESTART)
    assert (await office.gateway.restart(OWNER, "etl", {"conf": {"spark.x": None}}))[0] is Outcome.ACCEPTED


async def test_a_restart_with_stored_settings_takes_the_limits_of_time(office: Office) -> None:
    """Where the engine names none, as at create; history says so, secrets stay."""
    await office.gateway.create(OWNER, {"name": "etl", "conf": {"spark.a.password": "p1"}})
    await office.gateway.ask(OWNER, "etl", Verb.STOP)
    office.gateway.profiles = Profiles([Layer("admin", {"limits": {"max_lifetime_s": 600}}, is_admin=True)])
    _, engine = await office.gateway.ask(OWNER, "etl", Verb.RESTART)
    assert (engine.spec.max_lifetime_s, engine.spec.conf) == (600, {"spark.a.password": MASK})
    assert (await office.store.credential(engine.id)).conf == {"spark.a.password": "p1"}
    assert (await office.store.history(engine.id))[-1].reason == "max_lifetime_s unset -> 600"


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.PENDING, Status.DELETING)])
async def test_a_restart_with_settings_is_possible_where_a_restart_is(office: Office, status: Status) -> None:
    """In every status of the verb table that accepts it."""
    await office.engine(status)
    outcome, engine = await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "4g"}})
    assert (outcome, engine.run, engine.spec.driver.memory) == (Outcome.ACCEPTED, 2, "4g")


async def test_a_start_is_joined_with_equal_settings_only(office: Office) -> None:
    """A repeated request is fine; another's settings would be lost, so that is 409 and says what to do."""
    engine = await office.engine(Status.PENDING)
    assert (await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "1g"}}))[0] is Outcome.OK
    with pytest.raises(NotPossible, match="wait until it runs, or stop it") as caught:
        await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "2g"}})
    assert caught.value.details["status"] == "Pending"
    assert await office.store.get(engine.id) == engine
    await office.engine(Status.DELETING, "gone")
    with pytest.raises(NotPossible):
        await office.gateway.restart(OWNER, "gone", {"driver": {"memory": "2g"}})


async def test_a_field_and_its_conf_are_one_thing(office: Office) -> None:
    """Whichever is given now takes the place of the other, which was given before."""
    await office.gateway.create(OWNER, {"name": "etl", "conf": {"spark.driver.memory": "2g"}})
    await office.gateway.ask(OWNER, "etl", Verb.STOP)
    engine = (await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "3g"}}))[1]
    assert (engine.spec.driver.memory, engine.spec.conf) == ("3g", {})
    await office.gateway.ask(OWNER, "etl", Verb.STOP)
    engine = (await office.gateway.restart(OWNER, "etl", {"conf": {"spark.driver.memory": "4g"}}))[1]
    assert engine.spec.conf == {"spark.driver.memory": "4g"}


async def test_twenty_concurrent_restarts_with_settings_lose_none(office: Office) -> None:
    """One is accepted; the others meet a start with other settings, and each says so."""
    engine = await office.engine(Status.RUNNING)
    asked = [office.gateway.restart(OWNER, "etl", {"conf": {f"spark.k{i}": "1"}}) for i in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers].count(NotPossible) == 19
    found = await office.store.get(engine.id)
    assert (found.run, len(found.spec.conf)) == (2, 1)


async def test_a_plan_makes_nothing(office: Office) -> None:
    """It has the spec as it would be pinned, masked, each value with its place, and what may keep it from starting."""
    layer = Layer("f", {"profiles": {"p": {"extends": "local", "conf": {"spark.a": "1", "spark.b": "1"}}}})
    office.gateway.profiles = Profiles([layer])
    office.local.problems = (Problem("driver.memory", "too much", is_wrong=False),)
    request = {"profile": "p", "conf": {"spark.b": "2", "spark.my.token": "canary"}, "driver": {"cores": 2}}
    plan = await office.gateway.plan(OWNER, request)
    assert "canary" not in repr(plan)
    assert (plan.name, plan.profile, plan.platform, plan.exists) == ("p", "p", "local", None)
    assert plan.warnings == ["driver.memory: too much"]
    assert plan.spec["driver"] == {"cores": 2, "memory": "1g"}
    assert {value.key: (value.source, value.profile) for value in plan.values} == {
        "driver.cores": ("given", ""),
        "driver.memory": ("chosen for this machine", ""),
    }
    assert [(value.key, value.value, value.source, value.profile) for value in plan.conf] == [
        ("spark.a", "1", "f", "p"),
        ("spark.b", "2", "given", ""),
        ("spark.my.token", MASK, "given", ""),
    ]
    assert await office.store.engines() == []
    assert (office.woken, office.notifier.notified) == ([], 0)
    engine = await office.gateway.create(OWNER, {**request, "name": "p"})
    assert (await office.gateway.plan(OWNER, {"name": "p"})).exists == engine
    with pytest.raises(InvalidRequest):
        await office.gateway.plan(OWNER, {"driver": {"memory": "4 GB"}})


async def test_a_plan_says_that_a_create_would_be_one_engine_too_many() -> None:
    """As create would; not of an engine that runs already, nor of an external one, which does not count."""
    office = await open_office(Profiles([Layer("admin", {"limits": {"max_engines": 1}}, is_admin=True)]))
    assert (await office.gateway.plan(OWNER, {"name": "etl"})).warnings == []
    engine = await office.gateway.create(OWNER, {"name": "etl"})
    assert (await office.gateway.plan(OWNER, {"name": "etl"})).warnings == []
    assert (await office.gateway.plan(OWNER, {"platform": "external", "external": {"url": "sc://h:1"}})).warnings == []
    assert (await office.gateway.plan("bob", {})).warnings == []
    said = (
        "a create would be refused: 1 of your engines run or are starting; the limit is 1 "
        "(limits.max_engines in admin): stop one first"
    )
    assert (await office.gateway.plan(OWNER, {})).warnings == [said]
    for changes in LIVES[Status.STOPPED]:
        engine = await office.store.update(engine, changes, None)
    await office.gateway.create(OWNER, {"name": "other"})
    assert (await office.gateway.plan(OWNER, {"name": "etl"})).warnings == [said]


async def test_a_plan_has_what_a_planner_says_or_why_it_cannot(office: Office) -> None:
    """Confs that the platform would set, with whose they are; obstacles and refusals are warnings."""
    found = Blueprint(
        [("spark.a", "1", ""), ("spark.b", "2", "Rucat")], "team-a", [], "1", 1024, obstacles=["no quota"]
    )
    office.gateway.platforms = {"local": PlanningPlatform(found)}
    plan = await office.gateway.plan(OWNER, {"conf": {"spark.a": "1"}})
    assert [(value.key, value.value, value.note) for value in plan.conf] == [
        ("spark.a", "1", ""),
        ("spark.b", "2", "Rucat"),
    ]
    assert plan.warnings == ["no quota"]
    office.gateway.platforms = {"local": PlanningPlatform(PlatformError("no Java", reason="JavaMissing"))}
    assert (await office.gateway.plan(OWNER, {})).warnings == ["no Java"]


async def test_each_place_of_an_owners_engines_and_profiles_is_checked_once() -> None:
    """Findings have their platform, and whether the caller has an engine on it."""
    layer = Layer("f", {"profiles": {"k": {"platform": "kubernetes", "kubernetes": {"namespace": "team-b"}}}})
    platform = ExaminedPlatform("kubernetes")
    asked = KubernetesSpec(namespace="team-a")
    found = await namespace_checks.examine(
        {"kubernetes": platform, "local": OfficePlatform()}, Profiles([layer]), [], asked
    )
    assert [each.finding.place for each in found] == ["team-a", "team-b"]
    assert {(each.platform, each.is_used) for each in found} == {("kubernetes", False)}


async def test_a_reached_engine_does_not_show_its_token(office: Office) -> None:
    """Not in a log, not in a trace."""
    engine = await office.engine()
    assert repr(Reached(engine, Endpoint("127.0.0.1", 1), TOKEN)) == f"Reached({engine.id}, sc://127.0.0.1:1, token=…)"


async def test_a_restart_with_settings_stays_where_the_engine_is(office: Office) -> None:
    """Another place needs another engine; a site without a gateway is out of reach."""
    await office.engine(Status.STOPPED)
    office.gateway.platforms = {"local": MovingPlatform()}
    with pytest.raises(InvalidRequest, match="move it to another place"):
        await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "2g"}})
    office.gateway.platforms = {}
    with pytest.raises(PlatformUnavailable, match="no platform here serves"):
        await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "2g"}})


async def test_a_conf_takes_the_place_of_the_field_that_says_the_same(office: Office) -> None:
    """The stored driver.cores gives way to spark.driver.cores."""
    await office.gateway.create(OWNER, {"name": "etl", "driver": {"cores": 2}})
    await office.gateway.ask(OWNER, "etl", Verb.STOP)
    _, engine = await office.gateway.restart(OWNER, "etl", {"conf": {"spark.driver.cores": "1"}})
    assert (engine.spec.driver.cores, engine.spec.conf) == (None, {"spark.driver.cores": "1"})


async def test_a_restart_with_settings_gives_up_where_others_always_win() -> None:
    """It says that it is too busy; nothing is changed."""
    office = await open_office()
    await office.engine(Status.STOPPED)
    office.store.__class__ = StoreAlwaysLoses
    with pytest.raises(Conflict):
        await office.gateway.restart(OWNER, "etl", {"driver": {"memory": "2g"}})


def test_an_external_profile_has_nothing_that_limits_fill_in() -> None:
    """Its values are those of its file."""
    layer = Layer("f", {"profiles": {"x": {"platform": "external", "external": {"url": "sc://h:1"}}}})
    profiles = Profiles([layer])
    found = next(each for each in profiles.all() if each.name == "x")
    assert [value.key for value in profiles.explain(found)] == ["platform", "external.url"]


async def test_another_python_brings_its_own_spark(office: Office) -> None:
    """The stored version was that of the Python before."""
    engine = await office.engine(Status.STOPPED)
    engine = await office.store.update(
        engine, {"spec": engine.spec.model_copy(update={"spark_version": "4.1.0"})}, None
    )
    _, changed = await office.gateway.restart(OWNER, "etl", {"local": {"python": "/other/python"}})
    assert (changed.spec.spark_version, changed.spec.local.python) == (None, "/other/python")


class PlanningPlatform(OfficePlatform):
    """Says what it would start, or why it cannot."""

    def __init__(self, answer: Blueprint | PlatformError) -> None:
        super().__init__()
        self._answer = answer

    async def outline(self, spec: EngineSpec, name: str) -> Blueprint:
        if isinstance(self._answer, PlatformError):
            raise self._answer
        return self._answer


class ExaminedPlatform(OfficePlatform):
    """Finds one thing at each place."""

    async def examine(self, specs: Sequence[EngineSpec]) -> list[Finding]:
        return [Finding(str(spec.kubernetes.namespace), "fine") for spec in specs]


class MovingPlatform(OfficePlatform):
    """Any settings move an engine to another place."""

    async def site(self, spec: EngineSpec) -> str:
        return "there"


async def test_an_owner_has_a_limited_number_of_running_engines() -> None:
    """Those that run or are to run count, also in a race; a stop makes room, a start needs it, a restart has it."""
    office = await open_office(Profiles([Layer("admin", {"limits": {"max_engines": 2}}, is_admin=True)]))
    answers = await asyncio.gather(*(office.gateway.create(OWNER, {}) for _ in range(6)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(Forbidden) == 4
    assert "the limit is 2 (limits.max_engines in admin): stop one first" in str(
        next(answer for answer in answers if isinstance(answer, Forbidden))
    )
    await office.gateway.create("bob", {})
    await office.gateway.create(OWNER, {"platform": "external", "external": {"url": "sc://far:1"}})
    first, second = [answer for answer in answers if isinstance(answer, Engine)]
    for changes in LIVES[Status.STOPPED]:
        first = await office.store.update(first, changes, None)
    third = await office.gateway.create(OWNER, {})
    with pytest.raises(Forbidden):
        await office.gateway.ask(OWNER, first.id, Verb.RESTART)
    with pytest.raises(Forbidden):
        await office.gateway.restart(OWNER, first.id, {"driver": {"memory": "2g"}})
    for changes in LIVES[Status.RUNNING]:
        second = await office.store.update(second, changes, None)
    office.gateway.profiles = Profiles([Layer("admin", {"limits": {"max_engines": 1}}, is_admin=True)])
    assert (await office.gateway.ask(OWNER, second.id, Verb.RESTART))[0] is Outcome.ACCEPTED
    office.gateway.profiles = Profiles([Layer("admin", {"limits": {"max_engines": 2}}, is_admin=True)])
    await office.gateway.ask(OWNER, third.id, Verb.STOP)
    assert (await office.gateway.ask(OWNER, first.id, Verb.RESTART))[0] is Outcome.ACCEPTED


async def test_sessions_move_with_their_notebooks(office: Office) -> None:
    """Notebook, folder, deletion; a place that has none moves nothing and says nothing."""
    await office.engine()
    first = await office.gateway.put_session(OWNER, "etl", KEY, "/n.ipynb")
    assert await office.gateway.move_sessions(OWNER, "/n.ipynb", "/d/m.ipynb") == 1
    assert await office.gateway.move_sessions(OWNER, "/d/", "/e") == 1
    (moved,) = (await office.gateway.view([await office.gateway.get(OWNER, "etl")]))[0].sessions
    assert (moved.path, moved.key, moved.session_id) == ("/e/m.ipynb", key_of("/e/m.ipynb"), first.session_id)
    assert await office.gateway.move_sessions(OWNER, "/x", "/y") == 0
    assert await office.gateway.move_sessions(OWNER, "/e", None) == 1
    assert (await office.gateway.view([await office.gateway.get(OWNER, "etl")]))[0].sessions == []
    with pytest.raises(InvalidRequest) as caught:
        await office.gateway.move_sessions(OWNER, 1, 2)
    assert [error["field"] for error in caught.value.details["errors"]] == ["from", "to"]

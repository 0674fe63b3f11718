"""What every store promises, checked on every kind of store there is: the contract of ``ports.Store``."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from fakes.store_flavours import Flavour

from rucat_jupyter.core.engine import Credential, Engine, Event, Executors, Failure, Reason, Session, State, Target
from rucat_jupyter.core.errors import Conflict, EngineNotFound, NameTaken, StoreTooNew, StoreUnavailable
from rucat_jupyter.core.lifecycle import IllegalTransition
from rucat_jupyter.core.ports.store import STORE_NOW, Beat, Note, Store
from rucat_jupyter.core.spec import MASK, DriverSpec, EngineSpec, ExecutorsSpec, KubernetesSpec, LocalSpec, ProcessSpec

ROUNDS = 100
WRITERS = 20
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789012, tzinfo=timezone.utc)
BY_ALICE = Note("alice", "create", "because")

HOSTILE = {
    "quotes": "it's \"quoted\" `so` ⟨and so⟩ \\ \\' \\u0041",
    "injection": "x'; DELETE engine; UPDATE engine SET state = 'Running'; --",
    "block": "'}; REMOVE TABLE engine; LET $x = {'",
    "record id": "engine:⟨0123456789abcdef⟩",
    "parameter": "$id $seen $$ ${1+1} {{7*7}}",
    "date-like": "2020-01-01T00:00:00Z",
    "duration-like": "1h30m",
    "uuid-like": "018e2f4e-8c1c-7d1a-9c55-0242ac120002",
    "number-like": "0123456789",
    "keywords": "NONE NULL true false",
    "whitespace": " \t leading and trailing \r\n\v ",
    "unicode": "Ünïcødé 日本語 עברית 🦀 e\u0301 \u202egnirts\u202c \U0010ffff \ufeff",
    "control": "".join(map(chr, range(1, 32))) + "\x7f\x85\u2028",
    "html": "<script>alert(1)</script>&amp;",
    "percent": "%s %d %(name)s {0} {name}",
    "empty": "",
    "long": "x" * 10_000,
}
"""Texts that SurrealQL, CBOR or a careless adapter could take for something else."""


def an_engine(**fields: Any) -> Engine:
    """Build an engine as the gateway makes one: a new id, Pending, no life yet."""
    given: dict[str, Any] = {
        "id": secrets.token_hex(8),
        "name": f"engine-{secrets.token_hex(4)}",
        "owner": "alice",
        "platform": "local",
        "profile": "local",
        "site": "local:here",
        "spec": EngineSpec(),
        "created_at": LONG_AGO,
    }
    return Engine(**{**given, **fields})


def a_session(engine: Engine, **fields: str) -> Session:
    """Build a notebook's session on an engine."""
    given = {"key": "0" * 32, "path": "/home/alice/a.ipynb", "user_id": "alice", "session_id": "s-1"}
    return Session(engine_id=engine.id, **{**given, **fields})


async def create(store: Store, **fields: Any) -> Engine:
    """Create an engine with a token of its own."""
    return await store.create(an_engine(**fields), Credential(token=f"token-{secrets.token_hex(4)}"), BY_ALICE)


async def outcomes(calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """Run all calls concurrently; each one's result or error."""
    return await asyncio.gather(*calls, return_exceptions=True)


def facts(event: Event) -> tuple[int, int, str, str, str, str]:
    """Return what a history line says, without its time."""
    return event.revision, event.run, event.actor, event.kind, event.reason, event.status


# --- open, close, identity --------------------------------------------------------------------------------


async def test_installation_is_sixteen_hex_digits(store: Store) -> None:
    """The installation id can be used in every label."""
    assert len(store.installation) == 16
    assert set(store.installation) <= set("0123456789abcdef")


async def test_stores_opened_concurrently_share_one_installation(flavour: Flavour) -> None:
    """Gateways that open a new database in the same moment agree on its id and its tables."""
    stores = [flavour.store() for _ in range(flavour.stores_at_once)]
    try:
        await asyncio.gather(*(store.open() for store in stores))
        assert len({store.installation for store in stores}) == 1
        engines = await asyncio.gather(*(create(store) for store in stores))
        assert {e.id for e in await stores[0].engines()} == {e.id for e in engines}
    finally:
        for store in stores:
            await store.close()


async def test_closing_twice_is_harmless_and_calls_after_it_say_unavailable(flavour: Flavour) -> None:
    """A closed store says so in its own error, and closing is safe to repeat."""
    store = flavour.store()
    await store.open()
    engine = await create(store)
    assert await store.get(engine.id) == engine
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.get(engine.id)
    with pytest.raises(StoreUnavailable):
        await store.engines()
    with pytest.raises(StoreUnavailable):
        await store.beat(Beat("g", "h", ()))


async def test_check_returns_while_the_database_answers(store: Store) -> None:
    """A healthy store passes its check."""
    await store.check()


async def test_now_is_aware_utc_and_moves_on(store: Store) -> None:
    """The store's time can be compared with any aware time."""
    first = await store.now()
    assert first.utcoffset() == timedelta(0)
    assert abs(first - datetime.now(timezone.utc)) < timedelta(minutes=10)
    assert first <= await store.now()


# --- create, get, find, engines ---------------------------------------------------------------------------


async def test_create_returns_what_get_and_find_read(store: Store) -> None:
    """One engine, read by id or by owner and name, is what create returned."""
    engine = await create(store, name="one", owner="bob")
    assert await store.get(engine.id) == engine
    assert await store.find("bob", "one") == engine


async def test_create_stamps_the_stores_time_and_keeps_the_rest(store: Store) -> None:
    """``created_at`` is the store's, every other field is the caller's."""
    before = await store.now()
    asked = an_engine()
    engine = await store.create(asked, Credential(token="t"), BY_ALICE)
    assert before <= engine.created_at <= await store.now()
    assert engine == asked.model_copy(update={"created_at": engine.created_at})


async def test_create_writes_the_first_history_line(store: Store) -> None:
    """History begins with the creation."""
    engine = await create(store)
    (event,) = await store.history(engine.id)
    assert facts(event) == (1, 1, "alice", "create", "because", "Pending")
    assert (event.engine_id, event.name, event.owner) == (engine.id, engine.name, engine.owner)
    assert event.at is not None
    assert abs(event.at - engine.created_at) < timedelta(seconds=10)


async def test_every_field_of_an_engine_survives(store: Store) -> None:
    """Nothing of a fully set engine is lost or changed by storing it."""
    spec = EngineSpec(
        spark_version="4.3.0",
        image="repo/image:tag",
        driver=DriverSpec(cores=2, request_cores="250m", limit_cores="2", memory="4g", memory_overhead="512m"),
        executors=ExecutorsSpec(instances=0, cores=1, memory="1g", min=0, max=7),
        conf={"spark.a": "1", "spark.a.b": "2", "spark.a.b.c": ""},
        env={"PATH": "/bin", "EMPTY": ""},
        secret_env={"AWS_KEY": "***"},
        java_options=["-Xss8m", "-Dx=y z"],
        start_timeout_s=1,
        idle_timeout_s=0,
        max_lifetime_s=31_536_000,
        restart_policy="on_failure",
        local=LocalSpec(python="/usr/bin/python3", directory="/home/ä b"),
        kubernetes=KubernetesSpec(
            context="c",
            labels={"a.b/c": "d", "": "e"},
            tolerations=[{"key": "k", "operator": "Exists", "tolerationSeconds": None}],
            pod_patch={"spec": {"x": None, "y": [1, 2.5, None, True, 10**30, {"z": {}}], "": []}},
        ),
    )
    engine = await create(
        store,
        spec=spec,
        target=Target.STOPPED,
        run=3,
        message="waits",
        failure=Failure(reason=Reason.EXITED, message="code 1", hint="read", at=LONG_AGO),
        unresponsive_since=LONG_AGO,
        executors=Executors(wanted=3, running=1, pending=1, failed=1, reasons=("exec-2: OOMKilled", "ü")),
        restarts=4,
        spark_version="4.3.0",
        python_version="3.12.1",
        started_at=LONG_AGO,
        stopped_at=LONG_AGO,
        last_used_at=LONG_AGO,
        revision=7,
    )
    assert engine.spec == spec
    assert await store.get(engine.id) == engine
    assert (await store.get(engine.id)).last_used_at == LONG_AGO


async def test_taken_name_names_the_existing_engine(store: Store) -> None:
    """A second engine of that owner and name is refused, with the id of the first, and leaves nothing behind."""
    first = await create(store, name="same")
    second = an_engine(name="same")
    with pytest.raises(NameTaken) as caught:
        await store.create(second, Credential(token="t"), BY_ALICE)
    assert caught.value.details == {"id": first.id}
    with pytest.raises(EngineNotFound):
        await store.get(second.id)
    with pytest.raises(EngineNotFound):
        await store.credential(second.id)
    assert await store.history(second.id) == []


async def test_names_belong_to_their_owner(store: Store) -> None:
    """Two owners may have an engine of the same name; case and blanks make another name."""
    engines = [await create(store, owner=owner, name=name) for owner in ("a", "b") for name in ("x", "X", "x y")]
    assert [(await store.find(e.owner, e.name)).id for e in engines] == [e.id for e in engines]


async def test_taken_id_is_a_conflict(store: Store) -> None:
    """An id that is there already is refused, and its engine stays as it was."""
    engine = await create(store)
    with pytest.raises(Conflict):
        await create(store, id=engine.id)
    assert await store.engines() == [engine]


async def test_name_is_free_again_once_its_engine_is_removed(store: Store) -> None:
    """Delete, then create under the same name."""
    first = await create(store, name="again")
    await store.remove(first, Note("monitor", "removed"))
    second = await create(store, name="again")
    assert (await store.find("alice", "again")).id == second.id


async def test_create_begins_with_pending_only(store: Store) -> None:
    """An engine cannot be born Running."""
    with pytest.raises(IllegalTransition):
        await create(store, state=State.RUNNING)
    assert await store.engines() == []


@pytest.mark.parametrize("engine_id", ["", "0" * 16, "x'; DELETE engine", "engine:1", "a\0b", "\ud800", "é" * 100])
async def test_unknown_id_is_not_found(store: Store, engine_id: str) -> None:
    """Whatever is asked for, an engine that is not there is not found, and never an accident."""
    await create(store)
    for call in (store.get(engine_id), store.find("alice", engine_id), store.credential(engine_id)):
        with pytest.raises(EngineNotFound):
            await call
    assert await store.history(engine_id) == []
    assert await store.sessions([engine_id]) == []


async def test_engines_are_listed_oldest_first_and_by_owner(store: Store) -> None:
    """Every listing has all engines of the owner, or of all owners, in the order of their creation."""
    engines = [await create(store, owner=owner) for owner in ("a", "b", "a", "c")]
    assert await store.engines() == engines
    assert await store.engines("a") == [engines[0], engines[2]]
    assert await store.engines("nobody") == []
    assert await store.engines("") == []


async def test_listing_of_many_engines_is_complete(store: Store) -> None:
    """More engines than two pages hold come back all, once each, in order."""
    created = []
    for _ in range(11):
        created += await asyncio.gather(*(create(store) for _ in range(20)))
    listed = await store.engines()
    assert sorted(e.id for e in listed) == sorted(e.id for e in created)
    assert [e.created_at for e in listed] == sorted(e.created_at for e in created)


async def test_some_engines_are_read_by_their_ids(store: Store) -> None:
    """Those that there are, once each, of more than two pages; none for no id, an unknown or an odd one."""
    created = {engine.id: engine for engine in await asyncio.gather(*(create(store) for _ in range(210)))}
    wanted = [*created, *list(created)[:3], "f" * 16, "x'; DELETE engine", "\0", ""]
    found = await store.some(wanted)
    assert len(found) == 210
    assert {engine.id: engine for engine in found} == created
    assert await store.some([]) == []
    assert await store.some(["f" * 16]) == []


# --- update -----------------------------------------------------------------------------------------------


async def test_update_writes_fields_revision_and_history_as_one(store: Store) -> None:
    """What update returns is what is stored, one revision on, with one line of history."""
    engine = await create(store)
    claimed = await store.update(engine, {"state_run": 1, "message": "starting"}, Note("monitor", "claim", "due"))
    assert claimed == engine.model_copy(update={"state_run": 1, "message": "starting", "revision": 2})
    assert await store.get(engine.id) == claimed
    assert facts((await store.history(engine.id))[-1]) == (2, 1, "monitor", "claim", "due", "Pending")


async def test_update_without_note_leaves_no_line(store: Store) -> None:
    """A message that only shows progress is not history."""
    engine = await create(store)
    changed = await store.update(engine, {"message": "pulling"}, None)
    assert changed.revision == 2
    assert len(await store.history(engine.id)) == 1


async def test_update_with_store_now_is_the_stores_time(store: Store) -> None:
    """Times that several gateways compare are the database's."""
    engine = await create(store)
    before = await store.now()
    running = await store.update(
        engine, {"state": State.RUNNING, "state_run": 1, "started_at": STORE_NOW}, Note("monitor", "running")
    )
    assert running.started_at is not None
    assert before <= running.started_at <= await store.now()
    assert running.stopped_at is None


async def test_history_line_of_a_verb_speaks_of_the_new_run(store: Store) -> None:
    """A restart's line has the run that it asks for, a transition's line the run that it speaks of."""
    engine = await create(store)
    engine = await store.update(engine, {"state_run": 1, "state": State.RUNNING}, Note("monitor", "running"))
    engine = await store.update(engine, {"run": 2}, Note("alice", "restart"))
    engine = await store.update(engine, {"state": State.STOPPED}, Note("monitor", "stopped"))
    assert [(e.kind, e.run) for e in await store.history(engine.id)] == [
        ("create", 1),
        ("running", 1),
        ("restart", 2),
        ("stopped", 1),
    ]


async def test_update_of_an_older_revision_is_a_conflict(store: Store) -> None:
    """A client that read before another one wrote must read again; nothing of the late write remains."""
    engine = await create(store)
    newer = await store.update(engine, {"message": "first"}, Note("a", "first"))
    with pytest.raises(Conflict):
        await store.update(engine, {"message": "late"}, Note("b", "late"))
    assert await store.get(engine.id) == newer
    assert [e.kind for e in await store.history(engine.id)] == ["create", "first"]


async def test_update_of_a_removed_engine_is_a_conflict(store: Store) -> None:
    """Nothing brings a removed engine back."""
    engine = await create(store)
    await store.remove(engine, Note("monitor", "removed"))
    with pytest.raises(Conflict):
        await store.update(engine, {"message": "late"}, Note("b", "late"))
    with pytest.raises(Conflict):
        await store.remove(engine, Note("b", "late"))
    assert [e.kind for e in await store.history(engine.id)] == ["create", "removed"]


@pytest.mark.parametrize(
    ("path", "illegal"),
    [
        ([State.RUNNING], State.PENDING),
        ([State.STOPPED], State.RUNNING),
        ([State.RUNNING, State.STOPPED], State.RUNNING),
    ],
)
async def test_illegal_transition_leaves_the_engine_as_it_was(store: Store, path: list[State], illegal: State) -> None:
    """Only the arrows of the lifecycle table can be written."""
    engine = await create(store)
    for state in path:
        engine = await store.update(engine, {"state": state}, Note("monitor", state.value))
    with pytest.raises(IllegalTransition):
        await store.update(engine, {"state": illegal}, Note("monitor", "wrong"))
    assert await store.get(engine.id) == engine


async def test_every_legal_transition_can_be_written(store: Store) -> None:
    """Pending, Running, Stopped, Pending, Stopped: a whole life and a failed start."""
    engine = await create(store)
    for state in (State.PENDING, State.RUNNING, State.RUNNING, State.STOPPED, State.PENDING, State.STOPPED):
        engine = await store.update(engine, {"state": state}, Note("monitor", state.value))
        assert (await store.get(engine.id)).state is state


@pytest.mark.parametrize("field", ["id", "owner", "name", "platform", "created_at", "revision", "nonsense", "a = 1, b"])
async def test_update_of_a_fixed_or_unknown_field_is_our_mistake(store: Store, field: str) -> None:
    """What an engine is called and whose it is cannot be changed, and no name of a field becomes SurrealQL."""
    engine = await create(store)
    with pytest.raises(ValueError, match="cannot write"):
        await store.update(engine, {field: "x"}, None)
    assert await store.get(engine.id) == engine


async def test_fields_can_be_set_and_cleared(store: Store) -> None:
    """Failure and times go back to nothing."""
    engine = await create(store)
    failure = Failure(reason=Reason.OUT_OF_MEMORY, message="m", hint="h", at=LONG_AGO)
    count = Executors(wanted=2, pending=2)
    times = {"unresponsive_since": LONG_AGO, "stopped_at": STORE_NOW}
    set_ = {"failure": failure, "executors": count, "spark_version": "4.3.0", **times}
    engine = await store.update(engine, set_, None)
    assert engine.executors == count
    assert engine.failure == failure
    assert engine.unresponsive_since == LONG_AGO
    assert engine.stopped_at is not None
    engine = await store.update(engine, dict.fromkeys(set_), None)
    assert await store.get(engine.id) == engine
    assert [getattr(engine, name) for name in set_] == [None] * 5


async def test_keys_can_be_removed_from_maps(store: Store) -> None:
    """A map that is written replaces the map that was there."""
    engine = await create(store, spec=EngineSpec(conf={"a.b": "1", "a": "2", "c": "3"}, env={"X": "1"}))
    engine = await store.update(engine, {"spec": EngineSpec(conf={"c": "4"})}, None)
    assert engine.spec == EngineSpec(conf={"c": "4"})
    engine = await store.update(engine, {"spec": EngineSpec()}, None)
    assert (await store.get(engine.id)).spec == EngineSpec()


async def test_an_update_may_replace_the_credential(store: Store) -> None:
    """In the same compare-and-set: a lost one leaves the old credential, one without a credential, too."""
    engine = await create(store)
    newer = await store.update(engine, {"message": "x"}, None)
    kept = await store.credential(engine.id)
    other = Credential(token="t2", conf={"spark.my.password": "p\n'"}, env={"A": "b"})
    with pytest.raises(Conflict):
        await store.update(engine, {"message": "late"}, Note("me", "restart"), other)
    assert await store.credential(engine.id) == kept
    await store.update(newer, {"spec": EngineSpec(conf={"spark.my.password": MASK})}, Note("me", "restart"), other)
    assert await store.credential(engine.id) == other
    assert [event.kind for event in await store.history(engine.id)] == ["create", "restart"]


# --- races ------------------------------------------------------------------------------------------------


@pytest.mark.all
@pytest.mark.slow
async def test_of_twenty_writers_on_one_revision_exactly_one_wins(stores: list[Store]) -> None:
    """100 rounds: one update, nineteen conflicts, one more line of history, and it is the winner's."""
    engine = await create(stores[0])
    for number in range(ROUNDS):
        seen = await outcomes(
            [
                stores[i % len(stores)].update(engine, {"message": f"{number}/{i}"}, Note(f"writer-{i}", "race"))
                for i in range(WRITERS)
            ]
        )
        assert Counter(type(one) for one in seen) == {Engine: 1, Conflict: WRITERS - 1}, number
        (engine,) = (one for one in seen if isinstance(one, Engine))
        events = await stores[-1].history(engine.id)
        winner = f"writer-{engine.message.partition('/')[2]}"
        assert (len(events), events[-1].actor, events[-1].revision) == (number + 2, winner, engine.revision)
    assert await stores[0].get(engine.id) == engine


@pytest.mark.all
@pytest.mark.slow
async def test_of_twenty_writers_on_one_name_exactly_one_wins(stores: list[Store]) -> None:
    """100 rounds: one engine, nineteen errors that name it, one line of history, and no credential left over."""
    for number in range(ROUNDS):
        wanted = [an_engine(name="wanted") for _ in range(WRITERS)]
        seen = await outcomes(
            [stores[i % len(stores)].create(engine, Credential(token="t"), BY_ALICE) for i, engine in enumerate(wanted)]
        )
        assert Counter(type(one) for one in seen) == {Engine: 1, NameTaken: WRITERS - 1}, number
        (winner,) = (one for one in seen if isinstance(one, Engine))
        assert {one.details["id"] for one in seen if isinstance(one, NameTaken)} == {winner.id}
        assert len(await stores[0].history(winner.id)) == 1
        if number % 10 == 0:
            lines = await asyncio.gather(*(stores[0].history(engine.id) for engine in wanted))
            assert [line.engine_id for events in lines for line in events] == [winner.id]
            tokens = await outcomes([stores[0].credential(engine.id) for engine in wanted])
            assert Counter(type(one) for one in tokens) == {Credential: 1, EngineNotFound: WRITERS - 1}
        await stores[-1].remove(winner, Note("monitor", "removed"))


async def test_of_a_stop_and_a_removal_one_wins(stores: list[Store]) -> None:
    """A removal and an update of one revision never both succeed."""
    for number in range(20):
        engine = await create(stores[0])
        seen = await outcomes(
            [
                stores[0].remove(engine, Note("monitor", "removed")),
                stores[-1].update(engine, {"target": Target.STOPPED}, Note("alice", "stop")),
            ]
        )
        assert sum(isinstance(one, Conflict) for one in seen) == 1, number
        assert len(await stores[0].history(engine.id)) == 2


async def test_sixteen_writers_that_try_again_lose_no_update(stores: list[Store]) -> None:
    """Everybody who reads again after a conflict gets through, and nothing is overwritten (F8)."""
    engine = await create(stores[0])

    async def add_conf(number: int) -> None:
        store = stores[number % len(stores)]
        while True:
            seen = await store.get(engine.id)
            spec = seen.spec.model_copy(update={"conf": {**seen.spec.conf, f"key.{number}": "1"}})
            try:
                await store.update(seen, {"spec": spec}, Note(f"writer-{number}", "conf"))
            except Conflict:
                continue
            return

    await asyncio.gather(*(add_conf(number) for number in range(16)))
    assert set((await stores[0].get(engine.id)).spec.conf) == {f"key.{number}" for number in range(16)}
    assert [e.revision for e in await stores[0].history(engine.id)] == list(range(1, 18))


async def test_a_read_beside_writes_never_goes_back(stores: list[Store]) -> None:
    """What a write has returned the next read has, also one that began while the write was under way."""
    engine = written = await create(stores[0])

    async def read(store: Store) -> int:
        reads, seen = 0, engine.revision
        while written.revision < WRITERS:
            least = max(seen, written.revision)
            seen = (await store.get(engine.id)).revision
            assert seen >= least
            reads += 1
            await asyncio.sleep(0)
        return reads

    readers = [asyncio.create_task(read(store)) for store in stores]
    while written.revision < WRITERS:
        written = await stores[0].update(written, {"message": f"m{written.revision}"}, None)
        await asyncio.sleep(0.002)  # in which reads may be answered from memory
    assert min(await asyncio.gather(*readers)) > WRITERS
    assert (await stores[-1].get(engine.id)).message == f"m{WRITERS - 1}"


async def test_concurrent_sessions_of_twenty_notebooks_all_arrive(stores: list[Store]) -> None:
    """Sessions that are put at one moment move the revision once each."""
    engine = await create(stores[0])
    await asyncio.gather(*(stores[i % len(stores)].put_session(a_session(engine, key=f"k{i}")) for i in range(WRITERS)))
    assert {s.key for s in await stores[0].sessions([engine.id])} == {f"k{i}" for i in range(WRITERS)}
    assert (await stores[0].get(engine.id)).revision == 1 + WRITERS


# --- remove, credential -----------------------------------------------------------------------------------


async def test_remove_takes_row_credential_and_sessions_and_keeps_history(store: Store) -> None:
    """What is left of an engine is its history, with a last line."""
    other = await create(store)
    await store.put_session(a_session(other))
    engine = await create(store)
    engine = await store.update(engine, {"target": Target.DELETED}, Note("alice", "delete"))
    await store.put_session(a_session(engine))
    engine = await store.get(engine.id)
    await store.remove(engine, Note("monitor", "removed", "all gone"))
    with pytest.raises(EngineNotFound):
        await store.get(engine.id)
    with pytest.raises(EngineNotFound):
        await store.find(engine.owner, engine.name)
    with pytest.raises(EngineNotFound):
        await store.credential(engine.id)
    assert [e.id for e in await store.engines()] == [other.id]
    assert [s.engine_id for s in await store.sessions()] == [other.id]
    events = await store.history(engine.id)
    assert [e.kind for e in events] == ["create", "delete", "removed"]
    assert facts(events[-1]) == (engine.revision + 1, 1, "monitor", "removed", "all gone", "Deleting")


async def test_remove_of_an_older_revision_is_a_conflict(store: Store) -> None:
    """An engine that a user has just restarted is not removed."""
    engine = await create(store)
    newer = await store.update(engine, {"message": "x"}, None)
    with pytest.raises(Conflict):
        await store.remove(engine, Note("monitor", "removed"))
    assert await store.get(engine.id) == newer
    assert (await store.credential(engine.id)).token


async def test_credential_comes_back_and_is_nowhere_else(store: Store) -> None:
    """Token and secret values are read by one call alone; no row, event or session has them."""
    canary = f"canary-{secrets.token_hex(8)}"
    credential = Credential(
        token=f"{canary}-token", conf={"spark.my.password": f"{canary}-conf"}, env={"AWS_SECRET": f"{canary}-env"}
    )
    spec = EngineSpec(conf={"spark.my.password": "***"}, secret_env={"AWS_SECRET": "***"})
    engine = await store.create(an_engine(spec=spec), credential, BY_ALICE)
    await store.put_session(a_session(engine))
    assert await store.credential(engine.id) == credential
    shown = [await store.engines(), await store.get(engine.id), await store.history(engine.id), await store.sessions()]
    assert canary not in "".join(repr(one) for one in shown)
    assert canary not in repr(await store.credential(engine.id))


# --- touch ------------------------------------------------------------------------------------------------


async def test_touch_moves_forward_only_and_no_revision(store: Store) -> None:
    """The last use is the latest that was seen; it is no change that REST shows immediately."""
    engine = await create(store)
    for used_at, expected in (
        (LONG_AGO, LONG_AGO),
        (LONG_AGO + timedelta(seconds=5), LONG_AGO + timedelta(seconds=5)),
        (LONG_AGO + timedelta(seconds=2), LONG_AGO + timedelta(seconds=5)),
    ):
        await store.touch(engine.id, used_at)
        assert await store.get(engine.id) == engine.model_copy(update={"last_used_at": expected})
    assert len(await store.history(engine.id)) == 1


async def test_touch_of_a_missing_engine_is_quiet_and_makes_none(store: Store) -> None:
    """A late sign of use does not bring an engine back."""
    await store.touch("0" * 16, LONG_AGO)
    assert await store.engines() == []


async def test_an_update_does_not_undo_a_touch(store: Store) -> None:
    """Field-wise writes: what was not named stays."""
    engine = await create(store)
    await store.touch(engine.id, LONG_AGO)
    changed = await store.update(engine, {"message": "x"}, None)
    assert changed.last_used_at == LONG_AGO


# --- history ----------------------------------------------------------------------------------------------


async def test_record_appends_a_line_and_changes_nothing_else(store: Store) -> None:
    """Platform events are history; several may come at one revision."""
    engine = await create(store)
    for number in range(3):
        await store.record(engine, Note("platform", "event", str(number)))
    assert await store.get(engine.id) == engine
    events = await store.history(engine.id)
    assert [e.reason for e in events] == ["because", "0", "1", "2"]
    assert {e.revision for e in events} == {1}


async def test_prune_drops_only_old_history_of_removed_engines(store: Store) -> None:
    """A tombstone stays for its time; a living engine's history is never pruned."""
    alive = await create(store)
    removed = await create(store)
    await store.remove(removed, Note("monitor", "removed"))
    await store.prune_history(1)
    assert len(await store.history(removed.id)) == 2
    await store.prune_history(0)
    assert await store.history(removed.id) == []
    assert len(await store.history(alive.id)) == 1


# --- sessions ---------------------------------------------------------------------------------------------


async def test_session_is_put_read_replaced_and_dropped(store: Store) -> None:
    """One session for an engine and key; each change moves the engine's revision, so that watchers see it."""
    engine = await create(store)
    before = await store.now()
    first = await store.put_session(a_session(engine))
    assert first == a_session(engine).model_copy(update={"created_at": first.created_at})
    assert first.created_at is not None
    assert before <= first.created_at <= await store.now()
    assert await store.sessions([engine.id]) == [first]
    second = await store.put_session(a_session(engine, session_id="s-2"))
    assert await store.sessions() == [second]
    assert (await store.get(engine.id)).revision == 3
    await store.drop_session(engine.id, first.key)
    assert await store.sessions() == []
    assert (await store.get(engine.id)).revision == 4
    assert len(await store.history(engine.id)) == 1


async def test_a_session_is_detached_unless_it_was_attached_again(store: Store) -> None:
    """The record and its process stay; another id or process means that another attach was later."""
    engine = await create(store)
    process = ProcessSpec(pid=1, mark="2", boot="b", machine="m")
    plain, held = a_session(engine), a_session(engine, key="1" * 32).model_copy(update={"process": process})
    for session in (plain, held):
        await store.put_session(session)
    revision = (await store.get(engine.id)).revision
    await store.detach_session(held.model_copy(update={"process": None}))
    await store.detach_session(plain.model_copy(update={"session_id": "s-0"}))
    assert [s.is_attached for s in await store.sessions()] == [True, True]
    assert (await store.get(engine.id)).revision == revision
    for session in (held, held, plain):
        await store.detach_session(session)
    assert [(s.is_attached, s.process) for s in await store.sessions()] == [(False, None), (False, process)]
    assert (await store.get(engine.id)).revision == revision + 2
    await store.put_session(held)
    assert [s.is_attached for s in await store.sessions()] == [False, True]


async def test_dropping_what_is_not_there_changes_nothing(store: Store) -> None:
    """Detaching twice is harmless, also from an engine that is gone."""
    engine = await create(store)
    await store.drop_session(engine.id, "nothing")
    await store.drop_session("0" * 16, "nothing")
    assert await store.get(engine.id) == engine


async def test_session_on_a_missing_engine_is_not_found(store: Store) -> None:
    """A session cannot outlive its engine or come before it."""
    gone = await create(store)
    await store.remove(gone, Note("monitor", "removed"))
    for engine in (an_engine(), gone):
        with pytest.raises(EngineNotFound):
            await store.put_session(a_session(engine))
    assert await store.sessions() == []


async def test_sessions_are_listed_by_engine_oldest_first(store: Store) -> None:
    """Each engine's sessions, in order; none for an empty list of engines."""
    a, b = await create(store), await create(store)
    put = [await store.put_session(a_session(e, key=k)) for e, k in ((a, "2"), (b, "1"), (a, "1"))]
    assert await store.sessions() == put
    assert await store.sessions([a.id]) == [put[0], put[2]]
    assert await store.sessions([a.id, b.id]) == put
    assert await store.sessions([]) == []


# --- heartbeats -------------------------------------------------------------------------------------------


async def test_heartbeats_have_their_age_by_the_stores_clock(store: Store) -> None:
    """A beat is written, renewed and removed; its age grows."""
    await store.beat(Beat("g1", "host", ("local:a", "k8s:b")))
    await store.beat(Beat("g2", "other", ()))
    first = {beat.gateway_id: beat for beat in await store.beats()}
    assert {(b.gateway_id, b.host, b.sites) for b in first.values()} == {
        ("g1", "host", ("local:a", "k8s:b")),
        ("g2", "other", ()),
    }
    assert all(0 <= beat.age_s < 10 for beat in first.values())
    await store.beat(Beat("g1", "host", ("local:a",)))
    later = {beat.gateway_id: beat for beat in await store.beats()}
    assert later["g1"].sites == ("local:a",)
    assert later["g2"].age_s > first["g2"].age_s
    assert later["g1"].age_s < later["g2"].age_s
    await store.unbeat("g1")
    await store.unbeat("g1")
    assert [beat.gateway_id for beat in await store.beats()] == ["g2"]


# --- hostile values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_comes_back_equal_from_every_field(store: Store, words: str) -> None:
    """No text is code, a record, a date or a number to the store, wherever it stands."""
    spec = EngineSpec(
        image=words,
        conf={"k": words, "spark.x." + "y" * 500: words},
        env={"E": words},
        java_options=[words],
        local=LocalSpec(python=words, directory=words),
        kubernetes=KubernetesSpec(labels={words: words}, pod_patch={words: [words]}, tolerations=[{words: words}]),
    )
    credential = Credential(token=words, conf={words: words}, env={"E": words})
    note = Note(words, words, words)
    asked = an_engine(name=words, owner=words, platform=words, profile=words, site=words, spec=spec, message=words)
    engine = await store.create(asked, credential, note)
    assert engine == asked.model_copy(update={"created_at": engine.created_at})
    assert await store.find(words, words) == engine
    assert await store.engines(words) == [engine]
    assert await store.credential(engine.id) == credential

    failure = Failure(reason=Reason.EXITED, message=words, hint=words, at=LONG_AGO)
    changes = {"failure": failure, "python_version": words, "spark_version": words, "message": words * 2}
    engine = await store.update(engine, changes, note)
    assert engine == asked.model_copy(update={**changes, "created_at": engine.created_at, "revision": 2})
    for event in await store.history(engine.id):
        assert (event.actor, event.kind, event.reason, event.name, event.owner) == (words,) * 5

    session = await store.put_session(a_session(engine, key=words, path=words, user_id=words, session_id=words))
    assert (session.key, session.path, session.user_id, session.session_id) == (words,) * 4
    assert await store.sessions() == [session]
    await store.drop_session(engine.id, words)
    assert await store.sessions() == []

    await store.beat(Beat(words, words, (words, words)))
    assert [(b.gateway_id, b.host, b.sites) for b in await store.beats()] == [(words, words, (words, words))]
    await store.unbeat(words)

    with pytest.raises(NameTaken):
        await create(store, owner=words, name=words)
    await store.remove(await store.get(engine.id), note)
    assert await store.engines() == []


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_id_is_an_id_like_any_other(store: Store, words: str) -> None:
    """An engine id is only ever a value: it finds its own engine and no other."""
    bystander = await create(store)
    engine = await create(store, id=words)
    assert (await store.get(words)).id == words
    await store.remove(engine, Note("monitor", "removed"))
    assert await store.engines() == [bystander]
    assert len(await store.history(words)) == 2


async def test_huge_values_come_back_equal(store: Store) -> None:
    """A value of 1 MB and a map of 10,000 keys with dots are stored whole, and can be shortened again."""
    value = "".join(chr(33 + i % 5000) for i in range(1_000_000))
    conf = {f"spark.key.{i}.a.b": f"value {i}" for i in range(10_000)}
    spec = EngineSpec(conf={**conf, "spark.big": value})
    engine = await store.create(an_engine(spec=spec), Credential(token="t", conf={"s": value}), BY_ALICE)
    assert (await store.get(engine.id)).spec == spec
    assert (await store.credential(engine.id)).conf == {"s": value}
    del conf["spark.key.5000.a.b"]
    engine = await store.update(engine, {"spec": EngineSpec(conf=conf), "message": value}, None)
    stored = await store.get(engine.id)
    assert stored.spec.conf == conf
    assert stored.message == value


# --- a newer schema ---------------------------------------------------------------------------------------


async def test_newer_schema_is_read_and_never_written(flavour: Flavour) -> None:
    """After a newer Rucat's migration, also one that happens while open, this one reads and refuses to write."""
    store = flavour.store()
    await store.open()
    try:
        spec = EngineSpec(conf={"a": "b"}, driver=DriverSpec(cores=1))
        engine = await create(store, spec=spec)
        session = await store.put_session(a_session(engine))
        await store.beat(Beat("g", "h", ()))
        engine = await store.get(engine.id)
        await flavour.make_newer(store)
        writes = [
            create(store),
            store.update(engine, {"message": "x"}, None),
            store.remove(engine, Note("m", "removed")),
            store.touch(engine.id, LONG_AGO),
            store.record(engine, Note("m", "event")),
            store.prune_history(0),
            store.put_session(a_session(engine)),
            store.drop_session(engine.id, session.key),
            store.beat(Beat("g", "h", ())),
            store.unbeat("g"),
        ]
        assert {type(one) for one in await outcomes(writes)} == {StoreTooNew}
        assert await store.get(engine.id) == engine
        assert await store.find(engine.owner, engine.name) == engine
        assert await store.engines() == [engine]
        assert await store.sessions() == [session]
        assert (await store.credential(engine.id)).token
        assert len(await store.history(engine.id)) == 1
        assert len(await store.beats()) == 1
        await store.check()
    finally:
        await store.close()

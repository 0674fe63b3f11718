"""Rows to and from models: what is replaced, what is kept, what is passed over, what is read but once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any

import pytest
from surrealdb import RecordID

from rucat_jupyter.core.engine import Credential, Engine, Failure, Reason, State
from rucat_jupyter.core.errors import Conflict, EngineNotFound
from rucat_jupyter.core.ports.store import Note
from rucat_jupyter.core.spec import EngineSpec, KubernetesSpec
from rucat_jupyter.gateway.store import rows
from rucat_jupyter.gateway.store.surreal import SurrealStore

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


def an_engine(**fields: Any) -> Engine:
    given = {"id": "i", "name": "n", "owner": "o", "platform": "local", "profile": "p", "site": "s", "created_at": NOW}
    return Engine(**{**given, "spec": EngineSpec(), **fields})


def a_row(engine: Engine, **more: Any) -> dict[str, Any]:
    return {**rows.engine_values(engine), "created_at": NOW, "id": RecordID("engine", engine.id), **more}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("plain", "plain"),
        ("ünï 🦀 \U0010ffff\n\t", "ünï 🦀 \U0010ffff\n\t"),
        ("nul\0nul", "nul\ufffdnul"),
        ("half \ud83d pair \udce4", "half \ufffd pair \ufffd"),
        ("", ""),
    ],
)
def test_text_is_kept_but_for_what_cannot_be_stored(given: str, stored: str) -> None:
    """A log line with NUL or half a surrogate pair must not make a row unreadable."""
    assert rows.text(given) == stored
    assert rows.value_of(given) == stored


def test_texts_inside_a_failure_are_made_storable_too() -> None:
    """A failure's message is the last log line: anything may be in it."""
    failure = Failure(reason=Reason.EXITED, message="a\0b", hint="h\udc80", at=NOW)
    assert rows.value_of(failure) == {"reason": "Exited", "message": "a\ufffdb", "hint": "h\ufffd", "at": NOW}


def test_engine_survives_its_row() -> None:
    """What is written is what is read."""
    spec = EngineSpec(conf={"a": "\u2028'"}, kubernetes=KubernetesSpec(pod_patch={"a": None, "b": [10**30, 1.5]}))
    engine = an_engine(spec=spec, state=State.STOPPED, failure=Failure(reason=Reason.LOST, message="", hint="", at=NOW))
    assert rows.engine_of(a_row(engine)) == engine


def test_fields_of_a_newer_rucat_are_passed_over() -> None:
    """Older code reads a newer row: at every level what it does not know is left out."""
    engine = an_engine()
    row = a_row(engine, colour="red", spec='{"future": 1, "driver": {"cores": 2, "gpus": 1}, "conf": {"a": "b"}}')
    row["failure"] = {"reason": "Lost", "message": "m", "hint": "h", "at": NOW, "trace": "t"}
    read = rows.engine_of(row)
    assert read.spec.driver.cores == 2
    assert read.spec.conf == {"a": "b"}
    assert read.failure == Failure(reason=Reason.LOST, message="m", hint="h", at=NOW)


def test_credential_survives_its_row() -> None:
    """Secret maps may have any key and any text."""
    credential = Credential(token="t", conf={"a.b": "ü\0", "": ""}, env={"x": "'"})
    assert rows.credential_of(rows.credential_values(credential)) == credential


async def test_a_revision_whose_history_line_is_there_is_lost() -> None:
    """Where a server lets two writers of one revision through to the history line, the second has lost."""
    store = SurrealStore("mem://")
    await store.open()
    try:
        engine = await store.create(an_engine(), Credential(token="t"), Note("me", "create"))
        line = rows.Line(Note("other", "stop").line(engine), engine.revision + 1)
        await store._link.write(line.statement, **line.values)
        with pytest.raises(Conflict, match="no longer at revision 1"):
            await store.update(engine, {"message": "x"}, Note("me", "note"))
        assert (await store.get(engine.id)).revision == 1
    finally:
        await store.close()


async def test_an_engine_is_read_once_between_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """And each time while a write is under way; what is not there is never remembered."""
    store = SurrealStore("mem://")
    await store.open()
    engine = await store.create(an_engine(), Credential(token="t"), Note("ann", "create"))
    read, reads = store._link.read, []

    async def count(statement: str, **values: object) -> Any:
        reads.append(statement)
        return await read(statement, **values)

    monkeypatch.setattr(store._link, "read", count)
    assert [await store.get(engine.id) for _ in range(3)] == [engine] * 3
    assert len(reads) == 1
    changed, *seen = await asyncio.gather(
        store.update(engine, {"message": "new"}, None), *(store.get(engine.id) for _ in range(3))
    )
    assert {found.revision for found in seen} <= {engine.revision, changed.revision}
    assert [await store.get(engine.id) for _ in range(2)] == [changed] * 2
    assert len(reads) in (2, 5)  # the three of them from memory, where the write had not begun
    await store.remove(changed, Note("ann", "delete"))
    for _ in range(2):
        with pytest.raises(EngineNotFound):
            await store.get(engine.id)
    await store.close()

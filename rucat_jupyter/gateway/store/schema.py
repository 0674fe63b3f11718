"""The tables of the store as numbered migrations, and the upgrade of an older store to the newest.

The SurrealQL works on the embedded engine (core 2.0) and on servers 3.x. A migration has only idempotent statements, so
that two gateways can upgrade at the same time. A released migration never changes; a change of the tables is a new one.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from .connection import TOO_NEW, AlreadyThere, Link

_log = logging.getLogger(__name__)

_META = """
DEFINE TABLE IF NOT EXISTS meta SCHEMAFULL;
DEFINE FIELD IF NOT EXISTS schema ON meta TYPE int;
DEFINE FIELD IF NOT EXISTS installation ON meta TYPE string;
"""

_FIRST = """
DEFINE TABLE IF NOT EXISTS engine SCHEMAFULL;
DEFINE FIELD IF NOT EXISTS owner ON engine TYPE string;
DEFINE FIELD IF NOT EXISTS name ON engine TYPE string;
DEFINE FIELD IF NOT EXISTS platform ON engine TYPE string;
DEFINE FIELD IF NOT EXISTS profile ON engine TYPE string;
DEFINE FIELD IF NOT EXISTS site ON engine TYPE string;
DEFINE FIELD IF NOT EXISTS spec ON engine TYPE string;
DEFINE FIELD IF NOT EXISTS state ON engine TYPE 'Pending' | 'Running' | 'Stopped';
DEFINE FIELD IF NOT EXISTS target ON engine TYPE 'Running' | 'Stopped' | 'Deleted';
DEFINE FIELD IF NOT EXISTS run ON engine TYPE int;
DEFINE FIELD IF NOT EXISTS state_run ON engine TYPE int;
DEFINE FIELD IF NOT EXISTS message ON engine TYPE string;
DEFINE FIELD IF NOT EXISTS failure ON engine TYPE option<object> FLEXIBLE;
DEFINE FIELD IF NOT EXISTS unresponsive_since ON engine TYPE option<datetime>;
DEFINE FIELD IF NOT EXISTS restarts ON engine TYPE int;
DEFINE FIELD IF NOT EXISTS spark_version ON engine TYPE option<string>;
DEFINE FIELD IF NOT EXISTS python_version ON engine TYPE option<string>;
DEFINE FIELD IF NOT EXISTS created_at ON engine TYPE datetime;
DEFINE FIELD IF NOT EXISTS started_at ON engine TYPE option<datetime>;
DEFINE FIELD IF NOT EXISTS stopped_at ON engine TYPE option<datetime>;
DEFINE FIELD IF NOT EXISTS last_used_at ON engine TYPE option<datetime>;
DEFINE FIELD IF NOT EXISTS revision ON engine TYPE int;
DEFINE INDEX IF NOT EXISTS engine_owner_name ON engine FIELDS owner, name UNIQUE;

DEFINE TABLE IF NOT EXISTS credential SCHEMAFULL;
DEFINE FIELD IF NOT EXISTS token ON credential TYPE string;
DEFINE FIELD IF NOT EXISTS conf ON credential TYPE string;
DEFINE FIELD IF NOT EXISTS env ON credential TYPE string;

DEFINE TABLE IF NOT EXISTS history SCHEMAFULL;
DEFINE FIELD IF NOT EXISTS engine_id ON history TYPE string READONLY;
DEFINE FIELD IF NOT EXISTS name ON history TYPE string READONLY;
DEFINE FIELD IF NOT EXISTS owner ON history TYPE string READONLY;
DEFINE FIELD IF NOT EXISTS revision ON history TYPE int READONLY;
DEFINE FIELD IF NOT EXISTS run ON history TYPE int READONLY;
DEFINE FIELD IF NOT EXISTS actor ON history TYPE string READONLY;
DEFINE FIELD IF NOT EXISTS kind ON history TYPE string READONLY;
DEFINE FIELD IF NOT EXISTS reason ON history TYPE string READONLY;
DEFINE FIELD IF NOT EXISTS status ON history TYPE string READONLY;
DEFINE FIELD IF NOT EXISTS is_tombstone ON history TYPE bool READONLY;
DEFINE FIELD IF NOT EXISTS at ON history TYPE datetime READONLY;
DEFINE INDEX IF NOT EXISTS history_engine ON history FIELDS engine_id;

DEFINE TABLE IF NOT EXISTS session SCHEMAFULL;
DEFINE FIELD IF NOT EXISTS engine_id ON session TYPE string;
DEFINE FIELD IF NOT EXISTS key ON session TYPE string;
DEFINE FIELD IF NOT EXISTS path ON session TYPE string;
DEFINE FIELD IF NOT EXISTS user_id ON session TYPE string;
DEFINE FIELD IF NOT EXISTS session_id ON session TYPE string;
DEFINE FIELD IF NOT EXISTS created_at ON session TYPE datetime;
DEFINE INDEX IF NOT EXISTS session_engine ON session FIELDS engine_id;

DEFINE TABLE IF NOT EXISTS gateway SCHEMAFULL;
DEFINE FIELD IF NOT EXISTS gateway_id ON gateway TYPE string;
DEFINE FIELD IF NOT EXISTS host ON gateway TYPE string;
DEFINE FIELD IF NOT EXISTS sites ON gateway TYPE array<string>;
DEFINE FIELD IF NOT EXISTS at ON gateway TYPE datetime;
"""

_EXECUTORS = """
DEFINE FIELD IF NOT EXISTS executors ON engine TYPE option<string>;
"""

_ATTACHED = """
DEFINE FIELD IF NOT EXISTS process ON session TYPE option<string>;
DEFINE FIELD IF NOT EXISTS is_attached ON session TYPE option<bool>;
"""

MIGRATIONS: dict[int, str] = {1: _FIRST, 2: _EXECUTORS, 3: _ATTACHED}
"""Migrations from the previous schema, by the number of the new one."""

VERSION = max(MIGRATIONS)
"""Number of the schema that this code writes."""

_GUARD = f"IF (SELECT VALUE schema FROM ONLY meta:store) > {VERSION} {{ THROW '{TOO_NEW}' }};"  # noqa: S608 - constants


def guarded(body: str) -> str:
    """These statements as one block, so one transaction; it fails if a newer Rucat has migrated the store."""
    return f"{{ {_GUARD} {body} }}"


async def migrate(link: Link) -> str:
    """Upgrade the schema to :data:`VERSION` and return the installation id, which is created once, also in a race.

    A newer schema stays as it is, with a warning: the known fields can still be read.
    """
    await link.write(_META)
    meta = await _meta(link)
    if meta["schema"] > VERSION:
        _log.warning(
            "the store has schema %s, this Rucat knows %s and can only read: update Rucat", meta["schema"], VERSION
        )
    for number in range(meta["schema"] + 1, VERSION + 1):
        await link.write(MIGRATIONS[number])
        await link.write("UPDATE meta:store SET schema = $number WHERE schema < $number", number=number)
        _log.info("upgraded the store to schema %s", number)
    return str(meta["installation"])


async def _meta(link: Link) -> dict[str, Any]:
    found = await link.read("SELECT * FROM ONLY meta:store")
    if not found:
        try:
            await link.write(
                "CREATE meta:store SET schema = 0, installation = $installation", installation=secrets.token_hex(8)
            )
        except AlreadyThere:
            _log.debug("another gateway was first")
        found = await link.read("SELECT * FROM ONLY meta:store")
    return dict(found)

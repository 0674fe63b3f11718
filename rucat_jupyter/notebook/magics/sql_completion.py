"""Completion in SQL: tables, views, databases and columns that fit at the cursor."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...client.session import session as sessions
from ...verbs.parser import BadUsage, Parser
from ...verbs.table import VERBS
from ..line.leading import leading_flags
from ..sql.catalog import Catalog, catalog_of
from ..sql.split import Token, tokens

WAIT_S = 0.5
TABLE_AFTER = {"FROM", "JOIN", "INTO", "TABLE", "UPDATE", "DESCRIBE", "DESC", "VIEW", "OVERWRITE", "EXISTS", "EXTENDED"}
DATABASE_AFTER = {"USE", "DATABASE", "SCHEMA", "NAMESPACE"}
CLAUSES = {"SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "ON", "SET", "VALUES", "LIMIT", "WINDOW", "QUALIFY"}
NO_ALIAS = (
    CLAUSES | TABLE_AFTER | {"AS", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "NATURAL", "UNION", "USING", "LATERAL"}
)
_PATH = re.compile(r"((?:(?:`(?:[^`]|``)*`|\w+)\.)*)(`(?:[^`]|``)*|\w*)\Z")
_PARTS = re.compile(r"`((?:[^`]|``)*)`|(\w+)")
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_CALL = re.compile(r"\.(sql|table)\(\s*[rRfFuU]*(\"\"\"|'''|\"|')")
_LINE = re.compile(r"[ \t]*(?:\w+[ \t]*=[ \t]*)?%rucat[ \t]+sql[ \t]+")
_CELL = re.compile(r"\s*%%rucat[ \t]+sql\b[^\n]*\n")


@dataclass(frozen=True)
class SqlAround:
    """SQL text before and after the cursor."""

    before: str
    after: str = ""


def sql_around(source: str, cursor: int) -> SqlAround | None:
    """The SQL around the cursor: in ``%%rucat sql``, ``%rucat sql``, ``spark.sql("…")``, ``spark.table("…")``."""
    if cell := _CELL.match(source):
        return SqlAround(source[cell.end() : cursor], source[cursor:]) if cursor >= cell.end() else None
    begin = source.rfind("\n", 0, cursor) + 1
    end = source.find("\n", cursor)
    line = source[begin : end if end >= 0 else len(source)]
    if (magic := _LINE.match(line)) and begin + magic.end() <= cursor:
        return _in_line(line, magic.end(), cursor - begin)
    return _in_string(source, cursor)


def complete_sql(session: Any, text_before_cursor: str, text_after_cursor: str = "") -> list[str]:
    """Names that fit at the cursor, best first; they replace the word (after the last dot) before it.

    Asks the catalog in the background and waits at most half a second; the next Tab offers later results. Names that
    need backticks have them. Text that is not SQL raises nothing.
    """
    place = _Place.of(text_before_cursor, text_after_cursor)
    if place is None or not _can_be_asked(session):
        return []
    found = _candidates(place, catalog_of(session), time.monotonic() + WAIT_S)
    return _fitting(found, place.typed)


@dataclass(frozen=True)
class _Place:
    """The position of the cursor: the words before it, in its statement."""

    qualifiers: tuple[str, ...]
    typed: str
    after: str  # the last word before the name, in capitals
    clause: str  # the last word that begins a clause
    tables: dict[str, tuple[str, ...]]  # alias or name -> path

    @classmethod
    def of(cls, before: str, after: str) -> _Place | None:
        found = list(tokens(before))
        if found and _is_open(found[-1], before):
            return None
        path = _PATH.search(before)
        head = before[: path.start()] if path else before
        words = [t.text.upper() for t in tokens(head) if t.kind in ("word", "char")]
        start = max((i + 1 for i, word in enumerate(words) if word == ";"), default=0)
        words = words[start:]
        return cls(
            tuple(_split_path(path[1])) if path else (),
            path[2] if path else "",
            words[-1] if words else "",
            next((word for word in reversed(words) if word in CLAUSES), ""),
            _tables(_statement(before[: len(before) - len(path[2])] if path else before, after)),
        )


def _candidates(place: _Place, catalog: Catalog, deadline: float) -> Iterable[str]:
    if place.qualifiers:
        return _below(place, catalog, deadline)
    if place.after in DATABASE_AFTER:
        return [*catalog.databases((), deadline), *catalog.catalogs(deadline)]
    if place.after in TABLE_AFTER or (place.after == "," and place.clause == "FROM"):
        return [*catalog.tables((), deadline), *catalog.databases((), deadline)]
    names = [name for path in dict.fromkeys(place.tables.values()) for name in _columns(catalog, path, (), deadline)]
    return [*names, *place.tables]


def _below(place: _Place, catalog: Catalog, deadline: float) -> list[str]:
    """Columns of a table of the statement, fields of a column, or tables of a database or catalog."""
    first, *fields = place.qualifiers
    known = {alias.lower(): path for alias, path in place.tables.items()}
    if first.lower() in known and place.after not in TABLE_AFTER:
        return _columns(catalog, known[first.lower()], fields, deadline)
    found = catalog.tables(place.qualifiers, deadline)
    return [*found, *(catalog.databases(place.qualifiers, deadline) if not fields else [])]


def _columns(catalog: Catalog, table: tuple[str, ...], fields: Iterable[str], deadline: float) -> list[str]:
    """Columns of a table, or fields of the column before the cursor."""
    kind = catalog.schema(table, deadline)
    for name in fields:
        inner = {field.name.lower(): field.dataType for field in getattr(kind, "fields", ())}
        kind = inner.get(name.lower())
    return [field.name for field in getattr(kind, "fields", ())]


def _fitting(names: Iterable[str], typed: str) -> list[str]:
    start, is_quoted = typed.removeprefix("`").replace("``", "`").lower(), typed.startswith("`")
    found = dict.fromkeys(name for name in names if name.lower().startswith(start))
    return [name if _PLAIN.fullmatch(name) and not is_quoted else f"`{name.replace('`', '``')}`" for name in found]


def _tables(statement: str) -> dict[str, tuple[str, ...]]:
    """Tables that the statement names, by alias, else by their last name."""
    found: dict[str, tuple[str, ...]] = {}
    words = [t for t in tokens(statement) if t.kind not in ("space", "comment")]
    at = 0
    while at < len(words):
        word = words[at].text.upper()
        at += 1
        if word not in {"FROM", "JOIN", "INTO", "TABLE", "UPDATE", "OVERWRITE"}:
            continue
        at = _read_tables(words, at, found)
    return found


def _read_tables(words: list[Token], at: int, found: dict[str, tuple[str, ...]]) -> int:
    """Read ``a.b AS x, c`` from there; returns where it ends."""
    while at < len(words) and _is_name(words[at]):
        path = _split_path(words[at].text)
        while at + 2 < len(words) and words[at + 1].text == "." and _is_name(words[at + 2]):
            at += 2
            path += _split_path(words[at].text)
        at += 1
        if at + 1 < len(words) and words[at].text.upper() == "AS":
            at += 1
        alias = path[-1]
        if at < len(words) and _is_name(words[at]):
            alias = _split_path(words[at].text)[0]
            at += 1
        found[alias] = tuple(path)
        if at >= len(words) or words[at].text != ",":
            break
        at += 1
    return at


def _is_name(token: Token) -> bool:
    if token.kind == "quoted":
        return token.text.startswith("`") and len(token.text) > 2
    return token.kind == "word" and token.text.upper() not in NO_ALIAS


def _split_path(path: str) -> list[str]:
    return [quoted.replace("``", "`") or plain for quoted, plain in _PARTS.findall(path)]


def _statement(before: str, after: str) -> str:
    """The statement around the cursor."""
    start = max((t.start + 1 for t in tokens(before) if t.text == ";"), default=0)
    end = next((t.start for t in tokens(after) if t.text == ";"), len(after))
    return before[start:] + after[:end]


def _is_open(last: Token, text: str) -> bool:
    """Whether the cursor is in a string or a comment."""
    if last.kind == "comment":
        return not (last.text.startswith("/*") and last.text.endswith("*/") and len(last.text) > 3)
    is_text = last.kind == "quoted" and not last.text.startswith("`")
    return is_text and (len(last.text) == 1 or last.text[-1] not in "'\"$")


def _in_line(line: str, start: int, cursor: int) -> SqlAround | None:
    try:
        _, rest = leading_flags(Parser(VERBS["sql"]), line[start:])
    except BadUsage:
        return None
    begin = len(line) - len(rest)
    return SqlAround(line[begin:cursor], line[cursor:]) if begin <= cursor else None


def _in_string(source: str, cursor: int) -> SqlAround | None:
    for call in reversed(list(_CALL.finditer(source, 0, cursor))):
        inside = source[call.end() : cursor]
        close = re.compile(rf"(?<!\\){call[2]}")
        if close.search(inside) or ("\n" in inside and len(call[2]) == 1):
            return None
        end = close.search(source, cursor)
        prefix = "FROM " if call[1] == "table" else ""
        return SqlAround(prefix + inside, source[cursor : end.start() if end else len(source)])
    return None


def _can_be_asked(session: Any) -> bool:
    """Whether its engine runs, as far as we know: Tab must not wait for an engine that starts or has failed."""
    for attachment in sessions.attachments():
        if attachment.spark is session:
            guard = attachment.guard
            return attachment.is_open and not guard.is_cut and guard.view["status"] == "Running"
    return session is not None

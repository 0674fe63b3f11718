"""What runs on an engine, for the Python API: a list of operations that is shown as a table."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from ..api import Api, engine_path
from ..words import tables, text

COLUMNS = ("OPERATION", "NOTEBOOK", "CELL", "FOR", "PROGRESS", "WHAT")
LONGEST_TEXT = 80


class Operations(list[dict[str, Any]]):
    """Operations that run on an engine, oldest first, as REST shows them; shown as a table.

    Examples
    --------
    >>> len(rucat_jupyter.get("etl").operations())
    0
    """

    def __repr__(self) -> str:
        return tables.table(COLUMNS, rows(self, text.utc_now())) if self else "Nothing runs."

    def _repr_html_(self) -> str:
        if not self:
            return "<p>Nothing runs.</p>"
        head = _row("th", COLUMNS)
        return f"<table><thead>{head}</thead><tbody>{''.join(_row('td', r) for r in self._rows())}</tbody></table>"

    def _rows(self) -> list[tuple[str, ...]]:
        return rows(self, text.utc_now())


def running(api: Api, engine_id: str) -> Operations:
    """List what runs now."""
    return Operations(api.call("GET", engine_path(engine_id, "operations"))["operations"])


def cancel(api: Api, engine_id: str, operation: str | Mapping[str, Any]) -> dict[str, Any]:
    """Cancel an operation, given as :func:`running` lists it or by its id; OperationNotFound if it has ended."""
    operation_id = operation if isinstance(operation, str) else str(operation["id"])
    path = engine_path(engine_id, "operations", quote(operation_id, safe=""), "cancel")
    answer: dict[str, Any] = api.call("POST", path)
    return answer


def rows(operations: Sequence[Mapping[str, Any]], now: datetime) -> list[tuple[str, ...]]:
    """The cells of the table, one row per operation."""
    return [
        (
            text.plain(op["id"]),
            text.plain(PurePath(op["notebook"]).name or op["user_id"], 40),
            "-" if op["cell"] is None else str(op["cell"]),
            _for(op, now),
            progress(op),
            text.plain(op["text"] or "-", LONGEST_TEXT),
        )
        for op in operations
    ]


def progress(operation: Mapping[str, Any]) -> str:
    """The progress: ``stage 3 of 5 · 86/200 tasks``; ``-`` if the engine does not report it."""
    if operation["status"] != "running":
        return str(operation["status"])
    if not operation["stages"]:
        return "-"
    stage = min(operation["stages_done"] + 1, operation["stages"])
    return f"stage {stage} of {operation['stages']} · {operation['tasks_done']}/{operation['tasks']} tasks"


def _for(operation: Mapping[str, Any], now: datetime) -> str:
    since = text.when(operation["started_at"])
    return text.duration((now - since).total_seconds()) if since else "-"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

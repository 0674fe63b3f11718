"""Names in an engine's catalog for completion: fetched in the background and cached for some seconds.

Nothing here runs a Spark job: the catalog answers ``SHOW``, and the analyzer gives the columns of a table.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from ...core.errors import RucatError
from .fetch import fetch

FRESH_S = 15.0
"""New names appear soon, and a key press rarely sends a request."""
MOST_AT_ONCE = 4


class Catalog:
    """The catalog of one session, as far as it is known in time."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._known: dict[tuple[str, ...], tuple[float, Any]] = {}
        self._asked: set[tuple[str, ...]] = set()
        self._changed = threading.Condition()

    def tables(self, path: Sequence[str], deadline: float) -> list[str]:
        """Tables and views of a database; with an empty path of the current one, temp views included."""
        where = f" IN {_quoted(path)}" if path else ""
        return self._get(("tables", *path), lambda: self._names(f"SHOW TABLES{where}", "tableName"), deadline) or []

    def databases(self, path: Sequence[str], deadline: float) -> list[str]:
        """Databases of a catalog; with an empty path of the current one."""
        where = f" IN {_quoted(path)}" if path else ""
        return self._get(("databases", *path), lambda: self._names(f"SHOW DATABASES{where}", None), deadline) or []

    def catalogs(self, deadline: float) -> list[str]:
        """Catalogs that the session has used or configured."""
        return self._get(("catalogs",), lambda: self._names("SHOW CATALOGS", None), deadline) or []

    def schema(self, table: Sequence[str], deadline: float) -> Any:
        """The Spark schema of a table or view; None if there is none, or not yet."""
        return self._get(("schema", *table), lambda: self._session.table(_quoted(table)).schema, deadline)

    def _names(self, statement: str, column: str | None) -> list[str]:
        table, _ = fetch(self._session.sql(statement))
        return [str(name) for name in table.column(column or 0).to_pylist()]

    def _get(self, key: tuple[str, ...], ask: Callable[[], Any], deadline: float) -> Any:
        """The cached value; waits until the deadline if it is missing or old."""
        with self._changed:
            if not self._is_fresh(key) and key not in self._asked and len(self._asked) < MOST_AT_ONCE:
                self._asked.add(key)
                threading.Thread(target=self._ask, args=(key, ask), name="rucat-catalog", daemon=True).start()
            while key in self._asked and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._known.get(key, (0.0, None))[1]

    def _is_fresh(self, key: tuple[str, ...]) -> bool:
        return key in self._known and time.monotonic() - self._known[key][0] < FRESH_S

    def _ask(self, key: tuple[str, ...], ask: Callable[[], Any]) -> None:
        import grpc  # noqa: PLC0415 - heavy, like pyspark
        from pyspark.errors import PySparkException  # noqa: PLC0415 - heavy

        found = None
        try:
            found = ask()
        except (PySparkException, RucatError, grpc.RpcError, ValueError):
            found = None  # no such table, or the engine has gone: there is nothing to offer
        finally:
            with self._changed:
                self._known[key] = (time.monotonic(), found)
                self._asked.discard(key)
                self._changed.notify_all()


def catalog_of(session: Any) -> Catalog:
    """The catalog of a session, the same each time."""
    with _lock:
        return _catalogs.setdefault(session, Catalog(session))


_catalogs: WeakKeyDictionary[Any, Catalog] = WeakKeyDictionary()
_lock = threading.Lock()


def _quoted(path: Sequence[str]) -> str:
    return ".".join(f"`{part.replace('`', '``')}`" for part in path)

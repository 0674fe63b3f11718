"""Completion in SQL: the position of the cursor, candidates there, and a slow catalog."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql.types import StructType
from support.place import wait_until

from rucat_jupyter.notebook.magics.sql_completion import SqlAround, complete_sql, sql_around

ORDERS = StructType().add("id", "long").add("order date", "date").add("who", StructType().add("name", "string"))


class CatalogOfOneTable:
    """A session whose ``SHOW`` answers are tables in memory; it blocks until ``may_answer``."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[str] = []
        self.client = SimpleNamespace(to_table=lambda plan, _: (plan, StructType(), None))

    def sql(self, statement: str) -> Any:
        import pyarrow as pa

        self.asked.append(statement)
        self.may_answer.wait(10)
        column = "tableName" if "TABLES" in statement else "name"
        names = {"TABLES": ["orders", "odd`name"], "DATABASES": ["default", "other"], "CATALOGS": ["spark_catalog"]}
        table = pa.table({column: names[statement.split()[1]]})
        plan = SimpleNamespace(to_proto=lambda client: table, observations={})
        return SimpleNamespace(sparkSession=self, _plan=plan)

    def table(self, path: str) -> Any:
        self.asked.append(path)
        if not path.endswith("`orders`"):
            raise ValueError(path)
        return SimpleNamespace(schema=ORDERS)


def at(marked: str) -> tuple[str, int]:
    """Source and cursor of a text with ``|`` where the cursor is."""
    return marked.replace("|", ""), marked.index("|")


@pytest.mark.parametrize(
    ("marked", "around"),
    [
        ("%%rucat sql --limit 3\nselect a|\nfrom t", SqlAround("select a", "\nfrom t")),
        ("%%rucat sql --li|\nselect a", None),
        ("x = 1\n%rucat sql --limit 3 select a| from t\ny", SqlAround("select a", " from t")),
        ("r = %rucat sql select |", SqlAround("select ")),
        ("%rucat sql --out df| select 1", None),
        ("%rucat sql --arg 'x|", None),
        ("df = spark.sql('select a| from t').collect()", SqlAround("select a", " from t")),
        ('spark.sql(f"""select *\nfrom t|\n""")', SqlAround("select *\nfrom t", "\n")),
        ("spark.table('or|')", SqlAround("FROM or")),
        ("spark.sql('select 1'); x|", None),
        ("spark.sql('select 1\nx|", None),
        ("%rucat status|", None),
        ("print(1)|", None),
    ],
)
def test_where_sql_is(marked: str, around: SqlAround | None) -> None:
    """In cells and lines of the magic, and in the strings of two methods."""
    assert sql_around(*at(marked)) == around


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("select * from o|", ["orders", "`odd``name`", "other"]),
        ("select * from a, or|", ["orders"]),
        ("insert into |", ["orders", "`odd``name`", "default", "other"]),
        ("use o|", ["other"]),
        ("use sp|", ["spark_catalog"]),
        ("select | from orders", ["id", "`order date`", "who", "orders"]),
        ("select ORD| from orders o", ["`order date`"]),
        ("select `ord| from orders o", ["`order date`"]),
        ("select o.i| from db.orders as o where x", ["id"]),
        ("select o.who.| from orders o", ["name"]),
        ("select x from orders o join b on o.|", ["id", "`order date`", "who"]),
        ("select 1; select i|d from orders; select 2", ["id"]),
        ("select * from spark_catalog.d|", ["default"]),
        ("select * from spark_catalog.default.or|", ["orders"]),
        ("select n| from nowhere", ["nowhere"]),
        ("select 'from o|'", []),
        ("select 1 -- from o|", []),
        ("select 1 /* from o|", []),
        ("|", []),
    ],
)
def test_what_fits_at_the_cursor(marked: str, expected: list[str]) -> None:
    """Tables after FROM, columns elsewhere, and after a dot the members of a name."""
    source, cursor = at(marked)
    session = CatalogOfOneTable()
    look = lambda: complete_sql(session, source[:cursor], source[cursor:]) == expected  # noqa: E731
    wait_until(f"{marked}: {expected}", look, 10)  # on a slow machine the first half second is not enough


def test_a_slow_catalog_is_not_waited_for_and_answers_next_time() -> None:
    """At most half a second; the result is requested once and cached."""
    session = CatalogOfOneTable()
    session.may_answer.clear()
    begun = time.monotonic()
    assert complete_sql(session, "select * from ord") == []
    assert complete_sql(session, "select * from ord") == []
    assert time.monotonic() - begun < 1.3
    session.may_answer.set()
    end = time.monotonic() + 5
    while complete_sql(session, "select * from ord") != ["orders"]:
        assert time.monotonic() < end
    assert session.asked.count("SHOW TABLES") == 1
    assert complete_sql(None, "select * from ord") == []

"""What Tab offers after %rucat, and what Spark says of its settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.rest import FakeGateway, make_view

from rucat_jupyter.host import spark_confs
from rucat_jupyter.host.jars import BadJar, read_members
from rucat_jupyter.host.spark_confs import Setting
from rucat_jupyter.notebook import client, known
from rucat_jupyter.notebook.api import Api
from rucat_jupyter.notebook.completion import Sources, meaning, offer, rest_of
from rucat_jupyter.notebook.known import Known


class Found:
    """Sources that know three engines, a profile and some settings."""

    def engines(self) -> list[dict[str, Any]]:
        return [make_view(), make_view(name="my etl"), make_view(name="it's")]

    def profiles(self) -> list[dict[str, Any]]:
        return [{"name": "local", "platform": "local", "spec": {"kubernetes": {"namespace": "shared"}}}]

    def contexts(self) -> list[tuple[str, str]]:
        return [("kind-dev", ""), ("prod admin", "team-a")]

    def settings(self) -> dict[str, Setting]:
        rows = [
            Setting("spark.sql.shuffle.partitions", "200", "int", "How many.", "1.1.0"),
            Setting("spark.sql.ansi.enabled", "true", "boolean", "ANSI.", "3.0.0"),
        ]
        return {row.key: row for row in rows}


SOURCES = Sources(Found(), lambda: {"df": 1, "_hidden": 2})


def words(code: str, after: str = "") -> list[str]:
    """What is offered at the end of the code."""
    asked = rest_of(code)
    assert asked is not None
    return [c.word for c in offer(asked[0], SOURCES, after=after, is_cell=asked[1]).candidates]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("%rucat crea", ["create"]),
        ("x = %rucat crea", ["create"]),
        ("%rucat help crea", ["create"]),
        ("%rucat stop e", ["etl"]),
        ("%rucat stop m", ["'my etl'"]),
        ("%rucat stop 'm", ["'my etl'"]),
        ('%rucat stop "i', ['"it\'s"']),
        ("%rucat nope ", []),
        ("%rucat create --profile ", ["local"]),
        ("%rucat create --profile=lo", ["local"]),
        ("%rucat create --context ", ["kind-dev", "'prod admin'"]),
        ("%rucat plan --namespace=", ["shared", "team-a"]),
        ("%rucat restart etl --name", []),
        ("%rucat create --as ", ["spark", "df"]),
        ("%rucat create --conf spark.sql.sh", ["spark.sql.shuffle.partitions="]),
        ("%rucat create --conf 'spark.sql.sh", ["'spark.sql.shuffle.partitions="]),
        ("%rucat create --conf shuffle", ["spark.sql.shuffle.partitions="]),
        ("%rucat create --conf spark.sql.ansi.enabled=f", ["spark.sql.ansi.enabled=false"]),
        ("%rucat create --no-w", ["--no-wait"]),
        ("%rucat create --no-wait --no-w", []),
        ("%rucat create --conf a=b --con", ["--conf", "--context"]),
        ("%rucat create \\\n --prof", ["--profile"]),
        ("%%rucat s", ["sql"]),
    ],
)
def test_the_words_that_may_stand_are_offered(code: str, expected: list[str]) -> None:
    """Verbs, flags not yet given, names quoted where they must be, values of flags."""
    assert words(code) == expected


def test_a_quote_that_is_there_is_not_offered_again() -> None:
    """Editors close quotes by themselves."""
    assert words("%rucat stop 'm", after="'") == ["'my etl"]


@pytest.mark.parametrize("code", ["x % rucat", "print(1)", "a\n%%rucat sql", "%rucats ", ""])
def test_other_lines_are_left_alone(code: str) -> None:
    """Python's completion stays what it is."""
    assert rest_of(code) is None


def test_every_word_has_a_meaning() -> None:
    """What a tooltip shows: help of a verb, a flag's line, an engine's page, a setting's documentation."""
    assert "Examples" in meaning(" create", SOURCES)
    assert "heap" in meaning(" create --driver-memory", SOURCES)
    assert "Running" in meaning(" stop etl", SOURCES)
    for text in (" create --conf spark.sql.shuffle.partitions", " create --conf spark.sql.shuffle.partitions=20"):
        assert "How many." in meaning(text, SOURCES)
    assert meaning(" create --conf nope", SOURCES) == ""


def test_tab_asks_once_and_starts_no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is kept for a moment; where no gateway runs there are no names."""
    gateway = FakeGateway(make_view())
    monkeypatch.setattr(client, "_api", gateway.api())
    tab = Known()
    assert [view["name"] for view in tab.engines()] == ["etl"]
    assert tab.engines()
    assert gateway.paths("GET") == ["engines"]
    monkeypatch.setattr(client, "_api", Api(find_client=lambda: None))
    assert Known().engines() == []


def test_tab_waits_for_no_slow_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of a second at most; what comes later is there at the next Tab."""

    def slow() -> httpx.Client | None:
        time.sleep(known.WAIT_S * 2)
        return None

    monkeypatch.setattr(client, "_api", Api(find_client=slow))
    begun = time.monotonic()
    assert Known().engines() == []
    assert time.monotonic() - begun < known.WAIT_S * 1.8


def test_the_settings_are_sparks_own(tmp_path: Path) -> None:
    """Read from the installed pyspark, with documentation and defaults; kept in a file for the next kernel."""
    found = spark_confs.load(tmp_path / "cache")
    assert len(found) > 500
    assert found["spark.sql.shuffle.partitions"].default == "200"
    assert "shuffling data for joins" in found["spark.sql.shuffle.partitions"].doc
    assert found["spark.driver.memory"].default == "1g"
    assert found["spark.sql.adaptive.enabled"].kind == "boolean"
    assert found["spark.sql.ansi.enabled"].default is None  # computed: not guessed
    assert "spark.executor.instances" in found
    begun = time.monotonic()
    assert spark_confs.load(tmp_path / "cache") == found
    assert time.monotonic() - begun < 0.1


def test_a_broken_jar_or_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tab knows less then."""
    jars = tmp_path / "spark" / "jars"
    jars.mkdir(parents=True)
    (jars / "spark-core_2.13-9.9.9.jar").write_bytes(b"no jar")
    with pytest.raises(BadJar):
        list(read_members(jars / "spark-core_2.13-9.9.9.jar", spark_confs.HOMES))
    monkeypatch.setenv("SPARK_HOME", str(jars.parent))
    assert spark_confs.load(tmp_path / "cache") == {}
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert spark_confs.load() == {}

"""Completion after %rucat, and the documentation of Spark's settings."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.rest import FakeGateway, make_view

from rucat_jupyter.client.api import Api
from rucat_jupyter.client.engines import engine
from rucat_jupyter.host import spark_confs
from rucat_jupyter.host.spark_confs import Setting
from rucat_jupyter.notebook.magics import known
from rucat_jupyter.notebook.magics.completion import Sources, meaning, offer, rest_of
from rucat_jupyter.notebook.magics.known import Known


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
    """The candidates at the end of the code."""
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
def test_valid_words_are_offered(code: str, expected: list[str]) -> None:
    """Verbs, flags not yet given, names (quoted if necessary), values of flags."""
    assert words(code) == expected


def test_a_closing_quote_is_not_added_again() -> None:
    """Editors close quotes automatically."""
    assert words("%rucat stop 'm", after="'") == ["'my etl"]


@pytest.mark.parametrize("code", ["x % rucat", "print(1)", "a\n%%rucat sql", "%rucats ", ""])
def test_other_lines_are_left_alone(code: str) -> None:
    """Python's completion does not change."""
    assert rest_of(code) is None


def test_every_word_has_documentation() -> None:
    """The tooltip: help of a verb or flag, status of an engine, documentation of a setting."""
    assert "Examples" in meaning(" create", SOURCES)
    assert "heap" in meaning(" create --driver-memory", SOURCES)
    assert "Running" in meaning(" stop etl", SOURCES)
    for text in (" create --conf spark.sql.shuffle.partitions", " create --conf spark.sql.shuffle.partitions=20"):
        assert "How many." in meaning(text, SOURCES)
    assert meaning(" create --conf nope", SOURCES) == ""


def test_tab_asks_once_and_starts_no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The response is cached for a moment; without a gateway there are no names."""
    gateway = FakeGateway(make_view())
    monkeypatch.setattr(engine, "_api", gateway.api())
    tab = Known()
    assert [view["name"] for view in tab.engines()] == ["etl"]
    assert tab.engines()
    assert gateway.paths("GET") == ["engines"]
    monkeypatch.setattr(engine, "_api", Api(find_client=lambda: None))
    assert Known().engines() == []


def test_tab_does_not_wait_for_a_slow_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a third of a second; the next Tab offers a later response."""

    def slow() -> httpx.Client | None:
        time.sleep(known.WAIT_S * 2)
        return None

    monkeypatch.setattr(engine, "_api", Api(find_client=slow))
    begun = time.monotonic()
    assert Known().engines() == []
    assert time.monotonic() - begun < known.WAIT_S * 1.8


def test_the_settings_are_sparks_own() -> None:
    """Those of the installed pyspark's release, with documentation and defaults."""
    found = spark_confs.load()
    assert len(found) > 800
    assert found["spark.sql.shuffle.partitions"].default == "200"
    assert "shuffling data for joins" in found["spark.sql.shuffle.partitions"].doc
    assert found["spark.driver.memory"].default == "1g"
    assert found["spark.sql.adaptive.enabled"].kind == "boolean"
    assert found["spark.sql.ansi.enabled"].default == "true"
    assert found["spark.sql.session.timeZone"].default is None  # of the machine: not guessed
    assert "spark.executor.instances" in found


@pytest.mark.parametrize(
    ("version", "expected"),
    [("4.2", "4.2"), ("4.10", "4.3"), ("5.0", "4.3"), ("4.0", "4.1"), (None, "4.3")],
)
def test_the_settings_of_another_release_are_those_of_the_nearest(version: str | None, expected: str) -> None:
    """A newer Spark has those of the newest that is known, as has none; the package knows three releases."""
    releases = {release for row in json.loads(spark_confs.DATA.read_bytes()) for release in row[-1]}
    assert releases == {"4.1", "4.2", "4.3"}
    assert spark_confs.nearest(version, releases) == expected


@pytest.mark.parametrize("release", ["4.1", "4.3", None])
def test_the_release_is_that_of_the_installed_pyspark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str | None
) -> None:
    """A client without jars is one, too; where there is none, the newest release is taken."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "pyspark", raising=False)
    if release:
        (tmp_path / "pyspark").mkdir()
        (tmp_path / "pyspark" / "__init__.py").touch()
        (tmp_path / "pyspark" / "version.py").write_text(f"__version__: str = {release + '.1'!r}\n")
    rows = json.loads(spark_confs.DATA.read_bytes())
    expected = [spark_confs.Setting(*row[:5]) for row in rows if (release or "4.3") in row[-1]]
    assert list(spark_confs.load.__wrapped__().values()) == expected

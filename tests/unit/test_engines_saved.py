"""Settings that stay with a notebook, as a line, as a profile; plans and profiles as they are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.rest import FakeGateway, make_view

from rucat_jupyter.client.engines import engine, saved
from rucat_jupyter.client.engines.plan import Plan
from rucat_jupyter.client.engines.profiles import Profiles
from rucat_jupyter.client.engines.saved import KEY, Saved, profile_toml, with_saved, write_profile
from rucat_jupyter.core.config.resolve import Layer
from rucat_jupyter.core.config.resolve import Profiles as Known
from rucat_jupyter.core.errors import InvalidRequest

ETL = Saved("etl", "big", None, {"driver": {"memory": "4g"}, "conf": {"spark.x": "a b"}}, ("conf.spark.token",), "2026")


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of this kernel's notebook."""
    path = tmp_path / "a.ipynb"
    monkeypatch.setattr(saved, "notebook_path", lambda shell: str(path))
    monkeypatch.setattr(saved, "_last", {})
    return path


def write(path: Path, *outputs: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
    cells = [{"cell_type": "markdown", "source": KEY}, {"cell_type": "code", "outputs": []}]
    cells += [{"cell_type": "code", "outputs": [{"metadata": {KEY: output}}]} for output in outputs]
    path.write_text(json.dumps({"metadata": metadata or {}, "cells": cells, "nbformat": 4}))


# --- found again --------------------------------------------------------------------------------------------


def test_the_latest_settings_of_the_notebook_are_found(notebook: Path) -> None:
    """Of all outputs, the notebook's own metadata, and what this kernel saved before the file was written."""
    assert saved.find() is None
    write(notebook, ETL.as_json(), {**ETL.as_json(), "saved_at": "2025", "name": "old"})
    assert saved.find() == ETL
    write(notebook, ETL.as_json(), metadata={KEY: {**ETL.as_json(), "saved_at": "2027", "name": "tool"}})
    assert saved.find().name == "tool"  # type: ignore[union-attr]
    saved._last[str(notebook)] = Saved("newest", saved_at="2028")
    assert saved.find().name == "newest"  # type: ignore[union-attr]


@pytest.mark.parametrize("content", ["", "no notebook rucat_settings", '{"cells": 1, "rucat_settings": 1}', "[" * 9999])
def test_what_is_no_notebook_has_nothing_saved(notebook: Path, content: str) -> None:
    """A broken or half-written file is no error of a create."""
    notebook.write_text(content + KEY)
    assert saved.find() is None


@pytest.mark.parametrize("content", [1, {}, {"version": 2, "name": "x", "settings": {}}, {"version": 1, "name": "x"}])
def test_settings_that_cannot_be_read_say_what_to_do(notebook: Path, content: Any) -> None:
    """Written by hand or by another version: one line, and nothing is created by accident."""
    write(notebook, content)
    with pytest.raises(InvalidRequest, match="save them again with %rucat save"):
        saved.find()


def test_a_notebook_cannot_bring_another_machines_places(notebook: Path) -> None:
    """Python, folder, secrets and addresses are not taken from a file that came from elsewhere."""
    places = {
        "local": {"python": "/evil"},
        "secret_env": {"A": "b"},
        "external": {"url": "sc://x"},
        "spark_version": "1",
    }
    write(notebook, {**ETL.as_json(), "settings": {**places, "idle_timeout_s": 5}})
    assert saved.find().settings == {"idle_timeout_s": 5}  # type: ignore[union-attr]


def test_saved_settings_lie_below_what_is_typed(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flags win, what is used is said, secrets are asked for; another name or profile leaves them out."""
    write(notebook, ETL.as_json())
    name, wanted = with_saved(None, {"driver": {"memory": "8g"}, "conf": {"spark.y": "1"}})
    assert name == "etl"
    conf = {"spark.x": "a b", "spark.y": "1"}
    assert wanted == {"profile": "big", "driver": {"memory": "8g"}, "conf": conf}
    said = capsys.readouterr().out
    assert "Settings saved in this notebook: etl --profile big --driver-memory 4g --conf 'spark.x=a b'" in said
    assert "secrets to enter again: conf.spark.token" in said
    assert with_saved("other", {}) == ("other", {})
    assert with_saved(None, {"profile": "small"}) == (None, {"profile": "small"})
    assert with_saved("etl", {"profile": "big"})[1]["driver"] == {"memory": "4g"}


# --- kept ---------------------------------------------------------------------------------------------------


def test_what_differs_from_the_profile_is_kept() -> None:
    """By what the profile would make here and now; secrets by name alone, places of this machine not at all."""
    gateway = FakeGateway()
    before = engine.set_default_api(gateway.api())
    try:
        base = {"driver": {"cores": 2, "memory": "1g"}, "conf": {"spark.a": "1", "spark.b": "1"}}
        gateway.plan = {"spec": {**base, "local": {"python": "/py"}, "spark_version": "4.3.0"}}
        spec = {**make_view()["spec"], "conf": {"spark.b": "2", "spark.my.token": "***"}, "spark_version": "4.2.0"}
        found = saved.settings_of(make_view(spec=spec))
    finally:
        engine.set_default_api(before)
    assert (found.name, found.profile, found.secrets) == ("etl", "local", ("conf.spark.my.token",))
    assert found.settings == {"conf": {"spark.a": None, "spark.b": "2"}, "idle_timeout_s": 3600}


def test_the_line_creates_it_again() -> None:
    """As a magic where flags can say it, else in Python."""
    assert ETL.line() == "%rucat create etl --profile big --driver-memory 4g --conf 'spark.x=a b'"
    assert Saved("my etl", "big").line() == "%rucat create 'my etl' --profile big"
    line = Saved("etl", None, "local", {"driver": {"cores": 2}}).line()
    code = "spark = rucat_jupyter.create('etl', driver={'cores': 2}, platform='local').connect()"
    assert line == f"import rucat_jupyter\n\n{code}"


def test_a_profile_is_added_and_nothing_else_is_touched(tmp_path: Path) -> None:
    """Comments, order and mode stay; what was written is read again as what was meant."""
    file = tmp_path / "rucat.toml"
    text = '# mine\n[profiles.big]  # the base\nplatform = "local"\nconf."spark.y" = "1"\n\n\n'
    file.write_text(text)
    file.chmod(0o640)
    volumes = [{"name": "a b", "emptyDir": {}}, {"name": "c", "secret": {"items": [{"key": "k", "mode": 256}]}}]
    spec = {
        "conf": {"spark.x": 'a"\\\n\x7fü'},
        "java_options": ["-Xss8m"],
        "kubernetes": {"volumes": volumes, "labels": {"a.b/c": ""}},
    }
    kept = Saved("etl", "big", None, {**spec, "conf": {**spec["conf"], "spark.y": None}})  # type: ignore[dict-item]
    assert write_profile(kept, "my etl", file) == file
    assert file.read_text().startswith(text.rstrip())
    assert file.stat().st_mode & 0o777 == 0o640
    from rucat_jupyter.gateway.service.profile_files import tomllib

    profiles = Known([Layer("f", tomllib.loads(file.read_text()))])
    assert profiles.errors == []
    assert (profiles.get("my etl").chain, profiles.get("my etl").spec) == (["big", "my etl"], spec)
    assert [path.name for path in tmp_path.iterdir()] == ["rucat.toml"]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("[profiles.etl]\n", "etl", "has a profile 'etl' already"),
        ("x = [", "etl", "has an error, so nothing is written to it"),
        ("profiles = {}\n", "etl", "add this yourself"),
        ("", "-x", "cannot be a profile"),
        ("\xff", "etl", "cannot be read, so nothing is written"),
    ],
)
def test_what_cannot_be_added_leaves_the_file_alone(tmp_path: Path, content: str, name: str, says: str) -> None:
    """One line that says why."""
    file = tmp_path / "rucat.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InvalidRequest, match=says):
        write_profile(ETL, name, file)
    assert file.read_bytes() == content.encode("latin-1")


def test_a_first_profile_makes_the_file(tmp_path: Path) -> None:
    """Folder included, for its owner alone."""
    file = write_profile(ETL, "mine", tmp_path / "new" / "rucat.toml")
    assert file.read_text() == profile_toml(ETL, "mine")
    assert file.stat().st_mode & 0o777 == 0o600


# --- shown --------------------------------------------------------------------------------------------------

PLACE = {"source": "/f", "profile": "base", "note": ""}
ANSWER = {
    "default": "etl",
    "errors": ["/f: profiles.bad.x: there is no such field", "/g: Invalid value (at line 3, column 1)"],
    "limits": [{"name": "max_executors", "value": 2, "source": "/etc/rucat.toml"}],
    "profiles": [
        {
            "name": "etl",
            "platform": "local",
            "description": "a\x1b[31mb",
            "where": "this machine",
            "size": "driver 1 GB",
            "sources": ["/f"],
            "available": True,
            "chain": ["local", "base", "etl"],
            "values": [{"key": "driver.memory", "value": "1g", **PLACE}],
        }
    ],
}


def test_profiles_show_limits_and_what_is_wrong() -> None:
    """In one table each; text of files has no control characters."""
    shown = repr(Profiles(ANSWER))
    assert "etl (default)  this machine  driver 1 GB" in shown
    assert "max_executors  2      /etc/rucat.toml" in shown
    assert "  /f: profiles.bad.x: there is no such field" in shown
    assert "\x1b" not in shown


def test_a_profile_is_explained_or_says_what_is_wrong() -> None:
    """Its chain and places; a broken one by its own lines, an unknown one with what was meant."""
    found = Profiles(ANSWER)
    assert "etl  on this machine · extends base > local" in repr(found.explain("etl"))
    assert "driver.memory  1g     /f (profile base)" in repr(found.explain("etl"))
    with pytest.raises(InvalidRequest, match=r"^/f: profiles.bad.x: there is no such field$"):
        found.explain("bad")
    with pytest.raises(InvalidRequest, match=r"no profile 'elt' \(did you mean 'etl'\?\); there are etl; /g: Invalid"):
        found.explain("elt")


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("Running", "would be found, and attached"),
        ("Failed", "would be started again with its stored settings"),
        ("Pending", "would be found: it is starting"),
        ("Deleting", "is being deleted: create would wait"),
    ],
)
def test_a_plan_of_what_exists_says_what_create_would_do(status: str, says: str) -> None:
    """With what would not be applied, and the line that applies it."""
    exists = make_view(status=status)
    view = {"exists": exists, "values": [], "warnings": [], "outline": None, "conf": [], "name": "etl"}
    shown = repr(Plan(view, {"driver": {"memory": "4g"}}))
    assert says in shown
    assert "Not applied: driver.memory 4g (it has 1g). To apply: " in shown

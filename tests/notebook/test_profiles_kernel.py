"""Profiles, plans and saved settings in real kernels, compared with those of a real engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.notebook import Kernel
from support.place import Place

pytestmark = pytest.mark.engine

ETL = """
[profiles.plan-base]
extends = "local"
conf.spark.sql.shuffle.partitions = 8
conf."spark.my.password" = "canary-1"
[profiles.plan-etl]
extends = "plan-base"
unset = ["conf.spark.sql.ansi.enabled"]
conf.spark.sql.session.timeZone = "Asia/Tokyo"
"""


@pytest.fixture(scope="module", autouse=True)
def etl(place: Place) -> None:
    """Profiles of the user, beside those of all tests."""
    file = place.root / "config" / "rucat.toml"
    file.write_text(file.read_text() + ETL)


def test_a_plan_is_what_an_engine_gets(place: Place, notebook: Callable[..., Kernel], rest: Callable[..., Any]) -> None:
    """Java, Spark, memory, cores, folder, Python and every conf are those of the engine; nothing was made before."""
    kernel = notebook("plan")
    asked = "planned --profile plan-etl --conf spark.sql.ansi.enabled=false --conf 'spark.note=a b'"
    before = [engine["id"] for engine in rest("GET", "engines")["engines"]]
    shown = kernel.run(f"p = %rucat plan {asked}\nimport json\nprint('\\n' + json.dumps(p.view))").text
    assert "canary" not in shown
    plan = json.loads(next(line for line in shown.splitlines() if line.startswith("{")))
    assert [engine["id"] for engine in rest("GET", "engines")["engines"]] == before
    assert not list((place.data_dir / "runs").glob("*<id>*"))
    assert plan["exists"] is None
    kernel.run(f"%rucat create {asked}", timeout_s=200)
    engine = rest("GET", "engines/planned")
    assert {"driver": engine["spec"]["driver"]["memory"], "cores": engine["spec"]["driver"]["cores"]} == {
        "driver": f"{plan['outline']['heap_mb']}m" if plan["outline"]["heap_mb"] % 1024 else "1g",
        "cores": plan["outline"]["cores"],
    }
    assert engine["spec"]["local"] == {"python": plan["outline"]["python"], "directory": plan["outline"]["directory"]}
    assert (engine["spark_version"], engine["python_version"]) == (plan["spark_version"], plan["python_version"])
    java = place.engine_process(engine["id"]).exe()
    assert java.endswith("/bin/java")
    assert plan["outline"]["java"].split("/bin/")[0] in java
    keys = [value["key"] for value in plan["conf"]]
    got = json.loads(
        kernel.run(f"import json; print(json.dumps({{k: spark.conf.get(k, None) for k in {keys!r}}}))").text
    )
    run = f"rucat-{engine['id']}-1"
    secret = got.pop("spark.my.password")
    assert "canary-1" in (secret, "canary-1")  # Spark may redact it; it was not in the plan
    for value in plan["conf"]:
        key, planned = value["key"], value["value"].replace("rucat-<id>-1", run)
        if planned == "<a free port>":
            assert got[key].isdigit(), key
        elif key != "spark.my.password":
            assert got[key].removeprefix("file:") == planned, key  # Spark makes an address of the warehouse
    again = kernel.run("%rucat plan planned --driver-memory 2g").text
    assert "planned exists (Running, driver 2 cores 1 GB)" in again or "planned exists (Running" in again
    assert "Not applied: driver.memory 2g (it has 1g). To apply: %rucat restart planned --driver-memory 2g" in again


@pytest.mark.all
def test_a_restart_takes_new_settings(place: Place, notebook: Callable[..., Kernel], rest: Callable[..., Any]) -> None:
    """They apply to the next run and are stored; token, secrets, id and other settings stay; history says which."""
    kernel = notebook("restart")
    kernel.run("%rucat create planned --profile plan-etl", timeout_s=200)
    before = rest("GET", "engines/planned")
    token = rest("GET", "engines/planned/connection")["token"]
    said = kernel.run("%rucat restart planned --driver-memory 1100m --conf spark.new.password=canary-2", timeout_s=200)
    assert "driver 2 cores 1100 MB" in said.text or "1100 MB" in said.text
    assert "canary" not in said.text
    after = rest("GET", "engines/planned")
    assert (after["id"], after["run"], after["spec"]["driver"]["memory"]) == (before["id"], before["run"] + 1, "1100m")
    assert rest("GET", "engines/planned/connection")["token"] == token
    words = (place.data_dir / "runs" / f"rucat-{after['id']}-{after['run']}" / "java.args").read_text()
    assert '"-Xmx1100m"' in words
    assert "-Dspark.my.password=canary-1" in words
    assert "-Dspark.new.password=canary-2" in words
    event = [e for e in rest("GET", "engines/planned/history")["events"] if e["kind"] == "restart"][-1]
    assert event["reason"] == "conf.spark.new.password changed (a secret); driver.memory 1g -> 1100m"
    assert kernel.run("print(spark.range(3).count())").stdout.strip() == "3"
    kernel.run("%rucat delete planned --yes")


@pytest.mark.all
def test_settings_are_saved_in_the_notebook(
    place: Place, notebook: Callable[..., Kernel], rest: Callable[..., Any]
) -> None:
    """What differs from the profile, no secret; %rucat create in the saved notebook makes it again, flags win."""
    path = place.root / "kept.ipynb"
    kernel = notebook("kept")
    theirs = {"spark.note": "a b", "spark.sql.ansi.enabled": "false"}
    asked = "saved --profile plan-etl --conf spark.sql.ansi.enabled=false --conf 'spark.note=a b'"
    kernel.run(f"%rucat create {asked} --conf spark.new.password=canary-2 --driver-memory 1100m", timeout_s=200)
    cell = kernel.run("%rucat save saved")
    saved = cell.metadata[0]["rucat_settings"]
    assert saved["name"] == "saved"
    assert saved["profile"] == "plan-etl"
    assert saved["settings"] == {"conf": theirs, "driver": {"memory": "1100m"}}
    assert saved["secrets"] == ["conf.spark.new.password"]
    assert "canary" not in json.dumps(saved)
    kernel.run("%rucat delete saved --yes")
    output = {"output_type": "display_data", "data": {}, "metadata": cell.metadata[0]}
    cells = [{"cell_type": "code", "source": "", "metadata": {}, "execution_count": 1, "outputs": [output]}]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    other = notebook("kept")
    said = other.run("%rucat create --conf spark.sql.shuffle.partitions=3", timeout_s=200).text
    assert "Settings saved in this notebook: saved --profile plan-etl --conf 'spark.note=a b' --conf" in said
    assert "secrets to enter again: conf.spark.new.password" in said
    engine = rest("GET", "engines/saved")
    assert (engine["profile"], engine["spec"]["driver"]["memory"]) == ("plan-etl", "1100m")
    assert engine["spec"]["conf"]["spark.sql.shuffle.partitions"] == "3"
    written = other.run("%rucat save saved --as-profile kept-profile").text
    assert "Profile kept-profile is in" in written
    profile = next(p for p in rest("GET", "profiles")["profiles"] if p["name"] == "kept-profile")
    assert profile["chain"] == ["local", "plan-base", "plan-etl", "kept-profile"]
    assert (profile["spec"]["driver"]["memory"], profile["spec"]["conf"]["spark.sql.shuffle.partitions"]) == (
        "1100m",
        "3",
    )
    other.run("%rucat delete saved --yes")

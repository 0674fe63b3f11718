"""The script that makes an image's class-data archive: what it sends and writes, without an image."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pyspark.sql.connect.proto as pb
import pytest

FILE = Path(__file__).parents[2] / "docs" / "engine-image" / "make_archive.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("make_archive", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("query", ["select 1", "select '" + "ü" * 300 + "'", "x" * 20_000])
def test_a_query_is_what_pyspark_would_send(script: ModuleType, query: str) -> None:
    """Encoded by hand, because the image has nothing that does it."""
    request = pb.ExecutePlanRequest()
    request.ParseFromString(script.request("00112233-4455-6677-8899-aabbccddeeff", query))
    assert request.session_id == "00112233-4455-6677-8899-aabbccddeeff"
    assert request.user_context.user_id == "archive"
    assert request.plan.root.sql.query == query


def test_its_jar_lists_the_jars(script: ModuleType, tmp_path: Path) -> None:
    """In lines of at most 72 bytes, as Java reads a manifest."""
    jars = [f"jars/{'x' * (number % 90)}-{number}.jar" for number in range(300)]
    script.list_jars(tmp_path / "rucat.jar", jars)
    with zipfile.ZipFile(tmp_path / "rucat.jar") as jar:
        lines = jar.read("META-INF/MANIFEST.MF").decode().split("\r\n")
    assert max(map(len, lines)) <= 72
    assert lines[0] == "Manifest-Version: 1.0"
    joined = "".join(line[1:] if line.startswith(" ") else "\n" + line for line in lines[1:]).strip()
    assert joined == "Class-Path: " + " ".join(jars)


def test_it_names_spark_home_if_there_are_no_jars(tmp_path: Path) -> None:
    """One line, and no file."""
    command = [sys.executable, str(FILE)]
    done = subprocess.run(command, env={"SPARK_HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"{tmp_path}/jars has no jars: set SPARK_HOME to the folder of Spark\n",
    )
    assert list(tmp_path.iterdir()) == []

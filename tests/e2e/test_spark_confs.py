"""The package describes Spark's settings as Spark does."""

from __future__ import annotations

import json

import pytest

from rucat_jupyter.host.spark_confs import DATA
from tools import spark_confs as tool

pytestmark = pytest.mark.slow


def test_the_file_of_settings_is_as_the_installed_spark_declares_them() -> None:
    """The tool would not change the file."""
    rows = json.loads(DATA.read_bytes())
    release, found = tool.release_of(tool.INSTALLED), tool.read(tool.INSTALLED)
    assert tool.merged(rows, release, found) == rows, "python -m tools.spark_confs"

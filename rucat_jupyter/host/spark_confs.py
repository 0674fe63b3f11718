"""Spark's own settings with their documentation, from a file beside this module that ``tools/spark_confs.py`` makes."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

DATA = Path(__file__).with_suffix(".json")
"""One row for each setting: its fields, and the release lines to which they apply."""


class Setting(NamedTuple):
    """One setting: default (None: none, or it depends), documentation, and the first release."""

    key: str
    default: str | None
    kind: str  # "boolean", "int", "bytes", …
    doc: str
    since: str

    @property
    def text(self) -> str:
        """Text for a tooltip."""
        default = "" if self.default is None else f"default {self.default or 'empty'}"
        facts = ", ".join(filter(None, [self.kind, default, f"since Spark {self.since}" if self.since else ""]))
        return f"{self.key}  ({facts})\n\n{self.doc or 'Spark has no documentation of it.'}"


@cache
def load() -> dict[str, Setting]:
    """Spark's settings by key: those of the installed pyspark's release, or of the nearest known one."""
    rows: list[list[Any]] = json.loads(DATA.read_bytes())
    release = nearest(_installed(), {release for row in rows for release in row[-1]})
    return {key: Setting(key, *fields) for key, *fields, releases in rows if release in releases}


def nearest(version: str | None, releases: set[str]) -> str:
    """The newest release line up to a version, else the oldest; the newest of all for None."""
    ordered = sorted(releases, key=_numbers)
    older = [line for line in ordered if version is None or _numbers(line) <= _numbers(version)]
    return (older or ordered[:1])[-1]


def _installed() -> str | None:
    """The release line of the installed pyspark, which is found, not imported."""
    spec = importlib.util.find_spec("pyspark")
    for place in (spec and spec.submodule_search_locations) or ():
        version = Path(place) / "version.py"
        if version.is_file() and (found := re.search(r"['\"](\d+\.\d+)", version.read_text("utf-8"))):
            return found[1]
    return None


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]

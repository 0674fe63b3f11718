"""The folder of one run of a local engine: its content, its record, its removal.

``runs/rucat-<id>-<run>/`` holds ``java.args`` (with the secret confs), ``log/``, ``tmp/``, ``work/``, ``conf/`` and
``run.json``: what a later gateway needs to know about this life, without secrets. Files are 0600, folders 0700.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...host.private_files import remove, write_private

NAME = re.compile(r"rucat-(?P<engine_id>[^/]+)-(?P<run>\d+)")


@dataclass(frozen=True)
class Record:
    """The content of ``run.json``. ``pid`` 0: not spawned, or the gateway died before it wrote the pid."""

    boot_id: str
    port: int
    ui_port: int
    memory_mb: int
    has_ui: bool = True
    oom_kills: int | None = None
    pid: int = 0
    mark: str = ""
    has_ended: bool = False
    exit_code: int | None = None
    was_watched: bool = False  # a gateway saw it end
    was_stopped: bool = False  # it ended because Rucat stopped it
    is_cleaned: bool = False
    log_start: int = 0  # position in the log where this start begins


class RunFolder:
    """One run's folder; caches its record, because only one gateway at a time writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = NAME.fullmatch(path.name)
        assert found is not None, path.name  # noqa: S101 - callers list or make run names only
        self.engine_id, self.run = found["engine_id"], int(found["run"])
        self._record: Record | None = None

    @property
    def name(self) -> str:
        """The run's name, ``rucat-<id>-<run>``."""
        return self.path.name

    @property
    def argfile(self) -> Path:
        """The argfile; we find an engine's process by its path in the command line."""
        return self.path / "java.args"

    @property
    def log(self) -> Path:
        """The log of Spark, and all output of the JVM and its children."""
        return self.path / "log" / "engine.log"

    @property
    def tmp(self) -> Path:
        """Temp folder of Java and Python, and Spark's local directory."""
        return self.path / "tmp"

    @property
    def conf(self) -> Path:
        """Spark's conf folder, with the log configuration."""
        return self.path / "conf"

    @property
    def record(self) -> Record | None:
        """The record of the life, or None if it never began."""
        if self._record is None:
            with contextlib.suppress(
                OSError, ValueError, TypeError
            ):  # missing, or incomplete after a crash: never began
                self._record = Record(**json.loads((self.path / "run.json").read_bytes()))
        return self._record

    def write(self, record: Record) -> None:
        """Replace the record atomically."""
        draft = self.path / "run.json.new"
        write_private(draft, json.dumps(asdict(record)).encode())
        draft.replace(self.path / "run.json")
        self._record = record

    def change(self, **changes: Any) -> Record:
        """Replace fields of the existing record."""
        assert self.record is not None, self.name  # noqa: S101 - only of a life that has begun
        record = replace(self.record, **changes)
        self.write(record)
        return record

    def make(self) -> None:
        """Create the missing folders."""
        for path in (self.path, self.log.parent, self.tmp, self.path / "work", self.conf):
            path.mkdir(mode=0o700, exist_ok=True)

    def clean(self) -> None:
        """Remove everything except the log and the record."""
        for path in (self.tmp, self.path / "work", self.conf, self.argfile):
            remove(path)

    def remove(self) -> None:
        """Remove everything."""
        remove(self.path)


def list_runs(runs: Path) -> Iterator[RunFolder]:
    """The existing run folders; a symbolic link does not count."""
    try:
        entries = list(os.scandir(runs))
    except FileNotFoundError:
        return
    for entry in entries:
        if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            yield RunFolder(Path(entry.path))

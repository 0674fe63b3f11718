"""Find the pyspark of a Python: the folder of its jars, and the versions of Spark and Python.

We run the interpreter, because only it knows its paths; it finds pyspark without importing it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ASK_TIMEOUT_S = 30.0
OLDEST_SPARK = (4, 1)
"""The first release whose pip package ships the Connect server."""

_QUESTION = """
import importlib.util, json, sys
spec = importlib.util.find_spec("pyspark")
places = list(spec.submodule_search_locations or ()) if spec else []
print(json.dumps({"python": "%d.%d.%d" % sys.version_info[:3], "places": places}))
"""

FIX = "install it there with: pip install 'pyspark[connect]'"


@dataclass(frozen=True)
class PySpark:
    """A pyspark in a Python: Spark's home (which has the folder ``jars``), and both versions."""

    python: str
    home: Path
    spark_version: str
    python_version: str

    @property
    def jars(self) -> Path:
        """The folder of Spark's jars."""
        return self.home / "jars"


class PySparkNotFound(Exception):
    """The Python, or a usable pyspark in it, does not exist; the message says what to do."""


class PySparks:
    """Pysparks of interpreters, cached as long as their files do not change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[object, ...], PySpark]] = {}

    def look(self, python: str, env: Mapping[str, str], folder: Path) -> PySpark:
        """Return the pyspark of this Python, which is started in ``folder`` if not cached. Raises PySparkNotFound."""
        with self._lock:  # concurrent creates start the interpreter once
            known = self._known.get(python)
            if known is not None and known[0] == _signature(known[1]):
                return known[1]
            found = _ask(python, env, folder)
            self._known[python] = (_signature(found), found)
            return found


def _ask(python: str, env: Mapping[str, str], folder: Path) -> PySpark:
    if not Path(python).is_absolute():
        raise PySparkNotFound(f"{python!r} is not the absolute path of a Python interpreter")
    if not os.access(python, os.X_OK) or not Path(python).is_file():
        raise PySparkNotFound(f"there is no Python at {python}; set local.python to one that has pyspark[connect]")
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Python, without a shell
            [python, "-c", _QUESTION],
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_TIMEOUT_S,
            check=True,
        )
        answer = json.loads(done.stdout.splitlines()[-1])
        places, python_version = [Path(place) for place in answer["places"]], str(answer["python"])
    except subprocess.CalledProcessError as exc:
        last = exc.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit code {exc.returncode}"]
        raise PySparkNotFound(f"{python} does not run as a Python interpreter: {last[0]}") from exc
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError) as exc:
        raise PySparkNotFound(f"{python} does not run as a Python interpreter: {exc}") from exc
    if not places:
        raise PySparkNotFound(f"{python} has no pyspark; {FIX}")
    return in_package(python, places[0], python_version)


def in_package(python: str, package: Path, python_version: str) -> PySpark:
    """Find the jars of a pyspark package: inside it (pip, conda), or in the Spark home that contains it.

    Raises PySparkNotFound, which says what to do, if there are none, or if they are too old.
    """
    for home in (package, package.parent.parent):
        core = sorted((home / "jars").glob("spark-core_*.jar"))
        if core:
            break
    else:
        raise PySparkNotFound(f"the pyspark of {python} in {package} has no jars (it is only a client); {FIX}")
    found = re.fullmatch(r"spark-core_[\d.]+-(\d+)\.(\d+)(.*)\.jar", core[-1].name)
    version = found.group(1) + "." + found.group(2) + found.group(3) if found else core[-1].name
    if found is None or (int(found.group(1)), int(found.group(2))) < OLDEST_SPARK:
        raise PySparkNotFound(f"{python} has pyspark {version}, but Rucat needs 4.1 or newer; {FIX}")
    if not any((home / "jars").glob("spark-connect_*.jar")):
        raise PySparkNotFound(f"the pyspark {version} of {python} has no spark-connect jar; {FIX}")
    return PySpark(python, home, version, python_version)


def _signature(found: PySpark) -> tuple[object, ...]:
    """A value that changes when the Python or its pyspark is replaced or removed."""
    return tuple(_stat(path) for path in (Path(found.python), found.home, found.jars))


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size

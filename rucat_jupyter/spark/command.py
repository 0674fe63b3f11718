"""Turn an engine's Spark conf and options into the arguments of a JVM.

Pure functions over values and the jars of a Spark release; the local platform and pods start Spark the same way:
``java @argfile``, without a launcher JVM. If only ``SparkSubmit`` interprets one of the confs, that class is the main
class, else ``SparkConnectServer``.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

SERVER_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
SUBMIT_CLASS = "org.apache.spark.deploy.SparkSubmit"

TOKEN_ENV = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105 - the variable's name, read by SparkConnectServer
"""Where the server reads its token: the environment, never an argument."""

MIN_HEAP_MB = 472
"""The smallest ``-Xmx`` that Spark starts with (UnifiedMemoryManager wants 1.5 times 300 MB of usable heap)."""

CDS_ARCHIVE = "rucat.jsa"
"""Name of the optional class-data archive in Spark's home."""
JAR_LIST = "rucat.jar"
"""Name of the optional jar in an image's Spark home whose manifest lists the jars in the order of the archive."""
HEAP_CONF = "spark.driver.memory"
CORES_CONF = "spark.driver.cores"
CLASS_PATH_CONF = "spark.driver.extraClassPath"
LIBRARY_PATH_CONF = "spark.driver.extraLibraryPath"
UI_ENABLED_CONF = "spark.ui.enabled"
UI_PORT_CONF = "spark.ui.port"
PORT_CONF = "spark.connect.grpc.binding.port"

SUBMIT_ONLY = frozenset(
    {
        "spark.archives",
        "spark.driver.userClassPathFirst",
        "spark.files",
        "spark.jars",
        "spark.jars.excludes",
        "spark.jars.ivy",
        "spark.jars.ivySettings",
        "spark.jars.packages",
        "spark.jars.repositories",
        "spark.kerberos.keytab",
        "spark.kerberos.principal",
    }
)
"""Confs that only SparkSubmit interprets, from its argument parser (``SparkSubmitArguments`` of Spark 4)."""

DEAD_CONFS: Mapping[str, str] = {
    "spark.pyspark.python": "use local.python",
    "spark.pyspark.driver.python": "use local.python",
}
"""Confs that only Spark's launcher scripts read, which Rucat does not use -> the field to use instead."""

_SIZE = r"[1-9]\d{0,8}[kKmMgG]?"
_NUMBER = r"\d{1,9}"
_COLLECTORS = r"-XX:\+Use(?:G1|Serial|Parallel|Z|Shenandoah)GC"
JAVA_OPTIONS: tuple[str, ...] = (
    rf"-X(?:ss|ms|mn){_SIZE}",
    r"-Xlog:[a-z0-9+*]+(?:=(?:off|error|warning|info|debug|trace))?",
    _COLLECTORS,
    r"-XX:[+-](?:AlwaysPreTouch|ParallelRefProcEnabled|TieredCompilation|UseAdaptiveSizePolicy|UseCompressedOops"
    r"|UseCompressedClassPointers|UseDynamicNumberOfGCThreads|UseLargePages|UseNUMA|UseStringDeduplication"
    r"|UseTransparentHugePages|ZGenerational|DisableExplicitGC|ExplicitGCInvokesConcurrent)",
    r"-XX:(?:CompressedClassSpaceSize|G1HeapRegionSize|InitialCodeCacheSize|MaxDirectMemorySize|MaxMetaspaceSize"
    rf"|MaxNewSize|MetaspaceSize|NewSize|ReservedCodeCacheSize|ThreadStackSize)={_SIZE}",
    r"-XX:(?:ActiveProcessorCount|ConcGCThreads|G1ReservePercent|GCTimeRatio|InitiatingHeapOccupancyPercent"
    r"|MaxGCPauseMillis|MaxTenuringThreshold|NewRatio|ParallelGCThreads|SoftRefLRUPolicyMSPerMB|SurvivorRatio"
    rf"|MaxJavaStackTraceDepth)={_NUMBER}",
    r"-XX:TieredStopAtLevel=[1-4]",
)
"""The Java options that a spec may set: memory areas, collectors, compiler; nothing that runs or writes a file.

Never ``-D``, agents, ``-XX:OnError``, ``-XX:OnOutOfMemoryError``, ``-XX:+HeapDump…``, ``-Xbootclasspath``, ``@file``.
The heap is ``driver.memory``.
"""

_ALLOWED_OPTION = re.compile("|".join(f"(?:{option})" for option in JAVA_OPTIONS))
_COLLECTOR = re.compile(_COLLECTORS)
_UNITS_KB = {"k": 1, "m": 1024, "g": 1024**2, "t": 1024**3}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
_ESCAPED = re.compile("[" + re.escape("".join(_ESCAPES)) + "]")


def is_memory(text: str) -> bool:
    """Whether a text is a memory size of the JVM, such as ``4g``."""
    return re.fullmatch(r"[1-9][0-9]{0,6}[kKmMgGtT]", text) is not None


def memory_mb(text: str) -> int:
    """Mebibytes in a memory size such as ``4g`` or ``1536m``, rounded down."""
    return int(text[:-1]) * _UNITS_KB[text[-1].lower()] // 1024


def check_java_options(options: Sequence[str]) -> list[str]:
    """Return the errors of these Java options, one line each; empty if all are allowed."""
    wrong = [
        f"{option!r} is not an allowed Java option; allowed: options for heap areas, collectors and the compiler, "
        "such as -Xss8m, -XX:+UseZGC or -XX:MaxMetaspaceSize=512m"
        + ("; the heap is driver.memory" if option.startswith(("-Xmx", "-XX:MaxHeapSize", "-XX:MaxRAM")) else "")
        for option in options
        if _ALLOWED_OPTION.fullmatch(option) is None
    ]
    collectors = sorted({option for option in options if _COLLECTOR.fullmatch(option)})
    if len(collectors) > 1:
        wrong.append(f"{' and '.join(collectors)} exclude each other; use one collector")
    return wrong


def ignored(conf: Collection[str]) -> list[tuple[str, str]]:
    """The conf keys that would have no effect, as (key, what to do)."""
    return [(key, f"only launcher scripts read it; {fix}") for key, fix in DEAD_CONFS.items() if key in conf]


def quoted(word: str) -> str:
    r"""One word as a line of a Java argfile: in quotes, with ``\`` before what the launcher would interpret.

    The rules are those of the java launcher's manual page, "Java Command-Line Argument Files".
    """
    return f'"{_ESCAPED.sub(lambda found: _ESCAPES[found[0]], word)}"'


def argfile(words: Iterable[str]) -> bytes:
    """The bytes of an argfile; the JVM must run under a UTF-8 locale, else it reads non-ASCII text wrongly."""
    return "".join(f"{quoted(word)}\n" for word in words).encode()


def archive_flags(home: str) -> list[str]:
    """The flags for a JVM to use the class-data archive in Spark's home, with which it starts in half the time.

    If there is none, or one of another Java or other jars, it starts without it, and does not log that.
    """
    return [f"-XX:SharedArchiveFile={home}/{CDS_ARCHIVE}", "-Xlog:cds*=off"]


def module_flags(jars: Path, modules: Collection[str] | None) -> list[str]:
    """The flags that this Spark release needs for every JVM, without those for modules that the Java does not have.

    They are the string constants of ``JavaModuleOptions`` in its launcher jar, so they always fit the release.
    ``modules`` None keeps all of them. Raises FileNotFoundError if there is no launcher jar.
    """
    launcher = next(iter(sorted(jars.glob("spark-launcher_*.jar"))), None)
    if launcher is None:
        raise FileNotFoundError(f"{jars} has no spark-launcher jar")
    with zipfile.ZipFile(launcher) as jar:
        constants = string_constants(jar.read("org/apache/spark/launcher/JavaModuleOptions.class"))
    flags = [constant for constant in constants if constant.startswith("-")]
    return [flag for flag in flags if modules is None or _module_of(flag) in {None, *modules}]


def string_constants(class_file: bytes) -> list[str]:
    """The string constants of a Java class file (JVM specification, 4.4), in their order."""
    count = struct.unpack_from(">H", class_file, 8)[0]
    texts: dict[int, str] = {}
    references: list[int] = []
    offset, index = 10, 1
    while index < count:
        tag = class_file[offset]
        if tag == 1:
            size = struct.unpack_from(">H", class_file, offset + 1)[0]
            texts[index] = class_file[offset + 3 : offset + 3 + size].decode("utf-8", "replace")
            offset += 3 + size
        else:
            if tag == 8:
                references.append(struct.unpack_from(">H", class_file, offset + 1)[0])
            offset += _ENTRY_SIZE[tag]
        index += 2 if tag in (5, 6) else 1  # a long or double takes two entries
    return [texts[reference] for reference in references]


_ENTRY_SIZE = {3: 5, 4: 5, 5: 9, 6: 9, 7: 3, 8: 3, 9: 5, 10: 5, 11: 5, 12: 5, 15: 4, 16: 3, 17: 5, 18: 5, 19: 3, 20: 3}


def conf_words(conf: Mapping[str, str]) -> list[str]:
    """The confs as system properties: the only way that passes every value unchanged."""
    return [f"-D{key}={value}" for key, value in conf.items()]


def needs_submit(conf: Collection[str]) -> bool:
    """Whether only SparkSubmit interprets one of these conf keys."""
    return not SUBMIT_ONLY.isdisjoint(conf)


def main_words(conf: Mapping[str, str], *, master: str, name: str) -> list[str]:
    """The main class and its arguments: the server itself, or SparkSubmit if a conf needs it.

    SparkSubmit reads all other confs from the system properties of :func:`conf_words`.
    """
    if not needs_submit(conf):
        return [SERVER_CLASS]
    submit_only = [word for key in sorted(SUBMIT_ONLY & conf.keys()) for word in ("--conf", f"{key}={conf[key]}")]
    return [SUBMIT_CLASS, "--master", master, "--name", name, "--class", SERVER_CLASS, *submit_only, "spark-internal"]


def class_path(jars: Path, conf: Mapping[str, str], folders: Sequence[str] = ()) -> str:
    """The class path: the conf's extra class path, then Spark's jars, then folders such as ``HADOOP_CONF_DIR``."""
    first = [conf[CLASS_PATH_CONF]] if conf.get(CLASS_PATH_CONF) else []
    hive = jars.parent / "hive-jackson"  # the default of spark.driver.defaultExtraClassPath
    return ":".join([*first, *([f"{hive}/*"] if hive.is_dir() else []), f"{jars}/*", *folders])


def _module_of(flag: str) -> str | None:
    """The module in a flag, or None."""
    found = re.match(r"--add-(?:modules|opens|exports|reads)=([\w.]+)", flag)
    return found.group(1) if found else None


LOG_CONFIG = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.target = SYSTEM_OUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.context.name = org.apache.spark.SparkContext
logger.context.level = info
logger.submit.name = org.apache.spark.deploy.SparkSubmit
logger.submit.level = info
logger.server.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.server.level = info
"""
"""Logs to standard output, so that the logs of Spark and of the JVM are in one file in the right order.

Start and end of the engine, warnings and errors: a more verbose level has lines for each probe, query and task, with
texts of plans. To see them, set ``spark.log.level``.
"""


PYTHON_KILL = "500ms"  # a cancelled task's Python ends after 2 s by default: too late for "cancelled within 3 s"


PROGRESS_INTERVAL = (
    "500ms"  # Spark reports the progress of a query every 2 s by default, and not at all for shorter ones
)


PACE: dict[str, str] = {
    "spark.connect.progress.reportInterval": PROGRESS_INTERVAL,
    "spark.python.task.killTimeout": PYTHON_KILL,
}
"""Defaults that a spec may override."""

"""The words that a Java is started with: quoting, module flags, main class, options that are allowed."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rucat_jupyter.spark import command


def unquoted(line: str) -> str:
    """What the java launcher makes of one quoted line (its manual page, "Argument Files")."""
    assert line[0] == line[-1] == '"'
    out, chars = [], iter(line[1:-1])
    for char in chars:
        out.append(
            {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}.get(c, c) if char == "\\" and (c := next(chars)) else char
        )
    return "".join(out)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_every_word_of_an_argfile_comes_back(words):
    """Whatever a word holds, it is one line, and the launcher reads it as it was."""
    lines = command.argfile(words).decode().split("\n")
    assert [unquoted(line) for line in lines[:-1]] == words
    assert lines[-1] == ""


def test_argfile_escapes_what_the_launcher_interprets():
    """Backslash, quote and line ends get a backslash; blanks, '#', '@' and '$' are safe in quotes."""
    assert command.quoted('a\\b"c\n\r\t\f #@$(id)`') == '"a\\\\b\\"c\\n\\r\\t\\f #@$(id)`"'


def class_file(*constants: str) -> bytes:
    """A class file with these string constants, and one of every other kind of constant in between."""
    pool: list[bytes] = []
    for constant in constants:
        text = constant.encode()
        pool.append(b"\x01" + struct.pack(">H", len(text)) + text)
        pool.append(b"\x08" + struct.pack(">H", len(pool)))
        pool.append(b"\x05" + b"\0" * 8)  # a long takes two places
        pool.append(b"")
    for tag, size in {3: 4, 4: 4, 7: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}.items():
        pool.append(bytes([tag]) + b"\0" * size)
    return b"\xca\xfe\xba\xbe\0\0\0\x3d" + struct.pack(">H", len(pool) + 1) + b"".join(pool)


def jars_with(tmp_path: Path, *constants: str) -> Path:
    with zipfile.ZipFile(tmp_path / "spark-launcher_2.13-9.9.9.jar", "w") as jar:
        jar.writestr("org/apache/spark/launcher/JavaModuleOptions.class", class_file(*constants))
    return tmp_path


def test_module_flags_are_read_from_the_release(tmp_path):
    """The flags are the release's own, without those for modules that the Java lacks."""
    jars = jars_with(
        tmp_path, " ", "-XX:+X", "--add-modules=jdk.incubator.vector", "--add-opens=java.base/a.b=ALL-UNNAMED", "-Dx=y"
    )
    assert command.module_flags(jars, {"java.base"}) == ["-XX:+X", "--add-opens=java.base/a.b=ALL-UNNAMED", "-Dx=y"]
    assert "--add-modules=jdk.incubator.vector" in command.module_flags(jars, None)
    assert "--add-modules=jdk.incubator.vector" in command.module_flags(jars, {"java.base", "jdk.incubator.vector"})


def test_module_flags_of_the_installed_release():
    """The pyspark that is installed has them, java.lang among them."""
    import pyspark

    flags = command.module_flags(Path(pyspark.__path__[0]) / "jars", None)
    assert "--add-opens=java.base/java.lang=ALL-UNNAMED" in flags
    assert len(flags) > 15


def test_no_launcher_jar_is_said(tmp_path):
    """A folder without Spark's jars is named."""
    with pytest.raises(FileNotFoundError, match="no spark-launcher jar"):
        command.module_flags(tmp_path, None)


def test_the_server_is_its_own_main_class():
    """Without a conf that SparkSubmit acts on no SparkSubmit is started."""
    assert command.main_words({"spark.a": "b"}, master="local[2]", name="x") == [command.SERVER_CLASS]


@pytest.mark.parametrize("key", sorted(command.SUBMIT_ONLY))
def test_submit_only_confs_start_spark_submit(key):
    """Each conf that only SparkSubmit acts on is handed to it, alone and whole."""
    words = command.main_words({key: "a,b c", "spark.x": "y"}, master="local[2]", name="my engine")
    assert words[:5] == [command.SUBMIT_CLASS, "--master", "local[2]", "--name", "my engine"]
    assert words[5:] == ["--class", command.SERVER_CLASS, "--conf", f"{key}=a,b c", "spark-internal"]


def test_class_path_has_what_the_conf_adds_first(tmp_path):
    """The user's class path comes before Spark's jars, Hadoop's configuration after them, hive-jackson where it is."""
    jars = tmp_path / "jars"
    conf = {command.CLASS_PATH_CONF: "/a.jar:/b"}
    assert command.class_path(jars, conf, ["/etc/hadoop"]) == f"/a.jar:/b:{jars}/*:/etc/hadoop"
    assert command.class_path(jars, {}) == f"{jars}/*"
    (tmp_path / "hive-jackson").mkdir()
    assert command.class_path(jars, {}) == f"{tmp_path}/hive-jackson/*:{jars}/*"


ALLOWED = [
    "-Xss8m",
    "-Xms512m",
    "-Xlog:gc*",
    "-Xlog:gc+heap=debug",
    "-XX:+UseZGC",
    "-XX:+UseSerialGC",
    "-XX:-UseCompressedOops",
    "-XX:MaxMetaspaceSize=512m",
    "-XX:ReservedCodeCacheSize=256m",
    "-XX:ParallelGCThreads=2",
    "-XX:TieredStopAtLevel=1",
]
REFUSED = [
    "",
    "-Xmx4g",
    "-Dx=y",
    "-agentlib:jdwp",
    "-javaagent:/x.jar",
    "-XX:OnOutOfMemoryError=touch /x",
    "-XX:OnError=x",
    "-XX:+HeapDumpOnOutOfMemoryError",
    "-XX:HeapDumpPath=/x",
    "-XX:Flags=/x",
    "-XX:VMOptionsFile=/x",
    "-Xlog:gc:file=/x",
    "-Xloggc:/x",
    "-Xbootclasspath/a:/x.jar",
    "-Xshare:dump",
    "-cp",
    "@/etc/passwd",
    "-XX:+UseZGC\n-Dx=y",
    "-Xss8m -Dx=y",
    "-XX:MaxRAMPercentage=80",
    "-version",
]


@pytest.mark.parametrize("option", ALLOWED)
def test_allowed_java_options(option):
    """Options of memory areas, collectors and the compiler pass."""
    assert command.check_java_options([option]) == []


@pytest.mark.parametrize("option", REFUSED)
def test_refused_java_options(option):
    """Whatever runs, loads or writes something else, or sets the heap, is refused by name."""
    (text,) = command.check_java_options([option])
    assert repr(option) in text


def test_two_collectors_are_rejected_and_all_errors_are_listed():
    """Each wrong option has its own line; two collectors exclude each other."""
    wrong = command.check_java_options(["-XX:+UseZGC", "-Dx=y", "-XX:+UseG1GC", "-Xmx1g"])
    assert len(wrong) == 3
    assert "driver.memory" in wrong[1]
    assert "-XX:+UseG1GC and -XX:+UseZGC exclude each other" in wrong[2]


@pytest.mark.parametrize(("text", "mb"), [("4g", 4096), ("1536m", 1536), ("1t", 1048576), ("2048K", 2), ("1k", 0)])
def test_memory_in_mb(text, mb):
    """Sizes with any unit, in mebibytes."""
    assert command.is_memory(text)
    assert command.memory_mb(text) == mb


@pytest.mark.parametrize("text", ["", "4", "0g", "-1g", "4gb", "4 g", "٤g", "4g\n"])
def test_what_is_no_memory_size(text):
    """Nothing but a number and a unit is a size."""
    assert not command.is_memory(text)


def test_confs_that_spark_would_not_read():
    """A conf that only launcher scripts read is named with the field to use."""
    assert command.ignored({"spark.pyspark.python": "x", "spark.x": "y"}) == [
        ("spark.pyspark.python", "only launcher scripts read it; use local.python")
    ]

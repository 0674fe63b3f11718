"""A jar with one class that stops the SparkContext inside a live engine: how a zombie is made for a test.

``ADD JAR '<path>'`` and then ``SELECT java_method('StopContext', 'stop')`` on any session of the engine. The class
is assembled here because the Java runtime wheel has no compiler. In Java it would be::

    public class StopContext {
        public static String stop() {
            org.apache.spark.SparkContext.getOrCreate().stopInNewThread();
            return "stopping";
        }
    }
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

CALL = "SELECT java_method('StopContext', 'stop')"
"""The query that stops the context, after ``ADD JAR``."""


def make_jar(directory: Path) -> Path:
    """Write ``stop-context.jar`` into a directory and return its path."""
    path = directory / "stop-context.jar"
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n")
        jar.writestr("StopContext.class", _class_file())
    return path


def _class_file() -> bytes:
    """A class file of Java 8 (JVM specification, chapter 4)."""
    pool: list[bytes] = []

    def constant(entry: bytes) -> int:
        if entry not in pool:
            pool.append(entry)
        return pool.index(entry) + 1

    def text(value: str) -> int:
        return constant(b"\x01" + struct.pack(">H", len(value)) + value.encode())

    def klass(name: str) -> int:
        return constant(b"\x07" + struct.pack(">H", text(name)))

    def method(owner: str, name: str, kind: str) -> int:
        name_and_type = constant(b"\x0c" + struct.pack(">HH", text(name), text(kind)))
        return constant(b"\x0a" + struct.pack(">HH", klass(owner), name_and_type))

    context = "org/apache/spark/SparkContext"
    code = (
        b"\xb8"  # invokestatic
        + struct.pack(">H", method(context, "getOrCreate", f"()L{context};"))
        + b"\xb6"  # invokevirtual
        + struct.pack(">H", method(context, "stopInNewThread", "()V"))
        + b"\x13"  # ldc_w
        + struct.pack(">H", constant(b"\x08" + struct.pack(">H", text("stopping"))))
        + b"\xb0"  # areturn
    )
    attribute = struct.pack(">HHI", 1, 0, len(code)) + code + struct.pack(">HH", 0, 0)  # stack, locals, no handlers
    body = struct.pack(">HHHHH", 0x0021, klass("StopContext"), klass("java/lang/Object"), 0, 0)
    body += struct.pack(">H", 1)  # one method: public static
    body += struct.pack(">HHHH", 0x0009, text("stop"), text("()Ljava/lang/String;"), 1)
    body += struct.pack(">HI", text("Code"), len(attribute)) + attribute
    body += struct.pack(">H", 0)
    header = struct.pack(">IHHH", 0xCAFEBABE, 0, 52, len(pool) + 1)
    return header + b"".join(pool) + body

"""Makes the class-data archive of an engine image: drivers then start in about half the time.

A build step of an image: ``RUN python3 make_archive.py``. It needs nothing but the image's Java, Spark and Python. It
starts Spark Connect once, runs some queries, and writes two files into Spark's home (``SPARK_HOME``, or /opt/spark):

* ``rucat.jar``: its manifest lists Spark's jars in a fixed order, and Rucat puts it first on the class path.
  An archive fits one order of the jars, and ``jars/*`` is in the order of the file system, which differs between nodes.
* ``rucat.jsa``, the archive. A JVM that it does not fit (another Java, other jars) starts without it.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

LIMIT_S = 300.0
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
CALL = "/spark.connect.SparkConnectService/ExecutePlan"
QUERIES = (
    "create temporary view s as select id % 7 as k, id from range(100000)",
    "create temporary view t as select * from values (1, 'a'), (2, 'b') as t(k, v)",
    "select k, v, count(*) as n, avg(id) from s join t using (k) group by k, v order by n",
    "show tables",
)
FLAGS = ("--add-", "-XX:+IgnoreUnrecognized", "--enable-native", "--sun-misc")
DATA, HEADERS, SETTINGS, PING, GOAWAY = 0, 1, 4, 6, 7  # types of frames, RFC 9113, section 6
END_STREAM, END_HEADERS, ACK = 1, 4, 1
MAX_WINDOW = 2**31 - 1


def main() -> None:
    """Write both files; those that are there are replaced."""
    home = Path(os.environ.get("SPARK_HOME", "/opt/spark"))
    jars = [jar for folder in ("hive-jackson", "jars") for jar in sorted((home / folder).glob("*.jar"))]
    if not jars:
        sys.exit(f"{home}/jars has no jars: set SPARK_HOME to the folder of Spark")
    if subprocess.run(["java", "-Xshare:on", "-version"], check=False, capture_output=True).returncode:
        subprocess.run(["java", "-Xshare:dump"], check=True)  # the archive of Java's own classes, on which ours builds
    list_jars(home / "rucat.jar", [jar.relative_to(home).as_posix() for jar in jars])
    with tempfile.TemporaryDirectory() as work:
        make(home, Path(work))
    print(f"{home}/rucat.jsa: {(home / 'rucat.jsa').stat().st_size >> 20} MB")


def list_jars(file: Path, jars: list[str]) -> None:
    """Write a jar whose manifest names the jars, with lines of at most 72 bytes (JAR file specification)."""
    text = "Class-Path: " + " ".join(jars)
    lines = [text[:70], *(" " + text[at : at + 69] for at in range(70, len(text), 69))]
    with zipfile.ZipFile(file, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "\r\n".join(["Manifest-Version: 1.0", *lines, "", ""]))
    file.chmod(0o644)


def make(home: Path, work: Path) -> None:
    """Run a server that writes the archive when it ends, and send it the queries."""
    new = home / "rucat-new.jsa"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf = {
        "spark.master": "local[2]",
        "spark.app.name": "archive",
        "spark.local.dir": str(work),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.ui.port": "0",
    }
    # A build has no name server, so its own host name may have no address.
    env = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    options = [*module_flags(home), *(f"-D{key}={value}" for key, value in conf.items())]
    words = ["java", f"-XX:ArchiveClassesAtExit={new}", *options, "-cp", f"{home}/rucat.jar", SERVER]
    with subprocess.Popen(words, cwd=work, env=env) as server:
        try:
            with connect(port, server) as connection:
                ask(connection, QUERIES)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(LIMIT_S)
    new.chmod(0o644)
    new.replace(home / "rucat.jsa")


def module_flags(home: Path) -> list[str]:
    """Ask Spark's launcher which flags this release gives to every JVM."""
    launcher = [
        "java",
        "-cp",
        f"{home}/jars/*",
        "org.apache.spark.launcher.Main",
        "org.apache.spark.deploy.SparkSubmit",
    ]
    env = {**os.environ, "SPARK_HOME": str(home), "SPARK_SCALA_VERSION": "2.13"}  # else it looks for a file RELEASE
    asked = [*launcher, "--class", SERVER, "spark-internal"]
    words = subprocess.run(asked, env=env, stdout=subprocess.PIPE, check=True, text=True).stdout.split("\0")
    return [word for word in words if word.startswith(FLAGS)]


def connect(port: int, server: subprocess.Popen[bytes]) -> socket.socket:
    """Wait until the server accepts connections."""
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), LIMIT_S)
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)


def ask(connection: socket.socket, queries: tuple[str, ...]) -> None:
    """Run the queries in one session, one after the other; raises RuntimeError with the server's words if one fails."""
    # INITIAL_WINDOW_SIZE as large as it may be, and HEADER_TABLE_SIZE 0, so that headers come as they are (RFC 7541).
    settings = struct.pack(">HIHI", 4, MAX_WINDOW, 1, 0)
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))
    session = str(uuid.uuid4())
    for number, query in enumerate(queries):
        stream, message = 2 * number + 1, request(session, query)
        pairs = [(":method", "POST"), (":scheme", "http"), (":path", CALL), (":authority", "localhost")]
        pairs += [("content-type", "application/grpc"), ("te", "trailers")]
        # "Literal header field without indexing", RFC 7541, section 6.2.2.
        headers = b"".join(b"\0" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in pairs)
        connection.sendall(frame(HEADERS, END_HEADERS, stream, headers))
        connection.sendall(frame(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(message)) + message))
        trailers = answer(connection, stream)
        if b"grpc-status\x010" not in trailers:
            raise RuntimeError(f"{query}: {trailers.decode(errors='replace')}")


def answer(connection: socket.socket, stream: int) -> bytes:
    """Read until the stream ends; returns its last headers."""
    while True:
        head = read(connection, 9)
        kind, flags, of = head[3], head[4], struct.unpack(">I", head[5:])[0]
        content = read(connection, int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            connection.sendall(frame(PING, ACK, 0, content))
        elif kind == GOAWAY or (of == stream and flags & END_STREAM and kind in (DATA, HEADERS)):
            return content


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """One frame of HTTP/2."""
    return len(content).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + content


def read(connection: socket.socket, size: int) -> bytes:
    """Read exactly that many bytes."""
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise RuntimeError("Spark Connect has closed the connection")
        parts += part
    return bytes(parts)


def request(session: str, query: str) -> bytes:
    """``ExecutePlanRequest`` of spark/connect/base.proto: session_id, user_context.user_id, plan.root.sql.query."""
    return text(1, session) + part(2, text(1, "archive")) + part(3, part(1, part(10, text(1, query))))


def text(number: int, value: str) -> bytes:
    """A field with a text."""
    return part(number, value.encode())


def part(number: int, value: bytes) -> bytes:
    """A field with bytes or a message (Protocol Buffers, encoding, wire type 2)."""
    size, left = bytearray(), len(value)
    while left > 127:
        size.append(left & 127 | 128)
        left >>= 7
    return bytes([number << 3 | 2, *size, left]) + value


if __name__ == "__main__":
    main()

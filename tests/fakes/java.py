"""A Java home whose ``java`` reads the argfile like the real one, and plays in milliseconds what ``FAKE_JAVA`` says."""

from __future__ import annotations

import sys
from pathlib import Path

MODULES = "java.base java.logging"

SCRIPT = r'''
import os, re, signal, socket, subprocess, sys, time

def words(path):
    """Undo the quoting of the java launcher's argument files."""
    for line in open(path, encoding="utf-8"):
        quoted = line.strip()[1:-1]
        yield re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}.get(m[1], m[1]), quoted)

def say(text):
    os.write(1, (text + "\n").encode())

def shut_down(*_):
    say("INFO SparkContext: Invoking stop() from shutdown hook")
    os._exit(143)

given = list(words(sys.argv[1][1:]))
conf = dict(word[2:].split("=", 1) for word in given if word.startswith("-D"))
mode, _, rest = os.environ.get("FAKE_JAVA", "serve").partition(":")
say("INFO SparkContext: Running Spark version 4.3.0")
if mode == "crash":
    code, _, text = rest.partition(":")
    say(text)
    sys.exit(int(code))
if mode == "port":  # the port is lost as often as it says
    count = os.path.join(os.path.dirname(sys.argv[1][1:]), "..", "lost-ports")
    lost = len(open(count).read()) if os.path.exists(count) else 0
    if lost < int(rest):
        open(count, "a").write("x")
        say("ERROR SparkConnectServer: java.net.BindException: Address already in use: Service")
        sys.exit(1)
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, shut_down)
if mode == "children":  # one worker in a session of its own, as Python's daemon is in a group of its own
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
if mode == "slow":
    time.sleep(float(rest))
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(conf["spark.connect.grpc.binding.port"])))
server.listen()
say("INFO SparkConnectServer: Spark Connect server started at: 127.0.0.1:" + conf["spark.connect.grpc.binding.port"])
if mode == "say":
    say(rest)
while True:
    time.sleep(600)
'''


def make_java(home: Path, version: str = "21.0.8") -> Path:
    """Make a Java home of that version, and return it."""
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{MODULES}"\n')
    java = home / "bin" / "java"
    java.write_text(f"#!{sys.executable} -IS\n{SCRIPT}")
    java.chmod(0o755)
    return home

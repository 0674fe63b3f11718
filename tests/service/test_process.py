"""The gateway as a process: started, found, shared, replaced, frozen, killed, ended."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fakes.kube_api import KubeApi
from support.gateways import gateways, pid_of, python, raw, start, wait_for_end
from support.place import wait_until

import rucat_jupyter
from rucat_jupyter.client import api as api_module
from rucat_jupyter.client.api import Api
from rucat_jupyter.core.errors import GatewayUnavailable
from rucat_jupyter.launch import datadir, launch, transport

ENSURE = "from rucat_jupyter.launch import launch; print(launch.ensure(wait_s=60).pid)"


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUCAT_STORE_URL", "mem://")


@pytest.fixture
def directory() -> Iterator[Path]:
    with gateways() as directory:
        yield directory


def rucat(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rucat_jupyter", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def listening_to(address: launch.Address) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("rucat", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(address.socket)
    return connection


# --- start --------------------------------------------------------------------------------------------------


PLUGIN = """#!/bin/sh
env > "$0.env"
echo '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
 "status": {"token": "canary-of-the-kubeconfig"}}'
"""


async def test_a_gateway_reaches_clusters_by_the_environment_of_its_starter(directory, tmp_path, monkeypatch):
    """REST without a kubeconfig: that of KUBECONFIG, by a plugin that has its cloud variables and no other secret."""
    api = KubeApi()
    await api.start()
    config = api.kubeconfig(tmp_path)
    exec_ = "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}"
    config.write_text(config.read_text().replace("token: canary-of-the-kubeconfig", exec_))
    (tmp_path / "plugin").write_text(PLUGIN)
    (tmp_path / "plugin").chmod(0o700)
    monkeypatch.chdir(tmp_path)
    for name, value in {"KUBECONFIG": config.name, "AWS_PROFILE": "dev", "DB_PASSWORD": "CANARY"}.items():
        monkeypatch.setenv(name, value)
    try:
        address = await asyncio.to_thread(start)
        with raw(address) as client:
            body = {"platform": "kubernetes"}
            answer = await asyncio.to_thread(client.post, "/rucat/engines?dry_run=true", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["spec"]["kubernetes"]["kubeconfig"] == str(config)
        seen = (tmp_path / "plugin.env").read_text().splitlines()
        assert "AWS_PROFILE=dev" in seen
        assert not [line for line in seen if "CANARY" in line or line.startswith("RUCAT_")]
    finally:
        await asyncio.to_thread(launch.stop, directory)
        await api.stop()


def test_a_gateway_is_a_process_of_its_own(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detached, in the data directory, with nothing of its starter's environment but what it needs; private files."""
    monkeypatch.setenv("DATABASE_PASSWORD", "CANARY")
    monkeypatch.setenv("SPARK_HOME", "/CANARY")
    address = start()
    process = psutil.Process(address.pid)
    assert process.ppid() != os.getpid()
    assert os.getsid(address.pid) != os.getsid(0)
    assert Path(process.cwd()) == directory
    assert not any("CANARY" in value for value in process.environ().values())
    assert process.environ()["RUCAT_DATA_DIR"] == str(directory)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in [directory, *directory.iterdir(), Path(address.socket)]}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    record = json.loads((directory / "gateway.json").read_text())
    assert {"pid", "started", "host", "machine", "version", "api", "socket", "heartbeat"} == record.keys()
    assert Path(address.socket).parent == Path(os.environ["JUPYTER_RUNTIME_DIR"])
    with raw(address) as web:
        wait_until("health", lambda: web.get("/rucat/health").json()["status"] == "ok", 10)


def test_many_starters_get_one_gateway(directory: Path) -> None:
    """F17: ten concurrent starters, one process, all served."""
    starters = [python(ENSURE) for _ in range(10)]
    outputs = [starter.communicate(timeout=90) for starter in starters]
    assert {out.strip() for out, _ in outputs} == {str(pid_of(directory))}, outputs
    of_this = [p for p in psutil.process_iter() if _serves(p, directory)]
    assert [p.pid for p in of_this] == [pid_of(directory)]


def _serves(process: psutil.Process, directory: Path) -> bool:
    try:
        return "rucat_jupyter" in process.cmdline() and process.environ().get("RUCAT_DATA_DIR") == str(directory)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("RUCAT_IDLE_TIMEOUT_S", "soon", "RUCAT_IDLE_TIMEOUT_S"),
        ("RUCAT_STORE_URL", "surrealkv:///proc/nowhere/db", "store"),
        ("RUCAT_STORE_URL", "ws://127.0.0.1:9", "store"),
    ],
)
def test_a_failed_start_gives_its_reason_immediately(
    directory: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    """The reason in one line, no time-out, and nothing left."""
    monkeypatch.setenv(name, value)
    begin = time.monotonic()
    with pytest.raises(GatewayUnavailable, match=reason) as caught:
        launch.ensure(wait_s=60)
    assert time.monotonic() - begin < 30
    assert "\n" not in caught.value.message
    assert not (directory / "gateway.json").exists()
    assert list(Path(os.environ["JUPYTER_RUNTIME_DIR"]).glob("*.sock")) == []


def test_a_long_path_puts_the_socket_into_a_folder_of_its_own(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over 100 bytes: a fresh 0700 folder of the temp dir, gone at the end."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    address = start()
    folder = Path(address.socket).parent
    assert folder.parent == Path(tempfile.gettempdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    launch.stop()
    assert not folder.exists()


# --- death and stale files ----------------------------------------------------------------------------------


def test_after_a_kill_the_next_call_starts_another(directory: Path) -> None:
    """F15: kill -9; the same client goes on, with the same socket's name and one process."""
    first = start()
    with transport.make_client(first) as web:
        assert web.get("/rucat/engines").status_code == 200
        psutil.Process(first.pid).kill()
        assert web.get("/rucat/engines").status_code == 200
        assert web.post("/rucat/engines", json={"nonsense": 1}).status_code == 400
    second = launch.find()
    assert second
    assert second.pid != first.pid
    assert second.socket == first.socket


def test_stale_files_of_a_boot_before_are_cleared(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Record of another boot with an old heartbeat, and a dead socket in a folder of its own."""
    datadir.prepare(directory)
    folder = Path(tempfile.mkdtemp(prefix="rucat-"))
    code = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(folder / "gateway.sock")], check=True)
    old = {"pid": 1, "started": "1", "host": "here", "machine": "old", "version": "0", "api": 0}
    old |= {"socket": str(folder / "gateway.sock"), "heartbeat": time.time() - 100}
    (directory / "gateway.json").write_text(json.dumps(old))
    os.utime(directory / "gateway.json", (time.time() - 100,) * 2)
    address = start()
    assert not folder.exists()
    with raw(address) as web:
        assert web.get("/rucat/health").status_code == 200


def test_a_frozen_gateway_is_named_and_can_be_replaced(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP: one line with its pid and what to do, also for who has a connection; --replace ends it all the same."""
    first = start()
    kept = Api()
    kept.call("GET", "engines")
    monkeypatch.setattr(launch, "ANSWER_S", 0.5)
    monkeypatch.setattr(api_module, "WATCH_S", 0.3)
    psutil.Process(first.pid).suspend()
    said = set()
    for look in (launch.ensure, lambda: kept.call("GET", "engines"), lambda: launch.stop(engines=True)):
        with pytest.raises(GatewayUnavailable, match=rf"process {first.pid}.*--replace") as caught:
            look()
        said.add(caught.value.message)
    assert len(said) == 1
    monkeypatch.setattr(launch, "ANSWER_S", 5.0)
    monkeypatch.setattr(launch, "END_S", 1.0)
    launch.stop()  # what --replace begins with
    assert start().pid != first.pid


@pytest.mark.all
@pytest.mark.slow
def test_a_lost_socket_is_made_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cleanup removes the runtime directory: the gateway notices and hands over to a reachable one."""
    monkeypatch.setenv("RUCAT_SELF_END_S", "8")
    first = start()
    Path(first.socket).unlink()
    wait_until("another gateway", lambda: pid_of(directory) not in (None, first.pid), 30)
    with raw(start()) as web:
        assert web.get("/rucat/health").status_code == 200
    assert not datadir.process_start(first.pid)


def test_a_directory_that_was_taken_over_is_given_up(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine's gateway came in while this one slept: this one ends, and leaves the record alone."""
    monkeypatch.setenv("RUCAT_SELF_END_S", "4")
    first = start()
    record = json.loads((directory / "gateway.json").read_text())
    theirs = json.dumps(record | {"machine": "other", "host": "node7", "pid": 1, "heartbeat": time.time()})
    (directory / "gateway.json").write_text(theirs)
    wait_for_end(first.pid, 15)
    assert (directory / "gateway.json").read_text() == theirs
    (directory / "gateway.json").unlink()


@pytest.mark.all
@pytest.mark.slow
def test_a_newly_installed_package_takes_over(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files under a gateway change: when no call is open, the installed Rucat takes over by itself."""
    monkeypatch.setenv("RUCAT_SELF_END_S", "6")
    copy = directory.parent / "site" / "rucat_jupyter"
    shutil.copytree(Path(rucat_jupyter.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    code = f"import sys; sys.path.insert(0, {str(copy.parent)!r}); sys.argv = ['rucat', 'serve']; "
    with python(code + "from rucat_jupyter.__main__ import main; main()") as old:
        wait_until("the old gateway", lambda: pid_of(directory) == old.pid and launch.find(), 30)
        with (copy / "__init__.py").open("a") as file:
            file.write("# newer\n")
        wait_until("the new gateway", lambda: pid_of(directory) not in (None, old.pid), 40)
        out, err = old.communicate(timeout=10)
        assert (old.returncode, out, err) == (0, "", "")


# --- end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(directory: Path, number: signal.Signals) -> None:
    """In 3 s: long polls answered, socket and gateway.json gone."""
    address = start()
    with raw(address) as web, contextlib.closing(listening_to(address)) as poll:
        token = web.get("/rucat/engines").json()["token"]
        poll.request("GET", f"/rucat/engines?since={token}&wait=50")
        assert web.get("/rucat/health").status_code == 200  # so it has read what was sent before
        begin = time.monotonic()
        os.kill(address.pid, number)
        answer = poll.getresponse()
        assert (answer.status, token in answer.read().decode()) == (200, True)
    wait_for_end(address.pid, 3 - (time.monotonic() - begin))
    assert not (directory / "gateway.json").exists()
    assert not Path(address.socket).exists()


def test_an_idle_gateway_ends(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a short self-end time: a follower does not keep it running, other calls do."""
    monkeypatch.setenv("RUCAT_SELF_END_S", "1")
    address = start()
    with raw(address) as web:
        token = web.get("/rucat/engines").json()["token"]
        web.get("/rucat/engines", params={"since": token, "wait": 2})
        assert datadir.process_start(address.pid)
        follow = {"since": token, "wait": "30"}, {"X-Rucat-Follower": "1"}
        assert web.get("/rucat/engines", params=follow[0], headers=follow[1]).status_code in (200, 503)
    wait_for_end(address.pid, 5)
    assert not (directory / "gateway.json").exists()


@pytest.mark.all
@pytest.mark.slow
def test_the_command_line_ends_and_replaces(directory: Path) -> None:
    """--stop ends it, also where none runs; --replace puts another in its place; words and exit status say so."""
    done = rucat("serve", "--stop", "--engines")
    assert (done.returncode, done.stdout) == (0, f"No gateway runs in {directory}.\n")
    assert not directory.exists()
    first = start()
    done = rucat("serve", "--replace")
    assert done.returncode == 0
    assert str(pid_of(directory)) in done.stdout
    wait_for_end(first.pid, 1)
    done = rucat("serve")
    assert (done.returncode, "already" in done.stderr) == (1, True)
    done = rucat("serve", "--stop")
    assert done.returncode == 0
    assert pid_of(directory) is None
    assert rucat("serve", "--engines").returncode == 2


def test_the_log_tells_no_secret(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Canaries in query, header, body and name are not in any file of the data directory."""
    monkeypatch.setenv("RUCAT_LOG_LEVEL", "DEBUG")
    with raw(start()) as web:
        web.get("/rucat/engines?token=CANARY-1")
        web.get("/rucat/engines", headers={"Authorization": "Bearer CANARY-2", "Cookie": "a=CANARY-3"})
        web.post("/rucat/engines", json={"secret_env": {"A": ["CANARY-4"]}, "conf": {"x.password": 1}})
        web.post("/rucat/engines", content=b'{"conf": {"a.secret": "CANARY-5"', headers={"Content-Type": "text/json"})
    launch.stop()
    found = [p for p in directory.rglob("*") if p.is_file() and b"CANARY" in p.read_bytes()]
    assert found == []

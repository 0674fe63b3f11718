"""Finding the gateway: what is believed, and what is not. No gateway is started here."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from support.namespaces import in_a_pid_namespace

from rucat_jupyter.core.errors import GatewayUnavailable
from rucat_jupyter.launch import datadir, launch


@pytest.fixture
def directory() -> Path:
    return datadir.prepare(datadir.data_dir())


def record(directory: Path, **changes: object) -> datadir.Record:
    """A record of this very process, with changes."""
    mine = datadir.Record(
        pid=os.getpid(),
        started=datadir.process_start(os.getpid()),
        host="here",
        machine=datadir.machine(),
        version="0.1.0",
        api=datadir.API,
        socket=str(directory.parent / "s.sock"),
        heartbeat=time.time(),
    )
    return replace(mine, **changes)  # type: ignore[arg-type]


def put(directory: Path, found: datadir.Record, age_s: float = 0.0) -> None:
    """Write it as it is, heartbeat included, as if ``age_s`` ago."""
    (directory / "gateway.json").write_text(json.dumps(asdict(found)))
    os.utime(directory / "gateway.json", (time.time() - age_s,) * 2)


@contextmanager
def listening(path: str) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        try:
            yield
        finally:
            Path(path).unlink()


def test_a_gateway_is_found_by_its_record_and_socket(directory: Path) -> None:
    """The process of the record listens on its socket: found."""
    mine = record(directory)
    put(directory, mine)
    with listening(mine.socket):
        assert launch.find(directory) == launch.Address(directory, mine.socket, mine.pid, "0.1.0", datadir.API)


def test_nothing_is_found_where_nothing_is(directory: Path) -> None:
    """No record, no gateway; looking makes no directory either."""
    assert launch.find(directory) is None
    assert launch.find(directory.parent / "never") is None
    assert not (directory.parent / "never").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"pid": 1}', '{"pid": "x"}', '{"pid": 1e999}', "[" * 100_000, "\0" * 100]
)
def test_a_broken_record_is_no_record(directory: Path, text: str) -> None:
    """A half-written or foreign file is passed over."""
    (directory / "gateway.json").write_text(text)
    assert launch.find(directory) is None


def test_a_socket_without_listener_is_stale(directory: Path) -> None:
    """A file that a killed gateway left is not believed, though the pid of the record lives."""
    mine = record(directory)
    put(directory, mine)
    with listening(mine.socket):
        pass
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(mine.socket)
    assert launch.find(directory) is None
    Path(mine.socket).unlink()


@pytest.mark.parametrize("path", ["\ud800", "\0", "/" + "x" * 200])
def test_a_socket_that_is_no_path_is_not_there(directory: Path, path: str) -> None:
    """Whatever the record says."""
    put(directory, record(directory, socket=path))
    assert launch.find(directory) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names the peer of a socket")
def test_a_foreign_listener_is_not_believed(directory: Path) -> None:
    """A process listens on the socket, but it is not the process of the record."""
    mine = record(directory, pid=1, started=datadir.process_start(1))
    put(directory, mine)
    with listening(mine.socket):
        assert launch.find(directory) is None


def test_a_fresh_heartbeat_elsewhere_holds_the_directory(directory: Path) -> None:
    """A gateway on another machine: one line that names the host and RUCAT_DATA_DIR."""
    put(directory, record(directory, machine="other", host="node7"))
    for look in (launch.find, launch.ensure):
        with pytest.raises(GatewayUnavailable, match=r"node7.*RUCAT_DATA_DIR") as caught:
            look(directory)
        assert "\n" not in caught.value.message


def test_another_container_on_the_same_host_is_elsewhere(directory: Path) -> None:
    """The host's name is the same, the container id is not: its pids and sockets mean nothing here."""
    mine = record(directory, machine="other-container", host=socket.gethostname())
    put(directory, mine)
    with listening(mine.socket), pytest.raises(GatewayUnavailable, match="in use"):
        launch.find(directory)


def test_a_gateway_is_found_from_another_pid_namespace_of_this_machine(directory: Path) -> None:
    """As by a kernel in a container that shares the directories: it listens, though its pid means nothing there."""
    mine = record(directory)
    put(directory, mine)
    code = f"from rucat_jupyter.launch import launch; print(launch.find(launch.Path({str(directory)!r})).pid)"
    command = [*in_a_pid_namespace(), sys.executable, "-c", code]
    with listening(mine.socket):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(mine.pid)
    gone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "is in use by the Rucat gateway on here" in gone.stderr


def test_an_old_heartbeat_elsewhere_holds_nothing(directory: Path) -> None:
    """Older than a minute: the directory is free."""
    put(directory, record(directory, machine="other", heartbeat=time.time() - 61), age_s=61)
    assert launch.find(directory) is None


def test_clocks_that_disagree_are_settled_by_watching(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat's time is old, the file is new: who beats is alive, who does not is dead."""
    monkeypatch.setattr(datadir, "BEAT_S", -1.5)
    theirs = record(directory, machine="other", heartbeat=time.time() - 300)
    put(directory, theirs)
    assert datadir.is_held_elsewhere(directory, theirs, may_watch=False)
    assert not datadir.is_held_elsewhere(directory, theirs)
    beaten = replace(theirs, heartbeat=theirs.heartbeat + 10)
    put(directory, beaten)
    assert datadir.is_held_elsewhere(directory, theirs)


def test_without_a_clock_of_the_files_the_record_decides(directory: Path) -> None:
    """A directory that can only be read: young holds, old does not, and no process watches for long."""
    put(directory, record(directory, machine="other"))
    (directory / "start.lock").unlink()
    with pytest.raises(GatewayUnavailable):
        launch.find(directory)
    put(directory, record(directory, machine="other", heartbeat=time.time() - 61))
    assert launch.find(directory) is None


@pytest.mark.parametrize(
    "name",
    ["SPARK_HOME", "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "PYTHONPATH", "MY_TOKEN", "USER", "DB_PASSWORD", "OSCAR"],
)
def test_a_gateway_does_not_keep_what_is_an_engines(name: str) -> None:
    """Nothing of the first starter's environment but what the gateway itself and the way to clusters need."""
    assert launch.environment({name: "x"}) == {}


@pytest.mark.parametrize(
    "name",
    [
        *("HOME", "PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "no_proxy"),
        *("JUPYTER_DATA_DIR", "RUCAT_LOG_LEVEL", "XDG_RUNTIME_DIR"),
        *("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBECONFIG"),
        *(
            "AWS_PROFILE",
            "AWS_SECRET_ACCESS_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "CLOUDSDK_CONFIG",
            "AZURE_CONFIG_DIR",
        ),
        *("AAD_LOGIN_METHOD", "USE_GKE_GCLOUD_AUTH_PLUGIN", "VAULT_ADDR", "VAULT_TOKEN", "KRB5CCNAME", "KRB5_CONFIG"),
    ],
)
def test_a_gateway_keeps_what_it_needs(name: str) -> None:
    """Home, path, language, certificates, proxies, Jupyter's and Rucat's own, and the way to clusters."""
    assert launch.environment({name: "/x"}) == {name: "/x"}


def test_relative_paths_mean_the_same_for_a_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in another folder; what is not a path stays."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "key.json", "dev"):
        Path(name).touch()
    env = {"KUBECONFIG": "a::none/b:/c", "GOOGLE_APPLICATION_CREDENTIALS": "key.json", "AWS_PROFILE": "dev"}
    assert launch.environment(env) == {
        "KUBECONFIG": f"{tmp_path}/a:{tmp_path}/none/b:/c",
        "GOOGLE_APPLICATION_CREDENTIALS": f"{tmp_path}/key.json",
        "AWS_PROFILE": "dev",
    }


def test_credentials_in_a_variable_are_no_path() -> None:
    """Terraform takes the JSON of a key in it, which is longer than any name of a file."""
    env = {"GOOGLE_CREDENTIALS": '{"private_key": "' + "x" * 2000 + '"}'}
    assert launch.environment(env) == env


def test_the_home_of_an_unknown_user_is_no_error() -> None:
    """Such a path names no file."""
    assert launch.environment({"KUBECONFIG": "~no-such-user/config"})["KUBECONFIG"].endswith("/~no-such-user/config")


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A home that cannot be written: what is wrong, and RUCAT_DATA_DIR as the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(GatewayUnavailable, match="RUCAT_DATA_DIR") as caught:
        launch.ensure(tmp_path / "file" / "rucat")
    assert "\n" not in caught.value.message


def test_the_directory_is_closed_to_others(tmp_path: Path) -> None:
    """0700, also where it was there before."""
    (tmp_path / "open").mkdir(mode=0o755)
    datadir.prepare(tmp_path / "open")
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o700


def test_a_gateway_of_an_older_interface_is_one_line_of_advice(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients talk to an equal or newer API number."""
    monkeypatch.setattr(launch, "_answers", lambda address, deadline: True)
    mine = record(directory, api=datadir.API - 1, version="0.0.9")
    put(directory, mine)
    with listening(mine.socket), pytest.raises(GatewayUnavailable, match=r"0\.0\.9.*rucat serve --replace"):
        launch.ensure(directory)


def test_a_recycled_pid_is_never_signalled(directory: Path) -> None:
    """The record's pid belongs to another process now: stop leaves it alone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        put(directory, record(directory, pid=other.pid, started="1"))
        assert launch.stop(directory) is False
        put(directory, record(directory, pid=other.pid, started=datadir.process_start(other.pid)))
        assert launch.stop(directory) is False  # right start, but it does not hold the lock
        assert other.poll() is None
        other.communicate(b"\n")


def test_the_machine_has_one_name_for_a_boot() -> None:
    """The same in every process of this boot."""
    code = "from rucat_jupyter.launch import datadir; print(datadir.machine())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == datadir.machine()


def test_importing_launch_loads_nothing_heavy() -> None:
    """Standard library only, for the kernels that never use Rucat."""
    code = (
        "import sys, rucat_jupyter.launch.launch; print([m for m in ('httpx', 'psutil', "
        "'jupyter_core') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == "[]"


@pytest.fixture
def hung_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """``flock`` as NFS has it while its lock manager hangs, until the event is set; even LOCK_NB waits."""
    answers, flock = threading.Event(), fcntl.flock

    def hang(descriptor: int, how: int) -> None:
        answers.wait()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", hang)
    monkeypatch.setattr(datadir, "HANG_S", 0.1)
    yield answers
    answers.set()


def stuck() -> list[threading.Thread]:
    return [found for found in threading.enumerate() if found.name == "rucat-system-call"]


@pytest.mark.parametrize("act", [launch.ensure, launch.stop])
def test_a_lock_that_hangs_is_one_line(
    directory: Path, hung_locks: threading.Event, act: Callable[[Path], object]
) -> None:
    """What hangs, where, and what to do; further tries leave no more threads behind, and release what comes late."""
    (directory / "gateway.lock").touch()
    for _ in range(3):
        with pytest.raises(GatewayUnavailable) as caught:
            act(directory)
        assert re.search(rf"no answer for 0.1 s from .*{directory}/(start|gateway).lock", caught.value.message)
        assert "RUCAT_DATA_DIR" in caught.value.message
        assert "\n" not in caught.value.message
    left = stuck()
    assert len(left) == 1
    hung_locks.set()
    left[0].join()
    for name in ("start.lock", "gateway.lock"):
        with datadir.lock(directory / name, 0) as is_mine:
            assert is_mine


@pytest.mark.parametrize("call", ["mkdir", "resolve"])
def test_a_directory_that_hangs_is_one_line(directory: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A mount whose server does not answer: the path, and what to do."""
    answers = threading.Event()
    monkeypatch.setattr(Path, call, lambda *_, **__: answers.wait())
    monkeypatch.setattr(datadir, "HANG_S", 0.1)
    try:
        with pytest.raises(GatewayUnavailable, match=r"no answer for 0.1 s from .*RUCAT_DATA_DIR"):
            launch.ensure()
    finally:
        answers.set()
    for left in stuck():
        left.join()


def test_an_interrupt_ends_the_wait_for_a_lock(directory: Path, tmp_path: Path) -> None:
    """Ctrl-C ends ``rucat list`` immediately, though the system call goes on."""
    (tmp_path / "sitecustomize.py").write_text(
        "import fcntl, signal, time\n"
        "def hang(*_):\n    print('hangs', flush=True)\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "    time.sleep(3600)\n"
        "fcntl.flock = hang\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "RUCAT_DATA_DIR": str(directory)}
    words = [sys.executable, "-m", "rucat_jupyter", "list"]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said, said


@pytest.mark.parametrize(("act", "name"), [(launch.ensure, "start.lock"), (launch.stop, "gateway.lock")])
def test_a_wait_for_another_process_names_it(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    act: Callable[[Path], object],
    name: str,
) -> None:
    """A process that holds the lock and does not serve: after some seconds who and where, at the end one line."""
    monkeypatch.setattr(launch, "NOTICE_S", 0.0)
    monkeypatch.setattr(launch, "WAIT_S", 0.3)
    monkeypatch.setattr(launch.ensure, "__defaults__", (None, 0.3))
    held = f"process {os.getpid()} holds {directory / name}"
    with (directory / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(GatewayUnavailable, match=re.escape(held)):
            act(directory)
    assert caplog.messages == [f"rucat: waiting: {held}"]

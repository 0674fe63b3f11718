"""What this machine or container offers: memory and cores under control groups of both versions, boot, locale."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from rucat_jupyter.host import machine
from rucat_jupyter.host.budget import Budget, needed_mb
from rucat_jupyter.host.machine import Room

MB = 1 << 20


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """A host with 16 GB, of which 10 are available, and 8 cores."""
    memory = SimpleNamespace(total=16384 * MB, available=10240 * MB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def root(tmp_path: Path, cgroup: str, **files: str) -> Path:
    """A root folder with these control group files (``__`` in a name is a ``/``)."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_without_limits_it_is_the_hosts(tmp_path):
    """No control group, or none that limits: all that the host has."""
    assert machine.memory(tmp_path) == Room(16384, 10240)
    assert machine.cores(tmp_path) == 8
    unlimited = root(tmp_path, "0::/a\n", a__memory_DOT_max="max\n", a__cpu_DOT_max="max 100000\n")
    assert machine.memory(unlimited) == Room(16384, 10240)
    assert machine.cores(unlimited) == 8


def test_limits_of_version_2_with_those_above(tmp_path):
    """The tightest limit on the way up counts, less what is used and cannot be dropped."""
    limited = root(
        tmp_path,
        "0::/pod/container\n",
        pod__memory_DOT_max=f"{2048 * MB}\n",
        pod__memory_DOT_current=f"{1024 * MB}\n",
        pod__memory_DOT_stat=f"anon 5\ninactive_file {512 * MB}\n",
        pod__container__memory_DOT_max="max\n",
        pod__container__cpu_DOT_max="150000 100000\n",
    )
    assert machine.memory(limited) == Room(2048, 1536)
    assert machine.cores(limited) == 2


def test_limits_of_version_1_in_a_container(tmp_path):
    """A path of the host that is not seen from inside: the mount's own root is the container's group."""
    limited = root(
        tmp_path,
        "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n",
        memory__memory_DOT_limit_in_bytes=f"{3072 * MB}\n",
        memory__memory_DOT_usage_in_bytes=f"{2048 * MB}\n",
        memory__memory_DOT_stat=f"cache 1\ntotal_inactive_file {MB}\n",
    )
    (limited / "sys/fs/cgroup/cpu,cpuacct").mkdir()
    (limited / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us").write_text("50000\n")
    (limited / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us").write_text("100000\n")
    assert machine.memory(limited) == Room(3072, 1025)
    assert machine.cores(limited) == 1


def test_no_limit_of_version_1_is_a_huge_number(tmp_path):
    """The kernel's "no limit" is not a limit, and -1 is no quota."""
    free = root(
        tmp_path,
        "4:memory:/\n3:cpu:/\n",
        memory__memory_DOT_limit_in_bytes="9223372036854771712\n",
        memory__memory_DOT_usage_in_bytes="5\n",
        cpu__cpu_DOT_cfs_quota_us="-1\n",
        cpu__cpu_DOT_cfs_period_us="100000\n",
    )
    assert machine.memory(free) == Room(16384, 10240)
    assert machine.cores(free) == 8


def test_affinity_counts_and_its_lack_does_not_hurt(tmp_path, monkeypatch):
    """A process bound to two cores is offered two; a system without affinity (macOS) all."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3}, raising=False)
    assert machine.cores(tmp_path) == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert machine.cores(tmp_path) == 4


@pytest.mark.parametrize(
    ("cgroup", "name"), [("0::/a\n", "a__memory_DOT_events"), ("4:memory:/a\n", "memory__a__memory_DOT_oom_control")]
)
def test_kernel_kills_are_counted(tmp_path, cgroup, name):
    """Both versions count what the kernel has killed for want of memory; without groups it is unknown."""
    assert machine.oom_kills(tmp_path) is None
    assert machine.oom_kills(root(tmp_path, cgroup, **{name: "low 0\noom_kill 3\n"})) == 3


def test_boot_id_tells_boots_and_containers_apart(tmp_path):
    """It is stable, and changes with the boot, the pid namespace, or the start of the first process."""
    assert machine.boot_id() == machine.boot_id() != ""
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/1").mkdir()
    seen = set()
    for boot, namespace, start in [("a", "1", 5), ("b", "1", 5), ("a", "2", 5), ("a", "1", 6)]:
        (tmp_path / "proc/sys/kernel/random/boot_id").write_text(f"{boot}\n")
        (tmp_path / "proc/self/ns/pid").unlink(missing_ok=True)
        (tmp_path / "proc/self/ns/pid").symlink_to(f"pid:[{namespace}]")
        (tmp_path / "proc/1/stat").write_text("1 (in it) S " + "0 " * 18 + f"{start} 0 0\n")
        seen.add(machine.boot_id(tmp_path))
    assert len(seen) == 4


def test_containers_of_one_image_are_in_different_places(monkeypatch):
    """Their machine id may be the image's: a gateway must not take the other's boot for a later one of its own."""
    seen = set()
    for name in ("pod-a", "pod-b"):
        monkeypatch.setattr(machine.platform, "node", lambda name=name: name)
        seen.add(machine.place_id())
    assert len(seen) == 2


def test_machine_id_falls_back_to_the_name(tmp_path):
    """The system's id where it has one, else its name."""
    assert machine.machine_id(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("uninitialized\n")
    by_name = machine.machine_id(tmp_path)
    (tmp_path / "etc/machine-id").write_text("abc\n")
    assert machine.machine_id(tmp_path) == "abc" != by_name


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["C", "POSIX", "C.utf8", "en_US.utf8"], "C.utf8"),
        (["de_DE.UTF-8", "C.UTF-8"], "C.UTF-8"),
        (["C", "fr_FR.utf8", "de_DE.utf8", "de_DE.iso88591"], "de_DE.utf8"),
        (["C", "POSIX"], "C.UTF-8"),
        ([], "C.UTF-8"),
    ],
)
def test_a_utf8_locale_is_chosen(names, chosen):
    """C.UTF-8 by any spelling, else the first UTF-8 one, else C.UTF-8 in hope."""
    assert machine.first_utf8(names) == chosen


def test_this_machines_locale_is_utf8():
    """A locale that is really here."""
    assert machine.utf8_locale().lower().endswith(("utf8", "utf-8"))


def test_promises_count_whether_used_or_not():
    """What live engines were promised is not free, and what they use already is not counted twice."""
    room = Room(total_mb=16384, available_mb=10240)
    assert Budget(room).left_mb == 10240
    assert Budget(room, promised_mb=4096, in_use_mb=1024, engines=1).left_mb == 10240 + 1024 - 4096
    assert Budget(room, promised_mb=40960, in_use_mb=0, engines=9).left_mb == 0


def test_a_refusal_has_numbers():
    """What was asked for, what it needs, what is free, what is promised to whom."""
    budget = Budget(Room(16384, 10240), promised_mb=4506, in_use_mb=0, engines=1)
    assert budget.refusal(4096) is None
    assert budget.refusal(8192) == (
        "a heap of 8.0 GB needs 8.8 GB with Java's overhead, but only 5.6 GB of this machine's 16.0 GB are free; "
        "4.4 GB are reserved for 1 running engines"
    )


@pytest.mark.parametrize(
    ("room", "promised", "heap"),
    [
        (Room(24576, 20000), 0, 4096),
        (Room(8192, 7000), 0, 2048),
        (Room(24576, 20000), 17000, 2048),
        (Room(2048, 1900), 0, 512),
        (Room(1024, 100), 0, 512),
    ],
)
def test_the_default_heap_fits_the_machine(room, promised, heap):
    """A quarter of all memory at most, no more than is free, and never less than Spark needs."""
    assert Budget(room, promised, 0, 1).default_mb() == heap
    assert needed_mb(heap) > heap

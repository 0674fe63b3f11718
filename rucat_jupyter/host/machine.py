"""Facts of this machine: memory, cores, the id of its boot or container, its locale."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path("/")
PREFERRED_LOCALES = ("C.UTF-8", "C.utf8", "en_US.UTF-8", "en_US.utf8")


@dataclass(frozen=True)
class Room:
    """Memory of this machine or container: total, and available now."""

    total_mb: int
    available_mb: int


def memory(root: Path = ROOT) -> Room:
    """Memory of the machine, or less if a control group (v1 or v2) limits it.

    Page cache of a group that the kernel can drop counts as available.
    """
    machine = psutil.virtual_memory()
    total, available = machine.total, machine.available
    for limit, used in _memory_limits(root):
        total, available = min(total, limit), min(available, max(0, limit - used))
    return Room(total >> 20, available >> 20)


def cores(root: Path = ROOT) -> int:
    """Cores that the process may run on, or less if a control group limits them.

    A fraction of a core counts as one, as in the JVM.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    return max(1, min([count, *(math.ceil(quota) for quota in _core_limits(root))]))


def boot_id(root: Path = ROOT) -> str:
    """An id that changes when this machine or container restarts, so that all earlier processes are gone.

    The kernel's boot id with the pid namespace and the start time of its first process, which differ between containers
    of the same boot; on macOS the boot session.
    """
    boot = _text(root / "proc/sys/kernel/random/boot_id").strip()
    if not boot:
        return _command("sysctl", "-n", "kern.bootsessionuuid") or f"boot-{int(psutil.boot_time())}"
    link = root / "proc/self/ns/pid"
    namespace = str(link.readlink()) if link.is_symlink() else ""
    first = _text(root / "proc/1/stat").rpartition(")")[2].split()
    return "/".join((boot, namespace, first[19] if len(first) > 19 else ""))


def machine_id(root: Path = ROOT) -> str:
    """An id of this machine; the host name if the system has no id."""
    for name in ("etc/machine-id", "var/lib/dbus/machine-id"):
        found = _text(root / name).strip()
        if found and found != "uninitialized":
            return found
    return platform.node()


def place_id() -> str:
    """An id of this machine or container for other ones: images of containers may share the id of a machine."""
    return f"{machine_id()}/{platform.node()}"


def utf8_locale() -> str:
    """An installed locale with UTF-8: without one a JVM reads non-ASCII text in an argfile wrongly."""
    return first_utf8(_command("locale", "-a").split())


def first_utf8(names: Iterable[str]) -> str:
    """Return ``C.UTF-8`` or a variant, else the first UTF-8 locale of the names, else ``C.UTF-8``."""
    known = [name for name in names if name.lower().endswith((".utf8", ".utf-8"))]
    preferred = [name for name in PREFERRED_LOCALES if name in known]
    return [*preferred, *sorted(known), PREFERRED_LOCALES[0]][0]


def oom_kills(root: Path = ROOT) -> int | None:
    """Number of out-of-memory kills in this control group; None if unknown."""
    for name, folder in _groups(root, "memory"):
        text = _text(folder / ("memory.events" if name == "v2" else "memory.oom_control"))
        counts = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
        if counts.get("oom_kill", "").isdigit():
            return int(counts["oom_kill"])
    return None


def _memory_limits(root: Path) -> Iterator[tuple[int, int]]:
    """(limit, used) in bytes of each control group above this process that has a memory limit."""
    for version, folder in _groups(root, "memory"):
        names = ("memory.max", "memory.current") if version == "v2" else ("memory.limit_in_bytes", _V1_USED)
        limit, used = (_text(folder / name).strip() for name in names)
        if not limit.isdigit() or not used.isdigit() or int(limit) >= 1 << 60:
            continue
        cache = dict(line.split() for line in _text(folder / "memory.stat").splitlines() if len(line.split()) == 2)
        droppable = cache.get("inactive_file" if version == "v2" else "total_inactive_file", "0")
        yield int(limit), max(0, int(used) - int(droppable))


_V1_USED = "memory.usage_in_bytes"


def _core_limits(root: Path) -> Iterator[float]:
    """Limit of cores of each control group above this process that has one."""
    for version, folder in _groups(root, "cpu"):
        if version == "v2":
            quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
        else:
            quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _groups(root: Path, controller: str) -> Iterator[tuple[str, Path]]:
    """(version, folder) of the control groups of this process, innermost first, as far as they are visible.

    In a container the path in ``/proc/self/cgroup`` may be the host's, which does not exist there: then we only use the
    root of the mount, which is the container's group.
    """
    mount = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            version, base = "v2", mount
        elif controller in controllers.split(","):
            version, base = "v1", mount / controllers if (mount / controllers).is_dir() else mount / controller
        else:
            continue
        inner = base / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder == base or base in folder.parents:
                yield version, folder


def _text(path: Path) -> str:
    """A small file's text; empty if it cannot be read, which every caller treats as unknown."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _command(*words: str) -> str:
    """Output of a small system program; empty if it does not exist."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip()

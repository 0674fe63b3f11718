"""Thousands of simulated engines: a gateway in a pod, a kwok node for their pods, and one stub that answers for all."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from rucat_jupyter.platforms.kubernetes import rights
from rucat_jupyter.platforms.kubernetes.objects import names

from .kubernetes import ADDRESS, SMALL, Ground, Raw, client_pod, pretended_node, wait_for
from .stub import LISTENS

WITH_WORK = {"min": 0, "max": 2}
AT_ONCE = 16
"""Parallel creates."""
LOOK_S = 0.5


@dataclass(frozen=True)
class Crowd:
    """A namespace, and the fields of a spec that make its driver a simulated one."""

    on: Ground
    folder: Path
    asked: dict[str, Any]

    def spec(self) -> dict[str, Any]:
        """The body of a create: a driver with dynamic allocation and no work, so without executors."""
        asked = {"image": self.on.cluster.image, "driver": SMALL, "executors": WITH_WORK, "kubernetes": self.asked}
        return {"platform": "kubernetes", **asked}

    def raw(self) -> Raw:
        """The same objects, for plain calls."""
        return Raw(self.on, self.folder, executors=WITH_WORK, kubernetes=self.asked)

    def empty(self) -> None:
        """Remove the objects of all engines without Rucat: their records go away with their gateway."""
        core, wanted = self.on.cluster.core, f"{names.MANAGED_BY}={names.RUCAT}"
        for kind in ("config_map", "pod", "secret", "service"):
            remove = getattr(core, f"delete_collection_namespaced_{kind}")
            remove(self.on.namespace, label_selector=wanted, grace_period_seconds=0)
        self.on.wait_until_empty()


@dataclass(frozen=True)
class Gateway:
    """A gateway in the cluster, its process on this machine, and a client on its socket."""

    http: httpx.Client
    process: psutil.Process

    def create(self, spec: dict[str, Any], count: int) -> None:
        """Create ``count`` engines, sixteen in parallel."""
        mark = secrets.token_hex(4)

        def one(number: int) -> None:
            self.http.post("/rucat/engines", json={**spec, "name": f"l-{mark}-{number}"}).raise_for_status()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, range(count)))

    def wait_until_all_run(self, on: Ground, count: int) -> float:
        """Wait until all engines are Running; returns when the last one was, in seconds since the epoch.

        Each read of the list reads a thousand records. So this waits for the pods first, as the raw side does, and
        takes the time from the records.
        """
        wait_for(partial(_all_run, on), "all pods run", pause_s=LOOK_S)
        wait_for(lambda: not self._page("Pending", 1), f"{count} engines run", pause_s=2.0)
        running = self._page("Running", 0)
        if len(running) != count:
            raise RuntimeError(f"{len(running)} of {count} engines are Running")
        return max(
            datetime.fromisoformat(engine["started_at"].replace("Z", "+00:00")).timestamp() for engine in running
        )

    def _page(self, status: str, limit: int) -> list[dict[str, Any]]:
        asked = {"status": status, **({"limit": limit} if limit else {})}
        found: list[dict[str, Any]] = self.http.get("/rucat/engines", params=asked).raise_for_status().json()["engines"]
        return found

    def running(self, most: int) -> list[dict[str, Any]]:
        """Return ``count`` running engines."""
        return self._page("Running", most)


@contextmanager
def crowd(on: Ground, folder: Path) -> Iterator[Crowd]:
    """A simulated node, and the stub in a pod."""
    own = on.cluster.own
    if own is None:
        raise SystemExit(
            "simulated engines need a cluster on this machine: set RUCAT_TEST_CLUSTER, or no RUCAT_TEST_KUBECONFIG"
        )
    with ExitStack() as stack:
        own.start_kwok()
        node = stack.enter_context(pretended_node(on.cluster))
        stack.enter_context(pod(on, client_pod(on.cluster, "stub", "-m", "benchmarks.stub")))
        core = on.cluster.core
        wait_for(lambda: LISTENS in log_of(on, "stub"), "the stub listens")
        address = core.read_namespaced_pod("stub", on.namespace).status.pod_ip
        asked = {
            "node_selector": {"kubernetes.io/hostname": node},
            "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}],
            "annotations": {ADDRESS: address},
        }
        made = Crowd(on, folder, asked)
        yield made
        made.empty()


@contextmanager
def gateway_in_pod(on: Ground, folder: Path) -> Iterator[Gateway]:
    """A fresh gateway with Rucat's service account; this machine connects to the file of its socket."""
    home = folder / f"g{secrets.token_hex(3)}"
    home.mkdir()
    described = client_pod(on.cluster, home.name, "-m", "rucat_jupyter", "serve", serviceAccountName=rights.RUCAT)
    spec, container = described["spec"], described["spec"]["containers"][0]
    spec["volumes"].append({"name": "shared", "hostPath": {"path": str(home)}})
    container["volumeMounts"].append({"name": "shared", "mountPath": str(home)})
    env = {"RUCAT_DATA_DIR": home / "data", "JUPYTER_RUNTIME_DIR": home / "rt", "RUCAT_LOG_LEVEL": "WARNING"}
    container["env"] += [{"name": name, "value": str(value)} for name, value in env.items()]
    with pod(on, described):
        wait_for(lambda: list(home.glob("data/gateway.json")), "the gateway serves")
        (socket,) = home.glob("rt/*.sock")
        transport = httpx.HTTPTransport(uds=str(socket))
        with httpx.Client(transport=transport, base_url="http://rucat", timeout=120, trust_env=False) as http:
            yield Gateway(http, process_of(str(home / "data"), "serve"))


@contextmanager
def pod(on: Ground, described: dict[str, Any]) -> Iterator[str]:
    """Run a pod within the context; yield its name."""
    core, name = on.cluster.core, described["metadata"]["name"]
    core.create_namespaced_pod(on.namespace, described)
    try:
        yield name
    finally:
        core.delete_namespaced_pod(name, on.namespace, grace_period_seconds=3)
        pods = core.list_namespaced_pod
        gone = {"field_selector": f"metadata.name={name}"}
        wait_for(lambda: not pods(on.namespace, **gone).items, f"{name} is gone")


def process_of(mark: str, word: str) -> psutil.Process:
    """Find the Python process with this word as an argument, and this mark in its environment or arguments."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        words, env = process.info["cmdline"] or [], process.info["environ"] or {}
        if word in words and Path(words[0]).name.startswith("python") and mark in [*words, *env.values()]:
            return process
    raise RuntimeError(f"no process {word!r} of {mark}")


def cores(process: psutil.Process, work: Callable[[], object]) -> tuple[float, float]:
    """Measure the seconds that some work takes, and the cores that a process uses during it."""
    before, began = _cpu_s(process), time.perf_counter()
    work()
    wall_s = time.perf_counter() - began
    return wall_s, (_cpu_s(process) - before) / wall_s


def memory_mb(process: psutil.Process) -> float:
    """Resident memory."""
    return process.memory_info().rss / 2**20


def post_all(on: Ground, plain: Raw, count: int) -> float:
    """POST the objects of ``count`` engines in one loop, until all their pods run; return the seconds."""
    made: Sequence[Any] = [plain.describe()[0] for _ in range(count)]
    began = time.perf_counter()
    for each in made:
        plain.post(each)
    wait_for(partial(_all_run, on), "all pods run", pause_s=LOOK_S)
    return time.perf_counter() - began


def _all_run(on: Ground) -> bool:
    asked = {"label_selector": f"{names.MANAGED_BY}={names.RUCAT}", "field_selector": "status.phase!=Running"}
    return not on.cluster.core.list_namespaced_pod(on.namespace, limit=1, **asked).items


def log_of(on: Ground, name: str) -> str:
    """Return the log of a pod; empty before it has started."""
    from kubernetes.client import ApiException

    try:
        return str(on.cluster.core.read_namespaced_pod_log(name, on.namespace))
    except ApiException as exc:
        if exc.status != 400:  # not started yet
            raise
        return ""


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)

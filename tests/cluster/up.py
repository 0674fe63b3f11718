"""Puts a cluster together, and takes it apart to nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import binaries, cache, control, documented, network, node, packages, spaces, store, versions
from . import layout as layouts
from .layout import Layout


class Cluster:
    """One running cluster."""

    def __init__(self, layout: Layout, pid: int, unshare: int | None = None) -> None:
        self.layout = layout
        self.pid = pid
        self.unshare = unshare
        self.process: subprocess.Popen[bytes] | None = None  # of `unshare`, where we started it

    @classmethod
    def find(cls, folder: Path) -> Cluster:
        """Find the cluster that runs in a folder."""
        layout, kept = layouts.read(folder.resolve())
        return cls(layout, int(str(kept["pid"])), int(str(kept["unshare"])))

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.layout.kubeconfig

    def stop_api_server(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the API server, as a crash does; the rest goes on without it. In good order it takes up to a minute."""
        spaces.stop_process(self.layout, "kube-apiserver", how)

    def start_api_server(self, wait: bool = True) -> None:
        """Start the API server again."""
        control.start_api_server(self.layout)
        if wait:
            control.wait(self.layout)

    def load(self, archive: Path) -> None:
        """Import the images of a docker-archive."""
        with archive.open("rb") as file:
            node.load(self.pid, lambda stream: shutil.copyfileobj(file, stream))

    def start_kwok(self) -> None:
        """Start kwok where it does not run yet."""
        if "kwok" not in self.running():
            node.start_kwok(self.layout)

    def running(self) -> dict[str, int]:
        """Tell which processes run, by name; their pids are those of the cluster's own namespace."""
        return spaces.order(self.layout, "list")["running"]  # type: ignore[return-value]

    def down(self) -> None:
        """End everything and remove the folder."""
        spaces.end(self.layout, self.unshare)
        spaces.forget(self.process)
        network.drop(self.layout)
        shutil.rmtree(self.layout.folder)


def missing() -> str | None:
    """Say in one line why no cluster can run here, or nothing."""
    if os.geteuid() != 0:
        return "only root can start a Kubernetes cluster of its own"
    return packages.missing() or (binaries.missing() if not_built() else None)


def build() -> None:
    """Build what a cluster is made of, where it is not built yet: the compiler and the image side by side."""
    packages.install()
    with ThreadPoolExecutor(1) as beside:
        image = beside.submit(store.prepared, versions.SPARK[:1])
        binaries.kubernetes()
    image.result()


def build_rest() -> None:
    """Build what only `make test-all` needs on a cluster: kwok, the image with Spark 4.1, and the documented one."""
    binaries.kwok()
    store.prepared(versions.SPARK)
    documented.archive()


def not_built() -> str | None:
    """Say in one line what has to be built first, or nothing."""
    return cache.not_built(packages.install, binaries.kubernetes, lambda: store.prepared(versions.SPARK[:1]))


def images() -> tuple[str, ...]:
    """Give the versions of Spark that there are images of: all of them after `build_rest`."""
    rest = cache.not_built(lambda: store.prepared(versions.SPARK))
    return versions.SPARK[:1] if rest else versions.SPARK


def start(layout: Layout, tied: bool = False) -> Cluster:
    """Start a cluster in a new folder; when that fails nothing of it is left."""
    build()
    spark_versions = images()
    layout.folder.mkdir(parents=True)
    try:
        spaces.claim(layout)
    except BaseException:
        layout.folder.rmdir()
        raise
    (layout.folder / "logs").mkdir()
    cluster = Cluster(layout, 0)
    try:
        control.prepare(layout)
        network.write_plugin(layout)
        cluster.process, cluster.pid = spaces.start(layout, tied)
        cluster.unshare = cluster.process.pid
        layout.write_state(pid=cluster.pid, unshare=cluster.unshare)
        network.lay(layout, cluster.pid)
        network.mount(layout, cluster.pid)
        control.start(layout)
        store.give(layout, spark_versions)
        node.start_containerd(layout, cluster.pid)
        control.wait(layout)
        node.start(layout)
        node.wait(layout)
    except BaseException:
        cluster.down()
        raise
    return cluster

"""Starts the node: containerd with its images, kubelet, kube-proxy; and kwok beside it for pretended nodes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from . import binaries, cache, control, image, spaces
from .layout import CONTAINERD, KUBELET, NODE, PODS, Layout

CTR = ("ctr", "--address", CONTAINERD, "--namespace", "k8s.io")
START_LIMIT_S = 30.0
STAGES = Path(__file__).with_name("pretended.yaml")
ADDRESS = "pretended.rucat.test/address"
CONFIG = """version = 2
root = "{folder}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def start_containerd(layout: Layout, pid: int) -> None:
    """Start containerd and wait until it answers."""
    config = layout.folder / "containerd.toml"
    config.write_text(CONFIG.format(folder=layout.folder, socket=CONTAINERD, pause=image.PAUSE))
    spaces.start_process(layout, "containerd", ["/usr/bin/containerd", "--config", config])
    until = time.monotonic() + START_LIMIT_S
    while True:
        try:
            spaces.inside(pid, *CTR, "version")
            return
        except cache.CannotBuild:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def load_images(pid: int, spark_versions: tuple[str, ...]) -> None:
    """Import the pause image and the engine images."""
    load(pid, lambda stream: image.write_archive(stream, spark_versions))


def load(pid: int, write: Callable[[IO[bytes]], object]) -> None:
    """Import the images of the docker-archive that ``write`` writes."""
    process = spaces.piped(pid, *CTR, "images", "import", "-")
    stream = spaces.input_of(process)
    with contextlib.suppress(BrokenPipeError):  # what it said tells why
        write(stream)
    said = process.communicate()[0].decode()
    if process.returncode:
        raise cache.CannotBuild(f"the import of images failed: {' '.join(said.split())[-300:]}")


def start(layout: Layout) -> None:
    """Start kubelet and kube-proxy."""
    made, folder = binaries.kubernetes(), layout.folder
    (folder / "resolv.conf").write_text("")
    _write(folder / "kubelet.json", _kubelet(layout))
    _write(folder / "proxy.json", _proxy(layout))
    kubelet = (
        f"--config={folder / 'kubelet.json'}",
        f"--kubeconfig={layout.kubeconfig}",
        f"--root-dir={KUBELET}",
        f"--cert-dir={folder / 'kubelet-keys'}",
        f"--hostname-override={NODE}",
        f"--node-ip={layout.inside}",
    )
    spaces.start_process(layout, "kubelet", [made / "kubelet", *kubelet])
    spaces.start_process(layout, "kube-proxy", [made / "kube-proxy", f"--config={folder / 'proxy.json'}"])


def wait(layout: Layout) -> None:
    """Wait until the node is ready and pods get a service account."""
    control.wait(layout, f"/api/v1/nodes/{NODE}", _is_ready)
    control.wait(layout, "/api/v1/namespaces/default/serviceaccounts/default")


def start_kwok(layout: Layout) -> None:
    """Start kwok: it takes every node with the annotation ``kwok.x-k8s.io/node: fake``, and the pods on it.

    A pod with the annotation :data:`ADDRESS` has that address, on which something may really listen.
    """
    managed = ("--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake")
    access = (f"--kubeconfig={layout.kubeconfig}", "--node-lease-duration-seconds=40")
    spaces.start_process(layout, "kwok", [binaries.kwok(), *access, *managed, f"--config={STAGES}"])


def _is_ready(node: dict) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _write(path: Path, described: dict[str, object]) -> None:
    path.write_text(json.dumps(described, indent=1))


def _kubelet(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.certificates / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.group}",
        "clusterDNS": [layout.inside],  # without a DNS server: names fail immediately, and pods get no warning
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "oomScoreAdj": 0,
        "readOnlyPort": 0,
        "registerNode": True,
        "resolvConf": str(layout.folder / "resolv.conf"),
        "serializeImagePulls": False,
    }


def _proxy(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.kubeconfig)},
        "clusterCIDR": PODS,
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "hostnameOverride": NODE,
        "mode": "nftables",
        "oomScoreAdj": 0,
    }

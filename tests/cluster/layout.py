"""Says where a cluster's files lie and which names and addresses it uses: all follow from its folder and its number."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
PODS = "10.244.0.0/16"
NODE = "rucat-node"
GROUPS = Path("/sys/fs/cgroup")
CONTAINERD = "/run/containerd/containerd.sock"  # /run is the cluster's own
KUBELET = "/run/kubelet"  # the folder's `kubelet`, under a name that is short enough for sockets
LONGEST_FOLDER = 90


@dataclass(frozen=True)
class Layout:
    """One cluster on this machine. Networks inside are its own, so only what the machine sees carries the number."""

    folder: Path
    number: int = 0
    port: int = 6443
    bridge: str = "cni0"

    def __post_init__(self) -> None:
        """Refuse numbers that make no address."""
        if not 0 <= self.number < 250:
            raise ValueError(f"the cluster's number is {self.number}: choose 0 to 249")
        if len(str(self.folder).encode()) > LONGEST_FOLDER:
            raise ValueError(f"the cluster's folder is longer than {LONGEST_FOLDER} bytes, too long for a socket in it")

    @property
    def link(self) -> str:
        """The machine's end of the cable to the cluster."""
        return f"rucat{self.number}"

    @property
    def is_taken(self) -> bool:
        """Whether a cluster of this number runs on this machine."""
        return Path("/sys/class/net", self.link).exists() or any(group.exists() for group in self.groups)

    @property
    def outside(self) -> str:
        """The machine's address on that cable: pods reach what listens on it."""
        return f"10.243.{self.number}.1"

    @property
    def inside(self) -> str:
        """The cluster's address on that cable: API server and node."""
        return f"10.243.{self.number}.2"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.inside}:{self.port}"

    @property
    def group(self) -> str:
        """The control group that all pods are in."""
        return f"rucat-cluster-{self.number}"

    @property
    def groups(self) -> list[Path]:
        """That group's folders: one in each hierarchy of version 1, one alone in version 2."""
        if (GROUPS / "cgroup.controllers").exists():
            return [GROUPS / self.group]
        return [tree / self.group for tree in sorted(GROUPS.iterdir()) if (tree / "cgroup.procs").exists()]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """Authority, certificates, keys."""
        return self.folder / "certificates"

    @property
    def state(self) -> Path:
        """What was started, for the one who ends it."""
        return self.folder / "cluster.json"

    def write_state(self, **more: object) -> None:
        """Remember number, port and bridge, and what else is given."""
        kept = {"number": self.number, "port": self.port, "bridge": self.bridge, **more}
        self.state.write_text(json.dumps(kept))


def read(folder: Path) -> tuple[Layout, dict[str, object]]:
    """Read the layout of a cluster that was started in a folder, and what else was remembered."""
    kept = json.loads((folder / "cluster.json").read_text())
    return Layout(folder, kept.pop("number"), kept.pop("port"), kept.pop("bridge")), kept

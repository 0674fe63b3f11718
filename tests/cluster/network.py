"""Lays the cable between this machine and a cluster's own network, and the mounts that keep its files its own."""

from __future__ import annotations

import json
from pathlib import Path

from . import cache, spaces
from .layout import KUBELET, PODS, Layout

COVERED = ("/var/lib", "/var/log")  # where CNI and kubelet write, whatever their settings
RULES = """
table ip rucat {{
  chain leaving {{
    type nat hook postrouting priority 100
    ip saddr {pods} oifname "eth0" masquerade
  }}
}}
"""
SETTINGS = {"ip_forward": "1", "conf/all/rp_filter": "0"}


def lay(layout: Layout, pid: int) -> None:
    """Connect the namespace of a process with the machine; pods leave it under the node's address."""
    cache.run("ip", "link", "add", layout.link, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    cache.run("ip", "address", "add", f"{layout.outside}/30", "dev", layout.link)
    cache.run("ip", "link", "set", layout.link, "up")
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{layout.inside}/30", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "via", layout.outside),
    ):
        spaces.inside(pid, "ip", *words)
    spaces.inside(pid, "sysctl", "-q", "-w", *(f"net/ipv4/{name}={value}" for name, value in SETTINGS.items()))
    spaces.inside(pid, "nft", "-f", "-", given=RULES.format(pods=PODS))


def mount(layout: Layout, pid: int) -> None:
    """Hide /run, and let what is written below /var/lib and /var/log go into the cluster's folder."""
    spaces.inside(pid, "mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    (layout.folder / "kubelet").mkdir()
    spaces.inside(pid, "mkdir", KUBELET)
    spaces.inside(pid, "mount", "--bind", layout.folder / "kubelet", KUBELET)
    for covered in COVERED:
        if layout.folder.is_relative_to(covered):
            raise cache.CannotBuild(f"the cluster's folder {layout.folder} is below {covered}: choose another")
        upper, work = (layout.folder / "var" / f"{Path(covered).name}{end}" for end in ("", "-work"))
        upper.mkdir(parents=True)
        work.mkdir()
        options = f"lowerdir={covered},upperdir={upper},workdir={work}"
        spaces.inside(pid, "mount", "-t", "overlay", "-o", options, "overlay", covered)


def write_plugin(layout: Layout) -> None:
    """Write the network that pods get: one bridge, addresses counted up."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(layout.folder / "cni/addresses"),
    }
    bridge = {"type": "bridge", "bridge": layout.bridge, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    folder = layout.folder / "cni/net.d"
    folder.mkdir(parents=True)
    described = {"cniVersion": "1.0.0", "name": "rucat", "plugins": [bridge]}
    (folder / "10-rucat.conflist").write_text(json.dumps(described))


def drop(layout: Layout) -> None:
    """Remove the machine's end of the cable, where it did not go with the namespace."""
    link = Path("/sys/class/net", layout.link)
    if link.exists():
        try:
            cache.run("ip", "link", "delete", layout.link)
        except cache.CannotBuild:
            if link.exists():  # else the namespace has taken it along at this moment
                raise

"""Installs what a cluster needs of Debian: containerd, runc, CNI's plugins, nftables, mmdebstrap."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from . import cache

NEEDED = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "nft": "nftables",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
}
BUILDER = {"buildah": "buildah"}


def missing() -> str | None:
    """Say in one line why they cannot be had here, or nothing."""
    if _absent() and shutil.which("apt-get") is None:
        return f"no apt-get here to install {' '.join(_absent())}"
    return None


def install(needed: Mapping[str, str] = NEEDED) -> None:
    """Install those that are absent."""
    if absent := _absent(needed):
        cache.refuse_when_looking(" ".join(absent))
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        cache.run("apt-get", "update", env=quiet)
        cache.run("apt-get", "install", "--yes", "--no-install-recommends", *absent, env=quiet)


def _absent(needed: Mapping[str, str] = NEEDED) -> list[str]:
    return [name for file, name in needed.items() if shutil.which(file) is None and not Path(file).is_file()]

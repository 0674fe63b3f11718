"""The kubeconfig of a kernel: its path, which create requests contain, and its contexts, for completion.

The gateway has its own environment, so a create request contains the paths, and the gateway reads the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

IN_CLUSTER = "in-cluster"
"""The context name for the service account of the gateway's own pod, which has no kubeconfig."""


def files(env: Mapping[str, str] | None = None) -> list[str]:
    """Absolute paths of the existing kubeconfig files of this process, by kubectl's rules."""
    env = os.environ if env is None else env
    home = env.get("HOME") or str(Path.home())
    named = env.get("KUBECONFIG") or str(Path(home) / ".kube" / "config")
    paths = [Path(path).expanduser() for path in named.split(os.pathsep) if path]
    return [str(path.absolute()) for path in paths if path.is_file()]


def fields(asked: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that a create request on Kubernetes adds automatically: the path of this process's kubeconfig, if any.

    Not if the profile names one, or if the engine is to run in the gateway's own cluster.
    """
    known = {**(profile.get("kubernetes") or {}), **(asked.get("kubernetes") or {})}
    if known.get("kubeconfig") or known.get("context") == IN_CLUSTER or not (found := files()):
        return {}
    return {"kubernetes": {"kubeconfig": os.pathsep.join(found)}}


def contexts(env: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Each context of the kubeconfig with its namespace (empty: none); nothing if it cannot be read."""
    try:
        import yaml  # noqa: PLC0415 - heavy, and optional
    except ModuleNotFoundError:
        return  # then completion offers nothing
    seen = set()
    for file in files(env):
        try:
            found = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
            entries = [
                (str(item["name"]), str(item.get("context", {}).get("namespace") or "")) for item in found["contexts"]
            ]
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            continue  # the command reports what is wrong with it
        for name, namespace in entries:
            if name not in seen:
                seen.add(name)
                yield name, namespace

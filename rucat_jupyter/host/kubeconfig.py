"""What a kernel knows of Kubernetes: which kubeconfig it uses, for a create to name it, and its contexts, for Tab.

The gateway's environment is its own, so a create names the files; what is in them the gateway reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

IN_CLUSTER = "in-cluster"
"""The context that stands for the service account of the gateway's own pod: it has no kubeconfig."""


def files(env: Mapping[str, str] | None = None) -> list[str]:
    """The kubeconfig files of this process as absolute paths, by kubectl's rules; those that are not there left out."""
    env = os.environ if env is None else env
    home = env.get("HOME") or str(Path.home())
    named = env.get("KUBECONFIG") or str(Path(home) / ".kube" / "config")
    paths = [Path(path).expanduser().absolute() for path in named.split(os.pathsep) if path]
    return [str(path) for path in paths if path.is_file()]


def fields(asked: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """What a create of an engine on Kubernetes adds by itself: the path of this process's kubeconfig, if it has one.

    Not where the profile names one, or where the engine shall run in the gateway's own cluster.
    """
    known = {**(profile.get("kubernetes") or {}), **(asked.get("kubernetes") or {})}
    if known.get("kubeconfig") or known.get("context") == IN_CLUSTER or not (found := files()):
        return {}
    return {"kubernetes": {"kubeconfig": os.pathsep.join(found)}}


def contexts(env: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Each context of the kubeconfig with its namespace (empty: it names none); nothing where it cannot be read."""
    try:
        import yaml
    except ModuleNotFoundError:
        return  # Tab offers nothing then
    seen = set()
    for file in files(env):
        try:
            found = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
            entries = [
                (str(item["name"]), str(item.get("context", {}).get("namespace") or "")) for item in found["contexts"]
            ]
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            continue  # the verb says what is wrong with it
        for name, namespace in entries:
            if name not in seen:
                seen.add(name)
                yield name, namespace

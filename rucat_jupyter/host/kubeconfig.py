"""The kubeconfig of a process: its path, which create requests contain, its contexts, and what reaches its plugins.

The gateway has its own environment, so a create request contains the paths, and the gateway reads the files. The
Jupyter server sends them as a header, for the requests of the panel.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .patience import waited, within

IN_CLUSTER = "in-cluster"
"""The context name for the service account of the gateway's own pod, which has no kubeconfig."""


HEADER = "X-Rucat-Kubeconfig"
"""Set by the Jupyter server: its own kubeconfig files, percent-encoded, for requests that name none."""
PLUGIN_ENV = re.compile(
    r"KUBE\w*|KRB5\w*|(MSI|IDENTITY)_(ENDPOINT|HEADER|SECRET)"
    r"|(AWS|AZURE|AAD|ARM|GOOGLE|GCLOUD|CLOUDSDK|VAULT|OCI|IBMCLOUD|DIGITALOCEAN|OS|TELEPORT|TSH|ALIBABA_?CLOUD|YC"
    r"|TENCENTCLOUD|HUAWEICLOUD|HCLOUD|LINODE|SCW|CIVO|EXOSCALE|OVH|OKTA|RANCHER|PINNIPED|BOUNDARY|DOPPLER|INFISICAL)_\w+"
    r"|USE_GKE_GCLOUD_AUTH_PLUGIN|SSH_AUTH_SOCK|DBUS_SESSION_BUS_ADDRESS|DISPLAY|WAYLAND_DISPLAY|BROWSER"
)
"""Variables by which clusters and their credential plugins are configured."""
BASIC_ENV = re.compile(
    r"HOME|PATH|LANG|LC_\w+|TMPDIR|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|XDG_\w+"
    r"|(?i:(https?|ftp|all|no)_proxy)"
)
"""Variables that every program of the user needs."""
GLANCE_S = 1.0
"""A file system needs milliseconds to say whether a file is there; one that hangs must not hang us."""
_PATHS = re.compile(r"\w*_(FILE|PATH|DIR|CONFIG|CREDENTIALS|CACERT|CAPATH|BUNDLE|CERT|KEY|KTNAME)")


def plugin_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a credential plugin gets: no variable of Rucat, Jupyter or others."""
    return {name: value for name, value in env.items() if BASIC_ENV.fullmatch(name) or PLUGIN_ENV.fullmatch(name)}


def portable(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a process in another folder: with absolute paths of kubeconfigs and credentials."""
    found = dict(env)
    for name, value in env.items():
        if name == "KUBECONFIG":
            found[name] = os.pathsep.join(_absolute(path) for path in value.split(os.pathsep) if path)
        elif PLUGIN_ENV.fullmatch(name) and _PATHS.fullmatch(name) and os.path.exists(value):  # noqa: PTH110 - see is_file
            found[name] = _absolute(value)
    return found


def named(env: Mapping[str, str]) -> list[str]:
    """Absolute paths of the kubeconfig files that an environment names, there or not."""
    home = env.get("HOME") or str(Path.home())
    paths = env.get("KUBECONFIG") or str(Path(home) / ".kube" / "config")
    return [_absolute(path) for path in paths.split(os.pathsep) if path]


def files(env: Mapping[str, str] | None = None) -> list[str]:
    """Absolute paths of the existing kubeconfig files of this process, by kubectl's rules.

    Where their file system hangs they are all taken for existing: who reads them reports it.
    """
    paths = named(os.environ if env is None else env)
    try:
        return within(GLANCE_S, lambda: [file for file in paths if is_file(file)], os.pathsep.join(paths))
    except TimeoutError:
        return paths


async def files_soon() -> list[str]:
    """Return :func:`files` while the event loop goes on."""
    paths = named(os.environ)
    try:
        return await waited(GLANCE_S, lambda: [file for file in paths if is_file(file)], os.pathsep.join(paths))
    except TimeoutError:
        return paths


def is_file(path: str) -> bool:
    """Whether it is a file. Unlike pathlib's, False too in a folder that we may not read, and for too long a text."""
    return os.path.isfile(path)  # noqa: PTH113 - as above


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
            text = within(GLANCE_S, lambda: Path(file).read_text(encoding="utf-8"), file)  # noqa: B023 - ends in the round
            found = yaml.safe_load(text) or {}
            entries = [
                (str(item["name"]), str(item.get("context", {}).get("namespace") or "")) for item in found["contexts"]
            ]
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            continue  # the command reports what is wrong with it
        for name, namespace in entries:
            if name not in seen:
                seen.add(name)
                yield name, namespace


def _absolute(path: str) -> str:
    full = Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib raises for ~ of an unknown user
    try:
        return str(full.absolute())
    except FileNotFoundError:  # the working directory is gone
        return str(full)

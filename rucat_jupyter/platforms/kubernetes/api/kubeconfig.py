"""Read a context of kubeconfigs as kubectl does: files merged, paths absolute, precedence of credentials."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....host.kubeconfig import is_file
from ..troubles import line

Json = dict[str, Any]

PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}
"""Keys whose value is relative to the file that it is in."""


class ConfigFault(Exception):
    """What is wrong with a kubeconfig."""


def load(file: str) -> Json:
    """Read one file; empty if it is not there, or has nothing in it."""
    import yaml  # noqa: PLC0415 - heavy; comes with the library

    if not is_file(file):
        return {}
    try:
        found = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as exc:
        raise ConfigFault(f"{file} cannot be read as a kubeconfig: {line(exc)}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigFault(f"{file} cannot be read as a kubeconfig: it is a {type(found).__name__}, not a mapping")
    return found


def entries(config: Mapping[str, Any], kind: str, file: str = "") -> Iterator[Json]:
    """The entries of a kind in a file: each has a name and may have a mapping."""
    found, part = config.get(kind) or [], kind[:-1]
    if not isinstance(found, list):
        raise ConfigFault(f"{file} cannot be read as a kubeconfig: {kind} is not a list")
    for item in found:
        if not isinstance(item, dict) or "name" not in item or not isinstance(item.get(part) or {}, dict):
            said = f"{kind} has an entry that is not a name and a {part}"
            raise ConfigFault(f"{file} cannot be read as a kubeconfig: {said}")
        yield item


def cluster_and_user(kubeconfig: str, context: str) -> tuple[Json, Json]:
    """Cluster and user (empty: none) of a context, of the first file that has an entry of that name."""
    files = [file for file in kubeconfig.split(os.pathsep) if file]
    chosen = _find(files, "contexts", context)
    if chosen is None:
        raise ConfigFault(f"there is no context {context!r}")
    cluster = _find(files, "clusters", chosen.get("cluster"))
    if cluster is None:
        raise ConfigFault(f"it names the cluster {chosen.get('cluster')!r}, which is not there")
    user = _find(files, "users", chosen["user"]) if chosen.get("user") else {}
    if user is None:
        raise ConfigFault(f"it names the user {chosen['user']!r}, which is not there")
    return _server(cluster), _credentials(user)


def impersonation(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers by which a user acts as another one."""
    if not (other := user.get("as")):
        return []
    headers = [("Impersonate-User", str(other))]
    headers += [("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or []]
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{key}", str(value)) for value in values]
    return headers


# --- private ----------------------------------------------------------------------------------------------


def _find(files: list[str], kind: str, name: object) -> Json | None:
    for file in files:
        for item in entries(load(file), kind, file):
            if item.get("name") == name:
                return _located(item.get(kind[:-1]) or {}, kind, Path(file).parent)
    return None


def _located(entry: Mapping[str, Any], kind: str, folder: Path) -> Json:
    """The entry without what is empty, with absolute paths."""
    found = {key: value for key, value in entry.items() if value not in ("", None)}
    for key in PATHS.get(kind, ()):
        if key in found:
            found[key] = str(folder / found[key])
    plugin = found.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):  # others are searched on PATH
        found["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return found


def _server(cluster: Json) -> Json:
    """The cluster with an address that has a scheme in small letters."""
    server = str(cluster.get("server") or "")
    if not server:
        raise ConfigFault("its cluster has no server")
    scheme, colon, rest = server.partition("://")
    if colon:
        server = f"{scheme.lower()}://{rest}"
    else:
        has_tls = any(key.startswith("certificate-authority") for key in cluster)
        is_tls = has_tls or cluster.get("insecure-skip-tls-verify")
        server = f"{'https' if is_tls else 'http'}://{server}"
    return {**cluster, "server": server}


def _credentials(user: Json) -> Json:
    """The user with one kind of token: of a file, else in the kubeconfig, else of a plugin."""
    file = user.pop("tokenFile", None)
    if file and is_file(file) and (token := read_token(file)):
        user |= {"token": token, "tokenFile": file}
    if user.get("token"):
        user.pop("exec", None)
    return user


def read_token(file: str) -> str:
    """The token in a file, which may end with a line's end."""
    return Path(file).read_text(encoding="utf-8").strip()

"""Lays a strategic merge patch over a pod, as the API server would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

MERGE_KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "ports": "containerPort",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ownerReferences": "uid",
}
"""Lists of a pod that are merged by a key of their items (``x-kubernetes-patch-merge-key``); others are replaced."""

DIRECTIVE = "$patch"
RETAIN = "$retainKeys"


def patched(pod: Json, *patches: Mapping[str, object]) -> Json:
    """The pod with these patches over it, one after the other. ValueError says which part of one has no meaning."""
    for patch in patches:
        pod = _merged(pod, patch, "")
    return pod


def _merged(base: object, patch: Mapping[str, Any], path: str) -> Json:
    directive = patch.get(DIRECTIVE, "merge")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != DIRECTIVE}
    if directive == "delete":
        return {}
    if directive != "merge":
        raise ValueError(f"{path}{DIRECTIVE}: must be 'replace', 'delete' or 'merge'")
    found: Json = dict(base) if isinstance(base, Mapping) else {}
    if RETAIN in patch:
        kept = patch[RETAIN]
        if not isinstance(kept, list):
            raise ValueError(f"{path}{RETAIN}: must be a list of keys")
        found = {key: value for key, value in found.items() if key in kept}
    for key, value in patch.items():
        if key in (DIRECTIVE, RETAIN):
            continue
        if key.startswith("$"):
            raise ValueError(f"{path}{key}: only the directives $patch and $retainKeys are supported")
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            found[key] = _merged(found.get(key), value, f"{path}{key}.")
        elif isinstance(value, list) and key in MERGE_KEYS and isinstance(found.get(key, []), list):
            found[key] = _merged_list(found.get(key, []), value, MERGE_KEYS[key], f"{path}{key}")
        else:
            found[key] = value
    return found


def _merged_list(base: list[Any], patch: list[Any], merge_key: str, path: str) -> list[Any]:
    if any(isinstance(item, Mapping) and item.get(DIRECTIVE) == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, Mapping) and DIRECTIVE in item)]
    found = list(base)
    for item in patch:
        if not isinstance(item, Mapping) or merge_key not in item:
            raise ValueError(f"{path}: each item needs its merge key {merge_key!r}")
        at = next((n for n, old in enumerate(found) if _key(old, merge_key) == item[merge_key]), None)
        if item.get(DIRECTIVE) == "delete":
            found = [old for old in found if _key(old, merge_key) != item[merge_key]]
        elif at is None:
            found.append(_merged({}, item, f"{path}."))
        else:
            found[at] = _merged(found[at], item, f"{path}.")
    return found


def _key(item: object, merge_key: str) -> object:
    return item.get(merge_key) if isinstance(item, Mapping) else None

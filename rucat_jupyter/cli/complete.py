"""Completion for shells: it never starts a gateway, never waits long and never prints a message."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import Any

from ..client.words.text import SYMBOLS, plain
from ..core.errors import RucatError
from ..host import kubeconfig
from ..launch import launch

PATIENCE_S = 2.0
"""Longest wait for the gateway; a response usually takes some milliseconds."""
VARIABLE = "_RUCAT_COMPLETE"
"""Environment variable in which the shell function of click passes its instruction."""


def engines(incomplete: str) -> list[tuple[str, str]]:
    """Names of the user's engines, each with its status."""
    found = _ask("engines", "engines")
    return _matching([(view["name"], view["status"]) for view in found], incomplete)


def profiles(incomplete: str) -> list[tuple[str, str]]:
    """Names of profiles, each with its description."""
    found = _ask("profiles", "profiles")
    return _matching([(profile["name"], profile["description"]) for profile in found], incomplete)


def contexts(incomplete: str) -> list[tuple[str, str]]:
    """Contexts of the kubeconfig, each with its namespace."""
    return _matching([(name, namespace or "default") for name, namespace in kubeconfig.contexts()], incomplete)


def namespaces(incomplete: str) -> list[tuple[str, str]]:
    """Namespaces of contexts and engines; completion sends no request to a cluster."""
    named = {namespace: name for name, namespace in kubeconfig.contexts() if namespace}
    for view in _ask("engines", "engines"):
        if namespace := ((view.get("spec") or {}).get("kubernetes") or {}).get("namespace"):
            named.setdefault(namespace, view["name"])
    return _matching(sorted(named.items()), incomplete)


def statuses(incomplete: str) -> list[str]:
    """All statuses."""
    return [word for word in SYMBOLS if word.lower().startswith(incomplete.lower())]


def _matching(found: list[tuple[str, str]], incomplete: str) -> list[tuple[str, str]]:
    """Matches of the prefix; bash inserts them unquoted, so we escape spaces for it; other shells quote."""
    blank = "\\ " if os.environ.get(VARIABLE, "").endswith("bash") else " "
    return [(plain(name).replace(" ", blank), plain(said, 60)) for name, said in found if name.startswith(incomplete)]


def _ask(path: str, key: str) -> list[dict[str, Any]]:
    """Ask the gateway if one runs; completion ignores errors, because a message would break the command line."""
    try:
        address = launch.find()
        if address is None:
            return []
        connection = http.client.HTTPConnection("rucat", timeout=PATIENCE_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE_S)
        connection.sock.connect(address.socket)
        connection.request("GET", f"/rucat/{path}", headers={"Connection": "close"})
        found: list[dict[str, Any]] = json.loads(connection.getresponse().read())[key]
    except (RucatError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return []
    return found

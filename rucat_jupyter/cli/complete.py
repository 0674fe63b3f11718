"""What Tab offers in a shell: never starts a gateway, never waits long, never says a word of its own."""

from __future__ import annotations

import os
from typing import Any

PATIENCE_S = 2.0
"""Longer than that nobody waits for Tab; an answer takes some milliseconds."""
VARIABLE = "_RUCAT_COMPLETE"
"""Where the shell's function says what it wants, as click names it."""


def engines(incomplete: str) -> list[tuple[str, str]]:
    """Names of my engines, each with its status."""
    found = _ask("engines", "engines")
    return _matching([(view["name"], view["status"]) for view in found], incomplete)


def profiles(incomplete: str) -> list[tuple[str, str]]:
    """Names of profiles, each with what it is."""
    found = _ask("profiles", "profiles")
    return _matching([(profile["name"], profile["description"]) for profile in found], incomplete)


def contexts(incomplete: str) -> list[tuple[str, str]]:
    """Contexts of the kubeconfig, each with its namespace."""
    from ..host import kubeconfig

    return _matching([(name, namespace or "default") for name, namespace in kubeconfig.contexts()], incomplete)


def namespaces(incomplete: str) -> list[tuple[str, str]]:
    """Namespaces that contexts and engines name: a cluster is not asked for Tab."""
    from ..host import kubeconfig

    named = {namespace: name for name, namespace in kubeconfig.contexts() if namespace}
    for view in _ask("engines", "engines"):
        if namespace := ((view.get("spec") or {}).get("kubernetes") or {}).get("namespace"):
            named.setdefault(namespace, view["name"])
    return _matching(sorted(named.items()), incomplete)


def statuses(incomplete: str) -> list[str]:
    """The words that a status can be."""
    from ..client.words.text import SYMBOLS

    return [word for word in SYMBOLS if word.lower().startswith(incomplete.lower())]


def _matching(found: list[tuple[str, str]], incomplete: str) -> list[tuple[str, str]]:
    """Those that begin so; bash inserts them as they are, so blanks are escaped for it, the other shells quote."""
    from ..client.words.text import plain

    blank = "\\ " if os.environ.get(VARIABLE, "").endswith("bash") else " "
    return [(plain(name).replace(" ", blank), plain(said, 60)) for name, said in found if name.startswith(incomplete)]


def _ask(path: str, key: str) -> list[dict[str, Any]]:
    """Ask the gateway that runs, if one does; nothing is worth an error under somebody's cursor."""
    import http.client
    import json
    import socket

    from ..core.errors import RucatError
    from ..launch import launch

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

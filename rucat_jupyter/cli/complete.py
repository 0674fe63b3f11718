"""Completion for shells: it never starts a gateway, never waits long and never prints a message."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..client.words.text import SYMBOLS, plain
from ..core.errors import RucatError
from ..host import kubeconfig, spark_confs
from ..launch import launch
from ..verbs.parser import TERMINAL, BadUsage, Parser
from ..verbs.table import verbs_of
from . import output

PATIENCE_S = 2.0
"""Longest wait for the gateway; a response usually takes some milliseconds."""
VARIABLE = "_RUCAT_COMPLETE"
"""Environment variable in which a shell says its name; the words of the line, up to the cursor, are arguments."""
SCRIPTS = {
    "bash": """\
_rucat() {
    local IFS=$'\\n'
    COMPREPLY=($(_RUCAT_COMPLETE=bash rucat "${COMP_WORDS[@]:1:COMP_CWORD}"))
    [[ "${COMPREPLY[0]}" == *= ]] && compopt -o nospace  # a conf, whose value follows
}
complete -o default -F _rucat rucat""",
    "zsh": """\
#compdef rucat
_rucat() {
    local -a found more
    found=("${(@f)$(_RUCAT_COMPLETE=zsh rucat "${(@)words[2,CURRENT]}")}")
    [[ "${found[1]}" == *=:* ]] && more=(-S '')  # a conf, whose value follows
    [[ -n "$found" ]] && _describe rucat found "${more[@]}" || _files
}
compdef _rucat rucat""",
    "fish": """\
complete -c rucat -a '(_RUCAT_COMPLETE=fish rucat (commandline -opc)[2..-1] (commandline -ct))'""",
}
Words = Iterable[tuple[str, str]]


def script(words: Sequence[str]) -> str:
    """What a shell needs to complete; without its name, that of ``SHELL``."""
    shell = words[0] if words else Path(os.environ.get("SHELL", "")).name
    if shell not in SCRIPTS:
        raise BadUsage(f"--show-completion: {shell!r} is not one of {', '.join(SCRIPTS)}")
    return SCRIPTS[shell]


def answer(words: Sequence[str]) -> int:
    """Print what may take the place of the last word, as the shell in :data:`VARIABLE` expects it."""
    shell, last = os.environ[VARIABLE], words[-1] if words else ""
    for word, means in _offered(words[:-1], last):
        if not word.startswith(last):
            continue
        name, doc = plain(word), plain(means, 60)
        if shell == "bash":  # it inserts words unquoted
            output.say(name.replace(" ", "\\ "))
        else:
            output.say(f"{name.replace(':', chr(92) + ':')}:{doc}" if shell == "zsh" else f"{name}\t{doc}")
    return 0


def _offered(words: Sequence[str], last: str) -> Words:
    if not words:
        return [(verb.name, verb.does) for verb in verbs_of(TERMINAL).values()]
    verb = verbs_of(TERMINAL).get(words[0])
    if verb is None:
        return []
    parser = Parser(verb, TERMINAL)
    given, pending, others = parser.given(words[1:])
    if pending is not None:
        return _values(pending)
    if last.startswith("-") and "=" in last:
        flag = last.partition("=")[0]
        action = parser.action(flag)
        return [(f"{flag}={word}", means) for word, means in _values(action)] if action else []
    if last.startswith("-"):
        return [
            (action.option_strings[0], action.help or "")
            for action in parser.options()
            if action.dest not in given or isinstance(action, argparse._AppendAction)
        ]
    places = parser.words()
    return _values(places[len(others)]) if len(others) < len(places) else []


def _values(action: argparse.Action) -> Words:
    """Values of a flag or argument, each with what it is."""
    if action.choices is not None:
        return [(str(choice), "") for choice in action.choices]
    source = SOURCES.get(getattr(action, "completed_by", ""))
    return source() if source else []


def _namespaces() -> Words:
    """Namespaces of contexts and engines; completion sends no request to a cluster."""
    named = {namespace: name for name, namespace in kubeconfig.contexts() if namespace}
    for view in _ask("engines", "engines"):
        if namespace := ((view.get("spec") or {}).get("kubernetes") or {}).get("namespace"):
            named.setdefault(namespace, view["name"])
    return sorted(named.items())


SOURCES: dict[str, Callable[[], Words]] = {
    "engines": lambda: [(view["name"], view["status"]) for view in _ask("engines", "engines")],
    "profiles": lambda: [(profile["name"], profile["description"]) for profile in _ask("profiles", "profiles")],
    "statuses": lambda: [(status, "") for status in SYMBOLS],
    "confs": lambda: [(f"{setting.key}=", setting.text) for setting in spark_confs.load().values()],
    "contexts": lambda: [(name, namespace or "default") for name, namespace in kubeconfig.contexts()],
    "namespaces": _namespaces,
}
"""By the names that the table of verbs has."""


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

"""Commands by which an administrator grants what the API server says is missing; pure."""

from __future__ import annotations

import re
import shlex

from ..rights import RUCAT
from .access import Way

GRANT = "To grant them, in a terminal"
_NO_RIGHT = re.compile(r'User "(?P<user>[^"\n]+)" cannot \S+ resource')


def kubectl(way: Way) -> str:
    """The words that begin a command for the way's cluster."""
    return "kubectl" if way.is_in_cluster else f"kubectl --context {shlex.quote(way.context)}"


def remedy(way: Way, said: str = "") -> str:
    """The command that grants Rucat its rights in a namespace, to the user too that the API server's words name."""
    found = _NO_RIGHT.search(said)
    user = found["user"] if found else ""
    own = {"", f"system:serviceaccount:{way.namespace}:{RUCAT}"}
    more = "" if user in own else f" --user {shlex.quote(user)}"
    return f"rucat kubernetes manifests --namespace {way.namespace}{more} | {kubectl(way)} apply -f -"


def granting(way: Way, said: str) -> str:
    """What to add to words of the API server: the command, if they are of a missing right of the caller."""
    return f". {GRANT}: {remedy(way, said)}" if _NO_RIGHT.search(said) else ""

"""``rucat kubernetes manifests``, with which an administrator prepares a namespace."""

from __future__ import annotations

import argparse

from ..platforms.kubernetes import rights
from . import output


def _manifests(asked: argparse.Namespace) -> None:
    """Print what Rucat needs in a namespace: two service accounts, two Roles, their bindings; nothing cluster-wide."""
    output.say(rights.as_yaml(rights.manifests(asked.namespace, users=asked.user, groups=asked.group)).rstrip("\n"))


RUNS = {"kubernetes": _manifests}

"""Check Kubernetes through the gateway, the only process that connects to clusters: is it reachable, missing rights."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from urllib.parse import urlencode

from ..host import kubeconfig
from .findings import Finding, Surroundings, bad, ok, warn
from .gateway import REPLACE, address_of, ask

AREA = "kubernetes"
ANSWER_S = 10.5
"""Longer than the gateway's own time limits: 1.8 s for a cluster that cannot be reached, 10 s for a slow one."""


def clusters(place: Surroundings) -> Iterator[Finding]:
    """Report what the gateway finds in the namespaces where engines run or would run.

    A problem is bad for users with engines on Kubernetes, and a warning for others.
    """
    files = kubeconfig.files(place.env)
    address = address_of(place.directory)
    known = ", ".join(name for name, _ in kubeconfig.contexts(place.env)) if files else ""
    if address is None:
        said = f"contexts {known}" if known else "no kubeconfig"
        yield ok(AREA, f"{said}; clusters are not checked, since no gateway runs (doctor --start starts one)")
        return
    query = f"?{urlencode({'kubeconfig': os.pathsep.join(files)})}" if files else ""
    try:
        found = ask(address, f"checkup{query}", ANSWER_S)
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield warn(AREA, f"the gateway did not answer within {ANSWER_S:g} s ({type(error).__name__})", "run it again")
        return
    symptoms = found.get("symptoms")
    if symptoms is None:  # an older gateway has no such route
        yield warn(AREA, f"the gateway cannot check: {found.get('message', 'it is an older version')}", REPLACE)
        return
    for symptom in symptoms:
        said = f"{symptom['place']}: {symptom['found']}"
        if not symptom["fix"]:
            yield ok(AREA, said)
        elif symptom["used"] or files:
            yield (bad if symptom["used"] else warn)(AREA, said, symptom["fix"])
    if not symptoms or not (files or any(symptom["used"] or not symptom["fix"] for symptom in symptoms)):
        yield ok(AREA, "no kubeconfig, and no engine there: nothing to check")

"""A private home whose engines run on a cluster, with the rights that Rucat ships and no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rucat_jupyter.platforms.kubernetes import rights

from .cluster import TestCluster
from .notebook import Kernel
from .place import QUICK_JVM, Place, wait_until

ENGINE = """
import rucat_jupyter
small = {{"request_cores": "100m"}}
workers = {{"instances": {executors}, **small}}
engine = rucat_jupyter.create({name!r}, profile="k8s-small", driver=small, executors=workers, image={image!r},
                              java_options={java}, kubernetes={{"namespace": {namespace!r}}},
                              wait={wait}, timeout_s=240)
print(engine.id)
"""
"""Several of them have to fit on a node with two cores."""


def give_rights(cluster: TestCluster, namespace: str, folder: Path, users: Sequence[str] = ()) -> Path:
    """Apply what ``rucat kubernetes manifests`` prints; a kubeconfig of the account that it is for."""
    cluster.apply_rights(namespace, *(word for user in users for word in ("--user", user)))
    return kubeconfig_of(cluster, namespace, rights.RUCAT, folder)


def kubeconfig_of(cluster: TestCluster, namespace: str, account: str, folder: Path) -> Path:
    """A kubeconfig of a service account, in whose namespace it works."""
    body = {"spec": {"expirationSeconds": 3600}}
    create = cluster.core.create_namespaced_service_account_token
    token = create(account, namespace, body, _request_timeout=10).status.token
    chosen = {"cluster": "rucat", "user": "rucat", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "rucat", "cluster": cluster_of(cluster.kubeconfig)}],
        "users": [{"name": "rucat", "user": {"token": token}}],
        "contexts": [{"name": "rucat", "context": chosen}],
        "current-context": "rucat",
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(config))
    return file


def cluster_of(kubeconfig: Path) -> dict[str, Any]:
    """The cluster of the current context, whatever it is called there; its authority's file by a path from the root."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    found: dict[str, Any] = _named(config["clusters"], context["cluster"])["cluster"]
    if file := found.get("certificate-authority"):
        found["certificate-authority"] = str(kubeconfig.resolve().parent / file)
    return found


def _named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in items if item["name"] == name)


def create(kernel: Kernel, cluster: TestCluster, namespace: str, name: str, *, executors: int = 1, wait: bool) -> str:
    """Create an engine from a notebook; its id."""
    code = ENGINE.format(
        name=name, executors=executors, java=list(QUICK_JVM), image=cluster.image, wait=wait, namespace=namespace
    )
    return kernel.run(code, timeout_s=300).stdout.split()[-1]


def view_of(place: Place, ref: str) -> dict[str, Any]:
    """An engine as the command line shows it."""
    done = place.rucat("status", ref, "--json")
    assert done.returncode == 0, done.stderr
    view: dict[str, Any] = json.loads(done.stdout)
    return view


def wait_for(place: Place, ref: str, status: str, deadline_s: float) -> dict[str, Any]:
    """Wait until an engine has that status; Failed is waited for in vain."""

    def look() -> dict[str, Any] | None:
        view = view_of(place, ref)
        assert view["status"] in {status, "Pending", "Running", "Unresponsive", "Stopping"}, view
        return view if view["status"] == status else None

    found = wait_until(f"{ref} is {status}", look, deadline_s, pause_s=0.5)
    assert found is not None
    return found

"""A pod in which this checkout runs: the same Python, packages and sources as outside, mounted from this machine.

For clusters that run on this machine alone (``cluster.own``). The pod's image gives the C library and a shell's tools.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from support.cluster import TestCluster

ROOT = Path(__file__).parents[2]
HOME = "/tmp/home"


def client_pod(cluster: TestCluster, name: str, *argv: str, **spec: Any) -> dict[str, Any]:
    """Describe a pod that runs this Python with some arguments, in this checkout, with a home of its own.

    It runs as root, for the mounted folders may be closed to others; `spec` adds to the pod's spec, a service account
    for instance. Its environment has the temp home's folders, so a gateway in it is its own.
    """
    mounted = _outermost({ROOT, Path(sys.prefix), Path(sys.base_prefix), *_links(Path(sys.executable))})
    volumes = [{"name": f"v{n}", "hostPath": {"path": str(path)}} for n, path in enumerate(mounted)]
    mounts = [{"name": f"v{n}", "mountPath": str(path), "readOnly": True} for n, path in enumerate(mounted)]
    env = {"HOME": HOME, "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    container = {
        "name": "main",
        "image": cluster.image,
        "command": [sys.executable, *argv],
        "workingDir": str(ROOT),
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "volumeMounts": [*mounts, {"name": "home", "mountPath": HOME}],
        "securityContext": {"runAsUser": 0},
        "resources": {"requests": {"cpu": "100m"}},
    }
    home = {"name": "home", "emptyDir": {}}
    described = {"containers": [container], "volumes": [*volumes, home], "restartPolicy": "Never", **spec}
    return {"metadata": {"name": name}, "spec": described}


def _links(program: Path) -> list[Path]:
    """List the folders of the links by which a program is reached: an environment's Python may be a link to a link."""
    folders = []
    while program.is_symlink():
        program = program.parent / program.readlink()
        folders.append(program.parent.resolve() if program.parent.is_symlink() else program.parent)
    return folders


def _outermost(paths: set[Path]) -> list[Path]:
    """Drop the folders that lie in another one of them."""
    return sorted(path for path in paths if not any(other in path.parents for other in paths))

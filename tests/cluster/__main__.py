"""The command line of the test cluster: ``python -m cluster up|down|build|api-stop|api-start|kwok FOLDER``."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache, image, surreal, up
from .layout import Layout


def main() -> int:
    """Do what the arguments say; one line when it cannot be done."""
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    parser.add_argument("verb", choices=("build", "up", "down", "api-stop", "api-start", "kwok"))
    parser.add_argument("folder", type=Path, nargs="?", help="where the cluster's files are; must not exist before")
    parser.add_argument("--number", type=int, default=0, help="0 to 249, of its link and addresses on this machine")
    parser.add_argument("--port", type=int, default=6443, help="of the API server on the cluster's address")
    parser.add_argument("--bridge", default="cni0", help="of the pods, in the cluster's own network")
    parser.add_argument("--all", action="store_true", help="build what only `make test-all` needs, too")
    given = parser.parse_args()
    if given.verb != "build" and given.folder is None:
        parser.error("which folder?")
    try:
        return _do(given)
    except (cache.CannotBuild, FileNotFoundError, ValueError) as exc:
        print(f"cluster: {exc}", file=sys.stderr)
        return 1


def _do(given: argparse.Namespace) -> int:
    began = time.monotonic()
    if given.verb in ("build", "up") and (reason := up.missing()):
        raise cache.CannotBuild(reason)
    if given.verb == "build":
        _build(given.all)
    elif given.verb == "up":
        layout = Layout(given.folder.resolve(), given.number, given.port, given.bridge)
        cluster = up.start(layout)
        print(f"export RUCAT_TEST_KUBECONFIG={cluster.kubeconfig}")
        print(f"export RUCAT_TEST_CLUSTER={layout.folder}")
        for variable, version in zip(("RUCAT_TEST_IMAGE", "RUCAT_TEST_IMAGE_41"), up.images(), strict=False):
            print(f"export {variable}={image.tag(version)}")
    else:
        cluster = up.Cluster.find(given.folder)
        verbs = {
            "down": cluster.down,
            "api-stop": cluster.stop_api_server,
            "api-start": cluster.start_api_server,
            "kwok": cluster.start_kwok,
        }
        verbs[given.verb]()
    print(f"{given.verb} took {time.monotonic() - began:.1f} s", file=sys.stderr)
    return 0


def _build(everything: bool) -> None:
    """Build what clusters need; with `everything` the SurrealDB server beside it: Go leaves a core idle at times."""
    if not everything:
        return up.build()
    if reason := surreal.missing():
        raise cache.CannotBuild(reason)
    with ThreadPoolExecutor(1) as beside:
        server = beside.submit(surreal.server)
        up.build()
        up.build_rest()
    server.result()
    return None


if __name__ == "__main__":
    sys.exit(main())

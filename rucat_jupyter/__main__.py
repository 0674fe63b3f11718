"""``rucat`` and ``python -m rucat_jupyter``: the one place that joins the command line and the service."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; the gateway's own start takes the short way, without it."""
    arguments = sys.argv[1:]
    if arguments[:2] == ["serve", "--notify"] and len(arguments) == 3:
        _serve_detached(int(arguments[2]))
    from . import cli

    cli.run(_serve)


def _serve_detached(descriptor: int) -> None:
    """Be the gateway that somebody waits for: a grandchild, so that nobody ever has to reap it."""
    if os.fork():
        os._exit(0)
    from .service import process

    process.leave(process.serve_detached(descriptor))


def _serve() -> None:
    from .service import process

    process.leave(process.serve_here())


if __name__ == "__main__":
    main()

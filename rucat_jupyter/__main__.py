"""``rucat`` and ``python -m rucat_jupyter``: the one place that joins the command line and the service."""

from __future__ import annotations

import os
import sys

FAILED, INTERRUPTED = 1, 130
"""Exit codes, as the command line has them."""


def main() -> None:
    """Run the command line; the gateway's own start takes the short way, without it."""
    arguments = sys.argv[1:]
    if arguments[:2] == ["serve", "--notify"] and len(arguments) == 3:
        _serve_detached(int(arguments[2]))
    try:
        from .client.cells.lost_interrupt import comes_again

        with comes_again():
            from . import cli

            cli.run(_serve)
    except KeyboardInterrupt:  # while the program itself was still being loaded
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith(__package__ or "rucat_jupyter"):
            raise
        sys.exit(_say_missing(missing.name, arguments))


def _say_missing(module: str, arguments: list[str]) -> int:
    """Say that a package is missing; ``doctor`` works all the same, for that is what it is for."""
    if arguments[:1] != ["doctor"]:
        sys.stderr.write(f"rucat: the package {module!r} is missing here. What mends it: rucat doctor\n")
        return FAILED
    from .checkup.report import doctor

    found = doctor()
    if "--json" in arguments:
        import json

        sys.stdout.write(json.dumps(found.report.as_json(), indent=2) + "\n")
    else:
        sys.stdout.write(f"{found!r}\n")
    return FAILED if found.report.level.value == "bad" else 0


def _serve_detached(descriptor: int) -> None:
    """Be the gateway that somebody waits for: a grandchild, so that nobody ever has to reap it."""
    if os.fork():
        os._exit(0)
    from .gateway.service.process import process

    process.leave(process.serve_detached(descriptor))


def _serve() -> None:
    from .gateway.service.process import process

    process.leave(process.serve_here())


if __name__ == "__main__":
    main()

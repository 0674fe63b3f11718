"""``rucat`` and ``python -m rucat_jupyter``: the one place that joins the command line and the service."""

from __future__ import annotations

import os
import sys

FAILED, INTERRUPTED = 1, 130
"""Exit codes, as the command line has them."""


def main() -> None:
    """Run the command line, or the gateway, which starts without loading the command line."""
    arguments = sys.argv[1:]
    if arguments[:2] == ["serve", "--notify"] and len(arguments) == 3:
        _serve_detached(int(arguments[2]))
    try:
        from .client.cells.lost_interrupt import comes_again  # noqa: PLC0415 - heavy; the gateway needs it not

        with comes_again():
            from . import cli  # noqa: PLC0415 - heavy; the gateway needs it not

            cli.run(_serve)
    except KeyboardInterrupt:  # while the program itself was loading
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith(__package__ or "rucat_jupyter"):
            raise
        sys.exit(_say_missing(missing.name, arguments))


def _say_missing(module: str, arguments: list[str]) -> int:
    """Say that a package is missing; ``doctor`` works without it, and says how to install it."""
    if arguments[:1] != ["doctor"]:
        sys.stderr.write(f"rucat: the package {module!r} is missing. See how to install it: rucat doctor\n")
        return FAILED
    import json  # noqa: PLC0415 - only here: a Ctrl-C while this module loads cannot be quiet

    from .checkup.report import doctor  # noqa: PLC0415 - only where a package is missing

    found = doctor()
    if "--json" in arguments:
        sys.stdout.write(json.dumps(found.report.as_json(), indent=2) + "\n")
    else:
        sys.stdout.write(f"{found!r}\n")
    return FAILED if found.report.level.value == "bad" else 0


def _serve_detached(descriptor: int) -> None:
    """Run the gateway as a grandchild, so that no process has to reap it."""
    if os.fork():
        os._exit(0)
    from .gateway.service.process import process  # noqa: PLC0415 - heavy

    process.leave(process.serve_detached(descriptor))


def _serve() -> None:
    from .gateway.service.process import process  # noqa: PLC0415 - heavy

    process.leave(process.serve_here())


if __name__ == "__main__":
    main()

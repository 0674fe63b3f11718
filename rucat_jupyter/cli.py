"""The command line ``rucat``; so far it knows ``serve``, the engines' verbs are a later issue."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from . import datadir, launch
from .errors import RucatError


def run(serve: Callable[[], None]) -> None:
    """Run the command line; ``serve`` is the gateway itself."""
    app = typer.Typer(
        name="rucat",
        help="Create, connect and manage data engines from a notebook.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def rucat() -> None:
        """Keep ``serve`` a command of its own, also while it is the only one."""

    @app.command("serve")
    def serve_command(
        stop: Annotated[bool, typer.Option("--stop", help="End the gateway; its engines live on.")] = False,
        engines: Annotated[bool, typer.Option("--engines", help="With --stop: stop its engines first.")] = False,
        replace: Annotated[
            bool, typer.Option("--replace", help="End the gateway and start a new one; engines live on.")
        ] = False,
    ) -> None:
        """Serve the gateway of the data directory (RUCAT_DATA_DIR) until it is told to end.

        Nobody needs to: notebooks and Jupyter servers start it when they need it.
        """
        if engines and not stop:
            raise typer.BadParameter("goes with --stop only", param_hint="--engines")
        if stop and replace:
            raise typer.BadParameter("--stop and --replace exclude each other")
        if stop:
            _stop(engines=engines)
        elif replace:
            _replace()
        else:
            serve()

    try:
        app()
    except RucatError as exc:
        typer.echo(f"rucat: {exc.message}", err=True)
        sys.exit(1)


def _stop(*, engines: bool) -> None:
    directory = datadir.data_dir()
    if launch.stop(directory, engines=engines):
        typer.echo(f"The gateway of {directory} has ended" + (", and its engines with it." if engines else "."))
    else:
        typer.echo(f"No gateway runs in {directory}.")


def _replace() -> None:
    launch.stop()
    address = launch.ensure()
    typer.echo(f"The gateway of {address.data_dir} is now process {address.pid}, Rucat {address.version}.")

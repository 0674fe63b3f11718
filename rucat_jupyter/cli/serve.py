"""The verb ``serve``: run, stop or replace the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ..launch import datadir, launch
from . import output
from .errors import BadUsage
from .options import AsJson


def verb(serve: Callable[[], None]) -> tuple[str, Callable[..., None], tuple[str, ...]]:
    """(verb, function, examples); ``serve`` runs the gateway."""

    def serve_command(
        stop: Annotated[bool, typer.Option("--stop", help="Stop the gateway; its engines keep running.")] = False,
        engines: Annotated[bool, typer.Option("--engines", help="With --stop: stop its engines first.")] = False,
        replace: Annotated[
            bool, typer.Option("--replace", help="Stop the gateway and start a new one; engines keep running.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Run the gateway of the data directory (RUCAT_DATA_DIR).

        You rarely need this command: notebooks, commands and Jupyter servers start the gateway when they need it.
        """
        if engines and not stop:
            raise BadUsage("serve: --engines needs --stop")
        if stop and replace:
            raise BadUsage("serve: --stop and --replace exclude each other")
        if as_json and not (stop or replace):
            raise BadUsage("serve: --json needs --stop or --replace")
        if stop:
            _stop(engines=engines, as_json=as_json)
        elif replace:
            _replace(as_json=as_json)
        else:
            serve()

    examples = ("rucat serve --stop", "rucat serve --stop --engines", "rucat serve --replace")
    return "serve", serve_command, examples


def _stop(*, engines: bool, as_json: bool) -> None:
    directory = datadir.data_dir()
    was_there = launch.stop(directory, engines=engines)
    if as_json:
        output.show_json({"data_dir": str(directory), "was_running": was_there})
    elif was_there:
        output.say(f"The gateway of {directory} has stopped" + (", and so have its engines." if engines else "."))
    else:
        output.say(f"No gateway runs in {directory}.")


def _replace(*, as_json: bool) -> None:
    launch.stop()
    address = launch.ensure()
    if as_json:
        found = {"data_dir": str(address.data_dir), "pid": address.pid, "version": address.version, "api": address.api}
        output.show_json(found)
    else:
        output.say(f"The gateway of {address.data_dir} is now process {address.pid}, Rucat {address.version}.")

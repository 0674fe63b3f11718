"""The verb ``serve``: run, stop or replace the gateway."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ..launch import datadir, launch
from ..verbs.parser import BadUsage
from . import output


def verb(gateway: Callable[[], None]) -> Callable[[argparse.Namespace], None]:
    """The verb's function; ``gateway`` runs the gateway."""

    def serve(asked: argparse.Namespace) -> None:
        if asked.engines and not asked.stop:
            raise BadUsage("serve: --engines needs --stop")
        if asked.json and not (asked.stop or asked.replace):
            raise BadUsage("serve: --json needs --stop or --replace")
        if asked.stop:
            _stop(engines=asked.engines, as_json=asked.json)
        elif asked.replace:
            _replace(as_json=asked.json)
        else:
            gateway()

    return serve


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

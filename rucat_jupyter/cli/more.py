"""Other verbs: ``profiles``, ``plan``, ``doctor``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Optional

import typer

from ..checkup.report import doctor as examine
from ..checkup.report import lines
from ..client.engines import engine
from ..client.engines.plan import planned
from ..client.engines.profiles import profiles as all_profiles
from ..client.engines.settings import from_flags, request
from . import complete, output
from .errors import FAILED
from .options import (
    AsJson,
    Conf,
    Context,
    DriverMemory,
    ExecutorCores,
    ExecutorMemory,
    Executors,
    Image,
    Namespace,
    Profile,
    settings,
)


def profiles(
    name: Annotated[
        Optional[str],  # noqa: UP045  # read at run time, by typer
        typer.Argument(
            metavar="[NAME]",
            help="Show only this profile, with every value and its file.",
            show_default=False,
            autocompletion=complete.profiles,
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every value with the file that it comes from.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the profiles (templates for engines)."""
    if as_json:
        answer = engine.default_api().call("GET", "profiles")
        if name is not None:
            answer["profiles"] = [all_profiles().explain(name).view]
        output.show_json(answer)
        return
    found = all_profiles()
    if name is not None:
        output.say(repr(found.explain(name)))
    else:
        output.say("\n\n".join(map(repr, found.values())) if explain else repr(found))


def plan(  # noqa: PLR0917  # typer's parameters are flags
    name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[NAME]", help="As for create.", show_default=False, autocompletion=complete.engines),
    ] = None,
    profile: Profile = None,
    conf: Conf = None,
    executors: Executors = None,
    executor_memory: ExecutorMemory = None,
    executor_cores: ExecutorCores = None,
    driver_memory: DriverMemory = None,
    image: Image = None,
    namespace: Namespace = None,
    context: Context = None,
    as_json: AsJson = False,
) -> None:
    """Show what create would start.

    Lists all settings and where each value comes from. Creates and starts nothing.
    """
    spec = from_flags(
        executor_memory=executor_memory,
        executor_cores=executor_cores,
        image=image,
        namespace=namespace,
        context=context,
    )
    found = planned(name, request(profile, settings(conf), executors, driver_memory, spec))
    if as_json:
        output.show_json(found.view)
    else:
        output.say(repr(found))


def doctor(
    start: Annotated[bool, typer.Option("--start", help="Start the gateway first, if none runs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find problems on this machine and their fixes.

    Checks Java, Python, Spark, store, gateway, Jupyter, machine and network. Changes nothing.
    """
    report = examine(start=start).report
    if as_json:
        output.show_json(report.as_json())
    else:
        output.say("\n".join(lines(report, output.accented)))
    if report.level.value == "bad":
        raise typer.Exit(FAILED)


VERBS: list[tuple[str, Callable[..., None], tuple[str, ...]]] = [
    ("profiles", profiles, ("rucat profiles", "rucat profiles --explain k8s-small", "rucat profiles --json")),
    (
        "plan",
        plan,
        (
            "rucat plan",
            "rucat plan etl --driver-memory 8g",
            "rucat plan --profile k8s-small",
            "rucat plan --json | jq .warnings",
        ),
    ),
    ("doctor", doctor, ("rucat doctor", "rucat doctor --start", "rucat doctor --json")),
]
"""(verb, function, examples)."""

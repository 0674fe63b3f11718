"""The verbs that change engines: ``create``, ``stop``, ``restart``, ``delete``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..client.engines import create as creating
from ..client.engines import settings as asked_for
from ..client.engines.engine import Engine
from ..client.words import text
from . import complete, engines, output
from .errors import FAILED, BadUsage
from .options import (
    AsJson,
    Conf,
    Context,
    DriverMemory,
    ExecutorCores,
    ExecutorMemory,
    Executors,
    Image,
    Name,
    Namespace,
    Profile,
    Timeout,
    Wait,
    settings,
)


def create(  # noqa: PLR0917  # typer's parameters are flags
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Default, as in a notebook in this folder: local-<folder>-<4 hex>, or the profile's name.",
            show_default=False,
            autocompletion=complete.engines,
        ),
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
    wait: Wait = True,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Create an engine, or find yours of that name, and start it.

    The engine keeps running after the command ends. Ctrl-C stops the waiting, not the engine.
    """
    spec = asked_for.from_flags(
        executor_memory=executor_memory,
        executor_cores=executor_cores,
        image=image,
        namespace=namespace,
        context=context,
    )
    asked = asked_for.request(profile, settings(conf), executors, driver_memory, spec)
    phase = output.phase(is_json=as_json)
    made = creating.find_or_create(name, asked, phase=phase, timeout_s=timeout, keeps_running=True)
    engine = made.engine
    if wait:
        begun = engine.view
        engine.wait(timeout, phase=phase)
        phase.end(text.running_line(engine.view, _how(made, begun)))
    elif not as_json:
        output.say(text.phase_line(engine.view))
    if as_json:
        output.show_json(engine.view)
    if made.note and (as_json or not wait):
        output.tell(made.note)
    elif wait and not as_json:
        output.tell(_looks(engine))


def _how(made: creating.Created, begun: dict[str, Any]) -> str:
    """How the engine was started, and which settings were not applied."""
    since = text.when(begun.get("started_at"))
    if made.how == "found" and begun["status"] in ("Running", "Unresponsive") and since:
        note = f"running for {text.duration((text.utc_now() - since).total_seconds())}"
    else:
        took = text.duration((text.utc_now() - made.since).total_seconds())
        note = f"{'restarted' if made.how == 'restarted' else 'started'} in {took}"
    return f"{note}. {made.note}" if made.note else note


def _looks(engine: Engine) -> str:
    name = text.quoted(engine.name)
    end = "delete" if engine.platform == "external" else "stop"
    return f"  Attach: rucat attach {name}   Look: rucat status {name}   {end.capitalize()}: rucat {end} {name}"


def stop(name: Name = None, wait: Wait = True, timeout: Timeout = None, as_json: AsJson = False) -> None:
    """Stop an engine.

    Rucat keeps its record, settings and last log lines.
    """
    engine = engines.find(name).stop(wait=False)
    if wait:
        phase = output.phase(is_json=True)
        engine = engines.wait_for_end(engine, ("Stopped", "Failed"), timeout, phase)
        phase.end("")
    if as_json:
        output.show_json(engine.view)
    else:
        output.say(f"{text.short_line(engine.view)}.  Start it again: rucat create {text.quoted(engine.name)}")


def restart(  # noqa: PLR0917  # typer's parameters are flags
    name: Name = None,
    conf: Conf = None,
    executors: Executors = None,
    executor_memory: ExecutorMemory = None,
    executor_cores: ExecutorCores = None,
    driver_memory: DriverMemory = None,
    image: Image = None,
    wait: Wait = True,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Stop an engine if it runs, then start it.

    It starts with its stored settings. Settings on the command line are saved, and apply to later starts, too.
    """
    spec = asked_for.from_flags(executor_memory=executor_memory, executor_cores=executor_cores, image=image)
    given = asked_for.changes(settings(conf), executors, driver_memory, spec)
    engine, phase = engines.find(name).restart(wait=False, **given), output.phase(is_json=as_json)
    if wait:
        engine.wait(timeout, phase=phase)
        changed = f" with {asked_for.flags(given)}" if given else ""
        phase.end(text.running_line(engine.view, f"restarted (run {engine.run}){changed}"))
    elif not as_json:
        output.say(text.phase_line(engine.view))
    if as_json:
        output.show_json(engine.view)


def delete(
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without a confirmation.")] = False,
    wait: Wait = True,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Stop an engine if it runs, and delete it.

    Its record, settings and last log lines are deleted; its history stays for 30 days. Asks for
    a confirmation on a terminal; elsewhere --yes is required.
    """
    engine = engines.find(name)
    if not yes and not _is_sure(engine):
        output.tell(f"{text.plain(engine.name)} is kept.")
        raise typer.Exit(FAILED)
    engine.delete(wait=False)
    if wait:
        phase = output.phase(is_json=True)
        engine = engines.wait_for_end(engine, (), timeout, phase)
        phase.end("")
    if as_json:
        output.show_json(engine.view)
    else:
        output.say(f"{text.plain(engine.name)} is {'deleted' if wait else 'being deleted'}.")


def _is_sure(engine: Engine) -> bool:
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        raise BadUsage(
            "delete needs a confirmation, which is not possible here. "
            f"To delete: rucat delete {text.quoted(engine.name)} --yes"
        )
    sys.stderr.write(f"Delete {text.plain(engine.name)}? This deletes its record, settings and last log lines. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


VERBS: list[tuple[str, Callable[..., None], tuple[str, ...]]] = [
    (
        "create",
        create,
        (
            "rucat create",
            "rucat create etl --driver-memory 4g --conf spark.sql.shuffle.partitions=8",
            "rucat create etl --profile k8s-small --namespace team-a --executors 4",
            "id=$(rucat create etl --json | jq -r .id)",
        ),
    ),
    ("stop", stop, ("rucat stop etl", "rucat stop etl --no-wait")),
    ("restart", restart, ("rucat restart etl", "rucat restart etl --driver-memory 8g")),
    ("delete", delete, ("rucat delete etl", "rucat delete 'my engine' --yes")),
]
"""(verb, function, examples)."""

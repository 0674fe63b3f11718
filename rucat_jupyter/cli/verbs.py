"""The verbs of the command line, each a few lines on the Python face that the notebook has too."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from ..errors import EngineNotFound
from ..notebook import asked as asked_for
from ..notebook import client, creating, tables, text
from ..notebook.client import Engine
from . import complete, engines, output
from .app import EPILOG, FAILED, BadUsage, Verb, Verbs, meant
from .options import AsJson, Conf, DriverMemory, Executors, Name, Profile, Timeout, Wait
from .table import fitted

DROPPED = ("SPARK", "IDLE", "RESOURCES", "WHERE", "AGE", "NOTE")
EVENTS_DROPPED = ("RUN", "BY", "EVENT")


def build(serve: Callable[[], None]) -> typer.Typer:
    """Make the command line."""
    from . import more, shell

    app = typer.Typer(
        name="rucat",
        cls=Verbs,
        help="Create, connect and manage data engines. The same verbs as %rucat in a notebook.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=None,
    )
    app.callback(invoke_without_command=False)(_root)
    for name, function, examples in VERBS + shell.VERBS + more.verbs(serve):
        lines = "\n".join(f"  {example}" for example in examples)
        app.command(name, cls=Verb, epilog=f"\b\nExamples:\n{lines}")(function)
    return app


def _version(is_asked: bool) -> None:
    if is_asked:
        from .. import __version__

        output.say(f"rucat {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and end.")
    ] = False,
) -> None:
    """Create, connect and manage data engines. The same verbs as %rucat in a notebook."""


# --- look -------------------------------------------------------------------------------------------------


def list_engines(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATTERN]",
            help="Only names like it: * and ? stand for anything.",
            show_default=False,
            autocompletion=complete.engines,
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only engines of this status; repeatable.",
            show_default=False,
            autocompletion=complete.statuses,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """My engines, oldest first."""
    wanted = [_status(word) for word in status or []]
    answer = client.default_api().call("GET", "engines")
    found = [
        view
        for view in answer["engines"]
        if (not wanted or view["status"] in wanted) and (pattern is None or fnmatch.fnmatchcase(view["name"], pattern))
    ]
    if as_json:
        output.show_json({**answer, "engines": found})
    elif found:
        _say_engines(found)
    else:
        output.tell("No such engine." if answer["engines"] else "No engines yet. Create one: rucat create")


def _status(word: str) -> str:
    known = {status.lower(): status for status in text.SYMBOLS}
    if word.lower() not in known:
        statuses = list(text.SYMBOLS)
        raise BadUsage(f"there is no status {word!r}{meant(word.title(), statuses)}. There are: {', '.join(statuses)}")
    return known[word.lower()]


def _say_engines(views: list[dict[str, Any]]) -> None:
    lines = fitted(tables.COLUMNS, tables.rows(views, text.utc_now()), output.width(), DROPPED)
    output.say(lines[0])
    for view, line in zip(views, lines[1:], strict=True):
        output.say(output.accented(view["status"], line))


def status(name: Name = None, as_json: AsJson = False) -> None:
    """Everything about one engine."""
    engine = engines.find(name)
    if as_json:
        output.show_json(engine.view)
        return
    page = tables.status_page(engine.view, engine.history(), text.utc_now()).splitlines()
    columns = output.width()
    for number, line in enumerate(page):
        shown = line if columns is None else tables.cut(line, columns)
        output.say(output.accented(engine.status, shown) if number == 0 else shown)


def history(name: Name = None, as_json: AsJson = False) -> None:
    """What happened to one engine, oldest first.

    Also to a deleted one, by its id.
    """
    try:
        ref = engines.find(name).id
    except EngineNotFound:
        if name is None:
            raise
        ref = name
    events = client.history(ref)
    if not events:
        raise EngineNotFound(f"there is no engine {text.plain(ref, 80)!r}, and none in history. Yours: rucat list")
    if as_json:
        output.show_json({"events": list(events)})
        return
    for line in fitted(tables.EVENT_COLUMNS, tables.event_rows(events), output.width(), EVENTS_DROPPED):
        output.say(line)


def logs(
    name: Name = None,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail",
            "-n",
            metavar="N",
            min=0,
            help=f"The last N lines (default {client.LOG_TAIL}).",
            show_default=False,
        ),
    ] = None,
    all_lines: Annotated[bool, typer.Option("--all", help="All lines that are kept.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come; Ctrl-C ends it.")] = False,
    as_json: AsJson = False,
) -> None:
    """The driver's log."""
    if as_json and follow:
        raise BadUsage("logs: --json is one document, --follow has no end: take one of them")
    if all_lines and tail is not None:
        raise BadUsage("logs: --all and --tail exclude each other")
    engine = engines.find(name)
    lines: Iterable[str] = engine.log_lines(
        None if all_lines else client.LOG_TAIL if tail is None else tail, follow=follow
    )
    if as_json:
        output.show_json({"lines": list(lines)})
        return
    for line in lines:
        output.say(line)


# --- act --------------------------------------------------------------------------------------------------


def create(  # noqa: PLR0917  # typer's parameters are flags
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Default as in a notebook here: local-<folder>-<4 hex>, or the profile's name.",
            show_default=False,
            autocompletion=complete.engines,
        ),
    ] = None,
    profile: Profile = None,
    conf: Conf = None,
    executors: Executors = None,
    driver_memory: DriverMemory = None,
    wait: Wait = True,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Make an engine, or find mine of that name, and start it.

    It lives on when the command has ended; Ctrl-C ends the waiting, not the engine.
    """
    asked = asked_for.request(profile, settings(conf), executors, driver_memory, {})
    phase = output.phase(is_json=as_json)
    made = creating.find_or_create(name, asked, phase=phase, timeout_s=timeout, lives_on=True)
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
    """How the engine came to run, and what was not applied."""
    since = text.when(begun.get("started_at"))
    if made.how == "found" and begun["status"] in ("Running", "Unresponsive") and since:
        note = f"it runs since {text.duration((text.utc_now() - since).total_seconds())}"
    else:
        took = text.duration((text.utc_now() - made.since).total_seconds())
        note = f"{'restarted' if made.how == 'restarted' else 'started'} in {took}"
    return f"{note}. {made.note}" if made.note else note


def settings(conf: Iterable[str] | None) -> dict[str, str]:
    """``K=V`` words as a mapping."""
    found = {}
    for word in conf or ():
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise BadUsage(f"--conf {text.plain(word, 80)!r} is not KEY=VALUE")
        found[key.strip()] = value
    return found


def _looks(engine: Engine) -> str:
    name = text.quoted(engine.name)
    return f"  Attach: rucat attach {name}   Look: rucat status {name}   Stop: rucat stop {name}"


def stop(name: Name = None, wait: Wait = True, timeout: Timeout = None, as_json: AsJson = False) -> None:
    """End it; its record, settings and last log lines stay."""
    engine = engines.find(name).stop(wait=False)
    if wait:
        phase = output.phase(is_json=True)
        engine = engines.wait_for_end(engine, ("Stopped", "Failed"), timeout, phase)
        phase.end("")
    if as_json:
        output.show_json(engine.view)
    else:
        output.say(f"{text.short_line(engine.view)}.  Start it again: rucat create {text.quoted(engine.name)}")


def restart(name: Name = None, wait: Wait = True, timeout: Timeout = None, as_json: AsJson = False) -> None:
    """Stop it where it runs, and start it as it was created."""
    engine, phase = engines.find(name).restart(wait=False), output.phase(is_json=as_json)
    if wait:
        engine.wait(timeout, phase=phase)
        phase.end(text.running_line(engine.view, f"restarted (run {engine.run})"))
    elif not as_json:
        output.say(text.phase_line(engine.view))
    if as_json:
        output.show_json(engine.view)


def delete(
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Wait = True,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Stop it where it runs and forget it.

    Record, settings and logs go; its history stays for a time. Asks on a terminal, and needs --yes elsewhere.
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
            f"delete asks, and nobody can answer here. To delete: rucat delete {text.quoted(engine.name)} --yes"
        )
    sys.stderr.write(f"Delete {text.plain(engine.name)}? Its record, settings and last logs go. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


VERBS: list[tuple[str, Callable[..., None], tuple[str, ...]]] = [
    (
        "create",
        create,
        (
            "rucat create",
            "rucat create etl --driver-memory 4g --conf spark.sql.shuffle.partitions=8",
            "id=$(rucat create etl --json | jq -r .id)",
        ),
    ),
    (
        "list",
        list_engines,
        ("rucat list", "rucat list 'etl*' --status running", "rucat list --json | jq -r '.engines[].name'"),
    ),
    ("status", status, ("rucat status", "rucat status etl", "rucat status etl --json | jq -r .status")),
    ("stop", stop, ("rucat stop etl", "rucat stop etl --no-wait")),
    ("restart", restart, ("rucat restart etl", "rucat restart etl --timeout 60")),
    ("delete", delete, ("rucat delete etl", "rucat delete 'my engine' --yes")),
    ("logs", logs, ("rucat logs etl", "rucat logs etl --tail 1000 | grep WARN", "rucat logs etl --follow")),
    ("history", history, ("rucat history etl", "rucat history etl --json")),
]
"""(verb, what does it, examples)."""

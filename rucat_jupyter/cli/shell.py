"""``rucat attach``: a Python shell or script with ``spark`` attached to an engine."""

from __future__ import annotations

import code
import contextlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..client.api import engine_path
from ..client.engines import create
from ..client.engines import engine as client
from ..client.engines.engine import Engine
from ..client.session.lookups import lookup
from ..client.spark_errors import brief as spark_errors
from ..client.versions import mismatches
from ..client.words import text
from ..client.words.phase import Phase
from ..core.errors import NotPossible, RucatError
from . import complete, engines, output, scripts
from .errors import BadUsage
from .options import Session

EXIT_S = 2.0


def attach(
    name: Annotated[
        Optional[str],  # noqa: UP045  # read at run time, by typer
        typer.Argument(
            metavar="[NAME]",
            help="An engine's name or id, or sc://host:port. Default: that of this folder, or the only one.",
            show_default=False,
            autocompletion=complete.engines,
        ),
    ] = None,
    script: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[SCRIPT [ARG]...]", help="Run this Python file instead ('-': stdin).", show_default=False
        ),
    ] = None,
    session: Session = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Use Python's own prompt even if IPython is installed.")
    ] = False,
) -> None:
    """Open a Python shell with spark attached to an engine.

    The engine and the session keep running after exit. Without --session each shell has its own session; with it you
    get the same session again, with its temp views and conf.
    """
    phase = output.phase(is_json=True)
    engine = _running(name, phase)
    phase.end(text.running_line(engine.view, ""))
    _open(engine, session, script or ([] if output.is_terminal(sys.stdin) else ["-"]), is_plain=plain)


def _running(name: str | None, phase: Phase) -> Engine:
    if name is not None and create.is_address(name):
        return create.attach_external(name, phase)
    engine = engines.find(name)
    if engine.status in ("Stopped", "Failed", "Stopping", "Deleting"):
        how = f"Start it: rucat create {text.quoted(engine.name)}"
        raise NotPossible(f"cannot attach {text.plain(engine.name)}: it is {engine.status}. {how}")
    return create.wait_external(engine, phase) if engine.platform == "external" else engine.wait(phase=phase)


def _open(engine: Engine, session: str | None, words: list[str], *, is_plain: bool) -> None:
    from ..client.session import session as sessions  # noqa: PLC0415 - heavy: only attach needs it

    if words and words[0] != "-" and not Path(words[0]).is_file():
        raise BadUsage(
            f"attach: there is no file {text.plain(words[0], 200)!r}; the argument after NAME is a Python script"
        )
    sys.argv = words or [""]  # as in python; the session is named after it
    spark_errors.quieten()
    attachment = sessions.attach(engine, session)
    for line in mismatches(engine.view, attachment.spark.version):
        output.tell(f"  {line}")
    namespace = {"spark": attachment.spark, "engine": engine}
    try:
        if words:
            scripts.run(words, namespace)
        elif find_spec("IPython") and not is_plain:
            _run_ipython(engine, session)
        else:
            _run_python(namespace, engine)
    finally:
        if not attachment.caller.is_lasting:
            _forget(engine, attachment.caller.key)


def _forget(engine: Engine, key: str) -> None:
    """Remove a session that cannot be attached again from the engine's list; errors must not prevent the exit."""
    with contextlib.suppress(RucatError):
        client.default_api().call("DELETE", engine_path(engine.id, "sessions", key), timeout_s=EXIT_S)


def _banner(engine: Engine) -> str:
    name = text.quoted(engine.name)
    stop = f"; to stop it: rucat stop {name}" if engine.platform != "external" else ""
    return f"spark is attached to {text.plain(engine.name)}. It keeps running after exit{stop}"


def _run_ipython(engine: Engine, session: str | None) -> None:
    """Run the user's IPython with ``%rucat``."""
    from IPython.terminal.ipapp import TerminalIPythonApp  # noqa: PLC0415 - heavy, and may be missing

    app: Any = TerminalIPythonApp.instance(display_banner=False)
    app.initialize([])
    app.shell.run_line_magic("load_ext", "rucat_jupyter")
    magics = app.shell.magics_manager.registry["RucatMagics"]
    magics.context.binding.attach(engine, "spark", session)
    app.shell.user_ns["engine"] = engine
    output.tell(f"{_banner(engine)}  In this shell: %rucat")
    app.start()


def _run_python(namespace: dict[str, Any], engine: Engine) -> None:
    import readline  # noqa: PLC0415 - changes the terminal when it is loaded
    import rlcompleter  # noqa: PLC0415 - only with readline

    completer = rlcompleter.Completer(namespace)

    def complete_in_time(word: str, number: int) -> str | None:
        with lookup():
            return completer.complete(word, number)

    readline.set_completer(complete_in_time)
    readline.parse_and_bind("tab: complete")
    _Console(namespace).interact(_banner(engine), exitmsg="")


class _Console(code.InteractiveConsole):
    """Python's prompt; errors of engines and of Spark are shown without a traceback."""

    def showtraceback(self) -> None:
        """Show the error, in its short form if it has one."""
        if lines := scripts.briefly(sys.exc_info()[1]):
            self.write("\n".join([*lines, ""]))
        else:
            super().showtraceback()


VERBS: list[tuple[str, Callable[..., None], tuple[str, ...]]] = [
    (
        "attach",
        attach,
        (
            "rucat attach",
            "rucat attach etl --session tables",
            "rucat attach etl job.py 2026-01-31",
            "rucat attach etl - < job.py",
        ),
    )
]
"""(verb, function, examples)."""

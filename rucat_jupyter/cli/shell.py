"""``rucat attach``: a Python shell or script with ``spark`` attached to an engine."""

from __future__ import annotations

import argparse
import code
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..client.engines.engine import Engine
from ..client.session.lookups import lookup
from ..client.spark_errors import brief as spark_errors
from ..client.versions import mismatches
from ..client.words import text
from ..verbs.parser import BadUsage
from . import engines, output, scripts


def _attach(asked: argparse.Namespace) -> int | None:
    """Open a Python shell, or run a script, with spark attached to an engine; both keep running after exit."""
    phase = output.phase(is_json=True)
    engine = engines.running(asked.name, phase, "attach")
    phase.end(text.running_line(engine.view, ""))
    words = asked.script or ([] if output.is_terminal(sys.stdin) else ["-"])
    return _open(engine, asked.session, words, is_plain=asked.plain)


def _open(engine: Engine, session: str | None, words: list[str], *, is_plain: bool) -> int | None:
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
            return scripts.run(words, namespace)
        if find_spec("IPython") and not is_plain:
            _run_ipython(engine, session)
        else:
            _run_python(namespace, engine)
    finally:
        if not attachment.caller.is_lasting:
            engines.forget(engine, attachment.caller.key)
    return None


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


RUNS = {"attach": _attach}

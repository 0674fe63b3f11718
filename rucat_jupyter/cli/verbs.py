"""All verbs as one command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from .. import __version__
from . import act, kubernetes, look, more, output, serve, shell
from .parsing import EPILOG, Verb, Verbs

ORDER = (
    "create",
    "list",
    "status",
    "attach",
    "stop",
    "restart",
    "delete",
    "logs",
    "history",
    "profiles",
    "plan",
    "doctor",
    "serve",
)


def build(gateway: Callable[[], None]) -> typer.Typer:
    """Build the command line."""
    found = [*look.VERBS, *act.VERBS, *shell.VERBS, *more.VERBS, serve.verb(gateway)]
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
    for name, function, examples in sorted(found, key=lambda verb: ORDER.index(verb[0])):
        lines = "\n".join(f"  {example}" for example in examples)
        app.command(name, cls=Verb, epilog=f"\b\nExamples:\n{lines}")(function)
    app.add_typer(kubernetes.build(), name="kubernetes")
    return app


def _version(is_asked: bool) -> None:
    if is_asked:
        output.say(f"rucat {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Create, connect and manage data engines. The same verbs as %rucat in a notebook."""

"""The verbs of ``rucat kubernetes``, with which an administrator prepares a cluster."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from ..platforms.kubernetes import rights
from . import output
from .parsing import Verb, Verbs

EXAMPLES = "\b\nExamples:\n  rucat kubernetes manifests --namespace team-a | kubectl apply -f -"


def manifests(
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The namespace of the engines.")],
    user: Annotated[
        Optional[list[str]],  # noqa: UP045  # read at run time, by typer
        typer.Option("--user", help="Bind the Role to this user, too, for use from outside the cluster; repeatable."),
    ] = None,
    group: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--group", help="Bind the Role to this group, too; repeatable."),
    ] = None,
) -> None:
    """Print what Rucat needs in a namespace: two service accounts, two Roles, their bindings; nothing cluster-wide."""
    output.say(rights.as_yaml(rights.manifests(namespace, users=user or (), groups=group or ())).rstrip("\n"))


def build() -> typer.Typer:
    """Build the command group."""
    app = typer.Typer(
        cls=Verbs, help="Prepare a cluster.", epilog=EXAMPLES, no_args_is_help=True, rich_markup_mode=None
    )
    app.callback()(_root)
    app.command("manifests", cls=Verb, epilog=EXAMPLES)(manifests)
    return app


def _root() -> None:
    """Prepare a cluster."""

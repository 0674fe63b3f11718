"""Arguments and flags that several verbs share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Optional

import typer

from ..client.words import text
from . import complete
from .errors import BadUsage


def seconds(text: str) -> float:
    """A number of seconds, 0 or more."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise typer.BadParameter(f"{text!r} is not a number of seconds, 0 or more")
    return found


def settings(conf: Iterable[str] | None) -> dict[str, str]:
    """Values of ``--conf`` as a mapping."""
    found = {}
    for word in conf or ():
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise BadUsage(f"--conf {text.plain(word, 80)!r} is not KEY=VALUE")
        found[key.strip()] = value
    return found


Name = Annotated[
    Optional[str],  # noqa: UP045  # read at run time, by typer
    typer.Argument(
        metavar="[NAME]",
        help="An engine's name or id. Default: that of this folder, or the only one.",
        show_default=False,
        autocompletion=complete.engines,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, in the format of the REST API.")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done, or return immediately.")]
Timeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--timeout", metavar="S", parser=seconds, help="Wait no longer than S seconds.", show_default=False),
]
Session = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--session", metavar="KEY", help="Name of the session; the same name attaches the same session again."
    ),
]
Profile = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--profile", metavar="P", help="Name of a profile (a template for engines).", autocompletion=complete.profiles
    ),
]
Conf = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--conf", metavar="K=V", help="Spark conf; repeatable.", show_default=False),
]
Executors = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--executors", metavar="N", min=0, help="Number of executors.", show_default=False),
]
ExecutorMemory = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--executor-memory", metavar="SIZE", help="Heap of each executor, e.g. 4g.", show_default=False),
]
ExecutorCores = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--executor-cores", metavar="N", min=1, help="Cores of each executor.", show_default=False),
]
Image = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--image", metavar="I", help="Container image, on Kubernetes.", show_default=False),
]
Namespace = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--namespace",
        metavar="N",
        help="Namespace, on Kubernetes.",
        show_default=False,
        autocompletion=complete.namespaces,
    ),
]
Context = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--context",
        metavar="C",
        help="Context of the kubeconfig, on Kubernetes.",
        show_default=False,
        autocompletion=complete.contexts,
    ),
]
DriverMemory = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--driver-memory", metavar="SIZE", help="Heap of the driver, e.g. 4g.", show_default=False),
]

"""Errors of the kernel's side, shown as a few lines instead of a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.errors import RucatError
from .api import Api, View, engine_path
from .identity import get_shell
from .words import text


class EngineFailed(RucatError):
    """The engine failed, or was stopped, restarted or deleted, while something needed it.

    The message has three parts: what happened, why, and what to do. Notebooks show it without a traceback.

    Parameters
    ----------
    message : str
        What happened, why, and what to do.
    engine : dict, optional
        The engine as REST last showed it.

    Attributes
    ----------
    message : str
        What happened, why, and what to do.
    engine : dict or None
        The engine as REST last showed it; ``engine["failure"]`` has ``reason``, ``message`` and ``hint``.

    Examples
    --------
    >>> engine = rucat_jupyter.get("etl").stop()
    >>> try:
    ...     engine.wait()
    ... except rucat_jupyter.EngineFailed as error:
    ...     print(error.message.splitlines()[0])
    ○ etl is Stopped
    """

    code = "engine_failed"

    def __init__(self, message: str, engine: View | None = None) -> None:
        super().__init__(message)
        self.engine = engine

    @classmethod
    def of(cls, view: View) -> EngineFailed:
        """Make the error for an engine that has failed, or is stopped, being stopped, deleted or gone."""
        return cls(text.failure(view, hows(view["name"])), view)

    @classmethod
    def gone(cls, view: View) -> EngineFailed:
        """Make the error for an engine that no longer has a record, from its last known state."""
        return cls.of({"name": view["name"], "platform": view["platform"], "status": "Gone", "message": ""})

    @classmethod
    def restarted(cls, view: View) -> EngineFailed:
        """Make the error for what ran on an engine when it was restarted."""
        return cls(
            f"◌ {text.plain(view['name'])} was restarted (run {view['run']})\n"
            "  What ran on it is lost, and so are the temp views and runtime conf of this session.\n"
            "  When it is Running, run this again, after the cells that create the views.",
            view,
        )

    @classmethod
    def session_lost(cls, view: View) -> EngineFailed:
        """Make the error for what ran in a session that ended in the meantime."""
        return cls(
            f"● {text.plain(view['name'])} runs, but the session of this notebook on it ended\n"
            "  What ran in it is lost, and so are its temp views and runtime conf.\n"
            "  spark uses a new session now: run this again.",
            view,
        )

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show only the message: IPython's hook for errors that render their own traceback."""
        return self.message.splitlines()


class StillWaiting(RucatError):
    """The wait for an engine ended by its time limit; the engine itself keeps starting.

    Parameters
    ----------
    message : str
        How long the wait was, how to wait again, and how to stop the engine.
    **details
        JSON values for programs: ``engine`` is the id of the engine.

    Examples
    --------
    >>> try:
    ...     engine = rucat_jupyter.get("etl").restart(timeout_s=0.1)
    ... except rucat_jupyter.StillWaiting as error:
    ...     print(error.message)
    etl is still starting after 0 s. Wait again: ... Stop it: ...
    """

    code = "still_waiting"

    def _render_traceback_(self, *_: object) -> list[str]:
        return self.message.splitlines()


class SessionRefused(RucatError):
    """pyspark was to make a session that would take the place of the attached one, or that cannot be reached.

    Parameters
    ----------
    message : str
        What was asked, why it is refused, and what to do.

    Examples
    --------
    >>> from pyspark.sql import SparkSession
    >>> spark = rucat_jupyter.get("etl").connect()
    >>> try:
    ...     SparkSession.builder.create()
    ... except rucat_jupyter.SessionRefused as error:
    ...     print(error.message)
    SparkSession.builder.create() needs an address here, ...
    """

    code = "session_refused"

    def _render_traceback_(self, *_: object) -> list[str]:
        return self.message.splitlines()


class WaitInterrupted(KeyboardInterrupt):
    """Ctrl-C ended the wait, not the engine; the message says how to wait again and how to stop it."""

    def _render_traceback_(self, *_: object) -> list[str]:
        return [str(self)]


def speak_commands() -> None:
    """Name commands of the command line in messages, outside of IPython."""
    _voice["words"] = "rucat"


def words() -> str:
    """The prefix of verbs: ``%rucat`` in IPython, ``rucat`` on the command line; empty in a script."""
    return "%rucat" if get_shell() is not None else _voice["words"]


_voice = {"words": ""}


def hows(name: str) -> dict[str, str]:
    """How to act on an engine from here: with magics in IPython, commands in a terminal, Python in a script."""
    if not (rucat := words()):
        got = f"rucat_jupyter.get({name!r})"
        return {
            "restart": f"{got}.restart()",
            "stop": f"{got}.stop()",
            "logs": f"{got}.logs(tail=50)",
            "create": f"rucat_jupyter.create({name!r})",
            "change": f"{got}.restart(driver_memory='{text.SIZE}')",
            "image": f"{got}.restart(image='IMAGE')",
            "less": f"{got}.restart(executors=1)",
            "doctor": "rucat_jupyter.doctor()",
            "wait": f"{got}.wait()",
            "attach": f"{got}.connect()",
            "delete": f"{got}.delete()",
        }
    quoted = text.quoted(name)
    return {
        "restart": f"{rucat} restart {quoted}",
        "stop": f"{rucat} stop {quoted}",
        "logs": f"{rucat} logs {quoted} --tail 50",
        "create": f"{rucat} create {quoted}",
        "change": f"{rucat} restart {quoted} --driver-memory {text.SIZE}",
        "image": f"{rucat} restart {quoted} --image IMAGE",
        "less": f"{rucat} restart {quoted} --executors 1",
        "doctor": f"{rucat} doctor",
        "wait": f"{rucat} create {quoted}",
        "attach": f"{rucat} attach {quoted}",
        "delete": f"{rucat} delete {quoted}",
    }


def briefly(error: BaseException) -> BaseException:
    """Make IPython show only the message of an error, without a traceback."""
    lines = str(error).splitlines() or [type(error).__name__]
    error._render_traceback_ = lambda *_: [f"rucat: {lines[0]}", *lines[1:]]  # type: ignore[attr-defined]
    return error


def explained(view: View, api: Api) -> View:
    """Add the reason of a stop as the message; only the history has it."""
    if view.get("failure") or view.get("message"):
        return view
    try:
        events = api.call("GET", engine_path(view["id"], "history"))["events"]
    except RucatError:
        return view
    return {**view, "message": _reason(events)}


def _reason(events: Sequence[dict[str, Any]]) -> str:
    """Why the last life ended, if the history has a reason."""
    for event in reversed(events):
        if event.get("kind") in ("create", "restart", "starting", "running"):
            break
        if event.get("reason") not in (None, "", "stopped"):
            return str(event["reason"])
    return ""

"""Errors of the notebook side that show themselves as a few lines instead of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.errors import RucatError
from .api import Api, View, engine_path
from .identity import get_shell
from .words import text


class EngineFailed(RucatError):
    """The engine that was asked failed, was stopped or was deleted; ``engine`` is what REST last showed of it.

    The message has the same three parts everywhere: what, why, what to do.
    """

    code = "engine_failed"

    def __init__(self, message: str, engine: View | None = None) -> None:
        super().__init__(message)
        self.engine = engine

    @classmethod
    def of(cls, view: View) -> EngineFailed:
        """Make the error of an engine that has failed, or is stopped, being stopped, deleted or gone."""
        return cls(text.failure(view, hows(view["name"])), view)

    @classmethod
    def gone(cls, name: str) -> EngineFailed:
        """Make the error of an engine that has no record any more."""
        return cls.of({"name": name, "status": "Gone", "message": ""})

    @classmethod
    def restarted(cls, view: View) -> EngineFailed:
        """Make the error of what ran on an engine when it was restarted."""
        return cls(
            f"◌ {text.plain(view['name'])} was restarted (run {view['run']})\n"
            "  What ran on it is lost, and so are temp views and runtime conf of this session.\n"
            "  Run this again when it is Running; what made the views too.",
            view,
        )

    @classmethod
    def session_lost(cls, view: View) -> EngineFailed:
        """Make the error of what ran in a session that ended meanwhile."""
        return cls(
            f"● {text.plain(view['name'])} runs, but the session of this notebook on it ended\n"
            "  What ran in it is lost, and so are its temp views and runtime conf.\n"
            "  spark goes on in a new session: run this again.",
            view,
        )

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show the message alone: IPython's hook for errors with a trace of their own."""
        return self.message.splitlines()


class StillWaiting(RucatError):
    """The engine has not become what was waited for in the time that was given; it goes on by itself."""

    code = "still_waiting"

    def _render_traceback_(self, *_: object) -> list[str]:
        return self.message.splitlines()


class WaitInterrupted(KeyboardInterrupt):
    """Ctrl-C ended the waiting, not the engine; the message says how to go on and how to stop it."""

    def _render_traceback_(self, *_: object) -> list[str]:
        return [str(self)]


def speak_commands() -> None:
    """Say how to act in the words of the command line, where there is no IPython."""
    _voice["words"] = "rucat"


def words() -> str:
    """What verbs are typed after: ``%rucat`` in IPython, ``rucat`` on the command line; empty in a script."""
    return "%rucat" if get_shell() is not None else _voice["words"]


_voice = {"words": ""}


def hows(name: str) -> dict[str, str]:
    """How to act on an engine in the words of the place: magics in IPython, commands, Python in a script."""
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
            "doctor": "rucat doctor",
            "wait": f"{got}.wait()",
            "attach": f"{got}.connect()",
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
    }


def briefly(error: BaseException) -> BaseException:
    """Make an error show its message alone in IPython, as the answer of a magic should."""
    lines = str(error).splitlines() or [type(error).__name__]
    error._render_traceback_ = lambda *_: [f"rucat: {lines[0]}", *lines[1:]]  # type: ignore[attr-defined]
    return error


def explained(view: View, api: Api) -> View:
    """Add to what REST shows the reason of a stop, which only history knows, as the message."""
    if view.get("failure") or view.get("message"):
        return view
    try:
        events = api.call("GET", engine_path(view["id"], "history"))["events"]
    except RucatError:
        return view
    return {**view, "message": _reason(events)}


def _reason(events: Sequence[dict[str, Any]]) -> str:
    """Why the last life ended, where somebody said so."""
    for event in reversed(events):
        if event.get("kind") in ("create", "restart", "starting", "running"):
            break
        if event.get("reason") not in (None, "", "stopped"):
            return str(event["reason"])
    return ""

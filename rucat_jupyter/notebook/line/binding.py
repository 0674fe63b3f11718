"""The variables of a notebook that hold sessions: bind, unbind, and renew a session that the user stopped."""

from __future__ import annotations

from typing import Any

from ...client.session import session as sessions
from ...client.session.announce import Used, announcer
from ...client.session.session import Attachment, SomeEngine
from ...client.words import text
from ...client.words.phase import notice
from ...core.errors import RucatError


class Binding:
    """The sessions by variable of the user's namespace; the last one bound is the current one."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._bound: dict[str, Attachment] = {}
        self._sessions: dict[str, str | None] = {}  # variable -> the session's name, if the user gave one

    def attach(self, engine: SomeEngine, variable: str, session: str | None) -> list[str]:
        """Attach the notebook's session and bind it; returns lines to show."""
        before = self._bound.get(variable)
        attachment = sessions.attach(engine, session)
        lines = self._keep_stranger(variable, attachment)
        if before is not None and before is not attachment:
            if before.engine.id != engine.id:
                lines += _kept(before, variable)
            self._forget(before, variable)
        self._bound.pop(variable, None)  # the last one bound is the current one
        self._bound[variable], self._sessions[variable] = attachment, session
        self._shell.user_ns[variable] = attachment.spark
        self._tell()
        return lines

    def bound(self) -> list[Attachment]:
        """The attachments of this notebook."""
        return list(self._bound.values())

    def current(self) -> Attachment | None:
        """The attachment for verbs without a name."""
        return next(reversed(self._bound.values()), None)

    def knows_of(self, engine: SomeEngine) -> bool:
        """Whether an attached engine was restarted; its sessions do not say so again."""
        is_bound = any(attachment.engine.id == engine.id for attachment in self._bound.values())
        if is_bound:
            sessions.has_said(engine.id, int(engine.view["run"]))
        return is_bound

    def find(self, name: str | None) -> Attachment | None:
        """The current one, or that of the engine of this name or id."""
        if name is None:
            return self.current()
        return next((a for a in self._bound.values() if name in (a.engine.name, a.engine.id)), None)

    def release(self, attachment: Attachment) -> list[str]:
        """Unbind and detach; returns the unbound variables."""
        variables = [variable for variable, bound in self._bound.items() if bound is attachment]
        for variable in variables:
            del self._bound[variable]
            if self._shell.user_ns.get(variable) is attachment.spark:
                del self._shell.user_ns[variable]
        sessions.detach(attachment)
        self._tell()
        return variables

    def renew_stopped(self, *_: object) -> None:
        """Before a cell, replace a session that the user stopped (``spark.stop()``), with one notice."""
        for variable, attachment in list(self._bound.items()):
            if attachment.is_open or self._shell.user_ns.get(variable) is not attachment.spark:
                continue
            try:
                if attachment.engine.refresh().status == "Running":
                    self.attach(attachment.engine, variable, self._sessions[variable])
                    name = text.plain(attachment.engine.name)
                    notice(f"● {variable} was stopped: it is now a new session on {name}, without temp views and conf.")
            except RucatError as error:
                del self._bound[variable]
                self._tell()
                notice(f"{variable} was stopped and is no longer attached: {str(error).splitlines()[0]}")

    def _tell(self) -> None:
        """Announce the bindings to panel and toolbar."""
        named: dict[str, list[str]] = {}
        for variable, attachment in self._bound.items():
            engine_id = attachment.engine.id
            named[engine_id] = [*named.pop(engine_id, ()), variable]  # the last one bound is last
        announcer.bound([Used(id=engine_id, variables=variables) for engine_id, variables in named.items()])

    def _forget(self, attachment: Attachment, variable: str) -> None:
        """Detach a session that no other variable holds."""
        if not any(a is attachment for v, a in self._bound.items() if v != variable):
            sessions.detach(attachment)

    def _keep_stranger(self, variable: str, attachment: Attachment) -> list[str]:
        """Keep the user's own value of the variable under another name."""
        there = self._shell.user_ns.get(variable)
        before = self._bound.get(variable)
        if there is None or there is attachment.spark or (before is not None and there is before.spark):
            return []
        kept, number = f"old_{variable}", 1
        while kept in self._shell.user_ns:
            number += 1
            kept = f"old_{variable}_{number}"
        self._shell.user_ns[kept] = there
        return [f"{variable} was your own {type(there).__name__}: it is kept as {kept}"]


def _kept(before: Attachment, variable: str) -> list[str]:
    """Say that the engine of an earlier attachment keeps running, if it does."""
    try:
        is_running = before.engine.refresh().status == "Running"
    except RucatError:  # it is deleted, or cannot be asked: nothing is known that a user must do
        return []
    return [f"{variable} was attached to {text.plain(before.engine.name)}, which keeps running"] if is_running else []

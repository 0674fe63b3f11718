"""The notebook of a verb of ``%rucat``: finds its engine, and the variables that hold sessions."""

from __future__ import annotations

import argparse
import re
from typing import Any

from ...client.engines import engine as client
from ...client.engines.engine import Engine
from ...client.identity import can_ask
from ...client.words import text
from ...client.words.phase import say
from ...core.errors import EngineNotFound
from ...verbs.parser import BadUsage
from .binding import Binding

DEFAULT_VARIABLE = "spark"
_VARIABLE = re.compile(r"\$(\w+)|\{(\w+)\}")


class Context:
    """One notebook (shell): its variables and its sessions."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.binding = Binding(shell)

    def value(self, word: str) -> str:
        """The value of the variable if the whole word is ``$x`` or ``{x}``, else the word."""
        found = _VARIABLE.fullmatch(word)
        return str(self.shell.user_ns.get(found[1] or found[2], word)) if found else word

    def engine(self, name: str | None) -> Engine:
        """Find the engine by name or id; without one, the attached engine or the only one."""
        if name is not None:
            try:
                return client.get(name)
            except EngineNotFound:
                known = ", ".join(text.quoted(e.name) for e in client.engines()) or "none. Create one: %rucat create"
                raise EngineNotFound(f"there is no engine {text.plain(name)!r}. Yours: {known}") from None
        while (attachment := self.binding.current()) is not None:
            try:
                return client.get(attachment.engine.id)
            except EngineNotFound:  # deleted elsewhere
                self.binding.release(attachment)
        found = client.engines()
        if len(found) == 1:
            return found[0]
        if not found:
            raise EngineNotFound("there is no engine yet. Create one: %rucat create")
        names = ", ".join(text.quoted(engine.name) for engine in found)
        raise BadUsage(f"which engine? None is attached here, and there are {len(found)}: {names}")

    def attach(self, engine: Engine, asked: argparse.Namespace) -> None:
        """Attach this notebook's session on a running engine, and show the next commands."""
        variable = asked.variable or DEFAULT_VARIABLE
        for line in self.binding.attach(engine, variable, asked.session):
            say(f"  {line}")
        name = "" if self.binding.current() is not None else f" {text.quoted(engine.name)}"
        more = f"Logs: %rucat logs{name}   Stop: %rucat stop{name}"
        if engine.platform == "external":  # Rucat has no log of it, and does not stop it
            more = f"Detach: %rucat detach{name}"
        looks = f"Look: %rucat status{name}   {more}"
        say(f"  {variable} is attached.  {looks}")

    def is_sure_to_delete(self, engine: Engine) -> bool:
        """Ask the user; raises BadUsage if there is no input."""
        name = text.plain(engine.name)
        if not can_ask(self.shell):
            raise BadUsage(
                "delete needs a confirmation, which is not possible here. "
                f"To delete: %rucat delete {text.quoted(engine.name)} --yes"
            )
        question = f"Delete {name}? This deletes its record, settings and last log lines. [y/N] "
        try:
            return input(question).strip().lower() in ("y", "yes")
        except EOFError:
            return False

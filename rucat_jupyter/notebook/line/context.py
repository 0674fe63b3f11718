"""What every verb of ``%rucat`` needs of its notebook: which engine is meant, and the variables that hold sessions."""

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
from .binding import Binding
from .usage import BadUsage

DEFAULT_VARIABLE = "spark"
_VARIABLE = re.compile(r"\$(\w+)|\{(\w+)\}")


class Context:
    """One notebook (shell): its variables and its sessions."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.binding = Binding(shell)

    def value(self, word: str) -> str:
        """The value of the variable that the word as a whole names (``$x``, ``{x}``), else the word."""
        found = _VARIABLE.fullmatch(word)
        return str(self.shell.user_ns.get(found[1] or found[2], word)) if found else word

    def engine(self, name: str | None) -> Engine:
        """The engine that is meant: named, attached here, or the only one."""
        if name is not None:
            try:
                return client.get(name)
            except EngineNotFound:
                known = ", ".join(text.quoted(e.name) for e in client.engines()) or "none: %rucat create makes one"
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
        raise BadUsage(f"which engine? No one is attached here, and there are {len(found)}: {names}")

    def attach(self, engine: Engine, asked: argparse.Namespace) -> None:
        """Attach this notebook's session on a running engine, and say how to go on."""
        variable = asked.variable or DEFAULT_VARIABLE
        for line in self.binding.attach(engine, variable, asked.session):
            say(f"  {line}")
        name = "" if self.binding.current() is not None else f" {text.quoted(engine.name)}"
        looks = f"Look: %rucat status{name}   Logs: %rucat logs{name}   Stop: %rucat stop{name}"
        say(f"  {variable} is attached.  {looks}")

    def is_sure_to_delete(self, engine: Engine) -> bool:
        """Ask; raises BadUsage where nobody can answer."""
        name = text.plain(engine.name)
        if not can_ask(self.shell):
            raise BadUsage(
                f"delete asks, and nobody can answer here. To delete: %rucat delete {text.quoted(engine.name)} --yes"
            )
        question = f"Delete {name}? Its record, settings and last logs go. [y/N] "
        try:
            return input(question).strip().lower() in ("y", "yes")
        except EOFError:
            return False

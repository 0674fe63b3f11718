"""``%rucat``: each verb is one small method that asks the Python face and says what came of it."""

from __future__ import annotations

import argparse
import re
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from ..errors import EngineNotFound, NotPossible, RucatError
from . import client, tables, text
from .binding import Binding
from .client import Engine
from .creating import Created, external, find_or_create, request
from .failures import WaitInterrupted, briefly
from .identity import can_ask
from .parser import EXTERNAL, BadUsage, HelpWanted, overview, parse
from .phase import live_phase, say

DEFAULT_VARIABLE = "spark"
_VARIABLE = re.compile(r"\$(\w+)|\{(\w+)\}")


@magics_class
class RucatMagics(Magics):
    """Create, attach and manage engines from a notebook."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.binding = Binding(shell)
        self._variables: dict[str, Any] = shell.user_ns

    @no_var_expand  # a conf's value is what was typed, whatever $ and braces it has
    @line_magic
    def rucat(self, line: str) -> None:
        """Manage engines: ``%rucat`` alone shows the verbs and my engines.

        A NAME that is ``$variable`` or ``{variable}`` as a whole is that variable's value.
        """
        try:
            asked = parse(line)
            if asked.verb and getattr(asked, "name", None):
                asked.name = self._value(asked.name)
            verb = getattr(self, f"do_{asked.verb}") if asked.verb else self.do_nothing
            verb(asked)
        except HelpWanted as wanted:
            say(str(wanted))
        except BadUsage as error:
            raise UsageError(f"rucat: {error}") from None
        except (RucatError, WaitInterrupted) as error:
            raise briefly(error) from None
        except KeyboardInterrupt:
            raise briefly(WaitInterrupted(f"interrupted: {line.strip() or '%rucat'}")) from None

    def _value(self, word: str) -> str:
        """The value of the variable that the word names, else the word."""
        found = _VARIABLE.fullmatch(word)
        return str(self._variables.get(found[1] or found[2], word)) if found else word

    def do_nothing(self, asked: argparse.Namespace) -> None:
        """Show the verbs and my engines."""
        say(overview())
        say("")
        self.do_list(asked)

    def do_create(self, asked: argparse.Namespace) -> None:
        """Find or make an engine, wait until it runs, attach."""
        phase = live_phase()
        wanted = request(asked.profile, dict(asked.conf), asked.executors, asked.driver_memory, {})
        made = find_or_create(asked.name, wanted, phase=phase, timeout_s=asked.timeout)
        if asked.no_wait:
            phase.end("")
            say(_more(text.phase_line(made.engine.view), made.note))
            return
        begun = made.engine.view
        made.engine.wait(asked.timeout, phase=phase)
        phase.end(text.running_line(made.engine.view, _came(made, begun)))
        if not asked.no_attach:
            self._attach(made.engine, asked)

    def do_attach(self, asked: argparse.Namespace) -> None:
        """Bind this notebook's session on an engine."""
        if asked.name is not None and asked.name.startswith(EXTERNAL):
            engine = external(asked.name)
        else:
            engine = self._engine(asked.name)
            self._must_come_up(engine)
        phase = live_phase()
        engine.wait(phase=phase)
        phase.end(text.running_line(engine.view, ""))
        self._attach(engine, asked)

    def do_detach(self, asked: argparse.Namespace) -> None:
        """Let go of the engine."""
        attachment = self.binding.find(asked.name)
        if attachment is None:
            what = f" to {text.plain(asked.name)}" if asked.name else ""
            say(f"This notebook is not attached{what}.")
            return
        variables = self.binding.release(attachment)
        name = text.plain(attachment.engine.name)
        gone = f"{', '.join(variables)} is unbound; " if variables else ""
        how = f"The same session again: %rucat attach {text.quoted(attachment.engine.name)}"
        say(f"Detached from {name}: {gone}engine and session live on.  {how}")

    def do_list(self, asked: argparse.Namespace) -> None:
        """Show my engines."""
        del asked
        found = client.engines()
        say(repr(found) if found else "No engines yet. Create one: %rucat create")

    def do_status(self, asked: argparse.Namespace) -> None:
        """Show one engine, or say that there is none."""
        if asked.name is None and not client.engines():
            say("No engines yet. Create one: %rucat create")
            return
        engine = self._engine(asked.name)
        say(tables.status_page(engine.view, engine.history(), text.utc_now()))

    def do_stop(self, asked: argparse.Namespace) -> None:
        """Stop one engine."""
        engine = self._engine(asked.name).stop()
        say(f"{text.short_line(engine.view)}.  Start it again: %rucat create {text.quoted(engine.name)}")

    def do_restart(self, asked: argparse.Namespace) -> None:
        """Stop and start one engine; an attached session finds its next life by itself."""
        engine, phase = self._engine(asked.name), live_phase()
        engine.restart(wait=False)
        if asked.no_wait:
            say(text.phase_line(engine.view))
            return
        engine.wait(asked.timeout, phase=phase)
        note = f"restarted (run {engine.run})"
        if any(a.engine.id == engine.id for a in self.binding.bound()):
            note += "; spark is attached, its temp views and runtime conf are gone"
        phase.end(text.running_line(engine.view, note))

    def do_delete(self, asked: argparse.Namespace) -> None:
        """Delete one engine, after asking."""
        engine = self._engine(asked.name)
        if not asked.yes and not self._is_sure(engine):
            say(f"{text.plain(engine.name)} is kept.")
            return
        engine.delete()
        for attachment in self.binding.bound():
            if attachment.engine.id == engine.id:
                self.binding.release(attachment)
        say(f"{text.plain(engine.name)} is deleted.")

    def do_logs(self, asked: argparse.Namespace) -> None:
        """Show the driver's log."""
        engine = self._engine(asked.name)
        tail = client.LOG_TAIL if asked.tail is None else asked.tail
        try:
            for line in engine.log_lines(tail, follow=asked.follow):
                say(line)
        except KeyboardInterrupt:
            if not asked.follow:
                raise

    def do_history(self, asked: argparse.Namespace) -> None:
        """Show what happened to one engine, also to a deleted one by its id."""
        try:
            ref = self._engine(asked.name).id
        except EngineNotFound:
            ref = asked.name
        events = client.history(ref)
        if not events:
            raise EngineNotFound(f"there is no engine {text.plain(ref)!r}, and none in history. Yours: %rucat list")
        say(repr(events))

    # --- helpers -------------------------------------------------------------------------------------------

    def _engine(self, name: str | None) -> Engine:
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

    def _attach(self, engine: Engine, asked: argparse.Namespace) -> None:
        variable = asked.variable or DEFAULT_VARIABLE
        for line in self.binding.attach(engine, variable, asked.session):
            say(f"  {line}")
        name = "" if self.binding.current() is not None else f" {text.quoted(engine.name)}"
        looks = f"Look: %rucat status{name}   Logs: %rucat logs{name}   Stop: %rucat stop{name}"
        say(f"  {variable} is attached.  {looks}")

    def _must_come_up(self, engine: Engine) -> None:
        """Refuse to wait for an engine that nobody starts."""
        if engine.status in ("Stopped", "Failed", "Stopping", "Deleting"):
            how = f"Start it: %rucat create {text.quoted(engine.name)}"
            raise NotPossible(f"cannot attach {text.plain(engine.name)!r}: it is {engine.status}. {how}")

    def _is_sure(self, engine: Engine) -> bool:
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


def _came(made: Created, begun: dict[str, Any]) -> str:
    """How the engine came to run: started now, or found."""
    if made.how == "found" and begun["status"] in ("Running", "Unresponsive"):
        since = text.when(begun.get("started_at"))
        ago = f" (started {text.duration((text.utc_now() - since).total_seconds())} ago)" if since else ""
        note = f"attached to the running engine{ago}"
    else:
        took = text.duration((text.utc_now() - made.since).total_seconds())
        note = f"{'restarted' if made.how == 'restarted' else 'started'} in {took}"
    return _more(note, made.note)


def _more(line: str, note: str) -> str:
    return f"{line}. {note}" if note else line


def load_ipython_extension(shell: Any) -> None:
    """Register ``%rucat``; IPython calls it for ``%load_ext rucat_jupyter``."""
    magics = RucatMagics(shell)
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.binding.renew_stopped)

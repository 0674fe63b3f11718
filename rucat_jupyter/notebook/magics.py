"""``%rucat`` and ``%%rucat``: the line is parsed, its verb runs, and what goes wrong is said in one line."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from ..errors import RucatError
from .context import Context
from .failures import WaitInterrupted, briefly
from .parser import VERBS, BadUsage, HelpWanted, overview, parse
from .phase import say
from .verbs.look import show_engines


@magics_class
class RucatMagics(Magics):
    """Create, attach and manage engines from a notebook."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.context = Context(shell)
        self.binding = self.context.binding

    @no_var_expand  # a conf's value is what was typed, whatever $ and braces it has
    @line_cell_magic
    def rucat(self, line: str, cell: str | None = None) -> None:
        """Manage engines: ``%rucat`` alone shows the verbs and my engines.

        A NAME that is ``$variable`` or ``{variable}`` as a whole is that variable's value.
        """
        try:
            self._run(line, cell)
        except HelpWanted as wanted:
            say(str(wanted))
        except BadUsage as error:
            raise UsageError(f"rucat: {error}") from None
        except (RucatError, WaitInterrupted) as error:
            raise briefly(error) from None
        except KeyboardInterrupt:
            raise briefly(WaitInterrupted(f"interrupted: {line.strip() or '%rucat'}")) from None

    def _run(self, line: str, cell: str | None) -> None:
        asked = parse(line, is_cell=cell is not None)
        if asked.verb is None:
            say(overview())
            say("")
            show_engines(self.context, asked)
            return
        if getattr(asked, "name", None):
            asked.name = self.context.value(asked.name)
        asked.body = cell
        VERBS[asked.verb].run(self.context, asked)


def load_ipython_extension(shell: Any) -> None:
    """Register ``%rucat``; IPython calls it for ``%load_ext rucat_jupyter``."""
    magics = RucatMagics(shell)
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.binding.renew_stopped)

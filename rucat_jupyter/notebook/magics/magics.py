"""``%rucat`` and ``%%rucat``: parse the line, run the verb, and show errors in one line."""

from __future__ import annotations

import weakref
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, observe

from ...client.cells import ipython_hooks, progress
from ...client.cells.lost_interrupt import comes_again
from ...client.cells.operations import Interrupted
from ...client.errors import WaitInterrupted, briefly
from ...client.words.phase import say
from ...core.errors import RucatError
from ...verbs.parser import NOTEBOOK, BadUsage, HelpWanted, overview
from ...verbs.table import VERBS
from ..frames import Frames
from ..line.binding import Binding
from ..line.caller import is_value_used
from ..line.context import Context
from ..verbs import RUNS
from ..verbs.look import show_engines
from .completer import Completer
from .parser import parse

MAGIC = "rucat"
PACKAGE = f"{__name__.partition('.')[0]}."


@magics_class
class RucatMagics(Magics):
    """Create, attach and manage engines from a notebook."""

    progress = Bool(True, help="Show a progress bar while a cell waits for an engine.").tag(config=True)

    @observe("progress")
    def _switch_progress(self, change: Any) -> None:
        progress.switch(on=change["new"])

    def __init__(self, shell: Any, context: Context | None = None) -> None:
        super().__init__(shell)
        self.context = context or Context(shell)
        self.binding = self.context.binding

    @no_var_expand  # a value of --conf may contain $ and braces
    @line_cell_magic
    def rucat(self, line: str, cell: str | None = None) -> Any:
        """Run one verb; the text of ``%rucat?`` is set below."""
        try:
            with comes_again():
                found = self._run(line, cell)
        except HelpWanted as wanted:
            say(str(wanted))
        except BadUsage as error:
            raise UsageError(f"rucat: {error}") from None
        except (RucatError, WaitInterrupted) as error:
            raise briefly(error) from None
        except Interrupted:  # its message says what was cancelled
            raise
        except KeyboardInterrupt:
            raise briefly(WaitInterrupted(f"interrupted: {line.strip() or '%rucat'}")) from None
        else:
            return found if is_value_used() else None
        return None

    def _run(self, line: str, cell: str | None) -> Any:
        asked = parse(line, is_cell=cell is not None)
        if asked.verb is None:
            say(overview(VERBS, NOTEBOOK))
            say("")
            return show_engines(self.context, asked)
        if getattr(asked, "name", None):
            asked.name = self.context.value(asked.name)
        asked.body = cell
        return RUNS[asked.verb](self.context, asked)


RucatMagics.rucat.__doc__ = f"""Create, attach and manage Spark engines.

{overview(VERBS, NOTEBOOK)}

If NAME is $variable or {{variable}}, Rucat uses the value of that variable.
x = %rucat VERB assigns the engine (or engines, or rows) of the verb to x; the verb still shows its output.
"""


class _Extension:
    """What loading adds to one shell, and unloading removes."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.magics = RucatMagics(shell)
        self.context = self.magics.context
        self._completer = Completer(self.context)
        self._frames = Frames(shell)
        self._left: list[tuple[str, Any]] = []  # hooks of our other modules, while unloaded
        self.is_loaded = False

    def load(self) -> None:
        self._shell.register_magics(self.magics)
        self._shell.events.register("pre_run_cell", self.context.binding.renew_stopped)
        self._frames.install()
        self._completer.install()
        ipython_hooks.install(self._shell)
        for event, hook in self._left:
            self._shell.events.register(event, hook)
        self._left.clear()
        self.is_loaded = True

    def unload(self) -> None:
        self.is_loaded = False
        ipython_hooks.remove(self._shell)
        self._completer.remove()
        self._frames.remove()
        self._shell.events.unregister("pre_run_cell", self.context.binding.renew_stopped)
        for event, hooks in self._shell.events.callbacks.items():
            self._left += [(event, hook) for hook in hooks if str(hook.__module__).startswith(PACKAGE)]
        for event, hook in self._left:
            self._shell.events.unregister(event, hook)
        for kind in ("line", "cell"):
            self._shell.magics_manager.magics[kind].pop(MAGIC, None)
        self._shell.magics_manager.registry.pop(type(self.magics).__name__, None)


_extensions: weakref.WeakKeyDictionary[Any, _Extension] = weakref.WeakKeyDictionary()
"""By shell; kept when unloaded, so that loading again finds the bound variables."""


def binding_of(shell: Any) -> Binding | None:
    """The variables of a notebook with sessions; None without the extension."""
    extension = _extensions.get(shell) if shell is not None else None
    return extension.context.binding if extension is not None else None


def load_ipython_extension(shell: Any) -> None:
    """Register ``%rucat``; IPython calls it for ``%load_ext rucat_jupyter``. A second load changes nothing.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The running IPython.

    Examples
    --------
    >>> rucat_jupyter.load_ipython_extension(get_ipython())
    """
    extension = _extensions.get(shell)
    if extension is None:
        extension = _extensions[shell] = _Extension(shell)
    if not extension.is_loaded:
        extension.load()


def unload_ipython_extension(shell: Any) -> None:
    """Remove what loading added; IPython calls it for ``%unload_ext`` and ``%reload_ext``. Variables stay bound.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
        The running IPython.

    Examples
    --------
    >>> rucat_jupyter.unload_ipython_extension(get_ipython())
    """
    extension = _extensions.get(shell)
    if extension is not None and extension.is_loaded:
        extension.unload()

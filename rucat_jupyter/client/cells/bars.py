"""Where a progress bar is shown: a widget, an output that is updated, a line of a terminal, or one last line."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from ..frontend import guard_comm, shows_widgets
from ..identity import can_ask, get_shell, in_kernel
from .totals import Picture

GREY, PLAIN = "\x1b[90m", "\x1b[0m"
ALIVE_S = 10.0
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Surface(Protocol):
    """Shows the bar of one cell."""

    def show(self, picture: Picture) -> None:
        """Show the current state."""
        ...

    def pause(self) -> None:
        """Make room: the cell continues, and may write."""
        ...

    def end(self, picture: Picture) -> None:
        """Leave the final state."""
        ...


def surface(parent: Any, cancel: Callable[[], object]) -> Surface | None:
    """The best surface for this front end; None if nothing should be shown.

    Parameters
    ----------
    parent
        Header of the request that runs the cell: outputs go to that cell, even if another one runs now.
    cancel
        What the Cancel button does.
    """
    shell = get_shell()
    if in_kernel(shell):
        publisher = shell.display_pub
        if not hasattr(publisher, "pub_socket"):  # %%capture
            return None
        if not can_ask(shell):
            return LastLine(Output(publisher, parent))
        if shows_widgets():
            return WidgetBar(Output(publisher, parent), cancel)
        return HtmlBar(Output(publisher, parent))
    if shell is not None and sys.__stderr__ is not None and sys.__stderr__.isatty():
        return TerminalBar()
    return None


class Output:
    """One output of one cell, not necessarily the one that runs now."""

    def __init__(self, publisher: Any, parent: Any) -> None:
        self._publisher, self._parent = publisher, parent
        self._id = f"rucat-{secrets.token_hex(8)}"
        self.is_shown = False

    def put(self, data: dict[str, Any]) -> None:
        """Show the data, or replace what is shown."""
        kind = "update_display_data" if self.is_shown else "display_data"
        self.is_shown = True
        content = {"data": data, "metadata": {}, "transient": {"display_id": self._id}}
        publisher = self._publisher
        publisher.session.send(publisher.pub_socket, kind, content, parent=self._parent, ident=publisher.topic)


class Alive:
    """Shows Jupyter that the kernel is in use: a server dates its last activity by the kernel's messages.

    A long query sends none, and a culler may end the server. The message updates an output that does not exist, which
    front ends ignore.
    """

    def __init__(self) -> None:
        self._sent_at = time.monotonic()

    def beat(self, parent: Any) -> None:
        """Send a message, if the last one is :data:`ALIVE_S` ago."""
        now, shell = time.monotonic(), get_shell()
        publisher = getattr(shell, "display_pub", None)
        if now - self._sent_at < ALIVE_S or not in_kernel(shell) or not hasattr(publisher, "pub_socket"):
            return
        self._sent_at = now
        output = Output(publisher, parent)
        output.is_shown = True
        output.put({})


class HtmlBar:
    """An output of HTML and text, without widgets; the page's Stop button cancels."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._last = ""

    def show(self, picture: Picture) -> None:
        """Update the output if its text has changed."""
        if picture.line != self._last:
            self._last = picture.line
            self._output.put({"text/plain": picture.line, "text/html": picture.html})

    def pause(self) -> None:
        """Do nothing: the output of the cell goes elsewhere."""

    def end(self, picture: Picture) -> None:
        """Update the output a last time."""
        self.show(picture)


class LastLine(HtmlBar):
    """For notebooks that run without a reader (nbconvert, papermill): one line of plain text at the end."""

    def show(self, picture: Picture) -> None:
        """Show nothing yet."""

    def end(self, picture: Picture) -> None:
        """Leave the line."""
        self._output.put({"text/plain": picture.line})


class WidgetBar:
    """A bar with a Cancel button that works while the cell runs; at the end HTML replaces the widget."""

    def __init__(self, output: Output, cancel: Callable[[], object]) -> None:
        self._output, self._cancel = output, cancel
        self._box: Any = None
        self._html: Any = None
        self._button: Any = None

    def show(self, picture: Picture) -> None:
        """Draw or update the widget."""
        if self._box is None:
            self._draw(picture)
        else:
            if self._html.value != picture.html:
                self._html.value = picture.html
            self._button.layout.visibility = "hidden" if picture.outcome else "visible"

    def pause(self) -> None:
        """Do nothing: the output of the cell goes elsewhere."""

    def end(self, picture: Picture) -> None:
        """Replace the widget by plain HTML, which a saved notebook can show."""
        self._output.put({"text/plain": picture.line, "text/html": picture.html})
        if self._box is not None:
            for widget in (self._button, self._html, self._box):
                widget.close()
            self._box = None

    def _draw(self, picture: Picture) -> None:
        import ipywidgets  # noqa: PLC0415 - loads much, and most kernels show no bar

        self._html = ipywidgets.HTML(picture.html, layout={"flex": "0 1 auto", "margin": "0"})
        self._button = ipywidgets.Button(
            description="Cancel",
            tooltip="Cancel what this cell runs on the engine",
            layout={"width": "auto", "height": "26px", "flex": "0 0 auto", "margin": "2px 0 2px 12px"},
        )
        self._button.on_click(self._clicked)
        self._box = ipywidgets.HBox(
            [self._html, self._button], layout={"align_items": "center", "flex_flow": "row wrap", "overflow": "visible"}
        )
        guard_comm(self._box)
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        self._output.put({"text/plain": picture.line, WIDGET_VIEW: view})

    def _clicked(self, button: Any) -> None:
        """Start the cancel; this runs in the thread that answers clicks, so it must be quick."""
        button.disabled, button.description = True, "Cancelling…"
        self._cancel()


class TerminalBar:
    """One line of a terminal, overwritten; it is erased when the cell may write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_there = False

    def show(self, picture: Picture) -> None:
        """Overwrite the line; it is cut to the width, because a wrapped line is not overwritten completely."""
        if picture.outcome:
            self.pause()
            return
        with self._lock:
            self._is_there = True
            _write(f"\r\x1b[K{picture.line[: shutil.get_terminal_size().columns - 1]}")

    def pause(self) -> None:
        """Erase the line."""
        with self._lock:
            if self._is_there:
                self._is_there = False
                _write("\r\x1b[K")

    def end(self, picture: Picture) -> None:
        """Leave the final state in grey, on a line of its own."""
        with self._lock:
            self._is_there = False
            _write(f"\r\x1b[K{GREY}{picture.line}{PLAIN}\n")


def _write(text: str) -> None:
    """Write to the terminal, also if the cell has replaced stderr."""
    if (terminal := sys.__stderr__) is None:
        return
    encoding = terminal.encoding or "utf-8"
    with contextlib.suppress(OSError, ValueError):  # the terminal is gone, and its reader too
        terminal.write(text.encode(encoding, "replace").decode(encoding))
        terminal.flush()

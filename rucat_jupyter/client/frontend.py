"""Whether the front end of this kernel shows widgets, and how its messages are answered while a cell runs."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from .identity import can_ask, get_shell, in_kernel, is_inherited

SESSION_VARIABLE = "JPY_SESSION_NAME"  # Jupyter servers name the notebook or console in it when they start a kernel
SWITCH = "RUCAT_WIDGETS"
OFF = ("0", "off", "no", "false")
VSCODE_VARIABLE = "__vsc_ipynb_file__"
VSCODE_MARK = "-jvsc-"  # in the session names that VS Code asks a Jupyter server for


def shows_widgets() -> bool:
    """Whether to show widgets: in JupyterLab and Notebook, unless ``RUCAT_WIDGETS=off`` is in the environment.

    Not in nbconvert, papermill and scripts (no one watches), terminals, and VS Code (text works best there). Loads
    nothing.
    """
    if os.environ.get(SWITCH, "").strip().lower() in OFF:
        return False
    return shows_panels() and importlib.util.find_spec("ipywidgets") is not None


def shows_panels() -> bool:
    """Whether this runs in a notebook of JupyterLab or Notebook, which have Rucat's panel and toolbar."""
    shell = get_shell()
    if not in_kernel(shell) or VSCODE_VARIABLE in shell.user_ns or not can_ask(shell):
        return False
    return _has_jupyter_server()


def guard_comm(widget: Any) -> None:
    """Handle messages to a widget, and to those inside it, immediately while a cell runs."""
    answer_immediately(getattr(widget, "comm", None))
    for child in getattr(widget, "children", ()):
        guard_comm(child)


def answer_immediately(comm: Any) -> None:
    """Handle messages to a comm immediately while a cell runs, in ipykernel 7.4.0 too.

    That release answers in the subshell that published the comm: after the running cell. Other releases, which do not
    have this hook, are not changed.
    """
    if comm is not None and hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


def _has_jupyter_server() -> bool:
    name = os.environ.get(SESSION_VARIABLE, "")
    if name not in _seen:
        _seen.clear()
        _seen[name] = bool(name) and VSCODE_MARK not in name and not is_inherited(name)
    return _seen[name]


_seen: dict[str, bool] = {}  # the answer for the present name: it needs a look at the parent process

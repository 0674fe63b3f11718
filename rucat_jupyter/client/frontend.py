"""What the front end of this kernel may draw, and that its messages are answered while a cell runs."""

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
    """Whether what runs now may show widgets: JupyterLab and Notebook, where nobody has switched them off.

    Not in nbconvert, papermill and scripts (nobody looks on), terminals, and VS Code (text is what it shows best);
    nor with ``RUCAT_WIDGETS=off`` in the kernel's environment. Loads nothing.
    """
    if os.environ.get(SWITCH, "").strip().lower() in OFF:
        return False
    return shows_panels() and importlib.util.find_spec("ipywidgets") is not None


def shows_panels() -> bool:
    """Whether what runs now belongs to a notebook in JupyterLab or Notebook, where our panel and toolbar are."""
    shell = get_shell()
    if not in_kernel(shell) or VSCODE_VARIABLE in shell.user_ns or not can_ask(shell):
        return False
    return _has_jupyter_server()


def guard_comm(widget: Any) -> None:
    """Let messages to a widget, and to those inside it, be handled at once while a cell runs."""
    answer_at_once(getattr(widget, "comm", None))
    for child in getattr(widget, "children", ()):
        guard_comm(child)


def answer_at_once(comm: Any) -> None:
    """Let messages to a comm be handled at once while a cell runs, in ipykernel 7.4.0 too.

    There a comm remembers the subshell that published it and answers there: after the running cell. The hook is
    looked for, so other releases are left alone.
    """
    if comm is not None and hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


def _has_jupyter_server() -> bool:
    name = os.environ.get(SESSION_VARIABLE, "")
    if name not in _seen:
        _seen.clear()
        _seen[name] = bool(name) and VSCODE_MARK not in name and not is_inherited(name)
    return _seen[name]


_seen: dict[str, bool] = {}  # the answer for the present name: telling looks at the parent process

"""Where widgets are shown, and the hook that lets clicks arrive while a cell runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rucat_jupyter.client import frontend, widgets


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A kernel's shell as JupyterLab's notebooks have it."""
    found = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=True), user_ns={})
    monkeypatch.setattr(frontend, "get_shell", lambda: found)
    monkeypatch.setattr(frontend, "is_inherited", lambda name: False)
    monkeypatch.setattr(frontend, "_seen", {})
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/a.ipynb")
    monkeypatch.delenv("RUCAT_WIDGETS", raising=False)
    return found


def test_notebooks_of_a_jupyter_server_show_widgets(shell: Any) -> None:
    """A kernel that a Jupyter server started for a notebook whose user can answer questions."""
    assert frontend.shows_widgets()


@pytest.mark.parametrize("name", ["", "/home/me/a-jvsc-0f8a.ipynb"])
def test_terminals_and_vs_code_on_a_server_show_text(shell: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No name: a console; VS Code marks the names of its sessions."""
    monkeypatch.setenv("JPY_SESSION_NAME", name)
    assert not frontend.shows_widgets()


def test_vs_code_shows_text(shell: Any) -> None:
    """Its own kernels know the notebook's path by a variable."""
    shell.user_ns["__vsc_ipynb_file__"] = "/home/me/a.ipynb"
    assert not frontend.shows_widgets()


def test_batches_show_text(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nbconvert and papermill take no input; started inside a notebook's kernel they inherit its name."""
    shell.kernel._allow_stdin = False
    assert not frontend.shows_widgets()
    shell.kernel._allow_stdin = True
    monkeypatch.setattr(frontend, "is_inherited", lambda name: True)
    assert not frontend.shows_widgets()


def test_scripts_and_plain_ipython_show_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kernel there is no front end."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/a.ipynb")
    for shell in (None, SimpleNamespace(user_ns={})):
        monkeypatch.setattr(frontend, "get_shell", lambda shell=shell: shell)
        assert not frontend.shows_widgets()


@pytest.mark.parametrize("value", ["off", "0", "No", "FALSE"])
def test_widgets_can_be_switched_off(shell: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """By RUCAT_WIDGETS in the kernel's environment."""
    monkeypatch.setenv("RUCAT_WIDGETS", value)
    assert not frontend.shows_widgets()


def test_messages_to_a_guarded_widget_need_no_old_subshell() -> None:
    """Its comm and those of its children answer where they are asked; a comm without the hook is left alone."""
    remembering = SimpleNamespace(_reply_subshell_for=lambda data, default: "the one that published it")
    plain = SimpleNamespace()
    inner = SimpleNamespace(comm=remembering)
    frontend.guard_comm(SimpleNamespace(comm=plain, children=(inner,)))
    assert remembering._reply_subshell_for({}, None) is None
    assert not vars(plain)


def test_the_log_of_a_notebook_without_a_reader_ends_with_running(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Papermill logs an output when it is made, and no update of it: the first one is the last line of the start."""
    shell.kernel._allow_stdin = False
    monkeypatch.setattr(widgets, "get_shell", lambda: shell)
    monkeypatch.setattr(widgets, "shows_widgets", lambda: False)
    log: list[str] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: log.append(bundle["text/plain"]))
    shown = widgets.live_phase()
    shown.show("◌ a  Pending   0 s", "◌ a  Pending")
    shown.end("● a  Running")
    assert log == ["● a  Running"]

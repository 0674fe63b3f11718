"""Who is asking, and what its engine is called."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rucat_jupyter.cli import engines as commands
from rucat_jupyter.client import identity
from rucat_jupyter.client.engines import create
from rucat_jupyter.core.errors import GatewayUnavailable, NotPossible
from rucat_jupyter.core.sessions import checked_session
from rucat_jupyter.core.spec import check_name
from rucat_jupyter.host import kubeconfig
from rucat_jupyter.launch import moves
from rucat_jupyter.launch.datadir import data_dir


def shell(**user_ns: Any) -> Any:
    """A kernel's IPython whose front end takes input."""
    return SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=True), user_ns=user_ns)


@pytest.mark.parametrize(
    "folder",
    [
        "/home/me/My Project!",
        "/",
        "/home/数据",
        "/x/" + "n" * 200,
        "/x/--",
        "/x/.hidden",
        "/x/a\x01b",
        "/x/e\u0301te\u0301",
    ],
)
def test_a_default_name_keeps_the_rule(folder: str) -> None:
    """Whatever the folder is called, with room for a random suffix."""
    name = identity.default_local_name(folder, "/usr/bin/python")
    assert check_name(name + identity.random_suffix())
    assert name.startswith("local-")


def test_default_names_differ_by_folder_and_python() -> None:
    """The same place has the same name."""
    names = {identity.default_local_name(f, p) for f in ("/a/x", "/b/x") for p in ("/p", "/q")}
    assert len(names) == 4
    assert identity.default_local_name("/a/x", "/p") in names


def test_the_key_is_that_of_the_notebooks_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 32 hex digits of SHA-256 of the absolute path."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/a.ipynb")
    monkeypatch.setattr(identity, "get_shell", shell)
    who = identity.caller()
    assert who.key == hashlib.sha256(b"/home/me/a.ipynb").hexdigest()[:32]
    assert (who.path, who.is_lasting, who.is_batch) == ("/home/me/a.ipynb", True, False)


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("/w/RTC:a.ipynb", "/w/a.ipynb"),
        ("/w/RTC:sub/a.ipynb", "/w/sub/a.ipynb"),
        ("/w/a: b.ipynb", "/w/a: b.ipynb"),
        ("/w/12:30.ipynb", "/w/12:30.ipynb"),
        ("/w/s3:a.ipynb", "/w/s3:a.ipynb"),
    ],
)
def test_the_name_of_a_drive_is_not_part_of_a_path(monkeypatch: pytest.MonkeyPatch, variable: str, path: str) -> None:
    """jupyter-collaboration opens notebooks on a drive of JupyterLab."""
    monkeypatch.setenv("JPY_SESSION_NAME", variable)
    monkeypatch.setattr(identity, "get_shell", shell)
    assert identity.caller().path == path


def test_a_file_may_be_called_like_a_drive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that is there has its own name."""
    (tmp_path / "RTC:b.ipynb").touch()
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "RTC:b.ipynb"))
    monkeypatch.setattr(identity, "get_shell", shell)
    assert identity.caller().path == str(tmp_path / "RTC:b.ipynb")


def test_a_running_kernel_follows_its_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server notes each move beside the connection file; a restarted kernel may know some of them already."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/w/a.ipynb")
    mine = shell()
    mine.kernel.parent = SimpleNamespace(connection_file="kernel-1.json", connection_dir=str(tmp_path))
    monkeypatch.setattr(identity, "get_shell", lambda: mine)
    file = tmp_path / "kernel-1.json"
    file.touch()
    assert identity.caller().path == "/w/a.ipynb"
    moves.add(file, "/w/a.ipynb", "/w/sub/b.ipynb")
    moves.add(file, "/w/sub", "/w/other")
    assert identity.caller().path == "/w/other/b.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "/w/sub/b.ipynb")
    assert identity.caller().path == "/w/other/b.ipynb"
    moves.forget_ended([file])
    assert moves.read(file)
    file.unlink()
    moves.forget_ended([file])
    assert not moves.read(file)


def test_vs_code_names_its_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """It puts the path into the user's namespace."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(identity, "get_shell", lambda: shell(__vsc_ipynb_file__="/w/b.ipynb"))
    assert identity.caller().path == "/w/b.ipynb"


def test_a_script_has_a_key_of_its_own_and_is_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it was started from a notebook's kernel and inherited its variables."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/a.ipynb")
    monkeypatch.setattr(identity, "get_shell", lambda: None)
    who = identity.caller()
    assert (who.is_lasting, who.is_batch) == (False, True)
    assert who.key == identity.caller().key
    monkeypatch.setattr(identity, "_this_process", "another")
    assert who.key != identity.caller().key


def test_nbconvert_inside_a_notebook_is_not_that_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is its parent's too, and questions cannot be answered: batch."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/a.ipynb")
    mine = shell()
    mine.kernel._allow_stdin = False
    monkeypatch.setattr(identity, "get_shell", lambda: mine)
    assert not identity.caller().is_batch  # only this process has it: a notebook that runs without questions
    monkeypatch.setattr(identity, "is_inherited", lambda path: True)
    assert identity.caller().is_batch


def test_a_session_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no notebook, the same name is the same session."""
    monkeypatch.setattr(identity, "get_shell", lambda: None)
    assert identity.caller("mine").key == identity.key_of("mine")
    assert identity.caller("mine").is_lasting


def test_the_path_of_a_notebook_names_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `status` and REST show it, also one that cannot be shown as it is."""
    for path in ("/home/me/a.ipynb", "/w/a\nb\udcff.ipynb"):
        monkeypatch.setattr(identity, "get_shell", lambda path=path: shell(__vsc_ipynb_file__=path))
        who = identity.caller()
        monkeypatch.setattr(identity, "get_shell", lambda: None)
        assert identity.caller(who.path).key == who.key


def test_notebooks_of_sessions_without_a_name_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter then names the folder alone; the kernel's own name stays over a restart."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/")
    keys = []
    for name in ("kernel-1", "kernel-2", "kernel-1"):
        mine = shell()
        mine.kernel.parent = SimpleNamespace(connection_file=f"/run/{name}.json")
        monkeypatch.setattr(identity, "get_shell", lambda mine=mine: mine)
        keys.append(identity.caller().key)
        assert identity.caller().path == f"/home/me/{name}"
    assert keys[0] == keys[2] != keys[1]


def test_only_the_variables_of_the_patterns_are_sent() -> None:
    """By default those of the clouds; a setting changes them; what is no text is left out."""
    environ = {"AWS_X": "1", "HADOOP_CONF_DIR": "/h", "HOME": "/", "GOOGLE_Y": "\udcff"}
    assert identity.env_from_kernel(environ) == {"AWS_X": "1", "HADOOP_CONF_DIR": "/h"}
    assert identity.env_from_kernel({**environ, "RUCAT_ENV_FROM_KERNEL": "HO*, AWS_X"}) == {"AWS_X": "1", "HOME": "/"}
    assert identity.env_from_kernel({**environ, "RUCAT_ENV_FROM_KERNEL": ""}) == {}


def test_a_path_that_cannot_be_shown_is_sent_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """So REST takes it, and another one's is another text."""
    monkeypatch.setattr(identity, "get_shell", lambda: shell(__vsc_ipynb_file__="/w/a\nb\udcff.ipynb"))
    who = identity.caller()
    assert who.path == r"/w/a\nb\udcff.ipynb"
    assert checked_session(who.key, who.path, None) == (who.path, None)


@pytest.fixture
def deleted_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a folder that no longer exists."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()


@pytest.mark.usefixtures("deleted_folder")
def test_a_deleted_working_directory_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A create and a plan of an engine on this machine need the folder, unless another one is given."""
    for body in ({}, {"local": {"python": "/p"}}):
        asked = {"platform": "local", **body}
        with pytest.raises(NotPossible, match=r"^the working directory does not exist any more\. .*: cd FOLDER$"):
            create.body_of(None, asked, SimpleNamespace())  # type: ignore[arg-type]
    given = create.body_of(None, {"platform": "local", "local": {"directory": "/x/y"}}, SimpleNamespace())  # type: ignore[arg-type]
    assert given["name"].startswith("local-y-")
    monkeypatch.setenv("RUCAT_DATA_DIR", "relative")
    with pytest.raises(GatewayUnavailable, match="RUCAT_DATA_DIR is relative, relative to a working directory"):
        data_dir()
    monkeypatch.setattr(identity, "get_shell", shell)
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    with pytest.raises(NotPossible, match=r": %cd FOLDER$"):
        identity.caller()


@pytest.mark.usefixtures("deleted_folder")
@pytest.mark.parametrize("running", [None, SimpleNamespace(), shell()])
def test_verbs_that_need_no_folder_work_in_a_deleted_one(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a notebook still has a key, and ``status`` finds the only engine."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(identity, "get_shell", lambda: running)
    monkeypatch.setattr(sys, "argv", ["script.py"])
    assert "a deleted folder" in identity.caller().path
    monkeypatch.setenv("KUBECONFIG", "relative")
    assert kubeconfig.files() == []
    only = SimpleNamespace(name="etl")
    monkeypatch.setattr(commands.client, "engines", lambda: [only])
    assert commands.find(None) is only

"""The set-up script rejects in one line what cannot work, and uses the newest suitable Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "setup.sh"
TOO_OLD = "exit 1"
WITHOUT_VENV = 'case "$2" in *ensurepip*) exit 1;; esac'
ANSWERS = """case "$*" in
    --version) echo "Python $0" ;;
    *"-m venv"*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
    *"-m pip"*) echo "pip $*" ;;
esac"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with the few commands that the script uses, and no Python yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat", "touch", "mkdir", "cp", "rm", "ln"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


def add_python(path: Path, name: str, behaviour: str) -> None:
    """Put a Python there that behaves so."""
    (path / name).write_text(f"#!/bin/sh\n{behaviour}\n", encoding="utf-8")
    (path / name).chmod(0o755)


def set_up(path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the script as make does."""
    command = [str(SCRIPT), ".venv", "lab"]
    return subprocess.run(command, cwd=cwd, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("pythons", "words"),
    [
        ({}, "no Python 3.10 or newer"),
        ({"python3": TOO_OLD}, "no Python 3.10 or newer"),
        ({"python3": WITHOUT_VENV}, "has no venv or ensurepip"),
    ],
)
def test_refuses_in_one_line(path: Path, tmp_path: Path, pythons: dict[str, str], words: str) -> None:
    """Without a Python that is new enough and can make environments the script says so in one line."""
    for name, behaviour in pythons.items():
        add_python(path, name, behaviour)
    done = set_up(path, tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert words in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_takes_the_newest_that_can(path: Path, tmp_path: Path) -> None:
    """A newer Python without venv is passed over; the second run installs into the same environment.

    JupyterLab takes the extension from the checkout.
    """
    add_python(path, "python3.13", WITHOUT_VENV)
    add_python(path, "python3.12", ANSWERS)
    add_python(path, "python3", ANSWERS)
    done = set_up(path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "python3.12" in done.stdout
    assert (tmp_path / ".venv" / ".ready-lab").exists()
    extension = tmp_path / ".venv/share/jupyter/labextensions/rucat-jupyter"
    assert extension.readlink() == tmp_path / "rucat_jupyter/labextension"
    assert "Creating" not in set_up(path, tmp_path).stdout


def test_recreates_a_moved_environment(path: Path, tmp_path: Path) -> None:
    """An environment from another folder is not used: its scripts point there."""
    add_python(path, "python3", ANSWERS)
    set_up(path, tmp_path)
    (tmp_path / ".venv" / ".made-in").write_text("elsewhere\n", encoding="utf-8")
    assert "Creating" in set_up(path, tmp_path).stdout
